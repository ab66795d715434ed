"""The kernel: every call of every agent goes through one chain of interceptors to a driver."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from collegium.errors import BadInput, Denied, Transient, unknown_name
from collegium.kernel.agent import Agent
from collegium.kernel.calls import (
    AskHuman,
    Call,
    Generate,
    Mail,
    Receive,
    Reply,
    Send,
    Usage,
    UseTool,
)
from collegium.kernel.limits import Limits, Meter
from collegium.kernel.memo import Journal, ReplyStore, ResponseCache
from collegium.kernel.resources import RESOURCE_CALLS
from collegium.kernel.retry import Retry
from collegium.kernel.tool import Tool
from collegium.kernel.toolbox import Toolbox
from collegium.kernel.trace import Event, Trace, plain

if TYPE_CHECKING:
    from collegium.kernel.scheduler import Scheduler
    from collegium.models.model import Model

T = TypeVar("T")
Proceed = Callable[[Call], Awaitable[Any]]
Driver = Callable[[Any], Awaitable[Any]]
OnText = Callable[[str, int, str], None]
"""Called with (agent, sample index, piece of text) while a reply is being written."""

ENDING_SECONDS = 2.0
"""How long a running tool may go on when its caller is cancelled."""

_event: ContextVar[int] = ContextVar("_event", default=-1)
"""Trace id of the call in hand."""

_using: ContextVar[Kernel | None] = ContextVar("_using", default=None)
"""The kernel that runs the tool at hand."""


class Interceptor(Protocol):
    """The one extension point: sees a call, may change, answer, refuse, repeat or delay it."""

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Handle a call; ``await proceed(call)`` hands it on."""
        ...


