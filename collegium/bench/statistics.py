"""The statistics of a comparison, on the standard library alone.

Intervals for one system (:func:`wilson`), tests between two systems on the same questions
(:func:`mcnemar_exact`, :func:`paired_bootstrap`, :func:`permutation_p`) and the correction for
having made many tests (:func:`holm`). Everything is deterministic: what draws random numbers takes
a seed.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from operator import getitem
from statistics import NormalDist

_ENUMERATE = 16
"""Up to this many differences all sign patterns are tried, instead of a sample of them."""


def wilson(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion.

    It keeps its coverage for small ``n`` and near 0 and 1, where the textbook interval fails.

    Args:
        correct: Successes, 0..n.
        n: Trials; with none the interval is (0, 1): nothing is known.
        confidence: Coverage, between 0 and 1.

    Returns:
        (low, high), within 0..1.

    Raises:
        ValueError: The counts or the confidence are out of range.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical
    inference", J. Am. Stat. Assoc. 22, 209-212.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"correct must lie in 0..{n}, not {correct}")
    tail = _tail(confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(1 - tail)
    share = correct / n
    centre = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exactly 0 and 1 when nothing or everything is right; rounding must not blur that.
    low = 0.0 if correct == 0 else max(0.0, (centre - reach) / scale)
    high = 1.0 if correct == n else min(1.0, (centre + reach) / scale)
    return low, high


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """McNemar's exact test that two systems get the same share of the same questions right.

    Only the questions on which they differ speak; without a difference in skill each of those
    falls to either side like a fair coin.

    Args:
        only_a: Questions that only the first got right.
        only_b: Questions that only the second got right.

    Returns:
        The two-sided p-value, 1.0 when the two never differ.

    Raises:
        ValueError: A count is negative.

    Source: Q. McNemar (1947), Psychometrika 12, 153-157, with the binomial distribution in place
    of its chi-square approximation.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"counts cannot be negative: {only_a}, {only_b}")
    n = only_a + only_b
    term = total = 1
    for k in range(min(only_a, only_b)):
        term = term * (n - k) // (k + 1)
        total += term
    return min(1.0, 2 * total / 2**n)


