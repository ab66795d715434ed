"""From outcomes to what may be said of them: rows, pairs, ranking and verdict.

A comparison ranks systems only when they were given comparable means. Where one system spent
several times the tokens of another, "better" says nothing about the method, so the verdict says
that instead. And a method that costs more than a simpler one without being measurably better is
reported as what it is: it did not help.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from collegium.bench.diagnosis import count_modes
from collegium.bench.records import FactRow, Outcome, Pair, SystemRow
from collegium.bench.statistics import holm, mcnemar_exact, paired_bootstrap, wilson
from collegium.bench.words import listed, p_value, percent, points, short_names

LEVEL = 0.05
"""Level of significance: the chance of a false alarm that is accepted."""

_ALIKE = 1.1
"""Spends within this factor count as the same when a method is held against a baseline."""


def score(outcome: Outcome) -> float:
    """The score of an outcome, in 0..1, 0 and 1 for what is as good as that.

    Verifiers made for training pay a few hundredths for a wrong answer in the right form; that is
    no partial success, and taking it for one would turn a matter of right and wrong into grades.
    """
    return float(round(outcome.value)) if abs(outcome.value - 0.5) >= 0.45 else outcome.value


def system_row(
    name: str, paper: str | None, parameters: Mapping[str, Any], outcomes: Sequence[Outcome]
) -> SystemRow:
    """Add up how one system did.

    Args:
        name: As given, parameters included.
        paper: Slug of its paper, None for a baseline.
        parameters: Its hyper-parameters, defaults included.
        outcomes: One per question. Failed and limited runs count like any other: as what they
            scored.

    Returns:
        The row; accuracy is the share of correct answers, its interval Wilson's at 95%.
    """
    n, correct = len(outcomes), sum(o.correct for o in outcomes)
    low, high = wilson(correct, n)
    strata: dict[str, tuple[int, int]] = {}
    found = [o.findings for o in outcomes if o.findings is not None]
    vouched = [o for o in outcomes if passed_own_tests(o)]
    for o in outcomes:
        if o.stratum:
            right, of = strata.get(o.stratum, (0, 0))
            strata[o.stratum] = (right + o.correct, of + 1)
    return SystemRow(
        name=name,
        paper=paper,
        parameters=dict(parameters),
        n=n,
        correct=correct,
        accuracy=correct / n if n else 0.0,
        ci_low=low,
        ci_high=high,
        tokens_prompt=sum(o.tokens_prompt for o in outcomes),
        tokens_cached=sum(o.tokens_cached for o in outcomes),
        tokens_completion=sum(o.tokens_completion for o in outcomes),
        tokens_per_task=sum(o.tokens for o in outcomes) / n if n else 0.0,
        calls=sum(o.calls for o in outcomes),
        seconds=sum(o.seconds for o in outcomes),
        money=sum(o.money for o in outcomes),
        unparsed=sum(o.unparsed for o in outcomes),
        limited=sum(o.limited for o in outcomes),
        errors=sum(bool(o.error) for o in outcomes),
        strata=dict(sorted(strata.items())),
        diagnosed=len(found),
        modes=count_modes(found),
        self_tested=len(vouched),
        self_tested_correct=sum(o.correct for o in vouched),
        facts=fact_rows(outcomes),
        blocked=dict(sum((Counter(o.blocked) for o in outcomes), Counter[str]()).most_common()),
    )


def fact_rows(outcomes: Sequence[Outcome]) -> dict[str, FactRow]:
    """Add up what was judged besides: shares with Wilson's interval, means with the bootstrap's."""
    rows: dict[str, FactRow] = {}
    for name in dict.fromkeys(name for o in outcomes for name in o.facts):
        values = [o.facts[name] for o in outcomes if name in o.facts]
        mean = sum(values) / len(values)
        if all(isinstance(v, bool) for v in values):
            yes = sum(map(bool, values))
            rows[name] = FactRow(len(values), yes, mean, *wilson(yes, len(values)))
        else:
            low, high, _ = paired_bootstrap([float(v) for v in values], seed=0)
            rows[name] = FactRow(len(values), None, mean, low, high)
    return rows


def facts_told(row: SystemRow) -> str:
    """What was judged of a system besides, in a line; "" when nothing was."""
    return "; ".join(
        f"{name.replace('_', ' ')} {_of(fact)}, 95% interval {_interval(fact)}"
        for name, fact in row.facts.items()
    )


def _of(fact: FactRow) -> str:
    if fact.yes is None:
        return f"{fact.mean:.3g} on average of {fact.n:,}"
    return f"{fact.yes:,} of {fact.n:,} ({percent(fact.mean)})"


def _interval(fact: FactRow) -> str:
    if fact.yes is None:
        return f"{fact.ci_low:.3g} to {fact.ci_high:.3g}"
    return f"{percent(fact.ci_low)} to {percent(fact.ci_high)}"


def passed_own_tests(outcome: Outcome) -> bool:
    """Whether an answer passed all tests (one at least) that its own system wrote for it."""
    tests = outcome.notes.get("self_tests")
    return isinstance(tests, dict) and 0 < tests.get("total", 0) == tests.get("passed")


def decided_by_own_tests(row: SystemRow) -> str:
    """What a system's own tests were worth, in a sentence; "" when none passed."""
    if not row.self_tested:
        return ""
    right = f"{row.self_tested_correct} of these {row.self_tested} are right"
    return (
        f"{row.self_tested} of {row.n} answers passed every test the system wrote itself; {right}."
    )


