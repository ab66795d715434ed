"""Edits that take fault tolerance away: around tools (MNFT) and around parsing (LOPE)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from collegium.guard.doctor.edits import Edit, Site, before, replaced, unwrapped, without
from collegium.guard.doctor.flow import callers, falls_off
from collegium.guard.doctor.graph import Function, own_nodes
from collegium.guard.doctor.roles import uses_of_tools

# -- Fault tolerance -------------------------------------------------------------------------


def _tool_tries(site: Site) -> Iterator[tuple[Function, ast.Try]]:
    for use, _ in uses_of_tools(site.graph, site.cast):
        if use.caller is not None:
            for node in own_nodes(use.caller):
                if isinstance(node, ast.Try) and any(
                    use.node is n for s in node.body for n in ast.walk(s)
                ):
                    yield use.caller, node


def no_try(site: Site) -> Iterator[Edit]:
    """The tool runs unprotected."""
    for function, node in _tool_tries(site):
        path = function.module.path
        yield Edit(
            "the tool runs unprotected",
            {path: unwrapped(site.project.sources[path], node)},
            (function.symbol,),
        )


def raise_again(site: Site) -> Iterator[Edit]:
    """The handler raises again."""
    for function, node in _tool_tries(site):
        yield from _handler(
            site, function, node, "raise", "the handler raises again", (function.symbol,)
        )


def _handler(
    site: Site, function: Function, node: ast.Try, new: str, what: str, symbols: tuple[str, ...]
) -> Iterator[Edit]:
    path = function.module.path
    text = site.project.sources[path]
    for handler in reversed(node.handlers):
        for statement in reversed(handler.body):
            text = replaced(text, statement, new if statement is handler.body[0] else "pass")
    yield Edit(what, {path: text}, symbols)


def narrow(site: Site) -> Iterator[Edit]:
    """Only an interrupt is handled."""
    for function, node in _tool_tries(site):
        kind = node.handlers[0].type
        path = function.module.path
        if kind is not None:
            text = replaced(site.project.sources[path], kind, "KeyboardInterrupt")
            yield Edit("only an interrupt is handled", {path: text}, (function.symbol,))


def no_check(site: Site) -> Iterator[Edit]:
    """Every early return before the tool's call is taken out, here and where it is called from."""
    for use, _ in uses_of_tools(site.graph, site.cast):
        function = use.caller
        if function is None:
            continue
        near = [function, *(s.caller for s in callers(function, site.graph) if s.caller)]
        files = dict(site.project.sources)
        found = False
        for part in near:
            for node in reversed(own_nodes(part)):
                leaves = isinstance(node, ast.If) and not node.orelse and not falls_off(node.body)
                fixed = isinstance(node, ast.If) and ("answer" in ast.unparse(node.test).lower())
                final = isinstance(node, ast.If) and "FINAL" in ast.unparse(node.test)
                if leaves and not fixed and not final and node in part.node.body:
                    assert isinstance(node, ast.If)
                    files[part.module.path] = without(files[part.module.path], node)
                    found = True
        if found:
            changed = {p: t for p, t in files.items() if t != site.project.sources[p]}
            yield Edit("nothing checks the input", changed, (function.symbol,))


# -- Parsing ---------------------------------------------------------------------------------


def _parse_tries(site: Site) -> Iterator[tuple[Function, ast.Try, tuple[str, ...]]]:
    """The ``try`` statements of agents around parsing, with the functions that parse."""
    tools = {id(n) for _, n in _tool_tries(site)}
    own = {id(f.node) for t in site.cast.tools for f in t.functions}
    agents = {c.module.path for c in site.cast.agents}
    agents |= {c.site.module.path for c in site.cast.llm_calls} - {
        owner.module.path for owner in site.graph.classes.values() if owner.name in site.cast.llms
    }
    for function in site.graph.functions.values():
        if function.module.path not in agents or id(function.node) in own:
            continue
        for node in own_nodes(function):
            if isinstance(node, ast.Try) and id(node) not in tools:
                prefix = function.symbol.rpartition(".")[0]
                called = [
                    f"{prefix}.{n.func.attr}"
                    for s in node.body
                    for n in ast.walk(s)
                    if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
                ]
                yield function, node, (function.symbol, *called)


def parse_unprotected(site: Site) -> Iterator[Edit]:
    """The answer is parsed without a ``try``."""
    for function, node, symbols in _parse_tries(site):
        path = function.module.path
        yield Edit(
            "parsed without a try", {path: unwrapped(site.project.sources[path], node)}, symbols
        )


def parse_raises(site: Site) -> Iterator[Edit]:
    """The handler of the parser raises."""
    for function, node, symbols in _parse_tries(site):
        yield from _handler(site, function, node, "raise", "the parser's error goes on", symbols)
        yield from _handler(
            site,
            function,
            node,
            "raise RuntimeError('bad reply')",
            "another error is raised",
            symbols,
        )


def parse_narrow(site: Site) -> Iterator[Edit]:
    """The handler takes an error that the parser does not raise."""
    for function, node, symbols in _parse_tries(site):
        kind = node.handlers[0].type
        path = function.module.path
        for other in ("ConnectionError", "KeyError"):
            if kind is not None:
                text = replaced(site.project.sources[path], kind, other)
                yield Edit(f"only {other} is handled", {path: text}, symbols)


def second_parse(site: Site) -> Iterator[Edit]:
    """One more value is read from the reply, unprotected."""
    for function, node, _ in _parse_tries(site):
        read = [
            n.id
            for s in node.body
            for n in ast.walk(s)
            if isinstance(n, ast.Name) and n.id in ("reply", "text")
        ]
        if not read:
            continue
        path = function.module.path
        for line in (
            f"score = float({read[0]}.split('score:')[1])",
            f"first, second = {read[0]}.split('|')",
        ):
            text = before(site.project.sources[path], node, line)
            yield Edit("one more value is parsed", {path: text}, (function.symbol,))
