"""TRE: a tool returns nothing, not on every way, or cannot run at all.

Constructors, special methods and stubs that only raise are no defect; a helper without a return is
one only where its result is used. In the paper a model looks for coding errors; here ``compile``
and pyflakes do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from collegium.errors import missing_extra
from collegium.guard.doctor.findings import Finding, Hop
from collegium.guard.doctor.flow import falls_off, only_raises
from collegium.guard.doctor.graph import Def, Function, Graph, Module, hop, own_nodes, parent
from collegium.guard.doctor.inference import callee
from collegium.guard.doctor.roles import Cast
from collegium.guard.doctor.tools import Tool


def detect(graph: Graph, cast: Cast) -> Iterator[Finding]:
    """Check what every tool's entry method and helpers return, and that they can run."""
    errors: dict[str, list[tuple[int, str]]] = {}
    seen: set[tuple[str, str]] = set()
    for tool in cast.tools:
        for function in tool.functions:
            entry = tool.entry is not None and function.name == tool.entry.name
            says = _return_fault(function) if entry or _used(function, tool, graph) else None
            if says is not None:
                symbol = tool.symbol if entry else function.symbol
                if (symbol, function.module.path) not in seen:
                    seen.add((symbol, function.module.path))
                    yield _finding(tool, function, symbol, says)
        for function in tool.functions:
            path = function.module.path
            if path not in errors:
                errors[path] = coding_errors(function.module)
            last = function.node.end_lineno or function.node.lineno
            for line, message in errors[path]:
                if function.node.lineno <= line <= last and (message, path) not in seen:
                    seen.add((message, path))
                    yield Finding(
                        type="TRE", rule="coding-error", file=path, line=line,
                        symbol=_symbol(tool, function), message=f"{function.symbol}: {message}.",
                        hint="The tool fails when this line runs; mend it.",
                        evidence=(tool.where, Hop(path, line, message)),
                    )  # fmt: skip


def coding_errors(module: Module) -> list[tuple[int, str]]:
    """Errors that are certain: what pyflakes says of names that do not exist.

    Raises:
        MissingExtra: pyflakes is not installed.
    """
    try:
        from pyflakes import checker, messages
    except ImportError:
        raise missing_extra("guard", "the doctor") from None
    serious = (
        messages.UndefinedName, messages.UndefinedLocal, messages.ReturnOutsideFunction,
        messages.YieldOutsideFunction, messages.DuplicateArgument, messages.ContinueOutsideLoop,
        messages.BreakOutsideLoop, messages.TwoStarredExpressions,
        messages.StringDotFormatMissingArgument, messages.PercentFormatPositionalCountMismatch,
    )  # fmt: skip
    try:
        compile(module.tree, module.path, "exec", dont_inherit=True)
        found = checker.Checker(module.tree, filename=module.path).messages
    except SyntaxError as error:
        return [(error.lineno or 1, error.msg)]
    except (RecursionError, ValueError):
        return []
    return [(m.lineno, str(m.message % m.message_args)) for m in found if isinstance(m, serious)]


def _symbol(tool: Tool, function: Function) -> str:
    if tool.entry is not None and function.name == tool.entry.name:
        return tool.symbol
    return tool.symbol if function.owner else function.symbol


def _return_fault(function: Function) -> tuple[str, ast.AST] | None:
    node = function.node
    exempt = node.name.startswith("__") and node.name != "__call__"
    decorators = " ".join(ast.unparse(d) for d in node.decorator_list)
    if exempt or only_raises(node) or "abstract" in decorators or ".setter" in decorators:
        return None
    nodes = own_nodes(function)
    if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes):
        return None
    returns = [n for n in nodes if isinstance(n, ast.Return)]
    valued = [n for n in returns if not _nothing(n.value)]
    if not valued:
        if not returns and not falls_off(node.body):
            return None  # it always raises, or never ends
        return "never returns a value", node
    # An explicit None may be meant; a bare return and the way off the end are not.
    bare = next((n for n in returns if n.value is None), None)
    if bare is not None and not _optional(node):
        return "returns a value on some ways and nothing on others", bare
    if falls_off(node.body) and not _optional(node):
        return "returns a value on some ways and falls off the end on others", node
    return None


def _nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _optional(node: Def) -> bool:
    return node.returns is not None and "None" in ast.unparse(node.returns)


def _used(function: Function, tool: Tool, graph: Graph) -> bool:
    """Whether one of the tool's functions reads the result of a helper."""
    if function.node.returns is not None and ast.unparse(function.node.returns) == "None":
        return False
    for caller in tool.functions:
        for node in own_nodes(caller):
            if isinstance(node, ast.Call) and callee(node, caller, graph) == function.name:
                above = parent(node)
                if isinstance(above, ast.Await):
                    above = parent(above)
                if not isinstance(above, ast.Expr):
                    return True
    return False


def _finding(tool: Tool, function: Function, symbol: str, fault: tuple[str, ast.AST]) -> Finding:
    says, node = fault
    return Finding(
        type="TRE",
        rule="no-return",
        file=function.module.path,
        line=function.node.lineno,
        symbol=symbol,
        message=f"{function.symbol} {says}: the agent observes None.",
        hint="Return what the agent is to observe, on every way.",
        evidence=(tool.where, hop(function.module, node, f"{function.symbol} {says}")),
    )
