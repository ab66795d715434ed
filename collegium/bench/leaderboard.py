"""The evaluation desk: reports of comparisons side by side, and the drop against a changed twin.

Two reports go on one board only when they measured the same thing: same model, roles, questions and
budget. Otherwise they are refused, and the difference is named. Nothing is averaged over different
benchmarks. Several seeds of one system on the same questions count as one system, right on a
question by the share of seeds that were.

After section III of "From LLM Reasoning to Autonomous AI Agents" (arXiv 2504.19678).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import fmean

import msgspec

from collegium.bench.desk import Difference, mean_interval, paired
from collegium.bench.records import Outcome, Report, SystemRow
from collegium.errors import BadInput, unknown_name

PAPER = "agents-review"

SPEND = 2.0
"""Factor between the smallest and the largest spend up to which systems are ranked."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One system on a board.

    Attributes:
        system: Its name with its parameters.
        seeds: The seeds it ran with.
        n: Questions.
        accuracy: Share of right answers, over all seeds.
        low: Lower end of the 95% interval.
        high: Upper end.
        interval: How the interval was computed: from every question ("bootstrap"), or from the
            counts alone ("Wilson") where a report does not hold its outcomes.
        tokens_per_task: Tokens it spent on a question.
        tokens_per_solved: Tokens it spent for each right answer; None when there was none.
        money_per_solved: US dollars for each right answer.
        against: The paired test against the baseline; None for the baseline itself, and where no
            report holds both with their outcomes or their test.
    """

    system: str
    seeds: tuple[int, ...]
    n: int
    accuracy: float
    low: float
    high: float
    interval: str
    tokens_per_task: float
    tokens_per_solved: float | None
    money_per_solved: float | None
    against: Difference | None = None


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """Systems that were measured on the same questions, with the same model and budget.

    Attributes:
        baseline: What the others are tested against; "" for none.
        ranked: Whether the spends are near enough for the order to be a ranking.
        spend: Largest spend over smallest, in tokens per question.
    """

    benchmark: str
    split: str
    model: str
    budget: int | None
    n: int
    created: tuple[str, str]
    baseline: str
    ranked: bool
    spend: float
    places: tuple[Place, ...]


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse a system is on changed questions.

    Attributes:
        pairs: Questions that were answered in both forms.
        original: Accuracy on them as they were published.
        changed: Accuracy on their twins.
        difference: The paired test; its difference is the drop.
    """

    system: str
    pairs: int
    original: float
    changed: float
    difference: Difference


