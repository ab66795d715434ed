"""The frame of every page: header, navigation, keys, light and dark, and where errors are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from collegium.errors import CollegiumError, missing_extra
from collegium.protocols.hub import log_bug
from collegium.studio.safe import Tag, shown, tag

try:
    from nicegui import ui
except ImportError:
    raise missing_extra("studio", "the studio") from None

Part = Literal["papers", "run", "compare", "runs", "guard", "worlds", "digest"]

PARTS: tuple[tuple[Part, str, str, str], ...] = (
    ("papers", "Papers", "/", "p"),
    ("compare", "Compare", "/compare", "c"),
    ("runs", "Runs", "/runs", "r"),
    ("guard", "Guard", "/guard", "u"),
    ("worlds", "Worlds", "/worlds", "w"),
    ("digest", "Daily", "/digest", "d"),
)
"""What is in the navigation: name, label, address and the key after ``g``."""

THEME = "collegium-theme"
"""The cookie that remembers light or dark."""

DARK = """() => {
  const dark = !Quasar.Dark.isActive;
  window.setDark(dark);
  document.cookie = "collegium-theme=" + (dark ? "dark" : "light")
    + "; path=/; max-age=31536000; samesite=strict";
}"""


@contextmanager
def frame(title: str, *, active: Part | None = None) -> Iterator[None]:
    """The frame of a page; what is made inside the block is the page.

    Args:
        title: The page's title.
        active: The part of the navigation it belongs to.
    """
    ui.page_title(f"{shown(title, 80)} · collegium")
    ui.dark_mode(chosen_dark())
    layout = ui.context.client.layout
    with layout:  # beside the page's own <main>, not in it
        tag("a", "Skip to the content", href="#content", cls="skip").move(layout, 0)
        _header(active).move(layout, 1)
        _keys()
    with tag("div", id="content", tabindex="-1"):
        tag("div", cls="told", role="alert", id="told")
        yield


def _header(active: Part | None) -> Tag:
    with tag("header", cls="top") as header, tag("div", cls="inner"):
        tag("a", "collegium", href="/", cls="brand", aria_label="collegium, papers")
        with tag("nav", aria_label="Parts"):
            for name, label, address, key in PARTS:
                here = "page" if name == active else None
                tag("a", label, href=address, aria_current=here, title=f"g {key}")
        with tag("div", cls="tools"):
            tag("button", "◐", type="button", aria_label="Light or dark", cls="plain").on(
                "click", js_handler=DARK
            )
            tag("button", "?", type="button", aria_label="Keys", cls="plain", id="keys-button")
    return header


def chosen_dark() -> bool | None:
    """Whether dark was chosen before; None: nothing was, so it is as the system has it."""
    request = ui.context.client.request
    chosen = request.cookies.get(THEME) if request is not None else None
    return {"dark": True, "light": False}.get(chosen or "")


def _keys() -> None:
    """The list of keys; the script opens it."""
    with tag("dialog", id="keys", aria_labelledby="keys-title", cls="keys"):
        tag("h2", "Keys", id="keys-title")
        with tag("dl"):
            rows = [(f"g {key}", label) for _, label, _, key in PARTS]
            for key, what in [*rows, ("/", "Search"), ("j, k", "Next, previous"), ("?", "Keys")]:
                tag("dt", key)
                tag("dd", what)
        tag("button", "Close", type="button", cls="quiet", id="keys-close")


def tell(error: BaseException | str) -> None:
    """Show what went wrong: the sentence of a :class:`CollegiumError`, nothing of a bug's inside.

    Called inside a page or one of its events.

    Args:
        error: The error, or a sentence.
    """
    if isinstance(error, BaseException) and not isinstance(error, CollegiumError):
        log_bug(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        error = "Something went wrong inside the studio; its log says more."
    sentence = " ".join(shown(error, 1000).split())
    sentence = f"{sentence[:1].upper()}{sentence[1:]}"
    ui.run_javascript(f"window.studio.tell({_quoted(sentence)})")


def untell() -> None:
    """Take the last error away."""
    ui.run_javascript("window.studio.tell('')")


def _quoted(text: str) -> str:
    """A text as a JavaScript string: ASCII alone, nothing that could end the string or a tag."""
    return '"' + "".join(c if c.isalnum() and c.isascii() else _code(c) for c in text) + '"'


def _code(c: str) -> str:
    n = ord(c)
    if n < 0x10000:
        return f"\\u{n:04x}"
    n -= 0x10000
    return f"\\u{0xD800 + (n >> 10):04x}\\u{0xDC00 + (n & 0x3FF):04x}"
