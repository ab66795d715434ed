"""The pools of CodeCoR, the lineages of its code, the ranked set, and what is told of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import msgspec

from collegium.kernel import Unparsed
from collegium.systems.system import Result
from collegium.tasks.task import Task
from collegium.tools.programs import Checked, compiles

GARBLED, UNREADABLE = "it could not be read", "the judgement could not be read"


class Candidate(msgspec.Struct, frozen=True):
    """A member of a pool: its text, whether it stayed and why not, and the call that wrote it.

    ``judged`` tells what an agent judged from what form alone decided.
    """

    text: str
    kept: bool = True
    reason: str = ""
    call: int = -1
    judged: bool = False


class Snippet(msgspec.Struct, frozen=True):
    """A program in its lineage: the snippet it comes from, and how often it was rewritten."""

    lineage: int
    code: str
    checked: tuple[Checked, ...] = ()
    rounds: int = 0
    call: int = -1
    reply: Any = None

    @property
    def passed(self) -> int:
        """How many tests it passes."""
        return sum(c.passed for c in self.checked)

    @property
    def failing(self) -> tuple[str, ...]:
        """The tests it fails, in their order."""
        return tuple(c.test for c in self.checked if not c.passed)


class Repair(msgspec.Struct, frozen=True):
    """One repair round of one lineage; ``after`` is None when the rewrite is not Python."""

    before: Snippet
    after: Snippet | None
    advice: tuple[Candidate, ...]

    @property
    def diff(self) -> str:
        """What the round changed, as a unified diff."""
        name = f"candidate-{self.before.lineage + 1}/round-{self.before.rounds}"
        after = self.after.code if self.after else self.before.code
        to = f"candidate-{self.before.lineage + 1}/round-{self.before.rounds + 1}"
        lines = difflib.unified_diff(
            self.before.code.splitlines(), after.splitlines(), name, to, lineterm=""
        )
        return "".join(f"{line}\n" for line in lines)


class State(msgspec.Struct):
    """What a run has so far: its pools, the latest snippet of each lineage, and the repairs."""

    task: Task
    entry_point: str = ""
    prompts: list[Candidate] = []
    tests: list[Candidate] = []
    codes: list[Candidate] = []
    latest: dict[int, Snippet] = {}
    repairs: list[Repair] = []


def rank(snippets: Sequence[Snippet]) -> list[Snippet]:
    """Tests passed, descending; then repair rounds, ascending; then the order of generation."""
    return sorted(snippets, key=lambda s: (-s.passed, s.rounds, s.lineage))


def conclude(state: State) -> Result:
    """The first of the ranked set, with the pools and the repairs that led there."""
    tests = [t.text for t in state.tests if t.kept]
    order = rank(list(state.latest.values()))
    if not tests:  # nothing tells them apart: Python comes before what is not
        order.sort(key=lambda s: bool(compiles(s.code)))
    state.repairs.sort(key=lambda r: (r.before.rounds, r.before.lineage))
    pools = [state.prompts, state.tests, state.codes, *(r.advice for r in state.repairs)]
    equals = [s for s in order if (s.passed, s.rounds) == (order[0].passed, order[0].rounds)]
    notes = {
        "entry_point": state.entry_point,
        "pools": msgspec.to_builtins(
            {"prompts": state.prompts, "tests": state.tests, "codes": state.codes}
        ),
        "ranked": [
            {"candidate": s.lineage + 1, "code": s.code, "passed": s.passed, "rounds": s.rounds}
            for s in order
        ],
        "repairs": [
            {
                "candidate": r.before.lineage + 1,
                "round": r.before.rounds + 1,
                "advice": msgspec.to_builtins(r.advice),
                "failing": list(r.before.failing),
                "failing_after": list(r.after.failing) if r.after else None,
                "diff": r.diff,
            }
            for r in state.repairs
        ],
        "self_tests": {"passed": order[0].passed if order else 0, "total": len(tests)},
        "untested": not tests,
        "tied": bool(tests) and len({s.code for s in equals}) > 1,
        "unreadable": sum(c.reason in (GARBLED, UNREADABLE) for pool in pools for c in pool),
    }
    said = account(state, order, notes)
    if not order:
        return Result(Unparsed("", "no snippet is valid Python"), (), notes, said)
    files = {"solution.py": f"{order[0].code}\n"}
    if tests:
        files["tests.py"] = "\n".join([f"from solution import {state.entry_point}", "", *tests, ""])
    if state.repairs:
        files["repairs.diff"] = "".join(r.diff for r in state.repairs)
    return Result(order[0].code, tuple(s.reply for s in order), notes, said, files)


def account(state: State, order: Sequence[Snippet], notes: dict[str, Any]) -> str:
    """What a reader wants to know: what was pruned and why, and how each candidate did."""
    lines: list[str] = []
    for name, pool in (("Prompts", state.prompts), ("Tests", state.tests), ("Code", state.codes)):
        if pool:
            lines.append(f"{name}: {sum(c.kept for c in pool)} of {len(pool)} stayed.")
        for i, c in enumerate(pool, 1):
            what = f": {c.text}" if name == "Tests" else ""
            if name == "Tests" or not c.kept:
                lines.append(f"  {'kept' if c.kept else 'dropped'} {i}{because(c)}{what}")
    if not any(p.kept for p in state.prompts):
        lines.append("No plan stayed: the task itself was the prompt.")
    if not order:
        lines.append("No program stayed, so there is no answer.")
    elif notes["untested"]:
        lines.append("No test stayed: the first valid program is the answer, untested.")
    else:
        lines += [
            f"Candidate {s.lineage + 1}: {s.passed} of {notes['self_tests']['total']} tests, "
            f"{s.rounds} repair round{'s' * (s.rounds != 1)}."
            for s in order
        ]
    if notes["tied"]:
        lines.append("Another program did equally well; the earlier one was taken.")
    for r in state.repairs:
        lines.append(f"Candidate {r.before.lineage + 1}, repair round {r.before.rounds + 1}:")
        lines += [f"  advice dropped{because(a)}" for a in r.advice if not a.kept]
        lines += [] if r.after else ["  the rewrite was not Python and was dropped"]
        lines += [f"  {line}" for line in r.diff.splitlines()]
    return "\n".join(lines)


def because(candidate: Candidate) -> str:
    """The reason in brackets, where there is one."""
    return f" ({candidate.reason})" if candidate.reason else ""
