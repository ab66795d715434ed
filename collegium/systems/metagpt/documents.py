"""The documents that the roles hand over, as types: what does not fit them is no document.

``PRD``, ``Design`` and ``Tasks`` have the fields of the paper's schemas, by their names there. What
a type alone cannot say (a path that stays inside the project, a task list that covers the files of
the design) is checked when a value is made, so one gate stands for both. What
small models are asked for instead stands in ``short``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from collegium.errors import ModelError

T = TypeVar("T")

FOLDERS = ("docs", "tests", "test_outputs")
"""Folders of a project that a package may not be named after."""


class DocumentRejected(ModelError):
    """A role's document did not fit its schema, nor did the second try; the run ends here."""


def field(description: str, **limits: Any) -> Any:
    """What a model is told of a field, and its limits."""
    return Meta(description=description, **limits)


def path_problem(path: str) -> str:
    """Why a path may not be part of a project, or ""."""
    if not path or path != path.strip() or "\\" in path or any(ord(c) < 32 for c in path):
        return f"{path!r} is not a relative path"
    parts = path.split("/")
    if path.startswith("/") or ":" in parts[0]:
        return f"{path!r} is not a relative path"
    if any(part in ("", ".", "..") for part in parts):
        return f"{path!r} leads out of the project folder"
    if len(parts) == 1 and path.endswith(".py") and path[:-3] in sys.stdlib_module_names:
        return f"{path!r} hides a module of the standard library; name it otherwise"
    return ""


def require_paths(name: str, paths: Sequence[str]) -> None:
    """Raise ValueError for the first path that may not be part of a project."""
    for path in paths:
        if problem := path_problem(path):
            raise ValueError(f"{name}: {problem}")


def unique(names: Sequence[str]) -> list[str]:
    """Each name once, in the order of first mention."""
    return list(dict.fromkeys(names))


def is_python(path: str) -> bool:
    """Whether a file of the project is Python: only those are reviewed and tested."""
    return PurePosixPath(path).suffix == ".py"


class PRD(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "language": "Language",
        "programming_language": "Programming Language",
        "original_requirements": "Original Requirements",
        "project_name": "Project Name",
        "product_goals": "Product Goals",
        "user_stories": "User Stories",
        "competitive_analysis": "Competitive Analysis",
        "competitive_quadrant_chart": "Competitive Quadrant Chart",
        "requirement_analysis": "Requirement Analysis",
        "requirement_pool": "Requirement Pool",
        "ui_design_draft": "UI Design draft",
        "anything_unclear": "Anything UNCLEAR",
    },
):
    """The product requirements document (WritePRD)."""

    language: Annotated[str, field("the language of the requirement, such as 'en_us'")]
    programming_language: Annotated[str, field("what it will be written in; 'Python' if possible")]
    original_requirements: Annotated[str, field("the requirement as it was given")]
    project_name: Annotated[str, field("two or three words of the requirement, in snake_case")]
    product_goals: Annotated[list[str], field("up to three clear, independent goals")]
    user_stories: Annotated[list[str], field("three to five, such as 'As a player, I want ...'")]
    competitive_analysis: Annotated[list[str], field("five to seven similar products, each judged")]
    competitive_quadrant_chart: Annotated[str, field("these products as a mermaid quadrantChart")]
    requirement_analysis: Annotated[str, field("what the requirement comes down to")]
    requirement_pool: Annotated[
        list[list[str]], field("the five most important: [['P0', 'must do this'], ['P1', ...]]")
    ]
    ui_design_draft: Annotated[str, field("in short, what the user sees")]
    anything_unclear: Annotated[str, field("open questions, or nothing")]

    def __post_init__(self) -> None:
        name = self.project_name
        if not name.isidentifier() or name != name.lower() or name in FOLDERS:
            raise ValueError(f"Project Name: {name!r} is not a name in snake case, like 'my_game'")
        if not self.user_stories:
            raise ValueError("User Stories: there are none")
        for wish in self.requirement_pool:
            if len(wish) != 2 or wish[0] not in ("P0", "P1", "P2"):
                raise ValueError(f"Requirement Pool: {wish!r} is not a pair like ['P0', 'text']")


