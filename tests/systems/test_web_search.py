"""Tree search on real pages: going back by replay, and what is never tried out."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from collegium.guard import Label, Policy
from collegium.guard.use import Guarding
from collegium.kernel import Generate, Kernel, Toolbox
from collegium.systems.tree_search import tree_search
from collegium.tasks.task import Task
from collegium.worlds import drivers
from collegium.worlds.web import WebWorld
from collegium.worlds.web.acting import TOOLS
from collegium.worlds.web.browser import executable
from tests.kernel.support import Scripted
from tests.worlds.web.site import Notes, web_task


@pytest.fixture
async def placed() -> AsyncIterator[tuple[Notes, WebWorld, str]]:
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    site = Notes()
    task = web_task("/", require_login=True)
    world = WebWorld(task, {"shop": site.address}, sites={"shop": site})
    yield site, world, await world.reset(0)
    await world.close()
    site.close()


def move(tool: str, **arguments: Any) -> str:
    return json.dumps({"thought": "so", "action": {"tool": tool, "arguments": arguments}})


def verdict(status: str, track: str) -> str:
    return json.dumps({"thoughts": "so", "status": status, "on_the_right_track": track})


def numbered(seen: str, name: str) -> int:
    found = re.search(rf"\[(\d+)\] \S+ '{name}'", seen)
    assert found, seen
    return int(found[1])


@pytest.mark.must_show("tree-search", 4)
async def test_a_sibling_starts_from_the_state_before_the_branch(placed) -> None:
    site, world, seen = placed
    field, link = numbered(seen, "Words"), numbered(seen, "All notes")

    def answer(request: Generate, i: int) -> str:
        if request.agent == "judge":
            done = "All" not in request.messages[-1].text.rpartition("What was to be seen")[2]
            return verdict("success" if done else "failure", "yes")
        ways = [
            move("type", id=field, text="typed", enter=False),
            move("scroll", direction="down"),
            move("click", id=link),
        ]
        return ways[i % 3]

    kernel = Kernel(Scripted(answer), tools=Toolbox(world.tools), drivers=drivers(world), seed=1)
    task = Task(id="t", prompt=f"Find the notes.\n\n{seen}", tools=TOOLS["typed"])
    result = await tree_search(
        task, kernel, budget=3, branching=3, samples=6, judgements=1, depth=0, steps=1
    )
    await kernel.aclose()
    typed, scrolled, clicked = (node["seen"] for node in result.notes["trees"][0])
    assert "value: 'typed'" in typed
    assert scrolled == seen  # as before: what was typed in the other branch is gone
    assert "buy milk" in clicked
    assert result.notes["committed"] == [f'click({{"id":{link}}})']
    assert (await world.judge(None)).correct and site.resets >= 3


@pytest.mark.must_show("tree-search", 6)
async def test_what_a_policy_calls_irreversible_is_done_once_on_the_site(placed) -> None:
    site, world, _ = placed
    turn = await world.step("goto [http://shop.test/notes]")
    field = numbered(turn.observation, "Note")

    def answer(request: Generate, i: int) -> str:
        if request.agent == "judge":
            return verdict("success", "yes")
        return move("type", id=field, text="call mum", enter=True)

    box = Toolbox(world.tools)
    policy = Policy(
        tools={},
        default="allow",
        irreversible=(Label(tool="type", when={"enter": {"const": True}}),),
    )
    guarding = Guarding(policy, tools=box)
    kernel = Kernel(
        Scripted(answer),
        tools=box,
        drivers=drivers(world),
        interceptors=guarding.interceptors,
        seed=1,
    )
    added: list[list[str]] = []
    reset = site.reset

    async def watched() -> None:
        added.append(list(site.notes))
        await reset()

    site.reset = watched  # type: ignore[method-assign]
    task = Task(id="t", prompt=f"Add a note.\n\n{turn.observation}", tools=TOOLS["typed"])
    result = await tree_search(
        task, kernel, budget=2, branching=1, samples=2, judgements=1, depth=0, steps=1
    )
    await kernel.aclose()
    assert all("call mum" not in notes for notes in added)  # never while trying
    assert site.notes == ["buy milk", "call mum"]
    assert result.notes["trees"][0][0]["refused"]
