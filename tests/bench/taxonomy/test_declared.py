"""Profiles: complete, with sources, conflicts kept, and held against real runs."""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from collegium.bench.taxonomy import (
    channels_of,
    check,
    counts,
    declared,
    find_profile,
    nearest,
    profiles,
    recommend,
)
from collegium.bench.taxonomy.messages import UNDETERMINED
from collegium.bench.taxonomy.profile import OUTSIDE
from collegium.catalog import CatalogDamaged, facets, paper, papers, read_papers
from collegium.catalog.entries import PAPERS_FOLDER, SOURCES
from collegium.catalog.surveys import collaboration_survey
from collegium.catalog.surveys.collaboration import SURVEY_FILE, read_collaboration
from collegium.errors import BadInput, UnknownName
from collegium.kernel import Event, Kernel
from collegium.models.replay import ReplayModel
from collegium.systems.mad import mad
from collegium.tasks.task import Task
from tests.bench.taxonomy.runs import dylan_run, mad_run, mdagents_run, metagpt_run
from tests.systems.test_recorded import CHOICE, EASY

Run = Callable[[], Awaitable[list[Event]]]


@pytest.mark.must_show("collaboration-survey", 1)
@pytest.mark.parametrize("slug", [p.slug for p in papers()])
def test_every_profile_is_complete_from_the_closed_lists_and_has_sources(slug: str) -> None:
    profile = declared(slug)
    lone = paper(slug).facets["population"] == ("single-agent",)
    if not profile.claims:  # one agent, or a paper about agents that is no team itself
        assert len(profile.apart) > 10
        return
    assert not lone
    allowed = collaboration_survey().allowed()
    assert profile.claims.keys() == allowed.keys()
    for dimension, claims in profile.claims.items():
        assert claims, dimension
        for claim in claims:
            assert claim.value in allowed[dimension] or (
                dimension == "application" and claim.value == OUTSIDE
            )
            assert claim.source.partition(":")[0].partition(";")[0] in SOURCES
    assert not profile.apart


@pytest.mark.must_show("collaboration-survey", 1)
def test_a_value_without_a_source_or_with_an_unknown_one_is_damage(tmp_path: Path) -> None:
    text = (PAPERS_FOLDER / "mad.toml").read_text()
    text = text.replace('see_also = ["dylan", "argmed", "mas-tts"]', "")
    for old, new in (
        ('stage = "paper: sections 2 and 3"', 'stage = "hearsay"'),
        ('stage = "paper: sections 2 and 3"', 'stage = { early = "paper" }'),
        ('stage = "paper: sections 2 and 3"', 'colour = "paper"'),
    ):
        assert old in text
        (tmp_path / "mad.toml").write_text(text.replace(old, new))
        with pytest.raises(CatalogDamaged, match="source"):
            read_papers(tmp_path)
    for entry in papers():
        teams = "collaboration" in entry.facets
        assert teams == bool(entry.facet_sources), entry.slug


@pytest.mark.must_show("collaboration-survey", 2)
def test_chatdev_stands_under_both_structures_with_both_sources() -> None:
    chatdev = find_profile("ChatDev")
    claims = {c.value: c for c in chatdev.claims["structure"]}
    assert claims.keys() == {"decentralised", "hierarchical"}
    assert claims["decentralised"].source != claims["hierarchical"].source
    assert all(c.doubt for c in claims.values())
    for value in claims:
        assert "ChatDev" in [p.name for p in profiles({"structure": value})]
    assert "ChatDev" not in [p.name for p in profiles({"structure": "centralised"})]


def test_no_placement_of_the_survey_is_lost() -> None:
    known = {p.paper or p.name: p for p in profiles()}
    for placed in collaboration_survey().placements:
        held = known[placed.paper or placed.system].values(placed.dimension)
        assert placed.value in held, placed.system


