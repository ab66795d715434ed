"""Search finds what a person would expect, best first."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.catalog import Paper, find, papers
from collegium.errors import UnknownName


def slugs(query: str = "", *, kind: str | None = None, facets: Mapping[str, str] = {}) -> list[str]:
    """Return the slugs of the papers found."""
    return [entry.slug for entry in find(query, kind=kind, facets=facets)]


def test_without_words_everything_is_found_in_order() -> None:
    assert find() == find("  ") == list(papers())


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("debate", "mad"),
        ("DEBATE", "mad"),
        ("knowledge graph", "agentigraph"),
        ("operating system", "aios"),
        ("mobile device", "mobile-agent"),
        ("bug reproduction", "aegis"),
        ("kaggle", "agent-k"),
        ("starcraft", "textstarcraft"),
        ("geologic map", "peace"),
        ("privilege", "progent"),
        ("mas-tts", "mas-tts"),
    ],
)
def test_the_expected_paper_comes_first(query: str, first: str) -> None:
    assert slugs(query)[0] == first


def test_a_word_may_be_a_beginning_or_another_form() -> None:
    assert slugs("dyl")[0] == "dylan"
    assert slugs("debat")[0] == "mad"
    assert slugs("debates")[0] == "mad"
    assert set(slugs("medagentb")) == {"medagentbench"}


@pytest.mark.parametrize("slug", [entry.slug for entry in papers()])
def test_every_paper_comes_first_by_its_slug_and_near_the_top_by_its_name(slug: str) -> None:
    name = next(entry.name for entry in papers() if entry.slug == slug)
    assert slugs(slug)[0] == slug
    assert slug in slugs(name)[:3]


def test_all_words_count_and_one_is_enough_when_no_paper_has_all() -> None:
    both = slugs("medical debate")
    assert both and set(both) <= set(slugs("medical")) | set(slugs("debate"))
    assert slugs("debate zzzz") == slugs("debate")


def test_facet_values_kinds_and_broader_values_are_words_too() -> None:
    assert "mate" in slugs("accessibility")
    assert "concordia" in slugs("society simulation")
    assert "agenttuning" in slugs("parameter-driven")


def test_nothing_found_is_an_empty_list() -> None:
    assert slugs("zzzz") == []
    assert slugs("!?") == []


def test_kind_covers_main_and_other_kinds() -> None:
    found = find(kind="protocol")
    assert [entry.slug for entry in found] == ["interop"]
    assert "interop" in slugs(kind="survey")
    assert "agentgym" in slugs(kind="learner") and "agentgym" in slugs(kind="benchmark")
    assert "dylan" not in slugs(kind="learner")


def test_facets_filter_and_combine() -> None:
    hierarchical = slugs(facets={"structure": "hierarchical"})
    assert "halo" in hierarchical and "mad" not in hierarchical
    assert "dylan" in hierarchical and "dylan" in slugs(facets={"structure": "decentralized"})
    assert slugs(facets={"structure": "hierarchical", "domain": "medicine"}) == [
        "mdagents",
        "mmedagent-rl",
    ]
    assert slugs("triage", facets={"structure": "hierarchical", "domain": "medicine"}) == [
        "mmedagent-rl"
    ]


def test_a_broader_facet_value_finds_the_narrower_ones() -> None:
    rewarded = slugs(facets={"optimisation": "reinforcement-learning", "reward": "environment"})
    assert rewarded == ["agentgym", "malt", "marft", "mra"]
    feedback = set(slugs(facets={"optimisation": "feedback-based"}))
    assert {"adas", "metagpt", "plotgen"} <= feedback
    assert feedback < set(slugs(facets={"optimisation": "parameter-free"}))


def test_unknown_kind_facet_and_value_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="learner"):
        find(kind="lerner")
    with pytest.raises(UnknownName, match="domain"):
        find(facets={"domian": "medicine"})
    with pytest.raises(UnknownName, match="medicine"):
        find(facets={"domain": "medecine"})


@given(st.text(max_size=30))
def test_any_text_is_a_query(query: str) -> None:
    found = slugs(query)
    assert len(found) == len(set(found))


@given(st.sampled_from(papers()), st.data())
def test_any_beginning_of_a_name_finds_the_paper(entry: Paper, data: st.DataObject) -> None:
    word = entry.name.split()[0]
    size = data.draw(st.integers(1, len(word)))
    assert entry in find(word[:size])
