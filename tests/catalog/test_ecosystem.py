"""The mapping is true: every module is there, every command works, every paper is classified."""

import importlib
import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collegium.catalog import CatalogDamaged, facets, find, papers, read_papers
from collegium.catalog.ecosystem import AXES, ecosystem
from collegium.catalog.entries import PAPERS_FOLDER
from collegium.cli import app

SHOWN = ecosystem().shown


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run a command line with a home of its own."""
    monkeypatch.chdir(tmp_path)

    def run(words: list[str]):
        return CliRunner().invoke(app, words, env={"COLLEGIUM_HOME": str(tmp_path / "home")})

    return run


@pytest.mark.must_show("aios-ecosystem", 1)
def test_the_printed_table_has_the_four_levels_and_the_ten_rows(command) -> None:
    done = command(["ecosystem", "--json"])
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert [level["name"] for level in printed["levels"]] == [
        "system", "application", "user", "hardware and middleware",
    ]  # fmt: skip
    assert [row["os"] for row in printed["mapping"]] == [
        "kernel", "memory", "memory management", "file", "file system", "devices and libraries",
        "driver and interface", "software development kit", "user interface and commands",
        "application",
    ]  # fmt: skip
    assert command(["ecosystem"]).exit_code == 0


@pytest.mark.must_show("aios-ecosystem", 1)
@pytest.mark.parametrize("row", SHOWN, ids=lambda row: f"{type(row).__name__}-{row.command[:40]}")
def test_every_module_imports_and_every_command_works(row, command) -> None:
    importlib.import_module(row.module)
    assert row.command.startswith("collegium ")
    done = command(row.words)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()


def test_a_command_that_fails_is_noticed(command) -> None:
    assert command(["app", "check", "nobody/nothing"]).exit_code == 2
    assert command(["kernel", "say", "boil some tea"]).exit_code == 2


@pytest.mark.must_show("aios-ecosystem", 2)
def test_all_papers_have_one_allowed_value_and_a_reason_on_every_axis() -> None:
    assert len(papers()) == 79
    for entry in papers():
        for axis in AXES:
            (value,) = entry.facets[axis]
            assert value in facets()[axis].values, entry.slug
            reason = entry.facet_notes[axis]
            assert len(reason) > 3 and "\n" not in reason and reason[-1] in ".!?", entry.slug
    assert {axis.filled for axis in ecosystem().axes} == {1.0}
    assert all(sum(axis.values.values()) == 79 for axis in ecosystem().axes)


def test_reasons_are_written_for_each_paper() -> None:
    """A classification by rule would repeat itself."""
    for axis in AXES:
        reasons = [entry.facet_notes[axis] for entry in papers()]
        assert len(set(reasons)) >= 0.6 * len(reasons), axis


@pytest.mark.must_show("aios-ecosystem", 2)
def test_the_filter_finds_the_debates_and_attacks_and_counts_as_a_plain_scan_does(command) -> None:
    found = [
        p.slug for p in find(facets={"population": "multi-agent", "interaction": "adversarial"})
    ]
    assert found == ["argmed", "breaking-agents", "flooding", "mad"]
    scanned = []
    for file in sorted(PAPERS_FOLDER.glob("*.toml")):
        held = tomllib.loads(file.read_text())["facets"]
        if held["population"] == ["multi-agent"] and held["interaction"] == ["adversarial"]:
            scanned.append(file.stem)
    assert found == scanned
    words = ["papers", "--facet", "population=multi-agent", "--facet", "interaction=adversarial"]
    printed = json.loads(command([*words, "--json"]).stdout)
    assert [one["slug"] for one in printed] == scanned


def test_the_axes_agree_with_each_other_and_with_the_other_facets() -> None:
    for entry in papers():
        one = {axis: entry.facets[axis][0] for axis in AXES}
        lone = one["population"] == "single-agent"
        assert lone == (one["interaction"] == "none"), entry.slug
        paradigm = set(entry.facets.get("paradigm", ()))
        if paradigm & {"agent-collective", "agentic-ai"} or "collaboration" in entry.facets:
            assert not lone, entry.slug
        if "ai-agent" in paradigm:
            assert lone, entry.slug
        for kind in ("attack", "guard", "benchmark", "protocol", "survey"):
            assert (one["artefact"] == kind) == (entry.kind == kind), entry.slug


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('population = ["multi-agent"]', 'population = ["crowd"]'),
        ('population = ["multi-agent"]', 'population = ["multi-agent", "single-agent"]'),
        ('population = "Several debaters."', ""),
    ],
)
def test_other_values_two_values_and_values_without_a_reason_are_damage(
    tmp_path: Path, old: str, new: str
) -> None:
    text = (PAPERS_FOLDER / "mad.toml").read_text()
    assert old in text
    text = text.replace(old, new).replace('see_also = ["dylan", "argmed", "mas-tts"]', "")
    (tmp_path / "mad.toml").write_text(text)
    with pytest.raises(CatalogDamaged, match="population"):
        read_papers(tmp_path)


def test_it_is_said_which_ways_to_deploy_exist() -> None:
    assert [(m.number, m.exists) for m in ecosystem().modes] == [
        ("1", True), ("2", True), ("2.5", False), ("3", False), ("4", True),
    ]  # fmt: skip