def blocked_calls(blocked: Mapping[str, int], most: int = 3) -> str:
    """What a policy did not let through, in a sentence; "" when it let everything through.

    Args:
        blocked: How often, by call and reason.
        most: How many reasons to give.
    """
    if not blocked:
        return ""
    total = sum(blocked.values())
    given = [f"{n} × {why.rstrip('.')}" for why, n in [*blocked.items()][:most]]
    rest = len(blocked) - len(given)
    more = f"; and {rest} other reason{'s' * (rest != 1)}" if rest else ""
    return f"the policy blocked {total:,} call{'s' * (total != 1)}: {'; '.join(given)}{more}."


def pair(
    a_name: str,
    b_name: str,
    outcomes_a: Iterable[Outcome],
    outcomes_b: Iterable[Outcome],
    seed: int,
) -> Pair:
    """Test whether two systems differ on the questions that both were given.

    Args:
        a_name: Name of the first.
        b_name: Name of the second.
        outcomes_a: Its outcomes; matched to the other's by task.
        outcomes_b: The other's.
        seed: Seed of the bootstrap.

    Returns:
        Exact McNemar when every :func:`score` is 0 or 1; with partial scores a paired bootstrap,
        and the difference is then that of the mean scores. The interval is the bootstrap's in
        both cases, (-1, 1) with p = 1 when no question is shared.
    """
    theirs = {o.task: o for o in outcomes_b}
    shared = [(o, theirs[o.task]) for o in outcomes_a if o.task in theirs]
    binary = all(score(o) in (0, 1) for both in shared for o in both)
    if binary:
        differences = [float(x.correct) - float(y.correct) for x, y in shared]
    else:
        differences = [score(x) - score(y) for x, y in shared]
    only_a = sum(x.correct and not y.correct for x, y in shared)
    only_b = sum(y.correct and not x.correct for x, y in shared)
    low, high, p = paired_bootstrap(differences, seed=seed) if shared else (-1.0, 1.0, 1.0)
    return Pair(
        a=a_name,
        b=b_name,
        test="exact McNemar" if binary else "paired bootstrap",
        p=mcnemar_exact(only_a, only_b) if binary else p,
        difference=sum(differences) / len(differences) if shared else 0.0,
        ci_low=low,
        ci_high=high,
        only_a=only_a,
        only_b=only_b,
    )


