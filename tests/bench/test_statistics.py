"""The statistics against hand computation, scipy and statsmodels."""

import itertools
import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from collegium.bench.statistics import (
    _resampled_sums,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    permutation_p,
    wilson,
)

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
ternary = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=40)
graded = st.lists(st.floats(-1, 1, allow_nan=False).map(lambda x: round(x, 3)), min_size=1)
NEAR = {"rel": 1e-9, "abs": 1e-12}


def test_wilson_by_hand():
    # z = 1.959964, p = 0.5, n = 10: centre 0.5, reach z sqrt(0.025 + z^2/400) / (1 + z^2/10)
    z = 1.959963984540054
    reach = z * math.sqrt(0.025 + z * z / 400) / (1 + z * z / 10)
    assert wilson(5, 10) == pytest.approx((0.5 - reach, 0.5 + reach), rel=1e-12)
    assert wilson(5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-6)


@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=60)
def test_wilson_as_statsmodels(count, confidence):
    correct, n = count
    theirs = proportion_confint(correct, n, alpha=1 - confidence, method="wilson")
    assert wilson(correct, n, confidence) == pytest.approx(theirs, **NEAR)


@given(counts)
def test_wilson_properties(count):
    correct, n = count
    low, high = wilson(correct, n)
    assert 0 <= low <= correct / n <= high <= 1
    mirrored = wilson(n - correct, n)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)
    sure = wilson(4 * correct, 4 * n)  # the same share of four times the questions
    assert sure[1] - sure[0] < high - low


def test_wilson_edges():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0
    for bad in [(3, 2), (-1, 2)]:
        with pytest.raises(ValueError, match="correct must lie"):
            wilson(*bad)
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, 1.0)


def test_mcnemar_by_hand():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(1, 0) == 1.0
    assert mcnemar_exact(5, 0) == 2 / 32
    assert mcnemar_exact(1, 7) == 2 * (1 + 8) / 256
    assert mcnemar_exact(3, 3) == 1.0
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 2)


@given(st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=60)
def test_mcnemar_as_statsmodels(a, b):
    if a + b:
        theirs = mcnemar([[0, a], [b, 0]], exact=True).pvalue
        assert mcnemar_exact(a, b) == pytest.approx(min(1.0, theirs), **NEAR)
        binomial = stats.binomtest(a, a + b).pvalue
        assert mcnemar_exact(a, b) == pytest.approx(binomial, **NEAR)
    assert mcnemar_exact(a, b) == mcnemar_exact(b, a)


def test_bootstrap_by_hand():
    # Differences 1, 0: sums of two draws are 0, 1, 2 with 1/4, 1/2, 1/4.
    assert list(_resampled_sums([0, 1, 1])) == [0, 0, 0.25, 0.5, 0.25]
    assert list(_resampled_sums([1, 0, 1])) == [0.25, 0, 0.5, 0, 0.25]
    assert list(_resampled_sums([2, 0, 0])) == [1, 0, 0, 0, 0]
    assert list(_resampled_sums([0, 0, 2])) == [0, 0, 0, 0, 1]
    assert paired_bootstrap([0.0, 0.0], seed=0) == (0.0, 0.0, 1.0)
    low, high, p = paired_bootstrap([1.0, 0.0], seed=0)
    assert (low, high, p) == (0.0, 1.0, 1.0)  # one sign alone says nothing
    assert paired_bootstrap([1.0] * 6, seed=0) == (1.0, 1.0, 2**-5)
    with pytest.raises(ValueError, match="at least one"):
        paired_bootstrap([], seed=0)


