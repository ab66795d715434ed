"""Runs on behalf of others: start one, follow what happens in it, answer its questions, stop it.

Every request of every protocol goes through here and becomes an ordinary run of the run store.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from collegium.api import arun
from collegium.errors import CollegiumError, unknown_name
from collegium.guard import Policy
from collegium.kernel import Event, Kernel, Limits, RunStore, Tool
from collegium.models import Model, open_model
from collegium.protocols.callers import open_caller
from collegium.protocols.clients import Client, QuotaExceeded
from collegium.protocols.messages import (
    Answered,
    CallEnded,
    Message,
    Part,
    Stop,
    TextWritten,
    prompt_of,
)
from collegium.protocols.relay_run import pass_on
from collegium.protocols.running import Running
from collegium.systems import Result, System, parse_system
from collegium.tasks.task import AnswerKind, Task

KEPT = 512
"""How many finished runs, and how many sessions, can still be asked about."""

MOST = 4096
"""Runs at the same time."""

SILENT = ("openai-chat", "openai-responses", "mcp")
"""Protocols in which a run cannot put a question to its client."""


_log = logging.getLogger("collegium.serve")


class Busy(CollegiumError):
    """The server has as many runs in hand as it takes."""


class Internal(CollegiumError):
    """A bug ended a run; what it was stands in the server's log."""


def log_bug(error: BaseException) -> None:
    """Say where a bug is; not its message, which may hold what a client sent, a key among it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    _log.error("internal error: %s at %s", type(error).__name__, place)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may say about a run besides the task.

    Attributes:
        answer: Kind of answer wanted.
        choices: The options of a multiple-choice task.
        parameters: Hyper-parameters of the system.
        seed: Makes the run repeatable.
        tokens: Tokens it may spend at most.
    """

    answer: AnswerKind = "text"
    choices: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    seed: int | None = None
    tokens: int | None = None


def _stand_in(name: str, to: str) -> System:
    """What is told of an agent elsewhere; the hub does its work."""

    async def solve(task: Task, kernel: Kernel) -> Result:
        raise NotImplementedError

    solve.__doc__ = f"An agent elsewhere, served on ({to})."
    return System(name, None, solve, {})


