"""The search of the pages."""

from django.shortcuts import render
from wagtail.models import Page


def search(request):
    """Pages that hold the words asked for."""
    query = request.GET.get("query", "").strip()
    found = []
    if query:
        for page in Page.objects.live().filter(depth__gt=1).specific().order_by("path"):
            text = " ".join(
                str(getattr(page, field, ""))
                for field in ("title", "intro", "body", "role", "place", "author")
            )
            if all(word in text.lower() for word in query.lower().split()):
                found.append(page)
    return render(request, "pages/search.html", {"query": query, "found": found})
