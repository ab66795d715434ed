"""The application: our pages on NiceGUI, behind the gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from collegium.errors import CollegiumError, missing_extra
from collegium.studio.state import Studio

STATIC = Path(__file__).with_name("static")

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="8" fill="#0f766e"/>'
    '<g fill="#fff"><circle cx="16" cy="9" r="3.4"/><circle cx="8.5" cy="22" r="3.4"/>'
    '<circle cx="23.5" cy="22" r="3.4"/></g>'
    '<path d="M16 9 8.5 22h15z" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)
"""The icon of the pages."""

FILES = (
    "vue.esm-browser.prod.js",
    "quasar.umd.prod.js",
    "quasar.unimportant.prod.css",
    "quasar.important.prod.css",
    "socket.io.min.js",
    "dompurify.mjs",
    "nicegui.js",
    "nicegui.css",
)
"""The large files of NiceGUI that every page loads."""


def studio_app(studio: Studio, *, host: str = "127.0.0.1") -> Any:
    """The ASGI application; one in each process, for NiceGUI holds its pages globally.

    Args:
        studio: What the pages share. Its jobs end with the application.
        host: What the server is bound to.

    Raises:
        MissingExtra: NiceGUI is not installed.
    """
    try:
        from fastapi import FastAPI
        from fastapi.staticfiles import StaticFiles
        from nicegui import app as nicegui_app
        from nicegui import ui
    except ImportError:
        raise missing_extra("studio", "the studio") from None
    from collegium.studio.frame import frame, tell
    from collegium.studio.gate import Gate
    from collegium.studio.library import cards
    from collegium.studio.packing import Packing
    from collegium.studio.pages import PAGES
    from collegium.studio.safe import tag

    async def warm_up() -> None:
        """Read the papers and their vectors before the first page asks for them."""
        await asyncio.to_thread(cards)
        await asyncio.to_thread(packing.prepare, _files())
        with suppress(CollegiumError):  # without the weights pages search by words, and say so
            await studio.meaning.prepare()

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        studio.jobs.start("warm up", warm_up())
        try:
            yield
        finally:
            await studio.jobs.aclose()

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.mount("/_studio", StaticFiles(directory=STATIC))
    for page in PAGES:
        page.register(studio)

    def broken(error: Exception) -> None:
        with frame("Something went wrong"):
            tag("h1", "Something went wrong")
            tag("a", "Back to the papers", href="/")
            tell(error)

    nicegui_app.on_page_exception(broken)
    ui.add_head_html(_head(), shared=True)
    ui.run_with(
        app,
        title="collegium",
        favicon=MARK,
        dark=None,
        language="en-US",
        tailwind=False,
        gzip_middleware_factory=None,  # ours, around the nonce
        reconnect_timeout=10.0,
        binding_refresh_interval=None,  # pages bind nothing
        show_welcome_message=False,
    )
    packing = Packing(Gate(app, studio.token, host=host))
    return packing


def _files() -> dict[str, Path]:
    """The large files of NiceGUI by address."""
    import nicegui

    folder = Path(nicegui.__file__).parent / "static"
    return {f"/_nicegui/{nicegui.__version__}/static/{name}": folder / name for name in FILES}


def _head() -> str:
    """Our style and script, at addresses that change with what they hold."""
    css, js = (
        f"/_studio/{name}?{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
        for name in ("studio.css", "studio.js")
    )
    return f'<link rel="stylesheet" href="{css}"><script defer src="{js}"></script>'
