"""Requests to the HR service: what is asked, in words that are drawn, about people that are drawn.

Each kind of request goes through both of its branches in turn. What is asked is chosen here; what
it comes to is not: that is found by running the program for it.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, Literal

import msgspec

from collegium.worlds.hr.company import DAYS, DEPARTMENTS, FULL, KINDS, MONTHS, company
from collegium.worlds.text.kind import mixed

Job = Literal["leave", "attendance", "pay", "expense", "transfer", "leaving", "report"]
JOBS: tuple[Job, ...] = (
    "leave", "attendance", "pay", "expense", "transfer", "leaving", "report",
)  # fmt: skip
COUNTS = {"train": 105, "validation": 35, "test": 70}

SMALL_EXPENSE = 150
"""Up to this an expense is paid at once."""
REPORT_FROM = 15
"""From this many people on a department gets a report."""

PURPOSES = ("train tickets", "printer paper", "a trade fair", "safety shoes", "a software licence")

WORDS: dict[Job, tuple[str, ...]] = {
    "leave": (
        "{name} would like {days} days of {kind} leave from {start}.",
        "Please enter {kind} leave for {name}: {days} days, beginning on {start}.",
        "Can you book {days} days off for {name} as of {start}? It is {kind} leave.",
        "Leave application of {name}: kind {kind}, first day {start}, {days} days.",
        "From {start} on, {name} wants to be away for {days} days on {kind} leave.",
    ),
    "attendance": (
        "{name} left at {time} on {day}; please see to it that the clock-out is recorded.",
        "Attendance of {name} on {day}: the clock-out should say {time}. Please check and correct.",
        "{name} may have forgotten to clock out on {day}. The way home was at {time}.",
        "Please look at the time record of {name} for {day}; the working day ended at {time}.",
        "Correct the attendance record if the end is missing: {name}, {day}, left at {time}.",
    ),
    "pay": (
        "{name} is owed {amount} for overtime in {month}; please put it on the pay.",
        "The payslip of {name} for {month} lacks {amount} of overtime pay.",
        "Please correct the pay of {name}: {amount} extra for {month}.",
        "Overtime of {name} in {month} was not paid. The amount is {amount}.",
        "Add a bonus of {amount} to the salary payment of {name} for {month}.",
    ),
    "expense": (
        "{name} paid {amount} for {purpose} and wants the money back.",
        "Please reimburse the expenses of {name}: {amount} for {purpose}.",
        "Expense claim of {name}, amount {amount}, purpose: {purpose}.",
        "{name} hands in the receipt of an expense of {amount} for {purpose}.",
        "An expense of {amount} for {purpose} was paid privately by {name}; please settle it.",
    ),
    "transfer": (
        "{name} wants to move to the {department} department.",
        "Please transfer {name} to the department {department}.",
        "Can {name} change over to the department {department}?",
        "{name} has asked for a place in the department {department} and would like to work there.",
        "Internal change of department: {name} to {department}.",
    ),
    "leaving": (
        "{name} is leaving the company; please do the offboarding.",
        "The employment of {name} ends today. Please close it properly.",
        "{name} has resigned. Take care of the exit.",
        "Please offboard the employee {name}, whose last day is today.",
        "{name} quits. End the employment and issue the paper that is due.",
    ),
    "report": (
        "Please make a staff report of {department}.",
        "A list of everybody in {department} is wanted as a report.",
        "The head of {department} asks for a report on the people in the department.",
        "File a headcount report with all employees of {department}.",
        "We need a personnel report for {department}.",
    ),
}


class Case(msgspec.Struct, frozen=True):
    """A request.

    Attributes:
        job: Its kind.
        text: What is asked.
        values: What the text says, by name.
    """

    job: Job
    text: str
    values: dict[str, Any]


def size(split: str) -> int:
    """How many requests a split has."""
    return COUNTS[split]


def case(split: str, number: int) -> Case:
    """A request, by split and number."""
    draw = random.Random(mixed("hr", split, number))
    job = JOBS[number % len(JOBS)]
    first = number // len(JOBS) % 2 == 0  # which branch
    with closing(sqlite3.connect(":memory:")) as base:
        base.deserialize(company(split))
        values = _VALUES[job](base, draw, first)
    return Case(job, draw.choice(WORDS[job]).format(**values), values)


def _someone(base: sqlite3.Connection, draw: random.Random, where: str, *values: Any) -> str:
    """The name of an employee with a manager for whom something holds."""
    rows = base.execute(
        "SELECT name FROM employees e WHERE manager_id IS NOT NULL AND " + where + " ORDER BY id",
        values,
    ).fetchall()
    return draw.choice(rows)[0]


def _leave(base: sqlite3.Connection, draw: random.Random, enough: bool) -> dict[str, Any]:
    kind, days = draw.choice(KINDS), draw.randint(2, 8)
    name = _someone(
        base,
        draw,
        f"(SELECT days FROM leave_balances WHERE employee_id = e.id AND kind = ?) "
        f"{'>=' if enough else '<'} ?",
        kind,
        days,
    )
    start = f"2026-0{draw.randint(7, 9)}-{draw.randint(1, 28):02d}"
    return {"name": name, "kind": kind, "days": days, "start": start}


def _attendance(base: sqlite3.Connection, draw: random.Random, missing: bool) -> dict[str, Any]:
    day = draw.choice(DAYS)
    name = _someone(
        base,
        draw,
        "(SELECT clock_out FROM attendance WHERE employee_id = e.id AND day = ?) "
        f"IS {'' if missing else 'NOT'} NULL",
        day,
    )
    return {"name": name, "day": day, "time": f"{draw.randint(15, 19)}:{draw.choice((10, 20, 50))}"}


def _pay(base: sqlite3.Connection, draw: random.Random, is_open: bool) -> dict[str, Any]:
    closed, current = MONTHS
    name, amount = _someone(base, draw, "1"), draw.randrange(40, 400, 10)
    return {"name": name, "month": current if is_open else closed, "amount": amount}


def _expense(base: sqlite3.Connection, draw: random.Random, small: bool) -> dict[str, Any]:
    low, high = (20, SMALL_EXPENSE) if small else (SMALL_EXPENSE + 1, 900)
    amount = draw.randint(low, high)
    return {"name": _someone(base, draw, "1"), "amount": amount, "purpose": draw.choice(PURPOSES)}


def _transfer(base: sqlite3.Connection, draw: random.Random, free: bool) -> dict[str, Any]:
    to = draw.choice([d for d, _ in DEPARTMENTS if (d not in FULL) == free])
    name = _someone(
        base,
        draw,
        "department <> ? AND NOT EXISTS (SELECT 1 FROM employees r WHERE r.manager_id = e.id)",
        to,
    )
    return {"name": name, "department": to}


def _leaving(base: sqlite3.Connection, draw: random.Random, leads: bool) -> dict[str, Any]:
    name = _someone(
        base,
        draw,
        f"{'' if leads else 'NOT'} EXISTS (SELECT 1 FROM employees r WHERE r.manager_id = e.id)",
    )
    return {"name": name}


def _report(base: sqlite3.Connection, draw: random.Random, large: bool) -> dict[str, Any]:
    names = [d for d, people in DEPARTMENTS if (people >= REPORT_FROM) == large]
    return {"department": draw.choice(names)}


_VALUES: dict[Job, Callable[[sqlite3.Connection, random.Random, bool], dict[str, Any]]] = {
    "leave": _leave,
    "attendance": _attendance,
    "pay": _pay,
    "expense": _expense,
    "transfer": _transfer,
    "leaving": _leaving,
    "report": _report,
}
