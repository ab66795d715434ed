"""Compose agents into one that runs: several passive, one active over passive, or several active.

Each source agent is a :class:`Part`. Wrapped as *passive* it loses plan, memory and profile: its
prompt is frozen into its action module and its mind is cleared after every order. Wrapped as
*active* it gets all five modules and, among equals, may use every ability of the team.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec

from collegium.agents.umf.blueprint import (
    Action,
    Blueprint,
    CoreAgentSpec,
    Memory,
    Modules,
    Peripheral,
    Planning,
    Profile,
    Security,
)
from collegium.agents.umf.check import Architecture, check
from collegium.agents.umf.core import (
    ActionModule,
    CoreAgent,
    Done,
    HandProfile,
    LmPlanning,
    Request,
    RunNotes,
    Step,
    active,
    answer_prompt,
    described,
    obey,
    passive,
    pursue,
    step_type,
    with_results,
)
from collegium.agents.umf.election import COORDINATION, LEASE
from collegium.agents.umf.office import Leading, Office, Sleep
from collegium.agents.umf.security import GuardRule, RuleSecurity
from collegium.agents.voting import majority
from collegium.errors import BadInput, CollegiumError, Denied
from collegium.kernel import Agent, Kernel, Unparsed

LLM, PLANNER = "llm", "planner"
"""Names that the composer gives: the LLM's own turns, and the one active core-agent."""

MAX_ORDERS = 4
"""Most orders an LLM gives to passive core-agents before it has to answer."""


class Part(msgspec.Struct, frozen=True):
    """A source agent, as the composer takes it.

    Attributes:
        name: Its name.
        capability: What it can do, in words that a planner reads.
        action: Its action module.
        tools: Names of its tools. One that changes the environment takes the arguments ``action``,
            ``member``, ``term`` and ``now`` besides its own, as ``parts.stock_tools`` shows.
        rules: Its security rules.
        profile: Who it is when it is active.
    """

    name: str
    capability: str
    action: ActionModule
    tools: tuple[str, ...]
    rules: tuple[GuardRule, ...] = ()
    profile: str = ""


class Solution(msgspec.Struct, frozen=True):
    """What a composed agent gives: its answer, the answer of each core-agent, and who was lost."""

    answer: Any
    answers: dict[str, Any] = {}
    lost: dict[str, str] = {}


class Hybrid(msgspec.Struct, frozen=True):
    """A composed agent.

    Attributes:
        architecture: How it is put together.
        blueprint: The same as data.
        run: ``await run(question, kernel, output)`` answers a question with a value of a type.
    """

    architecture: Architecture
    blueprint: Blueprint
    run: Callable[[str, Kernel, Any], Coroutine[Any, Any, Solution]]


def compose(
    parts: Sequence[Part],
    architecture: Architecture,
    *,
    elect: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = asyncio.sleep,
    lease: float = LEASE,
    max_tokens: int = 192,
) -> Hybrid:
    """Merge agents into one.

    Args:
        parts: The source agents, at least two.
        architecture: "uniform multi-passive", "one-active-many-passive" or "uniform multi-active".
        elect: Whether active core-agents of equal rights elect a leader, who alone issues side
            effects. False is the control that shows what happens without.
        clock: Seconds, for leases.
        sleep: Waits on that clock.
        lease: Seconds a lease lasts (the ledger's own must be the same).
        max_tokens: Cap on every reply.

    Raises:
        BadInput: There are fewer than two parts, two have one name, the architecture is not one
            that is composed, or the result breaks a structural rule.
    """
    names = [part.name for part in parts]
    if len(names) < 2 or len({*names, LLM, PLANNER}) != len(names) + 2:
        raise BadInput(
            f"compose at least two parts with different names, none of them {LLM!r} or "
            f"{PLANNER!r}; these are {', '.join(names) or 'none'}."
        )
    blueprint = drawn(parts, architecture, elect)
    faults = [v for v in check(blueprint) if elect or v.rule != "no-synchronisation"]
    if faults:
        raise BadInput(f"the composed agent breaks a rule: {'; '.join(map(str, faults))}.")

    async def run(question: str, kernel: Kernel, output: Any) -> Solution:
        match architecture:
            case "uniform multi-passive":
                return await _ordered(parts, question, kernel, output, max_tokens)
            case "one-active-many-passive":
                return await _planned(parts, question, kernel, output, max_tokens)
            case _:
                lead = Leading(elect, clock, sleep, lease)
                return await _together(parts, question, kernel, output, max_tokens, lead)

    return Hybrid(architecture, blueprint, run)


