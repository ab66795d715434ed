"""Majority voting over answers: normalised first, ties to the answer seen first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import msgspec


class Vote(msgspec.Struct, frozen=True):
    """The outcome of a vote.

    Attributes:
        winner: The first answer given of the winning group; None when nobody voted.
        votes: How many voted for it.
        cast: How many voted at all (an unparsed answer is no vote).
        groups: Votes per normalised answer, in the order first seen.
    """

    winner: Any
    votes: int
    cast: int
    groups: tuple[tuple[Hashable, int], ...]


def majority(answers: Iterable[Any], normalise: Callable[[Any], Hashable | None]) -> Vote:
    """Plurality vote.

    Args:
        answers: In agent order.
        normalise: Maps an answer to what it is compared by; None means "no vote".
    """
    first: dict[Hashable, Any] = {}
    counts: dict[Hashable, int] = {}
    for answer in answers:
        key = normalise(answer)
        if key is None:
            continue
        first.setdefault(key, answer)
        counts[key] = counts.get(key, 0) + 1
    if not counts:
        return Vote(winner=None, votes=0, cast=0, groups=())
    # max keeps the earliest among equals: dicts remember the order of first votes.
    best = max(counts, key=counts.__getitem__)
    return Vote(first[best], counts[best], sum(counts.values()), tuple(counts.items()))
