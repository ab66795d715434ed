"""Function mode: code from a description, its review, its tests, and repairs from what they say."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from collegium.kernel import Generate, Kernel, Limits, Send, Unparsed, UseTool
from collegium.systems import get_system
from collegium.systems.metagpt.function_mode import assertion, given_tests, program_of
from collegium.systems.solve import Solved, solve
from collegium.tasks.task import Task
from tests.kernel.support import Scripted
from tests.systems.metagpt.script import BAD, GOOD, block

TASK = Task(
    id="f",
    prompt="Write a function that gives the largest number of a list, or None for an empty list."
    "\n\nWrite it in Python. This test must pass:\n\n```python\nassert biggest([1,3,2])==3\n```",
    answer="code",
    entry_point="biggest",
)
SEEDED = "def biggest(numbers):\n    return max(numbers)\n"
MENDED = "def biggest(numbers):\n    return max(numbers) if numbers else None\n"
TESTS = {
    "tests": [
        {"call": "biggest([])", "result": "None"},
        {"call": "biggest([2, 2])", "result": "2"},
    ]
}
ENGINEER = {"instruction": "an empty list has no largest number", "send_to": "Engineer"}
TESTER = {"instruction": "the test is wrong", "send_to": "QaEngineer"}

STEPS = (
    ("review", "You review the file solution.py"),
    ("rewrite", "so that the review is met"),
    ("tests", "Write 3 tests of"),
    ("report", "Is the code wrong (send_to Engineer)"),
    ("repair", "Correct the code."),
    ("code", "Write the complete Python code in one code block."),
)


def scripted(replies: dict[str, Any], steps: list[str]) -> Callable[[Generate, int], str]:
    """Replies by what is asked for; a list gives one after the other, the last one again."""

    def answer(request: Generate, i: int) -> str:
        prompt = request.messages[-1].text
        step = next((name for name, words in STEPS if words in prompt), "mend")
        given = replies[step]
        if isinstance(given, list):
            given = given[min(steps.count(step), len(given) - 1)]
        steps.append(step)
        return given if isinstance(given, str) else json.dumps(given)

    return answer


async def write(
    replies: dict[str, Any], *, task: Task = TASK, limits: Limits = Limits(), **parameters: Any
) -> tuple[Solved, list[str], Kernel]:
    steps: list[str] = []
    kernel = Kernel(Scripted(scripted(replies, steps)), limits=limits)
    system = get_system("metagpt")
    return await solve(system, task, kernel, system.bind(parameters)), steps, kernel


BASE = {"code": block(SEEDED), "review": GOOD, "tests": TESTS, "report": ENGINEER}
BASE |= {"repair": block(MENDED)}


@pytest.mark.must_show("metagpt", 6)
async def test_a_failed_test_goes_to_the_engineer_and_the_code_is_mended() -> None:
    solved, steps, kernel = await write(BASE)
    assert steps == ["code", "review", "tests", "report", "repair"]
    result = solved.result
    assert result.answer == MENDED
    assert result.notes["self_tests"] == {"passed": 3, "total": 3}
    assert [(r["passed"], r["total"], r["send_to"]) for r in result.notes["runs"]] == [
        (2, 3, "Engineer"),
        (3, 3, "NoOne"),
    ]
    assert result.notes["runs"][0]["failed"] == ["assert biggest([]) == None"]
    # The test that the task shows is one of them; every one ran in the sandbox.
    runs = [e for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert [e.call.arguments["tests"][0] for e in runs] == ["assert biggest([1, 3, 2]) == 3"] * 2  # type: ignore
    prompts = [e.call.messages[-1].text for e in kernel.trace.events if e.replies]  # type: ignore
    assert "assert biggest([]) == None fails: ValueError" in prompts[-1]
    assert "an empty list has no largest number" in prompts[-1]
    assert sorted(result.files) == ["dependencies.json", "solution.py", "tests.py"]


async def test_the_ablations() -> None:
    solved, steps, kernel = await write(BASE, code_review=0, run_tests=False)
    assert (steps, solved.result.answer) == (["code"], SEEDED)
    assert "self_tests" not in solved.result.notes
    assert [e.call.to for e in kernel.trace.events if isinstance(e.call, Send)] == ["engineer"]
    bad = {**BASE, "review": BAD, "rewrite": block(MENDED)}
    solved, steps, _ = await write(bad, code_review=2, run_tests=False)
    assert steps == ["code", "review", "rewrite", "review", "rewrite"]
    assert solved.result.answer == MENDED
    solved, steps, _ = await write(BASE, code_review=0)
    assert steps == ["code", "tests", "report", "repair"]


@pytest.mark.must_show("metagpt", 6)
async def test_no_more_than_three_retries() -> None:
    solved, steps, _ = await write({**BASE, "repair": block(SEEDED)}, code_review=0)
    assert steps.count("repair") == 3
    assert len(solved.result.notes["runs"]) == 4
    assert solved.result.notes["self_tests"] == {"passed": 2, "total": 3}
    assert "stopped" not in solved.result.notes


@pytest.mark.must_show("metagpt", 6)
async def test_an_infinite_loop_is_a_failed_test() -> None:
    endless = "def biggest(numbers):\n    while True:\n        pass\n"
    replies = {**BASE, "code": block(endless)}
    solved, _, _ = await write(replies, code_review=0, test_rounds=0, test_seconds=1.0)
    assert solved.result.notes["self_tests"] == {"passed": 0, "total": 3}


async def test_wrong_tests_are_written_anew_and_the_code_stays() -> None:
    wrong = {"tests": [{"call": "biggest([5])", "result": "6"}]}
    replies = {**BASE, "code": block(MENDED), "tests": [wrong, TESTS], "report": TESTER}
    solved, steps, _ = await write(replies, code_review=0)
    assert steps == ["code", "tests", "report", "tests"]
    assert solved.result.answer == MENDED
    assert solved.result.notes["self_tests"] == {"passed": 3, "total": 3}


async def test_a_test_that_the_task_gives_is_never_at_fault() -> None:
    broken = "def biggest(numbers):\n    return 0\n"
    replies = {**BASE, "code": block(broken), "report": TESTER}
    solved, steps, _ = await write(replies, code_review=0)
    assert steps == ["code", "tests", "report", "repair"]
    assert solved.result.answer == MENDED
    assert solved.result.notes["counts"]["overruled_reports"] == 1


async def test_tests_that_are_none_are_left_out() -> None:
    tests = {
        "tests": [
            {"call": "print(1)", "result": "1"},
            {"call": "biggest([1]", "result": ""},
            {"call": "biggest([1])", "result": "1"},
        ]
    }
    solved, _, _ = await write({**BASE, "tests": tests}, code_review=0)
    assert solved.result.notes["counts"]["unusable_tests"] == 2
    assert solved.result.notes["self_tests"] == {"passed": 2, "total": 2}
    bare = Task(id="f", prompt="Write biggest.", answer="code", entry_point="biggest")
    solved, steps, _ = await write(
        {**BASE, "tests": "no tests", "mend": "none"}, task=bare, code_review=0
    )
    assert steps == ["code", "tests", "mend"]
    assert solved.result.answer == SEEDED
    assert "self_tests" not in solved.result.notes
    assert solved.result.notes["counts"]["no_tests"] == 1


async def test_no_code_is_an_abstention() -> None:
    solved, steps, _ = await write({**BASE, "code": "I cannot."})
    assert steps == ["code", "code"]
    assert isinstance(solved.result.answer, Unparsed)


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
async def test_a_limit_leaves_the_code_so_far(calls: int) -> None:
    solved, steps, _ = await write(BASE, limits=Limits(calls=calls))
    assert len(steps) == calls
    assert solved.result.answer == SEEDED
    assert f"the limit of {calls} generations is used up" in solved.limited


@pytest.mark.parametrize(
    ("test", "line"),
    [
        ("assert f(1) == 2", "assert f(1) == 2"),
        ("assert f(1)==2, 'no'", "assert f(1) == 2, 'no'"),
        ("assert g(1) == 2", ""),
        ("assert f", ""),
        ("f(1)", ""),
        ("assert f(1) == 2; import os", ""),
        ("assert f(", ""),
        ("", ""),
    ],
)
def test_what_is_a_test(test: str, line: str) -> None:
    assert assertion(test, "f") == line


def test_what_a_task_gives() -> None:
    stub = 'def tri(n: int) -> List[int]:\n    """Numbers."""'
    task = Task(
        id="h",
        prompt=f"Complete this.\n\n```python\nfrom typing import List\n\n{stub}\n```",
        answer="code",
        entry_point="tri",
    )
    assert given_tests(task) == []
    assert given_tests(TASK) == ["assert biggest([1, 3, 2]) == 3"]
    program = program_of(task, "def tri(n: int) -> List[int]:\n    return [n]\n")
    names: dict[str, Any] = {}
    exec(program, names)  # the imports that the task gave are part of it
    assert names["tri"](3) == [3]
    assert program_of(TASK, SEEDED) == SEEDED.rstrip()