class Design(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "implementation_approach": "Implementation approach",
        "file_list": "File list",
        "data_structures": "Data structures and interfaces",
        "call_flow": "Program call flow",
        "anything_unclear": "Anything UNCLEAR",
    },
):
    """The system design (WriteDesign)."""

    implementation_approach: Annotated[str, field("how to build it, and what is difficult")]
    file_list: Annotated[list[str], field("relative paths, such as ['main.py', 'board.py']")]
    data_structures: Annotated[
        str, field("a mermaid classDiagram: classes, typed methods, relations A --> B")
    ]
    call_flow: Annotated[str, field("a mermaid sequenceDiagram of the calls between these classes")]
    anything_unclear: Annotated[str, field("open questions, or nothing")]

    def __post_init__(self) -> None:
        if not any(is_python(path) for path in self.file_list):
            raise ValueError("File list: there is no Python file in it")
        require_paths("File list", self.file_list)


class Tasks(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "required_packages": "Required packages",
        "other_packages": "Required Other language third-party packages",
        "logic_analysis": "Logic Analysis",
        "task_list": "Task list",
        "full_api_spec": "Full API spec",
        "shared_knowledge": "Shared Knowledge",
        "anything_unclear": "Anything UNCLEAR",
    },
):
    """The task document (WriteTasks). See :func:`tasks_for` for one that fits a design."""

    required_packages: Annotated[list[str], field("lines of requirements.txt; [] if none")]
    other_packages: Annotated[list[str], field("packages for other languages; [] if none")]
    logic_analysis: Annotated[
        list[list[str]], field("per file what it holds: [['board.py', 'class Board: ...'], ...]")
    ]
    task_list: Annotated[list[str], field("all files, each after those it imports")]
    full_api_spec: Annotated[str, field("OpenAPI 3.0, only if there is a server")]
    shared_knowledge: Annotated[str, field("what several files share")]
    anything_unclear: Annotated[str, field("open questions, or nothing")]

    def __post_init__(self) -> None:
        require_paths("Task list", self.task_list)


@functools.lru_cache(maxsize=64)
def tasks_for(base: type[T], files: tuple[str, ...]) -> type[T]:
    """A type of task document whose Task list names all files of a design and no other.

    Args:
        base: :class:`Tasks`, or its short form.
        files: The design's File list.
    """
    check = getattr(base, "__post_init__", None)

    def complete(self: Any) -> None:
        if check is not None:
            check(self)
        if missing := [path for path in files if path not in self.task_list]:
            raise ValueError(f"Task list: {missing[0]!r} of the design's File list is missing")

    said = f"all of {', '.join(files)}; imported ones first"
    size = len(files)
    listed = Annotated[list[Literal[files]], field(said, min_length=size, max_length=size)]
    made: Any = msgspec.defstruct(
        f"{base.__name__}Of",
        [("task_list", listed)],
        bases=(base,),
        namespace={"__post_init__": complete},
        frozen=True,
        kw_only=True,
        rename={"task_list": "Task list"},
    )
    return made


def fields_of(kind: type[Any]) -> str:
    """The fields of a document, one a line, as a prompt names them."""
    lines: list[str] = []
    for found in msgspec.structs.fields(kind):
        info = msgspec.inspect.type_info(found.type)
        schema = (
            (info.extra_json_schema or {}) if isinstance(info, msgspec.inspect.Metadata) else {}
        )
        said = schema.get("description", "yes or no")
        lines.append(f"- {found.encode_name}: {said}")
    return "\n".join(lines)


def as_text(document: Any) -> str:
    """A document as later roles read it: its fields that say something."""
    lines: list[str] = []
    for name, value in msgspec.to_builtins(document).items():
        if not value:
            continue
        if isinstance(value, list):
            said = [": ".join(v) if isinstance(v, list) else str(v) for v in value]
            lines.append(f"{name}:\n" + "\n".join(f"- {v}" for v in said))
        else:
            lines.append(f"{name}: {str(value).strip()}")
    return "\n".join(lines)


def as_json(document: Any) -> str:
    """A document as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
