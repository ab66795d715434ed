"""What was measured of two agents composed in every way, as the results say it."""

import json
from pathlib import Path
from typing import Any

import pytest

from collegium.bench.umf_compose import ARMS

FILE = Path(__file__).parents[3] / "results" / "umf" / "compose.json"


@pytest.fixture
def report() -> dict[str, Any]:
    """The report."""
    return json.loads(FILE.read_text())


@pytest.mark.must_show("umf", 5)
def test_every_architecture_was_given_the_same_questions_and_budget(report) -> None:
    assert (report["model"], report["n"]) == ("local", 20)
    assert [row["name"] for row in report["rows"]] == [name for name, _, _ in ARMS]
    for row in report["rows"]:
        assert row["n"] == 20
        assert 0 <= row["ci_low"] <= row["solved"] / 20 <= row["ci_high"] <= 1
        assert row["llm_calls"] >= 20
        assert row["tokens"] <= 20 * report["tokens"]


@pytest.mark.must_show("umf", 5)
def test_side_effects_conflict_only_where_no_leader_is_elected(report) -> None:
    conflicts = {row["name"]: row["conflicts"] for row in report["rows"]}
    free = conflicts["uniform multi-active, no election"]
    elected = conflicts["uniform multi-active, leader elected"]
    assert free > elected == conflicts["one-active-many-passive"]
