"""The tool manager: limits on instances and time, permission, and results that are kept.

The tool manager of AIOS (arXiv 2403.16971): a hash map counts the running instances of every tool
against its parallel limit; over the limit a call waits, and is never dropped. In the authors' code
a call that met a conflict came back with nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from hashlib import blake2b
from threading import Lock, Thread
from typing import Any, Protocol

import msgspec

from collegium.errors import BadInput, CollegiumError, ToolError, unknown_name
from collegium.kernel.access import Access
from collegium.kernel.fingerprint import fingerprint
from collegium.kernel.gate import Gate
from collegium.kernel.tool import Tool
from collegium.kernel.trace import plain

SECONDS = 600.0
"""How long a tool may run that states no time-out."""

THREADS = 64
"""How many plain functions of one toolbox may be waited for at once."""

GRACE = 1.0
"""Seconds an async function gets to clean up when it is cancelled."""

RESULT_BYTES = 64 * 1024 * 1024
"""How much the cache in memory keeps; the least recently used goes first."""

_Outcome = tuple[Any, BaseException | None]

_encode_arguments = msgspec.msgpack.Encoder(order="deterministic").encode


class ToolStore(Protocol):
    """Where results of pure tools are kept: the run store, or memory for a single process."""

    def get_tool_result(self, key: str) -> bytes | None: ...

    def put_tool_result(self, key: str, result: bytes) -> None: ...


class MemoryResults:
    """A :class:`ToolStore` that lives as long as the process.

    Args:
        limit: Bytes to keep at most; the least recently used results go first.
    """

    def __init__(self, limit: int = RESULT_BYTES) -> None:
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get_tool_result(self, key: str) -> bytes | None:
        """The kept result, or None."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put_tool_result(self, key: str, result: bytes) -> None:
        """Keep a result."""
        self._size += len(result) - len(self._kept.pop(key, b""))
        self._kept[key] = result
        while self._size > self._limit:
            self._size -= len(self._kept.popitem(last=False)[1])


class Instances(msgspec.Struct, frozen=True):
    """What is going on with a tool.

    Attributes:
        running: Instances that run now.
        waiting: Calls that wait for one of them to end.
        left: Running instances that nobody waits for any more: their time-out passed, or their
            caller was cancelled, and they have not ended. They count as running until they do.
    """

    running: int
    waiting: int
    left: int


class Toolbox(Mapping[str, Tool]):
    """Holds tools by name and runs them.

    Several kernels may share one, also in event loops of different threads: limits and the cache
    then hold for all of them together. (A :class:`RunStore` as its store belongs to one thread.)

    Plain functions run in daemon threads. Python cannot stop a thread: one that is given up runs
    on in the background until it ends by itself or the program does, which does not wait for it.
    Until then it counts against its tool's limit; :meth:`instances` tells of it. An async function
    is cancelled. One that blocks the event loop instead of awaiting cannot be timed out.

    Args:
        tools: What it holds.
        seconds: How long a run may take of a tool that states nothing, waiting not counted;
            ``math.inf``: for ever.
        store: Where results of pure tools are kept; None: in memory.
        access: Asked before an irreversible tool runs; None: they run unasked.
        threads: How many plain functions may be waited for at once, of all tools together.

    Raises:
        BadInput: Two tools have the same name, a pure one cannot be fingerprinted, or a limit is
            not above 0.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        *,
        seconds: float = SECONDS,
        store: ToolStore | None = None,
        access: Access | None = None,
        threads: int = THREADS,
    ) -> None:
        if not seconds > 0 or threads < 1:
            raise BadInput(
                f"a toolbox needs seconds above 0 and threads from 1, not {seconds} and {threads}."
            )
        self._tools: dict[str, Tool] = {}
        self._gates: dict[str, Gate] = {}
        self._seconds, self._access = seconds, access
        self._store: ToolStore = MemoryResults() if store is None else store
        self._threads = Gate(threads)
        self._same: dict[str, Future[None]] = {}  # by key: the pure calls that are being made
        self._lock = Lock()
        for tool in tools:
            self.add(tool)

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def add(self, tool: Tool) -> None:
        """Put one more tool in.

        Raises:
            BadInput: There is another tool of that name, or it is pure and cannot be
                fingerprinted.
        """
        name = tool.spec.name
        if tool.pure:
            _fingerprint(tool)
        if self._tools.setdefault(name, tool) is not tool:
            raise BadInput(f"there are two tools named {name!r}; rename one of them.")
        limit = math.inf if tool.parallel is None else tool.parallel
        self._gates.setdefault(name, Gate(limit))

    def instances(self, name: str) -> Instances:
        """What is going on with a tool at this moment.

        Raises:
            UnknownName: There is no such tool.
        """
        if name not in self._tools:
            raise unknown_name("tool", name, self._tools)
        gate = self._gates[name]
        return Instances(int(gate.inside), gate.waiting, gate.given_up)

    async def run(self, name: str, arguments: Mapping[str, Any], *, agent: str = "") -> Any:
        """Run a tool: check the arguments, ask for permission, wait for a place, run, in time.

        Args:
            name: The tool.
            arguments: By parameter; checked against its schema.
            agent: Who calls.

        Returns:
            What the tool returned, as plain data.

        Raises:
            UnknownName: There is no such tool.
            BadInput: An argument is missing, unknown or of the wrong type.
            Denied: It is irreversible and permission was refused.
            ToolError: The tool raised an exception (kept as the cause), ran out of time, or is
                stuck: nothing moves among runs that were given up. What a tool raises of
                :mod:`collegium.errors` itself is passed on as it is.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise unknown_name("tool", name, self._tools)
        values = tool.check(arguments)
        if tool.irreversible and self._access is not None:
            await self._access.permit(agent, "use", name)
        key = _key(tool, values) if tool.pure else None
        if key is None:
            return plain(await self._admitted(tool, values))
        mine: Future[None] = Future()
        mine.set_running_or_notify_cancel()  # so that nobody can cancel it any more
        with self._lock:
            known = self._store.get_tool_result(key)
            leader = self._same.get(key)
            if known is None and leader is None:
                self._same[key] = mine
        if known is not None:
            return msgspec.json.decode(known)
        if leader is None:
            try:
                return await self._kept(key, tool, values)
            finally:
                with self._lock:
                    del self._same[key]
                mine.set_result(None)
        await asyncio.wait({asyncio.wrap_future(leader)})
        with self._lock:
            known = self._store.get_tool_result(key)
        if known is not None:
            return msgspec.json.decode(known)
        return await self._kept(key, tool, values)  # the first attempt failed; ours may not

    async def _kept(self, key: str, tool: Tool, values: dict[str, Any]) -> Any:
        """Run a pure tool and keep its result."""
        result = plain(await self._admitted(tool, values))
        with self._lock:
            self._store.put_tool_result(key, msgspec.json.encode(result))
        return result

    async def _admitted(self, tool: Tool, values: dict[str, Any]) -> Any:
        """Run a tool once one more instance is allowed."""
        name, gate = tool.spec.name, self._gates[tool.spec.name]
        seconds: float | None = self._seconds if tool.seconds is None else tool.seconds
        seconds = None if math.isinf(seconds) else seconds
        if not await gate.enter(seconds):
            raise ToolError(
                f"tool {name!r} is stuck: it may run {tool.parallel} at once, and as many were "
                f"given up that have not ended for {seconds:g} seconds more."
            )
        if inspect.iscoroutinefunction(tool.function):
            work = asyncio.ensure_future(_caught(tool.function, values))
            work.add_done_callback(gate.leave)
            return await _waited(name, work, work, gate, seconds)
        try:
            await self._threads.enter()
        except BaseException:
            gate.leave()
            raise
        try:
            run = _thread(name, tool.function, values, gate.leave)
            return await _waited(name, asyncio.wrap_future(run), run, gate, seconds)
        finally:
            self._threads.leave()


