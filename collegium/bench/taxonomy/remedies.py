"""Which remedies a run applied, and which answer what: the matrix with its gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from collegium.bench.taxonomy.messages import in_order, messages_of, records_read
from collegium.catalog.surveys import agentic_survey
from collegium.catalog.surveys.agentic import Remedy
from collegium.kernel import Event, Find, Generate, Recall, Remember, Store, UseTool

SEARCHES = ("search", "retrieve", "lookup", "find")
"""Words in the name of a tool that retrieves."""

UNSEEN = ("S7", "S8", "S9", "S10")
"""Remedies that leave no mark of their own in the calls of a run."""


class RemedyRow(msgspec.Struct, frozen=True):
    """A line of the matrix.

    Attributes:
        remedy: The remedy.
        running: Those of its papers that run here.
        gaps: What is missing: "feature", "paper"; empty when nothing is.
    """

    remedy: Remedy
    running: tuple[str, ...]
    gaps: tuple[str, ...]


def matrix(running: Collection[str]) -> tuple[RemedyRow, ...]:
    """Every remedy with what implements it and who uses it.

    Args:
        running: Slugs of the papers that are implemented.
    """
    rows = []
    for remedy in agentic_survey().remedies:
        gaps = [
            n for n, held in (("feature", remedy.feature), ("paper", remedy.papers)) if not held
        ]
        rows.append(RemedyRow(remedy, tuple(s for s in remedy.papers if s in running), tuple(gaps)))
    return tuple(rows)


def unanswered() -> tuple[str, ...]:
    """Challenges that no remedy with an implementation addresses."""
    survey = agentic_survey()
    answered = {c for r in survey.remedies if r.feature for c in r.addresses}
    return tuple(c.id for c in survey.challenges if c.id not in answered)


def remedies_on(events: Iterable[Event]) -> dict[str, tuple[int, ...]]:
    """Remedies that a run shows, each with the events that show it.

    Retrieval is a search that brought something; reasoning with tools is a tool that a model or
    its program used; the loop is a turn after an observation of one's own; memory is writing;
    roles are messages between agents of different roles; reflection is a turn made from the
    agent's own earlier turn and nothing else.
    """
    ordered = in_order(events)
    found = {
        "S1": _retrievals(ordered),
        "S2": [e.id for e in ordered if isinstance(e.call, UseTool) and not e.error],
        "S3": _loops(ordered),
        "S4": [e.id for e in ordered if isinstance(e.call, Remember | Store) and not e.error],
        "S5": _roles(ordered),
        "S6": _reflections(ordered),
    }
    return {id: tuple(shown) for id, shown in found.items() if shown}


def _retrievals(events: Sequence[Event]) -> list[int]:
    read = [one.read for one in records_read(events)]
    searched = [e.id for e in events if isinstance(e.call, Recall | Find) and e.value]
    tools = [
        e.id
        for e in events
        if isinstance(e.call, UseTool)
        and not e.error
        and any(w in e.call.tool.lower() for w in SEARCHES)
    ]
    return sorted({*read, *searched, *tools})


def _loops(events: Sequence[Event]) -> list[int]:
    found: list[int] = []
    acted: dict[str, tuple[int, int]] = {}  # the turn before the use, and the use
    turns: dict[str, int] = {}
    for e in events:
        agent = e.call.agent
        if isinstance(e.call, UseTool) and agent in turns:
            acted[agent] = (turns[agent], e.id)
        elif isinstance(e.call, Generate) and e.replies:
            if agent in acted:
                found += [*acted.pop(agent), e.id]
            turns[agent] = e.id
    return sorted(set(found))


def _roles(events: Sequence[Event]) -> list[int]:
    roles = {e.call.agent: e.call.role for e in events if isinstance(e.call, Generate)}
    between = [m for m in messages_of(events) if roles.get(m.sender) != roles.get(m.receiver)]
    return sorted({i for m in between for i in m.events})


def _reflections(events: Sequence[Event]) -> list[int]:
    by_id = {e.id: e for e in events}
    found = []
    for e in events:
        if not isinstance(e.call, Generate) or e.outcome == "fix" or not e.replies:
            continue
        origins = [by_id[s] for s in e.call.sources if s in by_id]
        own = [o for o in origins if o.call.agent == e.call.agent and isinstance(o.call, Generate)]
        if own and len(own) == len(origins):
            found.append(e.id)
    return found
