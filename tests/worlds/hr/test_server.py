"""The HR service over MCP: a real server process and the real client."""

from __future__ import annotations

import os
import sys

import pytest

from collegium.errors import ToolError
from collegium.kernel import Kernel
from collegium.systems.routine import routine
from collegium.tasks.task import Task
from collegium.tools.mcp import mcp_tools
from collegium.worlds.hr import TOOLS, Service, case, gold
from collegium.worlds.hr.company import company
from collegium.worlds.hr.service import tools_of
from tests.worlds.hr.follower import follower

pytest.importorskip("mcp")

SERVER = f"stdio {sys.executable} -m collegium.worlds.hr.server"
PATHS = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


async def test_a_request_is_carried_out_over_mcp() -> None:
    number = 3  # an expense: its result is used by the next call
    wanted = [(c.tool, c.arguments) for c in gold("test", number).calls]
    async with mcp_tools(SERVER, env=PATHS) as tools:
        by_name = {t.spec.name: t for t in tools}
        assert set(by_name) == set(TOOLS)
        schemas = {t.spec.name: t.spec.parameters for t in tools_of(Service(company("test")))}
        for name, tool in by_name.items():
            assert tool.spec.parameters["properties"].keys() == schemas[name]["properties"].keys()
            assert tool.spec.parameters.get("required", []) == schemas[name]["required"]
        kernel = Kernel(follower("test", number), tools=tools, seed=1)
        text = f"expense: {case('test', number).text}"
        task = Task(id="t", prompt=text, tools=tuple(by_name))
        result = await routine(task, kernel, embedder="hash", floor=0.0)
        await kernel.aclose()
        assert (result.notes["routine"], result.answer) == ("expense", "Done.")
        assert [(t["tool"], t["values"]) for t in result.notes["turns"]] == wanted
        assert all(t["ok"] for t in result.notes["turns"])
        # the effect stays in the server, and what it refuses is told
        person = wanted[1][1]["employee_id"]
        assert (await by_name["get_employee"].run({"employee_id": person}))["id"] == person
        with pytest.raises(ToolError, match="there is no employee 5"):
            await by_name["get_employee"].run({"employee_id": 5})
