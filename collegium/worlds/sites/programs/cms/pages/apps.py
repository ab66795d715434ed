"""The page types as an application."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """Our page types."""

    name = "pages"
    verbose_name = "Pages"
