"""The six-field reply of MLAgentBench's research agent (arXiv 2310.03302), read without mercy.

Reflection, Research Plan and Status, Fact Check, Thought, Action, Action Input: all of them, in
this order, the last as JSON. Models break the JSON in two ways that can be mended: line breaks
inside a string, and quotes inside one. The first is sanitised; the second is read by the names of
the arguments, each up to the next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

FIELDS = (
    "Reflection",
    "Research Plan and Status",
    "Fact Check",
    "Thought",
    "Action",
    "Action Input",
)
ATTEMPTS = 5
"""Replies that may be read in vain before the agent stops."""


class SixFields(msgspec.Struct, frozen=True):
    """A reply that has all its fields; ``arguments`` is the action's input."""

    reflection: str
    plan: str
    facts: str
    thought: str
    action: str
    arguments: dict[str, Any]


class Unreadable(msgspec.Struct, frozen=True):
    """A reply that cannot be acted on.

    Attributes:
        retry: What the model is told.
        fields: Whether it had all its fields, so that only the input was wrong.
    """

    retry: str
    fields: bool = False


def read_reply(text: str, names: Sequence[str] = ()) -> SixFields | Unreadable:
    """Read a reply.

    Args:
        text: What the model wrote.
        names: The arguments of the action, in order, if they are known; else the input must be
            JSON.
    """
    parts = split_fields(text)
    missing = [field for field in FIELDS if not parts.get(field)]
    if missing:
        listed = "\n".join(f"{field}: ..." for field in FIELDS)
        return Unreadable(f"Your reply lacks {', '.join(missing)}. Write all of these:\n{listed}")
    arguments = read_input(parts["Action Input"], names)
    if arguments is None:
        example = ", ".join(f'"{name}": "..."' for name in names) or '"name": "value"'
        return Unreadable(f"The Action Input is no JSON object: write {{{example}}}.", fields=True)
    plain = (parts[field] for field in FIELDS[:5])
    reflection, plan, facts, thought, action = plain
    return SixFields(reflection, plan, facts, thought, action.strip("`'\"[] "), arguments)


def split_fields(text: str) -> dict[str, str]:
    """The fields that stand in their order; each goes up to the next one."""
    found: dict[str, str] = {}
    places: list[tuple[str, int, int]] = []
    begin = 0
    for field in FIELDS:
        match = re.compile(rf"^[ *#]*{field}[ *]*:(?:\*\*)?", re.MULTILINE).search(text, begin)
        if match is None:
            continue
        places.append((field, match.start(), match.end()))
        begin = match.end()
    for (field, _, after), (_, until, _) in zip(
        places, [*places[1:], ("", len(text), 0)], strict=True
    ):
        found[field] = text[after:until].strip()
    return found


def read_input(text: str, names: Sequence[str] = ()) -> dict[str, Any] | None:
    """The arguments in an action's input; None when they cannot be read."""
    begun, ended = text.find("{"), text.rfind("}")
    if begun < 0 or ended < begun:
        return None
    body = text[begun : ended + 1]
    for attempt in (body, sanitised(body)):
        try:
            return msgspec.json.decode(attempt, type=dict[str, Any])
        except msgspec.DecodeError:
            continue
    return by_names(body, names)


def sanitised(text: str) -> str:
    """JSON with line breaks and tabs inside its strings escaped."""
    out: list[str] = []
    quoted = escaped = False
    for sign in text:
        if quoted and sign in "\n\r\t":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t"}[sign])
        else:
            out.append(sign)
        quoted = quoted != (sign == '"' and not escaped)
        escaped = sign == "\\" and not escaped
    return "".join(out)


def by_names(text: str, names: Sequence[str]) -> dict[str, Any] | None:
    """The arguments by their names, each as a text up to the next one; None if one is not there."""
    if not names:
        return None
    pattern = r"\s*,\s*".join(rf'"{re.escape(name)}"\s*:\s*"(.*)"' for name in names)
    match = re.search(rf"\{{\s*{pattern}\s*\}}", text, re.DOTALL)
    if match is None:
        return None
    return {name: _unescaped(value) for name, value in zip(names, match.groups(), strict=True)}


def _unescaped(text: str) -> str:
    marks = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda m: marks.get(m[1], m[1]), text, flags=re.DOTALL)


class History:
    """The turns of an agent, without those that could not be read once one could.

    Args:
        kept: Turns that are shown in full; older ones are not shown.
    """

    def __init__(self, kept: int = 3) -> None:
        self.kept = kept
        self.turns: list[tuple[str, str, bool]] = []
        self.failures = 0

    def add(self, reply: str, observation: str, *, readable: bool) -> None:
        """Note a turn.

        Args:
            reply: What the model wrote.
            observation: What it was told.
            readable: Whether the reply could be acted on.
        """
        if readable:
            self.turns = [turn for turn in self.turns if turn[2]]
            self.failures = 0
        else:
            self.failures += 1
        self.turns.append((reply, observation, readable))

    @property
    def stopped(self) -> bool:
        """Whether so many replies in a row were unreadable that the agent stops."""
        return self.failures >= ATTEMPTS

    def shown(self) -> list[tuple[str, str]]:
        """The last turns, in order."""
        return [(reply, observation) for reply, observation, _ in self.turns[-self.kept :]]