def read_report(file: Path) -> Report:
    """Read a report: ``report.json`` of a comparison, or a file of the results folder.

    Raises:
        BadInput: It cannot be read, or is no report.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except OSError as error:
        raise BadInput(f"cannot read the report {file}: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{file} is no report of a comparison: {error}.") from None


def reports_below(folder: Path) -> list[Report]:
    """All reports one folder down, as the results folder holds them; other files are passed by."""
    found = []
    for file in sorted(folder.glob("*/*.json")):
        try:
            found.append(read_report(file))
        except BadInput:
            continue
    return found


def difference(one: Report, other: Report) -> str:
    """What keeps two reports from being compared, in words; "" when nothing does."""
    for what, a, b in (
        ("models", one.model, other.model),
        ("models of roles", _roles(one), _roles(other)),
        ("benchmarks", one.benchmark, other.benchmark),
        ("splits", one.split, other.split),
        ("budgets", _budget(one), _budget(other)),
    ):
        if a != b:
            return f"different {what}: {a} and {b}"
    if one.outcomes and other.outcomes:
        if _items(one.outcomes) != _items(other.outcomes):
            return f"different questions ({_n(one)} and {_n(other)})"
    elif one.fingerprint != other.fingerprint:
        return f"different questions ({_n(one)} and {_n(other)}; fingerprints differ)"
    return ""


def grouped(reports: Sequence[Report]) -> list[list[Report]]:
    """Reports that can be compared, together; in order of the first of each group."""
    groups: list[list[Report]] = []
    for report in reports:
        for group in groups:
            if not difference(group[0], report):
                group.append(report)
                break
        else:
            groups.append([report])
    return groups


def board(reports: Sequence[Report], baseline: str = "") -> Board:
    """Put reports side by side.

    Args:
        reports: What was measured.
        baseline: The system the others are tested against; "" for no tests.

    Returns:
        The systems: where they can be ranked the best first, of equals the cheaper one; where they
        cannot, the cheapest first.

    Raises:
        BadInput: There is nothing, two reports do not measure the same, or one system was measured
            twice with one seed.
        UnknownName: There is no such baseline.
    """
    if not reports:
        raise BadInput("a leaderboard needs at least one report.")
    first = reports[0]
    for other in reports[1:]:
        if said := difference(first, other):
            raise BadInput(f"these reports cannot be compared; they have {said}.")
    runs: dict[str, list[tuple[Report, SystemRow]]] = {}
    for report in reports:
        for row in report.systems:
            if any(r.seed == report.seed for r, _ in runs.get(row.name, ())):
                raise BadInput(f"{row.name} was measured twice with seed {report.seed}; leave "
                               "one of the two reports out.")  # fmt: skip
            runs.setdefault(row.name, []).append((report, row))
    if baseline and baseline not in runs:
        raise unknown_name("system of these reports", baseline, runs)
    against = _by_task(runs[baseline]) if baseline else {}
    made = [
        _place(name, found, _test(name, found, baseline, against) if name != baseline else None)
        for name, found in runs.items()
    ]
    spends = [max(1.0, p.tokens_per_task) for p in made if p.n]
    spend = max(spends) / min(spends) if spends else 1.0
    ranked = spend <= SPEND
    places = sorted(made, key=lambda p: (-p.accuracy if ranked else 0.0, p.tokens_per_task))
    dates = sorted(r.created for r in reports)
    return Board(
        benchmark=first.benchmark,
        split=first.split,
        model=first.model,
        budget=first.budget,
        n=_n(first),
        created=(dates[0], dates[-1]),
        baseline=baseline,
        ranked=ranked,
        spend=spend,
        places=tuple(places),
    )


def drops(original: Report, changed: Report) -> tuple[Drop, ...]:
    """How much worse each system is on twins than on the questions they are twins of.

    Questions belong together by the part of their id after the first slash.

    Args:
        original: The report on ``gsm8k-twin:original``.
        changed: The report on ``gsm8k-twin``.

    Raises:
        BadInput: A report lacks its outcomes, model or budget differ, or nothing belongs together.
    """
    for what, a, b in (
        ("models", original.model, changed.model),
        ("models of roles", _roles(original), _roles(changed)),
        ("budgets", _budget(original), _budget(changed)),
    ):
        if a != b:
            raise BadInput(f"these reports cannot be compared; they have different {what}: "
                           f"{a} and {b}.")  # fmt: skip
    if not (original.outcomes and changed.outcomes):
        raise BadInput("a drop needs every outcome: take report.json of compare --out.")
    found = []
    for name in dict.fromkeys(o.system for o in original.outcomes):
        before = {_twin(o): float(o.correct) for o in original.outcomes if o.system == name}
        after = {_twin(o): float(o.correct) for o in changed.outcomes if o.system == name}
        shared = [task for task in before if task in after]
        if not shared:
            continue
        a, b = [before[t] for t in shared], [after[t] for t in shared]
        found.append(
            Drop(
                system=name,
                pairs=len(shared),
                original=fmean(a),
                changed=fmean(b),
                difference=paired(a, b, seed=original.seed),
            )
        )
    if not found:
        raise BadInput("no system answered the same questions in both reports.")
    return tuple(found)


def _place(
    name: str, found: Sequence[tuple[Report, SystemRow]], against: Difference | None
) -> Place:
    scores = _by_task(found)
    n = sum(row.n for _, row in found)
    correct = sum(row.correct for _, row in found)
    tokens = sum(row.tokens_prompt + row.tokens_completion for _, row in found)
    if scores:
        low, high = mean_interval(list(scores.values()), seed=found[0][0].seed)
    else:
        # Counts alone do not say which questions were right: the widest interval of all seeds.
        low = min(row.ci_low for _, row in found)
        high = max(row.ci_high for _, row in found)
    return Place(
        system=name,
        seeds=tuple(report.seed for report, _ in found),
        n=found[0][1].n,
        accuracy=correct / n if n else 0.0,
        low=low,
        high=high,
        interval="bootstrap" if scores else "Wilson",
        tokens_per_task=tokens / n if n else 0.0,
        tokens_per_solved=tokens / correct if correct else None,
        money_per_solved=sum(row.money for _, row in found) / correct if correct else None,
        against=against,
    )


def _test(
    name: str,
    found: Sequence[tuple[Report, SystemRow]],
    baseline: str,
    against: Mapping[str, float],
) -> Difference | None:
    """Test a system against the baseline, from the outcomes or as its report has tested it."""
    scores = _by_task(found)
    shared = [task for task in scores if task in against]
    if shared:
        return paired([scores[t] for t in shared], [against[t] for t in shared],
                      seed=found[0][0].seed)  # fmt: skip
    if not baseline or len(found) != 1:
        return None
    report, row = found[0]
    for p in report.pairs:
        # On right and wrong answers the exact McNemar test is the exact sign-flip permutation.
        if {p.a, p.b} == {name, baseline} and p.test == "exact McNemar":
            if p.a == name:
                return Difference(row.n, p.difference, p.ci_low, p.ci_high, p.p)
            return Difference(row.n, -p.difference, -p.ci_high, -p.ci_low, p.p)
    return None


def _by_task(found: Sequence[tuple[Report, SystemRow]]) -> dict[str, float]:
    """Share of seeds that were right, by question; nothing where a report lacks its outcomes."""
    scores: dict[str, list[float]] = {}
    for report, row in found:
        mine = [o for o in report.outcomes if o.system == row.name]
        if len(mine) != row.n:
            return {}
        for o in mine:
            scores.setdefault(o.task, []).append(float(o.correct))
    return {task: fmean(values) for task, values in scores.items()}


def _items(outcomes: Iterable[Outcome]) -> str:
    """Digest of the questions of a report, whatever their order."""
    digest = blake2b(digest_size=16)
    for item in sorted({(o.task, o.prompt, o.reference) for o in outcomes}):
        digest.update(msgspec.json.encode(item))
    return digest.hexdigest()


def _twin(outcome: Outcome) -> str:
    """What a question and its twin share of their ids."""
    return outcome.task.partition("/")[2] or outcome.task


def _n(report: Report) -> int:
    return max((row.n for row in report.systems), default=0)


def _budget(report: Report) -> str:
    return "none" if report.budget is None else f"{report.budget:,} tokens"


def _roles(report: Report) -> str:
    return ", ".join(f"{r}={m}" for r, m in sorted(report.roles.items())) or "none"
