"""Paradigms by events, the advice, the matrix of remedies, and one file for all tables."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import collegium
from collegium.agents.react import react
from collegium.bench.taxonomy import (
    Paradigm,
    advise,
    matrix,
    paradigm_of,
    remedies_on,
    unanswered,
)
from collegium.bench.taxonomy.messages import UNDETERMINED
from collegium.bench.taxonomy.remedies import UNSEEN
from collegium.catalog import CatalogDamaged, facets, paper
from collegium.catalog.surveys import agentic_survey, collaboration_survey
from collegium.catalog.surveys.agentic import TAXONOMY_FILE, read_agentic
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Kernel, Reply, Send, ToolCall, tool
from collegium.models.scripted import ScriptedModel
from collegium.systems.system import systems
from tests.bench.taxonomy.runs import (
    NUMBER,
    dylan_run,
    form_filler,
    mad_run,
    mdagents_run,
    metagpt_run,
    run,
)

PACKAGE = Path(collegium.__file__).parent


def leaves(value: Any) -> Iterator[str]:
    """Every text in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for held in value.values():
            yield from leaves(held)
    elif isinstance(value, list):
        for held in value:
            yield from leaves(held)


@pytest.mark.must_show("agentic-taxonomy", 1)
@pytest.mark.parametrize(
    "survey", [agentic_survey(), collaboration_survey()], ids=lambda s: s.paper
)
def test_show_prints_everything_in_the_file(survey: Any, command) -> None:
    held = msgspec.json.decode(msgspec.json.encode(survey))
    assert json.loads(command(["taxonomy", "show", survey.paper, "--json"]).stdout) == held
    printed = command(["taxonomy", "show", survey.paper]).stdout
    assert [text for text in leaves(held) if text not in printed] == []


@pytest.mark.must_show("agentic-taxonomy", 1)
def test_nothing_else_repeats_the_tables() -> None:
    survey = msgspec.json.decode(msgspec.json.encode(agentic_survey()))
    parts = ("tables", "applications", "challenges", "remedies", "roadmap", "traits", "components")
    # Single words such as "memory" are words of the language; sentences and phrases are the file's.
    said = {t for part in parts for t in leaves(survey[part]) if len(t) > 20 and " " in t}
    assert len(said) > 60
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        assert [t for t in said if t in text] == [], file


def test_the_tables_have_the_rows_of_the_paper() -> None:
    survey = agentic_survey()
    rows = {t.name: [r.name for r in t.rows] for t in survey.tables}
    assert rows["AI agent against agentic AI"] == [
        "definition", "autonomy", "task complexity", "collaboration", "learning", "applications",
    ]  # fmt: skip
    assert rows["Conceptual and cognitive dimensions"] == [
        "initiation", "goal flexibility", "temporal continuity", "learning", "memory",
        "coordination", "role",
    ]  # fmt: skip
    assert rows["Key attributes"] == [
        "core function", "mechanism", "structure", "external data", "key trait",
    ]  # fmt: skip
    for table in survey.tables[1:3]:
        assert all(r.cell(c.id) for r in table.rows for c in survey.columns)
    assert [c.id for c in survey.challenges] == [
        *(f"A{n}" for n in range(1, 6)), *(f"G{n}" for n in range(1, 9)),
    ]  # fmt: skip
    assert [r.id for r in survey.remedies] == [f"S{n}" for n in range(1, 11)]
    assert {c.paradigm for c in survey.columns} < facets()["paradigm"].values.keys()


# -- classification -------------------------------------------------------------------------------


@tool
def search(query: str) -> str:
    """Look something up."""
    return f"Nobody knows much about {query}."


async def one_prompt() -> list[Event]:
    """A single prompt."""
    return (await run("direct", NUMBER, form_filler(answer=12)))[0]


async def one_search() -> list[Event]:
    """A loop of reasoning and acting with one call of a search tool."""
    replies = iter(
        [
            Reply("", tool_calls=(ToolCall("c1", "search", {"query": "tea"}),), finish="tool"),
            "Tea is a drink.",
        ]
    )
    kernel = Kernel(ScriptedModel(lambda request: next(replies)), tools=[search])
    found = await react(kernel.agent("scout", tools=["search"]), "What is tea?")
    assert found.answer == "Tea is a drink."
    return kernel.trace.events


def marks(label: Paradigm) -> set[str]:
    return {m.id for m in label.marks if m.value}


ALL = {"multi_agent", "dynamic_decomposition", "persistent_memory", "orchestrated_autonomy"}
LABELS: dict[str, tuple[Callable[[], Awaitable[list[Event]]], str, set[str]]] = {
    "prompt": (one_prompt, "generative-ai", set()),
    "search": (one_search, "ai-agent", set()),
    "mad": (mad_run, "agent-collective", {"multi_agent"}),
    "dylan": (dylan_run, "agent-collective", {"multi_agent", "orchestrated_autonomy"}),
    "metagpt": (metagpt_run, "agentic-ai", ALL),
}


@pytest.mark.must_show("agentic-taxonomy", 2)
@pytest.mark.parametrize("name", LABELS)
async def test_labels_of_real_runs(name: str) -> None:
    play, label, held = LABELS[name]
    found = paradigm_of(await play())
    assert (found.label, marks(found)) == (label, held), found
    assert found.score == len(held)
    assert bool(found.acts) == (name in ("search", "metagpt"))


async def test_generators_inside_agentic_ai_are_named() -> None:
    found = paradigm_of(await metagpt_run())
    assert "architect" in found.generators
    assert "qa-engineer" not in found.generators  # it uses tools


