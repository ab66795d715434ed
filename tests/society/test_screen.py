"""A curve in one line, on the screen of a simulation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.commands.society_screen import BARS, sparkline


@pytest.mark.parametrize(
    ("values", "width", "steps", "line"),
    [
        ([0, 1], 4, 2, "▁▁██"),
        ([0, 7], 3, 2, "▁██"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, 8, BARS),
        ([0, 1, 2, 3, 4, 5, 6, 7], 4, 8, "▂▄▆█"),
        ([0, 7], 8, 8, "▁█"),  # two of eight steps are taken
        ([0, 0], 2, 2, "▁▁"),
        ([-7, 0], 2, 2, "▁█"),
    ],
)
def test_a_curve_is_drawn(values, width, steps, line):
    assert sparkline(values, width, steps) == line


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=90), st.integers(1, 80), st.integers(0, 90))
def test_what_only_rises_is_drawn_rising(values, width, more):
    steps = len(values) + more
    line = sparkline(sorted(values), width, steps)
    assert 1 <= len(line) <= width
    heights = [BARS.index(c) for c in line]
    assert heights == sorted(heights)
