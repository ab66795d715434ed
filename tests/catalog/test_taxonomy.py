"""Facets are parsed strictly, with help for near misses."""

from pathlib import Path

import pytest

from collegium.catalog import (
    BadFacet,
    CatalogDamaged,
    check_kind,
    facets,
    holds,
    kinds,
    paper,
    parse_facet,
    rooms,
)
from collegium.catalog.taxonomy import read_taxonomy
from collegium.errors import UnknownName

GOOD = """
[kinds]
survey = "orders a field"
[rooms]
catalog = "what exists"
[facets.colour]
definition = "the colour"
source = "umf"
[facets.colour.values]
red = "red"
crimson = "a red"
"""


def test_every_definition_is_one_line_and_every_source_is_a_paper() -> None:
    for facet in facets().values():
        paper(facet.source)
        assert len(facet.values) >= 2
        for text in (facet.definition, *facet.values.values()):
            assert text.endswith(".") and "\n" not in text
    for text in (*kinds().values(), *rooms().values()):
        assert text.endswith(".") and "\n" not in text


def test_the_closed_lists_of_the_collaboration_survey_are_complete() -> None:
    assert facets()["collaboration"].values.keys() == {"cooperation", "competition", "coopetition"}
    assert facets()["strategy"].values.keys() == {"rule-based", "role-based", "model-based"}
    assert facets()["structure"].values.keys() == {"centralised", "decentralised", "hierarchical"}
    assert facets()["coordination"].values.keys() == {"static", "dynamic"}
    assert facets()["stage"].values.keys() == {"early", "mid", "late"}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("structure=hierarchical", ("structure", "hierarchical")),
        (" Structure = Decentralized ", ("structure", "decentralised")),
        ("acts_on=code", ("acts-on", "code")),
        ("acts on=code", ("acts-on", "code")),
        ("optimization=reinforcement learning", ("optimisation", "reinforcement-learning")),
    ],
)
def test_parse_facet(text: str, parsed: tuple[str, str]) -> None:
    assert parse_facet(text) == parsed


@pytest.mark.parametrize("text", ["", "structure", "=hierarchical", "structure=", " = "])
def test_a_facet_without_name_or_value_is_refused(text: str) -> None:
    with pytest.raises(BadFacet, match="name=value"):
        parse_facet(text)


def test_near_misses_get_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="structure"):
        parse_facet("structur=hierarchical")
    with pytest.raises(UnknownName, match="hierarchical"):
        parse_facet("structure=hierarchic")
    with pytest.raises(UnknownName, match="benchmark"):
        check_kind("benchmarc")


def test_a_value_of_another_facet_is_refused() -> None:
    with pytest.raises(UnknownName):
        parse_facet("structure=cooperation")


@pytest.mark.parametrize("kind", ["design search", "Design-Search", "design_search"])
def test_kinds_are_forgiving_about_spelling(kind: str) -> None:
    assert check_kind(kind) == "design search"


def test_a_broader_value_holds_for_a_narrower_one_and_not_the_other_way() -> None:
    assert facets()["optimisation"].ancestry("meta-prompt") == (
        "meta-prompt",
        "feedback-based",
        "parameter-free",
    )
    assert holds("optimisation", "parameter-free", ["meta-prompt"])
    assert not holds("optimisation", "meta-prompt", ["feedback-based"])
    assert not holds("optimisation", "parameter-driven", ["meta-prompt"])
    assert not holds("optimisation", "parameter-free", [])


def test_returned_tables_are_copies() -> None:
    kinds().clear()
    assert kinds()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD + '[facets.colour.within]\ncrimson = "blue"\n', "blue"),
        (GOOD + '[facets.colour.within]\npink = "red"\n', "pink"),
        (GOOD + "[facets.shape]\n", "definition"),
        (GOOD.replace("[rooms]", "[halls]"), "rooms"),
        (GOOD + "[facets", "cannot be read"),
        ("facets = [1]", "cannot be read"),
    ],
)
def test_a_damaged_taxonomy_is_named(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "words.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogDamaged, match=rf"words\.toml.*{fault}"):
        read_taxonomy(file)


def test_a_good_taxonomy_loads_and_a_missing_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text(GOOD, encoding="utf-8")
    assert read_taxonomy(file).facets["colour"].name == "colour"
    with pytest.raises(CatalogDamaged, match=r"none\.toml"):
        read_taxonomy(tmp_path / "none.toml")