async def test_two_prompts_are_not_agentic_and_two_who_never_talk_are_no_team() -> None:
    kernel = Kernel(ScriptedModel([("", "said")]))
    for name in ("one", "two"):
        await kernel.agent(name).ask("hello")
    found = paradigm_of(kernel.trace.events)
    assert (found.label, found.marks) == ("generative-ai", ())
    assert "exchange nothing" in found.why
    twice = (await run("self-refine", NUMBER, form_filler(), turns=2))[0]
    assert paradigm_of(twice).label == "generative-ai"


@pytest.mark.must_show("agentic-taxonomy", 3)
@pytest.mark.parametrize("play", [mad_run, dylan_run, mdagents_run, metagpt_run])
async def test_every_mark_names_its_events_and_falls_without_them(play: Any) -> None:
    events = await play()
    found = paradigm_of(events)
    ids = {e.id for e in events}
    assert any(m.value for m in found.marks)
    for mark in found.marks:
        assert mark.value == bool(mark.evidence)
        assert ids.issuperset(mark.evidence)
        if mark.value:
            without = paradigm_of(e for e in events if e.id not in mark.evidence)
            assert mark.id not in marks(without), mark


@pytest.mark.must_show("agentic-taxonomy", 7)
async def test_a_trace_that_lacks_something_is_undetermined() -> None:
    empty = paradigm_of([])
    assert (empty.label, empty.missing, empty.marks) == (UNDETERMINED, ("events",), ())
    events = await mad_run()
    nameless = [
        msgspec.structs.replace(e, call=msgspec.structs.replace(e.call, agent="")) for e in events
    ]
    found = paradigm_of(nameless)
    assert (found.label, found.missing) == (UNDETERMINED, ("call.agent",))
    mail = [e for e in events if isinstance(e.call, Send)]
    assert paradigm_of(mail).missing == ("answered model calls",)
    assert paradigm_of(mail).label == UNDETERMINED


# -- advice ---------------------------------------------------------------------------------------


@pytest.mark.must_show("agentic-taxonomy", 4)
@pytest.mark.parametrize(
    ("task", "paradigm", "dimension"),
    [
        ("prioritise my inbox", "ai-agent", "external data"),
        ("collect, compare, write and check a grant survey", "agentic-ai", "scope"),
        ("write a haiku", "generative-ai", "scope"),
        ("Prioritize the e-mails in my INBOX", "ai-agent", "external data"),
        ("book me a table for two", "ai-agent", "driver"),
        ("let a team of doctors agree on a plan", "agentic-ai", "multiple agents"),
        ("explain the word entropy", "generative-ai", "scope"),
    ],
)
def test_the_smallest_paradigm_and_what_decided(task: str, paradigm: str, dimension: str) -> None:
    found = advise(task)
    survey = agentic_survey()
    assert (found.paradigm, found.dimension) == (paradigm, dimension)
    row = survey.row(found.table, dimension)
    assert found.cell == row.cell(survey.column(paradigm)) != ""
    assert found.because


def test_no_task_is_bad_input() -> None:
    with pytest.raises(BadInput, match="in words"):
        advise("  ")


# -- remedies -------------------------------------------------------------------------------------


@pytest.mark.must_show("agentic-taxonomy", 5)
def test_every_remedy_names_a_feature_that_exists_and_papers_or_is_a_gap() -> None:
    rows = matrix({s.paper for s in systems().values() if s.paper})
    for row in rows:
        if row.remedy.feature:
            module, name = row.remedy.feature.split(":")
            assert hasattr(importlib.import_module(module), name), row.remedy.feature
            assert row.remedy.here
        assert [paper(s).slug for s in row.remedy.papers] == [*row.remedy.papers]
        assert ("feature" in row.gaps) == (not row.remedy.feature)
        assert ("paper" in row.gaps) == (not row.remedy.papers)
    assert [row.remedy.id for row in rows if row.gaps] == ["S8"]  # nothing simulates causes yet
    assert set(unanswered()) == {"A1", "G1", "G8"}
    assert {r.remedy.id for r in rows} >= set(UNSEEN)


@pytest.mark.must_show("agentic-taxonomy", 5)
async def test_reflection_turned_off_is_gone_from_the_trace() -> None:
    on, _ = await run("self-refine", NUMBER, form_filler(), turns=3)
    off, _ = await run("self-refine", NUMBER, form_filler(), turns=1)
    turns = [e.id for e in on if isinstance(e.call, Generate)]
    assert remedies_on(on)["S6"] == tuple(turns[1:])
    assert "S6" not in remedies_on(off)
    assert len(off) == len(on) - 2


@pytest.mark.must_show("agentic-taxonomy", 5)
async def test_retrieval_turned_off_is_gone_from_the_trace() -> None:
    on = await one_search()
    assert {"S1", "S2", "S3"} <= remedies_on(on).keys()
    kernel = Kernel(ScriptedModel([("", "Tea is a drink.")]), tools=[search])
    await kernel.agent("scout").ask("What is tea?")
    assert remedies_on(kernel.trace.events) == {}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    text = TAXONOMY_FILE.read_text()
    for old, new in (
        ('addresses = ["A2", "A5"]', 'addresses = ["A2", "B9"]'),
        ('dimension = "driver"', 'dimension = "motor"'),
        ('paradigm = "ai-agent"', 'paradigm = "robot"'),
        ('papers = ["tree-search"]', 'papers = ["no-such-paper"]'),
        ('of = "AA"', 'of = "XX"'),
    ):
        assert old in text
        (tmp_path / "t.toml").write_text(re.sub(re.escape(old), new, text, count=1))
        with pytest.raises(CatalogDamaged, match=r"t\.toml"):
            read_agentic(tmp_path / "t.toml")
