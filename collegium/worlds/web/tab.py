"""One tab: when it has come to rest, what it shows, where its elements are, what it says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import CollegiumError
from collegium.worlds.web.tree import AxNode, read_tree

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Dialog, Page, Request

QUIET = 1.0
"""Seconds to wait at most for what a page loads besides documents."""

ASKED = 1.0
"""Seconds after which a navigation that was asked for and did not begin is given up on."""

DIALOGS = 20
"""Dialogs in a row after which a page counts as hung."""

_TICK = """new Promise(done => {
  let over = false;
  const end = () => { if (!over) { over = true; setTimeout(done, 0); } };
  requestAnimationFrame(end);
  setTimeout(end, 50);
})"""


class Hung(CollegiumError):
    """A page does not answer any more, or has crashed."""


class Look(msgspec.Struct, frozen=True):
    """What a tab shows.

    Attributes:
        nodes: Its accessibility tree.
        document: Names the document; another one has another name.
        scrolled: How far down it is scrolled, in pixels.
        height: Of the whole document.
    """

    nodes: dict[str, AxNode]
    document: str
    scrolled: float
    height: float


class Tab:
    """A page of the browser.

    Args:
        page: The page.
        cdp: The browser's own protocol for it.
        number: Unique within its episode.
        accepts: Whether dialogs are answered with yes; else they are dismissed.
        asks: Called when the page asks for another window.

    Attributes:
        title: As it was last seen.
        said: What dialogs said since it was last asked for.
    """

    def __init__(
        self,
        page: Page,
        cdp: CDPSession,
        number: int,
        accepts: bool,
        asks: Callable[[], None],
    ) -> None:
        self.page, self.cdp, self.number, self._accepts = page, cdp, number, accepts
        self.title = ""
        self.said: list[str] = []
        self.crashed = False
        self._loading: set[str] = set()
        self._asked: dict[str, float] = {}
        self._requests: set[Request] = set()
        self._changed = asyncio.Event()
        self._dialogs = 0
        page.on("dialog", self._dialog)
        page.on("crash", lambda _: self._crash())
        page.on("request", self._requested)
        page.on("requestfinished", self._answered)
        page.on("requestfailed", self._answered)
        cdp.on("Page.frameRequestedNavigation", self._ask)
        cdp.on("Page.frameStartedLoading", self._begin)
        cdp.on("Page.frameStoppedLoading", self._end)
        cdp.on("Page.frameDetached", self._end)
        cdp.on("Page.windowOpen", lambda _: asks())

    @classmethod
    async def open(
        cls,
        context: BrowserContext,
        page: Page,
        number: int,
        *,
        accepts: bool,
        asks: Callable[[], None],
    ) -> Tab:
        """A tab of a page that there is."""
        cdp = await context.new_cdp_session(page)
        tab = cls(page, cdp, number, accepts, asks)
        await cdp.send("Page.enable")
        await cdp.send("DOM.enable")
        await cdp.send("Accessibility.enable")
        return tab

    def _ask(self, event: Mapping[str, Any]) -> None:
        self._asked[event["frameId"]] = monotonic()

    def _begin(self, event: Mapping[str, Any]) -> None:
        self._asked.pop(event["frameId"], None)
        self._loading.add(event["frameId"])

    def _end(self, event: Mapping[str, Any]) -> None:
        self._asked.pop(event["frameId"], None)
        self._loading.discard(event["frameId"])
        self._changed.set()

    def _requested(self, request: Request) -> None:
        self._requests.add(request)

    def _answered(self, request: Request) -> None:
        self._requests.discard(request)
        self._changed.set()

    def _crash(self) -> None:
        self.crashed = True
        self._changed.set()

    async def _dialog(self, dialog: Dialog) -> None:
        self._dialogs += 1
        if len(self.said) < 3 and dialog.type != "beforeunload":
            self.said.append(f"{dialog.type}: {dialog.message[:200]!r}")
        with contextlib.suppress(Exception):  # the page may be gone
            if self._accepts or dialog.type == "beforeunload":
                await dialog.accept()
            else:
                await dialog.dismiss()

    async def send(self, method: str, arguments: dict[str, Any] | None = None) -> Any:
        """Ask the browser something about this tab."""
        return await self.cdp.send(method, arguments or {})

    async def settle(self, patience: float) -> None:
        """Wait until documents have loaded, and what else is on its way for a moment.

        Args:
            patience: Seconds after which a page that still loads is taken as it is.

        Raises:
            Hung: The page does not answer.
        """
        begin = monotonic()
        waited = False
        await self._tick(patience)
        while (now := monotonic()) - begin < patience and not self.crashed:
            self._asked = {f: at for f, at in self._asked.items() if now - at < ASKED}
            documents = self._loading or self._asked
            if not documents and (not self._requests or now - begin > QUIET):
                break
            waited = True
            self._changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 0.1)
        self._requests.clear()  # what streams for ever is not waited for again
        if waited:
            await self._tick(patience)

    async def _tick(self, patience: float) -> None:
        """Let the page finish what it is at, up to the next frame."""
        self._dialogs = 0
        asked = {"expression": _TICK, "awaitPromise": True}
        ticking = asyncio.ensure_future(self.cdp.send("Runtime.evaluate", asked))
        end = monotonic() + patience
        try:
            while not ticking.done():
                await asyncio.wait([ticking], timeout=0.5)
                if self.crashed or self._dialogs > DIALOGS or monotonic() > end:
                    raise Hung("the page does not answer")
            with contextlib.suppress(Exception):  # it went to another page meanwhile
                ticking.result()
        finally:
            ticking.cancel()

    async def look(self) -> Look:
        """The page as it is now."""
        listed, placed, frames = await asyncio.gather(
            self.send("Accessibility.getFullAXTree"),
            self.send("DOMSnapshot.captureSnapshot", {"computedStyles": []}),
            self.send("Page.getFrameTree"),
        )
        inner: dict[str, Any] = {}
        waiting = list(frames["frameTree"].get("childFrames", ()))
        while waiting:
            frame = waiting.pop(0)
            waiting += frame.get("childFrames", ())
            name = frame["frame"]["id"]
            with contextlib.suppress(Exception):  # a frame may go meanwhile
                got = await self.send("Accessibility.getFullAXTree", {"frameId": name})
                inner[name] = got["nodes"]
        nodes = read_tree(listed["nodes"], placed, inner)
        first = placed["documents"][0]
        self.title = next(iter(nodes.values())).name or "" if nodes else ""
        return Look(
            nodes,
            frames["frameTree"]["frame"].get("loaderId", ""),
            first.get("scrollOffsetY", 0),
            first.get("contentHeight", 0),
        )

    async def point(self, backend: int) -> tuple[float, float] | None:
        """The middle of an element, scrolled into view; None where nothing is drawn."""
        try:
            await self.send("DOM.scrollIntoViewIfNeeded", {"backendNodeId": backend})
            found = await self.send("DOM.getContentQuads", {"backendNodeId": backend})
        except Exception:
            return None
        for quad in found["quads"]:
            xs, ys = quad[0::2], quad[1::2]
            if max(xs) - min(xs) > 0 and max(ys) - min(ys) > 0:
                return sum(xs) / 4, sum(ys) / 4
        return None

    async def call(self, backend: int, function: str, *values: Any) -> Any:
        """Call a JavaScript function with an element as its ``this``.

        Raises:
            Exception: The element is gone, or the function failed.
        """
        found = await self.send("DOM.resolveNode", {"backendNodeId": backend})
        got = await self.send(
            "Runtime.callFunctionOn",
            {
                "objectId": found["object"]["objectId"],
                "functionDeclaration": function,
                "arguments": [{"value": value} for value in values],
                "returnByValue": True,
            },
        )
        if "exceptionDetails" in got:
            raise ValueError(str(got["exceptionDetails"].get("text")))
        return got["result"].get("value")

    async def close(self) -> None:
        """Close it, even if it does not answer."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.page.close(), 3)
