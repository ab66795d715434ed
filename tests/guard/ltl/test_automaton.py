"""Formulas, their two syntaxes, progression and the automaton, on hand-computed examples."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.errors import BadInput, UnknownName
from collegium.guard.ltl import DEAD, State, Verdict, difference, parse, specify, validate
from collegium.guard.ltl.automaton import Automaton, build
from collegium.guard.ltl.formula import (
    Always,
    And,
    AtMost,
    Atom,
    Constant,
    Eventually,
    Formula,
    Next,
    Not,
    Or,
    Until,
    WeakNext,
)
from collegium.guard.ltl.progression import accepts_end, normal_form, progress
from tests.guard.ltl.support import library


def one_each(names: str) -> dict[str, frozenset[str]]:
    return {n: frozenset(n) for n in names}


def automaton(formula: str, names: str = "ab") -> Automaton:
    return build(parse(formula, names), one_each(names))


def allowed_along(spec_name: str, word: str) -> list[set[str]]:
    machine, q, sets = library()[spec_name].automaton, 0, []
    for letter in word:
        sets.append(set(machine.allowed(q)))
        q = machine.step(q, letter)
    return [*sets, set(machine.allowed(q))]


def transcript(spec_name: str, word: str) -> str:
    """An example with these states and contents that fit."""
    texts = {"A": "calculator", "I": '{"expression": "1 + 1"}'}
    spec = library()[spec_name]
    return "\n".join(f"{spec.state(s).cue} {texts.get(s, 'text')}" for s in word)


def check(spec_name: str, word: str) -> Verdict:
    return validate(library()[spec_name], transcript(spec_name, word))


@pytest.mark.must_show("ltl", 1)
def test_react_has_seven_states_and_the_allowed_sets_of_a_run() -> None:
    machine = library()["react"].automaton
    assert machine.size == 7
    assert sum(machine.accepting) == 1
    sets = [{"Q"}, {"T"}, {"A", "Z"}, {"I"}, {"O"}, {"T"}, {"A", "Z"}, set()]
    assert allowed_along("react", "QTAIOTZ") == sets
    assert check("react", "QTAIOTZ").ok


@pytest.mark.must_show("ltl", 1)
def test_examples_are_refused_where_they_go_wrong() -> None:
    wrong = check("react", "QA")
    assert (wrong.outcome, wrong.position, wrong.state) == ("rejected", 2, "A")
    assert wrong.allowed == ("T",)
    short = check("react", "QTAIO")
    assert (short.outcome, short.allowed) == ("incomplete", ("T",))
    assert library()["pass"].automaton.size == 8
    assert check("pass", "QPAIAIOSPZ").ok
    wrong = check("pass", "QPAIS")
    assert (wrong.outcome, wrong.position, wrong.state) == ("rejected", 5, "S")
    assert set(wrong.allowed) == {"A", "O"}


def test_an_example_is_checked_for_its_contents_too() -> None:
    react = library()["react"]
    text = transcript("react", "QTAIOTZ")
    assert validate(react, text.replace("calculator", "search")).outcome == "content"
    missing = validate(react, text.replace("expression", "number"))
    assert (missing.outcome, missing.position, missing.state) == ("content", 4, "I")
    with pytest.raises(BadInput, match="begins with one of"):
        validate(react, "Once upon a time")


@pytest.mark.must_show("ltl", 4)
def test_a_dead_end_is_found_when_the_specification_is_made() -> None:
    states = [State("a", "[A]"), State("b", "[B]")]
    with pytest.raises(BadInput, match="cannot be satisfied"):
        specify("dead", states, "X(a & b)")
    # With labels, two propositions may hold at one position.
    labelled = [State("a", "[A]", labels=("b2",)), State("b", "[B]")]
    assert specify("alive", labelled, "X(a & b2)").automaton.accepts(["b", "a"])


def test_a_way_into_a_dead_end_is_closed_one_step_early() -> None:
    # After a, X(c) is asked for, and c may never come; the formula after a is not plainly false.
    machine = automaton("(b | (a & X X c)) & G !c", "abc")
    assert machine.allowed(0) == ("b",)
    assert machine.table[0][machine.letters.index("a")] == DEAD


def test_the_budget_keeps_only_moves_towards_an_end() -> None:
    machine = library()["react"].automaton
    after_thought = machine.step(machine.step(0, "Q"), "T")
    assert machine.distance[0] == 3
    assert machine.allowed(after_thought, 6) == ("A", "Z")
    assert machine.allowed(after_thought, 5) == ("A", "Z")  # A I O T Z
    assert machine.allowed(after_thought, 4) == ("Z",)
    assert machine.allowed(0, 2) == ()


def test_both_syntaxes_say_the_same() -> None:
    pairs = [
        ("react", "(next Q (until (next T A I O) (next T Z)))"),
        ("cot", "(next Q T (until T Z))"),
        ("pass", "(next Q (until (next P A I (until (next A I) (next O S))) (next P Z)))"),
        ("rewoo", "(next Q P A I (until (next A I) (next O (until O Z))))"),
        ("reflexion", "(next Q T E (or Z (next R T E (or Z (next R T E Z)))))"),
    ]
    for name, text in pairs:
        spec = library()[name]
        other = specify(name, spec.states, text)
        assert difference(spec.automaton, other.automaton) is None, name


def test_an_expression_can_count_where_the_logic_cannot() -> None:
    even = automaton("(until (next a a) b)")
    assert [even.accepts(["a"] * n + ["b"]) for n in range(5)] == [True, False, True, False, True]


def test_precedence_and_signs() -> None:
    assert parse("a & b | c -> d") == parse("((a & b) | c) -> d")
    assert parse("a -> b -> c") == parse("a -> (b -> c)")
    assert parse("!a U b & c") == parse("((!a) U b) & c")
    assert parse("¬a ∧ b ∨ c → d") == parse("!a & b | c -> d")
    assert parse("G at most 2 a") == Always(AtMost(2, Atom("a")))
    for text in ("a U b U c", "X (a | WX end)", "at most 3 (a | b) & F (G a)"):
        assert parse(str(parse(text))) == parse(text)


@pytest.mark.must_show("ltl", 8)
@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("Q & F Thougth", UnknownName, "column 7: unknown state 'Thougth'; did you mean 'Thought'"),
        ("Q & ", BadInput, "column 5: it ends"),
        ("Q Q", BadInput, "column 3: 'Q' follows a whole formula"),
        ("Q & $", BadInput, "column 5: '\\$' is no part"),
        ("at most Q Q", BadInput, "column 9: 'at most' needs a whole number"),
        ("at most 1 X Q", BadInput, "column 11: 'at most' counts positions"),
        ("(Q", BadInput, "column 3: it ends"),
        ("(until Q)", BadInput, "column 2: until takes two parts"),
    ],
)
def test_a_wrong_formula_says_where(text: str, error: type[BadInput], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        specify("mine", [State("Q", "[Q]", "env"), State("Thought", "[T]")], text)
    assert str(caught.value).startswith("spec 'mine': formula ")


# -- against the definition ------------------------------------------------------------------


def holds(formula: Formula, word: list[frozenset[str]], at: int = 0) -> bool:
    """LTLf as its semantics defines it, on a word that is not empty."""
    last = len(word) - 1
    match formula:
        case Constant(value):
            return value
        case Atom(name):
            return name in word[at]
        case Not(of):
            return not holds(of, word, at)
        case And(parts):
            return all(holds(p, word, at) for p in parts)
        case Or(parts):
            return any(holds(p, word, at) for p in parts)
        case Next(of):
            return at < last and holds(of, word, at + 1)
        case WeakNext(of):
            return at == last or holds(of, word, at + 1)
        case Eventually(of):
            return any(holds(of, word, i) for i in range(at, last + 1))
        case Always(of):
            return all(holds(of, word, i) for i in range(at, last + 1))
        case Until(left, right):
            return any(
                holds(right, word, i) and all(holds(left, word, j) for j in range(at, i))
                for i in range(at, last + 1)
            )
        case AtMost(count, of):
            return sum(holds(of, word, i) for i in range(at, last + 1)) <= count
    raise TypeError(formula)


atoms = st.sampled_from([Atom("a"), Atom("b"), Constant(True), Constant(False)])
formulas = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Next, inner),
        st.builds(WeakNext, inner),
        st.builds(Eventually, inner),
        st.builds(Always, inner),
        st.builds(Until, inner, inner),
        st.builds(lambda a, b: And((a, b)), inner, inner),
        st.builds(lambda a, b: Or((a, b)), inner, inner),
        st.builds(AtMost, st.integers(0, 2), atoms),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(formulas)
def test_progression_agrees_with_the_definition(formula: Formula) -> None:
    letters = [frozenset(s) for s in ("", "a", "b", "ab")]
    for length in (1, 2, 3):
        for word in product(letters, repeat=length):
            cases = normal_form(formula)
            for letter in word:
                cases = progress(cases, letter)
            assert accepts_end(cases) == holds(formula, list(word))
