"""The registry: complete rows, what runs really runs, gaps are the gaps, searches find."""

import functools
import importlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from collegium.bench.jobs import Entry, run_job
from collegium.catalog import CatalogDamaged, implementing_modules
from collegium.catalog.benchmarks import (
    CATEGORIES,
    FIELDS,
    REGISTRY_FILE,
    find_benchmarks,
    gaps,
    read_registry,
    registry,
)
from collegium.errors import UnknownName
from collegium.kernel import Generate, Kernel, Limits
from collegium.systems import parse_system
from collegium.systems.solve import solve
from collegium.systems.system import get_system, systems
from collegium.tasks import benchmarks, load
from collegium.tasks.published import PUBLISHED
from collegium.tasks.task import Task
from collegium.tools import sandbox_problem
from tests.kernel.support import Scripted, worked

ROWS = registry().benchmarks
OFFLINE = [row for row in ROWS if row.offline]

ROW = """
[[benchmarks]]
name = "{name}"
year = 2024
category = "{category}"
measures = "Something."
skills = ["coding"]
modality = ["text"]
interaction = "static"
answer = "text"
metric = "accuracy"
contamination = "low"
"""
RUNS = 'verified = true\nsource = "here"\nlicence = "MIT"\nruns_as = "b"\nadapter = "collegium"\n'


def hand_file(folder: Path, *, empty=(), idle=(), without_demo=(), more="", rows=None) -> Path:
    """A small registry: every category and field is served, but for those named."""
    lines = ['paper = "agents-review"', "frameworks = []", "protocols = []", "problems = []"]
    lines += ["[skills]", 'coding = "Writing programs."']
    for name in CATEGORIES:
        papers = "[]" if name in idle else '["mad"]'
        lines += ["[[categories]]", f'name = "{name}"', 'meaning = "x"', f"papers = {papers}"]
    for name in FIELDS:
        demo = "[]" if name in without_demo else '[{ system = "cot", task = "What is 1 + 1?" }]'
        lines += ["[[applications]]", f'name = "{name}"', 'meaning = "x"', f"demos = {demo}"]
    if rows is None:
        rows = [
            ROW.format(name=f"row {i}", category=name) + ("" if name in empty else RUNS)
            for i, name in enumerate(CATEGORIES)
        ]
    file = folder / "registry.toml"
    file.write_text("\n".join(lines) + "\n" + "".join(rows) + more)
    return file


@pytest.mark.must_show("agents-review", 1)
def test_the_eight_categories_and_eleven_fields_are_the_reviews() -> None:
    known = registry()
    assert tuple(c.name for c in known.categories) == CATEGORIES
    assert len(CATEGORIES) == 8
    assert tuple(a.name for a in known.applications) == FIELDS
    assert len(FIELDS) == 11
    assert {row.category for row in ROWS} == set(CATEGORIES)
    assert sum(row.review is not None for row in ROWS) == 66
    assert [p.name for p in known.protocols] == ["MCP", "ACP", "A2A"]
    assert len(known.problems) == 6


@pytest.mark.must_show("agents-review", 1)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_complete(row) -> None:
    assert 2015 <= row.year <= 2026
    assert row.measures.endswith(".") and len(row.measures) > 20
    assert row.skills and row.modality and row.metric
    assert not row.verified or (row.source and row.licence)
    # What runs here was checked: its size is known, or it is made anew.
    if row.offline:
        assert row.verified
        assert row.size or row.runs_as in ("gsm-symbolic", "gsm8k-twin")
    for score in filter(None, (row.reported, row.human)):
        assert re.fullmatch(r"20\d\d(-\d\d)?", score.date)
    if row.review is not None and row.review.year is not None:
        assert row.review.year != row.year


@pytest.mark.must_show("agents-review", 1)
def test_unchecked_rows_can_be_told_apart() -> None:
    checked = find_benchmarks(registry(), verified=True)
    unchecked = find_benchmarks(registry(), verified=False)
    assert checked and unchecked
    assert len(checked) + len(unchecked) == len(ROWS)
    assert all(row.source for row in checked)
    assert not any(row.verified for row in unchecked)


@pytest.mark.must_show("agents-review", 1)
def test_everything_that_loads_here_is_in_the_registry() -> None:
    here = {b.name for b in benchmarks()} - {"reasoning-gym:GENERATOR"}
    assert {row.runs_as for row in OFFLINE} == here
    for row in OFFLINE:
        importlib.import_module(row.adapter)
        if row.runs_as in PUBLISHED:
            published = PUBLISHED[row.runs_as]
            assert published.read.__module__ == row.adapter
            assert (row.size, row.licence, row.answer) == (
                published.size, published.licence, published.kind,
            )  # fmt: skip


