"""What may stand inside a segment: constraints, and their grammars.

A constraint has one meaning, its grammar: mask mode hands that to the engine, and monitor mode and
the check of examples ask whether a text is allowed by it. Only a predicate, which is Python, has no
grammar; it is asked once the segment is complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.guard.ltl.rules import Rules, free_text, json_value, regular
from collegium.models.gbnf import Grammar, grammar, literal

CHARACTERS_PER_TOKEN = 4
"""How many characters a token counts for where a state's ``max_tokens`` bounds its text: grammars
count characters."""

MOST_CHARACTERS = 1900
"""The longest text that a grammar bounds, for llama.cpp refuses longer repetitions. Longer ones end
with the generation."""


class Text(msgspec.Struct, frozen=True):
    """Free text: one line, or several. It may not contain a cue."""

    lines: bool = False


class Regex(msgspec.Struct, frozen=True):
    """The whole text matches a regular expression, as Python writes them.

    Attributes:
        pattern: The expression.
        says: The same in words, to be told to the model; "" tells it the pattern.
    """

    pattern: str
    says: str = ""


class Choices(msgspec.Struct, frozen=True):
    """One of these texts."""

    options: tuple[str, ...]


class Schema(msgspec.Struct, frozen=True):
    """JSON that satisfies a schema, on one line."""

    schema: dict[str, Any]


class ToolInput(msgspec.Struct, frozen=True):
    """The arguments of the tool that another state names, as JSON.

    Attributes:
        of: The state that names the tool.
        schemas: JSON schema of the arguments, by tool.
    """

    of: str
    schemas: dict[str, dict[str, Any]]


class Predicate(msgspec.Struct, frozen=True):
    """Free text for which a function says yes.

    Attributes:
        holds: The function.
        says: What it wants, to be told to the model and in errors.
        lines: Whether the text may have several lines.
    """

    holds: Callable[[str], bool]
    says: str
    lines: bool = False


Content = Text | Regex | Choices | Schema | ToolInput | Predicate


def characters(tokens: int) -> int:
    """How many characters a text of so many tokens may have; 0 when no grammar can count them."""
    most = CHARACTERS_PER_TOKEN * tokens
    return most if most <= MOST_CHARACTERS else 0


def add_rule(content: Content, named: str, rules: Rules, tokens: int) -> str:
    """Add the rule of a constraint to a grammar; returns its name.

    Args:
        content: The constraint.
        named: For a :class:`ToolInput`, the tool that was named; else "".
        rules: The grammar under construction; it knows the cues.
        tokens: The state's ``max_tokens``.

    Raises:
        BadInput: A pattern or schema says what no grammar can.
    """
    most = characters(tokens)
    match content:
        case Text(lines) | Predicate(lines=lines):
            return free_text(rules, most, lines=lines)
        case Regex(pattern):
            return rules.add("regex", regular(pattern))
        case Choices(options):
            return rules.add("choice", " | ".join(map(literal, options)))
        case Schema(schema):
            return rules.add("json", json_value(schema, rules, most or MOST_CHARACTERS))
        case ToolInput(_, schemas):
            return rules.add("input", json_value(schemas[named], rules, most or MOST_CHARACTERS))


def grammar_of(content: Content, named: str, cues: tuple[str, ...], tokens: int) -> Grammar:
    """The grammar of one segment's text."""
    rules = Rules(cues)
    rule = add_rule(content, named, rules, tokens)
    return grammar(f"root ::= {rule}\n{rules.text}")


def normal(content: Content, named: str, text: str) -> str:
    """A text in its normal form: without outer blanks; JSON with its properties in order."""
    text = text.strip()
    if isinstance(content, Schema | ToolInput):
        schema = content.schema if isinstance(content, Schema) else content.schemas.get(named, {})
        try:
            value = json.loads(text)
        except ValueError:
            return text
        return json.dumps(_ordered(value, schema), ensure_ascii=False)
    return text


def _ordered(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value with the properties of its objects in the order of the schema."""
    if isinstance(value, list):
        items = schema.get("items")
        return [_ordered(v, items if isinstance(items, dict) else {}) for v in value]
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties") or {}
    known = [k for k in properties if k in value]
    rest = [k for k in value if k not in properties]
    return {k: _ordered(value[k], properties.get(k) or {}) for k in (*known, *rest)}


def described(content: Content) -> str:
    """What a model is told of a constraint."""
    match content:
        case Text(lines):
            return "free text" if lines else "one line of text"
        case Regex(pattern, says):
            return says or f"text of the form {pattern}"
        case Choices(options):
            return f"one of: {', '.join(options)}"
        case Schema(schema):
            return f"JSON on one line, of the schema {json.dumps(schema)}"
        case ToolInput(of, _):
            return f"the arguments of the tool ({of}), as a JSON object on one line"
        case Predicate(says=says):
            return says


def check_cues(content: Content, cues: tuple[str, ...], where: str) -> None:
    """Make sure that a choice holds no cue: a reader would take it for the next segment.

    Raises:
        BadInput: One does, or there is nothing to choose from.
    """
    if not isinstance(content, Choices):
        return
    if not content.options:
        raise BadInput(f"{where}: there is nothing to choose from.")
    for option in content.options:
        if any(cue in option for cue in cues) or not option.strip() or "\n" in option:
            raise BadInput(
                f"{where}: the choice {option!r} is empty, has several lines, or holds a cue."
            )
