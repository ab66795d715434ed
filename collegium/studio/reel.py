"""A transcript of any length: the page holds the part that is looked at, the server the rest."""

from __future__ import annotations

import asyncio

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from collegium.studio.frame import tell
from collegium.studio.traces import BLOCK, StoredTrace

LONGEST_SEARCH = 200
"""Characters of a text that is searched for."""


class Reel(Element, component="reel.js"):
    """The transcript of a trace; it scrolls by itself, and can be searched.

    Args:
        trace: The events.
        label: What it is, for those who do not see it.
        tall: Whether it may take most of the window's height.
    """

    def __init__(self, trace: StoredTrace, *, label: str, tall: bool = True) -> None:
        super().__init__()
        self._trace = trace
        self.props["label"] = label
        self.props["total"] = len(trace)
        self.props["size"] = BLOCK
        self.props["tall"] = tall
        self.on("need", self._fill)
        self.on("whole", self._whole)
        self.on("search", self._search)

    async def follow(self) -> None:
        """Look for events that have come since."""
        known = len(self._trace)
        total = await asyncio.to_thread(self._trace.refresh)
        if total != known:
            self.props["total"] = total

    def show(self, place: int) -> None:
        """Scroll to an event."""
        self.run_method("show", place)

    async def _fill(self, event: GenericEventArguments) -> None:
        number = _number(event.args)
        if number is not None:
            rows = await asyncio.to_thread(self._trace.block, number)
            self.run_method("fill", number, rows)

    async def _whole(self, event: GenericEventArguments) -> None:
        place = _number(event.args)
        row = None if place is None else await asyncio.to_thread(self._trace.whole, place)
        if row is not None:
            self.run_method("replace", row)

    async def _search(self, event: GenericEventArguments) -> None:
        text = str(event.args)[:LONGEST_SEARCH]
        try:
            hits = await asyncio.to_thread(self._trace.search, text)
        except Exception as error:
            tell(error)
            hits = []
        self.run_method("found", text, hits)


def _number(args: object) -> int | None:
    """A number that a page sent; pages are not to be trusted."""
    if isinstance(args, list | tuple) and len(args) == 1:
        args = args[0]
    return args if isinstance(args, int) and not isinstance(args, bool) and args >= 0 else None
