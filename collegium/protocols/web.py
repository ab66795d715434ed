"""What all protocols over HTTP share: who may come in, how much may be sent, how errors leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

import msgspec

from collegium.errors import (
    BadInput,
    CollegiumError,
    Denied,
    LimitReached,
    ModelError,
    UnknownName,
    missing_extra,
)
from collegium.hosts import foreign_name
from collegium.protocols.clients import Client, Clients, QuotaExceeded, Unauthorised
from collegium.protocols.hub import Busy, log_bug
from collegium.protocols.messages import RUN_HEADER
from collegium.protocols.running import Running

try:
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError:
    raise missing_extra("serve", "a server") from None

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 1 << 20
"""Bytes that a request may have."""

KEEP_ALIVE = 15.0
"""Seconds of silence after which a stream shows that it is still there."""

GONE = "the client disconnected; the run was stopped"


class TooLarge(CollegiumError):
    """A request has more bytes than the server takes."""


STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorised, 401),
    (QuotaExceeded, 429),
    (TooLarge, 413),
    (Busy, 503),
    (UnknownName, 404),
    (Denied, 403),
    (LimitReached, 429),
    (BadInput, 400),
    (ModelError, 502),
)
"""The HTTP status of each kind of error; the first that fits."""


def status_of(error: Exception) -> int:
    """The HTTP status that says what went wrong."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def sentence_of(error: Exception) -> str:
    """What a client is told of an error: its sentence, or nothing about the inside of a bug."""
    if isinstance(error, CollegiumError):
        return " ".join(str(error).split())
    log_bug(error)
    return "something went wrong inside the server."


class Json(Response):
    """A reply in JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write it."""
        return msgspec.json.encode(content)


class Gate:
    """Stands before every protocol: checks who comes, the host meant, and how much is sent.

    Args:
        app: What is behind it.
        clients: Who may come.
        loopback: Whether the server listens on this machine alone. Then a web page that a browser
            here has open must not reach it under another name.
        open_paths: Paths that anybody may read (a public description), or that check who comes
            themselves.
        most: Bytes that a request may have.
    """

    def __init__(
        self,
        app: Any,
        clients: Clients,
        *,
        loopback: bool,
        open_paths: Collection[str] = (),
        most: int = MOST_BYTES,
    ) -> None:
        self._app, self._clients, self._loopback = app, clients, loopback
        self._open, self._most = tuple(open_paths), most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        try:
            self._check_names(headers)
            if not any(scope["path"].startswith(p) for p in self._open):
                scheme, _, token = headers.get("authorization", "").partition(" ")
                client = self._clients.by_token(token.strip() if scheme.lower() == "bearer" else "")
                scope.setdefault("state", {})["client"] = client
            await self._app(scope, self._measured(headers, receive), noted)
        except Exception as error:
            if not started:
                await refusal(error)(scope, receive, send)
            elif not isinstance(error, CollegiumError):
                sentence_of(error)

    def _check_names(self, headers: Mapping[str, str]) -> None:
        """Refuse a page of another site that talks to this machine through a browser here."""
        if not self._loopback or self._clients.wants_token:
            return
        if name := foreign_name(headers):
            raise Denied(f"this server answers on this machine alone, not as {name!r}.")

    def _measured(self, headers: Mapping[str, str], receive: Receive) -> Receive:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most:
            raise self._too_large()
        seen = 0

        async def measured() -> MutableMapping[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise self._too_large()
            return message

        return measured

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a request may have {self._most:,} bytes at most.")


def refusal(error: Exception) -> Json:
    """An error as a reply; the shape is what clients of several protocols understand."""
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorised) else None
    return _told(status_of(error), sentence_of(error), headers)


async def unanswered(_: Request, error: Exception) -> Json:
    """The reply where no route is, or none for the method."""
    assert isinstance(error, HTTPException)
    message = {404: "there is nothing here.", 405: "this cannot be done here by that method."}
    return _told(
        error.status_code, message.get(error.status_code, error.detail), dict(error.headers or {})
    )


def _told(status: int, message: str, headers: Mapping[str, str] | None) -> Json:
    kind = {401: "authentication_error", 429: "insufficient_quota", 404: "not_found"}.get(
        status, "server_error" if status >= 500 else "invalid_request_error"
    )
    body = {
        "error": {"message": message, "type": kind, "param": None, "code": kind},
        "code": "not_found" if status == 404 else "invalid_input" if status < 500 else kind,
        "message": message,
    }
    return Json(body, status_code=status, headers=headers)


def answering(
    endpoint: Callable[[Request], Awaitable[Any]], told: Callable[[Exception], Response]
) -> Callable[[Request], Awaitable[Any]]:
    """An endpoint whose errors leave in the shape of its protocol.

    Args:
        endpoint: Answers a request.
        told: Makes a reply of an error.
    """

    async def answer(request: Request) -> Any:
        try:
            return await endpoint(request)
        except Exception as error:
            return told(error)

    return answer


def client_of(request: Request) -> Client:
    """Who makes a request."""
    return request.scope["state"]["client"]


def parent_of(request: Request) -> str:
    """The run that a request is made for, as its client says; "" when it does not."""
    return request.headers.get(RUN_HEADER, "")[:80]


async def body_as(request: Request, kind: Any) -> Any:
    """The body of a request as a type.

    Raises:
        BadInput: It is not JSON, or not of this type.
    """
    body = await request.body()
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BadInput(f"the body of the request is not what it must be: {error}.") from None


async def settled(request: Request, running: Running) -> Running:
    """Wait for a run; stop it when its client goes away."""
    done = asyncio.ensure_future(running.settled())
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            await running.stop(GONE)
        return await done
    finally:
        done.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream:
    """A reply that is a stream of server-sent events.

    Args:
        chunks: The events, as they are written on the wire.
        running: The run they tell of: it is stopped when the client goes away. None: it goes on.
        headers: Further headers.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        running: Running | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._chunks, self._running = chunks, running
        self._headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-store",
            **(headers or {}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the stream to its end, or until the client goes away."""
        encoded = [(k.encode(), v.encode("latin-1")) for k, v in self._headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        watch = asyncio.ensure_future(self._watch(receive))
        beat = asyncio.ensure_future(_beat(send))
        whole = False
        try:
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            whole = True
        finally:
            for task in (watch, beat):
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await task
            if self._running is not None and not whole:
                await self._running.stop(GONE)

    async def _watch(self, receive: Receive) -> None:
        await _gone(receive)
        if self._running is not None:
            await self._running.stop(GONE)


async def _beat(send: Send) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE)
        await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})


def sse(data: Any, event: str = "") -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + msgspec.json.encode(data) + b"\n\n"
