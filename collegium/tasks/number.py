r"""Reads numbers as people and models write them: "$1,234.50", "-3/4", "\boxed{12}", "1.5e3".

A number becomes a ``Fraction``, so "0.1" is a tenth and not the nearest binary float.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

_MAGNITUDE = 400
"""Powers of ten beyond this are not answers but ways to keep a computer busy."""

_LONGEST = 20_000
"""Characters of a text that are looked at, from its end."""

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "),
        "\uff0c": ",",
        "\uff0e": ".",
        "\uff05": "%",
        "\u2044": "/",
    }
)
# Thin spaces and groupings of LaTeX, and the dollar and percent signs it escapes.
_LATEX_NOISE = (("{,}", ","), ("\\,", ""), ("\\!", ""), ("\\;", ""), ("\\$", "$"), ("\\%", "%"))

_CURRENCY = "$€£¥₹₩₽฿"
_PLAIN = r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+)(?:\.\d*)?|\.\d+"
_TIMES_TEN = r"(?:[eE]|\s?(?:\\times|\\cdot|[×*])\s?10\s?\^)\s?\{?(?P<power>[-+]?\d{1,6})\}?"
_PART = r"(?:\{\s*(?P<%s>-?(?:\d+(?:\.\d+)?|\.\d+))\s*\}|(?P<%s>\d))"
_ABOVE, _BELOW = _PART % ("above", "above1"), _PART % ("below", "below1")
_NUMBER = re.compile(
    rf"""
    # "10-20" is a range and no minus twenty; "x2" is a name and no two.
    (?:(?P<sign>(?<![\w)\]}}])[-+])\s?)?(?:[{_CURRENCY}]\s?(?P<sign_after>-)?)?(?<!\w)
    (?:
        (?P<whole>\d+)?\s?\\[dtc]?frac\s?{_ABOVE}\s?{_BELOW}
      | (?:(?P<units>\d+)\ )?(?P<top>\d+(?:\.\d+)?)\s?/\s?(?P<bottom>\d+(?:\.\d+)?)(?![\d.]*/)
      | (?P<plain>{_PLAIN})(?:{_TIMES_TEN})?
    )
    \s?%?
    """,
    re.VERBOSE,
)
_BRACES = re.compile(r"(?P<boxed>\\f?boxed\s*\{)|[{}]")


def parse_number(value: Any) -> Fraction | None:
    r"""Read a value that is a number and nothing else.

    Args:
        value: An int, float, Decimal or Fraction, or a text that holds one number: with currency
            or percent sign, thousands separators, fractions, exponents, ``$...$``, ``\boxed{}``.
            A percent sign is a unit: "50%" is 50.

    Returns:
        The number, or None if the value is anything else (also true and false, NaN, infinity).
    """
    if isinstance(value, str):
        return _whole_text(value)
    if value is None or isinstance(value, bool):
        return None
    try:
        # The shortest decimal that gives this float is the number that was meant.
        number = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 10**_MAGNITUDE else None


def final_number(text: str) -> Fraction | None:
    r"""Find the number that a text ends in: what "the answer is $18." or a solution concludes.

    A ``\boxed{}`` or a line "#### 18" says where the answer is; otherwise it is the last number.

    Args:
        text: Prose, a worked solution, or just a number.

    Returns:
        The number, or None if the text has none.
    """
    tail = boxed(text[-_LONGEST:]) or text[-_LONGEST:].rpartition("####")[2]
    whole = _whole_text(tail)
    if whole is not None:
        return whole
    found = None
    for match in _NUMBER.finditer(_cleaned(tail)):
        number = _value(match)
        found = found if number is None else number
    return found


def canonical_number(number: Fraction) -> str:
    """Write a number in the one way that equal numbers share: "12", "0.5", "0.333333333333".

    Whole numbers are exact, others have twelve significant digits, so that what a program
    computed in floating point equals what it meant.
    """
    if number.denominator == 1:
        return str(number.numerator)
    context = Context(prec=12)
    rounded = context.divide(Decimal(number.numerator), Decimal(number.denominator))
    if rounded == rounded.to_integral_value():
        return str(int(rounded))
    return f"{rounded.normalize(context)}"


def numbers_equal(first: Fraction, second: Fraction) -> bool:
    """Compare two numbers: whole numbers exactly, others within a millionth of the larger one."""
    if first.denominator == 1 and second.denominator == 1:
        return first == second
    tolerance = max(abs(first), abs(second)) / 10**6
    return abs(first - second) <= max(tolerance, Fraction(1, 10**12))


def boxed(text: str) -> str | None:
    r"""Return what is in the last ``\boxed{...}`` of a text, or None if there is none."""
    found: tuple[int, int] | None = None
    # Where the open braces' contents start; -1 for braces that are no box.
    contents: list[int] = []
    for match in _BRACES.finditer(text):
        if match[0] != "}":
            contents.append(match.end() if match["boxed"] else -1)
        elif contents and (start := contents.pop()) > (found[0] if found else -1):
            found = (start, match.start())
    return None if found is None else text[found[0] : found[1]]


def _whole_text(text: str) -> Fraction | None:
    if len(text) > _LONGEST:
        return None
    cleaned = _cleaned(boxed(text) or text)
    if len(cleaned) > 1 and cleaned[-1] in ".:;" and not cleaned[-2].isspace():
        cleaned = cleaned[:-1]
    match = _NUMBER.fullmatch(cleaned)
    return _value(match) if match else None


def _cleaned(text: str) -> str:
    text = text.translate(_CHARACTERS)
    for noise, plain in _LATEX_NOISE:
        text = text.replace(noise, plain)
    text = text.strip().strip("*`").strip()
    if text.startswith(("\\(", "\\[")) and text.endswith(("\\)", "\\]")):
        text = text[2:-2].strip()
    if len(text) > 1 and text.startswith("$") and text.endswith("$"):
        text = text.strip("$").strip()
    return text


def _value(match: re.Match[str]) -> Fraction | None:
    part = match.groupdict()
    try:
        if part["plain"]:
            number = Fraction(part["plain"].replace(",", "").rstrip("."))
            power = int(part["power"] or 0)
            if abs(power) > _MAGNITUDE:
                return None
            number *= Fraction(10) ** power
        elif part["bottom"]:
            number = Fraction(part["top"]) / Fraction(part["bottom"]) + int(part["units"] or 0)
        else:
            above = Fraction(part["above"] or part["above1"])
            below = Fraction(part["below"] or part["below1"])
            number = above / below + int(part["whole"] or 0)
    except (ValueError, ZeroDivisionError, InvalidOperation):
        return None
    if abs(number) >= 10**_MAGNITUDE:
        return None
    return -number if "-" in (part["sign"], part["sign_after"]) else number
