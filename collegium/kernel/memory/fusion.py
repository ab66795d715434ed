"""Putting two rankings together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

RRF_K = 60
"""Constant of reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009, section 2."""


def fuse(*rankings: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: an item scores the sum of 1 / (60 + rank) over the rankings.

    Args:
        rankings: Items with the scores they had, best first; only their order counts.

    Returns:
        Items with scores, best first. Scores are divided by the greatest possible sum: an item
        that is first everywhere scores 1, one that is first in one of two rankings 0.5. Ties: the
        smaller item first.
    """
    sums: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (item, _) in enumerate(ranking, 1):
            sums[item] += 1 / (RRF_K + rank)
    most = len(rankings) / (RRF_K + 1)
    scored = ((item, total / most) for item, total in sums.items())
    return sorted(scored, key=lambda s: (-s[1], s[0]))
