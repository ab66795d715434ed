"""The addresses of the pages and of their management."""

from django.urls import include, path
from pages.search import search
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as admin_urls
from wagtail.documents import urls as document_urls

urlpatterns = [
    path("admin/", include(admin_urls)),
    path("documents/", include(document_urls)),
    path("search/", search),
    path("", include(wagtail_urls)),
]
