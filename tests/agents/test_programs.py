"""Building blocks for systems that write programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.agents.programs import (
    Assert,
    find_entry_point,
    given_names,
    needs_code,
    run_tests,
    split_asserts,
    stated_tests,
    whole_program,
    without_asserts,
)
from collegium.kernel import Kernel
from collegium.models import ScriptedModel
from collegium.tasks import load
from collegium.tasks.task import Task
from collegium.tools import check_program, sandbox_problem

STUB = '''Complete this function.

```python
import math
from typing import List

UNIT = 2

def half(x):
    return x / UNIT

def area(sides: List[float]) -> float:
    """The area.

    >>> area([2, 3])
    6
    >>> area([])
    0.0
    """
```'''


def code_task(prompt: str, entry_point: str = "") -> Task:
    return Task(id="t", prompt=prompt, answer="code", entry_point=entry_point)


def test_what_a_task_must_have() -> None:
    assert needs_code(code_task("Write f.")) == ""
    assert "empty" in needs_code(code_task(" \n"))
    assert needs_code(Task(id="t", prompt="2 + 2?", answer="number")) == "a task answered with code"


@pytest.mark.parametrize(
    ("prompt", "codes", "name"),
    [
        (STUB, [], "area"),
        ("Write it.\n\n```python\nassert total([1])==1\n```", [], "total"),
        ("def one():\n    ...\n\ndef two():\n    return one()", [], "one"),  # not yet written
        ("Mend it:\n```\ndef bad():\n    return 1 / 0\n```", [], "bad"),
        ("Add two numbers.", ["def add(a, b): return a + b", "def add(x, y): return x"], "add"),
        ("Add.", ["def help(): 1\ndef add(): 2", "def sum2(): 1", "def help(): 1"], "help"),
        ("Add.", ["def helper(): 1\ndef add(): 2"], "add"),
        ("Add.", ["def broken(:", "print(1)"], ""),
        ("Add.", [], ""),
    ],
)
def test_where_the_entry_point_is_found(prompt: str, codes: list[str], name: str) -> None:
    assert find_entry_point(code_task(prompt), codes) == name
    assert find_entry_point(code_task(prompt, entry_point="named"), codes) == "named"


def test_a_program_gets_what_the_task_gives_and_nothing_twice() -> None:
    task = code_task(STUB, entry_point="area")
    answer = "Here:\n```python\nimport math\n\ndef area(sides):\n    return math.prod(sides)\n```"
    program = whole_program(answer, task, "area")
    assert program.count("import math") == 1
    assert "from typing import List" in program and "def half" in program and "UNIT = 2" in program
    scope: dict = {}
    exec(program, scope)  # our own text
    assert scope["area"]([2, 3]) == 6
    # only the body, as some models complete a function
    exec(whole_program("    return math.prod(sides)", task, "area"), scope := {})
    assert scope["area"]([2, 3]) == 6
    # a name of the task that the answer defines itself stays the answer's
    own = whole_program("UNIT = 3\ndef area(sides):\n    return UNIT", task, "area")
    assert "UNIT = 2" not in own and "UNIT = 3" in own
    assert whole_program("def f(): pass", code_task("Write f."), "f") == "def f(): pass"
    broken = "```python\ndef area(sides:\n    return 1\n```"
    assert whole_program(broken, task, "area") == "def area(sides:\n    return 1"
    assert set(given_names(task)) == {"math", "List", "UNIT", "half", "area"}


def test_a_models_own_asserts_are_no_part_of_its_program() -> None:
    code = "def f():\n    assert True\n    return 1\n\nassert f() == 2\nassert (\n    f() == 3\n)"
    assert without_asserts(code) == "def f():\n    assert True\n    return 1"
    assert without_asserts("x = 1; assert x") == "x = 1; assert x"
    assert without_asserts("def f(: assert 1") == "def f(: assert 1"
    assert whole_program(f"```python\n{code}\n```", code_task("Write f."), "f").endswith("return 1")


def test_tests_are_split_and_checked() -> None:
    text = """Here are the tests:
```python
assert add(1, 2)==3
assert add(1, 2 == 3
assert add(
    [1],
    [2],
) == [1, 2], "lists"
# a comment
x = add(1, 1)
assert x == 2
```
1. `assert add(0, 0) == 0`
- assert sub(1, 1) == 0
assert all(add(i, y) == i + y for i, y in [(1, 2)])
assert add(value, 1) == 2
assert encode(add(1, 1)) == "2"
This test asserts nothing."""
    made = split_asserts(text, "add", given=["encode"])
    assert made == [
        Assert("assert add(1, 2) == 3"),
        Assert("assert add(1, 2 == 3", "it is not valid Python"),
        Assert("assert add([1], [2]) == [1, 2], 'lists'"),
        Assert("assert x == 2", "it does not call add"),
        Assert("assert add(0, 0) == 0"),
        Assert("assert sub(1, 1) == 0", "it does not call add"),
        Assert("assert all((add(i, y) == i + y for i, y in [(1, 2)]))"),
        Assert("assert add(value, 1) == 2", "it uses value, defined nowhere"),
        Assert("assert encode(add(1, 1)) == '2'"),
    ]
    assert split_asserts("no tests at all", "add") == []


@given(st.text(alphabet="assert f(1)=,'[]\n`-2.", max_size=80))
def test_whatever_a_model_writes_is_split(text: str) -> None:
    for made in split_asserts(text, "f"):
        if not made.problem:
            assert split_asserts(made.source, "f") == [made]  # its spelling is final


def test_the_tests_that_a_task_states() -> None:
    stated = ["assert area([2, 3]) == 6", "assert area([]) == 0.0"]
    assert stated_tests(code_task(STUB), "area") == stated
    shown = code_task("Write it.\n\n```python\nassert total([1])==1\n```")
    assert stated_tests(shown, "total") == ["assert total([1]) == 1"]
    assert stated_tests(code_task("Write f."), "f") == []


def test_entry_points_and_examples_of_published_tasks(collegium_data) -> None:
    for item in load("humaneval", split="all").items:
        bare = code_task(item.task.prompt)
        assert find_entry_point(bare) == item.task.entry_point, item.task.id
    stated = 0
    for item in load("mbpp", split="all").items:
        assert find_entry_point(code_task(item.task.prompt)) == item.task.entry_point, item.task.id
        stated += bool(stated_tests(item.task, item.task.entry_point))
    assert stated >= 120


@pytest.mark.skipif(sandbox_problem() is not None, reason="no sandbox here")
async def test_every_program_meets_every_test() -> None:
    kernel = Kernel(ScriptedModel(lambda _: ""), tools=[check_program])
    agent = kernel.agent("executor", tools=["check_program"])
    programs = ["def f(x): return x", "def f(x): return 2"]
    tests = ["assert f(1) == 1", "assert f(2) == 2"]
    done = await run_tests(agent, programs, tests, seconds=5)
    assert [[c.passed for c in row] for row in done] == [[True, True], [False, True]]
    assert [c.test for c in done[0]] == tests
    assert len(kernel.trace.events) == 2
    assert await run_tests(agent, programs, [], seconds=5) == [(), ()]
    assert len(kernel.trace.events) == 2
