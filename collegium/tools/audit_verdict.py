"""What an audit found: from evaluations to findings with counter-examples."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from collegium.tools.audit_plan import Input, Plan

Direction = Literal["increasing", "decreasing", "constant", "mixed", "unknown"]
Expected = Literal["increasing", "decreasing"]
Check = Literal["load", "error", "type", "finite", "range", "monotonic", "dead-input", "repeat"]

EXAMPLES = 3
"""Counter-examples that a finding shows."""

ERRORS = 5
"""Different errors that a report lists."""

ROUNDING = 1e-9
"""Share of a result by which it may change against the expected direction, as rounding does."""


class Example(msgspec.Struct, frozen=True):
    """One evaluation: the arguments, and the number (or in words what came instead)."""

    arguments: dict[str, Any]
    outcome: float | str


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong with a formula.

    Attributes:
        check: What found it.
        text: What is wrong, in a sentence.
        input: The input it is about, if it is about one.
        examples: Evaluations that show it; for "monotonic", pairs of them in a row.
        count: How many evaluations, or pairs, showed it.
    """

    check: Check
    text: str
    input: str = ""
    examples: tuple[Example, ...] = ()
    count: int = 0


class AuditReport(msgspec.Struct, frozen=True):
    """What an audit found.

    Attributes:
        name: The function.
        evaluations: How often it was called.
        findings: What is wrong; nothing, if it passed.
        directions: How results change as each input grows and the others stay.
        lowest: Smallest result seen; None: there was no finite one.
        highest: Largest result seen.
    """

    name: str
    evaluations: int
    findings: tuple[Finding, ...]
    directions: dict[str, Direction]
    lowest: float | None = None
    highest: float | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        verdict = "passed" if self.passed else f"{len(self.findings)} findings"
        lines = [f"{self.name}: {verdict} in {self.evaluations} evaluations."]
        for finding in self.findings:
            lines.append(f"- {finding.check}: {finding.text}")
            lines += [f"    {_call(self.name, e)}" for e in finding.examples]
        return "\n".join(lines)


def report_of(
    name: str,
    inputs: Sequence[Input],
    plan: Plan,
    outcomes: Sequence[list[Any]],
    expect: Mapping[str, Expected],
    result: tuple[float, float] | None,
) -> AuditReport:
    """Judge evaluations.

    Args:
        name: The function.
        inputs: Its inputs.
        plan: What was to be evaluated.
        outcomes: What came of it, as ``audit_harness.measure`` says it: one for each point, or
            fewer if the code ended before; of code that could not be loaded, ``["load", why]``.
        expect: How the result must change with an input.
        result: Lowest and highest result that is possible.
    """
    if outcomes and outcomes[-1][0] == "load":
        problem = Finding("load", f"the code cannot be loaded: {outcomes[-1][1]}")
        return AuditReport(name, 0, (problem,), {i.name: "unknown" for i in inputs})
    examples = [
        Example(point, value if kind == "value" else str(value))
        for point, (kind, value) in zip(plan.points, outcomes, strict=False)
    ]
    kinds = [kind for kind, _ in outcomes]
    numbers = {
        i: float(value)
        for i, (kind, value) in enumerate(outcomes)
        if kind == "value" and math.isfinite(value)
    }
    findings = [*_failures(examples, kinds, inputs), *_out_of_range(examples, numbers, result)]
    directions: dict[str, Direction] = {}
    for one in inputs:
        direction, found = _along(one, plan.walks.get(one.name, []), examples, numbers, expect)
        directions[one.name] = direction
        findings += found
    findings += _unsteady(plan, examples)
    extremes = (min(numbers.values()), max(numbers.values())) if numbers else (None, None)
    return AuditReport(name, len(examples), tuple(findings), directions, *extremes)


def _failures(
    examples: Sequence[Example], kinds: Sequence[str], inputs: Sequence[Input]
) -> Iterable[Finding]:
    """Errors, results that are no number, and numbers that are not finite; alike ones together."""
    groups: defaultdict[tuple[Check, str], list[Example]] = defaultdict(list)
    for example, kind in zip(examples, kinds, strict=True):
        if kind == "error":
            groups["error", str(example.outcome)].append(example)
        elif kind == "type":
            groups["type", f"returned {example.outcome}, no number"].append(example)
        elif not math.isfinite(float(example.outcome)):
            groups["finite", f"returned {example.outcome}"].append(example)
    for (check, what), shown in sorted(groups.items(), key=lambda g: -len(g[1]))[:ERRORS]:
        text = f"{what}{_common(shown, examples, inputs)}."
        yield Finding(check, text, examples=tuple(shown[:EXAMPLES]), count=len(shown))