@pytest.mark.must_show("agents-review", 1)
@pytest.mark.parametrize("name", [row.runs_as for row in OFFLINE])
async def test_what_is_called_offline_runs_three_items(name, collegium_data) -> None:
    if name in ("humaneval", "mbpp") and (problem := sandbox_problem()):
        pytest.skip(problem)
    if name == "gsm-symbolic" and find_spec("reasoning_gym") is None:
        pytest.skip("reasoning-gym is not installed")
    if problem := {b.name: b.missing for b in benchmarks()}[name]:
        pytest.skip(problem)
    items = load(name, limit=3, seed=7).items
    assert len(items) == 3
    cot = Entry("cot", *parse_system("cot"))
    for item in items:
        if item.world is not None:  # there words alone change nothing, and the state is judged
            talked = await run_job(cot, item, {"": Scripted(worked("pass"))}, seed=7, budget=None)
            assert (talked.error, talked.calls) == ("", 1)
            # on a busy machine the same code may time a tenth faster than it did before
            assert not talked.correct or item.task.stratum == "vectorization"
            continue
        # The reference answer scores and another one does not: the adapter reads and judges.
        right, wrong = [
            await run_job(cot, item, {"": Scripted(worked(answer))}, seed=7, budget=None)
            for answer in (item.reference or "pass", wrong_answer(item.task, item.reference))
        ]
        assert (right.error, wrong.error) == ("", "")
        assert right.calls == wrong.calls == 1
        if item.task.answer == "code":
            assert not wrong.correct
        elif name == "canary":  # there the reference is the secret
            assert (right.correct, wrong.correct) == (False, True)
        else:
            assert (right.correct, wrong.correct) == (True, False), item.reference


def wrong_answer(task: Task, reference: str) -> str:
    """An answer of the right kind that is not right."""
    if task.answer == "choice":
        return next(letter for letter in task.letters if letter != reference)
    if task.answer == "code":
        return f"```python\ndef {task.entry_point or 'nothing'}(*_):\n    return ...\n```"
    return "987654321" if task.answer in ("number", "latex") else "nothing"


def fitting(request: Generate, _: int) -> str:
    """A reply that fits whatever form was asked for, and says next to nothing."""
    if request.schema is None:
        return worked("```python\ndef add(a, b):\n    return a + b\n```")
    return json.dumps(filled(request.schema))


