"""Texts and patterns as the solver's strings and regular languages.

A string is a sequence of code points. The solver knows those up to U+2FFFF. All above it are alike
to every condition that is taken here (one that tells them apart is :class:`Unsupported`), so they
share the places that Unicode leaves free below: the surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from collegium.guard.analysis.regex import (
    ANY,
    LAST,
    Alt,
    Anchor,
    Chars,
    Node,
    Repeat,
    Seq,
    Unsupported,
)
from collegium.guard.analysis.search import searched

TOP = 0x2FFFF
"""The last code point that the solver knows."""

MOST_TIMES = 4000
"""How often a pattern may repeat something by a count: beyond it, the solver overruns its time."""

SURROGATES = (0xD800, 0xDFFF)


class Strings:
    """Makes the strings and languages of one solver context.

    Args:
        context: A ``z3.Context``.
    """

    def __init__(self, context: Any) -> None:
        import z3

        self._z3, self._context = z3, context
        self._languages: dict[str, Any] = {}

    def literal(self, text: str) -> Any:
        """A text.

        Raises:
            Unsupported: It has a character that the solver does not know.
        """
        if any(ord(c) > TOP or SURROGATES[0] <= ord(c) <= SURROGATES[1] for c in text):
            raise Unsupported(f"the analysis cannot express a character above U+2FFFF, in {text!r}")
        # Escaped, so that a text with a backslash is not read as an escape of the solver's own.
        plain = (c if c.isascii() and c.isalnum() else f"\\u{{{ord(c):x}}}" for c in text)
        return self._z3.StringVal("".join(plain), self._context)

    def found_in(self, pattern: str) -> Any:
        """The language of the texts in which a pattern is found.

        Raises:
            Unsupported: The pattern has something that the analysis cannot express.
        """
        if pattern not in self._languages:
            self._languages[pattern] = self._language(searched(pattern))
        return self._languages[pattern]

    def of_length(self, text: Any, at_least: bool, size: int) -> Any:
        """The formula that says that a text has at least, or at most, so many characters."""
        bounds = Repeat(ANY, size, None) if at_least else Repeat(ANY, 0, size)
        return self._z3.InRe(text, self._language(bounds))

    def readable(self, text: Any) -> Any:
        """The formula that says that a text is printable ASCII."""
        return self._z3.InRe(text, self._z3.Star(self._range(0x20, 0x7E)))

    def _language(self, node: Node) -> Any:
        z3 = self._z3
        match node:
            case Chars(chars):
                return self._union(self._range(*pair) for pair in solver_ranges(chars))
            case Alt(options):
                return self._union(self._language(option) for option in options)
            case Seq(()) | Repeat(_, _, 0):
                return z3.Re(self.literal(""), self._context)
            case Seq(parts):
                found = [self._language(part) for part in parts]
                return found[0] if len(found) == 1 else z3.Concat(*found)
            case Repeat(_, least, most) if max(least, most or 0) > MOST_TIMES:
                raise Unsupported(f"the analysis cannot express more than {MOST_TIMES} repetitions")
            case Repeat(part, 0, None):
                return z3.Star(self._language(part))
            case Repeat(part, least, None):
                inner = self._language(part)
                return z3.Concat(z3.Loop(inner, least, least), z3.Star(inner))
            case Repeat(part, least, most):
                return z3.Loop(self._language(part), least, most)
            case Anchor():
                raise AssertionError("anchors are gone from the language of a search")

    def _union(self, languages: Iterable[Any]) -> Any:
        z3, found = self._z3, list(languages)
        if not found:
            return z3.Empty(z3.ReSort(z3.StringSort(self._context)))
        return found[0] if len(found) == 1 else z3.Union(*found)

    def _range(self, low: int, high: int) -> Any:
        ends = (self._z3.StringVal(f"\\u{{{c:x}}}", self._context) for c in (low, high))
        return self._z3.Range(*ends)


def solver_ranges(chars: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """A set of code points in the solver's alphabet: those above U+2FFFF are its surrogates.

    Raises:
        Unsupported: The set holds some of those above U+2FFFF, and not all.
    """
    found: list[tuple[int, int]] = []
    for low, high in chars:
        for first, last in ((low, min(high, 0xD7FF)), (max(low, 0xE000), min(high, TOP))):
            if first <= last:
                found.append((first, last))
        if high > TOP:
            if low > TOP + 1 or high < LAST:
                raise Unsupported("the analysis cannot express a character above U+2FFFF")
            found.append(SURROGATES)
    return found


def decoded(text: str) -> str:
    """A string as the solver writes it, read back."""

    def character(escape: re.Match[str]) -> str:
        code = int(escape[1], 16)
        if SURROGATES[0] <= code <= SURROGATES[1]:
            return chr(TOP + 1 + code - SURROGATES[0])
        return chr(code)

    return re.sub(r"\\u\{([0-9a-fA-F]+)\}", character, text)
