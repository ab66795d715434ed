from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.kernel.calls import Unparsed
from collegium.tasks import AnswerKind, normalise_answer

KINDS: list[AnswerKind] = ["text", "number", "choice", "latex", "code"]
CITIES = ("London", "Paris", "A small town", "x")


@pytest.mark.parametrize("kind", ["number", "latex"])
def test_equal_numbers_are_one_vote(kind: AnswerKind) -> None:
    votes = Counter(normalise_answer(v, kind) for v in [12, 12.0, "\\boxed{12}", 7])
    assert votes == {"12": 3, "7": 1}
    more = ["12", "12.00", "$12", "$12$", " 12. ", "The answer is 12.", 12.0]
    assert {normalise_answer(v, kind) for v in more} == {"12"}


def test_what_a_program_computed_equals_what_it_meant() -> None:
    assert normalise_answer(0.1 + 0.2, "number") == normalise_answer("0.3", "number") == "0.3"
    assert normalise_answer(1 / 3, "number") == normalise_answer("1/3", "number")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, "", "  \n", Unparsed("hm", "no JSON")])
def test_no_answer_has_no_normal_form(kind: AnswerKind, value: object) -> None:
    assert normalise_answer(value, kind, CITIES) is None


@pytest.mark.parametrize("value", ["none", True, "x2", float("nan")])
def test_no_number(value: object) -> None:
    assert normalise_answer(value, "number") is None


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})"),
        ("(3, \\dfrac\\pi2)", "(3,\\frac\\pi2)"),
        ("90^\\circ", "90"),
        ("90°", "90"),
        ("\\frac{270}7\\text{ degrees}", "38.5714285714"),
        ("\\text{Evelyn}", "evelyn"),
        ("Evelyn", "evelyn"),
        ("x", "x"),
        ("$x = 5$", "5"),
        ("\\boxed{\\dfrac12}", "0.5"),
        ("4210_{5}", "4210_5"),
        ("11\\sqrt2", "11\\sqrt{2}"),
        ("10,\\!080", "10080"),
        ("The answer is $\\frac{\\pi}{2}$.", "\\frac{\\pi}{2}"),
        ("So it is \\boxed{2k + 2}", "2k+2"),
        ("3, 5, 7", "3,5,7"),
    ],
)
def test_latex(value: str, form: str) -> None:
    assert normalise_answer(value, "latex") == form


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("B) Paris", "B"),
        ("B. Paris", "B"),
        ("**B**", "B"),
        ("\\boxed{B}", "B"),
        ("$\\boxed{\\text{B}}$", "B"),
        ("Answer: B", "B"),
        ("The answer is (B).", "B"),
        (" paris ", "B"),
        ("A small town", "C"),
        ("X", "D"),
        ("E", None),
        ("A town", None),
        ("Rome", None),
        (2, None),
    ],
)
def test_choices(value: object, letter: str | None) -> None:
    assert normalise_answer(value, "choice", CITIES) == letter


def test_spelling_counts_where_it_tells_options_apart() -> None:
    genes = ("BB BB", "BB Bb", "Bb Bb", "Bb bb")
    assert [normalise_answer(gene, "choice", genes) for gene in genes] == ["A", "B", "C", "D"]
    assert normalise_answer("bb bb", "choice", genes) is None
    feet = ("6'", "6", "6''", "6#")
    assert [normalise_answer(length, "choice", feet) for length in feet] == ["A", "B", "C", "D"]


def test_a_choice_without_known_options_is_any_letter() -> None:
    assert normalise_answer("e", "choice") == "E"
    assert normalise_answer("Paris", "choice") is None


def test_text_and_code() -> None:
    assert normalise_answer("  The  CAT. ", "text") == "the cat"
    assert normalise_answer(12.0, "text") == "12"
    assert normalise_answer("```python\nx = 1  \n```", "code") == "x = 1"


@pytest.mark.parametrize("kind", KINDS)
@given(
    value=st.one_of(
        st.text(), st.integers(), st.floats(), st.from_regex(r"[\\${}()=a-z0-9., ^_]{0,30}")
    )
)
def test_a_normal_form_is_its_own(kind: AnswerKind, value: object) -> None:
    form = normalise_answer(value, kind, CITIES)
    assert normalise_answer(form, kind, CITIES) == form


@given(
    st.lists(
        st.sampled_from(
            ["\\frac", "\\text{", "\\boxed{", "}", "{", "x=", "1", "$", "answer is ", "."]
        )
    )
)
def test_a_normal_latex_form_is_its_own(parts: list[str]) -> None:
    form = normalise_answer("".join(parts), "latex")
    assert normalise_answer(form, "latex") == form
