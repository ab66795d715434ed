"""The engine: variables, errors, retries, and where it stops."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from collegium.agents.routine import (
    Executed,
    Guard,
    Routine,
    Step,
    Variables,
    execute,
    instructions,
    plan,
    turns_of,
)
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, Tool, UseTool, tool
from tests.kernel.support import Scripted

ROWS = [
    {
        "id": 100 + i,
        "name": f"Person Number {i}",
        "department": "Research and Development",
        "email": f"person.{i}@example.org",
    }
    for i in range(37)
]


def said(name: str, step: str = "", **arguments: Any) -> str:
    turn = {"call": {"name": name, "arguments": arguments}}
    return json.dumps({"step": step, **turn} if step else turn)


def in_turn(replies: Sequence[str]) -> Scripted:
    """A model that says one thing after the other."""
    left = list(replies)
    return Scripted(lambda request, i: left.pop(0) if left else said("finish", answer="over"))


async def run(
    replies: Sequence[str] | Scripted,
    tools: Sequence[Tool],
    routine: Routine | None = None,
    turns: int = 10,
) -> tuple[Executed, Kernel, Scripted]:
    model = replies if isinstance(replies, Scripted) else in_turn(replies)
    kernel = Kernel(model, tools=tools, seed=1)
    agent = kernel.agent("executor", tools=[t.spec.name for t in tools])
    agent.profile = instructions(agent, "You work.", routine)
    return await execute(agent, "Do it.", routine, turns=turns), kernel, model


def used(kernel: Kernel) -> list[UseTool]:
    return [e.call for e in kernel.trace.events if isinstance(e.call, UseTool)]


def digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


@pytest.mark.must_show("routine", 2)
async def test_a_long_result_travels_by_reference() -> None:
    arrived: list[Any] = []

    @tool
    async def list_employees(department: str) -> list[dict[str, Any]]:
        """The employees of a department."""
        return ROWS

    @tool
    async def export(rows: list[dict[str, Any]], first: str) -> str:
        """Write rows to a file."""
        arrived.append((rows, first))
        return f"{len(rows)} rows"

    assert len(msgspec.json.encode(ROWS)) >= 3000
    key = "VAR_list_employees_1"
    done, _, model = await run(
        [
            said("list_employees", department="R&D"),
            said("export", rows="VAR_list_employees_7", first="x"),
            said("export", rows=key, first=f"{key}[40].name"),
            said("export", rows=key, first=f"{key}[0].name"),
            said("finish", answer="done"),
        ],
        [list_employees, export],
    )
    shown = [request.messages[-1].text for request in model.requests]
    assert shown[1] == f"Result: {key} = list of 37 objects: id, name, department, email"
    assert len(shown[1]) <= 120
    assert all("Person Number" not in m.text for r in model.requests for m in r.messages)
    assert shown[2].startswith("Error: unknown variable 'VAR_list_employees_7'; did you mean")
    assert shown[3].startswith(f"Error: '{key}[40].name': there is no '[40]' in list of 37")
    assert shown[4] == "Result: 37 rows"
    ((rows, first),) = arrived
    assert digest(rows) == digest(ROWS)
    assert first == "Person Number 0"
    assert [m.ok for m in done.made] == [True, False, False, True]
    assert done.made[0].result_ref == key
    assert done.made[3].arguments["rows"] == key
    assert turns_of(done)[3][0].arguments["rows"] == ROWS
    assert (done.answer, done.ended) == ("done", "answer")


async def test_references_are_offered_once_there_is_something_to_refer_to() -> None:
    @tool
    async def much() -> str:
        """A long text."""
        return "x" * 401

    @tool
    async def wait(days: int) -> int:
        """Wait."""
        return days

    _, _, model = await run(
        [said("much"), said("wait", days="5"), said("wait", days=5)], [much, wait]
    )
    patterns = ["VAR_" in json.dumps(request.schema) for request in model.requests]
    assert patterns == [False, True, True, True]
    shown = [request.messages[-1].text for request in model.requests]
    assert shown[1] == "Result: VAR_much_1 = text of 401 characters"
    assert shown[2].startswith("Error: tool 'wait': Expected `int`, got `str`")
    assert shown[3] == "Result: 5"


def test_keys_are_fresh_and_lines_short() -> None:
    held = Variables(long=10)
    wide = [{f"a_rather_long_name_{i}": i for i in range(20)}]
    line, key = held.take("list", wide)
    assert key == "VAR_list_1" and len(line) <= 120 and line.endswith("...")
    assert held.take("list", [1] * 9) == ("VAR_list_2 = list of 9 numbers", "VAR_list_2")
    assert held.take("get", {"a": "b" * 9}) == ("VAR_get_1 = object: a", "VAR_get_1")
    assert held.take("get", "short") == ("short", "")
    assert held.put({"x": ["VAR_list_2[3]", "text"], "y": "VAR_get_1.a"}) == {
        "x": [1, "text"],
        "y": "b" * 9,
    }
    for wrong in ("VAR_list", "VAR_get_1..a", "VAR_get_1.b", "VAR_list_2.a"):
        with pytest.raises(BadInput):
            held.put({"x": wrong})


async def open_case(kind: str) -> dict[str, Any]:
    """Open a case."""
    return {"case": 7, "kind": kind}


async def close_case(case: int) -> str:
    """Close a case."""
    return f"closed {case}"


def steps(tool_name: str) -> Routine:
    return Routine(
        "case",
        "Cases",
        "Open and close a case.",
        (
            Step(
                number="1",
                name="open",
                description="Open it.",
                tool="open_case",
                inputs={"kind": "user"},
                outputs=("opened",),
            ),
            Step(number="2", name="write", description="Write it down.", tool=tool_name),
            Step(
                number="3",
                name="close",
                description="Close it.",
                tool="close_case",
                inputs={"case": "opened.case"},
            ),
            Step(number="4", name="end", description="Say so.", type="end"),
        ),
    )


@pytest.mark.must_show("routine", 7)
async def test_a_tool_error_is_tried_again_once_and_then_surfaces() -> None:
    tried: list[int] = []

    @tool
    async def write(fails: int = 9) -> str:
        """Write it down."""
        tried.append(1)
        if len(tried) <= fails:
            raise RuntimeError("500 internal server error")
        return "written"

    box = [tool(open_case), write, tool(close_case)]
    replies = [
        said("open_case", "1", kind="a"),
        said("write", "2"),
        said("close_case", "3", case=7),
        said("finish", "4", answer="done"),
    ]
    done, kernel, model = await run(replies, box, steps("write"))
    assert [u.tool for u in used(kernel)] == ["open_case", "write", "write"]
    assert len(model.requests) == 2
    assert (done.ended, done.answer) == ("failed", None)
    assert (done.made[-1].step, done.made[-1].attempts) == ("2", 2)
    assert "500 internal server error" in done.made[-1].error

    tried.clear()
    replies[1] = said("write", "2", fails=1)  # the second attempt works: on it goes
    done, kernel, _ = await run(replies, box, steps("write"))
    assert [u.tool for u in used(kernel)] == ["open_case", "write", "write", "close_case"]
    assert (done.ended, done.answer) == ("answer", "done")
    assert done.path == ("1", "2", "3", "4")


async def test_wrong_calls_are_told_and_cost_a_turn() -> None:
    replies = [
        said("fly", "1"),
        said("open_case", "1"),
        "I think it is done.",
        "Really.",
        said("open_case", "1", kind="a"),
    ]
    done, kernel, model = await run(replies, [tool(open_case), tool(close_case)], turns=4)
    # without a Routine a turn names no step, yet one that does is read
    assert [m.tool for m in done.made] == ["fly", "open_case", "", "open_case"]
    assert [bool(m.error) for m in done.made] == [True, True, True, False]
    assert [len(t) for t in turns_of(done)] == [1, 1, 0, 1]
    assert (done.ended, done.answer) == ("turns", None)
    assert len(used(kernel)) == 1
    assert "there is no tool 'fly'" in model.requests[1].messages[-1].text


async def test_an_end_step_with_a_tool_ends_the_run_with_what_it_gave() -> None:
    whole = steps("open_case").steps
    short = Routine(
        "s",
        "s",
        "s",
        (whole[0], msgspec.structs.replace(whole[2], number="2", type="end")),
    )
    done, _, model = await run(
        [said("open_case", "1", kind="a"), said("close_case", "2", case=7)],
        [tool(open_case), tool(close_case)],
        short,
    )
    assert (done.ended, done.answer, done.path) == ("end", "closed 7", ("1", "2"))
    assert len(model.requests) == 2
    assert "Step 2. close (end): Close it." in model.requests[0].messages[0].text


async def test_a_step_that_does_not_exist_is_asked_for_again() -> None:
    replies = [said("open_case", "9", kind="a"), said("open_case", "1", kind="a")]
    box = [tool(open_case), tool(close_case)]
    done, _, model = await run(replies, box, steps("open_case"), turns=1)
    assert [m.step for m in done.made] == ["1"]
    assert "step is one of 1, 2, 3, 4" in model.requests[1].messages[-1].text


DRAFT = "Open a case of the kind that is asked for, close it if it is small, else leave it open."


def planned(tool_name: str) -> str:
    routine = Routine(
        "cases",
        "Cases",
        "Open and close.",
        (
            steps("x").steps[0],
            Step(
                number="2",
                name="small?",
                description="Is it small?",
                type="branch",
                branches=(Guard("it is small", "2-1-1"), Guard("it is not", "3")),
            ),
            Step(
                number="2-1-1",
                name="close",
                description="Close it.",
                tool=tool_name,
                inputs={"case": "opened.case"},
            ),
            Step(number="3", name="end", description="Say so.", type="end"),
        ),
    )
    return msgspec.json.encode(routine).decode()


async def planning(replies: Sequence[str]) -> tuple[Routine, list[Generate]]:
    model = in_turn(replies)
    kernel = Kernel(model, tools=[tool(open_case), tool(close_case)], seed=1)
    agent = kernel.agent("planner", tools=["open_case", "close_case"])
    return await plan(agent, DRAFT), model.requests


async def test_a_draft_becomes_a_routine_and_is_repaired_once() -> None:
    routine, requests = await planning([planned("close_case")])
    assert [s.number for s in routine.steps] == ["1", "2", "2-1-1", "3"]
    assert len(requests) == 1
    assert DRAFT in requests[0].messages[-1].text
    for wrong, told in ((planned("shut"), "step 2-1-1: there is no tool 'shut'"), ("{}", "no Rou")):
        routine, requests = await planning([wrong, planned("close_case")])
        assert len(requests) == 2
        assert told in requests[1].messages[-1].text
    with pytest.raises(BadInput, match="of the draft: step 2-1-1: there is no tool 'shut'"):
        await planning([planned("shut"), planned("shut"), planned("close_case")])
