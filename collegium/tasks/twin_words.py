"""The numbers in the words of a question: which may change, and what its words stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\d)\.\d+")
_PERCENT = re.compile(r"\s?%|[ -]per ?cent\b")
# Glued to letters, part of a fraction or a time, a date, a number of a list.
_FIXED_BEFORE = re.compile(r"(?:[A-Za-z/:#^]|\d[ -])$")
_FIXED_AFTER = re.compile(r"[A-Za-z/:^]|\s?/|-\d|\s?(?:[ap]\.?m\b|o.?clock)| \d", re.IGNORECASE)

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDED = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[- ](?P<more>{'|'.join(_UNITS[1:10])}))?"
    rf"|(?P<unit>{'|'.join(_UNITS)}))(?:[- ](?P<scale>hundred|thousand))?\b",
    re.IGNORECASE,
)

# What words of a question may stand for in its solution. More than needed does no harm: a number
# of the question that may also be such a constant is left as it is.
_STANDS_FOR = (
    (r"%|percent|per cent", "100 1 .01"),
    (r"half|halves", "2 .5 50 1.5 1"),
    (r"twice|doubl\w*|pairs?|couples?|both|twins?|round trip|each other|and back", "2 1"),
    (r"trip(?:le|led|les|ling|lets)|thrice|thirds?", "3 2 1"),
    (r"quadrupl\w*|quarters?|fourths?", "4 .25 25 .75 3 1"),
    (r"fifths?", "5 .2 20 1 2 3 4"),
    (r"sixths?", "6 1 5"),
    (r"sevenths?", "7 1 2 3 4 5 6"),
    (r"eighths?", "8 1 3 5 7"),
    (r"ninths?", "9 1 2 4 5 7 8"),
    (r"tenths?|decades?", "10 .1 1 3 7 9"),
    (r"dozens?", "12"),
    (r"days?|daily|nights?|nightly", "24 7 5 30 31 365"),
    (r"weeks?|weekly|fortnights?|weekdays?|weekends?|\w+days?", "7 5 2 4 52 14"),
    (r"months?|monthly", "12 30 4 31 28"),
    (r"years?|yearly|annual\w*", "12 52 365 365.25 360 4"),
    (r"january|february|march|april|may|june|july|august|september|october|november|december",
     "28 29 30 31 12"),
    (r"hours?|hourly", "60 24 3600"),
    (r"minutes?|seconds?", "60 3600"),
    (r"feet|foot|inch\w*|yards?|miles?", "12 3 36 5280 1760"),
    (r"pounds?|ounces?|tons?", "16 2000"),
    (r"gallons?|quarts?|pints?|cups?", "4 2 8 16 128"),
    (r"kilo\w*|kg|km|grams?|liters?|litres?|milli\w*|ml|meters?|metres?|tons?", "1000"),
    (r"centi\w*|cm|meters?|metres?", "100"),
    (r"cents?|dollars?|pennies|penny", "100"),
    (r"nickels?", "5"), (r"dimes?", "10"),
    (r"centur\w+", "100"),
    (r"squares?|rectang\w+|perimeter|sides?", "4 2"),
    (r"triang\w+", "3 2"), (r"cub\w+|box\w*", "6 3"), (r"pentagon\w*", "5"),
    (r"hexagon\w*", "6"), (r"octagon\w*", "8"), (r"spiders?", "8"), (r"insects?|ants?", "6"),
    (r"decks?|cards?", "52 13"),
    (r"once|herself|himself|themsel\w+|one|a|an", "1"),
)  # fmt: skip

_THRESHOLD = re.compile(
    r"\b(?:over|under|above|below|exceed\w*|at least|at most|up to|more than|less than|fewer than)"
    r"\s+(?:the (?:first )?)?\$?\d"
    r"|\bfirst (?:\d|two|three|four|five|six|seven|eight|nine|ten)|\bafter the first\b"
    r"|\b(?:minimum|maximum|limit|round(?:ed|ing)|nearest|average\w*|mean|median|unless|whichever"
    r"|which|cheap\w+|better|best|larg\w+st|small\w*st|high\w*st|low\w*st|old\w*st|young\w*st"
    r"|expensive|enough|afford|exceed\w*|overtime|prime|odd|even number\w*|consecutive|divisible"
    r"|digits?|probability|chance|likely|clock|degrees?)\b",
    re.IGNORECASE,
)


class Number(msgspec.Struct, frozen=True):
    """A number in figures.

    Attributes:
        start: Where it begins in the question.
        end: Where it ends.
        value: What it is.
        decimals: How many decimals it is written with.
        percent: Whether it is a percentage.
        fixed: Whether it is no quantity of its own: a year, a time, part of a fraction or a name.
    """

    start: int
    end: int
    value: Fraction
    decimals: int = 0
    percent: bool = False
    fixed: bool = False


def numbers(prompt: str) -> tuple[Number, ...]:
    """Find the numbers in figures of a question, in order."""
    found = []
    for match in _NUMBER.finditer(prompt):
        text = match[0].replace(",", "")
        after = prompt[match.end() : match.end() + 9]
        year = "," not in match[0] and re.fullmatch(r"(?:19|20)\d\d", text) is not None
        fixed = bool(
            year
            or _FIXED_BEFORE.search(prompt[max(0, match.start() - 2) : match.start()])
            or _FIXED_AFTER.match(after)
        )
        found.append(
            Number(
                start=match.start(),
                end=match.end(),
                value=Fraction(text),
                decimals=len(text.partition(".")[2]),
                percent=_PERCENT.match(after) is not None,
                fixed=fixed,
            )
        )
    return tuple(found)


def worded(prompt: str) -> frozenset[Fraction]:
    """The numbers that a question has in words: "three", "twenty-five", "two hundred"."""
    found = set()
    for match in _WORDED.finditer(prompt):
        if match["tens"]:
            value = 10 * (_TENS.index(match["tens"].lower()) + 2)
            value += _UNITS.index(match["more"].lower()) if match["more"] else 0
        else:
            value = _UNITS.index(match["unit"].lower())
        scale = {"hundred": 100, "thousand": 1000}.get((match["scale"] or "").lower(), 1)
        found.add(Fraction(value * scale))
    return frozenset(found)


def constants(prompt: str) -> frozenset[Fraction]:
    """Every value that a word of the question may stand for in its solution."""
    found = set(worded(prompt))
    for words, values in _STANDS_FOR:
        if re.search(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])", prompt, re.IGNORECASE):
            found |= {Fraction(v) for v in values.split()}
    return frozenset(found)


def threshold(prompt: str) -> bool:
    """Whether a question has words for a rule that may hold for its own numbers alone."""
    return _THRESHOLD.search(prompt) is not None


def written(prompt: str, found: Sequence[Number], new: Mapping[Fraction, Fraction]) -> str:
    """Write other numbers into a question, in the form of those that were there."""
    parts, end = [], 0
    for number in found:
        old = prompt[number.start : number.end]
        value = new[number.value]
        comma = "," if "," in old else ""
        text = f"{float(value):{comma}.{number.decimals}f}" if number.decimals else (
            f"{int(value):{comma}}")  # fmt: skip
        text = text[1:] if old.startswith(".") and text.startswith("0.") else text
        parts += [prompt[end : number.start], old if value == number.value else text]
        end = number.end
    return "".join([*parts, prompt[end:]])
