"""Score a design on the six quality attributes, with reasons, and put measured figures beside it.

The paper assesses its hybrids in words and names ATRAF, an architecture trade-off analysis, in v3.
The rules from a blueprint to a score are ours, computed from its structure; so are the weights,
which are there to be changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from collegium.agents.umf.blueprint import Blueprint
from collegium.agents.umf.check import architecture_of, check
from collegium.agents.umf.election import COORDINATION
from collegium.errors import BadInput, unknown_name
from collegium.kernel import Event, Generate, Receive, Send, Usage, UseTool
from collegium.kernel.trace import generations

Attribute = Literal[
    "modularity",
    "extensibility",
    "performance",
    "reliability",
    "security",
    "synchronisation cost",
]

WEIGHTS: dict[str, float] = dict.fromkeys(get_args(Attribute), 1.0)
"""How much each attribute counts unless one says otherwise: all the same."""


class Score(msgspec.Struct, frozen=True):
    """0 (worst) to 3 (best) on one attribute, with the reason and the weight it was given.

    On "synchronisation cost" 3 means that it costs nothing.
    """

    attribute: str
    score: int
    reason: str
    weight: float


class Measured(msgspec.Struct, frozen=True):
    """What runs of a design really took.

    Attributes:
        llm_calls: Generations.
        tool_calls: Tools used, those that coordinate aside.
        coordination: Messages, and uses of tools that coordinate.
        tokens: Prompt and completion tokens.
        seconds: From the first call to the end of the last, over all runs.
        refused: Calls that ended in an error.
    """

    llm_calls: int
    tool_calls: int
    coordination: int
    tokens: int
    seconds: float
    refused: int


class Assessment(msgspec.Struct, frozen=True):
    """A design's scores, their weighted mean (0 to 3), and measured figures where there are any."""

    architecture: str
    scores: tuple[Score, ...]
    mean: float
    measured: Measured | None = None


def assess(
    blueprint: Blueprint,
    *traces: Sequence[Event],
    weights: Mapping[str, float] | None = None,
) -> Assessment:
    """Assess a design.

    Args:
        blueprint: The design.
        traces: Runs of it, for the measured figures.
        weights: Attribute -> weight, 0 or more; those not named keep the weight 1.

    Raises:
        UnknownName: A weight is for no attribute.
        BadInput: A weight is negative, or all are 0.
    """
    used = dict(WEIGHTS)
    for name, weight in (weights or {}).items():
        if name not in WEIGHTS:
            raise unknown_name("quality attribute", name, WEIGHTS)
        if weight < 0:
            raise BadInput(f"the weight of {name} must be 0 or more, not {weight}.")
        used[name] = weight
    if not sum(used.values()):
        raise BadInput("at least one quality attribute needs a weight above 0.")
    judged = {
        "modularity": _modularity(blueprint),
        "extensibility": _extensibility(blueprint),
        "performance": _performance(blueprint),
        "reliability": _reliability(blueprint),
        "security": _security(blueprint),
        "synchronisation cost": _synchronisation(blueprint),
    }
    scores = tuple(Score(name, *judged[name], used[name]) for name in WEIGHTS)
    mean = sum(s.score * s.weight for s in scores) / sum(used.values())
    return Assessment(architecture_of(blueprint), scores, mean, measure(traces) if traces else None)


def measure(traces: Sequence[Sequence[Event]]) -> Measured:
    """What runs took, read from their traces."""
    events = [e for trace in traces for e in trace]
    uses = [e for e in events if isinstance(e.call, UseTool)]
    together = [e for e in uses if isinstance(e.call, UseTool) and e.call.tool in COORDINATION]
    mail = [e for e in events if isinstance(e.call, Send | Receive)]
    spans = [
        max(e.started + e.seconds for e in trace) - min(e.started for e in trace)
        for trace in traces
        if trace
    ]
    return Measured(
        llm_calls=generations(events),
        tool_calls=len(uses) - len(together),
        coordination=len(together) + len(mail),
        tokens=sum((e.usage for e in events if isinstance(e.call, Generate)), Usage()).tokens,
        seconds=round(sum(spans), 3),
        refused=sum(e.outcome == "error" for e in events),
    )


def _actives(blueprint: Blueprint) -> int:
    return sum(core.kind == "active" for core in blueprint.core_agents)


def _modularity(blueprint: Blueprint) -> tuple[int, str]:
    rules = ("active-without-module", "passive-with-module", "passive-without-action", "boundary")
    faults = [v for v in check(blueprint) if v.rule in rules]
    if faults:
        return max(0, 2 - len(faults)), f"modules are where they do not belong: {faults[0]}"
    copies = _actives(blueprint)
    if copies > 1:
        return 2, f"{copies} core-agents each carry planning, memory and profile"
    return 3, "every module has one place"


def _extensibility(blueprint: Blueprint) -> tuple[int, str]:
    actives, passives = _actives(blueprint), len(blueprint.core_agents) - _actives(blueprint)
    if not passives:
        if actives == 1:
            return 1, "a new ability changes the one core-agent"
        return 1, "a new ability is a core-agent with all modules that joins the synchronisation"
    if actives > 1:
        return 2, "a new ability is a passive core-agent, but several commanders must know of it"
    return 3, "a new ability is a passive core-agent and a line of capability text"


def _performance(blueprint: Blueprint) -> tuple[int, str]:
    deciders = _actives(blueprint)
    if deciders == 0:
        return 2, "an LLM decides order by order, with a call for each"
    if deciders == 1:
        return 3, "one core-agent plans once"
    return max(0, 3 - deciders), f"{deciders} core-agents each plan the same task"


def _reliability(blueprint: Blueprint) -> tuple[int, str]:
    rules = {v.rule for v in check(blueprint)}
    if "no-synchronisation" in rules or "command-cycle" in rules:
        return 0, "active core-agents can act against each other"
    actives = _actives(blueprint)
    if actives == 0:
        return 1, "nothing plans, and nothing remembers what was done"
    if actives == 1:
        return 2, "one core-agent decides; without it nothing goes on"
    return 3, "another active core-agent can take over"


def _security(blueprint: Blueprint) -> tuple[int, str]:
    open_paths = [v for v in check(blueprint) if v.rule == "unguarded-path"]
    bare = sum(core.modules.security is None for core in blueprint.core_agents)
    if open_paths:
        return max(0, 1 - (len(open_paths) - 1)), f"{len(open_paths)} open: {open_paths[0]}"
    if bare:
        return 2, f"every path is guarded, but {bare} core-agents rely on another's security"
    return 3, "every core-agent has a security module"


def _synchronisation(blueprint: Blueprint) -> tuple[int, str]:
    actives = _actives(blueprint)
    if actives <= 1:
        return 3, "there is nobody to agree with"
    if not blueprint.synchronisation:
        return 0, f"{actives} active core-agents do not agree on anything"
    return 1, f"{actives} active core-agents agree by {blueprint.synchronisation}"
