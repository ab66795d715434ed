r"""Patterns of the policy language as trees: what :mod:`collegium.guard.patterns` describes.

The reading is that of the engine that enforces: ``\d`` and ``\w`` are ASCII, ``\s`` is the white
space of ECMAScript, ``.`` is any character but the four line ends, ``$`` is the very end. Property
tests hold the two together. What has no regular expression over code points here (the edges of
words, whose engine reads Unicode's tables) raises :class:`Unsupported`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

LAST = 0x10FFFF
"""The last code point there is."""

Ranges = tuple[tuple[int, int], ...]
"""A set of code points: ranges in ascending order, both ends included, that do not touch."""


class Unsupported(Exception):
    """The analysis has no encoding for something; the answer is then unknown."""


class Chars(msgspec.Struct, frozen=True):
    """One character out of a set."""

    ranges: Ranges


class Seq(msgspec.Struct, frozen=True):
    """Parts one after another; no part at all is the empty string."""

    parts: tuple[Node, ...]


class Alt(msgspec.Struct, frozen=True):
    """One of several; of none at all there is no match."""

    options: tuple[Node, ...]


class Repeat(msgspec.Struct, frozen=True):
    """A part several times; most is None: any number of times."""

    part: Node
    least: int
    most: int | None


class Anchor(msgspec.Struct, frozen=True):
    """Nothing, at one end of the whole string."""

    where: Literal["start", "end"]


Node = Chars | Seq | Alt | Repeat | Anchor


def ranges(*pairs: tuple[int, int]) -> Ranges:
    """The union of ranges, in their normal form."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def complement(chars: Ranges) -> Ranges:
    """All other code points."""
    found, at = [], 0
    for low, high in chars:
        if at < low:
            found.append((at, low - 1))
        at = high + 1
    if at <= LAST:
        found.append((at, LAST))
    return tuple(found)


def _of(text: str) -> Ranges:
    return ranges(*((ord(c), ord(c)) for c in text))


DIGIT = ranges((0x30, 0x39))
WORD = ranges((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE = ranges(
    *_of("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), (0x2000, 0x200A)
)
DOT = complement(_of("\n\r\u2028\u2029"))
ANY = Chars(ranges((0, LAST)))
EMPTY = Seq(())

_CLASSES = {"d": DIGIT, "w": WORD, "s": SPACE}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_MARKS = frozenset("!\"#$%&'()*+,-./:;=?@[\\]^_`{|}~")


def parse(pattern: str) -> Node:
    """Read a pattern.

    Raises:
        Unsupported: It has something that the analysis cannot express.
    """
    reader = _Reader(pattern)
    node = reader.alternatives()
    if reader.rest():
        raise Unsupported(f"the pattern {pattern!r} has an unbalanced {reader.rest()[0]!r}")
    return node


class _Reader:
    """A recursive-descent parser: alternatives of sequences of repeated atoms."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0

    def rest(self) -> str:
        return self._pattern[self._at :]

    def alternatives(self) -> Node:
        options = [self._sequence()]
        while self._took("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def _repeated(self) -> Node:
        atom = self._atom()
        times = self._times()
        if times is None:
            return atom
        self._took("?")  # lazy: another match perhaps, but a match for the same strings
        if self._at < len(self._pattern) and self._pattern[self._at] in "*+?{":
            raise self._unsupported("a repetition of a repetition")
        return Repeat(atom, *times)

    def _times(self) -> tuple[int, int | None] | None:
        for mark, times in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._took(mark):
                return times
        if not self._took("{"):
            return None
        body, closed, _ = self.rest().partition("}")
        least, comma, most = body.partition(",")
        if not closed or not _is_number(least) or (most and not _is_number(most)):
            raise self._unsupported("a brace that does not count")
        self._at += len(body) + 1
        upper = (int(most) if most else None) if comma else int(least)
        if upper is not None and upper < int(least):
            raise self._unsupported("a count that ends before it begins")
        return int(least), upper

    def _atom(self) -> Node:
        mark = self._next()
        if mark == "^":
            return Anchor("start")
        if mark == "$":
            return Anchor("end")
        if mark == ".":
            return Chars(DOT)
        if mark == "[":
            return Chars(self._class())
        if mark == "\\":
            return Chars(self._escape())
        if mark == "(":
            if self.rest().startswith("?") and not self._took("?:"):
                raise self._unsupported("look-around, a flag or a named group")
            inside = self.alternatives()
            if not self._took(")"):
                raise self._unsupported("a group that is not closed")
            return inside
        if mark in "*+?{}]":
            raise self._unsupported(f"{mark!r} at this place")
        return Chars(((ord(mark), ord(mark)),))

    def _class(self) -> Ranges:
        negated = self._took("^")
        found: list[tuple[int, int]] = []
        while not (found and self.rest().startswith("]")):
            if self.rest().startswith(("--", "&&", "~~")):
                raise self._unsupported("an operation on classes")
            first = self._member()
            if not self.rest().startswith("-") or self.rest().startswith("-]"):
                found += first
                continue
            self._at += 1
            if self.rest().startswith("-"):
                raise self._unsupported("an operation on classes")
            last = self._member()
            if not _single(first) or not _single(last) or first[0][0] > last[0][0]:
                raise self._unsupported("a range of more than characters")
            found.append((first[0][0], last[0][0]))
            if self.rest().startswith("-") and not self.rest().startswith("-]"):
                raise self._unsupported("a range after a range")
        self._at += 1
        return complement(ranges(*found)) if negated else ranges(*found)

    def _member(self) -> Ranges:
        mark = self._next()
        if mark == "\\":
            return self._escape()
        if mark in "[]":
            raise self._unsupported(f"{mark!r} in a class")
        return ((ord(mark), ord(mark)),)

    def _escape(self) -> Ranges:
        mark = self._next()
        if mark.lower() in _CLASSES:
            chars = _CLASSES[mark.lower()]
            return chars if mark.islower() else complement(chars)
        if mark in _CONTROLS:
            return _of(_CONTROLS[mark])
        if mark in "xu":
            digits = self.rest()[: 2 if mark == "x" else 4]
            if len(digits) < (2 if mark == "x" else 4) or not _is_number(digits, 16):
                raise self._unsupported("an escape without its digits")
            self._at += len(digits)
            return ((int(digits, 16), int(digits, 16)),)
        if mark in _MARKS:
            return _of(mark)
        raise self._unsupported(f"\\{mark}")

    def _next(self) -> str:
        if self._at >= len(self._pattern):
            raise self._unsupported("an end too early")
        self._at += 1
        return self._pattern[self._at - 1]

    def _took(self, text: str) -> bool:
        if not self.rest().startswith(text):
            return False
        self._at += len(text)
        return True

    def _unsupported(self, what: str) -> Unsupported:
        return Unsupported(f"the analysis cannot express {what}, in the pattern {self._pattern!r}")


def _single(chars: Ranges) -> bool:
    return len(chars) == 1 and chars[0][0] == chars[0][1]


def _is_number(text: str, base: int = 10) -> bool:
    allowed = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
    return bool(text) and all(c in allowed for c in text)
