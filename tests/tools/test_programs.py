"""Code that models wrote: run test by test, with reasons that say what came instead."""

import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import ScriptedModel
from collegium.tools import check_program, compiles, run_project, sandbox_problem
from collegium.tools.programs import telling

needs_sandbox = pytest.mark.skipif(sandbox_problem() is not None, reason="no sandbox here")


@needs_sandbox
async def test_every_test_is_judged_alone() -> None:
    kernel = Kernel(ScriptedModel(lambda _: ""), tools=[check_program])
    agent = kernel.agent("executor", tools=["check_program"])
    told = await agent.use(
        "check_program",
        program="def add(a, b):\n    return a - b",
        tests=["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(1) == 1", "assert ("],
    )
    assert [t["passed"] for t in told] == [False, True, False, False]
    assert told[0]["reason"] == "assertion failed: add(1, 2) == 3, but it is -1"
    assert "TypeError" in told[2]["reason"] and "SyntaxError" in told[3]["reason"]
    assert [t["test"] for t in told][1] == "assert add(0, 0) == 0"


@needs_sandbox
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("while True: pass", "timed out"),
        ("import sys; sys.exit(0)", "exit"),
        ("import os; os._exit(0)", "ended before"),
        ("open('/usr/x', 'w')", "Read-only"),
    ],
)
async def test_no_way_out_counts_as_passed(body: str, why: str) -> None:
    program = f"def f():\n    {body}"
    (told,) = await check_program.run(
        {"program": program, "tests": ["assert f() == 1"], "seconds": 2}
    )
    assert not told.passed
    assert why in told.reason


@needs_sandbox
async def test_a_project_runs_among_its_files() -> None:
    files = {
        "shop/cart.py": "def total(prices):\n    return sum(prices)\n",
        "tests/test_cart.py": "import unittest\nfrom shop.cart import total\n\n"
        "class T(unittest.TestCase):\n"
        "    def test(self):\n        self.assertEqual(total([]), 1)\n",
    }
    command = ["python", "-m", "unittest", "tests.test_cart"]
    ran = await run_project.run({"files": files, "command": command})
    assert ran.status == "error" and "0 != 1" in ran.errors
    ran = await run_project.run({"files": {"a.py": "print(input())"}, "command": ["python", "a.py"],
                                 "stdin": "hello"})  # fmt: skip
    assert (ran.status, ran.output) == ("ok", "hello\n")
    with pytest.raises(BadInput):
        await run_project.run({"files": {"../a.py": ""}, "command": ["python", "a.py"]})


def test_what_is_rewritten_and_what_is_not() -> None:
    assert "repr(_got_0)" in telling("assert f(1) == 2")
    assert telling("x = 1; assert x == 1").count("repr") == 0
    assert telling("assert f(1) == 2, 'my own words'").count("repr") == 0
    assert telling("assert (") == "assert ("


def test_syntax_is_checked_without_running() -> None:
    assert compiles("def f(): return 1") == ""
    assert "SyntaxError" in compiles("def f(: return 1")
    assert compiles("print('\0')")
