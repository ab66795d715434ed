"""The desk's statistics, by hand."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.bench.desk import RESAMPLES, mean_interval, paired
from collegium.errors import BadInput


@pytest.mark.must_show("agents-review", 3)
def test_four_paired_items_by_hand() -> None:
    # The first is right on items 1, 2 and 4, the second on item 2: two discordant pairs, both one
    # way, and of their four sign patterns two are as far out.
    found = paired([1, 1, 0, 1], [0, 1, 0, 0], seed=0)
    assert (found.n, found.difference, found.p) == (4, 0.5, 0.5)
    assert found.low <= 0.5 <= found.high


@pytest.mark.must_show("agents-review", 3)
def test_identical_runs_differ_by_nothing() -> None:
    found = paired([1, 0, 1, 1], [1, 0, 1, 1], seed=0)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


@pytest.mark.must_show("agents-review", 3)
def test_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="scores in pairs"):
        paired([], [], seed=0)
    with pytest.raises(BadInput, match="3 and 2"):
        paired([1, 0, 1], [1, 0], seed=0)
    with pytest.raises(BadInput, match="at least one score"):
        mean_interval([], seed=0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=7))
def test_the_test_is_that_of_all_sign_patterns(pairs) -> None:
    first, second = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    differences = [a - b for a, b in zip(first, second, strict=True)]
    seen = abs(sum(differences))
    patterns = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    wanted = sum(p >= seen - 1e-9 for p in patterns) / len(patterns)
    assert paired(first, second, seed=0).p == pytest.approx(wanted)
    assert paired(first, second, seed=0).p == paired(second, first, seed=0).p


def test_the_interval_of_a_mean() -> None:
    assert RESAMPLES == 10_000
    assert mean_interval([1, 1, 1], seed=0) == (1, 1)
    low, high = mean_interval([1.0, 0.0] * 20, seed=0)
    assert 0.3 < low < 0.5 < high < 0.7
    assert mean_interval([0.2, 0.5, 0.9], seed=3) == mean_interval([0.2, 0.5, 0.9], seed=3)
