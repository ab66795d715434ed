"""Passages that may show a mode which only a judge can decide: 1.1, 1.2, 2.2 and 2.3."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from collegium.bench.diagnosis.phrases import SUPPOSES
from collegium.bench.diagnosis.text import content, shared
from collegium.bench.diagnosis.view import Turn, View, view_of
from collegium.kernel.calls import Send
from collegium.kernel.trace import Event

if TYPE_CHECKING:
    from collegium.tasks.task import Task

PASSAGE = 6000
"""Most characters of each part of a passage that a judge is given."""

FEWEST = 20
"""A reply of fewer meaningful words is too short to have drifted."""

DRIFTED = 0.1
"""Share of the words of its request below which a reply may be about something else."""

_CONSTRAINT = re.compile(
    r"\b(?:exactly|at most|at least|no more than|must not|never|without) \w+", re.IGNORECASE
)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A passage to be judged.

    Attributes:
        code: The mode it may show.
        calls: Ids of the trace events it is taken from.
        agent: Whose behaviour is in question.
        request: What the agent had been told.
        text: What it did: the evidence has to be quoted from here.
        why: Why it was picked, in one sentence.
    """

    code: str
    calls: tuple[int, ...]
    agent: str
    request: str
    text: str
    why: str


def candidates(events: Iterable[Event], *, task: Task | None = None) -> tuple[Candidate, ...]:
    """Pick passages worth a judge's time, at most one per mode and agent.

    Args:
        events: The trace of one system on one task.
        task: What was to be solved; without it, the first request of an agent stands for it.
    """
    view = view_of(events)
    found = (
        *_task_broken(view, task),
        *_role_left(view),
        *_not_asked(view, events),
        *_drifted(view),
    )
    first = {(c.code, c.agent): c for c in reversed(found)}
    return tuple(sorted(first.values(), key=lambda c: (c.code, c.calls)))


def _made(code: str, turn: Turn, request: str, why: str, *calls: int) -> Candidate:
    return Candidate(
        code=code,
        calls=(turn.id, *calls),
        agent=turn.agent,
        request=request[:PASSAGE],
        text=turn.text[:PASSAGE],
        why=why,
    )


def _task_broken(view: View, task: Task | None) -> Iterator[Candidate]:
    """1.1: a form that had to be asked for again, or a result under explicit constraints."""
    final = {t.id for t in view.final}
    for turn in view.turns:
        if turn.fix or turn.call.n > 1:
            continue
        request = f"{task.rules}\n{task.text}".strip() if task is not None else ""
        if turn.repaired is not None:
            why = "Its form did not fit and was asked for again."
            yield _made("1.1", turn, _told(turn), why, turn.repaired)
        elif turn.id in final and _CONSTRAINT.search(request):
            yield _made("1.1", turn, request, "The task lays down constraints.")


def _role_left(view: View) -> Iterator[Candidate]:
    """1.2: an agent speaks in another agent's name, or reaches for a tool it was not given."""
    others = sorted(view.by_agent, key=len, reverse=True)
    refused = {u.agent for u in view.uses if u.failed and u.result.startswith("unknown tool of")}
    for agent, turns in view.by_agent.items():
        names = "|".join(re.escape(n) for n in others if n != agent)
        speaks = (
            re.compile(rf"^\W*(?:{names})\W*:", re.MULTILINE | re.IGNORECASE) if names else None
        )
        for turn in turns:
            if speaks is not None and speaks.search(turn.text):
                yield _made("1.2", turn, _told(turn), "It speaks in the name of another agent.")
            elif agent in refused and turn.tool_calls:
                yield _made("1.2", turn, _told(turn), "It asks for a tool that it was not given.")


def _not_asked(view: View, events: Iterable[Event]) -> Iterator[Candidate]:
    """2.2: an agent supposes something, and asks neither the user nor another agent."""
    asking = {q.agent for q in view.questions}
    asking |= {e.call.agent for e in events if isinstance(e.call, Send) and "?" in e.call.text}
    for turn in view.turns:
        if turn.agent not in asking and not turn.fix and SUPPOSES.search(turn.text):
            yield _made("2.2", turn, _told(turn), "It supposes something that it was not told.")


def _drifted(view: View) -> Iterator[Candidate]:
    """2.3: a long reply that shares hardly a word with what was asked."""
    for turn in view.turns:
        wanted, used = content(turn.asked), content(turn.text)
        if turn.fix or len(used) < FEWEST or len(wanted) < 5:
            continue
        if shared(used, wanted) < DRIFTED:
            yield _made("2.3", turn, _told(turn), "It shares hardly a word with its request.")


def _told(turn: Turn) -> str:
    """What an agent was told: its profile and the request."""
    profile = next((m.text for m in turn.call.messages if m.role == "system"), "")
    return f"{profile}\n{turn.asked}".strip()
