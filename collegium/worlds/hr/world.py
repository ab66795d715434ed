"""The HR service as a world: typed tools, snapshots, and a judge that compares the tables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from collegium.kernel.tool import Tool
from collegium.tasks.task import Score
from collegium.worlds.hr.cases import case
from collegium.worlds.hr.company import company
from collegium.worlds.hr.gold import Called, gold
from collegium.worlds.hr.service import Service, tools_of

RULES = "You carry out requests to the HR desk of a company with its tools."


def routines_folder() -> Path:
    """Where the Routines for the requests lie, one JSON file each."""
    return Path(__file__).parent / "routines"


class HRWorld:
    """One request to the service.

    Args:
        split: "train", "validation" or "test".
        number: The request.
    """

    snapshots: Literal["state"] = "state"

    def __init__(self, split: str, number: int) -> None:
        self.case = case(split, number)
        self._split, self._number = split, number
        self.service = Service(company(split))
        self.log: list[Called] = []
        self._tools = tuple(self._noted(made) for made in tools_of(self.service))

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What the service can do."""
        return self._tools

    def actions(self) -> tuple[str, ...]:
        """Some moves: questions about whom the request is about, and first changes."""
        values = self.case.values
        if "name" not in values:
            return tuple(
                f'{name} {{"department": "{values["department"]}"}}'
                for name in ("get_department", "list_employees")
            )
        (number,) = self.service.numbers(values["name"])
        asked = [f'find_employee {{"name": "{values["name"]}"}}']
        for name in ("get_employee", "list_reports", "list_leave_requests", "deactivate_employee"):
            asked.append(f'{name} {{"employee_id": {number}}}')
        notice = msgspec.json.encode({"employee_id": number, "template": "farewell"}).decode()
        return (*asked, f"send_notice {notice}")

    async def reset(self, seed: int | None = None) -> str:
        """The company as it was at first, and the request."""
        self.service.load(company(self._split))
        self.log = []
        return self.case.text

    async def snapshot(self) -> bytes:
        """The database and the calls so far."""
        return msgspec.msgpack.encode((self.service.save(), self.log))

    async def restore(self, snapshot: bytes) -> None:
        """Go back to them."""
        data, self.log = msgspec.msgpack.decode(snapshot, type=tuple[bytes, list[Called]])
        self.service.load(data)

    async def judge(self, answer: Any) -> Score:
        """Right when every table holds what it holds after the program for the request.

        ``facts`` say besides how many of the expected calls were made in their places.
        """
        wanted = gold(self._split, self._number)
        held = self.service.content()
        wrong = [table for table in held if held[table] != wanted.content[table]]
        pairs = list(zip(self.log, wanted.calls, strict=False))
        count = len(wanted.calls)
        facts: dict[str, bool | float] = {
            "tool": sum(a.tool == b.tool for a, b in pairs) / count,
            "calls": sum((a.tool, a.arguments) == (b.tool, b.arguments) for a, b in pairs) / count,
        }
        reason = f"other than expected: {', '.join(wrong)}" if wrong else ""
        return Score(float(not wrong), not wrong, reason, facts)

    async def close(self) -> None:
        """Close the database."""
        self.service.close()

    def _noted(self, made: Tool) -> Tool:
        """A tool whose calls are kept."""
        function: Callable[..., Any] = made.function

        @functools.wraps(function)
        async def noted(**arguments: Any) -> Any:
            result = await function(**arguments)
            self.log.append(Called(made.spec.name, arguments))
            return result

        return msgspec.structs.replace(made, function=noted)
