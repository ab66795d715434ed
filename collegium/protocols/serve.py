"""The server: protocols on one port, behind one gate."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, missing_extra
from collegium.hosts import is_loopback
from collegium.kernel.store import default_path
from collegium.protocols.clients import Clients
from collegium.protocols.hub import Hub
from collegium.protocols.openapi import PATH as OPENAPI
from collegium.protocols.openapi import describe
from collegium.protocols.web import MOST_BYTES, Gate, Json, unanswered

PAPER = "interop"

Protocol = Literal["openai", "mcp", "a2a", "acp", "anp"]

PROTOCOLS: tuple[Protocol, ...] = ("openai", "mcp", "a2a", "acp", "anp")

BACKLOG = 2048
"""Connections that may wait to be accepted."""

END_SECONDS = 3
"""How long connections may go on when the server is stopped."""


class Mounted(msgspec.Struct, frozen=True):
    """A protocol as part of the server.

    Attributes:
        routes: Its routes.
        open_paths: Paths that anybody may read, or that check who comes themselves.
        lifespan: Runs as long as the server does.
    """

    routes: list[Any]
    open_paths: tuple[str, ...] = ()
    lifespan: Callable[[], Any] | None = None


def application(
    hub: Hub,
    protocols: Sequence[Protocol],
    *,
    clients: Clients,
    host: str,
    address: str,
    allowed: Collection[str] = (),
    resolved: Mapping[str, str] | None = None,
    most: int = MOST_BYTES,
) -> Any:
    """The ASGI application.

    Args:
        hub: Starts the runs.
        protocols: What to speak.
        clients: Who may come.
        host: What the server is bound to.
        address: How others reach it, such as ``http://127.0.0.1:8400``.
        allowed: Hosts from which content that a message points to is fetched, and which may be
            told of what happens in a task.
        resolved: Addresses to be used in place of hosts of decentralised identifiers.
        most: Bytes that a request may have.

    Raises:
        MissingExtra: A library is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route
    except ImportError:
        raise missing_extra("serve", "a server") from None
    mounted = [_mount(name, hub, clients, address, allowed, resolved or {}) for name in protocols]

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in mounted:
                if part.lifespan is not None:
                    await stack.enter_async_context(part.lifespan())
            yield
            await hub.aclose()

    async def health(_: Any) -> Any:
        return Json({"status": "ok", "protocols": list(protocols), "systems": list(hub.systems)})

    description = describe(protocols, address, secured=clients.wants_token)

    async def described(_: Any) -> Any:
        return Json(description)

    app = Starlette(
        routes=[
            Route("/health", health),
            Route(OPENAPI, described),
            *(r for part in mounted for r in part.routes),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: unanswered},
    )
    return Gate(
        app,
        clients,
        loopback=is_loopback(host),
        open_paths=("/health", OPENAPI, *(p for part in mounted for p in part.open_paths)),
        most=most,
    )


def _mount(
    name: Protocol,
    hub: Hub,
    clients: Clients,
    address: str,
    allowed: Collection[str],
    resolved: Mapping[str, str],
) -> Mounted:
    """One protocol's part; its libraries are imported here."""
    try:
        return _part(name, hub, clients, address, allowed, resolved)
    except ImportError as error:
        if (error.name or "").startswith("collegium"):
            raise
        raise missing_extra("serve", f"speaking {name.upper()}") from None


def _part(
    name: Protocol,
    hub: Hub,
    clients: Clients,
    address: str,
    allowed: Collection[str],
    resolved: Mapping[str, str],
) -> Mounted:
    if name == "openai":
        from collegium.protocols.openai_server import routes

        return Mounted(routes(hub))
    if name == "mcp":
        from collegium.protocols import mcp_server

        return mcp_server.mount(hub, clients)
    from collegium.protocols.urls import Allowed

    if name == "a2a":
        from collegium.protocols import a2a_server
        from collegium.protocols.signing import server_key

        return a2a_server.mount(hub, clients, address, Allowed(allowed), server_key(key_file()))
    if name == "acp":
        from collegium.protocols import acp_server

        return Mounted(acp_server.routes(hub, Allowed(allowed)))
    if name == "anp":
        from collegium.protocols import anp_server
        from collegium.protocols.did import Resolver
        from collegium.protocols.signing import server_key

        key = server_key(key_file())
        return Mounted(
            anp_server.routes(hub, clients, address, key, Resolver(resolved)),
            open_paths=(
                anp_server.DOCUMENT,
                anp_server.DESCRIPTION,
                anp_server.INTERFACE,
                anp_server.RPC,  # checks who comes itself: a token here is proof of an identifier
            ),
        )
    raise BadInput(f"unknown protocol {name!r}.")


def key_file() -> Path:
    """Where the server's own key is kept: beside the run store."""
    return default_path().with_name("server-key.pem")


def bind(host: str, port: int, clients: Clients) -> socket.socket:
    """A listening socket; refuses to open a door to others that nobody guards.

    Raises:
        BadInput: Others could reach the server without a token, or the address cannot be used.
    """
    if not is_loopback(host) and not clients.wants_token:
        raise BadInput(
            f"{host} can be reached from other machines, so a token is required: write one into a "
            "file and give it with --token-file FILE, or stay on 127.0.0.1."
        )
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, asyncio sends small pieces at once, instead of 40 ms later.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        raise BadInput(f"cannot listen on {host}:{port}: {error.strerror or error}.") from None
    bound.setblocking(False)
    return bound


def address_of(bound: socket.socket) -> str:
    """How the owner of a socket is reached on this machine."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: Any, bound: socket.socket, *, on_ready: Callable[[], None] | None = None
) -> None:
    """Serve until the task is cancelled or a signal comes.

    Args:
        app: The application.
        bound: Where to listen.
        on_ready: Called once requests are answered.
    """
    try:
        import uvicorn
    except ImportError:
        raise missing_extra("serve", "a server") from None
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=END_SECONDS,
        server_header=False,
    )
    server = uvicorn.Server(config)
    start = server.startup

    async def started(sockets: list[socket.socket] | None = None) -> None:
        await start(sockets)
        if server.started and on_ready is not None:
            on_ready()

    server.startup = started
    work = asyncio.ensure_future(server.serve(sockets=[bound]))
    try:
        await asyncio.wait({work})
        work.result()
    finally:
        server.should_exit = True
        if not work.done():
            await asyncio.wait({work}, timeout=END_SECONDS + 2)


@asynccontextmanager
async def serving(app_at: Callable[[str], Any], *, port: int = 0) -> AsyncIterator[str]:
    """A server on this machine for as long as the block lasts; gives its address.

    Args:
        app_at: Makes the application, told the address.
        port: Where; 0 takes a free one.
    """
    bound = bind("127.0.0.1", port, Clients())
    address = address_of(bound)
    ready = asyncio.Event()
    work = asyncio.create_task(serve(app_at(address), bound, on_ready=ready.set))
    try:
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if work.done():
            work.result()
        yield address
    finally:
        work.cancel()
        await asyncio.wait({work})
