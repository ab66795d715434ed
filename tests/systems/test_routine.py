"""The system: which Routine, which branch, and what it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.agents.routine import (
    Guard,
    Routine,
    Step,
    Used,
    evaluate,
    matches,
    read_library,
)
from collegium.errors import BadInput, UnknownName
from collegium.kernel import Generate, Kernel, Tool, UseTool, tool
from collegium.models.embeddings import MiniLM
from collegium.models.weights import weights_path
from collegium.systems.routine import routine
from collegium.systems.system import Result
from collegium.tasks.task import Task
from collegium.worlds.hr import HRWorld, Service, case, gold, routines_folder, size
from collegium.worlds.hr.company import company
from collegium.worlds.hr.service import tools_of
from tests.kernel.support import Scripted
from tests.worlds.hr.follower import follower, turn

FLOOR = 0.0  # spelling alone is no measure of meaning: tests without weights take the nearest


def minilm_here() -> bool:
    try:
        return weights_path("minilm").exists()
    except Exception:
        return False


def balance(service: Service, person: int) -> int:
    rows = service.content()["leave_balances"]
    return next(days for number, kind, days in rows if (number, kind) == (person, "annual"))


def someone(days: int) -> tuple[int, str]:
    """An employee with a manager and so many days of annual leave."""
    held = Service(company("test")).content()
    numbers = [n for n, kind, left in held["leave_balances"] if (kind, left) == ("annual", days)]
    rows = [r for r in held["employees"] if r[0] in numbers and r[6] is not None]
    return rows[0][0], rows[0][1]


def chooses(person: int, name: str) -> Scripted:
    """A model that asks for three days of leave, and takes the branch that the balance tells."""

    def answer(request: Generate, i: int) -> str:
        at, seen = len(request.messages) // 2, request.messages[-1].text
        if at == 1:
            return turn("1", "find_employee", name=name)
        if at == 2:
            found = json.loads(seen.removeprefix("Result: "))
            assert found["id"] == person
            return turn("2", "get_leave_balance", employee_id=found["id"], kind="annual")
        if at == 3:
            if json.loads(seen.removeprefix("Result: "))["days"] >= 3:
                days = {"kind": "annual", "start": "2026-07-06", "days": 3}
                return turn("3-1-1", "create_leave_request", employee_id=person, **days)
            told = {"template": "leave_insufficient"}
            return turn("3-2-1", "send_notice", employee_id=person, **told)
        if at == 4 and "pending" in seen:
            boss = next(
                r[6] for r in Service(company("test")).content()["employees"] if r[0] == person
            )
            asked = {"subject": "leave", "approver_id": boss}
            return turn("3-1-2", "request_approval", employee_id=person, **asked)
        return turn("4", "finish", answer="Done.")

    return Scripted(answer)


async def solved(
    text: str,
    tools: tuple[Tool, ...],
    model: Scripted,
    **parameters: Any,
) -> tuple[Result, Kernel]:
    kernel = Kernel(model, tools=tools, seed=1)
    task = Task(id="t", prompt=text, tools=tuple(t.spec.name for t in tools))
    given = {"embedder": "hash", "floor": FLOOR, **parameters}
    result = await routine(task, kernel, **given)
    await kernel.aclose()
    return result, kernel


def used(kernel: Kernel) -> list[tuple[str, dict[str, Any]]]:
    calls = [e.call for e in kernel.trace.events if isinstance(e.call, UseTool)]
    return [(c.tool, c.arguments) for c in calls]


@pytest.mark.must_show("routine", 3)
@pytest.mark.parametrize(
    ("days", "left", "path"),
    [(2, 2, ["1", "2", "3", "3-2-1", "4"]), (5, 2, ["1", "2", "3", "3-1-1", "3-1-2", "4"])],
)
async def test_the_balance_decides_the_branch(days: int, left: int, path: list[str]) -> None:
    person, name = someone(days)
    service = Service(company("test"))
    before = service.content()
    text = f"Leave request: {name} wants 3 days of annual leave from 2026-07-06."
    result, _ = await solved(text, tools_of(service), chooses(person, name))
    assert result.notes["routine"] == "leave"
    assert result.notes["path"] == path
    assert result.notes["strays"] == []
    assert (result.answer, result.notes["ended"]) == ("Done.", "answer")
    assert balance(service, person) == left
    after = service.content()
    changed = {table for table in after if after[table] != before[table]}
    enough = {"leave_balances", "leave_requests", "approvals"}
    assert changed == (enough if days == 5 else {"notices"})
    assert "Steps: " + ", ".join(path) in result.account


def irrelevant(number: int) -> Tool:
    async def nothing(lamp: str, brightness: int = 1) -> str:
        """Switch a lamp of the stage."""
        return lamp

    nothing.__name__ = f"stage_lamp_{number}"
    return tool(nothing)


def stage(number: int) -> Routine:
    """A Routine that has nothing to do with HR, yet is valid."""
    light = {"tool": f"stage_lamp_{number}", "inputs": {"lamp": "user"}}
    first = Step(number="1", name="switch", description="Switch the lamp.", **light)
    choice = Step(
        number="2",
        name="on?",
        description="Is it on?",
        type="branch",
        branches=(Guard("it is on", "3"), Guard("it is off", "3")),
    )
    end = Step(number="3", name="end", description="Say so.", type="end")
    return Routine(
        f"stage-{number}", f"Stage light {number}", "Light a scene.", (first, choice, end)
    )


@pytest.mark.must_show("routine", 5)
@pytest.mark.parametrize("number", range(7))
async def test_what_does_not_belong_changes_no_call(number: int, tmp_path: Path) -> None:
    asked = case("test", number)
    for one in [*read_library(routines_folder()), *map(stage, range(6))]:
        (tmp_path / f"{one.id}.json").write_bytes(msgspec.json.encode(one))
    runs = []
    for more, library in (((), "hr"), (tuple(map(irrelevant, range(20))), str(tmp_path))):
        world = HRWorld("test", number)
        await world.reset()
        text = f"{asked.job}: {asked.text}"
        tools = (*world.tools, *more)
        model = follower("test", number)
        result, kernel = await solved(text, tools, model, library=library)
        assert result.notes["routine"] == asked.job
        assert (await world.judge(result.answer)).correct
        runs.append((used(kernel), result.notes["path"], result.answer))
        wanted = [Used(c.tool, c.arguments) for c in gold("test", number).calls]
        made = [[Used(t["tool"], t["values"])] for t in result.notes["turns"]]
        specs = {t.spec.name: t.spec for t in world.tools}
        assert evaluate(made, wanted, specs).overall.value == 1.0
        await world.close()
    assert runs[0] == runs[1]
    assert len(result.notes["similarity"]) == 13


@pytest.mark.must_show("routine", 5)
@pytest.mark.skipif(not minilm_here(), reason="the weights of MiniLM are not here")
async def test_the_right_routine_is_found_by_meaning() -> None:
    routines = [*read_library(routines_folder()), *map(stage, range(6))]
    asked = [
        case(split, i) for split in ("train", "validation", "test") for i in range(size(split))
    ]
    found = await matches([one.text for one in asked], routines, MiniLM())
    best = [ranked[0] for ranked in found]
    right = sum(
        b.routine.id == one.job and b.similarity >= 0.35 for b, one in zip(best, asked, strict=True)
    )
    total = len(asked)
    assert total >= 140
    assert right / total >= 0.9


@pytest.mark.skipif(not minilm_here(), reason="the weights of MiniLM are not here")
async def test_below_the_floor_there_is_no_routine_and_it_says_so() -> None:
    service = Service(company("test"))
    model = Scripted(turn("", "finish", answer="Blue and wide."))
    poem = "Write a poem about the sea."
    result, _ = await solved(poem, tools_of(service), model, embedder="minilm", floor=0.35)
    assert result.notes["routine"] is None
    assert result.account == "There was no Routine for this request."
    assert max(result.notes["similarity"].values()) < 0.35
    assert "Routine:" not in model.requests[0].messages[0].text
    assert result.answer == "Blue and wide."


async def test_without_and_with_blank_steps_all_else_is_the_same() -> None:
    profiles, kept = [], []
    for parameters in ({}, {"blank": True}, {"follow": False}):
        world = HRWorld("test", 0)
        await world.reset()
        model = follower("test", 0)
        text = f"leave: {case('test', 0).text}"
        result, _ = await solved(text, world.tools, model, **parameters)
        assert (await world.judge(None)).correct
        profiles.append(model.requests[0].messages[0].text)
        kept.append([t["tool"] for t in result.notes["turns"]])
    assert kept[0] == kept[1] == kept[2]
    whole, blank, without = profiles
    sentence = "Compare the days asked for with the days left."
    assert sentence in whole and sentence not in blank and sentence not in without
    assert "go to step 3-2-1" in whole and "go to step 3-2-1" in blank
    assert "go to step" not in without
    for name in ("find_employee", "create_report"):
        assert all(f"- {name}(" in profile for profile in profiles)


async def test_a_failing_tool_ends_the_run_at_its_step() -> None:
    @tool
    async def get_leave_balance(employee_id: int, kind: str) -> int:
        """The days left."""
        raise RuntimeError("500")

    person, name = someone(5)
    others = [t for t in tools_of(Service(company("test"))) if t.spec.name != "get_leave_balance"]
    text = f"Leave request: {name} wants 3 days of annual leave from 2026-07-06."
    result, kernel = await solved(text, (*others, get_leave_balance), chooses(person, name))
    assert result.answer is None
    assert result.notes["failed"]["step"] == "2"
    assert "It stopped at step 2: get_leave_balance failed twice" in result.account
    assert [name for name, _ in used(kernel)] == ["find_employee"] + ["get_leave_balance"] * 2


async def test_twice_the_steps_are_all_the_turns_there_are() -> None:
    _, name = someone(5)
    model = Scripted(turn("1", "find_employee", name=name))
    text = f"Leave request: {name} wants 3 days of annual leave from 2026-07-06."
    result, _ = await solved(text, tools_of(Service(company("test"))), model)
    assert result.notes["ended"] == "turns"
    assert result.notes["path"] == ["1"]
    steps = next(r for r in read_library(routines_folder()) if r.id == "leave").steps
    assert len(model.requests) == 2 * len(steps)
    assert "No turns were left." in result.account


async def test_routines_for_other_tools_are_left_out_and_ones_own_must_fit(tmp_path: Path) -> None:
    tools = (irrelevant(0),)
    model = Scripted(turn("", "finish", answer="x"))
    result, _ = await solved("Anything.", tools, model)
    assert result.notes["routine"] is None
    assert result.notes["left_out"]["leave"] == "step 1: there is no tool 'find_employee'."
    (tmp_path / "own.json").write_bytes(msgspec.json.encode(stage(1)))
    with pytest.raises(BadInput, match="'stage-1' is not valid: step 1: there is no tool"):
        await solved("Anything.", tools, model, library=str(tmp_path))
    with pytest.raises(BadInput, match="turns must be 0 or more"):
        await solved("Anything.", tools, model, turns=-1)
    with pytest.raises(UnknownName, match="unknown embedder"):
        await solved("Anything.", tools, model, embedder="minnlm")
