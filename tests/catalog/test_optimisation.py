"""Every paper is labelled along the nine dimensions, and labels can be asked for and counted."""

from __future__ import annotations

import importlib
import json

import msgspec
import pytest
from typer.testing import CliRunner

from collegium.catalog import CatalogDamaged, implementing_modules, paper, papers
from collegium.catalog.optimisation import (
    SURVEY_FILE,
    holds,
    labelled,
    labels_of,
    leaf_counts,
    optimisation_survey,
    parse_label,
    read_optimisation,
)
from collegium.errors import BadInput, UnknownName

SURVEY = optimisation_survey()
SLUGS = [entry.slug for entry in papers()]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run a command line with a home of its own."""
    from collegium.cli import app

    monkeypatch.chdir(tmp_path)

    def run(*words: str):
        return CliRunner().invoke(app, words, env={"COLLEGIUM_HOME": str(tmp_path / "home")})

    return run


def asked(*labels: str) -> list[str]:
    return labelled(map(parse_label, labels))


@pytest.mark.must_show("optimization-survey", 1)
def test_every_paper_is_labelled_on_every_dimension_with_a_reason() -> None:
    names = {d.name for d in SURVEY.dimensions}
    assert len(names) == 9
    assert set(SURVEY.labels) == set(SLUGS)
    for slug in SLUGS:
        held = labels_of(slug)
        assert {*held.on, *held.not_applicable, *held.not_stated} == names
        assert held.reason.endswith(".")
        assert all(held.on.values())


@pytest.mark.must_show("optimization-survey", 1)
def test_reinforcement_with_a_reward_of_the_environment() -> None:
    assert asked("route=reinforcement-learning", "reinforcement=environment-reward") == [
        "agentgym", "marft", "mra",
    ]  # fmt: skip


@pytest.mark.must_show("optimization-survey", 1)
def test_feedback_without_weights() -> None:
    found = asked("family=parameter-free", "parameter-free=feedback-based")
    # Reflexion-like, judged by runs and tests, and rewriting prompts.
    assert {"argmed", "mad", "tree-search", "installamatic", "plotgen", "adas"} <= set(found)
    # Teams, memories and retrieval without feedback; learners; what improves nothing.
    others = {"iagents", "damcs", "agentmd", "mag-v", "agentgym", "marft", "progent", "webarena"}
    assert others.isdisjoint(found)
    narrow = ("self-reflection", "external-feedback", "meta-prompt")
    assert found == sorted({slug for value in narrow for slug in asked(value)})


@pytest.mark.must_show("optimization-survey", 1)
def test_a_new_system_without_labels_is_refused() -> None:
    new = msgspec.structs.replace(paper("mad"), slug="brand-new")
    with pytest.raises(CatalogDamaged, match="no labels for brand-new"):
        read_optimisation(entries=[*papers(), new])
    assert read_optimisation(entries=papers()) == SURVEY


@pytest.mark.must_show("optimization-survey", 1)
def test_the_printed_table_has_every_paper_and_filters(command) -> None:
    done = command("optimise", "labels", "--json")
    assert [row["paper"] for row in json.loads(done.stdout)] == SLUGS
    wanted = ("route=reinforcement-learning", "reinforcement=environment-reward")
    found = json.loads(command("optimise", "labels", *wanted, "--json").stdout)
    assert [row["paper"] for row in found] == ["agentgym", "marft", "mra"]
    printed = command("optimise", "labels", *wanted).stdout
    assert "marft" in printed and "malt" not in printed
    one = command("optimise", "labels", "--paper", "malt").stdout
    assert "not applicable" in one and "feedback-pairs" in one
    unstated = command("optimise", "labels", "--paper", "lam").stdout
    assert "not stated" in unstated


@pytest.mark.must_show("optimization-survey", 2)
def test_papers_stand_at_several_leaves(command) -> None:
    assert labels_of("malt").on["route"] == ("fine-tuning", "reinforcement-learning", "hybrid")
    assert {"external-feedback", "multi-agent"} <= set(labels_of("codecor").on["parameter-free"])
    counts = leaf_counts()
    assert counts["hybrid"] == {"sequential": 5, "alternating": 2}
    for dimension in ("route", "parameter-free"):
        held = [slug for slug in SLUGS if dimension in labels_of(slug).on]
        assert sum(counts[dimension].values()) > len(held)
    total = sum(sum(of.values()) for of in counts.values())
    assert total > len(SLUGS)
    printed = command("optimise", "labels", "--counts").stdout
    assert f"{total} labels on 79 papers" in printed
    assert "the counts sum to more than the papers" in printed
    data = json.loads(command("optimise", "labels", "--counts", "--json").stdout)
    assert data["counts"] == counts and data["labels"] == total > data["papers"] == 79
    assert "more than the papers" in data["note"]


@pytest.mark.must_show("optimization-survey", 2)
def test_the_survey_lists_methods_in_several_sections() -> None:
    by_name = {m.method: m.places for m in SURVEY.several}
    assert len(by_name) == len(SURVEY.several)
    for method in ("AgentGym", "OPTIMA", "Re-ReST", "AGILE"):
        assert len(by_name[method]) == 3
    assert by_name["Search-o1"] == (
        "parameter-free=tool-based", "parameter-free=retrieval-based",
    )  # fmt: skip
    assert all(len(set(places)) > 1 for places in by_name.values())
    assert {c.label: c.entries for c in SURVEY.counts if c.label} == {
        "route=fine-tuning": 34, "route=reinforcement-learning": 23, "route=hybrid": 11,
        "parameter-free=experience-based": 6, "parameter-free=feedback-based": 15,
        "parameter-free=tool-based": 9, "parameter-free=retrieval-based": 7,
        "parameter-free=multi-agent": 12,
    }  # fmt: skip


def test_where_the_survey_lists_a_paper_it_stands_here_too() -> None:
    listed = {slug: held.listed for slug, held in SURVEY.labels.items() if held.listed}
    assert listed.keys() == {"agentgym", "agenttuning", "low-param", "marft", "dylan", "metagpt"}
    for slug, labels in listed.items():
        assert all(holds(slug, parse_label(label)) for label in labels), slug


# How the catalog's facets say the same things.
FACETS = {
    "data": "acquisition", "filter": "filtering", "low-quality": "low-quality", "tuning": "tuning"
}  # fmt: skip
REWARDS = {
    "environment": ("environment-reward", "feedback-pairs"),
    "model": ("model-reward",),
    "rule": ("custom-reward",),
}


@pytest.mark.parametrize("slug", SLUGS)
def test_labels_agree_with_the_facets_of_the_entry(slug: str) -> None:
    held, entry = labels_of(slug), paper(slug).facets
    within = {
        broader
        for d in SURVEY.dimensions
        for value in held.on.get(d.name, ())
        for broader in d.ancestry(value)
    }
    if entry.get("optimisation") == ("none",):
        assert not held.on
    else:
        assert set(entry.get("optimisation", ())) <= within
    for facet, dimension in FACETS.items():
        assert set(entry.get(facet, ())) == set(held.on.get(dimension, ()))
    for reward in entry.get("reward", ()):
        assert within & set(REWARDS[reward])
    learnt = {"policy-gradient", "actor-critic"}
    assert learnt & set(entry.get("algorithm", ())) <= within


def test_what_is_implemented_has_an_entry_point_that_exists(command) -> None:
    from collegium.systems.system import systems

    rows = {r["paper"]: r for r in json.loads(command("optimise", "labels", "--json").stdout)}
    built = {s.paper for s in systems().values() if s.paper} | {*implementing_modules()}
    for slug, row in rows.items():
        assert bool(row["entry_points"]) == (slug in built), slug
        for place in row["entry_points"]:
            module, _, name = place.partition(":")
            assert hasattr(importlib.import_module(module), name or "__name__"), place


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("route=hybrid", ("route", "hybrid")),
        (" Route = Hybrid ", ("route", "hybrid")),
        ("sequential", ("hybrid", "sequential")),
    ],
)
def test_labels_are_read(text: str, label: tuple[str, str]) -> None:
    assert parse_label(text) == label


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rute=hybrid", "did you mean 'route'"),
        ("route=hybrids", "did you mean 'hybrid'"),
        ("sequentially", "did you mean 'sequential'"),
    ],
)
def test_unknown_labels_are_refused(text: str, says: str) -> None:
    with pytest.raises(UnknownName, match=says):
        parse_label(text)


def test_a_value_of_two_dimensions_needs_its_dimension() -> None:
    with pytest.raises(BadInput, match="acquisition=multi-agent or parameter-free=multi-agent"):
        parse_label("multi-agent")


def test_unknown_papers_and_labels_end_a_command_in_one_line(command) -> None:
    for words in (("--paper", "malts"), ("route=hybrids",)):
        done = command("optimise", "labels", *words)
        assert done.exit_code == 2
        assert "did you mean" in done.stderr
    assert "No paper" in command("optimise", "labels", "masking", "hybrid").stdout


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('on.hybrid = ["alternating"]', 'on.hybrid = ["both"]', "'both' is no value of hybrid"),
        ('on.hybrid = ["alternating"]', "", "agentgym must name each of"),
        ('on.hybrid = ["alternating"]', "on.hybrid = []", "empty or repeats"),
        ('on.reinforcement = ["environment-reward"]',
         'on.reinforcement = ["reward-based", "environment-reward"]', "reward-based"),
        ('on.family = ["parameter-driven"]\non.route = ["fine-tuning", "reinforcement-learning", '
         '"hybrid"]\non.acquisition = ["expert", "self-explored"]\non.filtering = ["environment"]',
         'on.family = ["parameter-driven"]\non.route = ["fine-tuning"]\n'
         'on.acquisition = ["expert", "self-explored"]\non.filtering = ["environment"]',
         "reinforcement does not apply to agentgym"),
        ("[labels.agentgym]", "[labels.agentgim]", "no labels for agentgym"),
        ('reason = "Cloned', 'because = "Cloned', "because"),
        ('needs = "route=hybrid"', 'needs = "route=mixed"', "'route=mixed' is no label"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path, old: str, new: str, says: str) -> None:
    text = SURVEY_FILE.read_text()
    assert old in text
    file = tmp_path / "survey.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogDamaged, match=says):
        read_optimisation(file)
