"""Questions to real SQLite databases, and orders to change them (DBBench of AgentBench).

A task is a table and a question or an order. ``sql STATEMENT`` runs a statement, ``answer VALUES``
ends a question, ``done`` ends an order. A question is judged by the values answered; an order by
what the table holds, beside what it holds after the reference statement.

Paper vs code vs ours
---------------------
* The authors run MySQL in a container; here every task has an SQLite database of its own in
  memory. Tasks whose reference statement SQLite does not take, or which changes nothing, are left
  out, and :func:`left_out` says which.
* Orders are judged by the rows of the table, in any order, and not by a digest of MySQL's.
* A statement may not reach files or load code, and has an end: so many steps of SQLite's machine.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.tasks.sources import data_file
from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind, part

FILE = "agentbench/dbbench_standard.jsonl"
STEPS = 2_000_000
"""Steps of SQLite's machine that a statement may take."""
ROWS = 20
"""Rows of a result that are shown."""
CHANGES = ("INSERT", "UPDATE", "DELETE")

RULES = """You work on a database. Moves:
sql STATEMENT - run one statement of SQLite
answer VALUE; VALUE - state the answer of a question, values alone, with ; between several
done - say that an order was carried out"""

_MAY = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT,
}  # fmt: skip


class Column(msgspec.Struct, frozen=True):
    """A column of the table."""

    name: str
    type: str


class TableInfo(msgspec.Struct, frozen=True):
    """What the table holds."""

    columns: list[Column]
    rows: list[list[Any]]


class Table(msgspec.Struct, frozen=True):
    """The table of a task."""

    table_name: str
    table_info: TableInfo


class Case(msgspec.Struct, frozen=True):
    """A task as its file has it."""

    description: str
    label: list[Any]
    table: Table
    type: list[str]
    add_description: str = ""

    @property
    def changes(self) -> bool:
        """Whether it is an order to change the table."""
        return self.type[0] in CHANGES

    @property
    def statement(self) -> str:
        """The reference statement of an order."""
        return str(self.label[0])


class State(msgspec.Struct):
    """What was answered: None before the end, "" at the end of an order."""

    answer: str | None = None
    statements: int = 0


class Database:
    """Work on one table.

    Args:
        case: The task.
    """

    def __init__(self, case: Case) -> None:
        self.case, self.state = case, State()
        self._database = _open(case.table)

    def begin(self, seed: int | None) -> str:
        """The table is new."""
        self._database.close()
        self._database, self.state = _open(self.case.table), State()
        kind = "Order" if self.case.changes else "Question"
        return f"{self.case.add_description}\n{kind}: {self.case.description}"

    def step(self, action: str) -> Turn:
        """Run a statement, or end."""
        word, _, rest = action.partition(" ")
        match word.lower():
            case "sql":
                self.state.statements += 1
                return Turn(run_statement(self._database, rest.strip()))
            case "answer":
                self.state.answer = rest.strip()
            case "done":
                self.state.answer = ""
            case _:
                return Turn("A move is sql STATEMENT, answer VALUES, or done.")
        value = self.judge(None).value
        return Turn("Noted.", value, True)

    def actions(self) -> list[str]:
        """Statements that show the table, and answers with one of its values."""
        name = self.case.table.table_name
        info = self.case.table.table_info
        shows = [f'sql SELECT "{c.name}" FROM "{name}" LIMIT 5' for c in info.columns]
        values = sorted({str(v) for row in info.rows[:5] for v in row})
        return [*shows, *([] if self.case.changes else [f"answer {v}" for v in values]), "done"]

    def judge(self, answer: Any) -> Score:
        """Right when the table holds what it should, or the values answered are those."""
        if self.case.changes:
            right = content(self._database, self.case.table.table_name) == _after(self.case)
            return Score(float(right), right, facts={"statements": float(self.state.statements)})
        said = answer if self.state.answer is None else self.state.answer
        right = same_values(said, self.case.label)
        return Score(float(right), right, facts={"statements": float(self.state.statements)})

    def save(self) -> bytes:
        """The database file and what was answered."""
        self._database.set_authorizer(None)  # keeping it takes a pragma
        try:
            return msgspec.msgpack.encode((self.state, self._database.serialize()))
        finally:
            _confine(self._database)

    def load(self, data: bytes) -> None:
        """Take it up again."""
        self.state, file = msgspec.msgpack.decode(data, type=tuple[State, bytes])
        self._database.set_authorizer(None)
        self._database.deserialize(file)
        _confine(self._database)

    def close(self) -> None:
        """Let the database go."""
        self._database.close()


