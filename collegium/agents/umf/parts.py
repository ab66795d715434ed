"""Two small agents to compose: one that calculates, one that keeps a memory in SQL."""

from __future__ import annotations

import ast
import operator
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from collegium.agents.umf.compose import Part
from collegium.agents.umf.core import Request, Step
from collegium.agents.umf.election import Ledger
from collegium.agents.umf.security import GuardRule
from collegium.errors import BadInput
from collegium.kernel import Agent, Tool, Unparsed, tool

MAX_TOKENS = 96
"""Cap on the reply that turns an order into the use of a tool."""

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def calculation(expression: str) -> float:
    """The value of an arithmetic expression with + - * / and brackets.

    Raises:
        BadInput: It is something else, or divides by zero.
    """

    def value(node: ast.AST) -> float:
        match node:
            case ast.Expression(body):
                return value(body)
            case ast.Constant(int() | float() as number) if not isinstance(number, bool):
                return float(number)
            case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op, operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(operand))
        raise BadInput(f"{expression!r} is not arithmetic with + - * / and brackets.")

    try:
        return value(ast.parse(expression.strip(), mode="eval"))
    except (SyntaxError, ZeroDivisionError, OverflowError, RecursionError, ValueError) as error:
        raise BadInput(f"{expression!r} cannot be worked out: {error}.") from None


class Stock:
    """The database of one run: a table ``stock(item, amount)``, and its ledger.

    Args:
        amounts: What is in stock at the start.
    """

    def __init__(self, amounts: dict[str, int]) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE stock (item TEXT PRIMARY KEY, amount INTEGER NOT NULL)")
        self.database.executemany("INSERT INTO stock VALUES (?, ?)", amounts.items())
        self.ledger = Ledger(self.database)

    def amounts(self) -> dict[str, int]:
        """What is in stock now."""
        return dict(self.database.execute("SELECT item, amount FROM stock"))

    def run(self, sql: str, *, reading: bool) -> Any:
        """Run one statement of a model, which sees the table ``stock`` and nothing else.

        Raises:
            sqlite3.Error: It is wrong, or touches what it must not.
        """
        self.database.set_authorizer(_reads if reading else _writes)
        try:
            cursor = self.database.execute(sql)
            rows = [list(row) for row in cursor.fetchmany(20)]
            return rows if reading else {"changed": cursor.rowcount}
        finally:
            self.database.set_authorizer(None)


def _reads(action: int, *what: str | None) -> int:
    seen = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION)
    seen = seen or (action == sqlite3.SQLITE_READ and what[0] == "stock")
    return sqlite3.SQLITE_OK if seen else sqlite3.SQLITE_DENY


def _writes(action: int, *what: str | None) -> int:
    changes = (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
    if action in changes and what[0] == "stock":
        return sqlite3.SQLITE_OK
    return _reads(action, *what)


def stock_tools(stock: Stock) -> list[Tool]:
    """The tools of both agents, on one database."""

    async def calculate(expression: str) -> float | dict[str, str]:
        """Work out an arithmetic expression."""
        try:
            return calculation(expression)
        except BadInput as error:
            return {"error": str(error)}

    async def query(sql: str) -> list[list[Any]] | dict[str, str]:
        """Read from the table stock."""
        try:
            return stock.run(sql, reading=True)
        except sqlite3.Error as error:
            return {"error": str(error)}

    async def change(
        sql: str, action: str = "", member: str = "", term: int = 0, now: float = 0.0
    ) -> dict[str, Any]:
        """Change the table stock: once per action id, and only by who may."""
        try:
            return stock.ledger.once(
                action, member, term, now, sql, lambda: stock.run(sql, reading=False)
            )
        except sqlite3.Error as error:
            return {"error": str(error)}

    return [tool(calculate), tool(query), tool(change)]


class Expression(msgspec.Struct, frozen=True):
    """What the calculator's model writes."""

    expression: str


class Statement(msgspec.Struct, frozen=True):
    """What the database's model writes."""

    sql: str


class Calculating:
    """Action module: an order becomes one arithmetic expression."""

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        """The expression to work out."""
        reply = await agent.ask(
            "Write the arithmetic expression that this order asks for: numbers, + - * / and "
            f"brackets, no words.\n\nOrder: {step.order}",
            output=Expression,
            temperature=0.0,
            max_tokens=MAX_TOKENS,
        )
        if not isinstance(reply.data, Expression):
            return reply.data or Unparsed(reply.text, "no expression")
        arguments = {"expression": reply.data.expression}
        return Request("calculate", arguments, sources=(reply.call,))


class Remembering:
    """Action module: an order becomes one SQL statement, which reads or changes."""

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        """The statement to run."""
        reply = await agent.ask(
            "Write one SQLite statement that does what this order says. The only table is "
            "stock(item TEXT, amount INTEGER). Read with SELECT; add to an amount with "
            f"UPDATE stock SET amount = amount + N WHERE item = '...'.\n\nOrder: {step.order}",
            output=Statement,
            temperature=0.0,
            max_tokens=MAX_TOKENS,
        )
        if not isinstance(reply.data, Statement):
            return reply.data or Unparsed(reply.text, "no statement")
        sql = reply.data.sql
        reads = sql.lstrip().upper().startswith(("SELECT", "WITH", "VALUES"))
        name = "query" if reads else "change"
        return Request(name, {"sql": sql}, writes=not reads, sources=(reply.call,))


def _short(text: str) -> str:
    return "" if len(text) <= 4_000 else f"{len(text):,} characters are too many"


def _whole_table(text: str) -> str:
    """Statements that would empty or drop the table."""
    words = text.upper().replace('"', " ").split()
    if "DROP" in words or ("DELETE" in words and "WHERE" not in words):
        return "it would remove everything"
    return ""


SHORT = GuardRule("short orders", "prompt", _short, goals=("availability",))
KEEP_TABLE = GuardRule("keep the table", "response", _whole_table)
RULES = (SHORT, KEEP_TABLE)
"""The security rules of both agents, for ``Kernel(drivers=guards(RULES))``."""

CALCULATOR = Part(
    name="calculator",
    capability="works out one arithmetic expression with given numbers",
    action=Calculating(),
    tools=("calculate",),
    rules=(SHORT,),
    profile="You are exact with numbers and leave every calculation to the calculator.",
)
DATABASE = Part(
    name="database",
    capability="reads and changes the table stock(item, amount): how many of an item there are",
    action=Remembering(),
    tools=("query", "change"),
    rules=RULES,
    profile="You keep the stock table right and look amounts up in it.",
)
