"""One episode in the browser: its tabs, what they show, and the actions made in them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from collegium.errors import BadInput
from collegium.worlds.web import elements
from collegium.worlds.web.actions import Action
from collegium.worlds.web.browser import WINDOW, Shared, place
from collegium.worlds.web.tab import Hung, Tab
from collegium.worlds.web.task import Mode
from collegium.worlds.web.tree import AxNode, Tree, print_tree

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

Area = tuple[int, int]
"""Width and height in pixels."""

QUALITY = 60
"""Of small pictures, 0 to 100."""

TABS = 12
"""Tabs that may be open; those that a page opens beyond are closed at once."""

WINDOW_SECONDS = 2.0
"""How long a window that a page asked for is waited for."""

STEP = 0.8
"""The share of the window that is scrolled (``fixed``): what was cut at its edge is whole then."""

NO_ELEMENT = "There is no element with the number {}; use the numbers of the last observation."
CLOSED = "The page closed its tab."
HUNG = "The page did not answer any more and was closed; the tab is empty now."


class Session:
    """The tabs of an episode. All of it runs in the browser's thread.

    Args:
        context: The browser's context.
        mode: "fixed" or "compat".
        names: Addresses as the agent sees them, by the real ones.
        patience: Seconds that a page may take.
        limit: Characters of an observation at most; None: any number.
        whole: Whether all of a page is shown and not the window alone.
        pause: Seconds to wait after every action.
    """

    def __init__(
        self,
        context: BrowserContext,
        mode: Mode,
        names: Mapping[str, str],
        *,
        patience: float,
        limit: int | None,
        whole: bool,
        pause: float,
    ) -> None:
        self.context = context
        self.mode: Mode = mode
        self._names = dict(sorted(names.items(), key=lambda pair: -len(pair[0])))
        self._allowed = {place(address) for address in names}
        self.patience, self._limit, self._whole, self._pause = patience, limit, whole, pause
        self.tabs: list[Tab] = []
        self.current = 0
        self.seen = Tree("", {})
        self._numbers: dict[tuple[int, str, int | str], int] = {}
        self._made = 0
        self._mine = False
        self._wanted = 0
        self._came = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()
        context.on("page", self._opened)

    @property
    def tab(self) -> Tab:
        """The tab that is acted in."""
        return self.tabs[self.current]

    async def new_tab(self) -> Tab:
        """Open an empty tab and act in it."""
        self._mine = True
        try:
            page = await self.context.new_page()
        finally:
            self._mine = False
        return await self._add(page)

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Page]:
        """A page that the agent knows nothing of, logged in as it is."""
        self._mine = True
        try:
            page = await self.context.new_page()
        finally:
            self._mine = False
        try:
            yield page
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(page.close(), 3)

    async def goto(self, url: str) -> str:
        """Go to a real address; returns what is wrong, "" for nothing."""
        try:
            await self.tab.page.goto(url, timeout=self.patience * 1000, wait_until="load")
        except Exception as error:
            reason = str(error).partition("\n")[0]
            if "Timeout" not in reason:  # what has loaded by then is taken as it is
                return f"The page could not be opened ({reason.rpartition('net::')[2]})."
        return ""

    async def forget(self) -> None:
        """Let the present page be the first of its tab, with nothing to go back to."""
        with contextlib.suppress(Exception):
            await self.tab.send("Page.resetNavigationHistory")

    async def act(self, action: Action) -> str:
        """Make an action.

        Returns:
            What is wrong with it, or "".
        """
        tab = self.tab
        try:
            problem = await asyncio.wait_for(self._do(action), self.patience * 1.5)
            await self.rest()
            if self._pause:
                await asyncio.sleep(self._pause)
                await self.rest()
        except (TimeoutError, Hung):
            return await self._replace()
        except Exception as error:
            if not self.alive:
                raise
            if tab.crashed:
                return await self._replace()
            reason = str(error).partition("\n")[0]
            return f"That failed: {reason}." if tab in self.tabs else CLOSED
        return problem

    async def rest(self) -> None:
        """Wait until the tab that is acted in has come to rest, a new one too."""
        for _ in range(3):
            if not self.tabs:
                await self.new_tab()
            at = self.tab
            await at.settle(self.patience)
            while self._wanted > 0:  # a window that was asked for is on its way
                self._came.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._came.wait(), WINDOW_SECONDS)
                    continue
                self._wanted = 0
            if self._opening:
                await asyncio.gather(*self._opening, return_exceptions=True)
            if self.tabs and self.tab is at:
                break

    def _window(self) -> None:
        self._wanted += 1

    @property
    def alive(self) -> bool:
        """Whether the browser is still there."""
        browser = self.context.browser
        return browser is not None and browser.is_connected()

    async def _replace(self) -> str:
        """Put an empty tab in place of one that does not answer."""
        dead, at = self.tabs[self.current], self.current
        await self.new_tab()
        self.tabs[at] = self.tabs.pop()
        self.current = at
        await dead.close()
        return HUNG

    async def observe(self, problem: str = "", *, rest: bool = False) -> str:
        """What is to be seen now.

        Args:
            problem: What was wrong with the last action; it is said first.
            rest: Whether to wait first until the page has come to rest.
        """
        tree = Tree("", {})
        for attempt in range(3):  # the page may be on its way to another
            try:
                if attempt or rest:
                    await self.rest()
                tree = await asyncio.wait_for(self._look(), self.patience * 3)
                break
            except (TimeoutError, Hung):
                problem = await self._replace()
            except Exception:
                if not self.alive:
                    raise
        self.seen = tree
        for other in self.tabs:
            if other is not self.tab:
                with contextlib.suppress(Exception):  # one that hangs keeps the title it had
                    other.title = await asyncio.wait_for(other.page.title(), 1)
        said = [f"The page said in a dialog: {one}" for one in self.tab.said]
        self.tab.said.clear()
        head = [problem, *said] if self.mode == "fixed" else [problem]
        if self.mode == "fixed":
            head.append(f"Page: {self.shown(self.tab.page.url)}")
        return "\n".join([*filter(None, head), self._tab_bar(), "", tree.text])

    async def _look(self) -> Tree:
        tab = self.tab
        if tab.crashed:
            raise Hung("the page has crashed")
        if tab.page.url.startswith("chrome-error:"):
            places = ", ".join(self._names.values())
            return Tree(f"This page cannot be reached from here. What can be: {places}.", {})
        look = await tab.look()

        def number(node: AxNode) -> int:
            if self.mode == "compat":
                return node.backend if node.backend is not None else 0
            key = (tab.number, look.document, node.backend or node.key)
            return self._numbers.setdefault(key, len(self._numbers) + 1)

        window = None if self._whole else WINDOW
        tree = print_tree(look.nodes, window, self.mode, number, self._limit)
        if self.mode == "compat" or self._whole:
            return tree
        notes = [
            "(The page goes on above.)" if look.scrolled > 0 else "",
            tree.text,
            "(The page goes on below.)" if look.height - look.scrolled - WINDOW[1] > 1 else "",
        ]
        return Tree("\n".join(filter(None, notes)), tree.elements)

    def _tab_bar(self) -> str:
        return " | ".join(
            f"Tab {i}{' (current)' if i == self.current else ''}: {tab.title}"
            for i, tab in enumerate(self.tabs)
        )

    def shown(self, url: str) -> str:
        """A real address as the agent sees it."""
        if url.startswith("chrome-error:"):
            return "(not reached)"
        for real, name in self._names.items():
            if url.startswith(real):
                return name + url[len(real) :]
        return url

    def real(self, url: str) -> str:
        """The real address of one that the agent wrote.

        Raises:
            BadInput: It is not among those that can be reached.
        """
        url = url if "://" in url or url == "about:blank" else f"http://{url}"
        for real, name in sorted(self._names.items(), key=lambda pair: -len(pair[1])):
            if url == name or url.startswith((name + "/", name + "?", name + "#")):
                return real + url[len(name) :]
        with contextlib.suppress(ValueError, BadInput):
            if url == "about:blank" or place(url) in self._allowed:
                return url
        places = ", ".join(self._names.values())
        raise BadInput(f"{url} cannot be reached from here; what can be: {places}.")

    async def _do(self, action: Action) -> str:
        page = self.tab.page
        match action.verb:
            case "click" | "hover" | "type":
                node = self.seen.elements.get(action.element or 0)
                if node is None:
                    return NO_ELEMENT.format(action.element)
                return await elements.act(self.tab, action, node, self.mode) or ""
            case "press":
                return await elements.press(page, action.text)
            case "scroll":
                share = 1.0 if self.mode == "compat" else STEP
                sign = 1 if action.text == "down" else -1
                await page.evaluate(elements.SCROLL, [sign * share, self.mode == "fixed"])
            case "goto":
                try:
                    return await self.goto(self.real(action.text))
                except BadInput as error:
                    return str(error)
            case "go_back" | "go_forward":
                go = page.go_back if action.verb == "go_back" else page.go_forward
                with contextlib.suppress(Exception):  # what has loaded by then is taken as it is
                    await go(timeout=self.patience * 1000, wait_until="load")
            case "new_tab":
                if len(self.tabs) >= TABS:
                    return f"There are {TABS} tabs already; close one first."
                await self.new_tab()
            case "tab_focus":
                if not 0 <= action.tab < len(self.tabs):
                    return f"There is no tab {action.tab}; there are 0 to {len(self.tabs) - 1}."
                self.current = action.tab
                await self.tab.page.bring_to_front()
            case "close_tab":
                closed = self.tabs.pop(self.current)
                await closed.close()
                if not self.tabs:
                    await self.new_tab()
                self.current = len(self.tabs) - 1
        return ""

    async def _add(self, page: Page) -> Tab:
        self._made += 1
        tab = await Tab.open(
            self.context, page, self._made, accepts=self.mode == "fixed", asks=self._window
        )
        page.on("close", lambda _: self._closed(tab))
        self.tabs.append(tab)
        self.current = len(self.tabs) - 1
        return tab

    def _closed(self, tab: Tab) -> None:
        """A tab is gone; one that is closed on purpose was taken out before."""
        if tab in self.tabs:
            self.tabs.remove(tab)
            self.current = max(len(self.tabs) - 1, 0)

    def _opened(self, page: Page) -> None:
        """A page opened another one."""
        if self._mine:
            return

        async def take() -> None:
            with contextlib.suppress(Exception):  # it may be gone already
                if len(self.tabs) + len(self._opening) > TABS:
                    await page.close()
                else:
                    await self._add(page)

        self._wanted = max(self._wanted - 1, 0)
        self._came.set()

        task = asyncio.ensure_future(take())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def screenshot(self, *, small: bool = False, area: Area | None = None) -> bytes:
        """The window, or the area of it from its upper left, as a PNG or as a smaller JPEG."""
        clip: Any = area and {"x": 0, "y": 0, "width": area[0], "height": area[1]}
        kind: dict[str, Any] = {"type": "jpeg", "quality": QUALITY} if small else {"type": "png"}
        return await self.tab.page.screenshot(clip=clip, timeout=self.patience * 1000, **kind)

    async def close(self) -> None:
        """Close all tabs, and forget cookies and storage."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.context.close(), 5)


