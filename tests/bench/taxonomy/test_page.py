"""The page that compares by facet is made from the catalog."""

import importlib
from pathlib import Path

import pytest

from collegium.catalog import facets, papers

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_the_page_names_every_facet_value_and_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    page = importlib.import_module("by_facet").facet_page()
    for facet in facets().values():
        assert f"## {facet.name.capitalize()}" in page
        for value, meaning in facet.values.items():
            assert f"| {value} | {meaning} |" in page
    for entry in papers():
        assert f"[{entry.name}](papers/{entry.slug}.md)" in page
    assert "| coopetition | gap | gap | gap |" in page
    assert page.count("| ChatDev | structure |") == 2
