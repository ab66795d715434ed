"""How text that nobody vouches for gets on a page.

What models write, tools return and files hold is hostile: it may hold script tags, event handlers,
addresses that run code, or characters that turn a line around. On a page it is a text node and
nothing else: made by :func:`tag` or :func:`said`, never by ``ui.html``, ``ui.markdown``, a template
or an HTML string. It never stands in a string of ``.props(...)`` either, where names after a colon
are JavaScript; attributes are set by :func:`tag`, one by one.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from collegium.errors import missing_extra

try:
    from nicegui.elements.mixins.text_element import TextElement
except ImportError:
    raise missing_extra("studio", "the studio") from None

MOST_SHOWN = 20_000
"""Characters of one text that a page shows."""

LONG, LONG_LINES = 2_000, 24
"""Characters and lines above which a text gets a window of its own."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Control characters, and what is invisible or changes the direction of reading."""

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*\Z")


def shown(text: object, most: int = MOST_SHOWN) -> str:
    """A text as a page shows it: characters that hide or turn text are written out.

    Args:
        text: The text.
        most: Characters after which it is cut off, which it says.
    """
    whole = str(text)
    cut = whole[:most].replace("\r\n", "\n")
    visible = _HIDDEN.sub(_written_out, cut)
    left = len(whole) - most
    return visible if left <= 0 else f"{visible}\n… {left:,} more characters"


def _written_out(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


class Tag(TextElement):
    """A plain HTML element with text in it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(tag=name, text=text)


def tag(name: str, text: object = "", /, *, cls: str = "", **attributes: Any) -> Tag:
    """An HTML element.

    Args:
        name: Such as ``"section"``.
        text: Its text, shown as text whatever it holds.
        cls: Its classes.
        **attributes: Such as ``href``, ``aria_label`` (for ``aria-label``) or ``for_``. Those that
            are None are left out.

    Raises:
        ValueError: An attribute would be code.
    """
    made = Tag(name, shown(text))
    if cls:
        made.classes(cls)
    for key, value in attributes.items():
        written = attribute(key)
        if written == "value" and name == "input":
            written = "^value"  # the attribute: Vue sets the property anew whenever a page changes
        if value is not None:
            made.props[written] = safe_link(value) if written in ("href", "src") else value
    return made


def attribute(key: str) -> str:
    """The name of an attribute, from how Python writes it: ``aria_label``, ``for_``.

    Raises:
        ValueError: It would be code, or is no name.
    """
    written = key.rstrip("_").replace("_", "-")
    if not _NAME.match(written) or written.lower().startswith("on"):
        raise ValueError(f"{key} is no plain attribute.")
    return written


def area(text: str = "", *, cls: str = "text", **attributes: Any) -> Tag:
    """A field of several lines that begins with a text, which is not cut or written out."""
    made = tag("textarea", cls=cls, **attributes)
    made.text = text
    return made


def said(text: object, *, cls: str = "", most: int = MOST_SHOWN) -> Tag:
    """A text with its own lines, set apart from the direction of reading around it.

    A long one has a window of its own, which the keyboard reaches.
    """
    made = Tag("div", shown(text, most)).classes(f"said {cls}")
    if len(made.text) > LONG or made.text.count("\n") > LONG_LINES:
        made.classes("tall").props["tabindex"] = "0"
    return made


def safe_link(address: object) -> str:
    """An address that may stand in a link: of the web, or within these pages; else ``#``."""
    text = str(address).strip()
    if _HIDDEN.search(text) or "\\" in text or text.startswith("//"):
        return "#"
    try:
        scheme = urlsplit(text).scheme.lower()
    except ValueError:
        return "#"
    inside = text.startswith(("/", "#", "?"))
    return text if scheme in ("http", "https", "mailto") or (not scheme and inside) else "#"
