"""Edits of source text by its syntax tree, from which seeded defects are made."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import msgspec

from collegium.guard.doctor.graph import Graph
from collegium.guard.doctor.roles import Cast
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


class Site(msgspec.Struct, frozen=True):
    """What edits are made from: the project, its graph and its roles."""

    project: Project
    graph: Graph
    cast: Cast


Mutation = Callable[[Site], Iterator[Edit]]


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


def parses(edit: Edit) -> bool:
    """Whether what an edit leaves is still Python."""
    for path, text in edit.files.items():
        if path.endswith(".py"):
            try:
                ast.parse(text)
            except SyntaxError:
                return False
    return True
