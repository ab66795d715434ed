"""The statistics of the desk: a mean with its interval, and a paired difference with its test.

Both are refused for nothing. The interval is a percentile bootstrap of 10,000 resamples (exact
where scores are right or wrong), the test an exact sign-flip permutation up to 16 discordant pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

from collegium.bench.statistics import paired_bootstrap, permutation_p
from collegium.errors import BadInput

RESAMPLES = 10_000


class Difference(msgspec.Struct, frozen=True):
    """A paired difference: first minus second.

    Attributes:
        n: Pairs.
        difference: Of the mean scores.
        low: Lower end of its 95% interval.
        high: Upper end.
        p: Two-sided, of the sign-flip permutation test.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float


def mean_interval(scores: Sequence[float], *, seed: int) -> tuple[float, float]:
    """The 95% bootstrap interval of a mean score.

    Args:
        scores: One per question, in 0..1.
        seed: Of the resampling.

    Raises:
        BadInput: There are none.
    """
    if not scores:
        raise BadInput("a mean needs at least one score; nothing was measured.")
    low, high, _ = paired_bootstrap(scores, seed=seed, resamples=RESAMPLES)
    return low, high


def paired(first: Sequence[float], second: Sequence[float], *, seed: int) -> Difference:
    """Compare two systems on the same questions.

    Args:
        first: Scores of the one, in the order of the questions.
        second: Scores of the other, in the same order.
        seed: Of what is sampled.

    Raises:
        BadInput: There are no pairs, or not as many of the one as of the other.
    """
    if not first or len(first) != len(second):
        raise BadInput(f"a paired test needs scores in pairs, not {len(first)} and {len(second)}.")
    differences = [a - b for a, b in zip(first, second, strict=True)]
    low, high, _ = paired_bootstrap(differences, seed=seed, resamples=RESAMPLES)
    p = permutation_p(differences, seed, RESAMPLES)
    return Difference(len(differences), fmean(differences), low, high, p)
