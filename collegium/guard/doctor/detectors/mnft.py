"""MNFT: an agent runs a tool without checking what goes in, or without handling what goes wrong.

For the entry method u of a tool, every call of u by an agent needs an input check before and error
handling after; not both is a defect. Handling may stand in a caller, or inside every tool itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from collegium.guard.doctor.findings import Finding, Hop
from collegium.guard.doctor.flow import (
    callers,
    came_from,
    checked_before,
    handled,
    handled_here,
    only_raises,
)
from collegium.guard.doctor.graph import Function, Graph, Site, hop, own_nodes
from collegium.guard.doctor.roles import Cast, uses_of_tools


def detect(graph: Graph, cast: Cast) -> Iterator[Finding]:
    """Check every use of a tool."""
    safe = _tools_handle(graph, cast)
    checked = _tools_check(cast)
    for site, says in uses_of_tools(graph, cast):
        caller = site.caller
        if caller is None:
            continue
        after = safe or handled(site.node, caller, graph)
        before = checked or _checked(site, caller, graph)
        if before and after:
            continue
        lacks = [
            w
            for w, has in (("checks what goes in", before), ("handles an error", after))
            if not has
        ]
        wanted = [
            w
            for w, has in (
                ("Check the tool and its arguments before the call.", before),
                ("Catch what the tool raises and let the agent observe it.", after),
            )
            if not has
        ]
        yield Finding(
            type="MNFT",
            rule="-and-".join(
                w
                for w, has in (("no-input-check", before), ("no-error-handling", after))
                if not has
            ),
            file=site.module.path,
            line=site.node.lineno,
            symbol=caller.symbol,
            message=f"{caller.symbol} {says}, and nothing {' or '.join(lacks)}.",
            hint=" ".join(wanted),
            evidence=(
                *(_entry_hop(cast, says)),
                hop(site.module, site.node, says),
                *(
                    hop(s.module, s.node, "called here, unhandled")
                    for s in callers(caller, graph)[:3]
                ),
            ),
        )  # fmt: skip


def _checked(site: Site, caller: Function, graph: Graph, depth: int = 2) -> bool:
    """Whether what goes into the tool is checked before, here or by every caller."""
    parts: list[ast.expr] = [*site.node.args, *(k.value for k in site.node.keywords)]
    called = site.node.func
    parts += [called.value] if isinstance(called, ast.Attribute) else [called]
    names = {n for p in parts for n in came_from(p, caller)}
    names |= {ast.unparse(p) for p in parts}
    constants = all(isinstance(p, ast.Constant) for p in parts[:-1])
    if constants and parts[:-1]:
        return True
    if checked_before(site.node, names, caller) is not None:
        return True
    above = callers(caller, graph) if depth else []
    passed = names & {p.arg for p in caller.parameters}
    return bool(above and passed) and all(
        s.caller is not None and _checked(s, s.caller, graph, depth - 1) for s in above
    )


def _tools_handle(graph: Graph, cast: Cast) -> bool:
    """Whether every tool takes its own errors: all that it does stands in a tolerant try."""
    entries = [t.entry for t in cast.tools if t.entry and not only_raises(t.entry.node)]
    return bool(entries) and all(_takes_errors(e, graph) for e in entries)


def _takes_errors(function: Function, graph: Graph) -> bool:
    calls = [n for n in own_nodes(function) if isinstance(n, ast.Call | ast.Raise | ast.Subscript)]
    risky = [
        n
        for n in calls
        if not (
            isinstance(n, ast.Call)
            and isinstance(n.func, ast.Name)
            and n.func.id in ("str", "len", "repr")
        )
        and not _in_handler(n, function)
    ]
    return bool(risky) and all(handled_here(n, graph) for n in risky)


def _in_handler(node: ast.AST, function: Function) -> bool:
    return any(
        node is inner
        for h in own_nodes(function)
        if isinstance(h, ast.ExceptHandler)
        for inner in ast.walk(h)
    )


def _tools_check(cast: Cast) -> bool:
    """Whether every tool checks its own input first."""
    entries = [t.entry for t in cast.tools if t.entry and not only_raises(t.entry.node)]
    return bool(entries) and all(_checks_input(e) for e in entries)


def _checks_input(function: Function) -> bool:
    names = {p.arg for p in function.parameters} - {function.receiver}
    if not names:
        return True
    calls = [n for n in own_nodes(function) if isinstance(n, ast.Call)]
    last = max(calls, key=lambda n: (n.lineno, n.col_offset), default=None)
    return last is not None and checked_before(last, names, function) is not None


def _entry_hop(cast: Cast, says: str) -> tuple[Hop, ...]:
    """Where the tool that is called is defined: the one, or the first of its family."""
    for tool in cast.tools:
        family = tool.family.rpartition(".")[2]
        if tool.entry is not None and says.endswith((f" {tool.symbol}", f" {family}")):
            where = tool.where
            return (Hop(tool.entry.module.path, tool.entry.node.lineno, where.says),)
    return ()