class Kernel:
    """Runs the calls of one run of one system on one task.

    Args:
        models: The model of every role, or a mapping from role to model where "" is the default.
        tools: Tools that agents may be given; a toolbox, which several kernels may share, also
            says how long they may take, where their results are kept, and who is asked first.
        limits: What the run may spend.
        seed: Seed of the run; None draws fresh randomness. Every sampled call gets its own seed
            from it, by agent and by how many calls that agent made, so timing changes nothing.
        interceptors: Extra interceptors, outermost first. They sit inside the trace and the time
            limit; every model call they let through, repeat or rewrite is counted and capped.
        drivers: Drivers for further kinds of calls, by call type: a memory, a storage or a world
            that outlives the run. What they did is not done again when the run is resumed.
        scheduler: Decides whose model call comes next; shared by all kernels that use the same
            engine. None: every call goes to its model at once.
        name: Names the run to the scheduler; all its calls count together.
        sinks: Called with every trace event.
        cache: Where to keep model replies for reuse; None: no response cache.
        journal: Events of each interrupted attempt at the same task, to go on from.
        anew: Names of tools, and kinds of calls, that act on a world made anew for this very run.
            What a journal says of them is not believed: they are made again, and so bring the new
            world to the state in which the interrupted attempt left the old one.
        on_text: Called with every piece of text as it is written.
        human: Answers questions to the user; None: there is nobody to ask.
    """

    def __init__(
        self,
        models: Model | Mapping[str, Model],
        *,
        tools: Iterable[Tool] | Toolbox = (),
        limits: Limits = Limits(),
        seed: int | None = None,
        interceptors: Sequence[Interceptor] = (),
        drivers: Mapping[type[Call], Driver] | None = None,
        sinks: Sequence[Callable[[Event], None]] = (),
        cache: ReplyStore | None = None,
        journal: Sequence[Sequence[Event]] = (),
        anew: Collection[str | type[Call]] = (),
        on_text: OnText | None = None,
        human: Callable[[str], Awaitable[str]] | None = None,
        retry: Retry | None = None,
        scheduler: Scheduler | None = None,
        name: str = "",
    ) -> None:
        self._models: Mapping[str, Model] = models if isinstance(models, Mapping) else {"": models}
        if "" not in self._models:
            raise BadInput("a kernel needs a default model: the one under the role ''.")
        self.tools = tools if isinstance(tools, Toolbox) else Toolbox(tools)
        self.seed = seed
        self.random = random.Random(seed)
        self.trace = Trace(*sinks)
        self.meter = Meter(limits)
        self.kept: Any = None
        self._on_text, self._human = on_text, human
        self._agents: dict[str, Agent] = {}
        self._mail: dict[str, list[Mail]] = {}
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._remove_temporary: Callable[[], None] | None = None
        self._drivers: dict[type[Call], Driver] = {
            Generate: self._generate,
            UseTool: self._use_tool,
            Send: self._send,
            Receive: self._receive,
            AskHuman: self._ask_human,
            **(drivers or {}),
        }
        self._scheduler, self.name = scheduler, name
        replay = None
        if journal:
            replay = Journal(journal, self._model_name, tuple(drivers or ()), anew)
        chain: list[Any] = [retry or Retry(), self._traced]
        if limits.seconds is not None:
            chain.append(self.meter.in_time)
        if replay is not None:
            chain.append(replay)
        chain += [*interceptors, self.meter]
        if replay is not None:
            chain.append(replay.play)
        if cache is not None:
            chain.append(ResponseCache(cache, self._fingerprint))
        proceed: Proceed = self._drive
        for interceptor in reversed(chain):
            proceed = partial(interceptor, proceed=proceed)
        self._chain = proceed

    # -- what systems use ---------------------------------------------------------------

    def agent(
        self,
        name: str,
        *,
        profile: str = "",
        role: str | None = None,
        tools: Sequence[str] = (),
        priority: int = 0,
    ) -> Agent:
        """Make an agent: a named process with a profile.

        Args:
            name: Unique within the run.
            profile: Who it is: its system prompt.
            role: Chooses its model; by default the name without a trailing number.
            tools: Names of the tools it may use.
            priority: Of its model calls, for schedulers that heed it.

        Raises:
            BadInput: The name is taken.
            UnknownName: A tool does not exist.
        """
        if name in self._agents:
            raise BadInput(f"there is already an agent named {name!r} in this run.")
        for tool in tools:
            if tool not in self.tools:
                raise unknown_name("tool", tool, self.tools)
        agent = Agent(self, name, profile=profile, role=role, tools=tuple(tools), priority=priority)
        self._agents[name] = agent
        self._mail[name] = []
        return agent

    def keep(self, result: Any) -> None:
        """Note the best result so far: what the run is scored on if a limit ends it."""
        self.kept = result

    async def call(self, call: Call) -> Any:
        """Run a call through the interceptors and its driver.

        Returns:
            What the driver answers: a tuple of replies for :class:`Generate`, a value otherwise.

        Raises:
            LimitReached: A limit of the run is used up.
            ModelError: A model could not answer, retries included.
            BadInput: The call itself is wrong.
        """
        task = asyncio.current_task()
        if task is None or task in self._in_flight:
            return await self._chain(call)
        self._in_flight.add(task)
        try:
            return await self._chain(call)
        finally:
            self._in_flight.discard(task)

    async def aclose(self) -> None:
        """Cancel every call still running, wait until all are gone, remove what was temporary."""
        left = [t for t in self._in_flight if t is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._remove_temporary is not None:
            self._remove_temporary()

    def model_for(self, agent: str, role: str) -> Model:
        """The model that answers an agent: its own, else its role's, else the default."""
        return self._models.get(agent) or self._models.get(role) or self._models[""]

    def call_seed(self, agent: str, number: int) -> int | None:
        """Seed of an agent's n-th call, or None in a run without a seed."""
        if self.seed is None:
            return None
        digest = blake2b(f"{self.seed}/{agent}/{number}".encode(), digest_size=4).digest()
        # Room above for the samples of one call, which use seed, seed + 1, ...
        return int.from_bytes(digest, "big") & 0x3FFFFFFF

    # -- interceptors and drivers -------------------------------------------------------

    def _fingerprint(self, call: Generate) -> str:
        return self.model_for(call.agent, call.role).fingerprint

    def _model_name(self, call: Generate) -> str:
        return self.model_for(call.agent, call.role).name

    async def _traced(self, call: Call, proceed: Proceed) -> Any:
        """Record a call, whatever becomes of it."""
        number = self.trace.next_id()
        begin = perf_counter()
        is_model = isinstance(call, Generate)
        model = self._model_name(call) if isinstance(call, Generate) else ""
        started = begin - self.meter.started
        outside = _event.set(number)
        try:
            result = await proceed(call)
        except BaseException as error:
            message = str(error) or type(error).__name__
            if isinstance(error, Transient):
                error.event = number  # type: ignore[attr-defined]
            self.trace.append(
                Event(
                    id=number,
                    call=call,
                    outcome="error",
                    error=message,
                    failure=type(error).__name__,
                    model=model,
                    started=started,
                    seconds=perf_counter() - begin,
                )
            )
            raise
        finally:
            _event.reset(outside)
        seconds = perf_counter() - begin
        if is_model:
            usage = result[0].usage if len(result) == 1 else sum((r.usage for r in result), Usage())
            result = tuple(msgspec.structs.replace(r, call=number) for r in result)
            event = Event(
                id=number,
                call=call,
                outcome=call.outcome,  # pyright: ignore
                replies=result,
                model=model,
                usage=usage,
                started=started,
                seconds=seconds,
            )
        else:
            event = Event(
                id=number,
                call=call,
                outcome="observation",
                value=plain(result),
                started=started,
                seconds=seconds,
            )
        self.trace.append(event)
        return result

    async def _drive(self, call: Call) -> Any:
        driver = self._drivers.get(type(call))
        if driver is None and type(call) in RESOURCE_CALLS:
            # what the kernel was not given, it makes for the length of this run
            from collegium.kernel.temporary import temporary_drivers

            temporary, self._remove_temporary = temporary_drivers()
            self._drivers = {**temporary, **self._drivers}
            driver = self._drivers[type(call)]
        if driver is None:
            raise BadInput(
                f"this kernel has no driver for {type(call).__name__} calls; "
                "give it one with Kernel(drivers={...})."
            )
        return await driver(call)

    async def _generate(self, call: Generate) -> tuple[Reply[Any], ...]:
        on_text = partial(self._on_text, call.agent) if self._on_text else None
        model = self.model_for(call.agent, call.role)
        if self._scheduler is None:
            replies = await model.generate(call, on_text)
        else:
            replies = await self._scheduler.generate(call, model, run=self.name, on_text=on_text)
        if len(replies) != call.n:
            raise BadInput(f"the model gave {len(replies)} replies where {call.n} were asked for.")
        return tuple(within_bounds(r, call.stop) for r in replies)

    async def _use_tool(self, call: UseTool) -> Any:
        agent = self._agents.get(call.agent)
        if agent is not None and call.tool in self.tools and call.tool not in agent.tools:
            raise unknown_name(f"tool of agent {call.agent!r}", call.tool, agent.tools)
        tool = self.tools.get(call.tool)
        if call.tentative and tool is not None and tool.irreversible:
            raise Denied(f"tool {call.tool!r} cannot be undone, so it is not tried out.")
        outside = _using.set(self)  # a tool that wants the run's model finds it there
        try:
            work = asyncio.ensure_future(
                self.tools.run(call.tool, call.arguments, agent=call.agent)
            )
        finally:
            _using.reset(outside)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await self._let_end(call, work)
            raise

    async def _let_end(self, call: UseTool, work: asyncio.Future[Any]) -> None:
        """Give a tool whose caller was cancelled a moment to end, and record what it gave.

        What it did to the world is done: a run that is resumed must know, and not do it again.
        """
        tool = self.tools.get(call.tool)
        if tool is not None and not tool.pure:
            await asyncio.wait({work}, timeout=ENDING_SECONDS)
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        if not work.cancelled() and work.exception() is None:
            value = plain(work.result())
            event = Event(
                id=self.trace.next_id(),
                call=call,
                outcome="observation",
                value=value,
                started=perf_counter() - self.meter.started,
            )
            self.trace.append(event)

    async def _send(self, call: Send) -> None:
        self._mailbox(call.to).append(Mail(call.agent, call.text, _event.get()))

    async def _receive(self, call: Receive) -> tuple[Mail, ...]:
        mailbox = self._mailbox(call.agent)
        waiting = sorted(mailbox, key=lambda m: (m.sender, m.call))
        mailbox.clear()
        return tuple(waiting)

    def _mailbox(self, agent: str) -> list[Mail]:
        if agent not in self._mail:
            raise unknown_name("agent", agent, self._mail)
        return self._mail[agent]

    async def _ask_human(self, call: AskHuman) -> str:
        if self._human is None:
            raise BadInput(
                f"agent {call.agent!r} asked the user a question, but nobody can answer here."
            )
        return await self._human(call.question)


def calling_kernel() -> Kernel | None:
    """The kernel that runs the tool whose code this is called from; None outside one."""
    return _using.get()


def within_bounds(reply: Reply[Any], stop: tuple[str, ...]) -> Reply[Any]:
    """A reply cut before the first stop sequence, whatever the engine did with it.

    Tool calls come after the text, so a cut takes them too; a reply that keeps them ends there.
    """
    cut = min((i for s in stop if s and (i := reply.text.find(s)) >= 0), default=-1)
    if cut >= 0:
        return msgspec.structs.replace(reply, text=reply.text[:cut], tool_calls=(), finish="stop")
    if reply.tool_calls and reply.finish != "tool":
        return msgspec.structs.replace(reply, finish="tool")
    return reply


async def gather(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """Run coroutines together; results come in the order given, and no task outlives an error.

    A failure cancels the others and is raised as itself; of several, the first in the order given.
    """
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(c) for c in calls]
    except BaseExceptionGroup as failures:
        failed = [e for t in tasks if not t.cancelled() and (e := t.exception())]
        raise first_of(failed[0] if failed else failures) from None
    return [t.result() for t in tasks]


def first_of(failure: BaseException) -> BaseException:
    """The first plain exception inside a group; any other exception is itself."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
