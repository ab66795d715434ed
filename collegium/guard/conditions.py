"""Conditions on arguments: the subset of JSON Schema that policies are written in.

:func:`compile_schema` is the one definition of what a condition means: it is decided by
``jsonschema_rs`` after JSON Schema 2020-12, whoever asks (the guard, ``explain``, the witnesses of
the analysis). What follows from that:

* A keyword says nothing of values of another type: ``{"maximum": 100}`` holds for the text
  ``"150"``. Say ``{"type": "number", "maximum": 100}``.
* ``true`` is not the number 1, and ``1.0`` is the integer 1.
* ``multipleOf`` counts in decimals: 0.07 is a multiple of 0.01.
* Lengths are in code points.
* ``pattern`` is searched for (:mod:`collegium.guard.patterns`).

What is not in the subset is refused when the policy is read: references, formats, annotations,
keywords nobody knows. A value that JSON cannot say (NaN, bytes, a lone surrogate) meets no
condition: checking it raises :class:`ValueError`, and whoever checks has to refuse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from collegium.errors import PolicyError, missing_extra
from collegium.guard.patterns import check_pattern
from collegium.guard.policy import Schema

TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")

MAX_DEPTH = 32
"""Deepest nesting of a condition."""

MAX_VALUE_DEPTH = 64
"""Deepest nesting of an argument that is checked."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LISTS = ("anyOf", "allOf", "oneOf")
_SINGLE = ("not", "if", "then", "else", "items", "additionalProperties")

KEYWORDS = frozenset(
    ("type", "enum", "const", "pattern", "multipleOf", "properties", "required",
     *_COUNTS, *_BOUNDS, *_LISTS, *_SINGLE)
)  # fmt: skip
"""Every keyword of the language."""


def check_schema(schema: object, depth: int = 0) -> None:
    """Make sure that a condition is of the language.

    Raises:
        PolicyError: It is not; the message says what and why.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        hint = f"; write {{pattern: ...}} or {{const: {schema}}}" if isinstance(schema, str) else ""
        raise PolicyError(f"a condition is a JSON Schema, true or false, not {schema!r}{hint}.")
    if depth > MAX_DEPTH:
        raise PolicyError(f"a condition is nested more than {MAX_DEPTH} deep.")
    for keyword, value in schema.items():
        if keyword not in KEYWORDS:
            raise PolicyError(_unknown(keyword))
        wrong = _wrong(keyword, value, depth)
        if wrong:
            raise PolicyError(f"{keyword} {wrong}, not {_short(value)}.")
    if ("then" in schema or "else" in schema) and "if" not in schema:
        raise PolicyError("then and else mean nothing without if.")


def _wrong(keyword: str, value: Any, depth: int) -> str:
    """What a keyword's value should be, when it is something else; "" when it is right."""
    if keyword == "type":
        kinds = value if isinstance(value, list) else [value]
        good = bool(kinds) and all(isinstance(k, str) and k in TYPES for k in kinds)
        return "" if good else f"must be one or several of {', '.join(TYPES)}"
    if keyword == "enum":
        good = isinstance(value, list) and value and all(is_plain(v) for v in value)
        return "" if good else "must list values that JSON can say, such as text in quotes"
    if keyword == "const":
        return "" if is_plain(value) else "must be a value that JSON can say"
    if keyword == "pattern":
        if not isinstance(value, str):
            return "must be a text"
        check_pattern(value)
    elif keyword in _COUNTS:
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        return "" if good else "must be a whole number from 0"
    elif keyword in _BOUNDS:
        return "" if _is_number(value) else "must be a number"
    elif keyword == "multipleOf":
        return "" if _is_number(value) and value > 0 else "must be a number above 0"
    elif keyword == "required":
        good = isinstance(value, list) and all(isinstance(v, str) for v in value)
        return "" if good else "must list names"
    elif keyword in _LISTS:
        if not isinstance(value, list) or not value:
            return "must list conditions"
        for part in value:
            check_schema(part, depth + 1)
    elif keyword == "properties":
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            return "must give conditions by name"
        for part in value.values():
            check_schema(part, depth + 1)
    else:
        check_schema(value, depth + 1)
    return ""


def _unknown(keyword: object) -> str:
    from difflib import get_close_matches

    near = get_close_matches(str(keyword), KEYWORDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see the guide for those that exist."
    return f"the condition has a keyword {keyword!r} that the language does not know; {hint}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether JSON can say a value: no NaN, no half characters, nothing nested beyond reason."""
    kind = type(value)
    if isinstance(value, str):
        return value.isascii() or not _SURROGATE.search(value)
    if kind is int or kind is bool or value is None:
        return True
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    if depth >= MAX_VALUE_DEPTH:
        return False
    if isinstance(value, list | tuple):
        return all(is_plain(v, depth + 1) for v in value)
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str) or not (name.isascii() or is_plain(name)):
                return False
            # most values are plain at a glance, and this is asked of every call
            kind = type(inner)
            if (kind is str and inner.isascii()) or kind is bool or kind is int or inner is None:
                continue
            if not is_plain(inner, depth + 1):
                return False
        return True
    return False


def compile_schema(schema: Schema) -> Callable[[Any], bool]:
    """Make the check of a condition.

    Args:
        schema: The condition.

    Returns:
        Says whether a value meets it. For a value that JSON cannot say it raises
        :class:`ValueError`.

    Raises:
        PolicyError: The condition is not of the language.
        MissingExtra: ``jsonschema_rs`` is not installed.
    """
    check_schema(schema)
    valid = engine(schema)

    def holds(value: Any) -> bool:
        if not is_plain(value):
            raise ValueError("the value is not one that JSON can say")
        return valid(value)

    return holds


def engine(schema: Schema) -> Callable[[Any], bool]:
    """The compiled form of a schema that was checked; it trusts its values to be plain data.

    Raises:
        PolicyError: The engine does not take it (a range that ends before it begins, say).
        MissingExtra: ``jsonschema_rs`` is not installed.
    """
    try:
        import jsonschema_rs
    except ImportError:
        raise missing_extra("guard", "checking calls against a policy") from None
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, pattern_options=jsonschema_rs.RegexOptions()
        ).is_valid
    except (ValueError, OverflowError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise PolicyError(f"the condition cannot be used: {reason}.") from None


def rule_schema(when: Mapping[str, Schema], *, missing_holds: bool) -> dict[str, Any]:
    """All conditions of a rule as one schema over the arguments of a call.

    Args:
        when: Condition by argument.
        missing_holds: What a condition says of an argument that the call leaves out.
    """
    schema: dict[str, Any] = {"properties": dict(when)} if when else {}
    if when and not missing_holds:
        schema["required"] = list(when)
    return schema
