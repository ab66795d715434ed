"""IETI: what a model is told of a tool is missing, empty, ambiguous or wrong.

The paper's three rules (no name, no description, an empty value) and three of ours: two tools of
one family with one name, or with one description, and an argument that is described and not there.
Whether text and implementation agree is a question for a model.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from collegium.guard.doctor.findings import Finding, Hop, Question
from collegium.guard.doctor.roles import Cast
from collegium.guard.doctor.tools import Text, Tool

_MENTIONED = re.compile(
    r"(?:(?:argument|parameter|arg|param|input|field)s?\s+(?:named\s+|called\s+)?[`'\"](\w+)[`'\"])"
    r"|(?:[`'\"](\w+)[`'\"]\s+(?:argument|parameter|arg|param|field)\b)",
    re.IGNORECASE,
)
_GOOGLE_ARGS = re.compile(r"^\s*Args:\s*$")


def detect(cast: Cast) -> Iterator[Finding | Question]:
    """Check the name and description of every tool."""
    for tool in cast.tools:
        yield from _missing(tool)
        yield from _arguments(tool)
    yield from _shared(cast)
    for tool in cast.tools:
        if tool.name.text and tool.about.text:
            yield _question(tool)


def _missing(tool: Tool) -> Iterator[Finding]:
    for what, text in (("name", tool.name), ("description", tool.about)):
        if not text.given:
            yield _finding(
                tool, f"no-{what}", text.where, f"Tool {tool.symbol} has no {what}.",
                f"Give it a {what} that says when and how to use it.", (text.where,),
            )  # fmt: skip
        elif text.values and not any(
            v.value for v in text.values if v.text is None or v.text.strip()
        ):
            value = text.values[0]
            yield _finding(
                tool, f"empty-{what}", text.where, f"The {what} of tool {tool.symbol} is empty.",
                f"Write the {what} that a model is to choose it by.", (*value.path, text.where),
            )  # fmt: skip


def _shared(cast: Cast) -> Iterator[Finding]:
    """Tools of one family that a model cannot tell apart."""
    for what, rule in (("name", "duplicate-name"), ("description", "same-description")):
        groups: dict[tuple[str, str], list[tuple[Tool, Text]]] = {}
        for tool in cast.tools:
            text = tool.name if what == "name" else tool.about
            if text.text and text.text.strip():
                plain = " ".join(text.text.split())
                key = plain if what == "name" else plain.casefold()
                groups.setdefault((tool.family, key), []).append((tool, text))
        for (_, shown), members in groups.items():
            if len({id(t.node) for t, _ in members}) < 2:
                continue
            for tool, text in members:
                others = [(t, x) for t, x in members if t is not tool]
                names = ", ".join(sorted({t.symbol for t, _ in others}))
                quoted = f" {shown!r}" if what == "name" else ", white space aside"
                yield _finding(
                    tool, rule, text.where,
                    f"Tools {tool.symbol} and {names} have the same {what}{quoted}.",
                    f"Give each tool a {what} of its own: a model cannot tell them apart.",
                    (text.where, *(x.where for _, x in others)),
                )  # fmt: skip


def _arguments(tool: Tool) -> Iterator[Finding]:
    """Arguments that the description names and the signature does not have."""
    if tool.entry is None or not tool.about.text:
        return
    a = tool.entry.node.args
    if a.kwarg is not None:
        return
    known = {p.arg for p in tool.entry.parameters} | ({a.vararg.arg} if a.vararg else set())
    named = {m for pair in _MENTIONED.findall(tool.about.text) for m in pair if m}
    if tool.entry.owner is None:
        named |= _documented(tool.about.text)
    for name in sorted(named - known):
        yield _finding(
            tool, "unknown-argument", tool.about.where,
            f"The description of tool {tool.symbol} names an argument {name!r} that "
            f"{tool.entry.symbol} does not take.",
            "Describe the arguments that the tool has.",
            (tool.about.where, Hop(tool.entry.module.path, tool.entry.node.lineno,
                                   f"takes {', '.join(p.arg for p in tool.entry.parameters)}")),
        )  # fmt: skip


def _documented(text: str) -> set[str]:
    """Names in the ``Args:`` part of a docstring."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _GOOGLE_ARGS.match(line)), None)
    if start is None:
        return set()
    found: set[str] = set()
    indent = None
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        here = len(line) - len(line.lstrip())
        indent = here if indent is None else indent
        matched = re.match(r"\s*\*{0,2}(\w+)\s*(?:\([^)]*\))?:", line)
        if here == indent and matched:
            found.add(matched.group(1))
        elif here < indent:
            break
    return found


def _question(tool: Tool) -> Question:
    body = "\n\n".join(ast.unparse(f.node) for f in tool.functions[:4])
    code = f"# name: {tool.name.text}\n# description: {tool.about.text}\n{body}"
    finding = _finding(
        tool, "inconsistent", tool.about.where,
        f"Name, description and implementation of tool {tool.symbol} do not fit together.",
        "Describe what the tool does, what goes in and what comes out.",
        (tool.about.where, tool.where),
    )  # fmt: skip
    ask = (
        "Below are a tool's name, its description and its implementation. Do the three agree, and "
        "does the description say what the tool does and what it takes? Answer no only if the "
        "description is about something else or leaves out what the tool does."
    )
    return Question(finding=finding, ask=ask, code=code)


def _finding(
    tool: Tool, rule: str, where: Hop, message: str, hint: str, evidence: tuple[Hop, ...]
) -> Finding:
    return Finding(
        type="IETI", rule=rule, file=where.file, line=where.line, symbol=tool.symbol,
        message=message, hint=hint, evidence=evidence,
    )  # fmt: skip