class Hub:
    """Starts runs of the systems that are served, and remembers them for a while.

    Args:
        systems: The systems that are served, the first of them by default.
        model: The default model.
        roles: Models of particular agents or roles.
        catalog: Whether clients may name any other system too.
        policy: What the agents of every run may do.
        limits: What one run may spend.
        tools: Tools for the agents of every run.
        store: Where runs are kept.
        relays: Agents elsewhere that are served on, by the name they have here: what they are
            called by.

    Attributes:
        on_end: Called with every run that is over.
    """

    def __init__(
        self,
        systems: Sequence[str],
        *,
        model: str,
        roles: Mapping[str, str] | None = None,
        catalog: bool = False,
        policy: Policy | None = None,
        limits: Limits = Limits(),
        tools: Sequence[Tool] = (),
        store: RunStore,
        relays: Mapping[str, str] | None = None,
    ) -> None:
        self.systems: dict[str, System] = {name: parse_system(name)[0] for name in systems}
        self._relays = {name: (to, open_caller(to)) for name, to in (relays or {}).items()}
        self.systems |= {name: _stand_in(name, to) for name, (to, _) in self._relays.items()}
        self.model, self.roles, self.catalog = model, dict(roles or {}), catalog
        self.policy, self.limits, self.tools, self.store = policy, limits, tuple(tools), store
        self._opened: Model | None = None
        self._running: dict[str, Running] = {}
        self._finished: OrderedDict[str, Running] = OrderedDict()
        self._sessions: OrderedDict[tuple[str, str], list[Message]] = OrderedDict()
        self.on_end: list[Callable[[Running], None]] = []

    @property
    def default(self) -> str:
        """The system that is meant when none is named."""
        return next(iter(self.systems))

    def find(self, name: str) -> str:
        """A system that a client may use, by the name it gave ("" is the default one).

        Raises:
            UnknownName: There is none, or it is not served.
            BadInput: Its parameters are wrong.
        """
        if not name:
            return self.default
        if name in self.systems:
            return name
        if not self.catalog:
            raise unknown_name("system", name, self.systems)
        parse_system(name)
        return name

    def system(self, name: str) -> System:
        """The system of a name that :meth:`find` gave."""
        return self.systems.get(name) or parse_system(name)[0]

    def start(
        self,
        messages: Sequence[Message],
        *,
        system: str = "",
        protocol: str,
        client: Client,
        session: str = "",
        parent: str = "",
        wish: Wish = Wish(),
    ) -> Running:
        """Start a run.

        Args:
            messages: What was said, the user's last message being the task. What was said in the
                session before is put before it.
            system: Which system; "" is the default one.
            protocol: How it was asked for.
            client: Who asks.
            session: A session to go on with or begin; "" for none.
            parent: Id of the run, here or elsewhere, on whose behalf it is asked for.
            wish: What the client says besides.

        Raises:
            UnknownName: There is no such system.
            BadInput: The messages are no task, or a parameter is wrong.
            QuotaExceeded: The client has no tokens left.
            Busy: There are too many runs.
        """
        system = self.find(system)
        client.admit()
        if len(self._running) >= MOST:
            raise Busy(f"the server works on {MOST} runs already; try again later.")
        sent = [*self.session(client, session), *messages]
        rules, prompt = prompt_of(sent)
        task = Task(
            id="task",
            prompt=prompt,
            rules=rules,
            answer="choice" if wish.choices else wish.answer,
            choices=wish.choices,
            tools=tuple(t.spec.name for t in self.tools),
        )
        chosen = self.system(system)
        chosen.bind(wish.parameters)
        chosen.require(task)
        running = Running(system, protocol=protocol, client=client, session=session, sent=sent)
        self._running[running.id] = running
        running.task = asyncio.get_running_loop().create_task(
            self._work(running, task, wish, parent, messages), name=f"run {running.id}"
        )
        return running

    def get(self, identity: str, client: Client) -> Running:
        """A run of this client by its id.

        Raises:
            UnknownName: There is none, it is somebody else's, or it has been forgotten.
        """
        running = self._running.get(identity) or self._finished.get(identity)
        if running is None or running.client is not client:
            raise unknown_name("run", identity, ())
        return running

    def session(self, client: Client, session: str) -> list[Message]:
        """What was said in a session of this client so far."""
        return list(self._sessions.get((client.name, session), ())) if session else []

    def listed(self, client: Client) -> list[Running]:
        """The runs of this client, newest first."""
        every = [*self._running.values(), *self._finished.values()]
        return sorted((r for r in every if r.client is client), key=lambda r: r.created)[::-1]

    async def aclose(self) -> None:
        """Stop what still runs."""
        await asyncio.gather(*(r.stop("the server was stopped") for r in [*self._running.values()]))
        for _, caller in self._relays.values():
            await caller.aclose()
        if self._opened is not None:
            await self._opened.aclose()

    def _open(self) -> Model:
        """The default model, opened once for all runs."""
        if self._opened is None:
            self._opened = open_model(self.model, exact=False)
        return self._opened

    # -- the run itself -----------------------------------------------------------------

    async def _work(
        self,
        running: Running,
        task: Task,
        wish: Wish,
        parent: str,
        messages: Sequence[Message],
    ) -> None:
        def begun(run: str, kernel: Kernel) -> None:
            running.run, running.kernel = run, kernel
            running.enter("working")

        def written(agent: str, sample: int, text: str) -> None:
            running.note(TextWritten(agent, sample, text))

        def ended(event: Event) -> None:
            running.note(CallEnded(event))

        client = running.client
        tokens = [n for n in (self.limits.tokens, wish.tokens) if n is not None]
        origin = {
            "protocol": running.protocol,
            "client": client.name,
            "session": running.session,
            "request": running.id,
            "parent": parent,
        }
        # Where a client cannot be asked, nobody is there: to a policy that is a no.
        human = None if running.protocol in SILENT else running.ask
        limits = msgspec.structs.replace(self.limits, tokens=min(tokens, default=None))
        try:
            if running.system in self._relays:
                to, caller = self._relays[running.system]
                running.result, running.relayed = await pass_on(
                    messages,
                    caller,
                    to,
                    source=running.protocol,
                    store=self.store,
                    policy=self.policy,
                    limits=limits,
                    meter=client.meter,
                    on_text=written,
                    on_event=ended,
                    on_begin=begun,
                    origin=origin,
                    human=human,
                )
            else:
                running.result = await arun(
                    running.system,
                    task,
                    model=self._open(),
                    roles=self.roles,
                    params=wish.parameters,
                    limits=limits,
                    seed=wish.seed,
                    exact=False,
                    policy=self.policy,
                    tools=self.tools,
                    interceptors=[client.meter],
                    store=self.store,
                    on_text=written,
                    on_event=ended,
                    on_begin=begun,
                    origin=origin,
                    human=human,
                )
                done = running.result
                if done.limited and not done.calls and not done.blocked:
                    running.result = None  # nothing was done: that is a refusal, not an answer
                    raise QuotaExceeded(done.limited)
        except asyncio.CancelledError as stopped:
            self._record_stop(running, str(stopped) or "it was stopped")
            running.enter("canceled", str(stopped))
        except CollegiumError as error:
            running.error = error
            running.enter("failed", str(error))
        except Exception as error:
            log_bug(error)
            running.error = Internal("something went wrong inside the server.")
            running.enter("failed", str(running.error))
        else:
            self._remember(running)
            running.note(Answered(Message(role="agent", parts=running.parts, agent=running.system)))
            running.enter("completed")
        finally:
            running.kernel = None
            del self._running[running.id]
            self._finished[running.id] = running
            while len(self._finished) > KEPT:
                self._finished.popitem(last=False)
            for tell in self.on_end:
                tell(running)

    def _record_stop(self, running: Running, reason: str) -> None:
        """Say in the trace that somebody outside ended the run."""
        kernel = running.kernel
        if kernel is None:
            return
        call = Stop(agent="server", protocol=running.protocol, client=running.client.name)
        kernel.trace.append(
            Event(
                id=kernel.trace.next_id(),
                call=call,
                outcome="error",
                error=reason,
                failure="Stopped",
                started=kernel.meter.seconds,
            )
        )
        self.store.flush()

    def _remember(self, running: Running) -> None:
        """Keep what was said in the run's session."""
        if not running.session:
            return
        key = (running.client.name, running.session)
        reply = Message(role="agent", parts=(Part(text=running.answer),), agent=running.system)
        self._sessions[key] = [*running.sent, reply]
        self._sessions.move_to_end(key)
        while len(self._sessions) > KEPT:
            self._sessions.popitem(last=False)