def _common(shown: Sequence[Example], examples: Sequence[Example], inputs: Sequence[Input]) -> str:
    """Which inputs have one and the same value in all of these, and not in all the others."""
    if len(shown) < 2:
        return ""
    same = [
        f"{i.name} = {shown[0].arguments[i.name]}"
        for i in inputs
        if len({repr(e.arguments[i.name]) for e in shown}) == 1
        and len({repr(e.arguments[i.name]) for e in examples}) > 1
    ]
    return f", always with {' and '.join(same)}" if same else ""


def _out_of_range(
    examples: Sequence[Example], numbers: Mapping[int, float], result: tuple[float, float] | None
) -> Iterable[Finding]:
    if result is None:
        return
    low, high = result
    outside = {i: max(low - n, n - high) for i, n in numbers.items() if not low <= n <= high}
    if outside:
        worst = sorted(outside, key=lambda i: (-outside[i], i))[:EXAMPLES]
        share = f"{len(outside)} of {len(numbers)} results"
        yield Finding(
            "range",
            f"{share} lie outside {low:g} to {high:g}, as far as {numbers[worst[0]]:g}.",
            examples=tuple(examples[i] for i in worst),
            count=len(outside),
        )


def _along(
    one: Input,
    walks: Sequence[Sequence[int]],
    examples: Sequence[Example],
    numbers: Mapping[int, float],
    expect: Mapping[str, Expected],
) -> tuple[Direction, list[Finding]]:
    """How results change along an input: by finite differences between neighbours of a walk."""
    up: list[tuple[int, int]] = []
    down: list[tuple[int, int]] = []
    alive, compared = False, 0
    for walk in walks:
        walk = [i for i in walk if i < len(examples)]
        kinds = {"number" if i in numbers else repr(examples[i].outcome) for i in walk}
        alive |= len(kinds) > 1
        finite = [i for i in walk if i in numbers]
        for a, b in itertools.pairwise(finite):
            compared += 1
            change = numbers[b] - numbers[a]
            if abs(change) > ROUNDING * max(abs(numbers[a]), abs(numbers[b])):
                (up if change > 0 else down).append((a, b))
    direction: Direction = "unknown"
    if compared:
        directions: tuple[Direction, ...] = ("constant", "increasing", "decreasing", "mixed")
        direction = directions[bool(up) + 2 * bool(down)]
    findings: list[Finding] = []
    wanted = expect.get(one.name)
    wrong = {"increasing": down, "decreasing": up}.get(wanted or "", [])
    if wrong:
        # The widest change against the expectation shows it best.
        wrong.sort(key=lambda p: (-abs(numbers[p[1]] - numbers[p[0]]), p))
        pairs = tuple(examples[i] for pair in wrong[:EXAMPLES] for i in pair)
        verb = "fell" if wanted == "increasing" else "rose"
        text = f"the result {verb} as {one.name!r} grew, in {len(wrong)} of {compared} steps."
        findings.append(Finding("monotonic", text, one.name, pairs, len(wrong)))
    if compared and not (up or down or alive):
        text = f"the result never changed with {one.name!r}, in {compared} steps."
        ends = [i for i in walks[0] if i in numbers] or [
            i for w in walks for i in w if i in numbers
        ]
        shown = tuple(examples[i] for i in (ends[0], ends[-1]))
        findings.append(Finding("dead-input", text, one.name, shown, compared))
    return direction, findings


def _unsteady(plan: Plan, examples: Sequence[Example]) -> Iterable[Finding]:
    """The same arguments must give the same result."""
    pairs = [(a, b) for a, b in plan.repeats if b < len(examples)]
    differ = [p for p in pairs if len({repr(examples[i].outcome) for i in p}) > 1]
    if differ:
        text = f"the same arguments gave different results, {len(differ)} times of {len(pairs)}."
        shown = tuple(examples[i] for i in differ[0])
        yield Finding("repeat", text, examples=shown, count=len(differ))


def _call(name: str, example: Example) -> str:
    arguments = ", ".join(f"{k}={_short(v)}" for k, v in example.arguments.items())
    return f"{name}({arguments}) -> {_short(example.outcome)}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