def drawn(parts: Sequence[Part], architecture: Architecture, elect: bool) -> Blueprint:
    """The blueprint of a composed agent.

    Raises:
        BadInput: The architecture is not one that is composed.
    """
    names = tuple(part.name for part in parts)
    tools = tuple(dict.fromkeys(t for part in parts for t in part.tools))
    guarded = {p.name: Security(technique=("rule-based",)) if p.rules else None for p in parts}
    every = next((s for s in guarded.values() if s), None)
    mind = Modules(
        planning=Planning(
            process=("task decomposition", "plan generation"),
            strategy=("single-path",),
            style=("one-shot",),
            technique=("LM-powered",),
        ),
        memory=Memory(scope=("short-term",), location=("embedded",), operations=("read", "write")),
        profile=Profile(method=("hand-crafted in-context",)),
        action=Action(goal=("task completion",), production=("plan following",)),
        security=every,
    )
    if architecture == "uniform multi-active":
        tools += COORDINATION if elect else ()
        cores = tuple(CoreAgentSpec(n, "active", mind, talks_to=(LLM, *tools)) for n in names)
        return Blueprint(
            cores,
            llms=(Peripheral(LLM),),
            tools=tuple(Peripheral(t) for t in tools),
            synchronisation="leader election" if elect else "",
            name=architecture,
        )
    cores = tuple(
        CoreAgentSpec(
            p.name,
            "passive",
            Modules(action=Action(production=("API-call request",)), security=guarded[p.name]),
            talks_to=(LLM, *p.tools),
        )
        for p in parts
    )
    if architecture == "one-active-many-passive":
        cores = (CoreAgentSpec(PLANNER, "active", mind, commands=names, talks_to=(LLM,)), *cores)
        llm = Peripheral(LLM)
    elif architecture == "uniform multi-passive":
        llm = Peripheral(LLM, commands=names)
    else:
        raise BadInput(
            f"{architecture!r} is not composed; choose 'uniform multi-passive', "
            "'one-active-many-passive' or 'uniform multi-active'."
        )
    found = tuple(Peripheral(t) for t in tools)
    return Blueprint(cores, llms=(llm,), tools=found, name=architecture)


def as_passive(part: Part, kernel: Kernel) -> CoreAgent:
    """Wrap a source agent as a passive core-agent."""
    return passive(
        kernel,
        part.name,
        action=part.action,
        security=RuleSecurity(part.rules) if part.rules else None,
        capability=part.capability,
        tools=part.tools,
    )


def as_active(
    part: Part, kernel: Kernel, *, team: Sequence[Part], more: Sequence[str], max_tokens: int
) -> CoreAgent:
    """Wrap a source agent as an active core-agent with the abilities of a whole team."""
    rules = {rule.name: rule for p in team for rule in p.rules}
    return active(
        kernel,
        part.name,
        planning=LmPlanning(max_tokens),
        memory=RunNotes(),
        profile=HandProfile(part.profile or part.capability),
        action=Abilities(team),
        security=RuleSecurity(tuple(rules.values())) if rules else None,
        capability=part.capability,
        tools=[*dict.fromkeys(t for p in team for t in p.tools), *more],
    )


