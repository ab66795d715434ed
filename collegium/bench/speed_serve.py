"""Measure what serving costs: many clients that stream at once, of our endpoint and beside it.

First a scripted model that answers at once, so that nothing but the server is measured: as many
streaming clients as asked for, all at the same time, each on a connection of its own. Beside it a
server of the same kind that does nothing but stream the same answer: no run, no trace, no account.
Then the embedded engine: the same requests to its own server and through our endpoint, whose every
request is a run with its trace; many at once, and one after the other, by turns. Every server is a
process of its own, and so is the engine behind each; the turns are taken anew with fresh pairs of
them, so that one engine's luck is not taken for overhead. Run it on a quiet machine with
``python -m collegium.bench.speed_serve``; it writes ``results/bench/serve.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import msgspec

from collegium.bench.machine import machine
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel
from collegium.models import LocalModel, ScriptedModel
from collegium.models.chat import chat_body
from collegium.systems.direct import direct
from collegium.tasks.task import Task

CLIENTS, ENGINE_CLIENTS = 1000, 16
TURNS = 60
"""Requests to each of two servers, by turns: nothing waits, so their difference is the overhead."""
ROUNDS = 5
"""Pairs of engines, one behind each server: what differs between engines is no overhead."""
MAX_TOKENS = 16
MODEL = "local-tiny"
QUESTION = "What is the capital of France?"
ANSWER = "Paris is the capital of France."
SCRIPT = f"def instant(request):\n    return {ANSWER!r}\n"

Body = dict[str, Any]


class Row(msgspec.Struct, frozen=True):
    """One server under one load.

    Attributes:
        name: The server.
        clients: Clients at the same time.
        seconds: From the first request to the end of the last reply.
        per_second: Replies per second.
        first_p50_ms: Median time to the first byte of a stream.
        first_p95_ms: Its 95th percentile.
        p50_ms: Median time to the end of a stream.
        p95_ms: Its 95th percentile.
    """

    name: str
    clients: int
    seconds: float
    per_second: float
    first_p50_ms: float
    first_p95_ms: float
    p50_ms: float
    p95_ms: float


def percentile(values: list[float], share: float) -> float:
    """A percentile of times in seconds, in milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


async def client(address: str, path: str, body: bytes, token: str) -> tuple[float, float]:
    """One client: connects, asks, reads the stream to its end.

    Returns:
        Seconds to the first byte and to the last.

    Raises:
        BadInput: The server did not answer with a whole stream.
    """
    parts = urlsplit(address)
    begin = perf_counter()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    received = await reader.read(65536)
    first = perf_counter() - begin
    while chunk := await reader.read(65536):
        received += chunk
    last = perf_counter() - begin
    writer.close()
    if (
        not received.startswith(b"HTTP/1.1 200")
        or b"data: [DONE]" not in received
        or b'"error"' in received
    ):
        said = received.partition(b"\r\n")[0].decode(errors="replace")
        raise BadInput(f"{address} did not stream a whole reply: {said or 'it closed'}.")
    return first, last


async def load(name: str, address: str, path: str, body: Body, clients: int, token: str) -> Row:
    """All clients at once.

    Args:
        name: Of the server.
        address: Of the server.
        path: Where to ask.
        body: What.
        clients: How many.
        token: Its key.
    """
    encoded = msgspec.json.encode(body)
    await client(address, path, encoded, token)  # what is made once is made now
    begin = perf_counter()
    took = await asyncio.gather(*(client(address, path, encoded, token) for _ in range(clients)))
    return row(name, clients, took, perf_counter() - begin)


Times = list[tuple[float, float]]
"""Seconds to the first byte and to the last, by request."""


async def by_turns(servers: list[tuple[str, str, Body, str]], path: str, turns: int) -> list[Times]:
    """One request after the other, each server in its turn.

    Args:
        servers: Name, address, body of the request, and key of each.
        path: Where to ask.
        turns: Requests to each.
    """
    took: list[Times] = [[] for _ in servers]
    for turn in range(-1, turns):
        for (_, address, body, token), times in zip(servers, took, strict=True):
            times.append(await client(address, path, msgspec.json.encode(body), token))
            if turn < 0:  # what is made once is made now
                times.clear()
    return took


