"""Writes grammars (GBNF): text without cues, regular expressions, JSON by schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from collegium.errors import BadInput
from collegium.kernel.outputs import inline
from collegium.models.gbnf import literal

MOST_ITEMS = 32
"""Items of an array whose schema names no bound."""

_CATEGORIES = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_WORD": "a-zA-Z0-9_",
    "CATEGORY_SPACE": " \\t",
}


class Rules:
    """The rules of a grammar under construction; equal bodies share a rule.

    Args:
        cues: Texts that no rule for free text may produce.
    """

    def __init__(self, cues: Sequence[str]) -> None:
        self.cues = tuple(cues)
        self._names: dict[str, str] = {}
        self._bodies: dict[str, str] = {}

    def add(self, hint: str, body: str) -> str:
        """The name of the rule with this body."""
        if body not in self._names:
            self.put(f"{hint}-{len(self._bodies)}", body)
        return self._names[body]

    def put(self, name: str, body: str) -> None:
        """Add a rule under a name of its own."""
        self._bodies[name] = body
        self._names.setdefault(body, name)

    def has(self, name: str) -> bool:
        """Whether a rule of this name was added."""
        return name in self._bodies

    @property
    def text(self) -> str:
        """All rules."""
        return "\n".join(f"{name} ::= {body}" for name, body in self._bodies.items())


def free_text(rules: Rules, most: int, *, lines: bool) -> str:
    """Text that contains no cue: 1 to ``most`` units, mostly of one character each; 0: no bound."""
    unit, tail = _units(rules, "text" if lines else "line", banned="" if lines else "\n")
    return rules.add("text", f"{unit}{f'{{1,{most}}}' if most else '+'} {tail}")


def _units(rules: Rules, kind: str, *, banned: str, also: str = "") -> tuple[str, str]:
    r"""Rules for text without cues: one for a unit, one for what may be left at the end.

    Behind it stands the automaton of Aho and Corasick, whose states are the beginnings of cues. A
    unit is a way from its root back to its root that completes no cue. Text may also end on the
    way: what follows it (a new line, a quotation mark) is part of no cue.

    Args:
        rules: Where to add them.
        kind: Their name, by what is banned.
        banned: Characters that may not occur.
        also: A further alternative for a unit.
    """
    unit, tail = f"{kind}-unit", f"{kind}-tail"
    if rules.has(unit):
        return unit, tail
    prefixes = sorted({cue[:i] for cue in rules.cues for i in range(1, len(cue))})
    number = {prefix: i for i, prefix in enumerate(prefixes)}
    alphabet = sorted({c for cue in rules.cues for c in cue if c not in banned})

    def goal(prefix: str, c: str) -> str | None:
        """The state after one more character; None when a cue is complete."""
        text = prefix + c
        if any(text.endswith(cue) for cue in rules.cues):
            return None
        while text and text not in number:
            text = text[1:]
        return text

    def ways(prefix: str) -> tuple[list[str], list[str]]:
        goals = {c: goal(prefix, c) for c in alphabet}
        onward = {c: number[to] for c, to in goals.items() if to}
        apart = "".join(
            _in_class(c) for c in (*(c for c, to in goals.items() if to != ""), *banned)
        )
        units = [f"[^{apart}]" if apart else "."]
        units += [f"{literal(c)} {kind}-unit-{i}" for c, i in onward.items()]
        return units, [f"{literal(c)} {kind}-tail-{i}" for c, i in onward.items()]

    units, tails = ways("")
    rules.put(unit, " | ".join([*units, *([also] if also else [])]))
    rules.put(tail, f"({' | '.join(tails)})?" if tails else '""')
    for prefix in prefixes:
        units, tails = ways(prefix)
        rules.put(f"{kind}-unit-{number[prefix]}", " | ".join(units))
        rules.put(f"{kind}-tail-{number[prefix]}", f"({' | '.join(tails)})?" if tails else '""')
    return unit, tail


def _in_class(c: str) -> str:
    if c in "\\]^-[":
        return f"\\{c}"
    return literal(c)[1:-1] if c >= " " or c in "\n\r\t" else f"\\x{ord(c):02x}"


# -- regular expressions -----------------------------------------------------------------------


def regular(pattern: str) -> str:
    r"""The body of a rule for a regular expression: literals, classes, groups, ``|``, repetitions.

    Raises:
        BadInput: It is no expression, or uses what a grammar cannot say (look-around, references).
    """
    try:
        parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]
    except re.error as error:
        raise BadInput(f"the pattern {pattern!r} is no regular expression: {error}.") from None
    return _nodes(parsed, pattern) or '""'


def _nodes(nodes: Any, pattern: str) -> str:
    return " ".join(filter(None, (_node(op, of, pattern) for op, of in nodes)))


def _node(op: Any, of: Any, pattern: str) -> str:
    match str(op):
        case "LITERAL":
            return literal(chr(of))
        case "NOT_LITERAL":
            return f"[^{_in_class(chr(of))}\\n]"
        case "ANY":
            return "[^\\n]"
        case "IN":
            return _class(of, pattern)
        case "BRANCH":
            return f"({' | '.join(_nodes(b, pattern) or _EMPTY for b in of[1])})"
        case "SUBPATTERN":
            return f"({_nodes(of[3], pattern) or _EMPTY})"
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, inner = of
            end = "" if str(most) == "MAXREPEAT" else str(most)
            return f"({_nodes(inner, pattern) or _EMPTY}){{{least},{end}}}"
        case "AT":  # the whole text is matched anyway
            return ""
    raise BadInput(f"the pattern {pattern!r} uses {str(op).lower()}, which no grammar can say.")


_EMPTY = '""'


def _class(parts: Any, pattern: str) -> str:
    inside, negated = "", False
    for op, of in parts:
        match str(op):
            case "NEGATE":
                negated = True
            case "LITERAL":
                inside += _in_class(chr(of))
            case "RANGE":
                inside += f"{_in_class(chr(of[0]))}-{_in_class(chr(of[1]))}"
            case "CATEGORY" if str(of) in _CATEGORIES:
                inside += _CATEGORIES[str(of)]
            case other:
                raise BadInput(f"the pattern {pattern!r} uses {other.lower()} inside brackets.")
    return f"[^{inside}\\n]" if negated else f"[{inside}]"


# -- JSON --------------------------------------------------------------------------------------


def json_value(schema: Mapping[str, Any], rules: Rules, most: int) -> str:
    """The body of a rule for JSON that satisfies a schema, written as Python's ``json`` does.

    Properties come in the order of the schema, and only those it names. What no grammar can say
    (formats, number bounds, patterns with look-around, a type inside itself) is left to whoever
    takes the value.

    Args:
        schema: The JSON schema; references are put in place.
        rules: Where further rules go.
        most: Characters of a string whose schema names no bound.
    """
    try:
        whole = inline(dict(schema))
    except (BadInput, KeyError):  # it contains itself, or refers to what is not there
        return _anything(rules, most)
    return _json(whole, rules, most)


def _json(schema: Any, rules: Rules, most: int) -> str:
    if not isinstance(schema, dict):
        return _anything(rules, most)
    if "const" in schema:
        return literal(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return _one_of([literal(json.dumps(v, ensure_ascii=False)) for v in schema["enum"]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _one_of([_json(s, rules, most) for s in schema[several]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _one_of([_json({**schema, "type": k}, rules, most) for k in kind])
    match kind:
        case "string":
            return _string(schema, rules, most)
        case "integer":
            return '"-"? ("0" | [1-9] [0-9]{0,14})'
        case "number":
            return '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,14})?'
        case "boolean":
            return '("true" | "false")'
        case "null":
            return '"null"'
        case "array":
            return _array(schema, rules, most)
        case "object":
            return _object(schema, rules, most)
    return _object(schema, rules, most) if "properties" in schema else _anything(rules, most)


def _one_of(options: list[str]) -> str:
    return f"({' | '.join(options)})"


def _string(schema: Mapping[str, Any], rules: Rules, most: int) -> str:
    pattern = str(schema.get("pattern", ""))
    if pattern.startswith("^") and pattern.endswith("$"):  # others may match anywhere inside
        with suppress(BadInput):
            return f'"\\"" ({regular(pattern)}) "\\""'
    least = int(schema.get("minLength", 0))
    bound = max(least, min(int(schema.get("maxLength", most)), most))
    banned = '"\\' + "".join(map(chr, range(32)))
    escape = '"\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})'
    unit, tail = _units(rules, "string", banned=banned, also=escape)
    return f'"\\"" {unit}{{{least},{bound}}} {tail} "\\""'


def _array(schema: Mapping[str, Any], rules: Rules, most: int) -> str:
    item = rules.add("item", _json(schema.get("items"), rules, most))
    least = int(schema.get("minItems", 0))
    bound = max(least, min(int(schema.get("maxItems", MOST_ITEMS)), MOST_ITEMS))
    if bound == 0:
        return '"[]"'
    some = f'"[" {item} (", " {item}){{{max(least - 1, 0)},{bound - 1}}} "]"'
    return some if least else f'("[]" | {some})'


def _object(schema: Mapping[str, Any], rules: Rules, most: int) -> str:
    """Required properties, and optional ones that may be left out, in order.

    Rule i stands for the properties from the i-th on, with or without a comma before the first.
    """
    properties = schema.get("properties") or {}
    if not properties:
        extra = schema.get("additionalProperties", "properties" not in schema)
        return _any_object(extra, rules, most) if extra else '"{}"'
    required = set(schema.get("required") or ())
    first = later = _EMPTY
    for name, of in reversed(properties.items()):
        value = rules.add("value", _json(of, rules, most))
        pair = f'{literal(json.dumps(name, ensure_ascii=False))} ": " {value} {later}'
        others = (first, later) if name not in required else (None, None)
        first = rules.add("first", _or(pair, others[0]))
        later = rules.add("later", _or(f'", " {pair}', others[1]))
    return f'"{{" {first} "}}"'


def _or(one: str, other: str | None) -> str:
    return one if other is None else f"{one} | {other}"


def _any_object(values: Any, rules: Rules, most: int) -> str:
    value = rules.add("value", _json(values, rules, most))
    key = _string({}, rules, 64)
    pair = rules.add("pair", f'{key} ": " {value}')
    return f'("{{}}" | "{{" {pair} (", " {pair}){{0,{MOST_ITEMS - 1}}} "}}")'


def _anything(rules: Rules, most: int) -> str:
    """Any JSON value."""
    if not rules.has("anything"):
        rules.put("anything", '"null"')  # breaks the circle while the parts are written
        kinds = ("string", "number", "boolean", "null")
        plain = [_json({"type": k}, rules, most) for k in kinds]
        pair = f'{_string({}, rules, 64)} ": " anything'
        nested = (
            f'"[" (anything (", " anything){{0,{MOST_ITEMS - 1}}})? "]"',
            f'"{{" ({pair} (", " {pair}){{0,{MOST_ITEMS - 1}}})? "}}"',
        )
        rules.put("anything", " | ".join((*plain, *nested)))
    return "anything"
