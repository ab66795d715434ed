"""Audits of tools that carry a formula: range, monotonicity, dead inputs, errors at boundaries.

A formula that was written down wrongly still returns numbers. Four properties betray most such
mistakes, and need no reference implementation: its results lie where such results can lie (a wrong
unit puts them elsewhere), it rises and falls with its inputs as it should (a wrong sign does not),
every input matters (a forgotten one does not), and it bears the ends of its inputs' ranges (a
division by zero does not). The property tests go back to Claessen and Hughes (QuickCheck, 2000)
and to metamorphic testing (Chen et al., 1998).

An audit tries points; it proves nothing about those it did not try.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.kernel.tool import Tool
from collegium.tools.audit_harness import measure
from collegium.tools.audit_plan import Input, Range, inputs_of, plan_of
from collegium.tools.audit_verdict import AuditReport, Example, Expected, Finding, report_of
from collegium.tools.sandbox import SandboxLimits, SandboxResult, run_python

__all__ = ["AuditReport", "Example", "Finding", "audit", "audit_source"]

_STOPPED = {
    "timeout": "did not end in time",
    "memory-limit": "used too much memory",
    "killed": "was killed",
}


def audit(
    function: Callable[..., Any] | Tool,
    ranges: Mapping[str, Range],
    *,
    expect: Mapping[str, Expected] | None = None,
    result: tuple[float, float] | None = None,
    samples: int = 64,
    seed: int = 0,
) -> AuditReport:
    """Try out a formula that is trusted to run here. For others there is :func:`audit_source`.

    Args:
        function: A plain function, or a tool of one; it returns a number.
        ranges: For every input (lowest, highest), or all its values; a single value is kept.
            Inputs annotated ``int`` get whole numbers.
        expect: How the result must change as an input grows and all others stay ("increasing"
            allows for level stretches). Values that are listed grow in the order given.
        result: Lowest and highest result that is possible.
        samples: Random points to start from; about 5 evaluations each per input.
        seed: Decides all that is random: the same seed gives the same report.

    Raises:
        BadInput: The ranges do not fit the function, or the function is async.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, Tool):
        name, function = function.spec.name, function.function
    if inspect.iscoroutinefunction(function):
        raise BadInput(f"{name!r} is async; an audit takes plain functions.")
    whole = _fitting(name, function, ranges)
    inputs = _checked(name, inputs_of(ranges, whole), expect or {}, result)
    plan = plan_of(inputs, samples, seed)
    outcomes = [measure(function, dict(point)) for point in plan.points]
    return report_of(name, inputs, plan, outcomes, expect or {}, result)


async def audit_source(
    code: str,
    function_name: str,
    ranges: Mapping[str, Range],
    *,
    expect: Mapping[str, Expected] | None = None,
    result: tuple[float, float] | None = None,
    samples: int = 64,
    seed: int = 0,
    limits: SandboxLimits = SandboxLimits(),
) -> AuditReport:
    """Try out a formula written by a model: its code runs in the sandbox, and nowhere else.

    Code that cannot be loaded, hangs or misses an input is a finding, not an exception. The
    verdict is formed outside the sandbox, from plain numbers.

    Args:
        code: Python source that defines the function.
        function_name: Its name.
        ranges: As for :func:`audit`; so are the others.
        expect: How the result must change with an input.
        result: Lowest and highest result that is possible.
        samples: Random points to start from.
        seed: Decides all that is random.
        limits: What the whole audit may spend.

    Raises:
        BadInput: The ranges make no sense, or hold what JSON cannot say.
        SandboxUnavailable: This machine can't confine a program.
    """
    inputs = inputs_of(ranges, _whole_in(code, function_name))
    inputs = _checked(function_name, inputs, expect or {}, result)
    plan = plan_of(inputs, samples, seed)
    job = {"code": code, "function": function_name, "points": plan.points}
    try:
        stdin = json.dumps(job)
    except TypeError as error:
        raise BadInput(f"the values of an input must be plain data: {error}.") from None
    room = msgspec.structs.replace(
        limits, output_bytes=max(limits.output_bytes, 1024 * (len(plan.points) + 1))
    )
    ran = await run_python(_harness(), stdin=stdin, limits=room)
    return report_of(
        function_name, inputs, plan, _outcomes(ran, len(plan.points)), expect or {}, result
    )


def _outcomes(ran: SandboxResult, points: int) -> list[list[Any]]:
    """What the sandbox reported, and why it stopped where it did."""
    outcomes: list[list[Any]] = []
    for line in ran.stdout.split("\n")[:-1]:  # a line that is not ended was cut off
        outcome = _read(line)
        if outcome is None or len(outcomes) == points:
            break
        outcomes.append(outcome)
        if outcome[0] == "load":
            return outcomes
    if len(outcomes) < points:
        why = _STOPPED.get(ran.status, f"ended the program (exit code {ran.exit_code})")
        outcomes.append(["error", why])
    return outcomes


def _read(line: str) -> list[Any] | None:
    """One outcome; None for what the harness would not write: the code could reach its output."""
    try:
        read: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match read:
        case ["value", int() | float()] | ["load" | "error" | "type", str()]:
            return list(read)
    return None


@functools.cache
def _harness() -> str:
    return Path(__file__).with_name("audit_harness.py").read_text(encoding="utf-8")


def _whole_in(code: str, function_name: str) -> set[str]:
    """Parameters annotated ``int``, read from the source without running it."""
    try:
        nodes = ast.walk(ast.parse(code))
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and node.name == function_name:
                given = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                hints = ((a.arg, a.annotation) for a in given)
                return {n for n, h in hints if isinstance(h, ast.Name) and h.id == "int"}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass  # loading it in the sandbox will say what is wrong
    return set()


def _fitting(name: str, function: Callable[..., Any], ranges: Mapping[str, Range]) -> set[str]:
    """Make sure that the ranges are those of the function; return what takes whole numbers."""
    try:
        parameters = inspect.signature(function).parameters
        hints = get_type_hints(function)
    except (TypeError, ValueError, NameError):  # built in, or annotated with what is not there
        return set()
    for given in ranges:
        if given not in parameters:
            raise unknown_name(f"input of {name!r}", given, parameters)
    missing = [
        p.name
        for p in parameters.values()
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and p.name not in ranges
    ]
    if missing:
        raise BadInput(f"the audit of {name!r} needs a range for: {', '.join(missing)}.")
    return {p for p in ranges if hints.get(p) is int}


def _checked(
    name: str,
    inputs: list[Input],
    expect: Mapping[str, Expected],
    result: tuple[float, float] | None,
) -> list[Input]:
    for given, direction in expect.items():
        if given not in {i.name for i in inputs if not i.fixed}:
            varied = [i.name for i in inputs if not i.fixed]
            raise unknown_name(f"input of {name!r} that varies", given, varied)
        if direction not in ("increasing", "decreasing"):
            raise BadInput(f"{given!r} is expected to be 'increasing' or 'decreasing', no other.")
    if result is not None and not result[0] <= result[1]:
        raise BadInput(f"the range of the result must rise, not {result}.")
    return inputs
