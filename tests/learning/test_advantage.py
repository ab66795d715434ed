"""Group-relative advantages: by hand, by property, and where nothing can be said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.errors import BadInput
from collegium.learning.advantage import advantages_by_group, group_advantages

finite = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.must_show("optimization-survey", 5)
def test_two_successes_of_four() -> None:
    assert group_advantages([1, 0, 0, 1]) == (1.0, -1.0, -1.0, 1.0)


@pytest.mark.must_show("optimization-survey", 5)
@pytest.mark.parametrize(
    "rewards", [[0, 0, 0], [1, 1, 1, 1], [0.1] * 3, [0.1 + 0.2, 0.3], [1e308] * 3, [7], []]
)
def test_equal_rewards_say_nothing(rewards: list[float]) -> None:
    found = group_advantages(rewards)
    assert found == (0.0,) * len(rewards)
    assert not any(map(math.isnan, found))


def test_the_deviation_is_that_of_the_population() -> None:
    # mean 1, squares 1 1 1 9 over 4: deviation sqrt(3); with G - 1 it would be 2.
    assert group_advantages([0, 0, 0, 4]) == pytest.approx(
        (-1 / math.sqrt(3),) * 3 + (math.sqrt(3),)
    )


@given(st.lists(finite, min_size=2, max_size=12))
def test_mean_nought_and_deviation_one_or_all_nought(rewards: list[float]) -> None:
    found = group_advantages(rewards)
    assert len(found) == len(rewards)
    assert math.fsum(found) == pytest.approx(0, abs=1e-6)
    if any(found):
        assert math.fsum(a * a for a in found) / len(found) == pytest.approx(1)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8), st.integers(1, 9), st.integers(-9, 9))
def test_neither_scale_nor_shift_of_rewards_matters(
    rewards: list[int], scale: int, shift: int
) -> None:
    moved = [scale * r + shift for r in rewards]
    assert group_advantages(moved) == pytest.approx(group_advantages(rewards))


def test_rewards_out_of_the_range_of_squares() -> None:
    assert group_advantages([1e300, -1e300]) == (1.0, -1.0)
    for wrong in (math.nan, math.inf):
        with pytest.raises(BadInput, match="finite"):
            group_advantages([1.0, wrong])


def test_each_sample_is_held_against_its_own_group() -> None:
    samples = [("p", 1.0), ("q", 5.0), ("p", 0.0), ("q", 5.0), ("r", 1.0)]
    assert advantages_by_group(samples) == [1.0, 0.0, -1.0, 0.0, 0.0]
