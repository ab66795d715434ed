"""What a page shows, in its HTML already: it can be read and followed before its scripts ran.

NiceGUI sends a page as data, of which a script makes elements; on a slow machine that takes a
second. Here the same elements are written into the page as plain HTML. Links lead on and forms are
sent from it; when the script has made its own, ours goes away.
"""

from __future__ import annotations

from html import escape

from nicegui import ui
from nicegui.element import Element

from collegium.studio.safe import Tag

THEMED = "document.body.classList.toggle('body--dark', {});"
SYSTEM = "matchMedia('(prefers-color-scheme: dark)').matches"

VOID = frozenset({"br", "hr", "img", "input"})
NEVER = frozenset({"script", "style", "iframe", "object", "embed", "template", "noscript"})


def show_early(dark: bool | None) -> None:
    """Write what the page holds so far into its HTML. Called once, when the page is made.

    Args:
        dark: Whether the page is dark; None: as the system has it.
    """
    client = ui.context.client
    theme = SYSTEM if dark is None else "true" if dark else "false"
    ui.add_body_html(
        f"<script>{THEMED.format(theme)}</script>"
        f'<div id="early">{"".join(written(child) for child in children(client.layout))}</div>'
    )


def written(element: Element) -> str:
    """An element as HTML. Whatever it holds is text; elements that are not plain become boxes."""
    inside = "".join(written(child) for child in children(element))
    plain = isinstance(element, Tag)
    name = element.tag if plain else "div"
    if name.lower() in NEVER:
        return ""
    parts = [name]
    if element.classes:
        parts.append(f'class="{escape(" ".join(element.classes))}"')
    if plain:
        inside = escape(element.text) + inside
        parts += [a for key, value in element.props.items() if (a := _attribute(key, value))]
    opening = f"<{' '.join(parts)}>"
    return opening if name in VOID else f"{opening}{inside}</{name}>"


def _attribute(key: str, value: object) -> str:
    key = key.lstrip("^")
    if value is None or value is False or not key.replace("-", "").isalnum():
        return ""
    return key if value is True else f'{key}="{escape(str(value))}"'


def children(element: Element) -> list[Element]:
    """What stands in an element."""
    return [child for slot in element.slots.values() for child in slot.children]
