"""The company: tables, and what is in them at first."""

from __future__ import annotations

import random
import sqlite3
from functools import lru_cache

from collegium.worlds.text.kind import mixed

TODAY = "2026-06-15"
MONTHS = ("2026-05", "2026-06")
"""The month whose payroll is closed, and the one whose is open."""
DAYS = tuple(f"2026-06-{day:02d}" for day in (8, 9, 10, 11, 12))
"""The days of attendance."""

DEPARTMENTS = (
    ("Assembly", 34), ("Logistics", 28), ("Engineering", 31), ("Sales", 30), ("Support", 26),
    ("Finance", 21), ("Purchasing", 18), ("Marketing", 16), ("Quality", 14), ("Facilities", 12),
    ("Legal", 7), ("Archive", 5),
)  # fmt: skip
"""Departments and how many people are in each at first: 242 in all."""

FULL = ("Finance", "Marketing", "Legal", "Archive")
"""Departments without a free place."""

FIRST = (
    "Ada", "Bela", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaya",
    "Lena", "Marek", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Sami", "Tessa",
)  # fmt: skip
LAST = (
    "Abbott", "Brandt", "Castell", "Dorsey", "Engel", "Fontaine", "Garland", "Holm", "Ivers",
    "Jansen", "Keller", "Lindqvist", "Moreau", "Novak", "Ortega", "Petrov", "Quist", "Rahimi",
    "Sandberg", "Tanaka",
)  # fmt: skip
TITLES = ("associate", "specialist", "senior specialist", "team lead")
KINDS = ("annual", "parental", "study")

SCHEMA = """
CREATE TABLE departments (name TEXT PRIMARY KEY, manager_id INTEGER, places INTEGER);
CREATE TABLE employees (id INTEGER PRIMARY KEY, name TEXT UNIQUE, email TEXT, department TEXT,
  title TEXT, salary INTEGER, manager_id INTEGER, hired TEXT, status TEXT);
CREATE TABLE leave_balances (employee_id INTEGER, kind TEXT, days INTEGER,
  PRIMARY KEY (employee_id, kind));
CREATE TABLE leave_requests (id INTEGER PRIMARY KEY, employee_id INTEGER, kind TEXT, start TEXT,
  days INTEGER, status TEXT);
CREATE TABLE attendance (employee_id INTEGER, day TEXT, clock_in TEXT, clock_out TEXT,
  PRIMARY KEY (employee_id, day));
CREATE TABLE payroll (employee_id INTEGER, month TEXT, gross INTEGER, additions INTEGER,
  status TEXT, PRIMARY KEY (employee_id, month));
CREATE TABLE approvals (id INTEGER PRIMARY KEY, subject TEXT, employee_id INTEGER,
  approver_id INTEGER, status TEXT);
CREATE TABLE expenses (id INTEGER PRIMARY KEY, employee_id INTEGER, amount INTEGER, purpose TEXT,
  status TEXT);
CREATE TABLE notices (id INTEGER PRIMARY KEY, employee_id INTEGER, template TEXT);
CREATE TABLE documents (id INTEGER PRIMARY KEY, employee_id INTEGER, kind TEXT);
CREATE TABLE reports (id INTEGER PRIMARY KEY, department TEXT, rows TEXT);
CREATE TABLE waiting (employee_id INTEGER, department TEXT, PRIMARY KEY (employee_id, department));
"""


@lru_cache(maxsize=4)
def company(split: str) -> bytes:
    """The database of a split, as SQLite's own bytes."""
    draw = random.Random(mixed("hr", split))
    names = [f"{first} {last}" for first in FIRST for last in LAST]
    draw.shuffle(names)
    base = sqlite3.connect(":memory:")
    base.executescript(SCHEMA)
    number = 1000
    for department, count in DEPARTMENTS:
        manager = number + 1
        places = count if department in FULL else count + draw.randint(2, 5)
        base.execute("INSERT INTO departments VALUES (?, ?, ?)", (department, manager, places))
        for i in range(count):
            number += 1
            name = names.pop()
            # The first is the manager; the next two lead a few of the others.
            boss = None if i == 0 else manager if i < 3 else manager + draw.choice((0, 1, 2))
            title = "manager" if i == 0 else draw.choice(TITLES)
            _person(base, draw, number, name, department, title, boss)
    base.commit()
    data = base.serialize()
    base.close()
    return data


def _person(
    base: sqlite3.Connection,
    draw: random.Random,
    number: int,
    name: str,
    department: str,
    title: str,
    boss: int | None,
) -> None:
    """One employee, with balances, attendance and pay."""
    salary = draw.randrange(2600, 6200, 50)
    email = f"{name.lower().replace(' ', '.')}@example.org"
    hired = f"20{draw.randint(10, 25)}-{draw.randint(1, 12):02d}-01"
    base.execute(
        "INSERT INTO employees VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'active')",
        (number, name, email, department, title, salary, boss, hired),
    )
    for kind in KINDS:
        base.execute(
            "INSERT INTO leave_balances VALUES (?, ?, ?)", (number, kind, draw.randint(0, 12))
        )
    for day in DAYS:
        came = f"0{draw.randint(7, 9)}:{draw.choice(('00', '15', '30'))}"
        left = None if draw.random() < 0.3 else f"1{draw.randint(6, 8)}:{draw.choice(('00', '45'))}"
        base.execute("INSERT INTO attendance VALUES (?, ?, ?, ?)", (number, day, came, left))
    for month, status in zip(MONTHS, ("closed", "open"), strict=True):
        base.execute("INSERT INTO payroll VALUES (?, ?, ?, 0, ?)", (number, month, salary, status))
