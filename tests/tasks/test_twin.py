"""Twins of real questions: sound by construction, the same story, another answer."""

import random
import re
from fractions import Fraction

import pytest

from collegium.errors import BadInput, UnknownName
from collegium.tasks import benchmarks, load
from collegium.tasks.annotations import annotated, quantities, unannotated
from collegium.tasks.twin import Template, draw, recompute, solutions, template, twins
from collegium.tasks.twin_words import constants, numbers, threshold, worded, written
from collegium.tasks.word_problems import read_gsm8k

SHOP = "Ann has 16 eggs and eats 6. She sells the rest at $2.50 each. How much does she make?"
SOLD = "She has 16-6=<<16-6=10>>10 eggs.\nShe makes 10*2.5=$<<10*2.5=25>>25.\n#### 25"


def values(made: Template) -> dict[Fraction, Fraction]:
    """Every number of a template as it is."""
    return {n.value: n.value for n in made.numbers}


def figures(text: str) -> list[str]:
    """What stands between the numbers of a text."""
    return re.split(r"\d[\d,]*(?:\.\d+)?", text)


def test_fifty_real_questions_with_other_numbers(data) -> None:
    changed, original = load("gsm8k-twin", limit=50), load("gsm8k-twin:original", limit=50)
    assert len(changed.items) == len(original.items) == 50
    assert changed.fingerprint != original.fingerprint
    solved = solutions("test")
    for twin, item in zip(changed.items, original.items, strict=True):
        assert twin.task.id == f"gsm8k-twin/{item.task.id.partition('/')[2]}"
        # Only numbers differ, and at least one does; the answer is another whole number or amount.
        assert figures(twin.task.prompt) == figures(item.task.prompt)
        assert twin.task.prompt != item.task.prompt
        assert twin.reference != item.reference
        assert Fraction(twin.reference) > 0
        made = template(item.task.prompt, solved[item.task.id], item.reference)
        assert isinstance(made, Template)
        assert recompute(made, values(made)) == Fraction(item.reference)
        # The new answer is that of the annotations with the numbers read back from the twin.
        new = dict(zip((n.value for n in made.numbers),
                       (n.value for n in numbers(twin.task.prompt)), strict=True))  # fmt: skip
        assert recompute(made, new) == Fraction(twin.reference)


async def test_a_twin_judges_its_own_answer(data) -> None:
    for twin, item in zip(load("gsm8k-twin", limit=20).items,
                          load("gsm8k-twin:original", limit=20).items, strict=True):  # fmt: skip
        assert (await twin.score(twin.reference)).correct
        assert not (await twin.score(item.reference)).correct


def test_what_is_left_out_is_counted(data) -> None:
    questions = read_gsm8k("test", "")
    made = twins(questions, solutions("test"), seed=0)
    assert len(made.changed) == len(made.originals) >= 50
    assert len(made.changed) + sum(made.left_out.values()) == len(questions)
    left = sum(made.left_out.values())
    assert made.source.startswith(f"{left} of {len(questions)} questions left out: ")
    assert made.source in load("gsm8k-twin").source


def test_the_same_seed_gives_the_same_twins_and_a_larger_limit_adds_some(data) -> None:
    def prompts(**how) -> list[tuple[str, str]]:
        return [(i.task.prompt, i.reference) for i in load("gsm8k-twin", **how).items]

    few, more, other = prompts(limit=8), prompts(limit=12), prompts(limit=12, seed=1)
    assert more[:8] == few
    assert prompts(limit=12) == more
    assert set(other).isdisjoint(more)
    assert len(prompts(limit=3, seed=None)) == 3


def test_splits_do_not_share_questions(data) -> None:
    ids = {
        split: {i.task.id for i in load("gsm8k-twin", split=split, limit=40).items}
        for split in ("test", "validation", "train")
    }
    assert all(len(found) == 40 for found in ids.values())
    assert not ids["test"] & ids["train"] and not ids["validation"] & ids["train"]


