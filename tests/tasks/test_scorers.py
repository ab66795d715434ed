import asyncio
import functools
import pickle

import pytest

from collegium.kernel.calls import Unparsed
from collegium.tasks import Score, load
from collegium.tasks.math_equal import math_equal
from collegium.tasks.scorers import (
    UNPARSED,
    score_choice,
    score_code,
    score_generated,
    score_latex,
    score_number,
    score_text,
)

NOTHING = [None, Unparsed("I think", "no JSON"), "", "   "]


@pytest.mark.parametrize("answer", NOTHING)
async def test_no_answer_is_unparsed_for_every_scorer(answer: object) -> None:
    generated = {"generator": "gcd", "seed": 1, "index": 0}
    scores = [
        await score_number(answer, reference="12"),
        await score_choice(answer, reference="A", choices=("x", "y")),
        await score_text(answer, reference="cat"),
        await score_latex(answer, reference="x"),
        await score_code(answer, tests="assert True"),
        await score_generated(answer, kind="number", reference="1", **generated),
        await score_generated(answer, kind="text", reference="1", **generated),
    ]
    assert scores == [Score(0.0, False, "unparsed")] * len(scores)


@pytest.mark.parametrize(
    ("answer", "reference", "correct"),
    [
        (12, "12", True),
        (12.0, "12", True),
        ("$12.00", "12", True),
        ("2,125", "2125", True),
        (17.999999999999996, "18", True),
        (18.1, "18", False),
        (-18, "18", False),
        (1_000_001, "1000000", False),
        ("0.3333333", "1/3", True),
        ("50%", "50", True),
        ("50%", "0.5", True),
        ("\\frac{3}{4}", "0.75", True),
        ("She pays $18 in total.", "18", True),
        ("It is 18 or 19", "18", False),
        ([12], "12", True),
    ],
)
async def test_numbers(answer: object, reference: str, correct: bool) -> None:
    score = await score_number(answer, reference=reference)
    assert (score.correct, score.value) == (correct, float(correct))


@pytest.mark.parametrize("answer", [True, "none", float("nan"), object])
async def test_what_is_no_number_is_unparsed(answer: object) -> None:
    assert await score_number(answer, reference="1") == UNPARSED


async def test_choice() -> None:
    choices = ("yes", "no", "maybe")
    for right in ("B", "b", "(B)", "no", "No.", "B. no"):
        assert (await score_choice(right, reference="B", choices=choices)).correct
    for wrong in ("A", "yes", "C"):
        score = await score_choice(wrong, reference="B", choices=choices)
        assert score == Score(0.0, False, "wrong")
    for neither in ("D", "perhaps", 1):
        assert await score_choice(neither, reference="B", choices=choices) == UNPARSED


async def test_text() -> None:
    assert (await score_text(" The  cat.", reference="the CAT")).correct
    assert not (await score_text("the cats", reference="the cat")).correct
    assert (await score_text(12.0, reference="12")).correct


@pytest.mark.parametrize(
    ("answer", "reference", "equal"),
    [
        # Settled without algebra.
        ("\\boxed{\\dfrac12}", "0.5", True),
        ("\\text{Evelyn}", "Evelyn", True),
        ("90", "90^\\circ", True),
        ("3", "4", False),
        # By math-verify.
        ("2(k+1)", "2k+2", True),
        ("ab+2a+5b+10", "(a+5)(b+2)", True),
        ("(3, \\pi/2)", "\\left( 3, \\frac{\\pi}{2} \\right)", True),
        ("3*sqrt(13)", "3\\sqrt{13}", True),
        ("-2, 1", "1,-2", True),
        ("5x-7y+11z=-4", "5x - 7y + 11z + 4 = 0", True),
        ("\\frac{\\cos x}{\\sin x}", "\\cot x", True),
        ("1250\\%", "12.5", True),
        ("The answer is $2k+2$.", "2(k+1)", True),
        ("q-p", "p - q", False),
        ("(3,4)", "(3,4]", False),
        ("6+5i", "6 - 5i", False),
        ("x^5 - x^4", "x^5 - x^3", False),
        ("nonsense \\frac{", "p - q", False),
    ],
)
@pytest.mark.usefixtures("math_verify")
async def test_mathematics(answer: str, reference: str, equal: bool) -> None:
    assert await math_equal(answer, reference, seconds=20) is equal
    assert (await score_latex(answer, reference=reference, seconds=20)).correct is equal


@pytest.mark.usefixtures("math_verify")
async def test_mathematics_that_takes_too_long_is_wrong() -> None:
    await math_equal("2(k+1)", "2k+2", seconds=20)
    score = await score_latex("9^{9^{9^{9}}}", reference="x+1", seconds=0.5)
    assert score == Score(0.0, False, "could not be compared: it took too long")


@pytest.mark.usefixtures("math_verify")
async def test_many_answers_are_judged_at_once() -> None:
    scores = await asyncio.gather(
        *(score_latex(f"{k}(x+1)", reference=f"{k}x+{k}", seconds=20) for k in range(2, 22))
    )
    assert all(score.correct for score in scores)


def test_scorers_can_be_sent_to_another_process(data: object) -> None:
    for name in ("gsm8k", "math500", "mmlu:anatomy", "humaneval"):
        item = load(name, limit=1).items[0]
        assert isinstance(item.score, functools.partial)
        copy = pickle.loads(pickle.dumps(item.score))
        assert (copy.func, copy.keywords) == (item.score.func, item.score.keywords)