def rank(
    rows: Sequence[SystemRow],
    pairs: Sequence[Pair] = (),
    *,
    controls: Mapping[str, float] | None = None,
    factor: float = 2.0,
    curve: bool = False,
) -> tuple[tuple[str, ...] | None, str, float]:
    """Rank systems, or say why that would be unfair.

    Args:
        rows: The systems.
        pairs: Paired tests between them, in either direction; without them the verdict says
            nothing on whether differences are real.
        controls: Floors by name, as accuracies in 0..1.
        factor: How many times the smallest spend (tokens per task) the largest may be.
        curve: Rank whatever the spends, and read accuracy against cost.

    Returns:
        (names from best to worst, or None; the verdict in plain sentences; the largest spend over
        the smallest, a spend below one token counting as one).
    """
    measured = [r for r in rows if r.n]
    if not measured:
        return None, "Nothing was measured: no question was run.", 1.0
    least = min(measured, key=lambda r: r.tokens_per_task)
    most = max(measured, key=lambda r: r.tokens_per_task)
    spend = max(1.0, most.tokens_per_task) / max(1.0, least.tokens_per_task)
    order = sorted(measured, key=lambda r: (-r.accuracy, r.tokens_per_task))
    tests = _Tests(pairs, short_names([r.name for r in rows]))
    fair = spend <= factor
    if fair or len(measured) == 1:
        first = _leader(order, tests)
    elif curve:
        first = _front(order, spend, tests.short)
    else:
        first = _refusal(least, most, spend, factor, tests.short)
    said = [
        first,
        _floor(order[0], controls or {}, tests.short) if fair or curve else "",
        _no_help(measured, tests),
        _failures(measured, tests.short),
    ]
    ranking = tuple(r.name for r in order) if fair or curve else None
    return ranking, " ".join(filter(None, said)), spend


def pareto(rows: Iterable[SystemRow]) -> set[str]:
    """The cost-accuracy front: systems that no other matches on both counts and beats on one.

    Returns:
        Their names; two systems with equal cost and accuracy are both on it.
    """
    measured = [r for r in rows if r.n]

    def beaten(row: SystemRow) -> bool:
        return any(
            other.tokens_per_task <= row.tokens_per_task
            and other.accuracy >= row.accuracy
            and (other.tokens_per_task, other.accuracy) != (row.tokens_per_task, row.accuracy)
            for other in measured
        )

    return {r.name for r in measured if not beaten(r)}


def unequal_generations(rows: Sequence[SystemRow], tolerance: float = 0.05) -> tuple[str, ...]:
    """Systems whose calls per task are not those of the rest, for studies at equal generations.

    Args:
        rows: The systems.
        tolerance: Relative difference still taken as equal: a repaired reply costs one call more.

    Returns:
        Names of those outside the largest group of equals (of equal groups, the one with the most
        calls); empty when all are equal.
    """
    rates = {r.name: r.calls / r.n for r in rows if r.n}

    def alike(x: float, y: float) -> bool:
        return abs(x - y) <= tolerance * max(x, y)

    if not rates:
        return ()
    usual = max(rates.values(), key=lambda x: (sum(alike(x, y) for y in rates.values()), x))
    return tuple(name for name, rate in rates.items() if not alike(rate, usual))


class _Tests:
    """Pairs looked up in either direction, with p-values corrected for how many there are.

    Args:
        pairs: The tests.
        short: What the verdict calls each system.
    """

    def __init__(self, pairs: Sequence[Pair], short: Mapping[str, str]) -> None:
        self.short = short
        self._p = "Holm-adjusted p" if len(pairs) > 1 else "p"
        adjusted = holm([p.p for p in pairs])
        self._found = {frozenset((p.a, p.b)): (p, q) for p, q in zip(pairs, adjusted, strict=True)}
        self._told: set[frozenset[str]] = set()

    def between(self, a: str, b: str) -> tuple[float, float, float, float] | None:
        """(difference a - b, low, high, adjusted p), or None when they were not tested."""
        found = self._found.get(frozenset((a, b)))
        if found is None:
            return None
        p, adjusted = found
        if p.a == a:
            return p.difference, p.ci_low, p.ci_high, adjusted
        return -p.difference, -p.ci_high, -p.ci_low, adjusted

    def tell(self, a: str, b: str) -> str:
        """The figures of a test, in full the first time and as the difference alone after that."""
        test = self.between(a, b)
        if test is None:
            return "untested"
        difference, low, high, p = test
        if frozenset((a, b)) in self._told:
            return points(difference)
        self._told.add(frozenset((a, b)))
        return (
            f"{points(difference)}, 95% interval {points(low, unit=False)} to "
            f"{points(high, unit=False)}, {p_value(p, self._p)}"
        )