def test_unknown_parts_and_missing_data(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    with pytest.raises(UnknownName, match="part of gsm8k-twin"):
        load("gsm8k-twin:orginal")
    with pytest.raises(BadInput, match="no split 'all'"):
        load("gsm8k-twin", split="all")
    (listed,) = [b for b in benchmarks() if b.name == "gsm8k-twin"]
    assert not listed.available
    assert "gsm8k/test.jsonl" in listed.missing


def test_a_template_by_hand() -> None:
    made = template(SHOP, SOLD, "25")
    assert isinstance(made, Template)
    assert made.moving == (6, 16)
    assert [[u.kind for u in line] for line in made.bound] == [
        ["number", "number"], ["result", "number"],
    ]  # fmt: skip
    new = {Fraction(16): Fraction(20), Fraction(6): Fraction(8), Fraction(5, 2): Fraction(5, 2)}
    assert recompute(made, new) == 30
    # More eggs eaten than there are is no story.
    assert recompute(made, new | {Fraction(6): Fraction(21)}) is None
    assert written(SHOP, made.numbers, new) == SHOP.replace("16", "20").replace("eats 6", "eats 8")
    drawn = draw(made, random.Random(0))
    assert drawn is not None
    assert drawn[1] != "25"
    assert "$2.50" in drawn[0]


@pytest.mark.parametrize(
    ("question", "solution", "answer", "reason"),
    [
        (SHOP, "She makes $25.\n#### 25", "25", "no annotations"),
        (SHOP, SOLD.replace("=10>>", "=11>>"), "25", "a rounded result"),
        (SHOP, "16/6=<<16/6=2.67>>\n2.67*2.5=<<2.67*2.5=6.675>>", "6.675", "a rounded result"),
        (SHOP, SOLD, "26", "last annotation"),
        (SHOP, "16-6=10 eggs; 10-1=9.\n10*2.5=<<10*2.5=25>>25\n", "25", "without annotation"),
        (f"{SHOP} Over 40 eggs are free.", SOLD, "25", "a rule in words"),
        (SHOP, "<<17-7=10>>10\n<<10*2.5=25>>25\n", "25", "from nowhere"),
        (SHOP.replace("$2.50", "$10"), "<<16-6=10>>10\n<<10*10=100>>100\n", "100", "two things"),
        (f"{SHOP} She is 30.", SOLD, "25", "does not use"),
        (f"{SHOP} She has thirty hens.", SOLD, "25", "does not use"),
        ("Ann has 4 eggs and eats 3. How many are left?", "<<4-3=1>>1", "1", "no number that may"),
        (SHOP, "<<__import__('os')=1>>1", "1", "unreadable"),
        (SHOP, "<<2**9=512>>512", "512", "unreadable"),
        (SHOP, "<<6/0=6>>6", "6", "a rounded result"),
    ],
)
def test_what_is_in_doubt_is_left_out(question, solution, answer, reason) -> None:
    made = template(question, solution, answer)
    assert isinstance(made, str)
    assert reason in made


def test_what_is_left_of_half_is_half() -> None:
    # 50% off: the share may be what is taken off or what is left, so it stays.
    question = "A coat of 20 dollars is 50% off. What do 8 coats cost?"
    made = template(question, "<<20*0.5=10>>10\n<<10*8=80>>80", "80")
    assert isinstance(made, Template)
    assert made.moving == (8, 20)
    made = template(question.replace("50%", "40%"), "<<20*0.4=8>>8\n<<20-8=12>>12", "12")
    assert isinstance(made, str)  # the 8 coats are not used, and 8 is a result too
    both = "Of 40 hens 25% are red and 75% white. How many are red?"
    made = template(both, "<<40*.25=10>>10", "10")
    assert isinstance(made, Template)
    assert made.moving == (40,)


def test_a_word_that_may_stand_for_a_number_keeps_it() -> None:
    # 7 may be the eggs or the days of the week.
    question = "A hen lays 7 eggs a day and eats 12 beans. How many eggs and beans are in a week?"
    made = template(question, "<<7*7=49>>49\n<<12*7=84>>84\n<<49+84=133>>133", "133")
    assert isinstance(made, Template)
    assert made.moving == (12,)


def test_numbers_in_figures_and_in_words() -> None:
    text = ("In 1999, at 7 am, Al ran 1,200 m, 3/4 of 2.50 km, 5% of 20th, two hundred or "
            "twenty-five times .5 on the A4.")  # fmt: skip
    found = {str(n.value): n for n in numbers(text)}
    free = {name for name, n in found.items() if not n.fixed}
    assert free == {"1200", "5/2", "5", "1/2"}
    assert [n for n, number in found.items() if number.percent] == ["5"]
    assert worded(text) == {Fraction(200), Fraction(25)}
    assert {Fraction(60), Fraction(7)} <= constants("an hour a week")
    assert threshold("She gets more for over 40 hours.")
    assert not threshold("He has 5 more than Ann.")
    new = {n.value: n.value * 2 for n in numbers("1,200 or $2.50")}
    assert written("1,200 or $2.50", numbers("1,200 or $2.50"), new) == "2,400 or $5.00"


def test_annotations() -> None:
    (one,) = annotated("<<-2*(3+.5)=-7>>")
    assert one.leaves == (2, 3, Fraction(1, 2))
    assert quantities(one, one.leaves) == [2, -2, 3, Fraction(1, 2), Fraction(7, 2), -7]
    assert quantities(one, [Fraction(n) for n in (4, 1, 1)]) == [4, -4, 1, 1, 2, -8]
    (one,) = annotated("<<1/2=0.5>>")
    assert quantities(one, [Fraction(1), Fraction(0)]) is None
    assert annotated("<<3=3>> and <<1+=2>>") == ()
    assert not unannotated("16-6=<<16-6=10>>10")
    assert unannotated("16-6=10, so 10*2=<<10*2=20>>20")
