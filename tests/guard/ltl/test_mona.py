"""Our automata against those of LTLf2DFA and MONA, by product construction."""

import importlib.util
import random
import shutil

import pytest

from collegium.errors import BadInput
from collegium.guard.ltl import Automaton, difference
from collegium.guard.ltl.automaton import build
from collegium.guard.ltl.formula import (
    Always,
    And,
    AtMost,
    Atom,
    Constant,
    Empty,
    Eventually,
    Formula,
    Next,
    Not,
    Or,
    Path,
    Until,
    WeakNext,
    children,
    weak_until,
)
from tests.guard.ltl.support import library

pytestmark = [
    pytest.mark.skipif(shutil.which("mona") is None, reason="the Debian package mona is missing"),
    pytest.mark.skipif(
        importlib.util.find_spec("ltlf2dfa") is None, reason="the package ltlf2dfa is missing"
    ),
]


def theirs(formula: Formula) -> str:
    """A formula in the syntax of LTLf2DFA, with counting unrolled."""
    inside = [f"({theirs(c)})" for c in children(formula)]
    match formula:
        case Constant(value):
            return "true" if value else "false"
        case Atom(name):
            return f"p{name.lower()}"
        case Not():
            return f"!{inside[0]}"
        case And():
            return " & ".join(inside)
        case Or():
            return " | ".join(inside)
        case Next():
            return f"X{inside[0]}"
        case WeakNext():
            return f"WX{inside[0]}"
        case Eventually():
            return f"F{inside[0]}"
        case Always():
            return f"G{inside[0]}"
        case Until():
            return f"{inside[0]} U {inside[1]}"
        case AtMost(0, of):
            return theirs(Always(Not(of)))
        case AtMost(count, of):
            once = And((of, WeakNext(AtMost(count - 1, of))))
            return theirs(weak_until(Not(of), once))
        case Empty() | Path():
            raise AssertionError("not in the infix syntax")
    raise TypeError(formula)


def mona(formula: Formula, letters: dict[str, frozenset[str]]) -> Automaton:
    """The automaton that MONA makes, over the same letters."""
    from ltlf2dfa.parser.ltlf import LTLfParser

    text = LTLfParser()(theirs(formula)).to_dfa(mona_dfa_out=True)
    lines = text.splitlines()

    def after(start: str) -> list[str]:
        return next(line[len(start) :].split() for line in lines if line.startswith(start))

    variables = after("DFA for formula with free variables:")
    accepting = {int(n) for n in after("Accepting states:")}
    moves: dict[int, list[tuple[str, int]]] = {}
    for line in lines:
        if line.startswith("State "):
            source, _, rest = line.removeprefix("State ").partition(":")
            bits, _, goal = rest.partition("-> state")
            moves.setdefault(int(source), []).append((bits.strip(), int(goal)))

    def goal(state: int, letter: frozenset[str]) -> int:
        seen = "".join(
            "1" if f"P{n}" in {f"P{x.upper()}" for x in letter} else "0"
            for n in (v.removeprefix("P") for v in variables)
        )
        for bits, to in moves[state]:
            if all(b in ("X", s) for b, s in zip(bits, seen, strict=True)):
                return to
        raise AssertionError("MONA's automaton is complete")

    # its first step reads no position: it fixes values of Booleans, of which there are none
    start = goal(0, frozenset())
    order = [start, *(s for s in moves if s != start)]
    number = {s: i for i, s in enumerate(order)}
    return Automaton(
        letters=tuple(letters),
        table=tuple(tuple(number[goal(s, of)] for of in letters.values()) for s in order),
        accepting=tuple(s in accepting for s in order),
        distance=(0,) * len(order),
        formulas=("",) * len(order),
    )


@pytest.mark.must_show("ltl", 2)
@pytest.mark.parametrize("name", library())
def test_every_specification_of_the_library(name: str) -> None:
    spec = library()[name]
    letters = {s.name: s.letter for s in spec.states}
    assert difference(spec.automaton, mona(spec.formula, letters)) is None


def grown(draw: random.Random, size: int) -> Formula:
    """A random formula with so many operators."""
    if size == 0:
        return Atom(draw.choice("abc"))
    kind = draw.choice(["!", "X", "WX", "F", "G", "U", "&", "|", "most"])
    if kind in ("U", "&", "|"):
        left = draw.randrange(size)
        parts = grown(draw, left), grown(draw, size - 1 - left)
        return {"U": lambda: Until(*parts), "&": lambda: And(parts), "|": lambda: Or(parts)}[kind]()
    if kind == "most":
        return AtMost(draw.randint(0, 2), Atom(draw.choice("abc")))
    of = grown(draw, size - 1)
    return {"!": Not, "X": Next, "WX": WeakNext, "F": Eventually, "G": Always}[kind](of)


@pytest.mark.must_show("ltl", 2)
def test_fifty_random_formulas() -> None:
    draw = random.Random(20231013)
    sets = [frozenset(c for i, c in enumerate("abc") if n >> i & 1) for n in range(8)]
    letters = {"".join(sorted(s)) or "none": s for s in sets}
    unsatisfiable = 0
    for number in range(50):
        formula = grown(draw, 3 + number % 5)
        reference = mona(formula, letters)
        try:
            ours = build(formula, letters)
        except BadInput:
            unsatisfiable += 1
            never = Automaton(tuple(letters), ((0,) * 8,), (False,), (0,), ("false",))
            assert difference(never, reference) is None, str(formula)
        else:
            assert difference(ours, reference) is None, str(formula)
    assert unsatisfiable < 10  # the comparison is about automata


def test_a_difference_would_be_found() -> None:
    letters = {n: frozenset(n) for n in "ab"}
    ours = build(Always(Atom("a")), letters)
    assert difference(ours, mona(WeakNext(Always(Atom("a"))), letters)) == ("b",)
