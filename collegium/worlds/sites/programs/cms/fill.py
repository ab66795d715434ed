"""Fill the pages from their data: as revisions and publications, as editors make them."""

import common
import time_machine


def fill(data: dict) -> None:
    """Make tables, users and pages."""
    start = common.when("2025-01-10 09:00")
    with time_machine.travel(start, tick=False):
        common.start_django()
        common.migrate()
        users = editors(data)
        home = make_home(data["home"], users["admin"])
    for one in data["pages"]:
        make_page(one, home, users)
    messages(data)
    with time_machine.travel(common.when(data["now"]), tick=False):
        common.sign_in(users, "django.contrib.auth.backends.ModelBackend")


def editors(data: dict) -> dict:
    """Who works on the pages."""
    from django.contrib.auth.models import Group, User
    from wagtail.users.models import UserProfile

    users = {}
    for one in data["users"]:
        user = User.objects.create(
            username=one["name"],
            email=f"{one['name']}@example.com",
            first_name=one["first"],
            last_name=one["last"],
            is_superuser=not one["group"],
        )
        if one["group"]:
            user.groups.add(Group.objects.get(name=one["group"]))
        # Guided tours would stand in the way of everybody who comes for the first time.
        UserProfile.get_for_user(user)
        users[one["name"]] = user
    return users


def make_home(one: dict, user):
    """The first page, in place of the one that Wagtail makes."""
    from pages.models import HomePage
    from wagtail.models import Page, Site

    Site.objects.all().delete()
    Page.objects.filter(depth=2).delete()
    root = Page.objects.get(depth=1)
    home = HomePage(title=one["title"], slug="home", intro=one["intro"], body=one["body"])
    root.add_child(instance=home)
    home.save_revision(user=user).publish(user=user)
    Site.objects.create(hostname="localhost", root_page=home, is_default_site=True)
    return home


def make_page(one: dict, parent, users: dict) -> None:
    """A page and those below it."""
    from datetime import date, time

    from pages import models

    kinds = {
        "standard": models.StandardPage,
        "people": models.PeoplePage,
        "person": models.PersonPage,
        "news-index": models.NewsIndexPage,
        "news": models.NewsPage,
        "event-index": models.EventIndexPage,
        "event": models.EventPage,
        "form": models.ContactPage,
    }
    known = ("title", "slug", "intro", "body", "role", "email", "phone", "author", "place")
    values = {field: one[field] for field in (*known, "seats", "thanks") if field in one}
    if "date" in one:
        values["date"] = date.fromisoformat(one["date"])
    for field in ("start", "end"):
        if field in one:
            values[field] = time.fromisoformat(one[field])
    page = kinds[one["kind"]](show_in_menus=one.get("menu", False), **values)
    user = users["mara"]
    with time_machine.travel(common.when(one["at"]), tick=False):
        page.live = False
        page.owner = user
        parent.add_child(instance=page)
        for order, field in enumerate(one.get("fields", ())):
            models.ContactField.objects.create(
                page=page,
                sort_order=order,
                label=field["label"],
                field_type=field["kind"],
                choices=field.get("choices", ""),
                required=True,
            )
        page = type(page).objects.get(pk=page.pk)
        revision = page.save_revision(user=user)
        if not one.get("draft"):
            revision.publish(user=user)
    page = type(page).objects.get(pk=page.pk)
    for below in one.get("children", ()):
        make_page(below, page, users)


def messages(data: dict) -> None:
    """What visitors sent with the form."""
    from pages.models import ContactPage

    form = ContactPage.objects.get()
    for one in data["messages"]:
        with time_machine.travel(common.when(one["at"]), tick=False):
            content = {key: value for key, value in one.items() if key != "at"}
            form.get_submission_class().objects.create(form_data=content, page=form)
