"""Who understands whom: every client against every server, run on real sockets.

The servers are ours and those of the official packages; so are the clients. What they do is what
the protocols are for: describe, call, stream, cancel, name the trace, and turn a stranger away.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from collegium import __version__
from collegium.api import arun
from collegium.errors import missing_extra
from collegium.kernel import RunStore
from collegium.kernel.trace import current_run
from collegium.protocols.caller import Caller
from collegium.protocols.callers import open_caller
from collegium.protocols.clients import Clients
from collegium.protocols.hub import Hub
from collegium.protocols.messages import said
from collegium.protocols.official import official_clients, official_servers
from collegium.protocols.serve import PROTOCOLS, application, serving

MEANINGS = {
    "describe": "what an agent says of itself is read",
    "call": "an answer comes back, byte for byte",
    "stream": "something comes before the answer",
    "cancel": "the run over there ends within a second, and its trace says so",
    "trace": "the run over there names the one here",
    "stranger": "without the token the status is 401, and no run begins",
}
"""What each check makes sure of."""

FEATURES = tuple(MEANINGS)

ASKED, SAID = "gamma beta alpha", "ALPHA BETA GAMMA"

PLACES = {"openai": "/v1", "mcp": "/mcp", "a2a": "", "acp": "", "anp": ""}

SECONDS = 20.0
"""How long one check may take."""

SCRIPT = """
import asyncio


async def words(request):
    text = request.messages[-1].text.split("\\n")[0]
    if text.startswith("sleep"):
        await asyncio.sleep(30)
    return " ".join(reversed(text.upper().split()))
"""

Check = Callable[[], Awaitable[None]]


class Skipped(Exception):
    """The pair has no such feature; says why."""


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one feature.

    Attributes:
        passed: None: there is no such thing between these two.
        note: Why not.
        milliseconds: How long it took; of calls, the median.
        slowest: Of calls, the 95th percentile.
    """

    passed: bool | None
    note: str = ""
    milliseconds: float = 0.0
    slowest: float = 0.0


class Row(msgspec.Struct, frozen=True):
    """A client against a server."""

    protocol: str
    client: str
    server: str
    cells: dict[str, Cell]


class Matrix(msgspec.Struct, frozen=True):
    """All pairs.

    Attributes:
        rows: The pairs.
        direct: Milliseconds of the same run without any protocol, the median.
        rounds: How often each call was made.
        version: Of this package.
    """

    rows: tuple[Row, ...]
    direct: float
    rounds: int
    version: str


class Ground(msgspec.Struct, frozen=True):
    """Our server, and what lies behind it.

    Attributes:
        address: Where it answers.
        guarded: Where one answers that wants a token.
        store: Its runs.
        model: Name of the scripted model.
    """

    address: str
    guarded: str
    store: RunStore
    model: str


async def matrix(rounds: int = 5, agents: Sequence[str] = ()) -> Matrix:
    """Run every pair.

    Args:
        rounds: How often each call is made.
        agents: Further agents, by name (``acp:http://host#agent``): our client is run against
            them, and any answer will do.

    Raises:
        MissingExtra: A library is not installed.
    """
    try:
        import a2a.server  # noqa: F401
        import mcp  # noqa: F401
    except ImportError:
        raise missing_extra("serve", "speaking to the official packages") from None
    rows: list[Row] = []
    async with ground() as here, AsyncExitStack() as stack:
        for protocol in PROTOCOLS:
            name = f"{protocol}:{here.address}{PLACES[protocol]}"
            rows.append(await _ours(protocol, "collegium", name, here, rounds))
        for protocol, client in official_clients(here).items():
            cells = {f: await _cell(client.get(f), rounds if f == "call" else 1) for f in FEATURES}
            rows.append(Row(protocol, "official package", "collegium", cells))
        for protocol, server in official_servers().items():
            address = await stack.enter_async_context(server)
            name = f"{protocol}:{address}"
            rows.append(await _ours(protocol, "official package", name, None, rounds))
        for name in agents:
            protocol, _, where = name.partition(":")
            rows.append(await _ours(protocol, where, name, None, rounds, exact=False))
        direct = await _direct(here, rounds)
    return Matrix(tuple(rows), direct, rounds, __version__)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Our server on this machine, with a scripted model, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "words.py"
        script.write_text(SCRIPT)
        model = f"script:{script}:words"
        store = RunStore(Path(folder) / "runs.db")
        hub = Hub(["direct"], model=model, store=store)

        def made(clients: Clients) -> Callable[[str], Any]:
            return lambda address: application(
                hub, PROTOCOLS, clients=clients, host="127.0.0.1", address=address
            )

        token = Clients({"a-token-of-the-matrix": ("known", None)})
        try:
            async with serving(made(Clients())) as address, serving(made(token)) as guarded:
                yield Ground(address, guarded, store, model)
        finally:
            store.close()


