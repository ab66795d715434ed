"""The calculator."""

import pytest

from collegium.errors import BadInput
from collegium.tools.calculator import calculate, calculator


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3 / 2", 4.5),
        ("2^10 - 2**3", 1016),
        ("-7 // 2 + 7 % 4", -1),
        ("$5 × 3 ÷ 2", 7.5),
        ("sqrt(16) + max(1, 2) + abs(-3) + round(2.6)", 12),
        ("10 / 5", 2),
        ("1_000 + 1", 1001),
    ],
)
def test_arithmetic(text: str, value: float) -> None:
    assert calculate(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "1 / 0",
        "9 ** 9 ** 9",
        "(-1) ** 0.5",
        "__import__('os').system('true')",
        "x",
        "'a' * 10",
        "True + 1",
        "[1][0]",
        "sqrt(-1)",
        "max()",
        "(" * 5000 + "1" + ")" * 5000,
        "9 ** 399 * 9 ** 399 * 9 ** 399 * 9 ** 399 * 9 ** 399",
    ],
)
def test_what_it_refuses(text: str) -> None:
    with pytest.raises(BadInput, match="cannot be calculated"):
        calculate(text)


async def test_as_a_tool() -> None:
    assert calculator.spec.parameters["required"] == ["expression"]
    assert await calculator.run({"expression": "6 * 7"}) == 42
