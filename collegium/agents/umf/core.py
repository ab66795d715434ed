"""The core-agent: an agent of the kernel with the paper's five modules, each to be swapped.

An *active* core-agent has planning, memory, profile and action (and security): it keeps state,
decides, and may command others. A *passive* one has action and security alone: it carries out one
order at a time and starts each with nothing in its mind.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import msgspec

from collegium.agents.umf.vocabulary import Kind, Safeguard
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Reply, Unparsed, UseTool

MAX_STEPS = 4
"""Longest plan that is asked for."""


class Step(msgspec.Struct, frozen=True):
    """One step of a plan: which core-agent (or ability) it is for, and the order."""

    to: str
    order: str


class Request(msgspec.Struct, frozen=True):
    """What an action module wants done.

    Attributes:
        tool: The tool.
        arguments: Its arguments.
        writes: Whether it changes the environment.
        sources: Trace ids of the replies it comes from.
    """

    tool: str
    arguments: dict[str, Any]
    writes: bool = False
    sources: tuple[int, ...] = ()


class Done(msgspec.Struct, frozen=True):
    """The outcome of an order: what came back, and the replies it was made from."""

    value: Any
    sources: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The outcome as a prompt quotes it."""
        if isinstance(self.value, str):
            return self.value
        return msgspec.json.encode(self.value, enc_hook=repr).decode()


