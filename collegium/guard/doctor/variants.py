"""Edits without a defect, many of them close to one: what a detector must leave alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.edits import Edit, Mutation, Site, before, replaced, unwrapped
from collegium.guard.doctor.flow import callers
from collegium.guard.doctor.graph import Function, own_nodes
from collegium.guard.doctor.roles import uses_of_tools


def _reformatted(site: Site) -> Iterator[Edit]:
    """Every file is written anew from its tree, comments gone."""
    files = {m.path: ast.unparse(m.tree) + "\n" for m in site.graph.modules.values()}
    yield Edit("reformatted", files)


def _renamed_helper(site: Site) -> Iterator[Edit]:
    """A method of an agent gets another name everywhere."""
    for agent in site.cast.agents:
        for name in agent.methods:
            if name.startswith("__"):
                continue
            files = {
                p: re.sub(rf"\b{name}\b", f"{name}_step", t)
                for p, t in site.project.sources.items()
            }
            text = "\n".join(site.project.sources.values())
            if len(re.findall(rf"def {name}\b", text)) == 1:
                yield Edit(
                    f"{name} renamed",
                    {p: t for p, t in files.items() if t != site.project.sources[p]},
                )


def _silent_helper(site: Site) -> Iterator[Edit]:
    """A tool logs what it does: a helper without a return, whose result nobody uses."""
    for tool in site.cast.tools:
        entry = tool.entry
        if entry is None:
            continue
        path = entry.module.path
        receiver = f"{entry.receiver}." if entry.receiver else ""
        own = f"{entry.receiver}, " if entry.receiver else ""
        body = entry.node.body
        first = body[1] if ast.get_docstring(entry.node) and len(body) > 1 else body[0]
        text = before(site.project.sources[path], first, f"{receiver}_note('used')")
        if entry.receiver:
            text = before(
                text,
                entry.node,
                f"def _note({own}event):\n        events = [event]\n        print(events)\n",
            )
        else:
            top = next(
                n for n in entry.module.tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)
            )
            text = before(
                text, top, "def _note(event):\n    events = [event]\n    print(events)\n\n"
            )
        yield Edit("a helper that returns nothing, unused", {path: text})


def _constructor(site: Site) -> Iterator[Edit]:
    """A tool class gets a constructor, which returns nothing."""
    for tool in site.cast.tools:
        if (
            isinstance(tool.node, ast.ClassDef)
            and tool.entry
            and "__init__" not in ast.unparse(tool.node)
        ):
            path = tool.module.path
            text = before(
                site.project.sources[path], tool.entry.node,
                "def __init__(self):\n        self.uses = 0\n",
            )  # fmt: skip
            yield Edit("a constructor", {path: text})


def _near_stop(site: Site) -> Iterator[Edit]:
    """A stop string that looks like a tool's name and is not in it."""
    from collegium.guard.doctor.detectors.als import stop_strings

    lines = {(h.file, h.line) for v in stop_strings(site.graph) for h in v.path}
    for module in site.graph.modules.values():
        for part in module.tree.body:
            if isinstance(part, ast.Assign) and (module.path, part.lineno) in lines:
                listed = isinstance(part.value, ast.List)
                if listed or isinstance(part.value, ast.JoinedStr | ast.Constant):
                    name = (site.cast.tools[0].name.text or "tool").split()[0].upper()
                    new = f"{name}-END:"
                    value = "[_MARK]" if listed else "_MARK"
                    text = replaced(site.project.sources[module.path], part.value, value)
                    yield Edit(
                        "a near stop string", {module.path: before(text, part, f"_MARK = {new!r}")}
                    )


def _tries(site: Site) -> Iterator[tuple[Function, ast.Try]]:
    for use, _ in uses_of_tools(site.graph, site.cast):
        if use.caller is not None:
            for node in own_nodes(use.caller):
                if isinstance(node, ast.Try) and any(
                    use.node is n for s in node.body for n in ast.walk(s)
                ):
                    yield use.caller, node


