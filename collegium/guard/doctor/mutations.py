"""The edits that put a defect into a clean project, three to seven ways for each type.

Some of them no rule can see (a description of something else, the name of a model that no table
has): they are what a model is for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor import mutations_api as api
from collegium.guard.doctor import mutations_flow as flow
from collegium.guard.doctor.detectors.als import stop_strings
from collegium.guard.doctor.edits import (
    Edit,
    Mutation,
    Site,
    before,
    dropped,
    replaced,
    without,
)
from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.graph import Function, own_nodes, parent
from collegium.guard.doctor.tools import Tool
from collegium.guard.doctor.variants import CLEAN

_OFF_TOPIC = (
    "Sends an e-mail to a colleague. Input: the address and the text.",
    "Translates a sentence into Latin. Input: the sentence.",
    "Plays a song. Input: its title.",
)


# -- What a model is told of a tool ----------------------------------------------------------


def _text(tool: Tool, what: str) -> ast.expr | None:
    """The expression that holds a tool's name or description: field, argument or docstring."""
    if isinstance(tool.node, ast.ClassDef):
        for part in tool.node.body:
            targets = part.targets if isinstance(part, ast.Assign) else []
            targets = [part.target] if isinstance(part, ast.AnnAssign) else targets
            if targets and ast.unparse(targets[0]) == what:
                return part.value  # type: ignore[union-attr]
    elif isinstance(tool.node, ast.Call):
        return next((k.value for k in tool.node.keywords if k.arg == what), None)
    elif isinstance(tool.node, ast.Dict):
        for key, value in zip(tool.node.keys, tool.node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == what:
                return value
    elif what == "description" and isinstance(tool.node, ast.FunctionDef | ast.AsyncFunctionDef):
        first = tool.node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            return first.value
    return None


def _told(site: Site, what: str, new: str, says: str) -> Iterator[Edit]:
    for tool in site.cast.tools:
        node = _text(tool, what)
        if node is not None:
            path = tool.module.path
            yield Edit(
                says, {path: replaced(site.project.sources[path], node, repr(new))}, (tool.symbol,)
            )


def _no_description(site: Site) -> Iterator[Edit]:
    for tool in site.cast.tools:
        node, path = _text(tool, "description"), tool.module.path
        text = site.project.sources[path]
        if node is None:
            continue
        if isinstance(tool.node, ast.Call):
            new = dropped(text, tool.node, "description")
            yield Edit("no description", {path: new}, (tool.symbol,))
        elif not isinstance(tool.node, ast.Dict):
            holder = next(p for p in tool.node.body if getattr(p, "value", None) is node)  # type: ignore[attr-defined]
            yield Edit("no description", {path: without(text, holder)}, (tool.symbol,))


def _empty_description(site: Site) -> Iterator[Edit]:
    yield from _told(site, "description", "", "empty description")


def _phantom_argument(site: Site) -> Iterator[Edit]:
    for tool in site.cast.tools:
        node = _text(tool, "description")
        if node is not None and tool.about.text:
            path = tool.module.path
            new = f"{tool.about.text} The argument 'locale' chooses the language."
            text = replaced(site.project.sources[path], node, repr(new))
            yield Edit("describes an argument that is not there", {path: text}, (tool.symbol,))


def _twin(site: Site, what: str) -> Iterator[Edit]:
    tools = site.cast.tools
    for i, tool in enumerate(tools):
        other = tools[(i + 1) % len(tools)]
        node = _text(tool, what)
        told = other.name.text if what == "name" else other.about.text
        if node is not None and told and tool.family == other.family:
            path = tool.module.path
            text = replaced(site.project.sources[path], node, repr(told))
            yield Edit(f"the {what} of another tool", {path: text}, (tool.symbol, other.symbol))


def _same_name(site: Site) -> Iterator[Edit]:
    yield from _twin(site, "name")


def _same_description(site: Site) -> Iterator[Edit]:
    yield from _twin(site, "description")


def _off_topic(site: Site) -> Iterator[Edit]:
    for new in _OFF_TOPIC:
        yield from _told(site, "description", new, "a description of something else")


# -- What a tool returns ---------------------------------------------------------------------


def _entries(site: Site) -> Iterator[tuple[Tool, Function, list[ast.Return]]]:
    for tool in site.cast.tools:
        if tool.entry is not None:
            returns = [n for n in own_nodes(tool.entry) if isinstance(n, ast.Return) and n.value]
            yield tool, tool.entry, returns


def _last_return(site: Site) -> Iterator[Edit]:
    for tool, entry, returns in _entries(site):
        if returns and returns[-1] in entry.node.body:
            path = entry.module.path
            text = replaced(
                site.project.sources[path],
                returns[-1],
                ast.unparse(returns[-1].value),  # type: ignore[arg-type]
            )
            yield Edit("the last return is lost", {path: text}, (tool.symbol,))


def _bare_return(site: Site) -> Iterator[Edit]:
    for tool, entry, returns in _entries(site):
        if returns and returns[-1] in entry.node.body:
            path = entry.module.path
            kept = ast.unparse(returns[-1].value)  # type: ignore[arg-type]
            column = " " * returns[-1].col_offset
            text = replaced(
                site.project.sources[path], returns[-1], f"shown = {kept}\n{column}return"
            )
            yield Edit("the result is not returned", {path: text}, (tool.symbol,))


def _helper_return(site: Site) -> Iterator[Edit]:
    for tool in site.cast.tools:
        for helper in tool.functions:
            if tool.entry is None or helper.name == tool.entry.name:
                continue
            returns = [n for n in own_nodes(helper) if isinstance(n, ast.Return) and n.value]
            if returns and returns[-1] in helper.node.body:
                path = helper.module.path
                kept = ast.unparse(returns[-1].value)  # type: ignore[arg-type]
                text = replaced(site.project.sources[path], returns[-1], kept)
                yield Edit("a helper's return is lost", {path: text}, (helper.symbol, tool.symbol))


def _typo(site: Site) -> Iterator[Edit]:
    for tool, entry, returns in _entries(site):
        for node in returns:
            names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id != "self"]
            if names:
                path = entry.module.path
                text = replaced(site.project.sources[path], names[-1], f"{names[-1].id}_vlaue")
                yield Edit("a name that does not exist", {path: text}, (tool.symbol,))


