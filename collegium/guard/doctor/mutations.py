"""The edits that put a defect into a clean project, three to seven ways for each type.

Some of them no rule can see (a description of something else, the name of a model that no table
has): they are what a model is for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.flow import callers, falls_off
from collegium.guard.doctor.graph import Function, own_nodes, parent
from collegium.guard.doctor.mutate import (
    Edit,
    Mutation,
    Site,
    before,
    replaced,
    unwrapped,
    without,
)
from collegium.guard.doctor.roles import Tool, uses_of_tools
from collegium.guard.doctor.variants import CLEAN

_MODELS = (
    "text-embedding-3-large", "bigcode/starcoder2-15b", "text-davinci-003", "whisper-1",
    "EleutherAI/gpt-neo-2.7B", "facebook/nllb-200-3.3B", "microsoft/biogpt-large",
    "Helsinki-NLP/opus-mt-en-de", "meta-llama/Llama-3.1-8B", "defog/sqlcoder-7b-2",
)  # fmt: skip
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
            dropped = _dropped(text, tool.node, "description")
            yield Edit("no description", {path: dropped}, (tool.symbol,))
        elif not isinstance(tool.node, ast.Dict):
            holder = next(p for p in tool.node.body if getattr(p, "value", None) is node)  # type: ignore[attr-defined]
            yield Edit("no description", {path: without(text, holder)}, (tool.symbol,))


def _dropped(text: str, call: ast.Call, name: str) -> str:
    """A call without one of its keyword arguments."""
    kept = [*map(ast.unparse, call.args), *(ast.unparse(k) for k in call.keywords if k.arg != name)]
    return replaced(text, call, f"{ast.unparse(call.func)}({', '.join(kept)})")


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
    from collegium.guard.doctor.detectors.als import stop_strings

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
    from collegium.guard.doctor.detectors.als import stop_strings

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
    from collegium.guard.doctor.detectors.als import stop_strings

    stops = [v.text for v in stop_strings(site.graph) if v.text]
    for tool, entry, returns in _entries(site):
        for node in returns:
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                path = entry.module.path
                new = f"{node.value.value} {stops[0].strip()} done"
                text = replaced(site.project.sources[path], node.value, repr(new))
                yield Edit("a result that contains the stop string", {path: text}, (tool.symbol,))


# -- Fault tolerance -------------------------------------------------------------------------


def _tool_tries(site: Site) -> Iterator[tuple[Function, ast.Try]]:
    for use, _ in uses_of_tools(site.graph, site.cast):
        if use.caller is not None:
            for node in own_nodes(use.caller):
                if isinstance(node, ast.Try) and any(
                    use.node is n for s in node.body for n in ast.walk(s)
                ):
                    yield use.caller, node


def _no_try(site: Site) -> Iterator[Edit]:
    for function, node in _tool_tries(site):
        path = function.module.path
        yield Edit(
            "the tool runs unprotected",
            {path: unwrapped(site.project.sources[path], node)},
            (function.symbol,),
        )


def _raise_again(site: Site) -> Iterator[Edit]:
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


def _narrow(site: Site) -> Iterator[Edit]:
    for function, node in _tool_tries(site):
        kind = node.handlers[0].type
        path = function.module.path
        if kind is not None:
            text = replaced(site.project.sources[path], kind, "KeyboardInterrupt")
            yield Edit("only an interrupt is handled", {path: text}, (function.symbol,))


def _no_check(site: Site) -> Iterator[Edit]:
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


def _parse_unprotected(site: Site) -> Iterator[Edit]:
    for function, node, symbols in _parse_tries(site):
        path = function.module.path
        yield Edit(
            "parsed without a try", {path: unwrapped(site.project.sources[path], node)}, symbols
        )


def _parse_raises(site: Site) -> Iterator[Edit]:
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


def _parse_narrow(site: Site) -> Iterator[Edit]:
    for function, node, symbols in _parse_tries(site):
        kind = node.handlers[0].type
        path = function.module.path
        for other in ("ConnectionError", "KeyError"):
            if kind is not None:
                text = replaced(site.project.sources[path], kind, other)
                yield Edit(f"only {other} is handled", {path: text}, symbols)


def _second_parse(site: Site) -> Iterator[Edit]:
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


# -- Models and their APIs -------------------------------------------------------------------


def _model_constant(site: Site) -> Iterator[tuple[str, ast.Constant, tuple[str, ...]]]:
    from collegium.guard.doctor.fold import fold

    for call in site.cast.llm_calls:
        scope = call.site.caller or call.site.module
        owner = (call.site.caller.owner or "").rpartition(".")[2] if call.site.caller else ""
        given = next((k.value for k in call.site.node.keywords if k.arg == "model"), None)
        for value in fold(given, scope, site.graph):
            first = value.path[0]
            for module in site.graph.modules.values():
                for node in ast.walk(module.tree):
                    if (
                        module.path == first.file
                        and isinstance(node, ast.Constant)
                        and node.lineno == first.line
                        and node.value == value.value
                    ):
                        caller = call.site.caller.symbol if call.site.caller else module.name
                        yield module.path, node, (owner or caller, caller)


def _other_model(site: Site) -> Iterator[Edit]:
    for path, node, symbols in _model_constant(site):
        for name in _MODELS:
            text = replaced(site.project.sources[path], node, repr(name))
            yield Edit(f"the model {name}", {path: text}, symbols)


def _empty_model(site: Site) -> Iterator[Edit]:
    for path, node, symbols in _model_constant(site):
        for new in ("''", "None"):
            text = replaced(site.project.sources[path], node, new)
            yield Edit(f"the model {new}", {path: text}, symbols)


def _model_in_parts(site: Site) -> Iterator[Edit]:
    for path, node, symbols in _model_constant(site):
        for first, second in (
            ("text-embedding", "-ada-002"),
            ("code", "-davinci-002"),
            ("star", "coder"),
        ):
            text = replaced(site.project.sources[path], node, f"{first!r} + {second!r}")
            yield Edit("a model name in parts", {path: text}, symbols)


def _api_calls(site: Site) -> Iterator[tuple[str, ast.Call, tuple[str, ...]]]:
    for call in site.cast.llm_calls:
        caller = call.site.caller
        module = call.site.module
        owner = (caller.owner or "").rpartition(".")[2] if caller else ""
        yield (
            module.path,
            call.site.node,
            (caller.symbol if caller else module.name, owner, module.name),
        )


def _parameter(site: Site, new: str, what: str) -> Iterator[Edit]:
    for path, call, symbols in _api_calls(site):
        for keyword in call.keywords:
            if keyword.arg == "messages":
                text = replaced(site.project.sources[path], keyword.value, new)
                yield Edit(what, {path: text}, symbols)


def _no_messages(site: Site) -> Iterator[Edit]:
    for path, call, symbols in _api_calls(site):
        for name in ("messages", "model", "max_tokens"):
            needed = name != "max_tokens" or "anthropic" in site.project.sources[path]
            if needed and any(k.arg == name for k in call.keywords):
                text = _dropped(site.project.sources[path], call, name)
                yield Edit(f"no {name}", {path: text}, symbols)


def _empty_messages(site: Site) -> Iterator[Edit]:
    yield from _parameter(site, "[]", "empty messages")
    yield from _parameter(site, "None", "no messages at all")


def _no_stop(site: Site) -> Iterator[Edit]:
    for path, call, symbols in _api_calls(site):
        if any(k.arg == "stop" for k in call.keywords) and _in_text_form(site):
            text = _dropped(site.project.sources[path], call, "stop")
            yield Edit("no stop string", {path: text}, symbols)


def _in_text_form(site: Site) -> bool:
    return any("Action Input:" in text for text in site.project.sources.values())


def _empty_key(site: Site) -> Iterator[Edit]:
    for path, text in site.project.sources.items():
        for found in re.finditer(r"api_key=(os\.environ\[[^\]]+\])", text):
            new = text[: found.start(1)] + '""' + text[found.end(1) :]
            symbols = [s for p, _, names in _api_calls(site) if p == path for s in names]
            name = path.removesuffix(".py").replace("/", ".")
            inits = [f.symbol for f in site.graph.functions.values() if f.module.path == path]
            yield Edit("an empty key", {path: new}, (*symbols, *inits, name))


def _key_at_import(site: Site) -> Iterator[Edit]:
    for path, call, symbols in _api_calls(site):
        module = next(m for m in site.graph.modules.values() if m.path == path)
        text = site.project.sources[path]
        first = next(n for n in module.tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
        line = "SERVICE_API_KEY = os.environ['SERVICE_API_KEY']"
        text = before(text, first, line)
        if not re.search(r"^import os$", text, re.MULTILINE):
            imported = next(n for n in module.tree.body if isinstance(n, ast.Import))
            text = before(text, imported, "import os")
        yield Edit("a key that is read at import", {path: text}, (*symbols, module.name))


# -- Dependencies ----------------------------------------------------------------------------


def _requirement_lines(site: Site) -> Iterator[tuple[str, str, str]]:
    """Manifest, requirement as written, and name."""
    for path, text in site.project.manifests.items():
        for found in re.finditer(r"[\"']?([A-Za-z][\w-]*)((?:[~=<>]=?[\d.,<>=~]+))[\"']?,?", text):
            if found.group(1) not in ("version",):
                yield path, found.group(0), found.group(1)


def _undeclared(site: Site) -> Iterator[Edit]:
    imported = {"beautifulsoup4": "bs4", "python-dateutil": "dateutil", "pyyaml": "yaml"}
    for path, written, name in _requirement_lines(site):
        text = site.project.manifests[path].replace(written, "", 1)
        yield Edit(
            f"{name} is not declared",
            {path: text},
            (imported.get(name, name), name.replace("-", "_")),
        )


def _new_import(site: Site) -> Iterator[Edit]:
    for tool in site.cast.tools:
        for package in ("unidecode", "feedparser"):
            path = tool.module.path
            first = next(
                n for n in tool.module.tree.body if isinstance(n, ast.Import | ast.ImportFrom)
            )
            text = before(site.project.sources[path], first, f"import {package}")
            yield Edit("a tool imports what nobody declares", {path: text}, (package,))


def _lower_bound(site: Site) -> Iterator[Edit]:
    for path, written, name in _requirement_lines(site):
        version = re.search(r"\d[\d.]*", written[len(name) :])
        if version:
            new = re.sub(r"[~=<>]=?[\d.,<>=~]+", f">={version.group()}", written, count=1)
            text = site.project.manifests[path].replace(written, new, 1)
            yield Edit(f"{name} has no upper end", {path: text}, (path, name))


def _conflict(site: Site) -> Iterator[Edit]:
    for _, _, name in _requirement_lines(site):
        extra = {"requirements-server.txt": f"{name}==0.0.1\n"}
        yield Edit(f"two manifests disagree on {name}", extra, (name,))


def _too_old(site: Site) -> Iterator[Edit]:
    for path, written, name in _requirement_lines(site):
        old = {"openai": "0.28.1", "anthropic": "0.2.10"}.get(name)
        if old:
            new = re.sub(r"[~=<>]=?[\d.,<>=~]+", f"=={old}", written, count=1)
            text = site.project.manifests[path].replace(written, new, 1)
            yield Edit(f"{name} {old} lacks what is used", {path: text}, (name,))


MUTATIONS: dict[Kind, list[Mutation]] = {
    "ADAL": [_other_model, _empty_model, _model_in_parts],
    "IETI": [_no_description, _empty_description, _phantom_argument, _same_name, _same_description, _off_topic],
    "LOPE": [_parse_unprotected, _parse_raises, _parse_narrow, _second_parse],
    "TRE": [_last_return, _bare_return, _helper_return, _typo],
    "ALS": [_stop_is_a_name, _stop_whole, _stop_in_result],
    "MNFT": [_no_try, _raise_again, _narrow, _no_check],
    "LARD": [_no_messages, _empty_messages, _no_stop, _empty_key, _key_at_import],
    "EPDD": [_undeclared, _new_import, _lower_bound, _conflict, _too_old],
}  # fmt: skip

__all__ = ["CLEAN", "MUTATIONS"]
