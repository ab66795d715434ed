"""What was measured, by facet: whether systems of a kind did better than a plain baseline.

A comparison says which system did better. Put by facet, comparisons say which *kind* of system did:
centralised or decentralised, static or dynamic. Every system of a paper is held against the
strongest baseline of its own comparison, so questions, model and budget are the same. Differences
of one comparison are corrected together (Holm); what is not told apart counts as such. A kind with
two systems on one benchmark says little, and every row says how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from collegium.bench.records import Pair, Report
from collegium.bench.statistics import holm
from collegium.catalog import facets, paper
from collegium.errors import UnknownName, unknown_name

BASELINES = ("self-consistency", "self-refine", "cot", "tool-calling", "direct")
"""What a system is held against: the first of these that is in its comparison."""

LEVEL = 0.05


class Held(msgspec.Struct, frozen=True):
    """A system of a paper beside the baseline of its comparison.

    Attributes:
        system: The system, as it was run.
        paper: Its paper.
        benchmark: On what.
        model: With which model.
        n: Questions.
        accuracy: Its share of right answers.
        baseline: What it is held against.
        difference: Its accuracy minus the baseline's.
        low: Lower end of the 95% interval of the difference.
        high: Upper end.
        p: Corrected for all systems of the comparison.
        fair: Whether the comparison ranks its systems: their spends are alike.
    """

    system: str
    paper: str
    benchmark: str
    model: str
    n: int
    accuracy: float
    baseline: str
    difference: float
    low: float
    high: float
    p: float
    fair: bool

    @property
    def verdict(self) -> str:
        """Better or worse than the baseline, or not told apart from it."""
        if self.p >= LEVEL:
            return "not told apart"
        return "better" if self.difference > 0 else "worse"


class Cell(msgspec.Struct, frozen=True):
    """The systems of one kind.

    Attributes:
        facet: The facet.
        value: Its value.
        held: Every one of its systems in every comparison.
    """

    facet: str
    value: str
    held: tuple[Held, ...]

    def count(self, verdict: str) -> int:
        """How many came to a verdict."""
        return sum(h.verdict == verdict for h in self.held)

    @property
    def mean_difference(self) -> float:
        """The mean difference to the baseline, every system and comparison once."""
        return sum(h.difference for h in self.held) / len(self.held)


def held(report: Report) -> list[Held]:
    """Every system of a paper in a comparison, beside the comparison's baseline.

    Args:
        report: The comparison. Without a baseline in it, there is nothing to hold against.
    """
    names = {row.name.partition(":")[0]: row.name for row in reversed(report.systems)}
    baseline = next((names[b] for b in BASELINES if b in names), None)
    rows = [row for row in report.systems if row.paper and known(row.paper)]
    tested = [(row, beside(report, row.name, baseline)) for row in rows if baseline]
    there = [(row, pair) for row, pair in tested if pair is not None]
    return [
        Held(
            row.name, row.paper or "", report.benchmark, report.model, row.n, row.accuracy,
            baseline or "", pair.difference, pair.ci_low, pair.ci_high, p,
            report.ranking is not None,
        )
        for (row, pair), p in zip(there, holm([pair.p for _, pair in there]), strict=True)
    ]  # fmt: skip


def beside(report: Report, system: str, baseline: str) -> Pair | None:
    """The test of a system against a baseline, turned so that the system comes first."""
    for pair in report.pairs:
        if (pair.a, pair.b) == (system, baseline):
            return pair
        if (pair.a, pair.b) == (baseline, system):
            return msgspec.structs.replace(
                pair, a=system, b=baseline, difference=-pair.difference, ci_low=-pair.ci_high,
                ci_high=-pair.ci_low, only_a=pair.only_b, only_b=pair.only_a,
            )  # fmt: skip
    return None


def measured(reports: Iterable[Report], names: Iterable[str] = ()) -> list[Cell]:
    """What was measured, by facet.

    Args:
        reports: The comparisons.
        names: Which facets; none: all.

    Returns:
        One cell for each value that a measured system has, in the order of the catalog.

    Raises:
        UnknownName: There is no such facet.
    """
    known_facets = facets()
    wanted = [*names] or [*known_facets]
    for name in wanted:
        if name not in known_facets:
            raise unknown_name("facet", name, known_facets)
    everything = [one for report in reports for one in held(report)]
    cells: list[Cell] = []
    for name in wanted:
        for value in known_facets[name].values:
            these = tuple(h for h in everything if value in paper(h.paper).facets.get(name, ()))
            if these:
                cells.append(Cell(name, value, these))
    return cells


def known(slug: str) -> bool:
    """Whether the catalog has a paper."""
    try:
        paper(slug)
    except UnknownName:
        return False
    return True
