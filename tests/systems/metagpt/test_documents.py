"""Documents and textual contracts: what is accepted, what is refused, what is read."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.agents.diagrams import parse_class_diagram
from collegium.kernel import Unparsed
from collegium.kernel.outputs import output_of
from collegium.systems.metagpt.documents import (
    PRD,
    Design,
    Tasks,
    as_text,
    fields_of,
    path_problem,
    tasks_for,
)
from collegium.systems.metagpt.reading import (
    Verdict,
    code_block,
    code_blocks,
    content_of,
    report_of,
    sections,
    verdict_of,
)
from collegium.systems.metagpt.reports import Review, RunReport, report_on
from collegium.systems.metagpt.short import (
    ShortDesign,
    ShortPRD,
    ShortTasks,
    short_tasks_for,
    widened,
)
from tests.systems.metagpt.script import DESIGN, TASKS
from tests.systems.metagpt.script import PRD as SHORT_PRD


@pytest.mark.parametrize(
    "path", ["main.py", "core/board.py", "words.txt", "static/index.html", "a-b.py"]
)
def test_paths_of_a_project(path: str) -> None:
    assert path_problem(path) == ""


@given(st.text(alphabet="ab./\\:\n ", max_size=12))
def test_no_path_leads_out(path: str) -> None:
    if path_problem(path) == "":
        parts = path.split("/")
        assert not path.startswith("/")
        assert ".." not in parts
        assert "" not in parts


def test_the_schemas_have_the_names_of_the_paper() -> None:
    assert [f.encode_name for f in msgspec.structs.fields(PRD)] == [
        "Language",
        "Programming Language",
        "Original Requirements",
        "Project Name",
        "Product Goals",
        "User Stories",
        "Competitive Analysis",
        "Competitive Quadrant Chart",
        "Requirement Analysis",
        "Requirement Pool",
        "UI Design draft",
        "Anything UNCLEAR",
    ]
    assert [f.encode_name for f in msgspec.structs.fields(Design)] == [
        "Implementation approach",
        "File list",
        "Data structures and interfaces",
        "Program call flow",
        "Anything UNCLEAR",
    ]


@pytest.mark.parametrize(
    "kind", [PRD, Design, Tasks, ShortPRD, ShortDesign, ShortTasks, Review, RunReport]
)
def test_every_document_can_be_asked_for_and_names_its_fields(kind: type[Any]) -> None:
    schema = output_of(kind).schema
    assert schema is not None
    named = fields_of(kind)
    for name in schema["properties"]:
        assert f"- {name}: " in named
    assert set(schema["required"]) == set(schema["properties"])


def test_the_grammar_of_a_task_list_knows_the_files() -> None:
    files = ("a.py", "b.py")
    for kind in (tasks_for(Tasks, files), short_tasks_for(files)):
        schema = output_of(kind).schema
        assert schema is not None
        listed = schema["properties"]["Task list"]
        assert listed["items"] == {"enum": ["a.py", "b.py"]}
        assert listed["minItems"] == listed["maxItems"] == 2
    logic = schema["properties"]["Logic Analysis"]["items"]["properties"]
    assert logic["file"]["enum"] == ["a.py", "b.py"]
    schema = output_of(report_on(("a.py", "tests/test_a.py"))).schema
    assert schema is not None
    assert schema["properties"]["File To Rewrite"]["enum"] == ["a.py", "tests/test_a.py"]


def test_short_documents_become_whole_ones() -> None:
    prd = widened(msgspec.convert(SHORT_PRD, ShortPRD), "Make it")
    assert (prd.original_requirements, prd.requirement_pool) == ("Make it", [["P0", "Add numbers"]])
    sketches = [
        {"name": "Game", "members": ["+int score", "+run()"], "uses": ["Board", "Nobody", "Game"]},
        {"name": "Board", "members": [], "uses": []},
    ]
    design = widened(
        msgspec.convert({**DESIGN, "Data structures and interfaces": sketches}, ShortDesign), ""
    )
    diagram = parse_class_diagram(design.data_structures)
    assert diagram.names == ("Game", "Board")
    assert [(e.source, e.target) for e in diagram.edges] == [("Game", "Board")]
    tasks = widened(msgspec.convert(TASKS, short_tasks_for(("main.py", "machine.py"))), "")
    assert tasks.task_list == ["machine.py", "main.py"]
    assert "Logic Analysis:\n- machine.py: class Machine" in as_text(tasks)
    assert "Full API spec" not in as_text(tasks)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[CONTENT]\n{"score": 1}\n[/CONTENT]', 1),
        ('Here it is. [CONTENT]{"score": 2}[/CONTENT] Good luck with {it}!', 2),
        ('{"score": 3}', 3),
        ('```json\n{"score": 4}\n```', 4),
        ("[CONTENT] [/CONTENT]", None),
        ('[CONTENT]{"score": "x"}[/CONTENT]', None),
        ('[CONTENT]{"score": 5', None),
        ("", None),
    ],
)
def test_content_between_tags(text: str, found: int | None) -> None:
    kind = msgspec.defstruct("Scored", [("score", int)])
    read: Any = content_of(text, kind)
    assert isinstance(read, Unparsed) if found is None else read.score == found


def test_sections() -> None:
    text = "## A\none\ntwo\n## B: three\n## Other\nfour\n**A**: five"
    assert sections(text, ("A", "B")) == {"A": "five", "B": "three"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("## Code Review Result\nLGTM", "LGTM"),
        ("## Actions\n1. fix\n\n## Code Review Result: LBTM", "LBTM"),
        ("I think LGTM", None),
        ("## Code Review Result\nLGTM/LBTM", None),
        ("", None),
    ],
)
def test_verdicts(text: str, result: str | None) -> None:
    read = verdict_of(text)
    assert isinstance(read, Unparsed) if result is None else read.result == result  # type: ignore
    if "Actions" in text:
        assert read == Verdict("LBTM", "1. fix")


def test_reports() -> None:
    text = "It divides by zero.\n\n## File To Rewrite:\na.py\n\n## Status:\nFAIL\n\n## Send To:\n"
    assert report_of(text + "Engineer\n---") == RunReport(
        instruction="It divides by zero.", file_to_rewrite="a.py", status="FAIL", send_to="Engineer"
    )
    assert isinstance(report_of(text + "Somebody"), Unparsed)
    assert isinstance(report_of("All is well."), Unparsed)


def test_code_of_one_file() -> None:
    two = "```python\n## game.py\nx = 1\n```\nand\n```python\n## main.py\ny = 2\n```"
    assert code_block(two, "main.py") == "## main.py\ny = 2"
    assert code_block(two, "src/game.py") == "## game.py\nx = 1"
    assert code_block(two, "else.py") == "## game.py\nx = 1"
    assert code_block("x = 1", "a.py") == "x = 1"
    assert code_block("Sure, I can.", "a.py") == ""
    assert code_block("", "a.py") == ""
    assert code_block("```python\nx = 1", "a.py") == "x = 1"
    assert code_blocks("~~~\na\n```\nb\n~~~\n") == ["a\n```\nb"]