@given(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)).filter(any))
@settings(max_examples=60)
def test_resampled_sums_as_scipy(parts):
    n = sum(parts)
    trinomial = stats.multinomial(n, [c / n for c in parts])
    expected = [0.0] * (2 * n + 1)
    for minus, plus in itertools.product(range(n + 1), repeat=2):
        if minus + plus <= n:
            expected[n + plus - minus] += trinomial.pmf([minus, n - minus - plus, plus])
    assert list(_resampled_sums(list(parts))) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_exact_bootstrap_agrees_with_sampling():
    differences = [1.0] * 14 + [-1.0] * 6 + [0.0] * 30
    low, high, p = paired_bootstrap(differences, seed=0)
    theirs = stats.bootstrap(
        (differences,), lambda x, axis: x.mean(axis=axis), method="percentile", n_resamples=20_000
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.021)
    # Sampled on graded scores that are the same up to a scale.
    halves = paired_bootstrap([d / 2 for d in differences], seed=3)
    assert (2 * halves[0], 2 * halves[1]) == pytest.approx((low, high), abs=0.021)
    assert halves[2] == pytest.approx(p, abs=0.02)


def test_sampled_bootstrap_as_scipy():
    rng = random.Random(5)
    differences = [rng.gauss(0.1, 0.4) for _ in range(60)]
    low, high, p = paired_bootstrap(differences, seed=1)
    theirs = stats.bootstrap(
        (differences,), lambda x, axis: x.mean(axis=axis), method="percentile", n_resamples=20_000
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert 0 < p <= 1
    assert (p < 0.05) == (not low <= 0 <= high)
    assert paired_bootstrap(differences, seed=1) == (low, high, p)
    assert paired_bootstrap(differences, seed=2) != (low, high, p)


@given(ternary)
def test_exact_bootstrap_properties(differences):
    low, high, p = paired_bootstrap(differences, seed=0)
    mean = sum(differences) / len(differences)
    assert -1 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1
    assert 0 < p <= 1
    back = paired_bootstrap([-d for d in differences], seed=9)
    assert back == pytest.approx((-high, -low, p), abs=1e-9)


def test_bootstrap_is_quick():
    started = time.perf_counter()
    paired_bootstrap([1.0] * 400 + [-1.0] * 300 + [0.0] * 1300, seed=0)
    assert time.perf_counter() - started < 2
    started = time.perf_counter()
    permutation_p([0.25, -0.5, 0.75, 0.1] * 250, seed=0)
    assert time.perf_counter() - started < 4


@given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=1, max_size=10))
@settings(max_examples=40)
def test_permutation_as_enumeration(differences):
    observed = abs(math.fsum(differences))
    patterns = list(itertools.product([1, -1], repeat=len(differences)))
    extreme = sum(
        abs(math.fsum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - 1e-9
        for signs in patterns
    )
    assert permutation_p(differences, 0) == pytest.approx(extreme / len(patterns), **NEAR)


def test_permutation_as_scipy():
    differences = [0.3, -0.1, 0.25, 0.5, -0.2, 0.15, 0.4, 0.05, 0.35, -0.3]
    theirs = stats.permutation_test(
        (differences,), lambda x, axis: x.mean(axis=axis), permutation_type="samples"
    ).pvalue
    assert permutation_p(differences, 0) == pytest.approx(theirs, **NEAR)
    many = differences * 3
    sampled = stats.permutation_test(
        (many,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", n_resamples=50_000
    ).pvalue
    assert permutation_p(many, 0) == pytest.approx(sampled, abs=0.005)
    assert permutation_p(many, 4) == permutation_p(many, 4)


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([1.0, 0.5]))
def test_permutation_of_coins_is_mcnemar(a, b, size):
    differences = [size] * a + [-size] * b + [0.0] * 5
    assert permutation_p(differences, 0) == mcnemar_exact(a, b)


@given(graded)
@settings(max_examples=30, deadline=None)
def test_permutation_is_symmetric(differences):
    back = [-d for d in differences]
    assert permutation_p(differences, 1, 500) == permutation_p(back, 1, 500)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_holm_as_statsmodels(ps):
    theirs = list(multipletests(ps, method="holm")[1])
    assert holm(ps) == pytest.approx(theirs, **NEAR)
    assert all(a >= p for a, p in zip(holm(ps), ps, strict=True))
