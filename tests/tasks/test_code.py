import pytest

from collegium.tasks.code import build_program, extract_code
from collegium.tasks.scorers import score_code

STUB = '''from typing import List


def helper(x):
    return x + 1


def double(x: int) -> int:
    """Return twice x."""
'''
TESTS = "assert double(4) == 8\nassert helper(1) == 2"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("    return 1\n", "    return 1"),
        ("Here:\n```python\nx = 1\n```\nDone.", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("~~~py\nx = 1\n~~~", "x = 1"),
        ("```python\ndef double(x):\n    return 2", "def double(x):\n    return 2"),
        ("```\ndef double(x): ...\n```\nUse it:\n```\nprint(double(2))\n```", "def double(x): ..."),
        ("```\ndef double(x): 1\n```\nBetter:\n```\ndef double(x): 2\n```", "def double(x): 2"),
        (
            "```\ndef other(): 1\n```\n```\ndef double(x): 2\n```\n```\ndef main(): 3\n```",
            "def double(x): 2",
        ),
        ("```\na\n```\n```\nb\n```", "b"),
        ("", ""),
    ],
)
def test_the_code_of_an_answer(text: str, code: str) -> None:
    assert extract_code(text, "double") == code


@pytest.mark.parametrize(
    "answer",
    [
        "def double(x):\n    return 2 * x",
        "```python\ndef double(x: int) -> int:\n    return 2 * x\n```",
        "    return 2 * x",
        "return 2 * x",
        "    y = x\n    return x + y",
        "y = x\n    return x + y",
        "y = x\nreturn x + y",
        "```python\n    return 2 * x\n```",
        "double = lambda x: 2 * x",
        "def twice(x):\n    return 2 * x\n\ndef double(x):\n    return twice(x)",
        "    return twice(x)\n\n\ndef twice(x):\n    return 2 * x",
    ],
)
def test_whole_functions_and_bodies_become_the_same_program(answer: str) -> None:
    names: dict[str, object] = {}
    exec(build_program(answer, STUB, "double"), names)
    exec(TESTS, names)


def test_without_a_stub_the_answer_is_the_program() -> None:
    assert build_program("```\nx = 1\n```") == "x = 1"


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("def double(x): return 2 * x", "passed"),
        ("def double(x): return 3 * x", "assertion failed"),
        ("def double(x: return", "SyntaxError"),
        ("I can't do that.", "SyntaxError"),
        ("def double(x): raise SystemExit", "before the tests completed"),
        (12, "assertion failed"),
    ],
)
async def test_tests_judge(answer: object, reason: str) -> None:
    score = await score_code(answer, tests=TESTS, stub=STUB, entry_point="double")
    assert reason in score.reason
    assert score.correct is (reason == "passed")
