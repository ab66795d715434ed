"""Requests over HTTP to an engine's own server, which is a process beside ours.

Every request has a connection of its own: on the loopback it costs next to nothing, a dropped one
tells the engine to stop, and none is left behind when an event loop ends. The reply comes in
pieces of a token each, and what is done for one piece takes its time from the engine's threads;
that is why this is aiohttp, whose parser is compiled, and not the client that is used elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from collegium.errors import Transient, missing_extra

if TYPE_CHECKING:
    import aiohttp

    from collegium.models.engine import Engine

_CONNECT_SECONDS = 10.0
_MOST_BYTES = 1 << 14
_DYING_SECONDS = 1.0


@contextlib.asynccontextmanager
async def asking(
    engine: Engine, name: str, method: Literal["GET", "POST"], path: str, body: Any = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Put a request to an engine; gives the reply while it still comes in.

    Args:
        engine: The engine.
        name: Of its model, for errors.
        method: GET or POST.
        path: What is asked for, from the root.
        body: Sent as JSON; None: nothing.

    Raises:
        Transient: The connection was lost; it says what became of the engine.
        MissingExtra: aiohttp is not installed.
    """
    try:
        import aiohttp
    except ImportError:
        raise missing_extra("local", "an embedded model") from None
    headers = {"Authorization": f"Bearer {engine.token}", "Content-Type": "application/json"}
    data = None if body is None else msgspec.json.encode(body)
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # no proxy between us and our own process
            ) as session,
            session.request(
                method, f"{engine.address}{path}", data=data, headers=headers
            ) as response,
        ):
            yield response
    except aiohttp.ClientError as error:
        # a dying process closes its connections a little before it is gone
        ended = await asyncio.to_thread(engine.ends_within, _DYING_SECONDS)
        state = "its process ended" if ended else "the connection broke off"
        raise Transient(
            f"the embedded engine of {name!r} failed ({state}: "
            f"{engine.last_words(type(error).__name__)}); it starts again with the next request"
        ) from error


async def asked(
    engine: Engine, name: str, method: Literal["GET", "POST"], path: str, body: Any = None
) -> tuple[int, Any]:
    """Put a request to an engine and take the whole reply: its status, and its JSON.

    Raises:
        Transient: The connection was lost.
    """
    async with asking(engine, name, method, path, body) as response:
        return response.status, msgspec.json.decode(await response.read())


async def pieces(response: aiohttp.ClientResponse, every: float | None) -> AsyncIterator[bytes]:
    """The body of a reply as it comes, in pieces that are worth waking up for.

    A small model writes a token in a few milliseconds on all the machine's cores, and whoever wakes
    up for it stops one of them. So the system is told how many bytes must be there before it wakes
    us (SO_RCVLOWAT); the end of a reply always does.

    Args:
        response: Of an engine, its connection to be closed at the end of the reply.
        every: Seconds between pieces, as far as the rate of the stream tells; None: nobody waits
            for them. The first piece comes at once.
    """
    link = response.connection
    held = link.transport.get_extra_info("socket") if link and link.transport else None
    begin, seen = 0.0, 0
    async for chunk in response.content.iter_any():
        yield chunk
        now, seen = monotonic(), seen + len(chunk)
        if held is None or response.content.at_eof():
            continue
        if every is None:
            wanted = _MOST_BYTES
        elif begin:
            wanted = min(int(every * seen / (now - begin)), _MOST_BYTES)
        else:  # one token tells nothing about the rate
            begin, seen, wanted = now, 0, 1
        with contextlib.suppress(OSError):  # it was closed; the rest has been received
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, max(1, wanted))
