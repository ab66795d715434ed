"""Structure, form, strategy, coordination and stage of a team, from what it did.

Rules of the survey of collaboration mechanisms (arXiv 2501.06322, sections 3 and 4), made exact.
The survey defines the values in words; thresholds and order are decisions of this module:

1. The graph is undirected, over agents; people are left out. An edge stays when it carries at
   least ``EDGE_SHARE`` of the messages.
2. A pure chain or ring is decentralised, and its form is a relay. (Three agents in a row are a
   chain only if nothing comes back; otherwise the middle one is a hub.)
3. An agent that takes part in ``HUB_SHARE`` of the messages, with at least ``HUB_OTHERS`` others,
   makes it centralised.
4. Levels are counted from the agent that got the task first. ``LEVELS`` of them, and an agent
   without which the graph falls apart and which has ``BELOW`` neighbours one level down, make it
   hierarchical.
5. Anything else is decentralised.

What agents aim at cannot be seen in calls, so the type of a channel is never observed. A rule reads
the trace alone: neither the name of the system nor what the catalog declares of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from collegium.bench.taxonomy.decisions import decisions
from collegium.bench.taxonomy.messages import (
    UNDETERMINED,
    Message,
    depths,
    generations_of,
    in_order,
    lacking,
    messages_of,
    speakers,
)
from collegium.kernel import Event, Generate

PAPER = "collaboration-survey"

EDGE_SHARE = 0.03
HUB_SHARE = 0.90
HUB_OTHERS = 2
LEVELS = 3
BELOW = 2
BUS_SHARE = 0.5
"""Share of messages through memory from which their form is a bus."""

Graph = Mapping[str, frozenset[str]]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a rule found.

    Attributes:
        values: The values; "undetermined" alone when the trace does not tell.
        evidence: Ids of the events that show it.
        why: One sentence.
        missing: What the trace would need to have.
    """

    values: tuple[str, ...]
    evidence: tuple[int, ...] = ()
    why: str = ""
    missing: tuple[str, ...] = ()


class Structure(Seen, frozen=True, kw_only=True):
    """The shape over which messages travelled.

    Attributes:
        form: "memory", "report", "relay" or "debate".
        hub: The agent that takes part in most messages.
        share: In which share of them.
        levels: Of each agent, counted from the one that got the task first.
    """

    form: str = ""
    hub: str = ""
    share: float = 0.0
    levels: dict[str, int] = {}


def unseen(why: str, *missing: str) -> Seen:
    """The outcome of a rule that a trace gives too little to."""
    return Seen(values=(UNDETERMINED,), why=why, missing=missing)


def structure_of(events: Iterable[Event]) -> Structure:
    """Classify the shape of a run."""
    events = in_order(events)
    lacks = tuple(m for m in lacking(events) if m != "answered model calls")
    messages = () if lacks else messages_of(events)
    if not messages:
        lacks = lacks or ("messages between agents",)
        why = f"The trace has no {lacks[0]}."
        return Structure(values=(UNDETERMINED,), why=why, missing=lacks)
    team = {agent for m in messages for agent in (m.sender, m.receiver)}
    root = next((a for a in speakers(events) if a in team), messages[0].sender)
    shape = shape_of(messages, root)
    layers = max(depths(events).values())
    if shape.values == ("decentralised",) and shape.form != "relay" and layers >= LEVELS:
        # One agent in several layers is one node here; the survey sees the layers as levels.
        why = f"{shape.why} Unrolled over turns there are {layers} layers."
        return msgspec.structs.replace(shape, why=why)
    return shape


