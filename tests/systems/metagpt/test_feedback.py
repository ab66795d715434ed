"""Reviews, and executable feedback: tests that really run, and who mends what."""

import json
from typing import Any

import pytest

from collegium.kernel import UseTool
from collegium.tasks.task import Task
from tests.systems.metagpt.script import (
    ALL_GOOD,
    BAD,
    BUILT,
    CODE_FREE,
    DESIGN,
    MACHINE,
    PRD,
    Office,
    block,
    build,
    runs_of,
)


@pytest.mark.parametrize(("k", "reviews"), [(0, 0), (1, 1), (2, 2), (3, 3)])
async def test_a_file_that_is_never_good_is_rewritten_k_times(k: int, reviews: int) -> None:
    office = Office({**BUILT, "review machine.py": BAD, "rewrite machine.py": block("x = 1")})
    office.replies["review main.py"] = ALL_GOOD["review main.py"]
    solved, _ = await build(office, code_review=k, run_tests=False)
    assert office.steps.count("review machine.py") == reviews
    assert office.steps.count("rewrite machine.py") == reviews
    assert office.steps.count("review main.py") == min(k, 1)  # LGTM ends it
    expected = "x = 1\n" if k else MACHINE
    assert solved.result.files["adding_machine/machine.py"] == expected
    if k:
        assert "Add, do not store" in office.prompts[5]


async def test_a_review_that_cannot_be_read_is_noted_and_keeps_the_code() -> None:
    office = Office({**BUILT, "review machine.py": "fine?", "mend": "still fine?"})
    office.replies["review main.py"] = ALL_GOOD["review main.py"]
    solved, _ = await build(office, run_tests=False)
    assert solved.result.notes["reviews"][0]["result"] == "unreadable"
    assert solved.result.files["adding_machine/machine.py"] == MACHINE


async def test_a_summary_may_ask_for_another_pass_and_no_more_than_allowed() -> None:
    more = {"open_points": ["main.py prints nothing"], "another_pass": "yes"}
    office = Office({**BUILT, "summary": more})
    solved, _ = await build(office, max_auto_summarize_code=2, **CODE_FREE)
    code = ["code machine.py", "code main.py"]
    assert office.steps == ["prd", "design", "tasks", *code, "summary", *code, "summary", *code]
    assert "- main.py prints nothing" in office.prompts[6]
    assert solved.result.notes["unheard"] == ["m10"]  # there is no tester to hear the last one


async def test_classes_of_the_design_that_no_file_defines_are_told() -> None:
    office = Office({**BUILT, "code machine.py": block("class Other:\n    pass")})
    solved, _ = await build(office, **CODE_FREE)
    assert solved.result.notes["undefined"] == ["Machine"]
    assert "no file defines Machine" in solved.result.account


GRID = Task(id="g", prompt="Make a 2048 board that can add a tile")
GRID_PRD = {**PRD, "Project Name": "grid_game"}
GRID_DESIGN = {
    **DESIGN,
    "File list": ["board.py"],
    "Data structures and interfaces": [{"name": "Board", "members": ["+add_tile()"], "uses": []}],
}
GRID_TASKS = {
    "Required packages": [],
    "Logic Analysis": [{"file": "board.py", "what": "class Board"}],
    "Task list": ["board.py"],
    "Shared Knowledge": "",
}
# The bug of the published 2048 report: an empty list of free cells is indexed.
SEEDED = """class Board:
    def __init__(self, size=2):
        self.grid = [[0] * size for _ in range(size)]

    def add_tile(self):
        free = [(r, c) for r, row in enumerate(self.grid) for c, v in enumerate(row) if v == 0]
        r, c = free[0]
        self.grid[r][c] = 2
"""
MENDED = SEEDED.replace(
    "        r, c = free[0]", "        if not free:\n            return\n        r, c = free[0]"
)
GRID_TEST = """import unittest
from board import Board


class TestBoard(unittest.TestCase):
    def test_one(self):
        board = Board()
        board.add_tile()
        self.assertEqual(sum(map(sum, board.grid)), 2)

    def test_full(self):
        board = Board(1)
        board.add_tile()
        board.add_tile()
        self.assertEqual(board.grid, [[2]])
"""
TO_ENGINEER = {
    "Instruction": "add_tile indexes an empty list when the grid is full",
    "File To Rewrite": "board.py",
    "Status": "FAIL",
    "Send To": "Engineer",
}
TO_TESTER = {**TO_ENGINEER, "File To Rewrite": "tests/test_board.py", "Send To": "QaEngineer"}
GRID_RUN = {
    "prd": GRID_PRD,
    "design": GRID_DESIGN,
    "tasks": GRID_TASKS,
    "code board.py": block(SEEDED),
    "test board.py": block(GRID_TEST),
    "report tests/test_board.py": TO_ENGINEER,
    "repair board.py": block(MENDED),
}


