"""The HTTP side of a world server: its routes, who may come in, and running it."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import BadInput, CollegiumError, missing_extra
from collegium.hosts import foreign_name, is_loopback
from collegium.worlds.server import Refused, ServeLimits, WorldServer
from collegium.worlds.text import Kind

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

LEAST_TOKEN = 16
"""Fewest characters of a token: a shorter one can be guessed."""

BODY = 1_000_000
"""Bytes of a request that are read."""


def world_app(server: WorldServer, *, token: str | None = None) -> Starlette:
    """The HTTP application of a server.

    Args:
        server: What is served.
        token: Asked for as ``Authorization: Bearer TOKEN``; None: nobody is asked, and it answers
            to names of this machine alone, so that no web page that is open here can reach it.

    Raises:
        MissingExtra: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import Response
        from starlette.routing import Route
    except ImportError:
        raise missing_extra("worlds", "serving a world") from None

    def answer(status: int, content: Any) -> Response:
        return Response(msgspec.json.encode(content), status, media_type="application/json")

    def route(work: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answered(request: Request) -> Response:
            try:
                admit(request.headers, token)
                return answer(200, await work(request))
            except Refused as refusal:
                server.metrics.refused += refusal.status < 500
                return answer(refusal.status, {"error": str(refusal)})
            except CollegiumError as error:
                server.metrics.refused += 1
                return answer(422, {"error": str(error)})

        return answered

    def post(work: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Any]:
        async def posted(request: Request) -> Any:
            return await work(await read_body(request))

        return route(posted)

    def get(work: Callable[[Any], Any]) -> Callable[[Request], Any]:
        async def got(request: Request) -> Any:
            text = request.query_params.get("id", "")
            return work(int(text) if text.isascii() and text.isdigit() else text)

        return route(got)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette):
        sweeping = asyncio.create_task(sweep(server))
        yield
        sweeping.cancel()
        await server.shut()

    return Starlette(
        routes=[
            Route("/", get(lambda number: server.about())),
            Route("/metrics", get(lambda number: server.counted())),
            Route("/create", post(server.create), methods=["POST"]),
            Route("/step", post(server.step), methods=["POST"]),
            Route("/reset", post(server.reset), methods=["POST"]),
            Route("/close", post(server.close), methods=["POST"]),
            Route("/observation", get(server.observation)),
            Route("/available_actions", get(server.available_actions)),
        ],
        lifespan=lifespan,
    )


def admit(headers: Mapping[str, str], token: str | None) -> None:
    """Let a request in, or say why not.

    Args:
        headers: Of the request.
        token: What has to be known; None: the names it uses must mean this machine.

    Raises:
        Refused: The token is wrong, or a name is another machine's.
    """
    if token is None:
        if name := foreign_name(headers):
            raise Refused(403, f"this server answers on this machine alone, not as {name!r}.")
        return
    given = headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise Refused(401, "this server asks for its token (Authorization: Bearer).")


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; nothing at all is an empty one.

    Raises:
        Refused: It is too long, or not a JSON object.
    """
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > BODY:
            raise Refused(413, f"a request holds at most {BODY} bytes.")
    if not raw:
        return {}
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Refused(400, f"the body must be a JSON object ({error}).") from None


async def sweep(server: WorldServer) -> None:
    """Close idle worlds from time to time, also when nobody asks for new ones."""
    while True:
        await asyncio.sleep(max(0.1, server.limits.idle / 4))
        await server.expire()


def require_token(host: str, token: str | None) -> None:
    """Refuse to listen where others can reach it without a token.

    Raises:
        BadInput: There is none.
    """
    if not is_loopback(host) and not token:
        raise BadInput(
            f"listening on {host} lets others in, so a token is needed: write one into a file and "
            "give it with --token-file FILE, or listen on 127.0.0.1."
        )


def read_token(file: Path) -> str:
    """The token in a file, alone on a line; ``#`` begins a comment.

    A token on the command line could be read by everybody on the machine.

    Raises:
        BadInput: The file cannot be read, or does not hold one token that is long enough.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read the token file {file}: {reason}.") from None
    words = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    if len(words) != 1:
        raise BadInput(f"{file} must hold one token, and it holds {len(words)}.")
    if len(words[0]) < LEAST_TOKEN:
        raise BadInput(
            f"the token in {file} is shorter than {LEAST_TOKEN} characters and could be guessed."
        )
    return words[0]


async def serve(
    kind: Kind,
    *,
    split: str = "test",
    host: str = "127.0.0.1",
    port: int = 8008,
    token: str | None = None,
    limits: ServeLimits = ServeLimits(),
    on_start: Callable[[int], None] | None = None,
) -> None:
    """Serve a kind of worlds until it is stopped.

    Args:
        kind: What is served.
        split: Which tasks.
        host: Where to listen.
        port: On which port; 0: any free one.
        token: What others have to know.
        limits: How much it bears.
        on_start: Called with the port once it listens.

    Raises:
        BadInput: The host is not this machine and there is no token, or the port is taken.
        MissingExtra: Starlette or uvicorn is not installed.
    """
    require_token(host, token)
    try:
        import uvicorn
    except ImportError:
        raise missing_extra("worlds", "serving a world") from None
    import socket

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
        # Answers are written in two pieces; the second would wait for the first to be confirmed.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise BadInput(f"cannot listen on {host}:{port}: {error.strerror or error}.") from None
    app = world_app(WorldServer(kind, split, limits), token=token)
    config = uvicorn.Config(app, log_level="warning", lifespan="on")
    running = uvicorn.Server(config)
    if on_start is not None:
        on_start(listening.getsockname()[1])
    work = asyncio.ensure_future(running.serve(sockets=[listening]))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        running.should_exit = True  # so that it ends as it would by a signal
        await work
        raise
