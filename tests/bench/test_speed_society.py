"""Measuring societies, at sizes that mean nothing but that it works."""

import argparse

import pytest

from collegium.bench.speed_society import EPIDEMIC, PLATFORM, Row, measure, slope


def test_the_slope_of_growth():
    rows = [Row("x", n, 3.0 * n**1.2, "s") for n in (10, 100, 1000)]
    assert slope(rows) == pytest.approx(1.2)


def test_all_is_measured():
    options = argparse.Namespace(
        agents=[2000, 4000], users=[500, 1000], steps=2, agenttorch="", oasis=""
    )
    found = measure(options)
    names = {row.name for row in found["rows"]}
    assert {EPIDEMIC, PLATFORM, "collegium: like bulk", "collegium: like single"} <= names
    assert all(row.value > 0 for row in found["rows"])
    assert set(found["slopes"]) == {EPIDEMIC, PLATFORM}
    assert 0 < found["bandwidth"]
    memory = [row.memory for row in found["rows"] if row.name == EPIDEMIC]
    assert all(m and m < 600 for m in memory)
