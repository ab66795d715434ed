"""Patterns that look like an identifier and accept more: the trap of a search.

A pattern is searched for. ``UK12345678901234567890`` therefore accepts a text with anything before
and after it. Whether a pattern is such a trap is found out by trying: a text that it matches as a
whole, with something more at its ends, is put to the enforcement code.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from collegium.guard.analysis.solve import SECONDS, Satisfiable, satisfiable
from collegium.guard.conditions import compile_schema
from collegium.guard.policy import Schema

BEFORE, AFTER = "xx", "zz"
"""What is put around a text that a pattern matches."""

WHOLE = 8
"""From so many characters on, a text that is pinned at one end alone is taken for a whole."""

Open = Literal["both ends", "its beginning", "its end"]


class Unanchored(msgspec.Struct, frozen=True):
    """A pattern that accepts more than what it spells out.

    Attributes:
        pattern: The pattern.
        open: Where something more may stand.
        witness: A text with more there; enforcement accepts it.
        anchored: The pattern that accepts the texts as a whole.
    """

    pattern: str
    open: Open
    witness: str
    anchored: str


def unanchored(pattern: str, *, seconds: float = SECONDS) -> Unanchored | None:
    """Find out whether a pattern for whole texts is not pinned to their ends.

    Args:
        pattern: Of the policy language.
        seconds: How long the solver may take.

    Returns:
        What is open; None for a pattern that is pinned, that says itself that anything may follow
        or go before (``.*``), or that is short and pinned at one end (``^SE``).

    Raises:
        PolicyError: The pattern is not of the language.
    """
    anchored = f"^(?:{pattern})$"
    accepts, exactly = compile_schema({"pattern": pattern}), compile_schema({"pattern": anchored})
    found = satisfiable({"type": "string", "pattern": anchored, "minLength": 1}, seconds=seconds)
    if not isinstance(found, Satisfiable):
        return None
    text: str = found.witness
    longer = f"{text}{AFTER}"
    later = f"{BEFORE}{text}"
    at_end = accepts(longer) and not exactly(longer)
    at_start = accepts(later) and not exactly(later)
    if at_end and at_start and accepts(f"{BEFORE}{longer}"):
        return Unanchored(pattern, "both ends", f"{BEFORE}{longer}", anchored)
    if len(text) >= WHOLE and at_end and text[-1].isalnum():
        return Unanchored(pattern, "its end", longer, anchored)
    if len(text) >= WHOLE and at_start and text[0].isalnum():
        return Unanchored(pattern, "its beginning", later, anchored)
    return None


def demanded_patterns(schema: Schema) -> list[str]:
    """The patterns that texts have to match, those of array items and properties included."""
    if isinstance(schema, bool):
        return []
    found: list[str] = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    inner: list[Any] = [part for k in ("anyOf", "allOf", "oneOf") for part in schema.get(k, ())]
    inner += [schema[k] for k in ("then", "else", "items", "additionalProperties") if k in schema]
    inner += schema.get("properties", {}).values()
    return [*found, *(pattern for part in inner for pattern in demanded_patterns(part))]
