"""What small models are asked for: the fields that later roles act on, short and under a grammar.

A short document becomes the full one; what was not asked for is empty in it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from collegium.agents.diagrams import ClassBox, Edge, class_diagram
from collegium.systems.metagpt.documents import (
    FOLDERS,
    PRD,
    Design,
    Tasks,
    field,
    require_paths,
    tasks_for,
    unique,
)

Line = Annotated[str, Meta(max_length=140)]
File = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,20}\.py$")]


class Wish(msgspec.Struct, frozen=True):
    """An entry of the Requirement Pool."""

    priority: Literal["P0", "P1", "P2"]
    text: Line


class ShortPRD(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "project_name": "Project Name",
        "product_goals": "Product Goals",
        "user_stories": "User Stories",
        "requirement_pool": "Requirement Pool",
    },
):
    """The fields of a :class:`PRD` that later roles act on."""

    project_name: Annotated[
        str,
        field(
            "two or three words of the requirement, in snake_case",
            pattern=r"^[a-z][a-z0-9_]{2,24}$",
        ),
    ]
    product_goals: Annotated[list[Line], field("one or two", min_length=1, max_length=2)]
    user_stories: Annotated[
        list[Line], field("two or three, like 'As a user, I want ...'", min_length=1, max_length=3)
    ]
    requirement_pool: Annotated[
        list[Wish], field("two to four different things it must do", min_length=1, max_length=4)
    ]

    def __post_init__(self) -> None:
        if self.project_name in FOLDERS:
            raise ValueError(f"Project Name: {self.project_name!r} is the name of another folder")


class Sketch(msgspec.Struct, frozen=True):
    """A class of a short design."""

    name: Annotated[str, Meta(pattern=r"^[A-Z][A-Za-z0-9]{0,24}$")]
    members: Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(max_length=5)]
    uses: Annotated[list[Annotated[str, Meta(max_length=25)]], Meta(max_length=3)]


class ShortDesign(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "implementation_approach": "Implementation approach",
        "file_list": "File list",
        "data_structures": "Data structures and interfaces",
    },
):
    """A :class:`Design` with its class diagram as data."""

    implementation_approach: Annotated[Line, field("how to build it, in one sentence")]
    file_list: Annotated[
        list[File],
        field("main.py, and other Python files only if needed", min_length=1, max_length=3),
    ]
    data_structures: Annotated[
        list[Sketch],
        field(
            "the classes: name; members like '+add(item: str) None'; uses: names of other classes",
            min_length=1,
            max_length=3,
        ),
    ]

    def __post_init__(self) -> None:
        require_paths("File list", self.file_list)


class Logic(msgspec.Struct, frozen=True):
    """An entry of the Logic Analysis."""

    file: Annotated[str, Meta(max_length=40)]
    what: Line


class ShortTasks(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "required_packages": "Required packages",
        "logic_analysis": "Logic Analysis",
        "task_list": "Task list",
        "shared_knowledge": "Shared Knowledge",
    },
):
    """The fields of :class:`Tasks` that the engineer acts on."""

    required_packages: Annotated[
        list[Annotated[str, Meta(max_length=40)]],
        field("[] when the standard library is enough", max_length=3),
    ]
    logic_analysis: Annotated[
        list[Logic], field("per file the classes and functions in it", min_length=1, max_length=3)
    ]
    task_list: Annotated[list[str], field("all files, imported ones first")]
    shared_knowledge: Annotated[Line, field("what the files share, or nothing")]


@functools.lru_cache(maxsize=64)
def short_tasks_for(files: tuple[str, ...]) -> type[ShortTasks]:
    """A short task document for the files of a design; its Logic Analysis names no other file."""
    logic: Any = msgspec.defstruct(
        "LogicOf", [("file", Literal[files]), ("what", Line)], frozen=True
    )
    said = field("per file the classes and functions in it", min_length=1, max_length=len(files))
    base: Any = msgspec.defstruct(
        "ShortTasksOf",
        [("logic_analysis", Annotated[list[logic], said])],
        bases=(ShortTasks,),
        frozen=True,
        kw_only=True,
        rename={"logic_analysis": "Logic Analysis"},
    )
    return tasks_for(base, files)


def widened(document: Any, requirement: str) -> Any:
    """The full document that a short one stands for; a full one is itself.

    Args:
        document: What a model gave.
        requirement: The user's words: a PRD repeats them.

    Raises:
        ValueError: It does not fit the full schema.
    """
    match document:
        case ShortPRD():
            return PRD(
                language="",
                programming_language="Python",
                original_requirements=requirement,
                project_name=document.project_name,
                product_goals=list(document.product_goals),
                user_stories=list(document.user_stories),
                competitive_analysis=[],
                competitive_quadrant_chart="",
                requirement_analysis="",
                requirement_pool=[[w.priority, w.text] for w in document.requirement_pool],
                ui_design_draft="",
                anything_unclear="",
            )
        case ShortDesign():
            return Design(
                implementation_approach=document.implementation_approach,
                file_list=unique(document.file_list),
                data_structures=sketched(document.data_structures),
                call_flow="",
                anything_unclear="",
            )
        case ShortTasks():
            return Tasks(
                required_packages=list(document.required_packages),
                other_packages=[],
                logic_analysis=[[line.file, line.what] for line in document.logic_analysis],
                task_list=list(document.task_list),
                full_api_spec="",
                shared_knowledge=document.shared_knowledge,
                anything_unclear="",
            )
        case Tasks():
            return Tasks(**{f: getattr(document, f) for f in Tasks.__struct_fields__})
    return document


def sketched(sketches: Sequence[Sketch]) -> str:
    """The class diagram of a short design; a use of a class that is not there is left out."""
    names = {s.name for s in sketches}
    boxes = [
        ClassBox(
            s.name,
            tuple(m for m in s.members if "(" not in m),
            tuple(m for m in s.members if "(" in m),
        )
        for s in sketches
    ]
    edges = [
        Edge(s.name, used)
        for s in sketches
        for used in unique(s.uses)
        if used in names and used != s.name
    ]
    return class_diagram(boxes, edges)
