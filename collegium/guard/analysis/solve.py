"""Is there a value that meets a schema? A value, a proof that there is none, or "unknown".

Every value that comes back was put to the code that enforces, and passed. What the analysis cannot
express, what the solver cannot decide in time, and a value that enforcement sees otherwise are all
:class:`Unknown`, with the reason. Whoever asks whether something is safe has to take it for a no.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import Any

import msgspec

from collegium.errors import PolicyError, missing_extra
from collegium.guard.analysis.encode import (
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    STRING,
    Encoder,
    Lengths,
    Slot,
    exact,
)
from collegium.guard.analysis.regex import Unsupported
from collegium.guard.analysis.strings import decoded
from collegium.guard.conditions import engine
from collegium.guard.policy import Schema

SECONDS = 5.0
"""How long the solver may take over one question."""

NICER_SECONDS = 0.5
"""How long it may look for a value that is easier to read."""

LONG = 4000
"""Beyond this bound, lengths of texts are numbers only."""

MAX_ITEMS = 10_000
"""Longest array that is written out."""


class Satisfiable(msgspec.Struct, frozen=True, tag=True):
    """There is such a value.

    Attributes:
        witness: One of them; it passed the enforcement code.
    """

    witness: Any


class Unsatisfiable(msgspec.Struct, frozen=True, tag=True):
    """There is no such value: proved."""


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """It could not be decided.

    Attributes:
        reason: Why not.
    """

    reason: str


Verdict = Satisfiable | Unsatisfiable | Unknown


def satisfiable(schema: Schema, *, seconds: float = SECONDS) -> Verdict:
    """Whether some JSON value meets a schema.

    Args:
        schema: Of the policy language; titles, descriptions and defaults are passed over.
        seconds: How long the solver may take.

    Raises:
        MissingExtra: ``z3-solver`` or ``jsonschema_rs`` is not installed.
    """
    try:
        import z3
    except ImportError:
        raise missing_extra("guard", "analysing a policy") from None
    ways = _ways(_longest(schema))
    verdict: Verdict = Unknown("nothing was tried")
    try:
        accepts = engine(schema)
        for way in ways:
            encoder = Encoder(z3.Context(), way)
            slot = encoder.slot([schema])
            formula = encoder.holds(schema, slot)
            verdict = _solved(encoder, slot, formula, accepts, seconds / len(ways))
            if not isinstance(verdict, Unknown):
                break
    except (Unsupported, PolicyError) as error:
        return Unknown(str(error).rstrip("."))
    except RecursionError:
        return Unknown("the conditions are nested too deeply to be analysed")
    except z3.Z3Exception as error:
        return Unknown(f"the solver failed: {error}")
    return verdict


def _ways(bound: int) -> tuple[Lengths, ...]:
    """How lengths are put, one after the other until one way leads to an answer."""
    if bound == 0:
        return ("languages",)
    return ("languages", "numbers") if bound <= LONG else ("numbers",)


def _longest(schema: Any) -> int:
    """The largest bound on the length of a text in a schema."""
    if isinstance(schema, list):
        return max(map(_longest, schema), default=0)
    if not isinstance(schema, dict):
        return 0
    own = [schema[k] for k in ("minLength", "maxLength") if isinstance(schema.get(k), int)]
    return max([*own, *map(_longest, schema.values())], default=0)


def _solved(encoder: Encoder, slot: Slot, formula: Any, accepts: Any, seconds: float) -> Verdict:
    z3 = encoder.z3
    solver = z3.Solver(ctx=encoder.context)
    solver.set("timeout", int(seconds * 1000))
    solver.add(*encoder.sound, formula)
    answer = solver.check()
    if answer == z3.unsat:
        return Unsatisfiable()
    if answer != z3.sat:
        return Unknown(f"the solver gave up: {solver.reason_unknown()}")
    found: list[Any] = []
    _try_value(encoder, solver, slot, found)
    better = not found or not _is_readable(found[0])
    solver.set("timeout", int(NICER_SECONDS * 1000))
    for scale in (100, 10**9) if better else ():
        solver.push()
        for inner in slot.walk():
            solver.add(z3.IsInt(inner.number * scale))
            if scale == 100:
                solver.add(encoder.strings.readable(inner.text))
        if solver.check() == z3.sat:
            _try_value(encoder, solver, slot, found)
        solver.pop()
    for value in reversed(found):
        if accepts(value):
            return Satisfiable(value)
    if found:
        return Unknown(f"enforcement does not take the value that was found: {found[-1]!r}")
    return Unknown("there are such values, but none that was found can be written as JSON")


def _try_value(encoder: Encoder, solver: Any, slot: Slot, found: list[Any]) -> None:
    with contextlib.suppress(Unsupported):
        found.append(value_of(solver.model(), slot, encoder.z3))


def _is_readable(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and (value.isprintable() or not value)
    if isinstance(value, list):
        return all(map(_is_readable, value))
    if isinstance(value, dict):
        return all(map(_is_readable, value.values()))
    return True


def value_of(model: Any, slot: Slot, z3: Any) -> Any:
    """The JSON value that a model gives a slot.

    Raises:
        Unsupported: JSON has no such value (a third, say).
    """

    def at(term: Any) -> Any:
        return model.eval(term, model_completion=True)

    kind = at(slot.kind).as_long()
    if kind == NULL:
        return None
    if kind == BOOLEAN:
        return z3.is_true(at(slot.boolean))
    if kind == NUMBER:
        return _json_number(at(slot.number).as_fraction())
    if kind == STRING:
        return decoded(at(slot.text).as_string())
    if kind == ARRAY:
        length = at(slot.length).as_long()
        if length > MAX_ITEMS:
            raise Unsupported(f"an array of {length} items")
        items = [value_of(model, s, z3) for s in slot.items[:length]]
        return items + [items[0] if items else None] * (length - len(items))
    value = {
        name: value_of(model, inner, z3)
        for name, inner in slot.properties.items()
        if z3.is_true(at(slot.present[name]))
    }
    more = at(slot.more).as_long()
    if more > MAX_ITEMS:
        raise Unsupported(f"an object of {more} more properties")
    others = [value_of(model, s, z3) for s in slot.others[:more]]
    number = 0
    while more:
        number += 1
        if (name := f"other{number}") not in slot.properties:
            value[name] = others.pop(0) if len(others) > 1 else (others[0] if others else None)
            more -= 1
    return value


def _json_number(number: Fraction) -> int | float:
    if number.denominator == 1:
        return number.numerator
    value = float(number)
    if exact(value) != number:
        raise Unsupported(f"the number {number}")
    return value
