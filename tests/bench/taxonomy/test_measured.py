"""What was measured, by facet: from real comparisons with a scripted model."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.bench.compare import compare, plan
from collegium.bench.leaderboard import reports_below
from collegium.bench.records import Report
from collegium.bench.taxonomy.measured import Held, held, measured
from collegium.catalog import paper, results_folder
from collegium.errors import UnknownName
from collegium.kernel import RunStore

SCRIPT = """
def reply(request):
    text = next(m.text for m in request.messages if "times" in m.text)
    a, b = (int(w) for w in text.replace("?", "").split() if w.isdigit())
    team = request.agent.startswith("debater")
    return f"So.\\nAnswer: {a * b if team == TEAM else 1}"
"""


TEAMS = ("mad:agents=2,rounds=1", "mad:agents=3,rounds=1")


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """A debate that is always right beside a chain of thought that never is."""
    return compared(tmp_path, "True", "cot", "mad:agents=2,rounds=1", "direct")


def compared(tmp_path: Path, team: str, *systems: str) -> Report:
    file = tmp_path / f"of_{team}.py"  # a script is read once
    file.write_text(SCRIPT.replace("TEAM", team))
    rows = [f"What is {a} times {a + 2}?,{a * (a + 2)}" for a in range(2, 14)]
    (tmp_path / "q.csv").write_text("\n".join(["question,answer", *rows]) + "\n")
    model = f"script:{file}:reply"
    store = RunStore(None)
    try:
        return asyncio.run(compare(plan(systems, on=str(tmp_path / "q.csv"), model=model), store))
    finally:
        store.close()


def test_a_team_is_held_against_the_strongest_baseline_there_is(report: Report) -> None:
    (one,) = held(report)
    assert (one.system, one.paper, one.baseline) == ("mad:agents=2,rounds=1", "mad", "cot")
    assert (one.accuracy, one.difference, one.n) == (1.0, 1.0, 12)
    assert one.p < 0.05 and one.verdict == "better"
    assert one.low <= one.difference <= one.high


def test_the_other_way_round(tmp_path: Path) -> None:
    (one,) = held(compared(tmp_path, "False", "mad:agents=2,rounds=1", "cot"))
    assert (one.difference, one.verdict) == (-1.0, "worse")
    (same,) = held(compared(tmp_path, "3", "mad:agents=2,rounds=1", "cot"))
    assert (same.difference, same.verdict) == (0.0, "not told apart")


def test_p_values_of_one_comparison_are_corrected_together(tmp_path: Path) -> None:
    found = held(compared(tmp_path, "True", "cot", *TEAMS))
    alone = held(compared(tmp_path, "True", "cot", "mad:agents=2,rounds=1"))
    assert len(found) == 2
    assert found[0].p == pytest.approx(2 * alone[0].p)


def test_cells_are_the_values_of_the_systems_papers(report: Report) -> None:
    cells = measured([report, report], ["structure", "coordination"])
    values = {(c.facet, c.value) for c in cells}
    mad = paper("mad").facets
    assert values == {(f, v) for f in ("structure", "coordination") for v in mad[f]}
    assert all(c.count("better") == 2 and c.mean_difference == 1.0 for c in cells)
    with pytest.raises(UnknownName, match="did you mean 'structure'"):
        measured([report], ["structur"])


def test_without_a_baseline_or_a_paper_there_is_nothing_to_say(report: Report) -> None:
    alone = tuple(row for row in report.systems if row.paper)
    assert held(msgspec.structs.replace(report, systems=alone)) == []
    strange = tuple(msgspec.structs.replace(r, paper=r.paper and "gone") for r in report.systems)
    assert held(msgspec.structs.replace(report, systems=strange)) == []


def test_the_page_tells_what_the_results_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = results_folder()
    if folder is None:
        pytest.skip("no results here")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "scripts"))
    page = importlib.import_module("by_facet").facet_page()
    assert "## Measured, by facet" in page
    for cell in measured(reports_below(folder)):
        for one in cell.held:
            assert f"`{one.system}` on {one.benchmark} ({one.model})" in page


def test_a_verdict_needs_a_difference_that_is_told_apart() -> None:
    one = Held("s", "mad", "b", "m", 10, 0.5, "cot", 0.2, -0.1, 0.5, 0.3, True)
    assert one.verdict == "not told apart"


def test_the_command(command: Callable[..., Any], report: Report, tmp_path: Path) -> None:
    (tmp_path / "own" / "products").mkdir(parents=True)
    (tmp_path / "own" / "products" / "a.json").write_bytes(msgspec.json.encode(report))
    words = ["taxonomy", "measured", "--folder", "own", "--facet", "coordination"]
    done = command([*words, "--json"])
    assert done.exit_code == 0, done.stderr
    (cell,) = json.loads(done.stdout)
    assert (cell["value"], cell["better"], cell["worse"]) == (
        paper("mad").facets["coordination"][0], 1, 0,
    )  # fmt: skip
    assert "+100.0 points" in command(words).stdout
    (tmp_path / "none").mkdir()
    empty = command(["taxonomy", "measured", "--folder", "none"])
    assert empty.exit_code == 0 and "No comparison" in empty.stdout
    for wrong, said in (
        (["--folder", "nowhere"], "there is no folder"),
        (["--facet", "structur"], "did you mean 'structure'"),
    ):
        done = command(["taxonomy", "measured", *wrong])
        assert done.exit_code == 2 and said in done.stderr
