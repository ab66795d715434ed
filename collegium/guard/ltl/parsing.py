"""Reads formulas: the infix syntax of LTLf, and the s-expressions of the paper's third version.

Infix, from the loosest binding to the tightest: ``->`` (to the right), ``|``, ``&``, ``U`` and
``W`` (to the right), then the prefixes ``!``, ``X``, ``WX``, ``F``, ``G`` and ``at most k``.
``true``, ``false`` and ``end`` are constants; the signs ¬ ∧ ∨ → are read as well. Any other word
names a state or a label.

S-expressions: ``(next a b ...)`` is one after the other, ``(until a b)`` any number of ``a`` and
then ``b``, ``(or a b ...)`` one of them. They speak of the whole rest of the trace.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.guard.ltl.formula import (
    END,
    FALSE,
    TRUE,
    Always,
    And,
    AtMost,
    Atom,
    Choice,
    Eventually,
    Expression,
    Formula,
    Next,
    Not,
    Or,
    Path,
    Repeat,
    Sequence,
    Step,
    Until,
    WeakNext,
    implies,
    is_temporal,
    weak_until,
)

KEYWORDS = frozenset({"true", "false", "end", "X", "WX", "F", "G", "at"})
"""Words that cannot name a state. ``U`` and ``W`` can: between two formulas they are operators,
anywhere else they are names."""

_FORMS = ("next", "until", "or")
_TOKEN = re.compile(r"\s*(->|[!&|()]|[A-Za-z_][\w-]*(?<!-)|\d+)")
_SIGNS = {"¬": "!", "∧": "&", "∨": "|", "→": "->"}
_CONSTANTS = {"true": TRUE, "false": FALSE, "end": END}


class Token(msgspec.Struct, frozen=True):
    """A word or sign, and the column at which it stands (from 1)."""

    text: str
    column: int


def parse(text: str, known: Collection[str] | None = None) -> Formula:
    """Read a formula.

    Args:
        text: In the infix syntax, or an s-expression.
        known: The states and labels there are; None: any name will do.

    Raises:
        UnknownName: A name is none of ``known``; the column is told.
        BadInput: The text is no formula; the column is told.
    """
    reader = _Reader(text, known)
    if len(reader.tokens) > 1 and reader.tokens[0].text == "(" and reader.tokens[1].text in _FORMS:
        formula: Formula = Path(reader.expression())
    else:
        formula = reader.implication()
    reader.finish()
    return formula


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, known: Collection[str] | None) -> None:
        self.text, self.known = text, known
        self.tokens: list[Token] = []
        self.at = 0
        plain = text
        for sign, ascii_ in _SIGNS.items():  # same columns but for the two characters of an arrow
            plain = plain.replace(sign, ascii_)
        place = 0
        while plain[place:].strip():
            found = _TOKEN.match(plain, place)
            if found is None:
                column = place + len(plain[place:]) - len(plain[place:].lstrip()) + 1
                raise self.wrong(f"{plain[column - 1]!r} is no part of a formula", column)
            self.tokens.append(Token(found[1], found.start(1) + 1))
            place = found.end()

    def wrong(self, what: str, column: int) -> BadInput:
        return BadInput(f"formula {self.text!r}, column {column}: {what}.")

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def column(self) -> int:
        return self.tokens[self.at].column if self.at < len(self.tokens) else len(self.text) + 1

    def take(self) -> Token:
        token = Token(self.peek(), self.column())
        if not token.text:
            raise self.wrong("it ends where more is expected", token.column)
        self.at += 1
        return token

    def expect(self, text: str) -> None:
        token = self.take()
        if token.text != text:
            raise self.wrong(f"expected {text!r}, not {token.text!r}", token.column)

    def finish(self) -> None:
        if self.at < len(self.tokens):
            raise self.wrong(
                f"{self.peek()!r} follows a whole formula; an operator is missing", self.column()
            )

    def name(self, token: Token) -> str:
        """A proposition; it must be known."""
        if not re.match(r"[A-Za-z_]", token.text) or token.text in KEYWORDS:
            raise self.wrong(f"expected a state, not {token.text!r}", token.column)
        if self.known is not None and token.text not in self.known:
            error = unknown_name("state", token.text, self.known)
            raise type(error)(f"formula {self.text!r}, column {token.column}: {error}")
        return token.text

    # -- infix ----------------------------------------------------------------------------

    def implication(self) -> Formula:
        left = self.disjunction()
        if self.peek() == "->":
            self.take()
            return implies(left, self.implication())
        return left

    def disjunction(self) -> Formula:
        parts = [self.conjunction()]
        while self.peek() == "|":
            self.take()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self) -> Formula:
        parts = [self.until()]
        while self.peek() == "&":
            self.take()
            parts.append(self.until())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def until(self) -> Formula:
        left = self.prefix()
        if self.peek() == "U":
            self.take()
            return Until(left, self.until())
        if self.peek() == "W":
            self.take()
            return weak_until(left, self.until())
        return left

    def prefix(self) -> Formula:
        token = self.take()
        match token.text:
            case "!":
                return Not(self.prefix())
            case "X":
                return Next(self.prefix())
            case "WX":
                return WeakNext(self.prefix())
            case "F":
                return Eventually(self.prefix())
            case "G":
                return Always(self.prefix())
            case "at":
                return self.bounded()
            case "(":
                inner = self.implication()
                self.expect(")")
                return inner
        return _CONSTANTS.get(token.text) or Atom(self.name(token))

    def bounded(self) -> Formula:
        self.expect("most")
        count = self.take()
        if not count.text.isdigit():
            raise self.wrong(f"'at most' needs a whole number, not {count.text!r}", count.column)
        column = self.column()
        of = self.prefix()
        if is_temporal(of):
            raise self.wrong(f"'at most' counts positions, so {of} may not look ahead", column)
        return AtMost(int(count.text), of)

    # -- s-expressions --------------------------------------------------------------------

    def expression(self) -> Expression:
        token = self.take()
        if token.text != "(":
            return Step(self.name(token))
        form = self.take()
        if form.text not in _FORMS:
            raise self.wrong(f"expected next, until or or, not {form.text!r}", form.column)
        parts: list[Expression] = []
        while self.peek() != ")":
            parts.append(self.expression())
        self.take()
        if form.text == "until":
            if len(parts) != 2:
                raise self.wrong(f"until takes two parts, not {len(parts)}", form.column)
            return Sequence((Repeat(parts[0]), parts[1]))
        if not parts:
            raise self.wrong(f"{form.text} needs at least one part", form.column)
        return Sequence(tuple(parts)) if form.text == "next" else Choice(tuple(parts))
