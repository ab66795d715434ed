"""The browser of this process: Chromium, driven by Playwright in a thread of its own.

All worlds of a process share one browser; each episode has a context of its own in it, with its own
cookies and storage. The thread has its own event loop, so that worlds of any event loop can use it,
and the browser ends with the process: when its pipe closes, as it does if the process is killed,
so do the driver and Chromium.

A context can reach the hosts of its task and nothing else. The list is kept by the network stack of
the browser and not by a script: whatever is not on it is sent to a proxy that refuses it. So
redirects, frames, workers, web sockets and windows that a page opens are covered as well.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from collegium.errors import BadInput, missing_extra

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright

T = TypeVar("T")

VARIABLE = "COLLEGIUM_CHROMIUM"
"""Environment variable with the path of the browser."""

WINDOW = (1280, 720)
"""Width and height of a page."""

_KNOWN = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ENDING_SECONDS = 5.0
_FLAGS = (
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-site-isolation-trials",  # frames of a page in one tree
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-features=IsolateOrigins,site-per-process,Translate,OptimizationHints",
)


def executable() -> str | None:
    """The path of a browser on this machine; None: the one that Playwright keeps, if it does.

    Raises:
        BadInput: The one that the environment names is not there.
    """
    if named := os.environ.get(VARIABLE):
        if not os.path.exists(named):
            raise BadInput(f"{VARIABLE} names {named}, which is not there.")
        return named
    return next(filter(None, map(shutil.which, _KNOWN)), None)


def require_playwright() -> None:
    """Refuse to go on without Playwright.

    Raises:
        MissingExtra: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec("playwright") is None:
        raise missing_extra("web", "a web world")


class Shared:
    """One browser, its thread, and the address that refuses everything."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, daemon=True, name="collegium-browser"
        )
        self._thread.start()
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        # Bound, but nobody listens: connections are refused, and nobody else can take the port.
        self._refusing = socket.socket()
        self._refusing.bind(("127.0.0.1", 0))

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the browser's thread."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def context(
        self,
        addresses: Iterable[str],
        *,
        storage: Mapping[str, Any] | str | None = None,
        geolocation: Mapping[str, float] | None = None,
        window: tuple[int, int] = WINDOW,
    ) -> BrowserContext:
        """A new context; to be called in the browser's thread.

        Args:
            addresses: What it may reach: protocol, host and port of each count.
            storage: Cookies and local storage it begins with, or the path of a file with them.
            geolocation: Where it claims to be.
            window: Width and height of its pages.
        """
        browser = await self._started()
        port = self._refusing.getsockname()[1]
        options: dict[str, Any] = {"geolocation": geolocation, "permissions": ["geolocation"]}
        return await browser.new_context(
            proxy={"server": f"http://127.0.0.1:{port}", "bypass": ",".join(map(place, addresses))},
            viewport={"width": window[0], "height": window[1]},
            storage_state=storage,  # type: ignore[arg-type]
            accept_downloads=False,
            service_workers="block",
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
            color_scheme="light",
            **(options if geolocation else {}),
        )

    async def _started(self) -> Browser:
        async with self._starting:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            from playwright.async_api import Error, async_playwright

            if self._playwright is None:
                self._playwright = await async_playwright().start()
            root = getattr(os, "geteuid", lambda: 1)() == 0
            try:
                self._browser = await self._playwright.chromium.launch(
                    executable_path=executable(),
                    args=[*_FLAGS, *(["--no-sandbox"] if root else [])],
                    handle_sigint=False,
                    handle_sigterm=False,
                    handle_sighup=False,
                )
            except Error as error:
                reason = str(error).strip().partition("\n")[0]
                raise BadInput(
                    f"the browser could not be started ({reason}); install Chromium, or name it in "
                    f"{VARIABLE}."
                ) from None
            return self._browser

    def close(self) -> None:
        """End the browser, its driver and the thread."""
        if self._loop.is_closed():
            return

        async def end() -> None:
            if self._browser is not None:
                await self._browser.close()
            if self._playwright is not None:
                await self._playwright.stop()

        with contextlib.suppress(Exception):  # it is going anyway
            asyncio.run_coroutine_threadsafe(end(), self._loop).result(_ENDING_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ENDING_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()
        self._refusing.close()


_shared: tuple[int, Shared] | None = None
_making = threading.Lock()


def shared() -> Shared:
    """The browser of this process; a forked process has one of its own.

    Raises:
        MissingExtra: Playwright is not installed.
    """
    global _shared
    require_playwright()
    with _making:
        if _shared is None or _shared[0] != os.getpid():
            made = Shared()
            _shared = (os.getpid(), made)
            atexit.register(made.close)
        return _shared[1]


def place(address: str) -> str:
    """Host and port of an address.

    Raises:
        BadInput: It is no http address.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"{address!r} is no address like http://127.0.0.1:8001.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