def shape_of(messages: Sequence[Message], root: str) -> Structure:
    """Classify messages.

    Args:
        messages: At least one.
        root: The agent that got the task first.
    """
    carried = Counter(frozenset((m.sender, m.receiver)) for m in messages)
    total = len(messages)
    kept = [m for m in messages if carried[frozenset((m.sender, m.receiver))] >= EDGE_SHARE * total]
    graph = _graph(kept)
    on = Counter(agent for m in kept for agent in {m.sender, m.receiver})
    hub = max(sorted(graph), key=on.__getitem__)
    share = on[hub] / len(kept)
    levels = _levels(graph, root if root in graph else kept[0].sender)
    evidence = tuple(sorted({i for m in kept for i in m.events}))
    value, why, form = "decentralised", "Several agents talk directly to several others.", "debate"
    splitting = _splitting(graph, levels)
    if line := _pure_line(graph, kept):
        why, form = (
            f"The messages run along a {line}: {' - '.join(_along(graph, levels))}.",
            "relay",
        )
    elif share >= HUB_SHARE and len(graph) > HUB_OTHERS:
        value, form = "centralised", "report"
        why = f"{hub} takes part in {on[hub]} of {len(kept)} messages."
        evidence = tuple(
            sorted({i for m in kept if hub in (m.sender, m.receiver) for i in m.events})
        )
    elif max(levels.values()) + 1 >= LEVELS and splitting:
        value = "hierarchical"
        why = (
            f"{max(levels.values()) + 1} levels below {root}; without {splitting} "
            "the level under it would be cut off."
        )
    if sum(m.way == "memory" for m in kept) >= BUS_SHARE * len(kept):
        form = "memory"
    return Structure(
        values=(value,), evidence=evidence, why=why, form=form, hub=hub, share=share, levels=levels
    )


def _graph(messages: Iterable[Message]) -> Graph:
    near: defaultdict[str, set[str]] = defaultdict(set)
    for m in messages:
        near[m.sender].add(m.receiver)
        near[m.receiver].add(m.sender)
    return {agent: frozenset(found) for agent, found in near.items()}


def _levels(graph: Graph, root: str, without: str = "") -> dict[str, int]:
    """Distance of every agent that can be reached from the root, breadth first."""
    levels, waiting = {root: 0}, deque([root])
    while waiting:
        here = waiting.popleft()
        for agent in sorted(graph[here]):
            if agent not in levels and agent != without:
                levels[agent] = levels[here] + 1
                waiting.append(agent)
    return levels


def _splitting(graph: Graph, levels: Mapping[str, int]) -> str:
    """An agent without which the graph falls apart, with enough neighbours one level down."""
    for agent in sorted(levels, key=lambda a: (levels[a], a)):
        below = [a for a in graph[agent] if levels.get(a) == levels[agent] + 1]
        others = [a for a in levels if a != agent]
        if len(below) >= BELOW and len(_levels(graph, others[0], agent)) < len(others):
            return agent
    return ""


def _along(graph: Graph, levels: Mapping[str, int]) -> list[str]:
    """The agents of a chain or ring one after another, from the end nearest to the task."""
    here = min(graph, key=lambda a: (len(graph[a]), levels[a], a))
    walked = [here]
    while near := sorted(a for a in graph[here] if a not in walked):
        here = near[0]
        walked.append(here)
    return walked


def _pure_line(graph: Graph, messages: Iterable[Message]) -> str:
    """Say "chain" or "ring" when the graph is nothing else."""
    degrees = sorted(len(near) for near in graph.values())
    if len(_levels(graph, next(iter(graph)))) < len(graph):
        return ""
    ways = {(m.sender, m.receiver) for m in messages}
    if len(graph) == 2:
        return "chain" if len(ways) == 1 else ""
    if degrees == [2] * len(graph):
        # Three that all talk both ways are not a ring but everybody with everybody.
        return "ring" if len(graph) > 3 or len(ways) == 3 else ""
    if degrees == [1, 1] + [2] * (len(graph) - 2):
        one_way = len(ways) == 2 and len({sender for sender, _ in ways}) == 2
        return "chain" if len(graph) > 3 or (one_way and len({to for _, to in ways}) == 2) else ""
    return ""