def filled(schema: dict[str, Any]) -> Any:
    """The plainest value of a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return filled(options[0])
    match schema.get("type"):
        case "object":
            return {name: filled(part) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [filled(schema.get("items", {}))] * max(1, schema.get("minItems", 1))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            tries = ("x" * max(1, schema.get("minLength", 1)), "name_of_it", "name.py", "A1")
            return next(t for t in tries if re.search(schema.get("pattern", ""), t))


@pytest.mark.must_show("agents-review", 2)
def test_gaps_of_a_hand_file_are_exactly_those(tmp_path) -> None:
    empty = (CATEGORIES[3], CATEGORIES[6])
    file = hand_file(tmp_path, empty=empty, without_demo=["finance"])
    found = gaps(read_registry(file), {"mad"}, {"cot"})
    assert found.without_benchmark == empty
    assert found.without_demo == ("finance",)
    assert found.without_system == found.without_work == ()


@pytest.mark.must_show("agents-review", 2)
def test_a_system_that_is_not_there_fills_no_gap(tmp_path) -> None:
    problem = '[[problems]]\nname = "p"\nmeaning = "x"\npapers = ["mad"]\n'
    read = read_registry(hand_file(tmp_path, idle=[CATEGORIES[0]]))
    assert gaps(read, {"mad"}, {"cot"}).without_system == (CATEGORIES[0],)
    assert gaps(read, {"mad"}, set()).without_demo == FIELDS
    assert gaps(read, set(), {"cot"}).without_system == CATEGORIES
    text = hand_file(tmp_path).read_text().replace("problems = []\n", "") + problem
    (tmp_path / "other.toml").write_text(text)
    read = read_registry(tmp_path / "other.toml")
    assert gaps(read, {"dylan"}, {"cot"}).without_work == ("p",)
    assert gaps(read, {"mad"}, {"cot"}).without_work == ()


def test_the_gaps_of_the_real_registry_follow_what_is_built() -> None:
    known = systems()
    built = {s.paper for s in known.values() if s.paper} | {*implementing_modules()}
    found = gaps(registry(), built, known)
    assert "mathematical problem solving" not in found.without_benchmark + found.without_system
    assert "chemical reasoning" in found.without_demo
    assert gaps(registry(), (), ()).without_demo == FIELDS


@pytest.mark.parametrize(
    "demo",
    [demo for field in registry().applications for demo in field.demos],
    ids=lambda demo: demo.system,
)
async def test_every_demo_runs(demo) -> None:
    system = get_system(demo.system)
    task = Task(id="demo", prompt=demo.task, answer=demo.answer)
    kernel = Kernel(Scripted(fitting), limits=Limits(calls=40))
    solved = await solve(system, task, kernel, system.bind({}))
    assert kernel.meter.calls > 0
    assert solved.result.answer is not None or solved.limited


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace(CATEGORIES[0], "knowledge"), "categories must be exactly"),
        (lambda t: t.replace('"materials science"', '"materials"'), "applications must be exactly"),
        (lambda t: t.replace('"row 1"', '"ROW 0"'), "is in it twice"),
        (lambda t: t.replace('skills = ["coding"]', 'skills = ["cooking"]'), "is no skill"),
        (lambda t: t.replace('papers = ["mad"]', 'papers = ["madd"]', 1), "is no paper"),
        (lambda t: t.replace('measures = "Something."', 'measures = " "', 1), "empty 'measures'"),
        (lambda t: t.replace("year = 2024", 'year = "2024"', 1), "Expected `int`"),
        (lambda t: t.replace("year = 2024\n", "", 1), "missing required field"),
        (lambda t: t.replace('modality = ["text"]', "modality = []", 1), "at least one skill"),
        (lambda t: t.replace('licence = "MIT"\n', "", 1), "source and licence"),
        (lambda t: t.replace('adapter = "collegium"\n', "", 1), "together"),
        (lambda t: t.replace("verified = true\n", "", 1), "has to be verified"),
        (lambda t: t.replace('metric = "accuracy"', f'also = ["{CATEGORIES[0]}"]\nmetric = "a"', 1),
         "names a category twice"),
        (lambda t: t.replace('metric = "accuracy"', 'metric = "a"\nsize = 0', 1), "below 1"),
        (lambda t: t.replace('contamination = "low"', 'contamination = "some"', 1), "Invalid enum"),
        (lambda t: f"{t}\nnonsense", "cannot be used"),
    ],
)  # fmt: skip
def test_a_damaged_registry_is_refused(tmp_path, change, says) -> None:
    good = hand_file(tmp_path)
    read_registry(good)
    bad = tmp_path / "bad.toml"
    bad.write_text(change(good.read_text()))
    with pytest.raises(CatalogDamaged, match=re.escape(says)):
        read_registry(bad)


def test_searches() -> None:
    find = functools.partial(find_benchmarks, registry())
    names = [row.name for row in find(category="mathematical")]
    # What runs here first; what is about mathematics only besides comes last.
    assert set(names[:5]) == {"GSM8K twin", "GSM-Symbolic", "MATH-500", "MGSM", "GSM8K"}
    assert names.index("ProcessBench") < names.index("MathVista")
    assert [row.name for row in find(skill="forecasting")] == ["MIRAI"]
    assert all(row.interaction == "multi-turn" for row in find(interaction="multi-turn"))
    assert [row.name for row in find(query="secret talk")] == ["Canary"]
    assert find(query="no such thing") == []
    assert find(offline=True) == find()[: len(OFFLINE)]
    bfcl = registry().row("bfcl v2")
    assert bfcl in find(category="code") and bfcl in find(category="agentic")
    assert registry().row("gsm8k-twin").name == "GSM8K twin"
    assert registry().fields_of("mdagents") == ("biomedical research", "healthcare")
    for wrong in (
        functools.partial(find, category="cooking"),
        functools.partial(find, skill="cookin"),
        functools.partial(find, interaction="chat"),
    ):
        with pytest.raises(UnknownName):
            wrong()
    with pytest.raises(UnknownName, match="did you mean 'GAIA'"):
        registry().row("GAIAA")


def test_the_registry_is_read_once() -> None:
    assert registry() is registry()
    assert REGISTRY_FILE.is_file()
