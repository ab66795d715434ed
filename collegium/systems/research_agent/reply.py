"""Replies in fields: what a research agent writes (MLAgentBench, arXiv 2310.03302), and its turns.

Reflection, Research Plan and Status, Fact Check, Thought, Action, Action Input: all of them, in
this order, the last as JSON. Models break the JSON in two ways that can be mended: line breaks
inside a string, and quotes inside one. The first is sanitised; the second is read by the names of
the arguments, each up to the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

ACTION, INPUT = "Action", "Action Input"
FIELDS = ("Reflection", "Research Plan and Status", "Fact Check", "Thought", ACTION, INPUT)
ATTEMPTS = 5
"""Replies in a row that may be unreadable before the agent stops."""


class Fields(msgspec.Struct, frozen=True):
    """A reply that has all its fields.

    Attributes:
        said: The text of each field.
        action: The action that it names.
        arguments: The action's input.
    """

    said: dict[str, str]
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


def read_reply(
    text: str, actions: Mapping[str, Sequence[str]] = {}, fields: Sequence[str] = FIELDS
) -> Fields | Unreadable:
    """Read a reply.

    Args:
        text: What the model wrote.
        actions: The names of the arguments, in order, of every action; for an action that is not
            among them the input must be JSON.
        fields: The fields there must be, the last two being the action and its input.
    """
    said = split_fields(text, fields)
    missing = [field for field in fields if not said.get(field)]
    if missing:
        listed = "\n".join(f"{field}: ..." for field in fields)
        return Unreadable(f"Your reply lacks {', '.join(missing)}. Write all of these:\n{listed}")
    action = said[ACTION].strip("`'\"[] ")
    names = actions.get(action, ())
    arguments = read_input(said[INPUT], names)
    if arguments is None:
        example = ", ".join(f'"{name}": "..."' for name in names) or '"name": "value"'
        return Unreadable(f"The Action Input is no JSON object: write {{{example}}}.", fields=True)
    return Fields(said, action, arguments)


def split_fields(text: str, fields: Sequence[str] = FIELDS) -> dict[str, str]:
    """The fields that stand in their order; each goes up to the next one."""
    places: list[tuple[str, int, int]] = []
    begin = 0
    for field in fields:
        match = re.compile(rf"^[ *#]*{field}[ *]*:(?:\*\*)?", re.MULTILINE).search(text, begin)
        if match is not None:
            places.append((field, match.start(), match.end()))
            begin = match.end()
    starts = [start for _, start, _ in places] + [len(text)]
    return {
        field: text[after : starts[number]].strip()
        for number, (field, _, after) in enumerate(places, 1)
    }


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
