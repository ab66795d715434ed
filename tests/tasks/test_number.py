from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.tasks.number import (
    boxed,
    canonical_number,
    final_number,
    numbers_equal,
    parse_number,
)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (12, 12),
        (12.0, 12),
        (0.1, Fraction(1, 10)),
        (Decimal("1.50"), Fraction(3, 2)),
        (Fraction(3, 4), Fraction(3, 4)),
        ("12", 12),
        ("12.", 12),
        ("12.00", 12),
        ("+12", 12),
        (" 12\n", 12),
        ("**12**", 12),
        ("\\boxed{12}", 12),
        ("$\\boxed{-12}$", -12),
        ("$12$", 12),
        ("\\(12\\)", 12),
        ("$12", 12),
        ("-$12", -12),
        ("$-12", -12),
        ("€ 12", 12),
        ("$1,234.50", Fraction(2469, 2)),
        ("1,00,000", 100_000),
        ("10,\\!080", 10_080),
        ("1{,}000", 1_000),
        ("\u2212" + "5", -5),
        ("１２", 12),
        (".5", Fraction(1, 2)),
        ("50%", 50),
        ("50\\%", 50),
        ("3/4", Fraction(3, 4)),
        ("-3/4", Fraction(-3, 4)),
        ("1 1/2", Fraction(3, 2)),
        ("\\frac{3}{4}", Fraction(3, 4)),
        ("\\dfrac34", Fraction(3, 4)),
        ("-\\frac43", Fraction(-4, 3)),
        ("1\\frac{1}{2}", Fraction(3, 2)),
        ("\\frac{270}7", Fraction(270, 7)),
        ("1.5e3", 1500),
        ("1E-2", Fraction(1, 100)),
        ("1.5 \\times 10^{3}", 1500),
        ("2×10^5", 200_000),
    ],
)
def test_numbers_are_read_however_they_are_written(written: object, number: Fraction) -> None:
    assert parse_number(written) == number


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        False,
        "",
        "twelve",
        "12 apples",
        "1,2",
        "1,23",
        "x2",
        "1/0",
        "1/2/3",
        "3:30",
        "2x",
        "(1,2)",
        "--5",
        "1e999999999",
        "9" * 5000,
        10**1000,
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        [12],
        object(),
    ],
)
def test_what_is_not_one_number_is_none(written: object) -> None:
    assert parse_number(written) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is $18.", 18),
        ("She has 3 cats and 4 dogs, so 7 animals.", 7),
        ("12 dollars", 12),
        ("#### 2,125", 2125),
        ("Add 4 and 5.\n#### 9\n", 9),
        ("\\boxed{12}, which is more than 3", 12),
        ("so x = -10", -10),
        ("between 10-20", 20),
        ("a total of 1/4", Fraction(1, 4)),
        ("It grew by 12.5%.", Fraction(25, 2)),
        ("\\boxed{\\text{about } 7}", 7),
        ("A: 18", 18),
    ],
)
def test_the_last_number_of_a_text_is_its_result(text: str, number: Fraction) -> None:
    assert final_number(text) == number


@pytest.mark.parametrize("text", ["", "none", "x2 and y_3", "no idea"])
def test_a_text_may_have_no_number(text: str) -> None:
    assert final_number(text) is None


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("\\boxed{1} and \\boxed{2}", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\fbox{3}", None),
        ("\\boxed{3} \\boxed{4", "3"),
        ("\\boxed{", None),
        ("}{", None),
    ],
)
def test_the_last_box_that_closes(text: str, inside: str | None) -> None:
    assert boxed(text) == inside


@pytest.mark.timeout(300)  # time that grows with the square of the length would take hours
def test_reading_is_quick_whatever_a_model_repeats() -> None:
    for unit in ("\\boxed{", "1,", "\\frac{1}", "1 ", "$", "-", "1/", "{", "1e"):
        final_number(unit * 20_000)


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (12, 12, True),
        (1_000_000, 1_000_001, False),
        (Fraction("17.999999999999996"), 18, True),
        (Fraction("0.333333"), Fraction(1, 3), True),
        (Fraction("0.3333"), Fraction(1, 3), False),
        (Fraction("1e-17"), 0, True),
        (-5, 5, False),
    ],
)
def test_equality(first: Fraction, second: Fraction, equal: bool) -> None:
    assert numbers_equal(Fraction(first), Fraction(second)) is equal
    assert numbers_equal(Fraction(second), Fraction(first)) is equal


@given(st.integers(min_value=-(10**40), max_value=10**40))
def test_whole_numbers_survive_any_format(number: int) -> None:
    for written in (
        number,
        str(number),
        f"{number:,}",
        f"${number:,}",
        f"{number}.0",
        f"{number}%",
    ):
        assert parse_number(written) == number
    assert canonical_number(Fraction(number)) == str(number)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**7), max_value=10**7
    )
)
def test_decimals_survive_any_format(number: Decimal) -> None:
    for written in (number, float(number), str(number), f"{number:,}", f"\\boxed{{{number}}}"):
        read = parse_number(written)
        assert read is not None
        assert canonical_number(read) == canonical_number(Fraction(number))


@given(st.fractions(max_denominator=10**6))
def test_the_canonical_form_is_its_own(number: Fraction) -> None:
    form = canonical_number(number)
    read = parse_number(form)
    assert read is not None
    assert canonical_number(read) == form
    assert numbers_equal(read, number)
