"""What a request should come to: a program for each kind of it, run on the service.

No model has a part in this. The calls that a program makes are the expected ones, and what the
tables hold afterwards is the expected state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import msgspec

from collegium.worlds.hr.cases import REPORT_FROM, SMALL_EXPENSE, Case, Job, case
from collegium.worlds.hr.company import company
from collegium.worlds.hr.service import Service, tools_of

Use = Callable[..., Awaitable[Any]]


class Called(msgspec.Struct, frozen=True):
    """A call that was made, with what came of it."""

    tool: str
    arguments: dict[str, Any]
    result: Any = None


class Gold(msgspec.Struct, frozen=True):
    """The expected calls, in order, and what all tables hold afterwards."""

    calls: tuple[Called, ...]
    content: dict[str, list[tuple[Any, ...]]]


@lru_cache(maxsize=512)
def gold(split: str, number: int) -> Gold:
    """Run the program of a request on a company as it is at first."""
    asked = case(split, number)
    service = Service(company(split))
    try:
        calls = _instantly(carried_out(service, asked))
        return Gold(calls, service.content())
    finally:
        service.close()


async def carried_out(service: Service, asked: Case) -> tuple[Called, ...]:
    """Run the program of a request on a service; gives the calls it made."""
    tools = {made.spec.name: made for made in tools_of(service)}
    calls: list[Called] = []

    async def use(tool: str, /, **arguments: Any) -> Any:
        result = await tools[tool].run(arguments)
        calls.append(Called(tool, arguments, result))
        return result

    await PROGRAMS[asked.job](use, **asked.values)
    return tuple(calls)


async def leave(use: Use, name: str, kind: str, days: int, start: str) -> None:
    """Leave is entered where the balance allows it, and the manager is asked."""
    person = await use("find_employee", name=name)
    balance = await use("get_leave_balance", employee_id=person["id"], kind=kind)
    if balance["days"] >= days:
        await use(
            "create_leave_request", employee_id=person["id"], kind=kind, start=start, days=days
        )
        await _ask(use, "leave", person)
    else:
        await _tell(use, person["id"], "leave_insufficient")


async def attendance(use: Use, name: str, day: str, time: str) -> None:
    """A missing clock-out is recorded; a record that is complete stays."""
    person = await use("find_employee", name=name)
    record = await use("get_attendance", employee_id=person["id"], day=day)
    if record["clock_out"] is None:
        await use("set_clock_out", employee_id=person["id"], day=day, time=time)
        await _tell(use, person["id"], "attendance_corrected")
    else:
        await _tell(use, person["id"], "attendance_complete")


async def pay(use: Use, name: str, month: str, amount: int) -> None:
    """An open month gets the amount; for a closed one the manager is asked."""
    person = await use("find_employee", name=name)
    slip = await use("get_payslip", employee_id=person["id"], month=month)
    if slip["status"] == "open":
        await use("add_to_pay", employee_id=person["id"], month=month, amount=amount)
    else:
        await _ask(use, "pay correction", person)
        await _tell(use, person["id"], "pay_closed")


async def expense(use: Use, name: str, amount: int, purpose: str) -> None:
    """Small expenses are paid at once; for others the manager is asked."""
    person = await use("find_employee", name=name)
    filed = await use("file_expense", employee_id=person["id"], amount=amount, purpose=purpose)
    if amount <= SMALL_EXPENSE:
        await use("pay_expense", expense_id=filed["id"])
        await _tell(use, person["id"], "expense_paid")
    else:
        await _ask(use, "expense", person)
        await _tell(use, person["id"], "expense_pending")


async def transfer(use: Use, name: str, department: str) -> None:
    """Where a place is free the employee moves; else there is the waiting list."""
    person = await use("find_employee", name=name)
    to = await use("get_department", department=department)
    if to["people"] < to["places"]:
        await use("transfer_employee", employee_id=person["id"], department=department)
        await _tell(use, person["id"], "transferred")
    else:
        await use("join_waiting_list", employee_id=person["id"], department=department)
        await _tell(use, person["id"], "transfer_waiting")


async def leaving(use: Use, name: str) -> None:
    """Who leads others hands them to the own manager first, and gets a reference."""
    person = await use("find_employee", name=name)
    reports = await use("list_reports", employee_id=person["id"])
    if reports:
        await use("reassign_reports", employee_id=person["id"], manager_id=person["manager_id"])
        await use("deactivate_employee", employee_id=person["id"])
        await use("issue_document", employee_id=person["id"], kind="reference")
    else:
        await use("deactivate_employee", employee_id=person["id"])
        await use("issue_document", employee_id=person["id"], kind="employment certificate")


async def report(use: Use, department: str) -> None:
    """Large departments get a report; small ones do not, so that nobody can be singled out."""
    found = await use("get_department", department=department)
    if found["people"] >= REPORT_FROM:
        rows = await use("list_employees", department=department)
        await use("create_report", department=department, rows=rows)
        await _tell(use, found["manager_id"], "report_ready")
    else:
        await _tell(use, found["manager_id"], "report_refused")


async def _ask(use: Use, subject: str, person: dict[str, Any]) -> None:
    await use(
        "request_approval",
        subject=subject,
        employee_id=person["id"],
        approver_id=person["manager_id"],
    )


async def _tell(use: Use, employee_id: int, template: str) -> None:
    await use("send_notice", employee_id=employee_id, template=template)


PROGRAMS: dict[Job, Callable[..., Awaitable[None]]] = {
    "leave": leave,
    "attendance": attendance,
    "pay": pay,
    "expense": expense,
    "transfer": transfer,
    "leaving": leaving,
    "report": report,
}


def _instantly(work: Any) -> Any:
    """Run a coroutine that waits for nothing, as those of the service are."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a tool of the service waited for something")
