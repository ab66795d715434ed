"""JSON Schema to formulas: a value is a tagged sum of what JSON knows, a schema a condition on it.

A :class:`Slot` stands for any JSON value: its type, and beside it one unknown for each type, of
which only the one of that type counts. A keyword is therefore an implication, as in enforcement:
``maximum`` says nothing of a text.

*Numbers* are exact. JSON's 1 and 1.0 are one number; a float below 2^53 is the decimal that it is
written as, one above is the integer that it is (:func:`exact`). That is how the engine compares and
divides, so neither rounding nor a type of its own for integers is needed. Every divisor that is
asked about is a whole number of steps of one grid, so divisibility is a question of integers.

*Strings* are sequences of code points (:mod:`collegium.guard.analysis.strings`).

*Arrays* are a length and some items that stand for all. ``items: S`` says that every item is S, so
what is wrong with an array shows in one item for each such S; more items than that, and than the
longest constant, cannot tell schemas apart. The bounded "for all" is thus exact, without
quantifiers. *Objects* are the same: the properties that some schema names, each there or not, and a
number of further ones, of which some stand for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Literal

from collegium.guard.analysis.regex import Unsupported
from collegium.guard.analysis.strings import Strings
from collegium.guard.policy import Schema

NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = range(6)

MAX_SLOTS = 400
"""Most values, one inside another, that one question may be about."""

Lengths = Literal["languages", "numbers"]

_TYPES = {
    "null": NULL,
    "boolean": BOOLEAN,
    "number": NUMBER,
    "integer": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}
ANNOTATIONS = frozenset(("title", "description", "default", "examples", "$comment", "deprecated"))
_SAME = ("anyOf", "allOf", "oneOf")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def exact(number: int | float) -> Fraction:
    """The number that enforcement takes a JSON number for."""
    if isinstance(number, int):
        return Fraction(number)
    return Fraction(repr(number)) if abs(number) < 2**53 else Fraction(int(number))


@dataclass
class Slot:
    """The unknowns that stand for one JSON value.

    Attributes:
        kind: Its type, one of NULL to OBJECT.
        boolean: Its value as a boolean.
        number: Its value as a number.
        step: The greatest number of which all divisors that are asked about are multiples.
        steps: How many whole steps the number holds.
        text: Its value as a string.
        length: How many items it has as an array.
        items: The items that stand for all; the first ones where there are no more.
        present: Whether it has a property, by name, as an object.
        properties: Values of these properties.
        more: How many other properties it has.
        others: The values of those that stand for all others.
    """

    kind: Any
    boolean: Any
    number: Any
    step: Fraction
    steps: Any
    text: Any
    length: Any
    more: Any
    items: list[Slot] = field(default_factory=list)
    present: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Slot] = field(default_factory=dict)
    others: list[Slot] = field(default_factory=list)

    def walk(self) -> Iterator[Slot]:
        """The slot and all those inside it."""
        yield self
        for inner in (*self.items, *self.properties.values(), *self.others):
            yield from inner.walk()


class Encoder:
    """Turns schemas into formulas of one solver context.

    Args:
        context: A ``z3.Context``; one for each question, so that questions may run in parallel.
        lengths: Whether the length of a text is a number beside it, or a bound on it a language.
            They say the same; the solver is good at one where it is lost with the other.
    """

    def __init__(self, context: Any, lengths: Lengths = "languages") -> None:
        import z3

        self.lengths = lengths

        self.z3, self.context = z3, context
        self.sound: list[Any] = []
        """What is true of every value: assert it beside the formulas."""
        self._count = 0
        self.strings = Strings(context)

    def slot(self, schemas: Iterable[Schema]) -> Slot:
        """A value that some schemas will be asked about.

        Args:
            schemas: All of them: what they say decides how much of the value is modelled.

        Raises:
            Unsupported: It would take too many unknowns.
        """
        z3, n, ctx = self.z3, self._count, self.context
        self._count += 1
        if n >= MAX_SLOTS:
            raise Unsupported("the conditions are about too many nested values to be analysed")
        flat = list(_flattened(schemas))
        slot = Slot(
            kind=z3.Int(f"kind{n}", ctx),
            boolean=z3.Bool(f"boolean{n}", ctx),
            number=z3.Real(f"number{n}", ctx),
            step=_step(flat),
            steps=z3.Int(f"steps{n}", ctx),
            text=z3.String(f"text{n}", ctx),
            length=z3.Int(f"length{n}", ctx),
            more=z3.Int(f"more{n}", ctx),
        )
        self.sound += [slot.kind >= NULL, slot.kind <= OBJECT, slot.length >= 0, slot.more >= 0]
        rest = slot.number - self._real(slot.step) * slot.steps
        self.sound += [rest >= 0, rest < self._real(slot.step)]
        constants = [c for s in flat for c in _constants(s)]
        self._add_items(slot, flat, [c for c in constants if isinstance(c, list)])
        self._add_properties(slot, flat, [c for c in constants if isinstance(c, dict)])
        return slot

    def _add_items(
        self, slot: Slot, flat: list[dict[str, Any]], constants: list[list[Any]]
    ) -> None:
        every = _distinct(s["items"] for s in flat if "items" in s)
        longest = max((len(c) for c in constants), default=0)
        for place in range(max(len(every), longest)):
            here: list[Schema] = [{"const": c[place]} for c in constants if place < len(c)]
            slot.items.append(self.slot([*every, *here]))

    def _add_properties(
        self, slot: Slot, flat: list[dict[str, Any]], constants: list[dict[str, Any]]
    ) -> None:
        rest = [(s["additionalProperties"], s) for s in flat if "additionalProperties" in s]
        names = dict.fromkeys(
            name
            for source in (
                *(s.get("properties", {}) for s in flat),
                *(s.get("required", ()) for s in flat),
                *constants,
            )
            for name in source
        )
        for name in names:
            here: list[Schema] = [
                s["properties"][name] for s in flat if name in s.get("properties", {})
            ]
            here += [r for r, s in rest if name not in s.get("properties", {})]
            here += [{"const": c[name]} for c in constants if name in c]
            slot.present[name] = self.z3.Bool(f"present{self._count}", self.context)
            slot.properties[name] = self.slot(here)
        other = _distinct(r for r, _ in rest)
        slot.others = [self.slot(other) for _ in other]

    def holds(self, schema: Schema, slot: Slot) -> Any:
        """The formula that says that a value meets a schema.

        Raises:
            Unsupported: The schema has something that the analysis cannot express.
        """
        if isinstance(schema, bool):
            return self.z3.BoolVal(schema, self.context)
        return self._all(
            self._keyword(keyword, schema, slot)
            for keyword in schema
            if keyword not in ANNOTATIONS and keyword not in ("then", "else")
        )

    def _keyword(self, keyword: str, schema: dict[str, Any], slot: Slot) -> Any:
        z3, value = self.z3, schema[keyword]
        if keyword == "type":
            kinds = value if isinstance(value, list) else [value]
            return self._any(self._type(kind, slot) for kind in kinds)
        if keyword == "const":
            return self.equals(value, slot)
        if keyword == "enum":
            return self._any(self.equals(v, slot) for v in value)
        if keyword in _BOUNDS or keyword == "multipleOf":
            return self._if(slot.kind == NUMBER, self._number(keyword, value, slot))
        if keyword == "pattern":
            return self._if(slot.kind == STRING, z3.InRe(slot.text, self.strings.found_in(value)))
        if keyword in ("minLength", "maxLength"):
            return self._if(slot.kind == STRING, self._length(keyword, int(value), slot))
        if keyword in ("minItems", "maxItems"):
            return self._if(slot.kind == ARRAY, _within(keyword, slot.length, int(value)))
        if keyword == "items":
            inside = (self._if(slot.length > i, self.holds(value, s)) for i, s in _numbered(slot))
            return self._if(slot.kind == ARRAY, self._all(inside))
        if keyword == "required":
            return self._if(slot.kind == OBJECT, self._all(slot.present[name] for name in value))
        if keyword == "properties":
            inside = (
                self._if(slot.present[name], self.holds(part, slot.properties[name]))
                for name, part in value.items()
            )
            return self._if(slot.kind == OBJECT, self._all(inside))
        if keyword == "additionalProperties":
            return self._if(slot.kind == OBJECT, self._additional(schema, slot))
        return self._logic(keyword, schema, slot)

    def _logic(self, keyword: str, schema: dict[str, Any], slot: Slot) -> Any:
        z3, value = self.z3, schema[keyword]
        if keyword == "not":
            return z3.Not(self.holds(value, slot))
        if keyword == "if":
            condition = self.holds(value, slot)
            return self._all(
                (
                    self._if(condition, self.holds(schema.get("then", True), slot)),
                    z3.Or(condition, self.holds(schema.get("else", True), slot)),
                )
            )
        if keyword not in _SAME:
            raise Unsupported(f"the analysis does not know the keyword {keyword!r}")
        parts = [self.holds(part, slot) for part in value]
        if keyword == "allOf":
            return self._all(parts)
        if keyword == "anyOf":
            return self._any(parts)
        return self._any(
            self._all(p if i == chosen else z3.Not(p) for i, p in enumerate(parts))
            for chosen in range(len(parts))
        )

    def _type(self, kind: str, slot: Slot) -> Any:
        right = slot.kind == _TYPES[kind]
        return self.z3.And(right, self._multiple(Fraction(1), slot)) if kind == "integer" else right

    def _number(self, keyword: str, value: int | float, slot: Slot) -> Any:
        if keyword == "multipleOf":
            return self._multiple(exact(value), slot)
        bound = self._real(exact(value))
        if keyword == "minimum":
            return slot.number >= bound
        if keyword == "maximum":
            return slot.number <= bound
        return slot.number > bound if keyword == "exclusiveMinimum" else slot.number < bound

    def _multiple(self, divisor: Fraction, slot: Slot) -> Any:
        on_grid = slot.number == self._real(slot.step) * slot.steps
        return self.z3.And(on_grid, slot.steps % (divisor / slot.step).numerator == 0)

    def _real(self, number: Fraction) -> Any:
        return self.z3.RealVal(str(number), self.context)

    def _length(self, keyword: str, bound: int, slot: Slot) -> Any:
        if self.lengths == "languages":
            return self.strings.of_length(slot.text, keyword == "minLength", bound)
        return _within(keyword, self.z3.Length(slot.text), bound)

    def _additional(self, schema: dict[str, Any], slot: Slot) -> Any:
        named, rest = schema.get("properties", {}), schema["additionalProperties"]
        known = (
            self._if(slot.present[name], self.holds(rest, inner))
            for name, inner in slot.properties.items()
            if name not in named
        )
        others = (
            self._if(slot.more > i, self.holds(rest, inner)) for i, inner in enumerate(slot.others)
        )
        return self._all((*known, *others))

    def equals(self, value: Any, slot: Slot) -> Any:
        """The formula that says that a value is a certain one.

        Raises:
            Unsupported: It holds a character that the solver does not know.
        """
        z3 = self.z3
        if value is None:
            return slot.kind == NULL
        if isinstance(value, bool):
            return self._all(
                (slot.kind == BOOLEAN, slot.boolean if value else z3.Not(slot.boolean))
            )
        if isinstance(value, int | float):
            return self._all((slot.kind == NUMBER, slot.number == self._real(exact(value))))
        if isinstance(value, str):
            return self._all((slot.kind == STRING, slot.text == self.strings.literal(value)))
        if isinstance(value, list):
            parts = (self.equals(v, s) for v, s in zip(value, slot.items, strict=False))
            return self._all((slot.kind == ARRAY, slot.length == len(value), *parts))
        named = (
            self._all((slot.present[name], self.equals(value[name], inner)))
            if name in value
            else z3.Not(slot.present[name])
            for name, inner in slot.properties.items()
        )
        return self._all((slot.kind == OBJECT, slot.more == 0, *named))

    def _all(self, formulas: Iterable[Any]) -> Any:
        found = list(formulas)
        if len(found) == 1:
            return found[0]
        return self.z3.And(found) if found else self.z3.BoolVal(True, self.context)

    def _any(self, formulas: Iterable[Any]) -> Any:
        found = list(formulas)
        if len(found) == 1:
            return found[0]
        return self.z3.Or(found) if found else self.z3.BoolVal(False, self.context)

    def _if(self, condition: Any, formula: Any) -> Any:
        return self.z3.Implies(condition, formula)


def _flattened(schemas: Iterable[Schema]) -> Iterator[dict[str, Any]]:
    """All schemas that speak of the same value as these."""
    for schema in schemas:
        if isinstance(schema, bool):
            continue
        yield schema
        for keyword in _SAME:
            yield from _flattened(schema.get(keyword, ()))
        yield from _flattened(schema[k] for k in ("not", "if", "then", "else") if k in schema)


def _step(flat: list[dict[str, Any]]) -> Fraction:
    """The greatest common divisor of 1 and all divisors that schemas of one value ask about."""
    step = Fraction(1)
    for divisor in (exact(s["multipleOf"]) for s in flat if "multipleOf" in s):
        common = lcm(step.denominator, divisor.denominator)
        step = Fraction(gcd(int(step * common), int(divisor * common)), common)
    return step


def _constants(schema: dict[str, Any]) -> list[Any]:
    return [*schema.get("enum", ()), *((schema["const"],) if "const" in schema else ())]


def _distinct(schemas: Iterable[Schema]) -> list[Schema]:
    """Schemas without repetitions."""
    return list({json.dumps(s, sort_keys=True): s for s in schemas}.values())


def _numbered(slot: Slot) -> Iterable[tuple[int, Slot]]:
    return enumerate(slot.items)


def _within(keyword: str, size: Any, bound: int) -> Any:
    return size >= bound if keyword.startswith("min") else size <= bound
