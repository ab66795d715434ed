"""What was measured of scheduling, as the results say it."""

import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "results" / "bench" / "scheduling.json"


@pytest.fixture
def rows() -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of the file by part and policy."""
    return {(r["part"], r["name"]): r for r in json.loads(FILE.read_text())["rows"]}


@pytest.mark.must_show("aios", 7)
def test_every_policy_was_measured_beside_no_kernel(rows) -> None:
    for part in dict.fromkeys(of for of, _ in rows):
        measured = {name for of, name in rows if of == part}
        assert measured >= {"no kernel", "fifo", "rr", "fair"}
        for name in measured - {"no kernel"}:
            row = rows[part, name]
            assert row["errors"] == 0
            assert row["makespan"] > 0
            assert row["waiting_p90"] >= 0
            assert 0 < row["jain"] <= 1


@pytest.mark.must_show("aios", 7)
def test_a_long_job_delays_short_ones_less_under_round_robin(rows) -> None:
    waits = {name: rows["long job", name]["short_wait_p90"] for name in ("fifo", "rr")}
    assert waits["rr"] < waits["fifo"]


@pytest.mark.must_show("aios", 7)
def test_agents_with_tools_are_quicker_than_without_a_kernel_at_the_same_answers(rows) -> None:
    alone = rows["tools", "no kernel"]
    assert alone["tool_calls"] > 2 * 16  # they looked prices up, all of them
    same = [r for (part, name), r in rows.items()
            if part == "tools" and name != "no kernel" and r["same_answers"] == 1]  # fmt: skip
    assert same
    assert max(alone["seconds"] / r["seconds"] for r in same) > 2.1