def paired_bootstrap(
    differences: Sequence[float],
    *,
    seed: int,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Percentile bootstrap of the mean difference between two systems on the same questions.

    When every difference is -1, 0 or 1 (right or wrong answers) the distribution of the
    resampled mean is computed exactly: it is what infinitely many resamples would give, and
    ``seed`` and ``resamples`` do not matter. Otherwise it is sampled.

    Args:
        differences: Score of the first minus score of the second, one per question.
        seed: Seed of the resampling.
        resamples: How many resamples to draw.
        confidence: Coverage of the interval, between 0 and 1.

    Returns:
        (low, high, p): the percentile interval of the mean difference, and the two-sided p-value
        that inverts it, twice the share of resamples on the far side of zero. p is never below
        2^(1-m) for m differences other than zero: that is the least any test of m signs can say,
        and the bootstrap of a handful of questions would be bolder than its data.

    Raises:
        ValueError: There are no differences, or an argument is out of range.

    Source: B. Efron and R. Tibshirani (1993), "An Introduction to the Bootstrap", sections 13.3
    (percentile interval) and 15.4 (its relation to tests).
    """
    n = len(differences)
    if n == 0 or resamples < 1:
        raise ValueError("a bootstrap needs at least one difference and one resample")
    tail = _tail(confidence)
    moved = sum(1 for d in differences if d != 0)
    if moved == 0:
        return 0.0, 0.0, 1.0
    least = 2.0 ** (1 - moved)
    if all(d in (-1, 0, 1) for d in differences):
        counts = [sum(1 for d in differences if d == value) for value in (-1, 0, 1)]
        chances = list(_resampled_sums(counts))
        up = _quantile_index(chances, tail)
        down = _quantile_index(chances[::-1], tail)
        at_most, at_least = math.fsum(chances[: n + 1]), math.fsum(chances[n:])
        p = min(1.0, max(least, 2 * min(at_most, at_least)))
        return (up - n) / n, (n - down) / n, p
    draw = random.Random(seed).choices
    sums = sorted(math.fsum(draw(differences, k=n)) for _ in range(resamples))
    # Rounding must not push a resample that balances out to one side of zero.
    near = 1e-12 * sum(abs(d) for d in differences)
    below = sum(1 for s in sums if s <= near)
    above = sum(1 for s in sums if s >= -near)
    p = min(1.0, max(least, 2 * (min(below, above) + 1) / (resamples + 1)))
    index = min(resamples - 1, math.ceil(tail * resamples) - 1)
    return sums[index] / n, sums[resamples - 1 - index] / n, p


def permutation_p(differences: Sequence[float], seed: int, resamples: int = 10_000) -> float:
    """Sign-flip permutation test that the mean difference is zero; right for partial scores too.

    If the two systems were interchangeable, each question's difference could as well have had the
    other sign. Up to 16 differences other than zero all sign patterns are tried; beyond that a
    sample of them, with the observed one counted in. Differences of one size are a matter of coins
    again, and the answer is that of :func:`mcnemar_exact`.

    Args:
        differences: Score of the first minus score of the second, one per question.
        seed: Seed of the sampled sign patterns.
        resamples: How many patterns to sample.

    Returns:
        The two-sided p-value.

    Source: R. A. Fisher (1935), "The Design of Experiments", section 21; the sampled form after
    Phipson and Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9, article 39.
    """
    moved = [float(d) for d in differences if d != 0]
    if not moved:
        return 1.0
    if len({abs(d) for d in moved}) == 1:
        gained = sum(1 for d in moved if d > 0)
        return mcnemar_exact(gained, len(moved) - gained)
    # Flipping signs is choosing the subset that stays positive: sum = 2 * subset - total of sizes.
    sizes = [abs(d) for d in moved]
    half = math.fsum(sizes) / 2
    bar = abs(math.fsum(moved)) / 2 - 1e-12 * half
    padded = sizes + [0.0] * (-len(sizes) % 8)  # a size of zero changes no sum, either way
    tables = [_subset_sums(padded[i : i + 8]) for i in range(0, len(padded), 8)]
    if len(sizes) <= _ENUMERATE:
        sums = (math.fsum(chosen) for chosen in itertools.product(*tables))
        return sum(abs(s - half) >= bar for s in sums) / 2 ** len(padded)
    rng = random.Random(seed)
    extreme = 0
    for _ in range(resamples):
        # One random byte picks the subset of eight sizes at once.
        subset = math.fsum(map(getitem, tables, rng.randbytes(len(tables))))
        extreme += abs(subset - half) >= bar
    return (extreme + 1) / (resamples + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction of several p-values.

    Args:
        ps: The p-values of all tests that were made.

    Returns:
        Adjusted p-values in the same order: comparing them with 0.05 keeps the chance of any
        false alarm among all tests below 0.05.

    Source: S. Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J.
    Stat. 6, 65-70.
    """
    adjusted = [0.0] * len(ps)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        running = max(running, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = running
    return adjusted


def _tail(confidence: float) -> float:
    """The mass outside an interval on one side."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return (1 - confidence) / 2


def _resampled_sums(counts: Sequence[int]) -> Iterator[float]:
    """Distribution of the sum of n draws with replacement from n differences of -1, 0 and 1.

    Args:
        counts: How many differences are -1, 0 and 1; they add up to n.

    Yields:
        The probabilities of the sums -n, ..., n: the coefficients of ``(c0 + c1 x + c2 x^2)^n``
        over ``n^n``, by the recurrence for powers of a polynomial (D. E. Knuth, "The Art of
        Computer Programming" 2, section 4.7), in integers and therefore without rounding.
    """
    n = sum(counts)
    skipped = next(i for i, c in enumerate(counts) if c)  # the recurrence divides by the first
    base = [*counts[skipped:], 0, 0]
    yield from (0.0 for _ in range(n * skipped))
    total = n**n
    before, last = 0, base[0] ** n
    yield last / total
    for k in range(1, n * (2 - skipped) + 1):
        step = (n + 1 - k) * base[1] * last + (2 * n + 2 - k) * base[2] * before
        before, last = last, step // (k * base[0])
        yield last / total


def _quantile_index(chances: Sequence[float], mass: float) -> int:
    """First index up to which the chances add up to ``mass``."""
    reached = 0.0
    for i, chance in enumerate(chances):
        reached += chance
        if reached >= mass:
            return i
    return len(chances) - 1


def _subset_sums(sizes: Sequence[float]) -> list[float]:
    """Sums of all subsets of eight numbers, indexed by a byte whose bits choose them."""
    sums = [0.0]
    for size in sizes:
        sums += [s + size for s in sums]
    return sums
