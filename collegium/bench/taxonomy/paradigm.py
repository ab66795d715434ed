"""Generative AI, AI agent, collective or agentic AI: the label of a run, with evidence.

The rule over the taxonomy of AI agents and agentic AI (arXiv 2505.10468). The paper describes the
paradigms in words; the counting is ours, and so are the four marks' definitions as events:

* one agent that only answers is generative AI; one agent with a tool, a memory or a world is an AI
  agent; agents that never exchange a message are judged as one;
* with two or more agents and messages between them, four marks are scored: several agents,
  decomposition at run time, persistent shared memory, orchestrated autonomy. ``LEAST_MARKS`` of
  them, the first included, are agentic AI; fewer are a collective of AI agents. Memory is a record
  of the kernel's memory or storage that was read, or a document in messages: one that an agent
  wrote and a second one handed on to a third, so that it outlived the exchange it was made for.

Every mark holds by events that are named; without them it does not hold. No model is asked, and
neither the name of a system nor the catalog is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from collegium.bench.taxonomy.decisions import assignments, decisions, handed_on
from collegium.bench.taxonomy.messages import (
    UNDETERMINED,
    USERS,
    in_order,
    lacking,
    messages_of,
    records_read,
    speakers,
)
from collegium.catalog.surveys import agentic_survey
from collegium.kernel import AskHuman, Event, Generate, Receive, Send

PAPER = "agentic-taxonomy"

LEAST_MARKS = 3
"""Of the four marks, how many make agentic AI."""


class Mark(msgspec.Struct, frozen=True):
    """One of the four criteria: whether it holds, by which events, and why."""

    id: str
    value: bool
    evidence: tuple[int, ...]
    says: str


class Paradigm(msgspec.Struct, frozen=True, kw_only=True):
    """The label of a run.

    Attributes:
        label: A value of the facet "paradigm"; "undetermined" when the trace lacks what it needs.
        marks: The four criteria; none for a single agent.
        agents: Those that got an answer from a model.
        acts: Calls of tools, memory, storage or a world.
        generators: In agentic AI, agents that only generate: each a generative agent in itself.
        why: One sentence.
        missing: What the trace would need to have.
    """

    label: str
    marks: tuple[Mark, ...] = ()
    agents: tuple[str, ...] = ()
    acts: tuple[int, ...] = ()
    generators: tuple[str, ...] = ()
    why: str = ""
    missing: tuple[str, ...] = ()

    @property
    def score(self) -> int:
        """How many marks hold."""
        return sum(m.value for m in self.marks)


def paradigm_of(events: Iterable[Event]) -> Paradigm:
    """Label a run."""
    ordered = in_order(events)
    if lacks := lacking(ordered):
        return Paradigm(label=UNDETERMINED, why=f"The trace has no {lacks[0]}.", missing=lacks)
    agents = tuple(a for a in speakers(ordered) if a not in USERS)
    acts = tuple(
        e.id for e in ordered if not isinstance(e.call, Generate | Send | Receive | AskHuman)
    )
    marks = marks_of(ordered)
    if not marks[0].value:
        label = "ai-agent" if acts else "generative-ai"
        does = f"used tools or memory {len(acts)} times" if acts else "called nothing but a model"
        who = "One agent" if len(agents) < 2 else f"{len(agents)} agents that exchange nothing"
        return Paradigm(label=label, agents=agents, acts=acts, why=f"{who} {does}.")
    score = sum(m.value for m in marks)
    label = "agentic-ai" if score >= LEAST_MARKS else "agent-collective"
    return Paradigm(
        label=label,
        marks=marks,
        agents=agents,
        acts=acts,
        generators=_generators(ordered, agents) if label == "agentic-ai" else (),
        why=f"{score} of {len(marks)} marks hold; {LEAST_MARKS} make agentic AI.",
    )


def marks_of(events: Sequence[Event]) -> tuple[Mark, ...]:
    """The four criteria, in the order of the survey's file."""
    found = {
        "multi_agent": _several(events),
        "dynamic_decomposition": _decomposed(events),
        "persistent_memory": _remembered(events),
        "orchestrated_autonomy": _orchestrated(events),
    }
    return tuple(Mark(c.id, bool(found[c.id][0]), *found[c.id]) for c in agentic_survey().criteria)


def _several(events: Sequence[Event]) -> tuple[tuple[int, ...], str]:
    speaking = set(speakers(events))
    between = [m for m in messages_of(events) if {m.sender, m.receiver} <= speaking]
    pairs = {a for m in between for a in (m.sender, m.receiver)}
    return _ids(m.events for m in between), f"{len(between)} messages among {len(pairs)} agents"


def _decomposed(events: Sequence[Event]) -> tuple[tuple[int, ...], str]:
    lists = assignments(events)
    shown = _ids((a.reply, *(i for _, i in a.calls)) for a in lists)
    who = ", ".join(dict.fromkeys(a.by for a in lists))
    return shown, f"{who} wrote sub-tasks that later calls were given" if lists else "no sub-tasks"


def _remembered(events: Sequence[Event]) -> tuple[tuple[int, ...], str]:
    read = records_read(events)
    others = sum(one.writer not in ("", one.reader) for one in read)
    documents = handed_on(events)
    says = f"{len(read)} records read, {others} of them written by others"
    if documents:
        says += f"; {len(documents)} times a document was handed on to a third agent"
    return _ids([*(one.events for one in read), *(d[:2] for d in documents)]), says


def _orchestrated(events: Sequence[Event]) -> tuple[tuple[int, ...], str]:
    found = decisions(events)
    kinds = ", ".join(dict.fromkeys(d.kind for d in found))
    return _ids(d.events for d in found), kinds or "no decision of an agent about the run"


def _ids(groups: Iterable[Iterable[int]]) -> tuple[int, ...]:
    return tuple(sorted({i for group in groups for i in group}))


def _generators(events: Sequence[Event], agents: Sequence[str]) -> tuple[str, ...]:
    """Agents that did nothing but answer: no tool, no memory, no decision."""
    act = {e.call.agent for e in events if not isinstance(e.call, Generate | Send | Receive)}
    decide = {d.by for d in decisions(events)}
    return tuple(a for a in agents if a not in act | decide)