def coordination_of(events: Iterable[Event], *others: Iterable[Event]) -> Seen:
    """Whether the agents or the channels of a run depended on what a model wrote in it.

    Args:
        events: The run.
        others: Further runs of the same system, with the same settings. Where the first has agents
            or channels that another lacks, something in the run decided about them.
    """
    ordered = in_order(events)
    if lacks := lacking(ordered):
        return unseen(f"The trace has no {lacks[0]}.", *lacks)
    found = [d for d in decisions(ordered) if d.kind != "verdict"]
    if found:
        evidence = tuple(sorted({i for d in found for i in d.events}))
        return Seen(values=("dynamic",), evidence=evidence, why=found[0].says)
    for other in others:
        theirs = _places(other)
        if more := {p: i for p, i in _places(ordered).items() if p not in theirs}:
            named = ", ".join(" - ".join(sorted(p)) for p in more)
            why = f"Another run of the same system was without {named}."
            return Seen(values=("dynamic",), evidence=tuple(sorted(more.values())), why=why)
    why = "No reply of a model decided which agents or channels there were."
    return Seen(values=("static",), why=why)


def _places(events: Iterable[Event]) -> dict[frozenset[str], int]:
    """Agents and channels of a run, each with the event it is first seen in."""
    ordered = in_order(events)
    found: dict[frozenset[str], int] = {}
    for e in ordered:
        if isinstance(e.call, Generate):
            found.setdefault(frozenset((e.call.agent,)), e.id)
    for m in messages_of(ordered):
        found.setdefault(frozenset((m.sender, m.receiver)), m.events[0])
    return found


def strategy_of(events: Iterable[Event]) -> Seen:
    """Whether agents differ by role, or by nothing but the rules that join them."""
    ordered = in_order(events)
    if lacks := lacking(ordered):
        return unseen(f"The trace has no {lacks[0]}.", *lacks)
    messages = messages_of(ordered)
    team = {agent for m in messages for agent in (m.sender, m.receiver)}
    first: dict[str, Event] = {}
    for e in generations_of(ordered):
        if e.call.agent in team:
            first.setdefault(e.call.agent, e)
    if len(first) < 2:
        return unseen("There are no two agents that exchange messages.", "messages between agents")
    kinds = {a: _role(e) for a, e in first.items()}
    evidence = tuple(sorted(e.id for e in first.values()))
    if len(set(kinds.values())) > 1:
        why = f"{len(set(kinds.values()))} different roles or profiles among {len(kinds)} agents."
        return Seen(values=("role-based",), evidence=evidence, why=why)
    why = f"All {len(kinds)} agents have one role and one profile; rules alone join them."
    return Seen(values=("rule-based",), evidence=evidence, why=why)


def _role(event: Event) -> tuple[str, str]:
    """What an agent is told to be: its role and its system prompt."""
    call = event.call
    assert isinstance(call, Generate)
    profile = next((m.text for m in call.messages if m.role == "system"), "")
    return call.role, profile


def stage_of(events: Iterable[Event]) -> Seen:
    """When the work was joined: early when agents heard others before they spoke, late when
    several turns of the last layer were left for something outside the agents to combine.
    """
    ordered = in_order(events)
    if lacks := lacking(ordered):
        return unseen(f"The trace has no {lacks[0]}.", *lacks)
    turns = [e for e in generations_of(ordered) if e.outcome != "fix"]
    messages = messages_of(ordered)
    last = {e.call.agent: e.id for e in turns}
    heard = {m.receiver: m for m in reversed(messages) if last.get(m.receiver, -1) > m.events[0]}
    # A repair of a turn is no use of it.
    used = {s for e in ordered if e.outcome != "fix" for s in e.call.sources}
    depth = depths(ordered)
    deepest = max((depth[i] for i in last.values()), default=0)
    open_ends = sorted(i for i in last.values() if i not in used and depth[i] == deepest)
    values, evidence = [], []
    if heard:
        values.append("early")
        evidence += [i for m in heard.values() for i in (*m.events, last[m.receiver])]
    if len(open_ends) > 1:
        values.append("late")
        evidence += open_ends
    if not values:
        return unseen("One agent worked alone.", "messages between agents")
    said = {"early": "agents went on from what others said",
            "late": "several last turns were combined outside the agents"}  # fmt: skip
    why = " and ".join(said[v] for v in values).capitalize() + "."
    return Seen(values=tuple(values), evidence=tuple(sorted(set(evidence))), why=why)
