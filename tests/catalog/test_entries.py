"""The shipped catalog is whole, and a damaged one is refused with one clear sentence."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from collegium.catalog import CatalogDamaged, facets, kinds, paper, papers, read_papers, rooms
from collegium.catalog.entries import PAPERS_FOLDER
from collegium.errors import UnknownName

SLUGS = [entry.slug for entry in papers()]


def test_there_are_79_papers_sorted_with_unique_slugs_titles_and_arxiv_ids() -> None:
    assert len(SLUGS) == 79
    assert sorted(set(SLUGS)) == SLUGS
    assert len({entry.title for entry in papers()}) == 79
    assert len({entry.name for entry in papers()}) == 79
    assert len({entry.arxiv for entry in papers() if entry.arxiv}) == 79


def test_papers_are_read_once() -> None:
    assert papers() is papers()


@pytest.mark.parametrize("slug", SLUGS)
def test_facts_are_well_formed(slug: str) -> None:
    entry = paper(slug)
    assert entry.title and entry.name
    assert re.fullmatch(r"\d{4}\.\d{5}", entry.arxiv)
    assert 2000 + int(entry.arxiv[:2]) == entry.year
    assert 40 <= len(entry.summary) <= 400
    assert entry.summary.endswith(".")
    assert re.fullmatch(r"([\w.-]+/[\w.-]+)?", entry.repository)
    assert entry.repository or not entry.repository_licence
    assert 5 <= entry.must_show <= 12
    assert entry.headline and all(line.setting and line.figure for line in entry.headline)
    assert all(line.source for line in entry.headline)
    assert set(entry.kinds) <= kinds().keys()
    assert entry.room in rooms()
    for name, values in entry.facets.items():
        assert values and set(values) <= facets()[name].values.keys()


def test_every_paper_names_a_domain_and_every_one_but_surveys_and_benchmarks_how_it_improves() -> (
    None
):
    for entry in papers():
        assert "domain" in entry.facets, entry.slug
        assert ("optimisation" in entry.facets) == (entry.kind not in {"survey", "benchmark"}) or (
            "learner" in entry.other_kinds
        ), entry.slug


def test_teams_have_a_whole_collaboration_profile_and_lone_agents_none() -> None:
    axes = {"collaboration", "structure", "strategy", "coordination", "stage"}
    for entry in papers():
        shared = axes & entry.facets.keys()
        assert shared in (set(), axes), entry.slug
        paradigm = set(entry.facets.get("paradigm", ()))
        if paradigm & {"agent-collective", "agentic-ai"}:
            assert shared == axes, entry.slug
        if paradigm & {"ai-agent", "generative-ai"}:
            assert not shared, entry.slug


def test_known_facts() -> None:
    dylan = paper("dylan")
    assert (dylan.arxiv, dylan.venue, dylan.must_show) == ("2310.02170", "COLM 2024", 7)
    assert dylan.repository == "SALT-NLP/DyLAN"
    assert dylan.facets["structure"] == ("hierarchical", "decentralised")
    assert "structure" in dylan.facet_notes
    assert paper("codecor").must_show == 9
    assert paper("mad").facets["coordination"] == ("static",)
    assert paper("metagpt").facets["strategy"] == ("role-based",)
    assert paper("aios").room == "kernel"


def test_every_kind_and_room_but_tasks_is_used() -> None:
    assert {kind for entry in papers() for kind in entry.kinds} == kinds().keys()
    assert {entry.room for entry in papers()} == rooms().keys() - {"tasks"}


def test_unknown_paper_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="dylan"):
        paper("dilan")


def write(folder: Path, slug: str, **changes: str) -> Path:
    """Copy the entry of one paper into a folder, replacing the lines that start with a field."""
    text = (PAPERS_FOLDER / "mad.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^see_also = .*$", "see_also = []", text)
    for field, line in changes.items():
        text, count = re.subn(rf"(?m)^{field} = .*$", lambda _, new=line: new, text, count=1)
        assert count == 1
    file = folder / f"{slug}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_untouched_copy_loads_under_its_file_name(tmp_path: Path) -> None:
    write(tmp_path, "copy")
    (entry,) = read_papers(tmp_path)
    assert (entry.slug, entry.name) == ("copy", "MAD")


@pytest.mark.parametrize(
    ("field", "line", "fault"),
    [
        ("year", 'year = "soon"', "year"),
        ("title", "", "title"),
        ("title", 'title = "x"\ncolour = "red"', "colour"),
        ("title", 'title = "unclosed', "line"),
        ("kind", 'kind = "debating club"', "debating club"),
        ("room", 'room = "attic"', "attic"),
        ("must_show", "must_show = 0", "must_show"),
        ("coordination", 'coordination = ["statick"]', "statick"),
        ("coordination", 'coordination = ["static", "static"]', "repeats"),
        ("coordination", "coordination = []", "empty"),
        ("coordination", 'colour = ["red"]', "colour"),
        ("see_also", 'see_also = ["nobody"]', "nobody"),
        ("see_also", 'see_also = ["copy"]', "copy"),
    ],
)
def test_damage_is_named(tmp_path: Path, field: str, line: str, fault: str) -> None:
    write(tmp_path, "copy", **{field: line})
    with pytest.raises(CatalogDamaged, match=rf"copy\.toml.*{fault}") as raised:
        read_papers(tmp_path)
    assert "\n" not in str(raised.value)


def test_an_entry_that_is_not_text_is_damage(tmp_path: Path) -> None:
    write(tmp_path, "copy").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogDamaged, match=r"copy\.toml"):
        read_papers(tmp_path)


def test_a_note_on_a_missing_facet_is_damage(tmp_path: Path) -> None:
    file = write(tmp_path, "copy")
    with file.open("a", encoding="utf-8") as entry:
        entry.write('reward = "nothing"\n')
    with pytest.raises(CatalogDamaged, match="reward"):
        read_papers(tmp_path)


def test_an_empty_folder_is_damage(tmp_path: Path) -> None:
    with pytest.raises(CatalogDamaged, match="no papers"):
        read_papers(tmp_path)


def test_a_whole_copy_of_the_catalog_equals_it(tmp_path: Path) -> None:
    shutil.copytree(PAPERS_FOLDER, tmp_path / "papers")
    assert read_papers(tmp_path / "papers") == papers()


def test_importing_the_catalog_reads_no_entry_and_loads_no_other_room() -> None:
    code = (
        "import sys, collegium.catalog as c\n"
        "assert c.papers.cache_info().currsize == 0\n"
        "rooms = {name.split('.')[1] for name in sys.modules if name.startswith('collegium.')}\n"
        "print(*sorted(rooms & {'kernel', 'models', 'agents', 'systems', 'bench', 'cli'}))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
