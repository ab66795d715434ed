"""Thumbnails: the pictures are small already, so they are shown as they are."""

from types import SimpleNamespace

from django.conf import settings


class AsTheyAre:
    """What django-oscar asks for smaller pictures."""

    def generate_thumbnail(self, source, **options):
        """The picture itself."""
        name = getattr(source, "name", None) or str(source)
        return SimpleNamespace(url=f"{settings.MEDIA_URL}{name}", name=name)

    def delete_thumbnails(self, source) -> None:
        """There are none."""
