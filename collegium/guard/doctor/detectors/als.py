r"""ALS: a stop string of the model cuts off the name of a tool, or what a tool returns.

Compared without the white space around a stop string: "\nSearch" ends a reply before the tool
"Google Search" is named at the start of a line, and it is what the paper's mutants look like.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.findings import Finding, Hop
from collegium.guard.doctor.fold import Value, fold, fold_texts
from collegium.guard.doctor.graph import Graph, hop, own_nodes
from collegium.guard.doctor.roles import Cast
from collegium.guard.doctor.tools import Tool

DEFAULTS = ("</s>", "<|endoftext|>", "<eos>")
"""What ends a reply where a project sets nothing."""

_STOP = re.compile(r"(?:^|_)stop(?:s|$|_)", re.IGNORECASE)
_NOT_STRINGS = re.compile(r"stop_?words?_?(?:set|list|removal)?$|stopwords", re.IGNORECASE)
_KEYWORDS = ("stop", "stop_words", "stop_tokens", "stop_sequences", "stop_strings")
_JOINS = ("_", " ", "-", "")


def detect(graph: Graph, cast: Cast) -> Iterator[Finding]:
    """Compare every stop string with every tool's name and returned texts."""
    stops = stop_strings(graph)
    for tool in cast.tools:
        returned = _returned(tool, graph)
        for name in [v for v in tool.name.values if v.text] or [None]:
            found = _clash(tool, name, returned, stops)
            if found is not None:
                yield found
                break


def stop_strings(graph: Graph) -> list[Value]:
    """Every stop string of the project, or the usual ones where there is none."""
    found: list[Value] = []
    for module in graph.modules.values():
        for node in (*module.all(ast.Assign), *module.all(ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                named = ast.unparse(target).rpartition(".")[2]
                if not _STOP.search(named) or node.value is None or _NOT_STRINGS.search(named):
                    continue
                if not isinstance(
                    node.value, ast.List | ast.Tuple | ast.Set | ast.BinOp | ast.Call
                ):
                    continue  # a flag or a number
                step = hop(module, node, f"{named} is set")
                found += [
                    Value(v.value, (*v.path, step)) for v in fold_texts(node.value, module, graph)
                ]
    for sites in graph.sites.values():
        for site in sites:
            for keyword in site.node.keywords:
                if keyword.arg in _KEYWORDS:
                    step = hop(site.module, site.node, f"given as {keyword.arg}=")
                    found += [
                        Value(v.value, (*v.path, step))
                        for v in fold_texts(keyword.value, site.caller or site.module, graph)
                    ]
    texts: dict[str, Value] = {}
    for value in found:
        if value.text:
            texts.setdefault(value.text, value)
    return list(texts.values()) or [Value(d, (Hop("", 0, "usual end of text"),)) for d in DEFAULTS]


def _returned(tool: Tool, graph: Graph) -> list[Value]:
    """The fixed texts that a tool's own functions return."""
    found = []
    for function in tool.functions:
        if tool.entry is not None and function.module is not tool.entry.module:
            continue
        for node in own_nodes(function):
            if isinstance(node, ast.Return) and node.value is not None:
                step = hop(function.module, node, f"{function.symbol} returns it")
                found += [
                    Value(v.value, (*v.path, step))
                    for v in fold(node.value, function, graph)
                    if v.text
                ]
    return found


def _clash(
    tool: Tool, name: Value | None, returned: list[Value], stops: list[Value]
) -> Finding | None:
    for stop in stops:
        text = (stop.text or "").strip() or (stop.text or "")
        if name is not None and text in (name.text or ""):
            return _finding(
                tool, stop, name, f"stands in the name {name.text!r} of tool {tool.symbol}"
            )
        for result in returned:
            if text in (result.text or ""):
                return _finding(
                    tool,
                    stop,
                    result,
                    f"stands in what tool {tool.symbol} returns, {result.text!r}",
                )
            if name is None:
                continue
            n, r = name.text or "", (result.text or "").strip()
            if r and any(text in (f"{n}{j}{r}", f"{r}{j}{n}") for j in _JOINS):
                return _finding(
                    tool, stop, result,
                    f"is the name {n!r} of tool {tool.symbol} joined with what it returns",
                )  # fmt: skip
    return None


def _finding(tool: Tool, stop: Value, other: Value, says: str) -> Finding:
    where = stop.path[-1]
    own = where if where.file else tool.where
    return Finding(
        type="ALS",
        rule="stop-string",
        file=tool.where.file,
        line=tool.where.line,
        symbol=tool.symbol,
        message=f"The stop string {stop.text!r} {says}: the model is cut off there.",
        hint="Choose a stop string that no tool name and no result contains.",
        evidence=(*stop.path, *other.path, own),
    )
