"""Seeded defects: a labelled set of projects, made again from clean ones.

The 78 labelled projects of the paper are not published. A mutant is a clean project with one
defect of a known type put into it by an edit of its text; a clean variant is edited without any
defect. Which edit and where is drawn from the seed.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator

import msgspec

from collegium.errors import BadInput
from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.graph import Graph, build
from collegium.guard.doctor.roles import Cast, find_roles
from collegium.guard.doctor.sources import Project


class Edit(msgspec.Struct, frozen=True):
    """One possible edit.

    Attributes:
        what: What it does, in a few words.
        files: New text of the files it changes, by path.
        symbols: Where the defect is then: any of these may be named.
    """

    what: str
    files: dict[str, str]
    symbols: tuple[str, ...] = ()


class Label(msgspec.Struct, frozen=True):
    """The truth about a mutant: its type and the symbols that may be named for it."""

    type: Kind
    symbols: tuple[str, ...]


class Mutant(msgspec.Struct, frozen=True):
    """A project that was edited; ``label`` is None for a clean variant."""

    project: Project
    label: Label | None
    edit: str
    seed: int


class Site(msgspec.Struct, frozen=True):
    """What edits are made from: the project, its graph and its roles."""

    project: Project
    graph: Graph
    cast: Cast


Mutation = Callable[[Site], Iterator[Edit]]


def mutate(project: Project, kind: Kind | None, seed: int) -> Mutant:
    """Put one defect into a project, or edit it without one.

    Args:
        project: A clean one.
        kind: The type of defect; None for a clean variant.
        seed: Which of the possible edits.

    Returns:
        The edited project with its label.

    Raises:
        BadInput: No edit of that type can be made here.
    """
    from collegium.guard.doctor.mutations import CLEAN, MUTATIONS

    graph = build(project)
    site = Site(project, graph, find_roles(graph))
    makers = CLEAN if kind is None else MUTATIONS[kind]
    rng = random.Random(f"{kind or 'clean'}/{seed}")
    for maker in rng.sample(makers, len(makers)):
        edits = [e for e in maker(site) if _parses(e)]
        if edits:
            edit = rng.choice(edits)
            return Mutant(
                edited(project, edit.files),
                None if kind is None else Label(kind, edit.symbols),
                edit.what,
                seed,
            )
    raise BadInput(f"project {project.name!r} has no place for {kind or 'a clean variant'}.")


def every(project: Project, kind: Kind | None) -> list[Mutant]:
    """All mutants of a type that a project has room for, in a fixed order."""
    from collegium.guard.doctor.mutations import CLEAN, MUTATIONS

    graph = build(project)
    site = Site(project, graph, find_roles(graph))
    found = []
    for maker in CLEAN if kind is None else MUTATIONS[kind]:
        for edit in maker(site):
            if _parses(edit):
                label = None if kind is None else Label(kind, edit.symbols)
                found.append(Mutant(edited(project, edit.files), label, edit.what, len(found)))
    return found


def edited(project: Project, files: dict[str, str]) -> Project:
    """A project with some files replaced or added."""
    sources, manifests = dict(project.sources), dict(project.manifests)
    for path, text in files.items():
        known = manifests if path in manifests or path.endswith(".txt") else sources
        known[path] = text
    return msgspec.structs.replace(project, sources=sources, manifests=manifests)


def replaced(text: str, node: ast.expr | ast.stmt, new: str) -> str:
    """A text with the source of one node replaced."""
    start, end = _span(text, node)
    raw = text.encode()
    return (raw[:start] + new.encode() + raw[end:]).decode()


def without(text: str, node: ast.stmt) -> str:
    """A text without a statement; ``pass`` where it was."""
    return replaced(text, node, "pass")


def unwrapped(text: str, node: ast.Try) -> str:
    """A text in which a ``try`` is replaced by its body (and ``else``), unprotected."""
    return replaced(text, node, indented([*node.body, *node.orelse], node.col_offset))


def dropped(text: str, call: ast.Call, name: str) -> str:
    """A call without one of its keyword arguments."""
    kept = [*map(ast.unparse, call.args), *(ast.unparse(k) for k in call.keywords if k.arg != name)]
    return replaced(text, call, f"{ast.unparse(call.func)}({', '.join(kept)})")


def indented(statements: list[ast.stmt], column: int) -> str:
    """Statements as source at a column, the first without its indentation."""
    lines = [line for s in statements for line in ast.unparse(s).splitlines()]
    return ("\n" + " " * column).join(lines)


def before(text: str, node: ast.stmt, line: str) -> str:
    """A text with a line put before a top-level or nested statement."""
    lines = text.splitlines(keepends=True)
    at = node.lineno - 1 - len(getattr(node, "decorator_list", []))
    return "".join([*lines[:at], " " * node.col_offset + line + "\n", *lines[at:]])


def _span(text: str, node: ast.expr | ast.stmt) -> tuple[int, int]:
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    last = (node.end_lineno or node.lineno) - 1
    return starts[node.lineno - 1] + node.col_offset, starts[last] + (node.end_col_offset or 0)


def _parses(edit: Edit) -> bool:
    for path, text in edit.files.items():
        if path.endswith(".py"):
            try:
                ast.parse(text)
            except SyntaxError:
                return False
    return True