def run_statement(database: sqlite3.Connection, statement: str) -> str:
    """Run a statement and say what came of it: rows, a number of rows changed, or the problem."""
    left = [STEPS // 1000]

    def tick() -> int:
        left[0] -= 1
        return int(left[0] < 0)

    database.set_progress_handler(tick, 1000)
    try:
        cursor = database.execute(statement)
        rows = cursor.fetchmany(ROWS + 1) if cursor.description else None
        database.commit()
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        with contextlib.suppress(sqlite3.Error):
            database.rollback()
        return f"Error: {error}"
    finally:
        database.set_progress_handler(None, 0)
    if rows is None:
        return f"{max(0, cursor.rowcount)} rows changed."
    shown = msgspec.json.encode(rows[:ROWS], enc_hook=repr).decode()
    return shown + (" and more" if len(rows) > ROWS else "")


def same_values(said: Any, label: list[Any]) -> bool:
    """Whether an answer names the values of a label: all of them, in any order, nothing else.

    Numbers count as equal when they differ by less than a hundredth, or a millionth of their size.
    """
    if said is None or not isinstance(said, str | int | float | list):
        return False
    wanted = sorted(_plain(v) for v in label)
    whole = str(said)
    for parts in ([whole], re.split(r"[;\n]", whole), _listed(whole), whole.split(",")):
        got = sorted(_plain(p) for p in parts if str(p).strip())
        if len(got) == len(wanted) and all(map(_same, got, wanted)):
            return True
    return False


def content(database: sqlite3.Connection, table: str) -> list[str]:
    """All rows of a table, in an order of their own; [] if the table is gone."""
    try:
        rows = database.execute(f"SELECT * FROM {_quoted(table)}").fetchall()
    except sqlite3.Error:
        return []
    return sorted(repr(row) for row in rows)


def left_out() -> dict[str, str]:
    """Why cases of the file are not played, by their number."""
    return {str(number): why for number, why in _read()[1].items()}


def _open(table: Table) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    columns = ", ".join(f"{_quoted(c.name)} {c.type}" for c in table.table_info.columns)
    name = _quoted(table.table_name)
    database.execute(f"CREATE TABLE {name} ({columns})")
    signs = ", ".join("?" * len(table.table_info.columns))
    database.executemany(f"INSERT INTO {name} VALUES ({signs})", table.table_info.rows)
    database.commit()
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4_000_000)
    _confine(database)
    return database


def _confine(database: sqlite3.Connection) -> None:
    """Leave to statements what reads and changes the table, and nothing else."""
    database.set_authorizer(
        lambda what, *of: sqlite3.SQLITE_OK if what in _MAY else sqlite3.SQLITE_DENY
    )


def _after(case: Case) -> list[str]:
    """What the table holds after the reference statement."""
    database = _open(case.table)
    try:
        database.execute(case.statement)
        return content(database, case.table.table_name)
    finally:
        database.close()


@functools.cache
def _read() -> tuple[dict[int, Case], dict[int, str]]:
    """The cases that can be played, and why the others cannot, by their number in the file."""
    path = data_file(FILE)
    if path is None:
        raise BadInput(f"dbbench needs {_missing()}.")
    good: dict[int, Case] = {}
    bad: dict[int, str] = {}
    for number, line in enumerate(path.read_bytes().splitlines()):
        case = msgspec.json.decode(line, type=Case)
        try:
            if case.changes:
                database = _open(case.table)
                before = content(database, case.table.table_name)
                database.close()
                if _after(case) == before:
                    bad[number] = "the reference statement changes nothing"
                    continue
            else:
                _open(case.table).close()
        except sqlite3.Error as error:
            bad[number] = f"SQLite: {error}"
            continue
        good[number] = case
    return good, bad


def _missing() -> str:
    return "" if data_file(FILE) else f"{FILE} in the folder of data"


@functools.cache
def _numbers(split: str) -> list[int]:
    return part(_read()[0], split, lambda number: f"dbbench/{number}")


def _case(split: str, number: int) -> Case:
    return _read()[0][_numbers(split)[number]]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Any) -> str:
    return str(value).strip().strip("'\"").strip().rstrip(".").lower()


def _same(one: str, other: str) -> bool:
    try:
        a, b = (float(v.replace(",", "").rstrip("%")) for v in (one, other))
    except ValueError:
        return one == other
    return abs(a - b) < max(0.01, 1e-6 * abs(b))


def _listed(text: str) -> list[Any]:
    """The values of a JSON list, [] where it is none."""
    try:
        values = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return []
    return values if isinstance(values, list) else []


KINDS = (
    Kind(
        name="dbbench",
        description="questions to an SQLite database, and orders to change it",
        rules=RULES,
        rounds=10,
        size=lambda split: len(_numbers(split)),
        make=lambda split, number: Database(_case(split, number)),
        source="tasks of AgentBench's DBBench (Apache-2.0), run on SQLite",
        licence="Apache-2.0",
        missing=_missing,
        stratum=lambda split, number: _case(split, number).type[0],
    ),
)
