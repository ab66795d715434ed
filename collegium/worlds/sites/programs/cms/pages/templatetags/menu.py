"""The menu of the site."""

from django import template
from wagtail.models import Site

register = template.Library()


@register.simple_tag(takes_context=True)
def menu(context):
    """The pages that stand in the menu."""
    site = Site.find_for_request(context["request"])
    return site.root_page.get_children().live().in_menu() if site else []
