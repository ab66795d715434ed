"""Whether what was understood was said: a form may hold nothing that its sentence does not.

A model that is asked to fill in a form fills it in, whatever the sentence was: with the first
agent, with the first place, with a one. So every number must be among those that the sentence
names, in digits or in words, a text must mostly be its words, and the thing that changes must share
a word with it.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collegium.society.engine import Society
from collegium.society.operations import Inject, Open, Operation

NUMBERS = {
    "zero": 0.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0,
    "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0,
    "dozen": 12.0, "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0,
    "seventy": 70.0, "eighty": 80.0, "ninety": 90.0, "hundred": 100.0, "thousand": 1000.0,
    "million": 1e6,
}  # fmt: skip
"""Words for numbers."""

AMOUNTS = {
    "no": 0.0, "none": 0.0, "nobody": 0.0, "off": 0.0, "nothing": 0.0,
    "all": 1.0, "everyone": 1.0, "everybody": 1.0, "fully": 1.0,
    "half": 0.5, "third": 1 / 3, "quarter": 0.25, "tenth": 0.1,
    "double": 2.0, "twice": 2.0, "triple": 3.0,
}  # fmt: skip
"""Words that say how much, but never which or how many."""

COUNTED = ("agent", "count")
"""Fields that say which or how many: amounts say nothing of them."""

COMMON = {
    "about", "after", "again", "also", "and", "any", "are", "before", "each", "every", "everything",
    "follows", "for", "from", "have", "into", "its", "more", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "time", "until", "when", "which", "will", "with", "without",
    "number", "share", "step", "people", "agent", "agents", "user", "users", "one", "who", "how",
    "many", "make", "open", "close", "start", "change", "turn", "all",
}  # fmt: skip
"""Words that say nothing of what is meant."""

STEM = 5
"""So many first letters of words are compared; a shorter word may also begin a longer one."""


def unsaid(society: Society, sentence: str, at: int, operation: Operation) -> str:
    """What an operation holds that a sentence does not: a question about it, or "" for nothing.

    Args:
        society: What the sentence is about.
        sentence: What a person said.
        at: The step that was understood.
        operation: What was understood.
    """
    numbers, amounts = numbers_in(sentence), set(_named(AMOUNTS, sentence))
    if at > society.t and at not in numbers:
        return f"At which step? You did not say {at}."
    fields = msgspec.to_builtins(operation)
    if isinstance(operation, Open) and operation.factor == 1:
        del fields["factor"]  # what opening means where nothing else is said
    texts: dict[str, str] = {}
    if isinstance(operation, Inject):
        texts = {k: v for k, v in operation.arguments.items() if isinstance(v, str)}
        fields |= fields.pop("arguments")
    for name, value in fields.items():
        known = numbers if name in COUNTED else numbers | amounts
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not any(abs(value - n) < 1e-6 * max(1, abs(n)) for n in known):
            return f"Which {name} do you mean? You did not say {value:g}."
    said = set(_words(sentence))
    for name, text in texts.items():
        words = set(_words(text))
        if 2 * len(words - said) > len(words):
            return f"What should the {name} be? You did not say {text!r}."
    for kind in ("parameter", "place", "column", "event"):
        if kind in fields and not _alike(sentence, _about(society, kind, fields[kind])):
            return f"Do you mean the {kind} {fields[kind]!r}? You did not name it."
    return ""


def numbers_in(sentence: str) -> set[float]:
    """The numbers that a sentence names; percentages also as shares."""
    found = set(_named(NUMBERS, sentence))
    for digits, percent in re.findall(
        r"(?<![\w.])[-+]?(\d+(?:[.,]\d+)*)\s*(%|percent|per cent)?", sentence
    ):
        with contextlib.suppress(ValueError):  # a date, an address: no number
            number = float(re.sub(r",(?=\d{3}\b)", "", digits).replace(",", "."))
            found |= {number, number / 100} if percent else {number}
    return found | {-n for n in found}


def _named(numbers: Mapping[str, float], sentence: str) -> Iterable[float]:
    return (numbers[w] for w in re.findall(r"[a-z]+", sentence.casefold()) if w in numbers)


def _about(society: Society, kind: str, name: str) -> str:
    """The name of a thing, and what the model says of it."""
    model = society.model
    if kind == "parameter":
        return f"{name} {model.parameters[name].meaning}"
    if kind == "event":
        return f"{name} {first_line(model.happenings[name])}"
    return name


def first_line(made: Any) -> str:
    """The first line of a docstring, "" where there is none."""
    return next(iter((inspect.getdoc(made) or "").splitlines()), "")


def _alike(one: str, other: str) -> bool:
    """Whether two texts share a word that means something."""
    return any(
        a == b or (min(len(a), len(b)) > 2 and (a.startswith(b) or b.startswith(a)))
        for a in _words(one)
        for b in _words(other)
    )


def _words(text: str) -> Iterable[str]:
    """The beginnings of words that mean something; names of a letter count as they stand."""
    for word in re.findall(r"[^\W\d_]+", text):
        if len(word) == 1 and word.isupper():
            yield word
        elif len(word) > 2 and word.casefold() not in COMMON:
            yield word.casefold()[:STEM]
