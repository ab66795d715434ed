"""Formulas of linear temporal logic over finite traces (LTLf), as frozen data.

A trace is a finite sequence of positions. At every position a set of propositions holds. A formula
is judged at a position and speaks of the rest of the trace.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class Formula(msgspec.Struct, frozen=True, order=False):
    """Base of all formulas; ``str(formula)`` writes it in the infix syntax."""

    def __str__(self) -> str:
        return written(self)


class Constant(Formula, frozen=True):
    """``true`` or ``false``."""

    value: bool


class Atom(Formula, frozen=True):
    """A proposition: the state with this name, or the label, holds here."""

    name: str


class Not(Formula, frozen=True):
    """``!a``."""

    of: Formula


class And(Formula, frozen=True):
    """``a & b & ...``."""

    parts: tuple[Formula, ...]


class Or(Formula, frozen=True):
    """``a | b | ...``."""

    parts: tuple[Formula, ...]


class Next(Formula, frozen=True):
    """``X a``: there is a next position, and ``a`` holds there."""

    of: Formula


class WeakNext(Formula, frozen=True):
    """``WX a``: if there is a next position, ``a`` holds there."""

    of: Formula


class Until(Formula, frozen=True):
    """``a U b``: ``b`` holds at some position, and ``a`` at every one before it."""

    left: Formula
    right: Formula


class Eventually(Formula, frozen=True):
    """``F a``: at some position from here on."""

    of: Formula


class Always(Formula, frozen=True):
    """``G a``: at every position from here on."""

    of: Formula


class AtMost(Formula, frozen=True):
    """``at most k a``: ``a``, a formula without temporal operators, holds at k positions or fewer.

    LTL cannot count without a bound; a bound can be unrolled, so this stays inside it.
    """

    count: int
    of: Formula


class Empty(Formula, frozen=True):
    """The empty trace: what is left after the last position. Made by progression, never written."""


class Path(Formula, frozen=True):
    """The rest of the trace, to its end, is a word of this expression (the v3 surface syntax)."""

    of: Expression


class Expression(msgspec.Struct, frozen=True, order=False):
    """Base of the expressions over states that :class:`Path` holds."""

    def __str__(self) -> str:
        return written_expression(self)


class Step(Expression, frozen=True):
    """One position at which a proposition holds."""

    name: str


class Sequence(Expression, frozen=True):
    """``(next a b ...)``: one after the other; with no parts, the empty word."""

    parts: tuple[Expression, ...]


class Choice(Expression, frozen=True):
    """``(or a b ...)``: one of them; with no parts, no word at all."""

    parts: tuple[Expression, ...]


class Repeat(Expression, frozen=True):
    """Any number of times, none included; ``(until a b)`` is this of ``a``, and then ``b``."""

    of: Expression


TRUE, FALSE = Constant(True), Constant(False)
END = WeakNext(FALSE)
"""``end``, the last position: there is no next one (¬X true)."""

TEMPORAL = (Next, WeakNext, Until, Eventually, Always, AtMost, Empty, Path)


def implies(left: Formula, right: Formula) -> Formula:
    """``a -> b``."""
    return Or((Not(left), right))


def weak_until(left: Formula, right: Formula) -> Formula:
    """``a W b``: ``a U b``, or ``a`` for ever."""
    return Or((Until(left, right), Always(left)))


def children(formula: Formula) -> tuple[Formula, ...]:
    """The direct parts of a formula."""
    match formula:
        case And(parts) | Or(parts):
            return parts
        case Until(left, right):
            return (left, right)
        case Not(of) | Next(of) | WeakNext(of) | Eventually(of) | Always(of) | AtMost(_, of):
            return (of,)
    return ()


def is_temporal(formula: Formula) -> bool:
    """Whether the formula speaks of any position but the present one."""
    return isinstance(formula, TEMPORAL) or any(is_temporal(c) for c in children(formula))


def propositions(formula: Formula) -> frozenset[str]:
    """The names of all propositions in a formula."""
    if isinstance(formula, Atom):
        return frozenset((formula.name,))
    if isinstance(formula, Path):
        return frozenset(_steps(formula.of))
    return frozenset().union(*(propositions(c) for c in children(formula)))


def _steps(expression: Expression) -> Iterator[str]:
    match expression:
        case Step(name):
            yield name
        case Sequence(parts) | Choice(parts):
            for part in parts:
                yield from _steps(part)
        case Repeat(of):
            yield from _steps(of)


def written(formula: Formula) -> str:
    """A formula in the infix syntax; reading it gives an equal formula back."""
    match formula:
        case Constant(value):
            return "true" if value else "false"
        case Atom(name):
            return name
        case WeakNext(Constant(False)):
            return "end"
        case Not(of):
            return f"!{_inside(of)}"
        case And(parts):
            return " & ".join(_inside(p) for p in parts) if parts else "true"
        case Or(parts):
            return " | ".join(_inside(p) for p in parts) if parts else "false"
        case Next(of):
            return f"X {_inside(of)}"
        case WeakNext(of):
            return f"WX {_inside(of)}"
        case Eventually(of):
            return f"F {_inside(of)}"
        case Always(of):
            return f"G {_inside(of)}"
        case AtMost(count, of):
            return f"at most {count} {_inside(of)}"
        case Until(left, right):
            return f"{_inside(left)} U {_inside(right)}"
        case Path(of):
            return str(of)
    return "empty"


def _inside(formula: Formula) -> str:
    """A formula as part of another one: what has two sides stands in brackets."""
    text = written(formula)
    return f"({text})" if isinstance(formula, And | Or | Until) else text


def written_expression(expression: Expression) -> str:
    """An expression in the s-expression syntax."""
    match expression:
        case Step(name):
            return name
        case Sequence((Repeat(of), *rest)) if rest:
            after = rest[0] if len(rest) == 1 else Sequence(tuple(rest))
            return f"(until {of} {after})"
        case Sequence(parts):
            return f"(next {' '.join(map(str, parts))})" if parts else "(next)"
        case Choice(parts):
            return f"(or {' '.join(map(str, parts))})" if parts else "(or)"
        case Repeat(of):
            return f"(until {of} (next))"
    return "(or)"