class Abilities:
    """An action module with the abilities of several parts: a step says which one it is for."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._actions = {part.name: part.action for part in parts}

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        """What the named part would do."""
        return await self._actions[step.to].request(agent, step)


async def _ordered(
    parts: Sequence[Part], question: str, kernel: Kernel, output: Any, max_tokens: int
) -> Solution:
    """Uniform multi-passive: the LLM itself gives one order after the other."""
    cores = {part.name: as_passive(part, kernel) for part in parts}
    llm = kernel.agent(LLM)
    options = {part.name: part.capability for part in parts} | {
        "answer": "everything needed is known; the answer can be given"
    }
    results: list[str] = []
    sources: list[int] = []
    for _ in range(MAX_ORDERS):
        reply = await llm.ask(
            f"{with_results(question, results)}\n\n"
            "Give the next order, with every name and number it needs. "
            f"You can choose from:\n{described(options)}",
            output=step_type(tuple(options)),
            temperature=0.0,
            max_tokens=max_tokens,
            sources=sources,
        )
        if reply.data is None or isinstance(reply.data, Unparsed) or reply.data.to == "answer":
            break
        order = reply.data.order
        step = Step(reply.data.to, with_results(order, results))
        done = await _unless_denied(obey(cores[step.to], step))
        results.append(f"{order} -> {done.text}")
        sources += [reply.call, *done.sources]
    last = await llm.ask(
        answer_prompt(question, results),
        output=output,
        temperature=0.0,
        max_tokens=max_tokens,
        sources=sources,
    )
    return Solution(last.data, {LLM: last.data})


async def _planned(
    parts: Sequence[Part], question: str, kernel: Kernel, output: Any, max_tokens: int
) -> Solution:
    """One active, many passive: the planner dispatches by capability text."""
    cores = {part.name: as_passive(part, kernel) for part in parts}
    rules = {rule.name: rule for part in parts for rule in part.rules}
    planner = active(
        kernel,
        PLANNER,
        planning=LmPlanning(max_tokens),
        memory=RunNotes(),
        profile=HandProfile("You plan the work of a team and give clear, complete orders."),
        action=Abilities(parts),  # it has one, but orders others; its own tools are none
        security=RuleSecurity(tuple(rules.values())) if rules else None,
    )
    options = {name: core.capability for name, core in cores.items()}

    async def do(step: Step) -> Done:
        return await _unless_denied(obey(cores[step.to], step))

    last = await pursue(planner, question, options, do, output=output, max_tokens=max_tokens)
    return Solution(last.data, {PLANNER: last.data})


async def _together(
    parts: Sequence[Part],
    question: str,
    kernel: Kernel,
    output: Any,
    max_tokens: int,
    lead: Leading,
) -> Solution:
    """Uniform multi-active: each plans and acts; only the leader changes anything."""
    more = COORDINATION if lead.elect else ()
    cores = [as_active(p, kernel, team=parts, more=more, max_tokens=max_tokens) for p in parts]
    options = {part.name: part.capability for part in parts}
    offices = [Office(core, lead) for core in cores]

    async def work(core: CoreAgent, office: Office) -> Any:
        async def do(step: Step) -> Done:
            return await _unless_denied(office.act(step))

        try:
            last = await pursue(core, question, options, do, output=output, max_tokens=max_tokens)
            await office.close()
            return last.data
        finally:
            await office.leave()

    ended = await asyncio.gather(
        *(work(c, o) for c, o in zip(cores, offices, strict=True)), return_exceptions=True
    )
    answers: dict[str, Any] = {}
    failed: dict[str, BaseException] = {}
    # Ties go to the answer seen first: that of whoever led last.
    for office, result in sorted(zip(offices, ended, strict=True), key=lambda pair: -pair[0].term):
        if isinstance(result, BaseException):
            if not isinstance(result, CollegiumError | asyncio.CancelledError):
                raise result
            failed[office.name] = result
        else:
            answers[office.name] = result
    if not answers:
        raise next(iter(failed.values()))
    vote = majority(answers.values(), lambda a: None if isinstance(a, Unparsed) else a)
    answer = vote.winner if vote.cast else Unparsed("", "no core-agent gave a readable answer")
    return Solution(answer, answers, {name: str(e) for name, e in failed.items()})


async def _unless_denied(work: Awaitable[Done]) -> Done:
    """An order that a security rule refuses comes back as refused; the work goes on."""
    try:
        return await work
    except Denied as error:
        return Done(f"refused: {error}")
