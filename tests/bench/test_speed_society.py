"""Measuring societies, at sizes that mean nothing but that it works."""

import argparse

import pytest

from collegium.bench import speed_society
from collegium.bench.society_agenttorch import peak
from collegium.bench.speed_memory import RECALL
from collegium.bench.speed_society import (
    EPIDEMIC,
    MASTER,
    PARTS,
    PLATFORM,
    Row,
    measure,
    part,
    slope,
)


def test_the_slope_of_growth():
    rows = [Row("x", n, 3.0 * n**1.2, "s") for n in (10, 100, 1000)]
    assert slope(rows) == pytest.approx(1.2)


def test_all_is_measured(monkeypatch):
    def here(name, size, steps):  # in this process: another one only costs its start
        return {**PARTS[name](size, steps), "memory": peak()}

    monkeypatch.setattr(speed_society, "part", here)
    options = argparse.Namespace(
        agents=[2000, 4000], users=[500, 1000], steps=2, agenttorch="", oasis="", concordia="",
        players=[3, 6], notes=6000, brooklyn=False,
    )  # fmt: skip
    found = measure(options)
    names = {row.name for row in found["rows"]}
    assert {EPIDEMIC, PLATFORM, "collegium: like bulk", "collegium: like single"} <= names
    assert all(row.value > 0 for row in found["rows"])
    assert [r.size for r in found["rows"] if r.name == RECALL] == [6000]
    calls = [r.value for r in found["rows"] if r.name == MASTER and r.unit == "calls per action"]
    # one audience: an action costs the same number of calls however many watch it
    assert calls == [11, 11]
    assert set(found["slopes"]) == {EPIDEMIC, PLATFORM}
    assert found["bandwidth"] > 0


def test_the_memory_of_a_part_is_its_own():
    before = bytearray(300_000_000)  # pages that the part must not be charged with
    made = part("epidemic", 2000, 1)
    assert len(before) and 30e6 < made["memory"] < 550e6
    assert len(made["seconds"]) == 1