def turned(name: str, times: Times) -> Row:
    """What a single client saw who came by turns."""
    return row(f"{name}, by turns", 1, times, sum(last for _, last in times))


def row(name: str, clients: int, took: Times, seconds: float) -> Row:
    """What clients saw.

    Args:
        name: Of the server.
        clients: How many at once.
        took: Time to the first byte and to the last, of every request.
        seconds: All of it.
    """
    firsts, lasts = [t[0] for t in took], [t[1] for t in took]
    return Row(
        name=name,
        clients=clients,
        seconds=round(seconds, 3),
        per_second=round(len(took) / seconds, 1),
        first_p50_ms=percentile(firsts, 0.5),
        first_p95_ms=percentile(firsts, 0.95),
        p50_ms=percentile(lasts, 0.5),
        p95_ms=percentile(lasts, 0.95),
    )


# -- the servers ----------------------------------------------------------------------------------


@contextmanager
def process(*arguments: str, home: Path) -> Iterator[str]:
    """A server in a process of its own; gives the address that it prints."""
    running = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLLEGIUM_HOME": str(home), "COLUMNS": "200"},
    )
    assert running.stderr is not None
    try:
        said = ""
        while "http://" not in said:
            if not (said := running.stderr.readline()):
                raise BadInput(f"the server {arguments[1]} did not start.")
        parts = urlsplit(said[said.index("http://") :].strip())
        yield f"http://{parts.netloc}"
    finally:
        running.terminate()
        running.wait(20)


@contextmanager
def endpoint(system: str, model: str, home: Path) -> Iterator[str]:
    """Our endpoint."""
    arguments = ("-m", "collegium.cli", "serve", system, "--model", model)
    with process(*arguments, "--protocol", "openai", "--port", "0", home=home) as address:
        yield address


def bare() -> None:
    """The server that only streams: what the same libraries do without us."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    from collegium.protocols.clients import Clients
    from collegium.protocols.serve import address_of, bind, serve
    from collegium.protocols.web import sse

    async def chat(request: Request) -> StreamingResponse:
        await request.json()

        async def chunks() -> AsyncIterator[bytes]:
            for text in ("", ANSWER, ""):
                yield sse({"choices": [{"index": 0, "delta": {"content": text}}]})
            yield b"data: [DONE]\n\n"

        return StreamingResponse(chunks(), media_type="text/event-stream")

    bound = bind("127.0.0.1", 0, Clients())
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    asyncio.run(
        serve(app, bound, on_ready=lambda: print(address_of(bound), file=sys.stderr, flush=True))
    )


@asynccontextmanager
async def engine(name: str) -> AsyncIterator[tuple[str, str]]:
    """The embedded engine's own server: address and key."""
    model = LocalModel(name, exact=False)
    started = await model.engine()
    try:
        yield started.address, started.token
    finally:
        await model.aclose()


async def engine_body() -> Body:
    """What our system asks the engine, as its own server wants to be asked."""
    asked: list[Generate] = []

    def note(request: Generate) -> str:
        asked.append(request)
        return ANSWER

    kernel = Kernel(ScriptedModel(note))
    await direct(Task(id="t", prompt=QUESTION), kernel, max_tokens=MAX_TOKENS)
    return chat_body(asked[0], n=1, seed=None, stream=True)


async def instant(clients: int, path: str, home: Path) -> list[Row]:
    """Our endpoint with a scripted model, and the bare server: all at once, then by turns."""
    script = home / "instant.py"
    script.write_text(SCRIPT)
    body: Body = asked_of("direct")
    with (
        endpoint("direct", f"script:{script}:instant", home) as mine,
        process("-m", "collegium.bench.speed_serve", "--bare", home=home) as bare_one,
    ):
        pair = [("ours, scripted model", mine, body, ""), ("bare server", bare_one, body, "")]
        rows = [await load(name, at, path, asked, clients, key) for name, at, asked, key in pair]
        took = await by_turns(pair, path, TURNS)
        return rows + [turned(name, times) for (name, *_), times in zip(pair, took, strict=True)]