def _specific(site: Site) -> Iterator[Edit]:
    """The handler names what it expects instead of everything."""
    for function, node in _tries(site):
        kind = node.handlers[0].type
        if kind is not None:
            path = function.module.path
            text = replaced(
                site.project.sources[path], kind, "(ValueError, KeyError, OSError, RuntimeError)"
            )
            yield Edit("a specific handler", {path: text})


def _handled_above(site: Site) -> Iterator[Edit]:
    """The ``try`` moves from the function that runs the tool into the one that calls it."""
    for function, node in _tries(site):
        above = callers(function, site.graph)
        if len(above) != 1 or above[0].caller is None or above[0].module is not function.module:
            continue
        statement = next(
            (
                n
                for n in own_nodes(above[0].caller)
                if isinstance(n, ast.stmt)
                and not isinstance(n, ast.For | ast.While | ast.If | ast.Try)
                and any(above[0].node is x for x in ast.walk(n))
            ),
            None,
        )  # fmt: skip
        if statement is None:
            continue
        path = function.module.path
        column = " " * statement.col_offset
        inner = ast.unparse(statement)
        lines = (
            "try:",
            f"    {inner}",
            "except Exception as problem:",
            "    return f'Failed: {problem}'",
        )
        new = f"\n{column}".join(lines)
        text = site.project.sources[path]
        edits = sorted([(node.lineno, node), (statement.lineno, statement)], key=lambda e: -e[0])
        for _, part in edits:
            own = part is node
            text = unwrapped(text, node) if own else replaced(text, statement, new)
        yield Edit("handled one function above", {path: text})


def _other_chat_model(site: Site) -> Iterator[Edit]:
    names = "gpt-4o-mini|claude-3-5-haiku-latest|mistral/mistral-large-latest"
    for path, text in site.project.sources.items():
        for new in ("gpt-4.1", "claude-sonnet-4-0", "gemini/gemini-1.5-pro"):
            if re.search(names, text):
                yield Edit(f"the model {new}", {path: re.sub(names, new, text)})


def _exact_pins(site: Site) -> Iterator[Edit]:
    for path, text in site.project.manifests.items():
        if "~=" in text:
            yield Edit("exact pins", {path: re.sub(r"~=(\d+\.\d+)", r"==\1.0", text)})


def _optional_import(site: Site) -> Iterator[Edit]:
    for tool in site.cast.tools:
        path = tool.module.path
        first = next(
            (n for n in tool.module.tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)),
            None,
        )
        if first is not None:
            line = "try:\n    import orjson\nexcept ImportError:\n    orjson = None\n\n"
            yield Edit(
                "an optional import", {path: before(site.project.sources[path], first, line)}
            )


def _longer_description(site: Site) -> Iterator[Edit]:
    for tool in site.cast.tools:
        if isinstance(tool.node, ast.FunctionDef | ast.AsyncFunctionDef) or not tool.about.text:
            continue
        path = tool.module.path
        text = site.project.sources[path]
        quoted = f'"{tool.about.text}"'
        if quoted in text:
            new = f'"{tool.about.text} Use it once for each question."'
            yield Edit("a longer description", {path: text.replace(quoted, new, 1)})


def _conditional_result(site: Site) -> Iterator[Edit]:
    """A tool's last return becomes two, one on each side of a test: all ways still return."""
    for tool in site.cast.tools:
        entry = tool.entry
        if entry is None:
            continue
        last = entry.node.body[-1]
        if isinstance(last, ast.Return) and last.value is not None:
            path, column = entry.module.path, " " * last.col_offset
            value = ast.unparse(last.value)
            lines = (
                f"found = {value}",
                "if not found:",
                "    return 'Nothing.'",
                "else:",
                "    return found",
            )
            new = f"\n{column}".join(lines)
            yield Edit("two returns", {path: replaced(site.project.sources[path], last, new)})


CLEAN: list[Mutation] = [
    _reformatted, _renamed_helper, _silent_helper, _constructor, _near_stop, _specific,
    _handled_above, _other_chat_model, _exact_pins, _optional_import, _longer_description,
    _conditional_result,
]  # fmt: skip
