"""Diagnosis of a run: all rules over one trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from collegium.bench.diagnosis.facts import Facts, lacks
from collegium.bench.diagnosis.findings import Finding
from collegium.bench.diagnosis.modes import MODES
from collegium.bench.diagnosis.rules_agents import (
    ghost_actions,
    ignored,
    mismatch,
    reset,
    withheld,
    withheld_answer,
)
from collegium.bench.diagnosis.rules_specification import (
    lost_history,
    lost_right_answer,
    repeated_calls,
    repeated_messages,
    restated,
    unaware_of_end,
)
from collegium.bench.diagnosis.rules_verification import passed_wrong, premature, unchecked
from collegium.bench.diagnosis.text import same_answer
from collegium.bench.diagnosis.view import view_of
from collegium.kernel.trace import Event

if TYPE_CHECKING:
    from collegium.bench.records import Outcome
    from collegium.tasks.task import Task


def diagnose(
    events: Iterable[Event], *, task: Task | None = None, outcome: Outcome | None = None
) -> tuple[Finding, ...]:
    """Find the failure modes that rules can see in the trace of one run.

    Works on any valid trace, finished or not, and calls no model. Time grows with the length of
    the trace. Rule-detectable are modes 1.3, 1.4, 1.5, 2.1, 2.4, 2.5, 2.6, 3.1, 3.2 and 3.3 of the
    MAST taxonomy; the others need :func:`collegium.bench.diagnosis.judge`.

    Args:
        events: The trace of one system on one task.
        task: What was to be solved: its kind of answer says when two answers are the same.
        outcome: How the run was judged. Only with it can be seen that a right answer was lost
            (1.5), a right one not passed on (2.4), or a wrong one passed by a check (3.3).

    Returns:
        The findings, by mode and then by place in the trace.
    """
    view = view_of(events)
    said_again = {agent: tuple(restated(turns)) for agent, turns in view.by_agent.items()}
    missing = lacks(view)
    facts = Facts(view) if missing else None
    found = [
        *repeated_calls(view),
        *repeated_messages(view, said_again),
        *lost_history(view, missing, facts),
        *unaware_of_end(view),
        *reset(view),
        *withheld(view, missing, facts),
        *ignored(view, said_again),
        *mismatch(view),
        *ghost_actions(view),
        *premature(view),
        *unchecked(view),
    ]
    if outcome is not None and not outcome.correct and not outcome.error:
        if outcome.reference:
            found += lost_right_answer(view, outcome.reference, _sameness(task))
            found += withheld_answer(view, outcome.reference)
        found += passed_wrong(view)
    unique = {(f.code, f.rule, f.calls): f for f in found}
    return tuple(sorted(unique.values(), key=lambda f: (f.code, f.calls)))


def count_modes(found: Iterable[Sequence[Finding]]) -> dict[str, int]:
    """In how many runs each mode was found, by code in the order of the taxonomy.

    Args:
        found: The findings of each run.
    """
    counts = {m.code: 0 for m in MODES}
    for findings in found:
        for code in {f.code for f in findings}:
            counts[code] += 1
    return {code: number for code, number in counts.items() if number}


def _sameness(task: Task | None) -> Callable[[str, str], bool]:
    """How answers to a task are compared; by number and spelling where no task is given."""
    if task is None:
        return same_answer
    from collegium.tasks.answers import normalise_answer

    def same(a: str, b: str) -> bool:
        normal = normalise_answer(a, task.answer, task.choices)
        return normal is not None and normal == normalise_answer(b, task.answer, task.choices)

    return lambda a, b: same_answer(a, b) or same(a, b)