CHECKS = {  # system: run, what is declared, what is observed where it differs
    "mad": (
        mad_run,
        {"type": {"cooperation"}, "strategy": {"rule-based"}, "structure": {"decentralised"},
         "coordination": {"static"}},
        {},
    ),
    "dylan": (
        dylan_run,
        {"type": {"cooperation"}, "strategy": {"role-based"}, "coordination": {"dynamic"},
         "structure": {"hierarchical", "decentralised"}},
        {"structure": {"decentralised"}},
    ),
    "mdagents": (
        mdagents_run,
        {"strategy": {"role-based"}, "coordination": {"dynamic"},
         "structure": {"decentralised", "hierarchical"}},
        {"structure": {"decentralised"}},
    ),
    "metagpt": (
        metagpt_run,
        {"strategy": {"role-based"}, "coordination": {"static"}},
        # its tester chooses by its report who mends what
        {"coordination": {"dynamic"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("slug", CHECKS)
async def test_declared_is_held_against_a_run_and_a_mismatch_is_shown(slug: str) -> None:
    play, wanted, apart = CHECKS[slug]
    compared = {c.dimension: c for c in check(slug, await play())}
    for dimension, values in wanted.items():
        one = compared[dimension]
        assert {c.value for c in one.declared} == values
        assert all(c.source for c in one.declared)
        if dimension == "type":
            assert (one.verdict, one.observed.values) == ("not observed", (UNDETERMINED,))
            continue
        seen = apart.get(dimension, values)
        assert set(one.observed.values) == seen, one.observed.why
        assert one.verdict == ("differs" if dimension in apart else "agrees")
        assert set(one.only_declared) == values - seen
        assert set(one.only_observed) == seen - values
        if one.observed.values != ("static",):
            assert one.observed.evidence


RECORDED = Path(__file__).parents[2] / "recordings" / "recorded"


@pytest.mark.parametrize("task", [EASY, CHOICE], ids=lambda t: t.id)
async def test_a_debate_of_the_embedded_model_is_what_is_declared(task: Task) -> None:
    file = RECORDED / f"systems_on_the_embedded_model-{task.id}-mad.local-small.jsonl"
    kernel = Kernel(ReplayModel(file, "local-small"), seed=11)
    await mad(task, kernel, agents=2, rounds=2)
    verdicts = {c.dimension: c.verdict for c in check("mad", kernel.trace.events)}
    assert verdicts.pop("type") == "not observed"
    assert set(verdicts.values()) == {"agrees"}, verdicts


async def test_dylan_is_layers_over_turns_and_its_ranker_chooses() -> None:
    compared = {c.dimension: c for c in check("dylan", await dylan_run())}
    assert "Unrolled over turns there are" in compared["structure"].observed.why
    assert "picked" in compared["coordination"].observed.why
    doubts = [c.doubt for c in compared["structure"].declared if c.value == "hierarchical"]
    assert doubts and doubts[0]


async def test_the_channels_of_a_debate() -> None:
    (found,) = channels_of(await mad_run())
    assert found.actors == ("debater-1", "debater-2", "debater-3")
    assert (found.type, found.structure, found.form) == (UNDETERMINED, "decentralised", "debate")


# -- advice and queries -------------------------------------------------------------------------


@pytest.mark.must_show("collaboration-survey", 5)
@pytest.mark.parametrize(
    ("feature", "value", "choice"),
    [
        ("uncertainty", "high", "model-based"),
        ("procedure", "fixed", "rule-based"),
        ("roles", "many", "role-based"),
    ],
)
def test_a_feature_asks_for_a_strategy_with_its_trade_off(
    feature: str, value: str, choice: str
) -> None:
    (found,) = recommend({feature: value})
    said = collaboration_survey().dimension("strategy").values[choice]
    assert (found.dimension, found.choose) == ("strategy", choice)
    assert found.trade_off == said
    assert found.trade_off.strengths and found.trade_off.weaknesses


def test_features_that_do_not_exist_are_refused() -> None:
    with pytest.raises(BadInput, match="uncertainty: high, low"):
        recommend({})
    with pytest.raises(UnknownName, match="procedure"):
        recommend({"procedur": "fixed"})
    with pytest.raises(UnknownName, match="fixed"):
        recommend({"procedure": "fixd"})


def test_counts_are_those_of_a_plain_scan() -> None:
    counted = counts("type", "structure")
    read = [tomllib.loads(file.read_text())["facets"] for file in PAPERS_FOLDER.glob("*.toml")]
    for kind, row in counted.items():
        for shape, number in row.items():
            of_kind = [f for f in read if kind in f.get("collaboration", ())]
            assert number == sum(shape in f["structure"] for f in of_kind)
    assert counted["coopetition"] == {"centralised": 0, "decentralised": 0, "hierarchical": 0}
    with pytest.raises(UnknownName):
        counts("colour", "type")


def test_the_nearest_share_most_values() -> None:
    near = nearest("mad")
    assert [score for score, _ in near] == sorted((s for s, _ in near), reverse=True)
    assert all(p.paper != "mad" and 0 < score <= 1 for score, p in near)


def test_the_survey_s_lists_are_those_of_the_facets_and_a_damaged_file_is_named(
    tmp_path: Path,
) -> None:
    survey = collaboration_survey()
    assert [d.name for d in survey.dimensions] == [
        "actors", "type", "strategy", "structure", "coordination", "stage",
    ]  # fmt: skip
    for d in survey.dimensions:
        if d.facet:
            assert d.values.keys() == facets()[d.facet].values.keys()
    text = SURVEY_FILE.read_text()
    for old, new in (
        ('facet = "strategy"', 'facet = "tactics"'),
        ("[dimensions.values.coopetition]", "[dimensions.values.friendship]"),
        ('value = "hierarchical"', 'value = "pyramid"'),
        ('paper = "dylan"', 'paper = "dylann"'),
        ('choose = "dynamic"', 'choose = "chaotic"'),
        ('symbol = "', 'symbols = "'),
    ):
        assert old in text
        (tmp_path / "s.toml").write_text(text.replace(old, new))
        with pytest.raises(CatalogDamaged, match=r"s\.toml"):
            read_collaboration(tmp_path / "s.toml")
