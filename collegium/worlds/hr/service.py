"""The service: typed tools over the company's database, each with its true effect."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel.tool import Tool, tool

Leave = Literal["annual", "parental", "study"]
Subject = Literal["leave", "pay correction", "expense", "salary"]
Template = Literal[
    "leave_insufficient", "attendance_corrected", "attendance_complete", "pay_closed",
    "expense_paid", "expense_pending", "transferred", "transfer_waiting", "farewell",
    "report_ready", "report_refused",
]  # fmt: skip
Document = Literal["employment certificate", "salary statement", "reference"]

Row = dict[str, Any]

TABLES = (
    "departments", "employees", "leave_balances", "leave_requests", "attendance", "payroll",
    "approvals", "expenses", "notices", "documents", "reports", "waiting",
)  # fmt: skip


class Service:
    """The HR service on one database in memory.

    Args:
        data: The database, as SQLite's own bytes; none: an empty one.
    """

    def __init__(self, data: bytes) -> None:
        self._base = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._base.row_factory = sqlite3.Row
        if data:
            self.load(data)

    def load(self, data: bytes) -> None:
        """Take a database up."""
        self._base.deserialize(data)

    def save(self) -> bytes:
        """The database as it is."""
        return self._base.serialize()

    def close(self) -> None:
        """Close it."""
        self._base.close()

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables, in order."""
        return {
            table: sorted(
                (tuple(r) for r in self._base.execute(f"SELECT * FROM {table}")), key=repr
            )
            for table in TABLES
        }

    def numbers(self, name: str) -> list[int]:
        """The ids of those who have a name."""
        return [
            row["id"]
            for row in self._base.execute("SELECT id FROM employees WHERE name = ?", (name,))
        ]

    # -- people --------------------------------------------------------------------------

    async def find_employee(self, name: str) -> Row:
        """Find an employee by full name: id, department, title, manager_id, status."""
        row = self._one("SELECT * FROM employees WHERE name = ?", name)
        if row is None:
            raise BadInput(f"there is no employee called {name!r}.")
        return _short(row)

    async def get_employee(self, employee_id: int) -> Row:
        """Everything about an employee."""
        return dict(self._person(employee_id))

    async def list_employees(self, department: str) -> list[Row]:
        """All active employees of a department: id, name, title, email."""
        self._department(department)
        rows = self._base.execute(
            "SELECT id, name, title, email FROM employees WHERE department = ? AND status = "
            "'active' ORDER BY id",
            (department,),
        )
        return [dict(row) for row in rows]

    async def list_reports(self, employee_id: int) -> list[Row]:
        """The active employees whose manager this is: id and name."""
        self._person(employee_id)
        rows = self._base.execute(
            "SELECT id, name FROM employees WHERE manager_id = ? AND status = 'active' ORDER BY id",
            (employee_id,),
        )
        return [dict(row) for row in rows]

    async def get_department(self, department: str) -> Row:
        """A department: manager_id, places, and how many active people are in it."""
        row = dict(self._department(department))
        row["people"] = len(await self.list_employees(department))
        return row

    async def transfer_employee(self, employee_id: int, department: str) -> str:
        """Move an employee to a department that has a free place; its manager becomes theirs."""
        self._person(employee_id)
        to = await self.get_department(department)
        if to["people"] >= to["places"]:
            raise BadInput(f"{department} has no free place.")
        self._do(
            "UPDATE employees SET department = ?, manager_id = ? WHERE id = ?",
            department,
            to["manager_id"],
            employee_id,
        )
        return "transferred"

    async def join_waiting_list(self, employee_id: int, department: str) -> str:
        """Put an employee on the waiting list of a department."""
        self._person(employee_id)
        self._department(department)
        self._do("INSERT OR REPLACE INTO waiting VALUES (?, ?)", employee_id, department)
        return "on the list"

    async def reassign_reports(self, employee_id: int, manager_id: int) -> str:
        """Give everybody whose manager the first one is the second one as manager."""
        self._person(employee_id)
        self._person(manager_id)
        changed = self._do(
            "UPDATE employees SET manager_id = ? WHERE manager_id = ?", manager_id, employee_id
        )
        return f"{changed} reassigned"

    async def deactivate_employee(self, employee_id: int) -> str:
        """End an employment. Nobody may report to the employee any more."""
        if await self.list_reports(employee_id):
            raise BadInput(f"somebody still reports to employee {employee_id}.")
        self._do("UPDATE employees SET status = 'left' WHERE id = ?", employee_id)
        return "ended"

    async def set_title(self, employee_id: int, title: str) -> str:
        """Give an employee another title."""
        self._person(employee_id)
        self._do("UPDATE employees SET title = ? WHERE id = ?", title, employee_id)
        return "changed"

    async def set_salary(self, employee_id: int, salary: int) -> str:
        """Give an employee another monthly salary."""
        self._person(employee_id)
        if salary <= 0:
            raise BadInput(f"a salary is above 0, not {salary}.")
        self._do("UPDATE employees SET salary = ? WHERE id = ?", salary, employee_id)
        return "changed"

    # -- leave and attendance ------------------------------------------------------------

    async def get_leave_balance(self, employee_id: int, kind: Leave) -> Row:
        """The days of leave an employee has left; kind is annual, parental or study."""
        self._person(employee_id)
        return {"days": self._balance(employee_id, kind)}

    async def create_leave_request(
        self, employee_id: int, kind: Leave, start: str, days: int
    ) -> Row:
        """Enter a leave request (kind: annual, parental or study); start is like 2026-07-01."""
        self._person(employee_id)
        balance = self._balance(employee_id, kind)
        if not 1 <= days <= balance:
            raise BadInput(f"there are {balance} days of {kind} leave, so {days} is not possible.")
        self._do(
            "UPDATE leave_balances SET days = days - ? WHERE employee_id = ? AND kind = ?",
            days,
            employee_id,
            kind,
        )
        return self._insert(
            "leave_requests", employee_id=employee_id, kind=kind, start=start, days=days,
            status="pending",
        )  # fmt: skip

    async def list_leave_requests(self, employee_id: int) -> list[Row]:
        """The leave requests of an employee."""
        self._person(employee_id)
        rows = self._base.execute(
            "SELECT * FROM leave_requests WHERE employee_id = ? ORDER BY id", (employee_id,)
        )
        return [dict(row) for row in rows]

    async def cancel_leave_request(self, request_id: int) -> str:
        """Withdraw a leave request; its days go back to the balance."""
        row = self._one("SELECT * FROM leave_requests WHERE id = ?", request_id)
        if row is None or row["status"] == "cancelled":
            raise BadInput(f"there is no leave request {request_id} to cancel.")
        self._do("UPDATE leave_requests SET status = 'cancelled' WHERE id = ?", request_id)
        self._do(
            "UPDATE leave_balances SET days = days + ? WHERE employee_id = ? AND kind = ?",
            row["days"],
            row["employee_id"],
            row["kind"],
        )
        return "cancelled"

    async def get_attendance(self, employee_id: int, day: str) -> Row:
        """When an employee came and left on a day like 2026-06-09 (null: not recorded)."""
        return dict(self._attendance(employee_id, day))

    async def list_attendance(self, employee_id: int) -> list[Row]:
        """All recorded days of an employee."""
        self._person(employee_id)
        rows = self._base.execute(
            "SELECT day, clock_in, clock_out FROM attendance WHERE employee_id = ? ORDER BY day",
            (employee_id,),
        )
        return [dict(row) for row in rows]

    async def set_clock_out(self, employee_id: int, day: str, time: str) -> str:
        """Record when an employee left on a day, as HH:MM."""
        self._attendance(employee_id, day)
        self._do(
            "UPDATE attendance SET clock_out = ? WHERE employee_id = ? AND day = ?",
            time,
            employee_id,
            day,
        )
        return "recorded"

    # -- pay -----------------------------------------------------------------------------

    async def get_payslip(self, employee_id: int, month: str) -> Row:
        """The pay of an employee in a month like 2026-06, and whether that is open."""
        return dict(self._payslip(employee_id, month))

    async def add_to_pay(self, employee_id: int, month: str, amount: int) -> Row:
        """Add an amount to the pay of a month that is still open."""
        if self._payslip(employee_id, month)["status"] != "open":
            raise BadInput(f"the payroll of {month} is closed.")
        self._do(
            "UPDATE payroll SET additions = additions + ? WHERE employee_id = ? AND month = ?",
            amount,
            employee_id,
            month,
        )
        return {"additions": self._payslip(employee_id, month)["additions"]}

    async def file_expense(self, employee_id: int, amount: int, purpose: str) -> Row:
        """Enter an expense of an employee."""
        self._person(employee_id)
        if amount <= 0:
            raise BadInput(f"an amount is above 0, not {amount}.")
        return self._insert(
            "expenses", employee_id=employee_id, amount=amount, purpose=purpose, status="filed"
        )

    async def pay_expense(self, expense_id: int) -> str:
        """Pay an expense out."""
        if not self._do("UPDATE expenses SET status = 'paid' WHERE id = ?", expense_id):
            raise BadInput(f"there is no expense {expense_id}.")
        return "paid"

    # -- approvals and papers ------------------------------------------------------------

    async def request_approval(self, subject: Subject, employee_id: int, approver_id: int) -> Row:
        """Ask for approval of a subject: leave, pay correction, expense or salary."""
        self._person(employee_id)
        self._person(approver_id)
        return self._insert(
            "approvals", subject=subject, employee_id=employee_id, approver_id=approver_id,
            status="pending",
        )  # fmt: skip

    async def decide_approval(
        self, approval_id: int, decision: Literal["approved", "refused"]
    ) -> str:
        """Approve or refuse."""
        if not self._do("UPDATE approvals SET status = ? WHERE id = ?", decision, approval_id):
            raise BadInput(f"there is no approval {approval_id}.")
        return decision

    async def list_approvals(self, approver_id: int) -> list[Row]:
        """What waits for somebody's approval."""
        self._person(approver_id)
        rows = self._base.execute(
            "SELECT * FROM approvals WHERE approver_id = ? AND status = 'pending' ORDER BY id",
            (approver_id,),
        )
        return [dict(row) for row in rows]

    async def send_notice(self, employee_id: int, template: Template) -> Row:
        """Send an employee a notice made from a template, named like leave_insufficient."""
        self._person(employee_id)
        return self._insert("notices", employee_id=employee_id, template=template)

    async def issue_document(self, employee_id: int, kind: Document) -> Row:
        """Issue an employment certificate, a salary statement or a reference for an employee."""
        self._person(employee_id)
        return self._insert("documents", employee_id=employee_id, kind=kind)

    async def create_report(self, department: str, rows: list[Row]) -> Row:
        """File a report of rows for a department."""
        self._department(department)
        if not rows:
            raise BadInput("a report needs rows.")
        return self._insert(
            "reports",
            department=department,
            rows=msgspec.json.encode(rows, order="sorted").decode(),
        )

    # -- the database --------------------------------------------------------------------

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        return self._base.execute(query, values).fetchone()

    def _do(self, query: str, *values: Any) -> int:
        """Change something; gives how many rows were."""
        return self._base.execute(query, values).rowcount

    def _insert(self, table: str, **values: Any) -> Row:
        """A new row; gives its id and its status if it has one."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        done = self._base.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())
        )
        status = {"status": values["status"]} if "status" in values else {}
        return {"id": done.lastrowid, **status}

    def _person(self, employee_id: int) -> sqlite3.Row:
        row = self._one("SELECT * FROM employees WHERE id = ?", employee_id)
        if row is None:
            raise BadInput(f"there is no employee {employee_id}.")
        return row

    def _department(self, name: str) -> sqlite3.Row:
        row = self._one("SELECT * FROM departments WHERE name = ?", name)
        if row is None:
            raise BadInput(f"there is no department {name!r}.")
        return row

    def _balance(self, employee_id: int, kind: str) -> int:
        row = self._one(
            "SELECT days FROM leave_balances WHERE employee_id = ? AND kind = ?", employee_id, kind
        )
        return row["days"] if row else 0

    def _attendance(self, employee_id: int, day: str) -> sqlite3.Row:
        row = self._one(
            "SELECT day, clock_in, clock_out FROM attendance WHERE employee_id = ? AND day = ?",
            employee_id,
            day,
        )
        if row is None:
            raise BadInput(f"nothing is recorded for employee {employee_id} on {day}.")
        return row

    def _payslip(self, employee_id: int, month: str) -> sqlite3.Row:
        row = self._one(
            "SELECT gross, additions, status FROM payroll WHERE employee_id = ? AND month = ?",
            employee_id,
            month,
        )
        if row is None:
            raise BadInput(f"there is no pay of employee {employee_id} in {month}.")
        return row


def _short(row: sqlite3.Row) -> Row:
    return {k: row[k] for k in ("id", "name", "department", "title", "manager_id", "status")}


_METHODS: tuple[Callable[..., Coroutine[Any, Any, Any]], ...] = (
    Service.find_employee, Service.get_employee, Service.list_employees, Service.list_reports,
    Service.get_department, Service.transfer_employee, Service.join_waiting_list,
    Service.reassign_reports, Service.deactivate_employee, Service.set_title, Service.set_salary,
    Service.get_leave_balance, Service.create_leave_request, Service.list_leave_requests,
    Service.cancel_leave_request, Service.get_attendance, Service.list_attendance,
    Service.set_clock_out, Service.get_payslip, Service.add_to_pay, Service.file_expense,
    Service.pay_expense, Service.request_approval, Service.decide_approval,
    Service.list_approvals, Service.send_notice, Service.issue_document, Service.create_report,
)  # fmt: skip

TOOLS = tuple(method.__name__ for method in _METHODS)
"""Names of the tools."""


@cache
def _made() -> dict[str, Tool]:
    """The tools as they are described; on a service without a database."""
    return {name: tool(getattr(Service(b""), name)) for name in TOOLS}


def tools_of(service: Service) -> tuple[Tool, ...]:
    """The tools on a service."""
    return tuple(
        msgspec.structs.replace(made, function=getattr(service, name))
        for name, made in _made().items()
    )