async def _ours(
    protocol: str,
    server: str,
    name: str,
    here: Ground | None,
    rounds: int,
    exact: bool = True,
) -> Row:
    """Our client against a server."""
    checks = our_checks(protocol, name, here, exact)
    cells = {f: await _cell(checks.get(f), rounds if f == "call" else 1) for f in FEATURES}
    return Row(protocol, "collegium", server, cells)


def our_checks(
    protocol: str, name: str, here: Ground | None, exact: bool = True
) -> dict[str, Check]:
    """What our client can be asked to do with a server.

    Args:
        protocol: What is spoken.
        name: The agent.
        here: Our server, if it is the one; of others the runs cannot be looked at.
        exact: Whether the answer is known beforehand.
    """
    caller: Caller = open_caller(name)

    async def asked(text: str = ASKED, **options: Any) -> Any:
        return await caller.ask([said(text)], **options)

    async def describe() -> None:
        assert (await caller.describe()).name

    async def call() -> None:
        answer = await asked()
        assert answer.text == SAID if exact else answer.parts

    async def stream() -> None:
        heard: list[str] = []
        await asked(on_text=heard.append)
        if not heard and (protocol == "openai" or not exact):
            raise Skipped("the answer itself is all that was sent")
        assert heard

    async def cancel() -> None:
        assert here is not None
        before = {r.id for r in here.store.runs()}
        work = asyncio.create_task(asked("sleep now"))
        run = await begun(here.store, before)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await stopped(here.store, run)

    async def trace() -> None:
        assert here is not None
        outside = current_run.set("run-of-the-matrix")
        try:
            answer = await asked()
        finally:
            current_run.reset(outside)
        assert here.store.run(answer.run).spec["origin"]["parent"] == "run-of-the-matrix"

    async def stranger() -> None:
        assert here is not None
        other = open_caller(name.replace(here.address, here.guarded))
        try:
            await turned_away(here.store, other.ask([said(ASKED)]))
        finally:
            await other.aclose()

    checks: dict[str, Check] = {"describe": describe, "call": call, "stream": stream}
    if here is not None:
        checks |= {"cancel": cancel, "trace": trace, "stranger": stranger}
    return checks


async def begun(store: RunStore, before: set[str]) -> str:
    """The id of a run that was not there before."""
    for _ in range(1000):
        if new := [r.id for r in store.runs() if r.id not in before]:
            return new[0]
        await asyncio.sleep(0.01)
    raise AssertionError("no run began")


async def stopped(store: RunStore, run: str) -> None:
    """Make sure that a run ends within a second, and that its trace says so."""
    deadline = time.monotonic() + 1.0
    while store.run(run).status == "running":
        assert time.monotonic() < deadline, "the run went on"
        await asyncio.sleep(0.01)
    assert [e for _, _, e in store.events(run)][-1].kind == "stop"


async def turned_away(store: RunStore, work: Awaitable[Any]) -> None:
    """Make sure that a call is refused for want of a token, and for nothing else.

    Args:
        store: Where a run would be, had the call got through.
        work: The call.

    Raises:
        AssertionError: It was answered, or began a run.
    """
    before = {r.id for r in store.runs()}
    try:
        await work
    except Exception as error:
        if not says_unauthorised(error):
            raise
    else:
        raise AssertionError("a stranger was let in")
    assert {r.id for r in store.runs()} == before, "a stranger began a run"


def says_unauthorised(error: BaseException) -> bool:
    """Whether an error, or one that it was made from, says status 401.

    Packages differ in what they raise; all keep the status or the sentence that has it.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        statuses = (getattr(one, "status_code", 0), getattr(one, "response", None))
        if 401 in (statuses[0], getattr(statuses[1], "status_code", 0)):
            return True
        if re.search(r"\b401\b", str(one)):
            return True
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return False


async def _cell(check: Check | None, rounds: int) -> Cell:
    if check is None:
        return Cell(None, "not looked at from here")
    took: list[float] = []
    try:
        for _ in range(rounds):
            begin = time.perf_counter()
            async with asyncio.timeout(SECONDS):
                await check()
            took.append((time.perf_counter() - begin) * 1000)
    except Skipped as skipped:
        return Cell(None, str(skipped))
    except Exception as error:  # whatever a package raises is a finding here
        what = str(error).partition("\n")[0] or type(error).__name__
        return Cell(False, what[:200])
    took.sort()
    slowest = took[min(len(took) - 1, int(0.95 * len(took)))]
    return Cell(True, "", round(median(took), 2), round(slowest, 2))


async def _direct(here: Ground, rounds: int) -> float:
    took: list[float] = []
    for _ in range(rounds):
        begin = time.perf_counter()
        await arun("direct", ASKED, model=here.model, store=here.store, exact=False)
        took.append((time.perf_counter() - begin) * 1000)
    return round(median(took), 2)