def _leader(order: Sequence[SystemRow], tests: _Tests) -> str:
    """Who is best, and whether that is more than chance."""
    best, short = order[0], tests.short
    scored = (
        f"{best.correct:,} of {best.n:,} right ({percent(best.accuracy)}, "
        f"95% interval {percent(best.ci_low)} to {percent(best.ci_high)})"
    )
    if len(order) == 1:
        return f"{short[best.name]}: {scored}."
    if best.correct == 0:
        return f"No system got any of the {best.n:,} questions right, so nothing tells them apart."
    second = order[1]
    level = [short[r.name] for r in order if r.accuracy == best.accuracy]
    if len(level) > 1:
        return f"{listed(level)} are level: {scored} each."
    test = tests.between(best.name, second.name)
    start = f"{short[best.name]} is best with {scored}"
    if test is None:
        return f"{start}; next is {short[second.name]} with {percent(second.accuracy)}."
    figures = tests.tell(best.name, second.name)
    if test[0] > 0 and test[3] < LEVEL:
        return f"{start}, ahead of {short[second.name]} by more than chance ({figures})."
    if test[1] < test[2] < 0:  # only partial scores can disagree with the share of right answers
        return f"{start}, yet {short[second.name]} has the higher mean score ({figures})."
    return (
        f"{start}, but these {best.n:,} questions cannot tell it apart from "
        f"{short[second.name]} ({figures})."
    )


def _refusal(
    least: SystemRow, most: SystemRow, spend: float, factor: float, short: Mapping[str, str]
) -> str:
    """Why no ranking would be fair, and what to do about it."""
    return (
        f"Not ranked: {short[most.name]} spent {most.tokens_per_task:,.0f} tokens per task and "
        f"{short[least.name]} {least.tokens_per_task:,.0f}, a factor of {spend:.1f} where a fair "
        f"ranking allows {factor:g}. Ask for a cost-accuracy curve with --curve, or bring the "
        "spends together through the systems' parameters."
    )


def _front(order: Sequence[SystemRow], spend: float, short: Mapping[str, str]) -> str:
    """What is worth its cost, cheapest first."""
    on = pareto(order)
    front = sorted((r for r in order if r.name in on), key=lambda r: r.tokens_per_task)
    at_cost = [
        f"{short[r.name]} ({percent(r.accuracy)} at {r.tokens_per_task:,.0f} tokens)" for r in front
    ]
    off = [short[r.name] for r in order if r.name not in on]
    rest = f"; off the front: {listed(off)}" if off else ""
    return (
        f"Spends differ by a factor of {spend:.1f}, so read accuracy against cost. "
        f"On the front: {listed(at_cost)}{rest}."
    )


def _floor(best: SystemRow, controls: Mapping[str, float], short: Mapping[str, str]) -> str:
    """Say so when even the best system may be no better than no method at all."""
    inside = [f"{k} control ({percent(v)})" for k, v in controls.items() if v >= best.ci_low]
    if not inside:
        return ""
    return f"Even {short[best.name]} is not clearly above the {listed(inside)}."


def _no_help(rows: Sequence[SystemRow], tests: _Tests) -> str:
    """Name the methods that cost no less than a simpler system and are not better than it.

    Held up are the methods of papers (all systems when there are none) against the best of the
    systems that are cheaper, or of the baselines that cost about the same.
    """
    methods = [r for r in rows if r.paper is not None] or list(rows)
    said: list[str] = []
    more: list[str] = []
    for method in methods:
        simpler = [
            r
            for r in rows
            if r.tokens_per_task < method.tokens_per_task
            or (r not in methods and r.tokens_per_task <= _ALIKE * method.tokens_per_task)
        ]
        if not simpler:
            continue
        other = max(simpler, key=lambda r: (r.accuracy, -r.tokens_per_task))
        test = tests.between(method.name, other.name)
        if test is None or test[1] > 0:
            continue
        if len(said) == 2:  # two in full are enough to read; the table has the rest
            more.append(tests.short[method.name])
            continue
        ratio = max(1.0, method.tokens_per_task) / max(1.0, other.tokens_per_task)
        price = f"{ratio:.1f} times the tokens of" if ratio > _ALIKE else "about the tokens of"
        figures = tests.tell(method.name, other.name)
        worse = test[2] < 0 and test[3] < LEVEL
        said.append(
            f"{tests.short[method.name]} {'made it worse' if worse else 'did not help'} "
            f"here: {price} {tests.short[other.name]} for {figures}."
        )
    return " ".join([*said, f"{listed(more)} did not help either." if more else ""]).strip()


def _failures(rows: Sequence[SystemRow], short: Mapping[str, str]) -> str:
    """Warn of systems that were judged by runs that failed."""
    failed = [f"{short[r.name]} on {r.errors:,} of {r.n:,}" for r in rows if r.errors]
    return f"Runs failed and count as wrong: {listed(failed)}." if failed else ""