async def engines(
    clients: int, path: str, home: Path, model: str, rounds: int
) -> tuple[list[Row], list[float]]:
    """Our endpoint with the embedded engine, and the engine's own server.

    Returns:
        Rows, and by pair of engines, by how many milliseconds our median is the longer one.
    """
    system = f"direct:max_tokens={MAX_TOKENS}"
    rows: list[Row] = []
    names = f"ours, {model}", f"the engine's own server, {model}"
    every: list[Times] = [[], []]
    overheads: list[float] = []
    for number in range(rounds):
        async with engine(model) as (own, token):
            with endpoint(system, model, home) as address:
                pair = [
                    (names[0], address, asked_of(system), ""),
                    (names[1], own, await engine_body(), token),
                ]
                if number == 0:
                    for name, at, asked, key in pair:
                        rows.append(await load(name, at, path, asked, clients, key))
                took = await by_turns(pair, path, TURNS)
        mine, other = ([last for _, last in times] for times in took)
        overheads.append(round(percentile(mine, 0.5) - percentile(other, 0.5), 2))
        for times, found in zip(every, took, strict=True):
            times += found
    return rows + [turned(n, times) for n, times in zip(names, every, strict=True)], overheads


def asked_of(system: str) -> Body:
    """The request to our endpoint."""
    return {
        "model": f"collegium/{system}",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": True,
    }


async def measure(
    clients: int, engine_clients: int, model: str | None, rounds: int = ROUNDS
) -> tuple[list[Row], list[float]]:
    """All servers.

    Args:
        clients: Clients of the scripted model at once.
        engine_clients: Clients of the engine at once.
        model: The embedded model; None leaves the engine out.
        rounds: Pairs of engines.

    Returns:
        Rows, and what :func:`engines` says of each pair.
    """
    path = "/v1/chat/completions"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = await instant(clients, path, home)
        if model is None:
            return rows, []
        more, overheads = await engines(engine_clients, path, home, model, rounds)
        return rows + more, overheads


def ratios(rows: list[Row]) -> dict[str, float]:
    """Ours to what stands beside it: how many times the replies per second, and the time.

    ``overhead_ms`` is the difference of the medians of a single client, for whom nothing waits.
    """
    found: dict[str, float] = {}
    names = "bare", "bare_by_turns", "engine", "engine_by_turns"
    for mine, other, name in zip(rows[::2], rows[1::2], names, strict=False):
        found[f"per_second_to_{name}"] = round(mine.per_second / other.per_second, 3)
        found[f"p50_to_{name}"] = round(mine.p50_ms / other.p50_ms, 3)
        found[f"p95_to_{name}"] = round(mine.p95_ms / other.p95_ms, 3)
        if mine.clients == 1:
            found[f"overhead_ms_{name}"] = round(mine.p50_ms - other.p50_ms, 2)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--engine-clients", type=int, default=ENGINE_CLIENTS)
    parser.add_argument("--model", default=MODEL, help="the embedded model; 'none' leaves it out")
    parser.add_argument("--out", type=Path, default=Path("results/bench/serve.json"))
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.bare:
        bare()
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * options.clients + 256
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    model = None if options.model == "none" else options.model
    rows, overheads = asyncio.run(measure(options.clients, options.engine_clients, model))
    result = {
        "command": "python -m collegium.bench.speed_serve",
        "machine": machine(),
        "rows": rows,
        "ratios": ratios(rows),
        "overhead_ms_engine": {
            "by_pair": overheads,
            "median": round(statistics.median(overheads), 2) if overheads else None,
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    for row in rows:
        print(f"{row.name:40} {row.clients:5} clients {row.per_second:9.1f}/s", end="")
        print(f"  p50 {row.p50_ms:8.1f} ms  p95 {row.p95_ms:8.1f} ms")
    print(result["ratios"])
    print("longer than the engine's own server, ms, by pair of engines:", overheads)


if __name__ == "__main__":
    main()
