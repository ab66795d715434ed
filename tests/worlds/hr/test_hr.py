"""The HR service: a company, tools with effects, programs, and what the judge sees."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collegium.agents.routine import problems, read_library
from collegium.errors import BadInput
from collegium.worlds.hr import JOBS, TOOLS, HRWorld, Service, case, gold, routines_folder, size
from collegium.worlds.hr.company import company
from collegium.worlds.hr.gold import carried_out
from collegium.worlds.hr.service import tools_of

SPLITS = ("train", "validation", "test")
ALL = [(split, number) for split in SPLITS for number in range(size(split))]
ROUTINES = {r.id: r for r in read_library(routines_folder())}


def service() -> Service:
    return Service(company("test"))


def test_the_size_of_it() -> None:
    held = service().content()
    assert len(held["employees"]) >= 200
    assert len(TOOLS) >= 20
    assert len(ALL) >= 140
    assert len({case(*place).text for place in ALL}) > 0.9 * len(ALL)
    for table in ("departments", "leave_balances", "attendance", "payroll"):
        assert held[table]


def test_every_routine_is_valid_and_has_branches() -> None:
    specs = {t.spec.name: t.spec for t in tools_of(service())}
    assert sorted(ROUTINES) == sorted(JOBS)
    for routine in ROUTINES.values():
        assert problems(routine, specs) == ()
        assert any(len(step.branches) >= 2 for step in routine.steps)


def test_programs_take_both_branches_as_the_routines_do() -> None:
    ways: dict[str, set[tuple[str, ...]]] = {job: set() for job in JOBS}
    for split, number in ALL:
        if number >= 28:
            continue  # each kind and branch twice per split
        calls = tuple(call.tool for call in gold(split, number).calls)
        ways[case(split, number).job].add(calls)
    for job, found in ways.items():
        assert len(found) == 2
        # each is the sequence of tools along one branch of the Routine
        steps = ROUTINES[job].steps
        (choice,) = [s for s in steps if s.type == "branch"]
        along = {
            tuple(
                s.tool
                for s in steps
                if s.tool and ("-" not in s.number or s.number.split("-")[1] == str(branch))
            )
            for branch in range(1, len(choice.branches) + 1)
        }
        assert found == along


async def test_every_gold_state_is_reached_by_its_calls_and_differs_from_the_first() -> None:
    for number in range(0, size("test"), 9):
        world = HRWorld("test", number)
        assert await world.reset(1) == case("test", number).text
        assert not (await world.judge(None)).correct
        tools = {t.spec.name: t for t in world.tools}
        kept = await world.snapshot()
        for _ in range(2):
            for call in gold("test", number).calls:
                assert await tools[call.tool].run(call.arguments) == call.result
            score = await world.judge(None)
            assert score.correct
            assert score.facts == {"tool": 1.0, "calls": 1.0}
            await world.restore(kept)
            assert not (await world.judge(None)).correct
        await world.close()


async def test_what_is_done_besides_is_seen() -> None:
    world = HRWorld("test", 0)
    await world.reset()
    await carried_out(world.service, world.case)
    assert (await world.judge(None)).correct
    await world.service.set_salary(1001, 1)
    score = await world.judge("all fine")
    assert not score.correct
    assert score.reason == "other than expected: employees"
    await world.close()


async def test_tools_refuse_what_cannot_be() -> None:
    made = service()
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("find_employee", {"name": "Nobody"}, "no employee called 'Nobody'"),
        ("get_employee", {"employee_id": 1}, "no employee 1"),
        ("list_employees", {"department": "Moon"}, "no department 'Moon'"),
        ("transfer_employee", {"employee_id": 1002, "department": "Legal"}, "no free place"),
        ("deactivate_employee", {"employee_id": 1001}, "still reports"),
        ("set_salary", {"employee_id": 1001, "salary": 0}, "above 0"),
        ("cancel_leave_request", {"request_id": 5}, "no leave request 5"),
        ("get_attendance", {"employee_id": 1001, "day": "2026-01-01"}, "nothing is recorded"),
        ("get_payslip", {"employee_id": 1001, "month": "2020-01"}, "no pay"),
        ("add_to_pay", {"employee_id": 1001, "month": "2026-05", "amount": 5}, "closed"),
        ("file_expense", {"employee_id": 1001, "amount": 0, "purpose": "x"}, "above 0"),
        ("pay_expense", {"expense_id": 5}, "no expense 5"),
        ("decide_approval", {"approval_id": 5, "decision": "approved"}, "no approval 5"),
        ("create_report", {"department": "Legal", "rows": []}, "needs rows"),
        ("get_leave_balance", {"employee_id": 1001, "kind": "sabbatical"}, "Invalid enum"),
    ]
    before = made.content()
    tools = {t.spec.name: t for t in tools_of(made)}
    for name, arguments, said in wrong:
        with pytest.raises(BadInput, match=said):
            await tools[name].run(arguments)
    assert made.content() == before


async def test_tools_have_effects() -> None:
    made = service()
    for kind in ("annual", "parental", "study"):
        days = (await made.get_leave_balance(1002, kind))["days"]
        if days:
            break
    entered = await made.create_leave_request(1002, kind, "2026-07-01", days)
    assert (await made.get_leave_balance(1002, kind))["days"] == 0
    assert len(await made.list_leave_requests(1002)) == 1
    await made.cancel_leave_request(entered["id"])
    assert (await made.get_leave_balance(1002, kind))["days"] == days
    asked = await made.request_approval("salary", 1002, 1001)
    assert len(await made.list_approvals(1001)) == 1
    await made.decide_approval(asked["id"], "approved")
    assert await made.list_approvals(1001) == []
    await made.set_title(1002, "expert")
    await made.set_salary(1002, 5000)
    row = await made.get_employee(1002)
    assert (row["title"], row["salary"]) == ("expert", 5000)
    assert len(await made.list_attendance(1002)) == 5
    rows = await made.list_employees("Assembly")
    assert len(msgspec.json.encode(rows)) > 400