async def begin(
    browser: Shared,
    mode: Mode,
    names: Mapping[str, str],
    *,
    storage: Mapping[str, Any] | str | None = None,
    cookies: Any = (),
    geolocation: Mapping[str, float] | None = None,
    script: str = "",
    patience: float = 10.0,
    limit: int | None = None,
    whole: bool = False,
    pause: float = 0.0,
) -> Session:
    """Begin an episode with one empty tab; to be called in the browser's thread.

    Args:
        browser: The browser.
        mode: "fixed" or "compat".
        names: Addresses as the agent sees them, by the real ones; nothing else can be reached.
        storage: Cookies and local storage to begin with.
        cookies: Further cookies.
        geolocation: Where the browser claims to be.
        script: JavaScript that runs in every page before its own.
        patience: Seconds that a page may take.
        limit: Characters of an observation at most.
        whole: Whether all of a page is shown and not the window alone.
        pause: Seconds to wait after every action.
    """
    context = await browser.context(names, storage=storage, geolocation=geolocation)
    if cookies:
        await context.add_cookies(
            [{"name": c.name, "value": c.value, "url": c.url} for c in cookies]
        )
    if script:
        await context.add_init_script(script)
    made = Session(context, mode, names, patience=patience, limit=limit, whole=whole, pause=pause)
    await made.new_tab()
    return made