async def _waited(
    name: str,
    result: asyncio.Future[_Outcome],
    work: asyncio.Future[_Outcome] | Future[_Outcome],
    gate: Gate,
    seconds: float | None,
) -> Any:
    """Wait for a running tool; give it up when its time is over or the caller is cancelled."""
    try:
        done, _ = await asyncio.wait({result}, timeout=seconds)
        if not done:
            raise ToolError(f"tool {name!r} ran over its time-out of {seconds:g} seconds.")
    except BaseException:
        try:
            result.cancel()  # ends a coroutine; a thread cannot be ended
            if result is work:
                await asyncio.wait({result}, timeout=GRACE)
        finally:
            gate.give_up(work)
        raise
    if result.cancelled():
        raise ToolError(f"tool {name!r} failed: it cancelled itself.")
    value, error = result.result()
    if error is None:
        return value
    if isinstance(error, CollegiumError):
        raise error
    what = f": {error}" if str(error) else ""
    raise ToolError(f"tool {name!r} failed: {type(error).__name__}{what}") from error


async def _caught(
    function: Callable[..., Coroutine[Any, Any, Any]], values: dict[str, Any]
) -> _Outcome:
    """What an async function returns or raises, as a value."""
    try:
        return await function(**values), None
    except (Exception, SystemExit) as error:
        return None, error


def _thread(
    name: str,
    function: Callable[..., Any],
    values: dict[str, Any],
    ended: Callable[[Future[_Outcome]], None],
) -> Future[_Outcome]:
    """Run a plain function in a daemon thread of its own, in the caller's context.

    What it raises comes back as a value: some exceptions cannot pass through a future. Threads of
    a pool would not do: Python waits for them before it ends.
    """
    run: Future[_Outcome] = Future()
    run.set_running_or_notify_cancel()  # so that nobody can cancel it any more
    run.add_done_callback(ended)
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome: _Outcome = context.run(function, **values), None
        except BaseException as error:
            outcome = None, error
        run.set_result(outcome)

    try:
        Thread(target=work, name=f"tool {name}", daemon=True).start()
    except RuntimeError as error:  # the machine has no thread left
        run.set_result((None, error))
    return run


def _fingerprint(tool: Tool) -> str:
    try:
        return tool.fingerprint or fingerprint(tool.function)
    except BadInput as error:
        raise BadInput(f"tool {tool.spec.name!r} is declared pure, but {error}") from None


def _key(tool: Tool, values: dict[str, Any]) -> str | None:
    """Digest of tool, implementation and arguments; None for arguments that are no plain data."""
    try:
        encoded = _encode_arguments((tool.spec.name, _fingerprint(tool), values))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return blake2b(encoded, digest_size=16).hexdigest()
