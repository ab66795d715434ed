"""Building blocks for systems that write programs: entry points, whole programs, tests, runs.

Everything here reads code with Python's own parser. Whatever runs is run by an agent's
``check_program`` tool, so it happens in the sandbox and stands in the trace.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from collegium.kernel import Agent, gather
from collegium.tasks.code import build_program, extract_code
from collegium.tasks.task import Task
from collegium.tools.programs import Checked

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# An assert may stand in a list, as "- assert ..." or "2. `assert ...`".
_ASSERT = re.compile(r"\s*(?:[-*]\s+|\d+[.)]\s+)?`?(assert\b.*)")
_EXAMPLE = re.compile(r"^\s*>>>\s?(.*)$")
_PLAIN = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.Assign, ast.AnnAssign, *_FUNCTIONS)


class Assert(msgspec.Struct, frozen=True):
    """A test as a model wrote it.

    Attributes:
        source: One assert statement, or the text that should have been one.
        problem: Why it is no such test; "" when it is.
    """

    source: str
    problem: str = ""


def needs_code(task: Task) -> str:
    """What a system that writes programs lacks to solve a task ("" when it can)."""
    if task.answer != "code":
        return "a task answered with code"
    return "" if task.prompt.strip() else "a task that says what to write; this one is empty"


def find_entry_point(task: Task, codes: Sequence[str] = ()) -> str:
    """Find the name of the function that a task asks for.

    Looked for in this order: what the task names, the function its code leaves unfinished or
    defines last, the function its asserts call, and what most of the candidates define.

    Args:
        task: The task.
        codes: Candidate programs.

    Returns:
        The name, or "" when there is none.
    """
    if task.entry_point:
        return task.entry_point
    _, tree = _given(task, "")
    if tree is not None:
        functions = [n for n in tree.body if isinstance(n, _FUNCTIONS)]
        unfinished = [n for n in functions if _unfinished(n)]
        if functions:
            return (unfinished or functions)[-1].name
        for node in tree.body:
            if isinstance(node, ast.Assert) and (called := _called(node)):
                return called[0]
    defined = [names for code in codes if (names := _functions(code))]
    votes = Counter(name for names in defined for name in dict.fromkeys(names))
    # Of equals the last one of the first candidate: helpers come before what they help.
    order = [*reversed(defined[0]), *votes] if defined else []
    return max(order, key=votes.__getitem__, default="")


def whole_program(answer: str, task: Task, entry_point: str) -> str:
    """The complete program of an answer: its code, with what the task's own code gives it.

    Imports and helpers that the task gives and the answer does not repeat come first. An answer
    that is only what follows the task's unfinished function is joined to it. Asserts of the
    answer's own, outside its functions, are left out.

    Args:
        answer: What a model answered, fenced or not.
        task: The task.
        entry_point: The function that the program must define; "" when it is not known.

    Returns:
        Python source. Whether it is any good is for the tests to say.
    """
    code = without_asserts(extract_code(answer, entry_point))
    given, tree = _given(task, entry_point)
    if tree is None or not entry_point:
        return code
    asked = [n for n in tree.body if isinstance(n, _FUNCTIONS) and n.name == entry_point]
    if not asked:
        return code
    parsed = _parsed(code)
    if parsed is not None and entry_point not in _functions(code) and _unfinished(asked[-1]):
        return build_program(code, given, entry_point)
    if parsed is None:
        # A body with its indentation is Python only below the signature; broken code stays so.
        joined = build_program(code, given, entry_point)
        return joined if _unfinished(asked[-1]) and _parsed(joined) is not None else code
    have = {ast.dump(n) for n in parsed.body} | set(_bound(parsed.body))
    missing = [
        ast.get_source_segment(given, n) or ast.unparse(n)
        for n in tree.body
        if isinstance(n, _PLAIN)
        and n is not asked[-1]
        and ast.dump(n) not in have
        and not have.issuperset(_bound([n]))
    ]
    return "\n".join([*missing, "", "", code]) if missing else code


def without_asserts(code: str) -> str:
    """A program without the asserts at its top level: a model's own tests are no part of it.

    They would end the program before anybody can test it when one of them is wrong.
    """
    tree = _parsed(code)
    nodes = tree.body if tree is not None else []
    gone = {i for n in nodes if isinstance(n, ast.Assert) for i in _lines(n)}
    gone -= {i for n in nodes if not isinstance(n, ast.Assert) for i in _lines(n)}
    if not gone:
        return code
    lines = [line for i, line in enumerate(code.split("\n"), 1) if i not in gone]
    return "\n".join(lines).strip("\n").rstrip()


def split_asserts(text: str, entry_point: str, *, given: Iterable[str] = ()) -> list[Assert]:
    """Split what a model wrote into tests, each one assert that calls the entry point.

    Args:
        text: Lines with asserts, fenced or not; prose between them is passed over.
        entry_point: The function under test.
        given: Further names that the tests may use.

    Returns:
        One entry per assert, in order, in a uniform spelling where it is valid.
    """
    chunks: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if found := _ASSERT.match(line):
            chunks.append([found[1].rstrip("` ")])
            inside = True
        elif not line.strip() or line.lstrip().startswith(("```", "~~~")):
            inside = False
        elif inside:
            chunks[-1].append(line)
    known = {entry_point, *given, *dir(builtins)}
    return [_one_assert(chunk, entry_point, known) for chunk in chunks]


def stated_tests(task: Task, entry_point: str) -> list[str]:
    """The tests that a task itself states: its asserts, and its ``>>>`` examples with a value."""
    stated = [a.source for a in split_asserts(task.prompt, entry_point) if not a.problem]
    lines = task.prompt.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        example = _EXAMPLE.match(line)
        if example is None or not after.strip() or _EXAMPLE.match(after):
            continue
        made = split_asserts(f"assert {example[1]} == ({after.strip()})", entry_point)
        stated += [a.source for a in made if not a.problem]
    return list(dict.fromkeys(stated))


def given_names(task: Task) -> list[str]:
    """Names that the code in a task binds: its imports, helpers and the function it asks for."""
    tree = _given(task, task.entry_point)[1]
    return _bound(tree.body) if tree is not None else []


async def run_tests(
    agent: Agent, programs: Sequence[str], tests: Sequence[str], *, seconds: float
) -> list[tuple[Checked, ...]]:
    """Run every program with every test, each pair in a sandbox of its own.

    Args:
        agent: Has the tool ``check_program``.
        programs: Python sources.
        tests: Assert statements.
        seconds: How long one run may take.

    Returns:
        For each program its outcomes, in the order of the tests.
    """
    if not tests:
        return [() for _ in programs]
    told = await gather(
        *(
            agent.use("check_program", program=program, tests=list(tests), seconds=seconds)
            for program in programs
        )
    )
    return [msgspec.convert(rows, tuple[Checked, ...]) for rows in told]


def _given(task: Task, entry_point: str) -> tuple[str, ast.Module | None]:
    """The code that stands in a task, and its tree; None where there is none that is Python."""
    given = extract_code(task.prompt, entry_point)
    return given, _parsed(given) or _parsed(f"{given}\n    pass")


def _one_assert(chunk: Sequence[str], entry_point: str, known: set[str]) -> Assert:
    """The assert that the first lines of a chunk are; its first line with a problem otherwise."""
    node = None
    for end in range(1, len(chunk) + 1):
        tree = _parsed("\n".join(chunk[:end]))
        if tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert):
            node = tree.body[0]
            break
    if node is None:
        return Assert(chunk[0], "it is not valid Python")
    source = ast.unparse(node)
    if entry_point not in _called(node):
        return Assert(source, f"it does not call {entry_point}")
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    bound = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    bound |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    unknown = sorted({n.id for n in names} - bound - known)
    return Assert(source, f"it uses {', '.join(unknown)}, defined nowhere" if unknown else "")


def _lines(node: ast.stmt) -> range:
    """The lines that a statement stands on."""
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _called(node: ast.AST) -> list[str]:
    """Names of the functions that a statement calls, outer ones first, builtins last."""
    calls = (n.func for n in ast.walk(node) if isinstance(n, ast.Call))
    names = [f.id for f in calls if isinstance(f, ast.Name)]
    return sorted(names, key=lambda name: hasattr(builtins, name))


def _functions(code: str) -> list[str]:
    """Names of the functions that a program defines at its top level, in order."""
    tree = _parsed(code)
    return [n.name for n in tree.body if isinstance(n, _FUNCTIONS)] if tree is not None else []


def _bound(nodes: Iterable[ast.stmt]) -> list[str]:
    """Names that top-level statements bind."""
    names: list[str] = []
    for node in nodes:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [a.asname or a.name for a in node.names]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return names


def _unfinished(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function has no body yet: a docstring, ``pass`` or ``...`` at most."""
    return all(
        isinstance(n, ast.Pass) or (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        for n in function.body
    )


def _parsed(source: str) -> ast.Module | None:
    """The syntax tree of a source, or None when it is not Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


__all__ = [
    "Assert",
    "find_entry_point",
    "given_names",
    "needs_code",
    "run_tests",
    "split_asserts",
    "stated_tests",
    "whole_program",
    "without_asserts",
]