@pytest.mark.must_show("metagpt", 6)
async def test_a_report_to_the_engineer_changes_the_source_and_the_tests_pass() -> None:
    office = Office(GRID_RUN)
    solved, kernel = await build(office, task=GRID, code_review=0)
    assert office.steps[3:] == [
        "code board.py",
        "test board.py",
        "report tests/test_board.py",
        "repair board.py",
    ]
    result = solved.result
    assert result.files["grid_game/board.py"] == MENDED
    assert result.files["tests/test_board.py"] == GRID_TEST
    first, second = runs_of(kernel)
    assert "IndexError: list index out of range" in first["errors"]
    assert (first["status"], second["status"]) == ("error", "ok")
    assert [(r["passed"], r["total"], r["send_to"]) for r in result.notes["runs"]] == [
        (1, 2, "Engineer"),
        (2, 2, "NoOne"),
    ]
    assert result.notes["retries"] == 1
    assert result.notes["self_tests"] == {"passed": 2, "total": 2}
    assert result.answer.endswith("2 of 2 of its own tests pass after 1 retry.")
    # The engineer saw requirement, design, code, test, and what the run said.
    for part in ("2048 board", "class Board", "IndexError", "indexes an empty list"):
        assert part in office.prompts[-1]


@pytest.mark.must_show("metagpt", 6)
@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_a_bug_that_stays_is_tried_no_more_than_so_often(retries: int) -> None:
    office = Office({**GRID_RUN, "repair board.py": block(SEEDED)})
    solved, kernel = await build(office, task=GRID, code_review=0, test_rounds=retries)
    assert office.steps.count("repair board.py") == retries
    assert len(runs_of(kernel)) == retries + 1
    notes = solved.result.notes
    assert notes["self_tests"] == {"passed": 1, "total": 2}
    assert notes["counts"].get("repairs_without_change", 0) == retries
    assert f"1 of 2 tests still fail after {retries} retries" in solved.result.account


@pytest.mark.must_show("metagpt", 6)
async def test_three_retries_are_the_default() -> None:
    office = Office({**GRID_RUN, "repair board.py": block(SEEDED)})
    solved, kernel = await build(office, task=GRID, code_review=0)
    assert office.steps.count("repair board.py") == 3
    assert len(runs_of(kernel)) == 4
    told = [" rewrites before this did not help" in p for p in office.prompts]
    assert sum(told) == 1  # the third repair hears of two before it
    assert "1 rewrite before this did not help" in office.prompts[-3]
    assert "stopped" not in solved.result.notes  # the default rounds are enough for them


@pytest.mark.must_show("metagpt", 6)
async def test_an_infinite_loop_is_killed_at_the_limit() -> None:
    endless = "class Board:\n    def add_tile(self):\n        while True:\n            pass\n"
    office = Office({**GRID_RUN, "code board.py": block(endless)})
    office.replies["test board.py"] = block(GRID_TEST.replace("Board(1)", "Board()"))
    solved, kernel = await build(office, task=GRID, code_review=0, test_rounds=0, test_seconds=1.0)
    (event,) = [e for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert event.value["status"] == "timeout"
    assert 0.9 < event.seconds < 30
    outcome = json.loads(solved.result.files["test_outputs/test_board.json"])
    assert (outcome["status"], outcome["ran"]) == ("timeout", 0)
    assert "killed after 1 seconds" in outcome["stderr"]
    assert solved.result.notes["self_tests"] == {"passed": 0, "total": 1}


@pytest.mark.must_show("metagpt", 6)
async def test_a_report_to_the_tester_changes_the_test() -> None:
    wrong = GRID_TEST.replace("[[2]]", "[[4]]")
    office = Office(
        {
            **GRID_RUN,
            "code board.py": block(MENDED),
            "test board.py": block(wrong),
            "report tests/test_board.py": TO_TESTER,
            "retest tests/test_board.py": block(GRID_TEST),
        }
    )
    solved, _ = await build(office, task=GRID, code_review=0)
    assert office.steps[-1] == "retest tests/test_board.py"
    assert solved.result.files["grid_game/board.py"] == MENDED
    assert solved.result.files["tests/test_board.py"] == GRID_TEST
    assert solved.result.notes["self_tests"] == {"passed": 2, "total": 2}


@pytest.mark.parametrize(
    "claim",
    [
        {**TO_ENGINEER, "Status": "PASS", "Send To": "NoOne"},
        {**TO_ENGINEER, "File To Rewrite": "tests/test_board.py"},
        "all is well",
    ],
)
async def test_a_model_cannot_overrule_a_run(claim: Any) -> None:
    office = Office({**GRID_RUN, "report tests/test_board.py": claim, "mend": claim})
    solved, _ = await build(office, task=GRID, code_review=0)
    assert solved.result.files["grid_game/board.py"] == MENDED
    assert solved.result.notes["self_tests"] == {"passed": 2, "total": 2}


@pytest.mark.parametrize(
    "test",
    [
        "import unittest\nprint('all tests passed')",
        "import unittest, sys\nsys.exit(0)",
        "def broken(:",
    ],
)
async def test_a_test_file_that_tests_nothing_does_not_pass(test: str) -> None:
    office = Office({**GRID_RUN, "test board.py": block(test)})
    solved, _ = await build(office, task=GRID, code_review=0, test_rounds=0)
    assert solved.result.notes["self_tests"]["passed"] == 0


async def test_a_reply_without_code_is_asked_for_once_more() -> None:
    office = Office({**BUILT, "code machine.py": ["Sure, here it comes!", block(MACHINE)]})
    solved, _ = await build(office, **CODE_FREE)
    assert office.steps.count("code machine.py") == 2
    assert solved.result.notes["counts"]["replies_without_code"] == 1
    assert solved.result.files["adding_machine/machine.py"] == MACHINE