class PlanningModule(Protocol):
    """Decides what is to be done."""

    async def plan(
        self, agent: Agent, task: str, notes: Sequence[str], options: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Steps for a task, each for one of the options (name to capability)."""
        ...


class MemoryModule(Protocol):
    """Keeps what was learned."""

    async def write(self, agent: Agent, text: str) -> None:
        """Keep a text."""
        ...

    async def read(self, agent: Agent, query: str) -> tuple[str, ...]:
        """What is kept that bears on a query."""
        ...


class ProfileModule(Protocol):
    """Says who the core-agent is."""

    def text(self) -> str:
        """The profile, as the model's system prompt."""
        ...


class ActionModule(Protocol):
    """Turns an order into the use of a tool."""

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        """What to do about an order; :class:`Unparsed` when no sense could be made of it."""
        ...


class SecurityModule(Protocol):
    """Inspects what goes in and what comes out."""

    async def inspect(
        self, agent: Agent, safeguard: Safeguard, text: str, sources: Sequence[int] = ()
    ) -> None:
        """Raise :class:`Denied` when a text must not pass."""
        ...


_PROTOCOLS: dict[str, type] = {
    "planning": PlanningModule,
    "memory": MemoryModule,
    "profile": ProfileModule,
    "action": ActionModule,
    "security": SecurityModule,
}


class CoreAgent(msgspec.Struct, frozen=True, kw_only=True):
    """A core-agent; make one with :func:`active` or :func:`passive`.

    Swap a module with ``msgspec.structs.replace(core, planning=another)``: the new one must have
    the interface of the old one, which is checked.

    Attributes:
        agent: The kernel's agent that makes its calls.
        kind: Active or passive.
        capability: What it can do, in words that a planner reads.
        action: The action module.
        security: The security module, if it has one.
        planning: The planning module of an active one.
        memory: The memory module of an active one.
        profile: The profile module of an active one.
    """

    agent: Agent
    kind: Kind
    capability: str
    action: ActionModule
    security: SecurityModule | None = None
    planning: PlanningModule | None = None
    memory: MemoryModule | None = None
    profile: ProfileModule | None = None

    def __post_init__(self) -> None:
        for name, protocol in _PROTOCOLS.items():
            module = getattr(self, name)
            if module is not None:
                _fits(f"the {name} module of {self.agent.name!r}", module, protocol)
        mind = [m for m in ("planning", "memory", "profile") if getattr(self, m) is not None]
        if self.kind == "passive" and mind:
            raise BadInput(f"passive with {', '.join(mind)}: {self.agent.name}.")
        if self.kind == "active" and len(mind) < 3:
            raise BadInput(
                f"the active core-agent {self.agent.name!r} needs planning, memory and profile; "
                f"it has {', '.join(mind) or 'none of them'}."
            )


def active(
    kernel: Kernel,
    name: str,
    *,
    planning: PlanningModule,
    memory: MemoryModule,
    profile: ProfileModule,
    action: ActionModule,
    security: SecurityModule | None = None,
    capability: str = "",
    tools: Sequence[str] = (),
) -> CoreAgent:
    """Make an active core-agent: all five modules; its profile is the model's system prompt."""
    agent = kernel.agent(name, profile=profile.text(), tools=tools)
    return CoreAgent(
        agent=agent,
        kind="active",
        capability=capability,
        planning=planning,
        memory=memory,
        profile=profile,
        action=action,
        security=security,
    )


def passive(
    kernel: Kernel,
    name: str,
    *,
    action: ActionModule,
    security: SecurityModule | None = None,
    capability: str = "",
    tools: Sequence[str] = (),
) -> CoreAgent:
    """Make a passive core-agent: no plan, no memory, no profile."""
    agent = kernel.agent(name, tools=tools)
    return CoreAgent(
        agent=agent, kind="passive", capability=capability, action=action, security=security
    )


async def decide(core: CoreAgent, step: Step) -> Request | Unparsed:
    """What a core-agent would do about an order, inspected on its way in and out.

    Raises:
        Denied: Its security module refuses the order or the action.
    """
    if core.security is not None:
        await core.security.inspect(core.agent, "prompt", step.order)
    wanted = await core.action.request(core.agent, step)
    if core.security is not None and isinstance(wanted, Request):
        text = msgspec.json.encode(wanted.arguments).decode()
        await core.security.inspect(core.agent, "response", text, wanted.sources)
    return wanted


async def perform(core: CoreAgent, request: Request, **more: Any) -> Done:
    """Use the tool that was decided on; ``more`` arguments are the code's, not the model's."""
    call = UseTool(
        agent=core.agent.name,
        tool=request.tool,
        arguments=request.arguments | more,
        sources=request.sources,
    )
    return Done(await core.agent.kernel.call(call), request.sources)


async def obey(core: CoreAgent, step: Step) -> Done:
    """Carry out one order.

    A passive core-agent forgets its conversation afterwards, whatever its action module kept in
    it. What a module keeps elsewhere is beyond reach: :func:`leaks` finds that out.
    """
    try:
        wanted = await decide(core, step)
        if isinstance(wanted, Unparsed):
            return Done(f"not understood: {wanted.reason}")
        # Who changes something says so; see the tools of a part.
        more = {"member": core.agent.name} if wanted.writes else {}
        return await perform(core, wanted, **more)
    finally:
        if core.kind == "passive":
            core.agent.history.clear()


async def pursue(
    core: CoreAgent,
    task: str,
    options: Mapping[str, str],
    do: Callable[[Step], Awaitable[Done]],
    *,
    output: Any,
    max_tokens: int,
) -> Reply[Any]:
    """What an active core-agent does with a task: plan, have each step done, remember, answer.

    Args:
        core: The core-agent.
        task: The task.
        options: Who or what the steps may be for: name to capability.
        do: Has a step done: by a passive core-agent, or by the core-agent itself.
        output: Type of the answer.
        max_tokens: Cap on the answer.

    Raises:
        BadInput: The core-agent is not active.
    """
    if core.planning is None or core.memory is None:
        raise BadInput(f"{core.agent.name!r} is passive: it carries out orders with obey().")
    if core.security is not None:
        await core.security.inspect(core.agent, "prompt", task)
    notes = await core.memory.read(core.agent, task)
    steps = await core.planning.plan(core.agent, task, notes, options)
    sources: list[int] = []
    for step in steps:
        known = await core.memory.read(core.agent, step.order)
        done = await do(Step(step.to, with_results(step.order, known)))
        await core.memory.write(core.agent, f"{step.order} -> {done.text}")
        sources += done.sources
    return await core.agent.ask(
        answer_prompt(task, await core.memory.read(core.agent, task)),
        output=output,
        temperature=0.0,
        max_tokens=max_tokens,
        sources=list(dict.fromkeys(sources)),
    )


def with_results(order: str, results: Sequence[str]) -> str:
    """An order that stands for itself: whoever gets it remembers nothing of what came before."""
    return f"{order}\nResults so far:\n" + "\n".join(results) if results else order


def answer_prompt(task: str, results: Sequence[str]) -> str:
    """The prompt that asks for the answer once everything is done."""
    listed = "\n".join(results) or "none"
    return f"{task}\n\nWhat was done, and what came back:\n{listed}\n\nGive the final answer."


class LmPlanning:
    """A planning module: one call to the model gives a single-path plan for the named options.

    Args:
        max_tokens: Cap on the plan.
    """

    def __init__(self, max_tokens: int = 192) -> None:
        self.max_tokens = max_tokens

    async def plan(
        self, agent: Agent, task: str, notes: Sequence[str], options: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """The steps the model names; none when it gives no readable plan."""
        reply = await agent.ask(
            f"{with_results(task, notes)}\n\n"
            f"Split this into at most {MAX_STEPS} steps, in order. "
            "For each step say who does it and the full order, with every name and number it "
            f"needs. You can choose from:\n{described(options)}",
            output=plan_type(tuple(options)),
            temperature=0.0,
            max_tokens=self.max_tokens,
        )
        if reply.data is None or isinstance(reply.data, Unparsed):
            return ()
        return tuple(Step(s.to, s.order) for s in reply.data.steps)


def described(options: Mapping[str, str]) -> str:
    """Options as a prompt lists them."""
    return "\n".join(f"- {name}: {capability}" for name, capability in options.items())


def step_type(names: tuple[str, ...]) -> Any:
    """The type of a step for one of these names."""
    return msgspec.defstruct("Step", [("to", Literal[names]), ("order", str)])  # pyright: ignore


def plan_type(names: tuple[str, ...]) -> Any:
    """The type of a plan whose steps are for these names."""
    steps = Annotated[list[step_type(names)], msgspec.Meta(min_length=1, max_length=MAX_STEPS)]
    return msgspec.defstruct("Plan", [("steps", steps)])


class RunNotes:
    """A memory module: short-term, embedded in the core-agent, a list of notes."""

    def __init__(self) -> None:
        self._notes: list[str] = []

    async def write(self, agent: Agent, text: str) -> None:
        """Keep a note for as long as the core-agent lives."""
        self._notes.append(text)

    async def read(self, agent: Agent, query: str) -> tuple[str, ...]:
        """All notes, oldest first."""
        return tuple(self._notes)


class HandProfile:
    """A profile module: a text written by hand."""

    def __init__(self, text: str) -> None:
        self._text = text

    def text(self) -> str:
        """The text."""
        return self._text


def _fits(what: str, module: Any, protocol: type) -> None:
    """Refuse a module that does not have the interface it is to be used by."""
    for name, wanted in vars(protocol).items():
        if name.startswith("_") or not callable(wanted):
            continue
        has = getattr(module, name, None)
        if not callable(has):
            raise BadInput(f"{what} has no {name}(); see {protocol.__name__}.")
        expected = [p for p in inspect.signature(wanted).parameters if p != "self"]
        given = list(inspect.signature(has).parameters)
        if given[: len(expected)] != expected:
            raise BadInput(
                f"{what}: {name}() takes {', '.join(given) or 'nothing'}, "
                f"but {protocol.__name__} says {', '.join(expected)}."
            )
