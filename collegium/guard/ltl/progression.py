"""Progression: what must hold of the rest of a trace, once one more position has been seen.

    prog(p)     = true if p holds there, else false
    prog(X a)   = a, and the rest is not empty          prog(WX a) = a, or the rest is empty
    prog(a U b) = prog(b) | (prog(a) & a U b)
    prog(F a)   = prog(a) | F a                         prog(G a)  = prog(a) & G a

and through !, & and | part by part. The end check says whether a formula holds of the empty rest:
0 for p, X, U and F, 1 for WX and G, Boolean otherwise.

Formulas are kept in a normal form, so that only finitely many come up: a set of cases, one of which
must hold; a case is a set of signed literals (propositions and temporal formulas) that hold
together. Order and repetition vanish in sets; a case with a literal and its negation is dropped;
so is a case that contains another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, reduce

from collegium.errors import BadInput
from collegium.guard.ltl.formula import (
    FALSE,
    TRUE,
    Always,
    And,
    AtMost,
    Atom,
    Choice,
    Constant,
    Empty,
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
)

Literal = tuple[bool, Formula]
"""Whether it must hold, and what."""

Case = frozenset[Literal]
Cases = frozenset[Case]
"""A formula in normal form."""

MOST_CASES = 4096
"""Cases of one formula; what needs more has no automaton that could be used."""

YES: Cases = frozenset((frozenset(),))
NO: Cases = frozenset()


def normal_form(formula: Formula, positive: bool = True) -> Cases:
    """The cases of a formula, or of its negation.

    Raises:
        BadInput: There are too many.
    """
    match formula:
        case Constant(value):
            return YES if value == positive else NO
        case Not(of):
            return normal_form(of, not positive)
        case And(parts) | Or(parts):
            both = isinstance(formula, And) == positive
            return (conjunction if both else disjunction)(normal_form(p, positive) for p in parts)
    return frozenset((frozenset(((positive, formula),)),))


def disjunction(parts: Iterable[Cases]) -> Cases:
    """One of them holds: all their cases, without those that say more than another one."""
    cases = frozenset[Case]().union(*parts)
    if len(cases) > MOST_CASES:
        raise BadInput(f"a formula has more than {MOST_CASES} cases; make it smaller.")
    by_size = sorted(cases, key=len)
    kept: list[Case] = []
    for case in by_size:
        if not any(k <= case for k in kept):
            kept.append(case)
    return frozenset(kept)


def conjunction(parts: Iterable[Cases]) -> Cases:
    """All of them hold: every combination of cases that does not contradict itself."""
    return reduce(_both, parts, YES)


def _both(left: Cases, right: Cases) -> Cases:
    if len(left) * len(right) > 16 * MOST_CASES:
        raise BadInput(f"a formula has more than {MOST_CASES} cases; make it smaller.")
    joined = (a | b for a in left for b in right)
    sound = (c for c in joined if not any((not sign, of) in c for sign, of in c))
    return disjunction((frozenset(sound),))


def readable(cases: Cases) -> Formula:
    """The normal form as a formula again, in a fixed order."""

    def literal(signed: Literal) -> Formula:
        return signed[1] if signed[0] else Not(signed[1])

    def case(of: Case) -> Formula:
        parts = sorted(map(literal, of), key=str)
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    parts = sorted(map(case, cases), key=str)
    if cases == YES:
        return TRUE
    return parts[0] if len(parts) == 1 else Or(tuple(parts)) if parts else FALSE


def progress(cases: Cases, letter: frozenset[str]) -> Cases:
    """What must hold of the rest, once a position was seen at which exactly ``letter`` holds."""
    return disjunction(
        conjunction(_progressed(of, letter, sign) for sign, of in case) for case in cases
    )


@cache
def _progressed(formula: Formula, letter: frozenset[str], positive: bool) -> Cases:
    """Progression of a formula, or of its negation, in normal form."""

    def part(of: Formula) -> Cases:
        return _progressed(of, letter, positive)

    one, all_ = (disjunction, conjunction) if positive else (conjunction, disjunction)
    match formula:
        case Constant(value):
            return YES if value == positive else NO
        case Atom(name):
            return YES if (name in letter) == positive else NO
        case Not(of):
            return _progressed(of, letter, not positive)
        case And(parts):
            return all_(part(p) for p in parts)
        case Or(parts):
            return one(part(p) for p in parts)
        case Next(of):
            return all_((normal_form(of, positive), normal_form(Empty(), not positive)))
        case WeakNext(of):
            return one((normal_form(of, positive), normal_form(Empty(), positive)))
        case Until(left, right):
            return one((part(right), all_((part(left), normal_form(formula, positive)))))
        case Eventually(of):
            return one((part(of), normal_form(formula, positive)))
        case Always(of):
            return all_((part(of), normal_form(formula, positive)))
        case AtMost(count, of):
            if _progressed(of, letter, True) == NO:
                return normal_form(formula, positive)
            return normal_form(AtMost(count - 1, of) if count else FALSE, positive)
        case Empty():
            return NO if positive else YES
        case Path(of):
            rest = _derived(of, letter)
            return normal_form(FALSE if rest == _NOTHING else Path(rest), positive)
    raise TypeError(f"no progression of {formula!r}")


def accepts_end(cases: Cases) -> bool:
    """Whether a formula holds of the empty rest: the end check."""
    return any(all(_holds_at_end(of) == sign for sign, of in case) for case in cases)


def _holds_at_end(formula: Formula) -> bool:
    match formula:
        case Constant(value):
            return value
        case Not(of):
            return not _holds_at_end(of)
        case And(parts):
            return all(map(_holds_at_end, parts))
        case Or(parts):
            return any(map(_holds_at_end, parts))
        case WeakNext() | Always() | AtMost() | Empty():
            return True
        case Path(of):
            return _nullable(of)
    return False  # p, X, U, F


# -- expressions: Brzozowski's derivatives ----------------------------------------------------

_NOTHING, _DONE = Choice(()), Sequence(())


def _nullable(expression: Expression) -> bool:
    match expression:
        case Sequence(parts):
            return all(map(_nullable, parts))
        case Choice(parts):
            return any(map(_nullable, parts))
    return isinstance(expression, Repeat)


def _derived(expression: Expression, letter: frozenset[str]) -> Expression:
    """The words that may follow a letter, in an expression's words that begin with it."""
    match expression:
        case Step(name):
            return _DONE if name in letter else _NOTHING
        case Choice(parts):
            return _choice(_derived(p, letter) for p in parts)
        case Repeat(of):
            return _sequence((_derived(of, letter), expression))
        case Sequence((first, *rest)):
            after = _sequence(tuple(rest))
            here = _sequence((_derived(first, letter), after))
            return _choice((here, _derived(after, letter))) if _nullable(first) else here
    return _NOTHING


def _sequence(parts: Iterable[Expression]) -> Expression:
    flat: list[Expression] = []
    for part in parts:
        if part == _NOTHING:
            return _NOTHING
        flat += part.parts if isinstance(part, Sequence) else (part,)
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def _choice(parts: Iterable[Expression]) -> Expression:
    flat: dict[Expression, None] = {}
    for part in parts:
        flat |= dict.fromkeys(part.parts if isinstance(part, Choice) else (part,))
    kept = sorted(flat, key=str)
    return kept[0] if len(kept) == 1 else Choice(tuple(kept))