# -- Stop strings ----------------------------------------------------------------------------


def _stop_constants(site: Site) -> Iterator[tuple[str, ast.Constant]]:
    """The constants that stop strings are made of."""
    lines = {
        (h.file, h.line)
        for v in stop_strings(site.graph)
        for h in v.path
        if h.says.startswith("constant")
    }
    for module in site.graph.modules.values():
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and (module.path, node.lineno) in lines
                and node.value.strip(" \n\t:")
                and not isinstance(getattr(node, "_parent", None), ast.JoinedStr)
            ):
                yield module.path, node


def _words(site: Site) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Words of tool names, with the tools whose names contain them."""
    names = [(t.symbol, t.name.text or "") for t in site.cast.tools]
    for word in sorted({w for _, n in names for w in re.split(r"[ _]", n) if len(w) > 3}):
        yield word, tuple(s for s, n in names if word in n)


def _stop_is_a_name(site: Site) -> Iterator[Edit]:
    for path, node in _stop_constants(site):
        for word, tools in _words(site):
            if not _lengthened(site, node):
                text = replaced(site.project.sources[path], node, repr(word))
                yield Edit("a stop string that a tool name contains", {path: text}, tools)


def _lengthened(site: Site, node: ast.AST) -> bool:
    """Whether text is put after what is assigned here, so that a word would not be the string."""
    above = parent(node)
    name = ast.unparse(above.targets[0]) if isinstance(above, ast.Assign) else ""
    texts = site.project.sources.values()
    return bool(name) and any(re.search(rf"\{{{name}\}}[:;>]", t) for t in texts)


def _stop_whole(site: Site) -> Iterator[Edit]:
    """The assignment of a stop mark is replaced as a whole, through two more variables."""
    lines = {(h.file, h.line) for v in stop_strings(site.graph) for h in v.path}
    for module in site.graph.modules.values():
        for part in module.tree.body:
            if not isinstance(part, ast.Assign) or (module.path, part.lineno) not in lines:
                continue
            listed = isinstance(part.value, ast.List)
            if not listed and not isinstance(part.value, ast.JoinedStr | ast.Constant):
                continue
            if _lengthened(site, part.value):
                continue
            for word, tools in _words(site):
                text = replaced(
                    site.project.sources[module.path],
                    part.value,
                    "[_SECOND]" if listed else "_SECOND",
                )
                text = before(text, part, f"_FIRST = {word!r}\n_SECOND = _FIRST")
                yield Edit("the same behind two variables", {module.path: text}, tools)


def _stop_in_result(site: Site) -> Iterator[Edit]:
    stops = [v.text for v in stop_strings(site.graph) if v.text]
    for tool, entry, returns in _entries(site):
        for node in returns:
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                path = entry.module.path
                new = f"{node.value.value} {stops[0].strip()} done"
                text = replaced(site.project.sources[path], node.value, repr(new))
                yield Edit("a result that contains the stop string", {path: text}, (tool.symbol,))


MUTATIONS: dict[Kind, list[Mutation]] = {
    "ADAL": [api.other_model, api.empty_model, api.model_in_parts],
    "IETI": [_no_description, _empty_description, _phantom_argument, _same_name,
             _same_description, _off_topic],
    "LOPE": [flow.parse_unprotected, flow.parse_raises, flow.parse_narrow, flow.second_parse],
    "TRE": [_last_return, _bare_return, _helper_return, _typo],
    "ALS": [_stop_is_a_name, _stop_whole, _stop_in_result],
    "MNFT": [flow.no_try, flow.raise_again, flow.narrow, flow.no_check],
    "LARD": [api.no_messages, api.empty_messages, api.no_stop, api.empty_key, api.key_at_import],
    "EPDD": [api.undeclared, api.new_import, api.lower_bound, api.conflict, api.too_old],
}  # fmt: skip

__all__ = ["CLEAN", "MUTATIONS"]
