"""Tools that run code which models wrote: its tests, or a small project. Always in the sandbox."""

from __future__ import annotations

import ast
import asyncio
import itertools

import msgspec

from collegium.errors import BadInput
from collegium.kernel.tool import tool
from collegium.tools.code_tests import passes_tests
from collegium.tools.sandbox import SandboxLimits, Status, run_command

SHOWN = 1_000
"""Characters of a program's output that are kept."""


class Checked(msgspec.Struct, frozen=True):
    """How a program did on one test.

    Attributes:
        test: The test as it was written.
        passed: Whether it ran to its end without an exception.
        reason: "passed", or in short what went wrong, with the value that came instead where the
            test compares one.
    """

    test: str
    passed: bool
    reason: str


class Ran(msgspec.Struct, frozen=True):
    """How a command ended.

    Attributes:
        status: "ok" for exit code 0, "error" for another, or what the sandbox stopped it for.
        output: Standard output, cut off at some length.
        errors: Standard error, its end where it is too long: that is where the exception stands.
    """

    status: Status
    output: str
    errors: str


@tool(seconds=600)
async def check_program(program: str, tests: list[str], seconds: float = 10.0) -> list[Checked]:
    """Run a Python program with each of several tests, every one in a fresh sandbox.

    Args:
        program: Python source that defines what the tests use.
        tests: Python statements, such as ``assert f(1) == 2``.
        seconds: How long one of these runs may take.
    """
    limits = _limits(seconds)

    async def check(test: str) -> Checked:
        outcome = await passes_tests(program, telling(test), limits=limits)
        return Checked(test, outcome.passed, outcome.reason)

    return list(await asyncio.gather(*(check(test) for test in tests)))


@tool(seconds=600)
async def run_project(
    files: dict[str, str], command: list[str], stdin: str = "", seconds: float = 10.0
) -> Ran:
    """Run a command among some files, in a sandbox without network.

    Args:
        files: Content by relative path.
        command: The program and its arguments, such as ``["python", "-m", "unittest"]``.
        stdin: What it reads from standard input.
        seconds: Processor time it may take; three times as much on the clock.

    Raises:
        BadInput: A path leads out of the folder, the files are too large, or there is no command.
    """
    limits = _limits(seconds)
    try:
        result = await run_command(command, stdin=stdin, files=files, limits=limits)
    except ValueError as error:
        raise BadInput(f"run_project cannot run that: {error}.") from None
    return Ran(result.status, result.stdout[:SHOWN], result.stderr[-SHOWN:])


def _limits(seconds: float) -> SandboxLimits:
    """So much processor time; the clock allows three times as much, for a busy machine."""
    return SandboxLimits(seconds=3 * seconds, cpu_seconds=max(1, round(seconds)))


def telling(test: str) -> str:
    """Rewrite a test that compares a call with a value, so that its failure tells what came.

    ``assert f(1) == 2`` fails with "f(1) == 2, but it is 3". Other statements stay as they are.
    """
    try:
        parsed = ast.parse(test)
    except (SyntaxError, ValueError):
        return test  # the run will say so
    for node in parsed.body:
        if not isinstance(node, ast.Assert) or node.msg or not isinstance(node.test, ast.Compare):
            continue
        compared = node.test
        if len(compared.ops) != 1 or not isinstance(compared.left, ast.Call):
            continue
        got = next(n for i in itertools.count() if (n := f"_got_{i}") not in test)
        said = f"{ast.unparse(compared)}, but it is "
        compared.left = ast.NamedExpr(ast.Name(got, ast.Store()), compared.left)
        node.msg = ast.BinOp(
            ast.Constant(said),
            ast.Add(),
            ast.Subscript(
                ast.Call(ast.Name("repr", ast.Load()), [ast.Name(got, ast.Load())], []),
                ast.Slice(upper=ast.Constant(200)),
            ),
        )
    return ast.unparse(ast.fix_missing_locations(parsed))


def compiles(program: str) -> str:
    """Why a program is not valid Python, or ""."""
    try:
        compile(program, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    except (RecursionError, MemoryError):
        return "it is nested too deeply"
    return ""


__all__ = ["Checked", "Ran", "check_program", "compiles", "run_project", "telling"]
