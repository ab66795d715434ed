"""Small pieces that the pages of runs and comparisons are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from collegium.kernel.store import Totals
from collegium.studio.safe import said, tag
from collegium.studio.sheets import load

STATUS = {"done": "good", "failed": "bad", "interrupted": "warn", "running": "on"}
"""The class of a chip by the status it shows."""


def with_style() -> None:
    """Our sheet for transcripts and tables of runs, on this page."""
    load("runs.css")


def address(path: str, **query: object) -> str:
    """An address of these pages; what is empty is left out of its query."""
    kept = {name: value for name, value in query.items() if value not in (None, "", 0)}
    return f"{path}?{urlencode(kept)}" if kept else path


def status_chip(status: str) -> None:
    """How far a run came."""
    tag("span", status, cls=f"chip {STATUS.get(status, '')}")


def facts(rows: Iterable[tuple[str, object]]) -> None:
    """Names and values, below each other."""
    with tag("dl", cls="facts"):
        for name, value in rows:
            tag("dt", name)
            tag("dd", value)


def bill(totals: Totals | None) -> None:
    """What a run cost."""
    if totals is None:
        tag("p", "Not over yet.", cls="dim")
        return
    u = totals.usage
    cached = f" ({u.cached:,} cached)" if u.cached else ""
    facts(
        (
            ("Calls", f"{totals.calls:,}"),
            ("Tokens", f"{u.tokens:,}"),
            ("Read", f"{u.prompt:,}{cached}"),
            ("Written", f"{u.completion:,}"),
            ("Time", seconds(totals.seconds)),
            ("Money", money(u.money)),
        )
    )


def table(
    columns: Sequence[str | tuple[str, str]], rows: Iterable[Sequence[Any]], *, cls: str = ""
) -> None:
    """A table of texts; a column may be named with the class of its cells."""
    named = [c if isinstance(c, tuple) else (c, "") for c in columns]
    with tag("div", cls="wide", tabindex="0"), tag("table", cls=f"plain {cls}"):
        with tag("thead"), tag("tr"):
            for name, style in named:
                tag("th", name, cls=style, scope="col")
        with tag("tbody"):
            for row in rows:
                with tag("tr"):
                    for value, (_, style) in zip(row, named, strict=True):
                        tag("td", value, cls=style)


def pager(path: str, query: Mapping[str, object], first: int, count: int, total: int) -> None:
    """Where one is in a long list, with the way to the pages before and after."""
    if total <= count:
        return
    page = first // count + 1
    with tag("nav", cls="pages", aria_label="Pages"):
        for label, to, there in (
            ("← Newer", page - 1, page > 1),
            ("Older →", page + 1, first + count < total),
        ):
            if there:
                to = None if to == 1 else to
                tag("a", label, href=address(path, **query, page=to), cls="button")
        tag("span", f"{first + 1:,} to {min(first + count, total):,} of {total:,}", cls="dim nums")


def page_number(text: str) -> int:
    """The page that an address asks for; the first when it asks for nonsense."""
    return int(text) if text.isascii() and text.isdecimal() and 0 < int(text) < 10**7 else 1


def text_block(text: object) -> None:
    """A longer text; it scrolls by itself."""
    said(text, cls="answer")


def quoted(text: str) -> str:
    """A text as a JavaScript string, in which nothing could end the string or a tag."""
    return json.dumps(text).replace("<", "\\u003c")


def when(created: str) -> str:
    """A time of the store as people read it."""
    return f"{created[:10]} {created[11:16]}"


def seconds(value: float) -> str:
    """A duration as people read it."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d} min"


def money(dollars: float) -> str:
    """US dollars; small amounts keep two significant digits."""
    return "$0" if not dollars else f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.2g}"
