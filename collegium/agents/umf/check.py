"""The structural rules of LLM-Agent-UMF, and the architecture that a blueprint amounts to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Literal

import msgspec

from collegium.agents.umf.blueprint import Blueprint, CoreAgentSpec
from collegium.agents.umf.vocabulary import MIND, RULES, PaperVersion
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, UseTool

Architecture = Literal[
    "single-passive",
    "single-active",
    "uniform multi-passive",
    "uniform multi-active",
    "one-active-many-passive",
    "many-active-many-passive",
]


class Violation(msgspec.Struct, frozen=True):
    """A rule that a blueprint breaks.

    Attributes:
        rule: Which one, a key of :data:`collegium.agents.umf.RULES`.
        message: What is wrong, in a few words.
        where: Ids of the parts it concerns; of a path or circle, in its order.
        module: The offending module, where one is.
    """

    rule: str
    message: str
    where: tuple[str, ...]
    module: str = ""

    def __str__(self) -> str:
        return self.message


def architecture(actives: int, passives: int) -> Architecture:
    """The architecture of so many core-agents (paper, multi-core architectures).

    Raises:
        BadInput: There is no core-agent, or a number is negative.
    """
    if actives < 0 or passives < 0 or actives + passives == 0:
        raise BadInput(
            f"an agent has at least one core-agent, not {actives} active and {passives} passive."
        )
    if actives == 0:
        return "single-passive" if passives == 1 else "uniform multi-passive"
    if passives == 0:
        return "single-active" if actives == 1 else "uniform multi-active"
    return "one-active-many-passive" if actives == 1 else "many-active-many-passive"


def architecture_of(blueprint: Blueprint) -> Architecture:
    """The architecture of a blueprint, computed from its core-agents."""
    actives = sum(core.kind == "active" for core in blueprint.core_agents)
    return architecture(actives, len(blueprint.core_agents) - actives)


def check(blueprint: Blueprint, *, version: PaperVersion = "v3") -> tuple[Violation, ...]:
    """Every structural rule that a blueprint breaks.

    Args:
        blueprint: The design.
        version: Rules of which version of the paper; v1 lets passive core-agents do without
            security.

    Returns:
        The violations, in the order of the rules; none for a sound design.
    """
    found = [
        *_kinds(blueprint),
        *_commands(blueprint),
        *_boundaries(blueprint),
        *_order(blueprint),
        *_unguarded(blueprint),
    ]
    return tuple(v for v in found if version == "v3" or RULES[v.rule].since != "v3")


def ensure(blueprint: Blueprint) -> None:
    """Refuse a blueprint that breaks a rule.

    Raises:
        BadInput: It breaks one; all are named.
    """
    found = check(blueprint)
    if found:
        raise BadInput(f"the blueprint breaks {len(found)} rules: {'; '.join(map(str, found))}.")


def check_trace(blueprint: Blueprint, events: Sequence[Event]) -> tuple[Violation, ...]:
    """Whether a run kept to its blueprint: who really called which LLM and which tool.

    A model call made under the id of an LLM is that LLM's own turn.

    Args:
        blueprint: The design.
        events: The trace of a run; agents bear the ids of core-agents.
    """
    cores = {core.id: core for core in blueprint.core_agents}
    llms = {llm.id for llm in blueprint.llms}
    found: list[Violation] = []
    for event in events:
        agent = event.call.agent
        if isinstance(event.call, Generate) and agent not in cores and agent not in llms:
            said = f"call {event.id}: the LLM was called by {agent}, which is no core-agent"
            found.append(Violation("llm-bypasses-core-agent", said, (agent,)))
        elif isinstance(event.call, UseTool):
            tool = event.call.tool
            if agent not in cores or tool not in cores[agent].talks_to:
                said = f"call {event.id}: {agent} used {tool}, which is not in the blueprint"
                found.append(Violation("tool-bypasses-core-agent", said, (agent, tool)))
    return tuple(found)


def _kinds(blueprint: Blueprint) -> Iterator[Violation]:
    """Kind rules: active has all modules, passive action and security alone."""
    for core in blueprint.core_agents:
        present = core.modules.present
        if core.kind == "active":
            for module in (*MIND, "action"):
                if module not in present:
                    said = f"active without {module}: {core.id}"
                    yield Violation("active-without-module", said, (core.id,), module)
        else:
            if "action" not in present:
                said = f"passive without action: {core.id}"
                yield Violation("passive-without-action", said, (core.id,), "action")
            for module in MIND:
                if module in present:
                    said = f"passive with {module}: {core.id}"
                    yield Violation("passive-with-module", said, (core.id,), module)
        if "security" not in present:
            rule = f"{core.kind}-without-security"
            yield Violation(
                rule, f"{core.kind} without security: {core.id}", (core.id,), "security"
            )


def _commanders(blueprint: Blueprint, id: str) -> list[CoreAgentSpec]:
    return [core for core in blueprint.core_agents if id in core.commands]


def _commands(blueprint: Blueprint) -> Iterator[Violation]:
    """Who may instruct whom."""
    kinds = {core.id: core.kind for core in blueprint.core_agents}
    for core in blueprint.core_agents:
        if core.kind == "active":
            continue
        above = {c.id for c in _commanders(blueprint, core.id)}
        # Whoever addresses a core-agent that is not above it tells it what to do.
        told = [t for t in core.talks_to if t in kinds and t not in above]
        for other in dict.fromkeys((*core.commands, *told)):
            said = f"passive commands: {core.id} commands {other}"
            yield Violation("passive-commands", said, (core.id, other))
        orders = [c for c in above if kinds[c] == "active"]
        orders += [llm.id for llm in blueprint.llms if core.id in llm.commands]
        if not orders:
            said = f"passive without commander: {core.id}"
            yield Violation("passive-without-commander", said, (core.id,))
        for human in blueprint.humans:
            if core.id in human.commands or core.id in human.talks_to:
                said = f"human instructs passive: {human.id} instructs {core.id}"
                yield Violation("human-instructs-passive", said, (human.id, core.id))


def _boundaries(blueprint: Blueprint) -> Iterator[Violation]:
    """Tools and LLMs are reached through core-agents and own no modules."""
    cores = blueprint.core_agents
    llms = {llm.id for llm in blueprint.llms}
    tools = {tool.id for tool in blueprint.tools}
    some_active = any(core.kind == "active" for core in cores)
    for tool in blueprint.tools:
        if not any(tool.id in c.talks_to and c.modules.action is not None for c in cores):
            said = f"tool without core-agent: {tool.id}"
            yield Violation("tool-without-core-agent", said, (tool.id,))
    for llm in blueprint.llms:
        if not llm.commands and not any(llm.id in c.talks_to for c in cores):
            said = f"LLM without core-agent: {llm.id}"
            yield Violation("llm-without-core-agent", said, (llm.id,))
    for part in (*blueprint.llms, *blueprint.tools, *blueprint.humans):
        human = part in blueprint.humans
        for other in part.talks_to:
            if other in tools:
                said = f"tool reached past the core-agents: {part.id} -> {other}"
                yield Violation("tool-bypasses-core-agent", said, (part.id, other))
            if other in llms and (some_active or not human):
                said = f"LLM reached past the core-agents: {part.id} -> {other}"
                yield Violation("llm-bypasses-core-agent", said, (part.id, other))
        if not human:
            for module in part.modules.present:
                said = f"boundary: {part.id} owns {module}"
                yield Violation("boundary", said, (part.id,), module)


def _order(blueprint: Blueprint) -> Iterator[Violation]:
    """Active core-agents command each other in one direction, or agree by a mechanism."""
    if blueprint.synchronisation:
        return
    actives = {c.id: c for c in blueprint.core_agents if c.kind == "active"}
    graph = {i: [o for o in c.commands if o in actives] for i, c in actives.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = tuple(reversed(error.args[1]))  # found from the commanded to the commander
        said = f"command cycle: {' -> '.join(circle)}"
        yield Violation("command-cycle", said, circle)
        return
    below = {i: _below(graph, i) for i in graph}
    equals = [
        i for i in graph if any(j not in below[i] and i not in below[j] for j in graph if j != i)
    ]
    if equals:
        said = f"no synchronisation: {', '.join(equals)} have equal rights"
        yield Violation("no-synchronisation", said, tuple(equals))


def _below(graph: dict[str, list[str]], start: str) -> set[str]:
    """Everything that a core-agent commands, directly or not."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = [i for i in graph[waiting.pop()] if i not in found]
        found.update(new)
        waiting += new
    return found


def _unguarded(blueprint: Blueprint) -> Iterator[Violation]:
    """Every way down to a tool without a security module on it."""
    tools = {tool.id for tool in blueprint.tools}
    for core in blueprint.core_agents:
        used = [t for t in core.talks_to if t in tools]
        if not used or core.modules.action is None:
            continue
        for chain in _chains(blueprint, (core,)):
            if any(c.modules.security is not None for c in chain):
                continue
            for tool in used:
                path = (*(c.id for c in chain), tool)
                said = f"unguarded path: {' -> '.join(path)}"
                yield Violation("unguarded-path", said, path)


def _chains(
    blueprint: Blueprint, below: tuple[CoreAgentSpec, ...]
) -> Iterator[tuple[CoreAgentSpec, ...]]:
    """All command chains that end in the given one, each from a core-agent that nobody commands."""
    above = [c for c in _commanders(blueprint, below[0].id) if c not in below]
    if not above or any(below[0].id in llm.commands for llm in blueprint.llms):
        yield below  # an LLM's order reaches it without any core-agent above
    for commander in above:
        yield from _chains(blueprint, (commander, *below))
