"""Precision and recall of findings on projects whose truth is known, for each type of defect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.mutate import Label


class Claim(msgspec.Struct, frozen=True):
    """What a checker says of a project: a type, and where."""

    type: Kind
    symbol: str


class Counts(msgspec.Struct, frozen=True):
    """Right claims, wrong claims and missed defects."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.right + other.right, self.wrong + other.wrong, self.missed + other.missed
        )

    @property
    def precision(self) -> float | None:
        """Share of claims that are right; None without claims."""
        said = self.right + self.wrong
        return self.right / said if said else None

    @property
    def recall(self) -> float | None:
        """Share of defects that are found; None without defects."""
        there = self.right + self.missed
        return self.right / there if there else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the two; None where nothing was there and nothing was said."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else None


def count(claims: Iterable[Claim], label: Label | None) -> dict[Kind, Counts]:
    """Compare the claims about one project with its truth.

    Claims of the labelled type about a labelled symbol are the defect, counted once; all others
    are wrong.

    Args:
        claims: What a checker says.
        label: The truth; None for a clean project.

    Returns:
        Counts by type.
    """
    found: dict[Kind, Counts] = {}
    hit = False
    for claim in dict.fromkeys(claims):
        if label is not None and claim.type == label.type and named(claim.symbol, label.symbols):
            hit = True
        else:
            found[claim.type] = found.get(claim.type, Counts()) + Counts(wrong=1)
    if label is not None:
        own = Counts(right=int(hit), missed=int(not hit))
        found[label.type] = found.get(label.type, Counts()) + own
    return found


def named(symbol: str, symbols: Sequence[str]) -> bool:
    """Whether a symbol is one of these, its class or module aside, or a method of one."""
    parts = symbol.split(".")
    return any(s in parts or (s and s.rpartition(".")[2] == parts[-1]) for s in symbols)


def total(parts: Iterable[dict[Kind, Counts]]) -> dict[Kind, Counts]:
    """The counts of many projects together."""
    found: dict[Kind, Counts] = {}
    for part in parts:
        for kind, counts in part.items():
            found[kind] = found.get(kind, Counts()) + counts
    return found
