"""The kinds of pages there are."""

from django.db import models
from modelcluster.fields import ParentalKey
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.contrib.forms.models import AbstractForm, AbstractFormField
from wagtail.fields import RichTextField
from wagtail.models import Page


class HomePage(Page):
    """The first page."""

    intro = models.TextField(blank=True)
    body = RichTextField(blank=True)

    template = "pages/home.html"
    content_panels = [*Page.content_panels, FieldPanel("intro"), FieldPanel("body")]

    def get_context(self, request, *args, **kwargs):
        """With the latest news."""
        news = NewsPage.objects.live().order_by("-date")[:3]
        return super().get_context(request, *args, **kwargs) | {"news": news}


class StandardPage(Page):
    """A page of text."""

    body = RichTextField(blank=True)

    template = "pages/standard.html"
    content_panels = [*Page.content_panels, FieldPanel("body")]


class IndexPage(Page):
    """A page that lists the pages below it."""

    intro = models.TextField(blank=True)

    content_panels = [*Page.content_panels, FieldPanel("intro")]

    order = "title"

    class Meta:
        abstract = True

    def get_context(self, request, *args, **kwargs):
        """With the pages below."""
        below = self.get_children().live().specific()
        listed = sorted(below, key=lambda page: getattr(page, self.order.strip("-")))
        if self.order.startswith("-"):
            listed.reverse()
        return super().get_context(request, *args, **kwargs) | {"listed": listed}


class PeoplePage(IndexPage):
    """Lists people."""

    template = "pages/index.html"
    subpage_types = ["pages.PersonPage"]


class NewsIndexPage(IndexPage):
    """Lists news, the latest first."""

    template = "pages/index.html"
    order = "-date"
    subpage_types = ["pages.NewsPage"]


class EventIndexPage(IndexPage):
    """Lists events, the next first."""

    template = "pages/index.html"
    order = "date"
    subpage_types = ["pages.EventPage"]


class PersonPage(Page):
    """Somebody."""

    role = models.CharField(max_length=100)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    body = RichTextField(blank=True)

    template = "pages/person.html"
    parent_page_types = ["pages.PeoplePage"]
    content_panels = [
        *Page.content_panels,
        FieldPanel("role"),
        FieldPanel("email"),
        FieldPanel("phone"),
        FieldPanel("body"),
    ]


class NewsPage(Page):
    """A piece of news."""

    date = models.DateField()
    author = models.CharField(max_length=100, blank=True)
    intro = models.TextField(blank=True)
    body = RichTextField(blank=True)

    template = "pages/news.html"
    parent_page_types = ["pages.NewsIndexPage"]
    content_panels = [
        *Page.content_panels,
        FieldPanel("date"),
        FieldPanel("author"),
        FieldPanel("intro"),
        FieldPanel("body"),
    ]


class EventPage(Page):
    """Something that takes place."""

    date = models.DateField()
    start = models.TimeField()
    end = models.TimeField()
    place = models.CharField(max_length=200)
    seats = models.PositiveIntegerField(default=0)
    body = RichTextField(blank=True)

    template = "pages/event.html"
    parent_page_types = ["pages.EventIndexPage"]
    content_panels = [
        *Page.content_panels,
        FieldPanel("date"),
        FieldPanel("start"),
        FieldPanel("end"),
        FieldPanel("place"),
        FieldPanel("seats"),
        FieldPanel("body"),
    ]


class ContactField(AbstractFormField):
    """A field of the form."""

    page = ParentalKey("ContactPage", on_delete=models.CASCADE, related_name="form_fields")


class ContactPage(AbstractForm):
    """A form; what is sent is kept in the management."""

    intro = models.TextField(blank=True)
    thanks = models.TextField(blank=True)

    template = "pages/contact.html"
    landing_page_template = "pages/contact_thanks.html"
    content_panels = [
        *AbstractForm.content_panels,
        FieldPanel("intro"),
        InlinePanel("form_fields", label="Fields"),
        FieldPanel("thanks"),
    ]
