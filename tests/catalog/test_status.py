"""Status follows from what is registered and what lies in the results folder."""

import json
from pathlib import Path

import pytest

from collegium.catalog import (
    Measured,
    ResultsDamaged,
    measured_figures,
    paper,
    results_folder,
    status_of,
)
from collegium.errors import UnknownName

SLUG = "dylan"
CHECKS = {str(number): "passed" for number in range(1, paper(SLUG).must_show + 1)}


def row(name: str = SLUG, of: str | None = SLUG, **more: object) -> dict[str, object]:
    """Return one system's row of a report."""
    figures = {"n": 40, "accuracy": 0.5, "ci_low": 0.35, "ci_high": 0.65}
    return {"name": name, "paper": of, **figures, **more}


def report(results: Path, name: str, *rows: dict[str, object], benchmark: str = "gsm8k") -> Path:
    """Write one report into a results folder."""
    file = results / benchmark / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    run = {"benchmark": benchmark, "model": "local", "seed": 0, "command": "collegium compare"}
    file.write_text(json.dumps({**run, "systems": rows}))
    return file


def record(results: Path, checks: dict[str, str], slug: str = SLUG) -> None:
    """Write which checks of a paper passed."""
    (results / "must_show.json").write_text(json.dumps({slug: checks}))


def status(results: Path | None, *registered: str) -> str:
    """Return the status of the paper these tests are about."""
    return status_of(SLUG, registered=set(registered), results=results)


def test_missing_without_an_implementation_whatever_the_results_say(tmp_path: Path) -> None:
    record(tmp_path, CHECKS)
    report(tmp_path, "one", row())
    assert status(tmp_path) == "missing"
    assert status(tmp_path, "mad") == "missing"
    assert status(None) == "missing"


def test_runs_without_results(tmp_path: Path) -> None:
    assert status(None, SLUG) == "runs"
    assert status(tmp_path, SLUG) == "runs"
    assert status(tmp_path / "absent", SLUG) == "runs"


@pytest.mark.parametrize(
    "checks",
    [
        {**CHECKS, "3": "failed"},
        dict.fromkeys(list(CHECKS)[:-1], "passed"),
        dict.fromkeys(list(CHECKS)[1:], "passed"),
        {},
    ],
)
def test_one_check_short_of_faithful_runs(tmp_path: Path, checks: dict[str, str]) -> None:
    record(tmp_path, checks)
    report(tmp_path, "one", row())
    assert status(tmp_path, SLUG) == "runs"


def test_another_papers_checks_do_not_count(tmp_path: Path) -> None:
    record(tmp_path, CHECKS, slug="mad")
    assert status(tmp_path, SLUG) == "runs"


def test_faithful_when_every_check_passed(tmp_path: Path) -> None:
    record(tmp_path, CHECKS)
    report(tmp_path, "other", row("mad", "mad"), row("plain", None))
    (tmp_path / "gsm8k" / "machine.json").write_text('{"cpu": 2}')
    assert status(tmp_path, SLUG) == "faithful"


def test_measured_when_faithful_and_a_report_names_it(tmp_path: Path) -> None:
    record(tmp_path, CHECKS)
    report(tmp_path, "one", row("mad", "mad"), row())
    assert status(tmp_path, SLUG) == "measured"


def test_a_report_at_the_top_of_the_folder_is_not_one(tmp_path: Path) -> None:
    record(tmp_path, CHECKS)
    report(tmp_path, "one", row()).rename(tmp_path / "one.json")
    assert status(tmp_path, SLUG) == "faithful"


def test_unknown_papers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=SLUG):
        status_of("dilan", registered=[SLUG], results=tmp_path)
    with pytest.raises(UnknownName, match=SLUG):
        measured_figures("dilan", None)


def test_figures_come_sorted_with_their_file(tmp_path: Path) -> None:
    late = report(tmp_path, "b", row("dylan-3", tokens_per_task=812.5), row("dylan-2"))
    early = report(tmp_path, "a", row(accuracy=1), row("mad", "mad"), benchmark="arc")
    assert measured_figures(SLUG, tmp_path) == [
        Measured("dylan", "arc", "local", 40, 1.0, 0.35, 0.65, None, early),
        Measured("dylan-2", "gsm8k", "local", 40, 0.5, 0.35, 0.65, None, late),
        Measured("dylan-3", "gsm8k", "local", 40, 0.5, 0.35, 0.65, 812.5, late),
    ]
    assert measured_figures("halo", tmp_path) == measured_figures(SLUG, None) == []


@pytest.mark.parametrize("text", ["{", '{"dylan": ["passed"]}', '{"dylan": {"1": true}}'])
def test_a_damaged_record_of_checks_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "must_show.json").write_text(text)
    with pytest.raises(ResultsDamaged, match=r"must_show\.json"):
        status(tmp_path, SLUG)


@pytest.mark.parametrize("text", ["{", '{"systems": 1}', '{"systems": [{"name": "dylan"}]}'])
def test_a_damaged_report_is_named(tmp_path: Path, text: str) -> None:
    report(tmp_path, "one").write_text(text)
    with pytest.raises(ResultsDamaged, match=r"one\.json"):
        measured_figures(SLUG, tmp_path)


def test_results_beside_a_checkout_come_before_those_inside_the_package(tmp_path: Path) -> None:
    package = tmp_path / "collegium"
    inside, beside = package / "results", tmp_path / "results"
    package.mkdir()
    assert results_folder(package) is None
    beside.mkdir()
    assert results_folder(package) is None
    inside.mkdir()
    assert results_folder(package) == inside
    (tmp_path / "pyproject.toml").touch()
    assert results_folder(package) == beside


def test_the_results_folder_of_this_package_is_a_folder_or_none() -> None:
    found = results_folder()
    assert found is None or found.is_dir()
