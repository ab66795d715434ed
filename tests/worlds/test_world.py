"""Worlds in runs: made anew, reached through tools alone, judged at the end, and resumed."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collegium.bench.jobs import Entry, run_job
from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.guard import Policy, Rule
from collegium.kernel import Kernel, tool
from collegium.models import ScriptedModel
from collegium.systems import parse_system
from collegium.tasks.task import Item, Score, Task
from collegium.worlds import Restore, Snapshot, World, anew, drivers, opened
from tests.worlds.ledger import OPEN, Clerk, Till, item

PROGRAM = Path(__file__).with_name("ledger.py")
ROOT = PROGRAM.parents[2]


async def run(model: Any, **options: Any) -> Outcome:
    entry = Entry("tool-calling", *parse_system("tool-calling"))
    return await run_job(entry, item(), {"": model}, seed=1, budget=None, **options)


async def test_a_run_acts_on_a_world_of_its_own_which_is_judged() -> None:
    first, second = await run(Clerk()), await run(Clerk())
    assert first.correct
    assert first.facts == second.facts == {"robbed": False, "coins": 16}
    assert first.prompt == "Make it 16 coins.\n\nThere are 10 coins in the till."
    assert first.answer == "16 coins are in it"
    assert OPEN == []


async def test_what_is_left_behind_counts_and_not_what_is_said() -> None:
    liar = Clerk(tools=[("smash", {})])
    outcome = await run(liar)
    assert not outcome.correct
    assert outcome.facts["robbed"] is True


async def test_a_policy_stands_between_agents_and_the_world() -> None:
    policy = Policy(tools={"put": (Rule(effect="allow"),)})
    robber = Clerk(tools=[("smash", {}), ("put", {"coins": 6})])
    outcome = await run(robber, policy=policy)
    assert outcome.correct
    assert outcome.facts["robbed"] is False
    assert list(outcome.blocked.values()) == [1]


async def test_a_world_is_closed_when_a_run_fails() -> None:
    def fail(request: Any) -> str:
        raise BadInput("no such model")

    with pytest.raises(BadInput):
        await run(ScriptedModel(fail))
    assert OPEN == []


def start(folder: Path, *die_after: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(folder / "runs.db"), str(folder / "log"), *die_after],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_killed_in_the_middle_it_ends_in_the_same_state_and_pays_nothing_twice(
    tmp_path: Path,
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    assert start(broken, "3").returncode == -signal.SIGKILL
    resumed, uninterrupted = start(broken), start(whole)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout) == json.loads(uninterrupted.stdout)
    assert json.loads(resumed.stdout)[2]["coins"] == 16
    # Only the call in whose middle it died was made again.
    assert (broken / "log").read_text().split() == ["0", "1", "2", "2", "3"]
    assert (whole / "log").read_text().split() == ["0", "1", "2", "3"]


async def test_a_system_can_go_back() -> None:
    async with opened(lambda: Till(0), 1) as (world, seen):
        assert seen == "There are 10 coins in the till."
        kernel = Kernel(ScriptedModel(lambda r: ""), tools=world.tools, drivers=drivers(world))
        agent = kernel.agent("searcher", tools=["put", "smash"])
        before = await kernel.call(Snapshot(agent="searcher"))
        assert await agent.use("smash") == "empty"
        assert (await world.judge("")).correct
        await kernel.call(Restore(agent="searcher", snapshot=before))
        assert not (await world.judge("")).correct
        assert [e.kind for e in kernel.trace.events] == ["snapshot", "use-tool", "restore"]
        # A resumed run makes all of these again: none is taken from the journal.
        again = Kernel(
            ScriptedModel(lambda r: ""), tools=world.tools, drivers=drivers(world),
            journal=[kernel.trace.events], anew=anew(world),
        )  # fmt: skip
        agent = again.agent("searcher", tools=["put", "smash"])
        assert await agent.use("smash") == "empty"
        assert (await world.judge("")).correct


async def test_a_tool_of_a_world_may_not_be_pure() -> None:
    class Wrong(Till):
        @property
        def tools(self):
            def look() -> int:
                """Look."""
                return 1

            return (tool(look, pure=True),)

    with pytest.raises(ValueError, match="'look' of a world cannot be pure"):
        async with opened(lambda: Wrong(1)):
            pass
    assert OPEN == []


def test_an_item_has_a_scorer_or_a_world() -> None:
    async def score(answer: Any) -> Score:
        return Score(1.0, True)

    task = Task(id="x", prompt="x")
    with pytest.raises(ValueError, match="a scorer or a world"):
        Item(task, "")
    with pytest.raises(ValueError, match="a scorer or a world"):
        Item(task, "", score, item().world)
    assert pickle.loads(pickle.dumps(item())).task == item().task


def test_the_till_is_a_world() -> None:
    world: World = Till(1)
    assert world.snapshots == "state"
    OPEN.clear()


async def test_without_tools_it_says_what_it_needs() -> None:
    _, parameters = parse_system("tool-calling")
    with pytest.raises(BadInput, match="a task with tools to act with"):
        parse_system("tool-calling")[0].require(Task(id="x", prompt="x"))
    assert parameters["steps"] == 15


async def test_the_world_in_the_documentation_works() -> None:
    page = (ROOT / "docs" / "rooms" / "worlds.md").read_text()
    there: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], there)
    async with opened(there["Lamp"]) as (world, seen):
        assert seen == "The lamp is dark."
        kernel = Kernel(ScriptedModel(lambda r: ""), tools=world.tools)
        before = await world.snapshot()
        assert await kernel.agent("a", tools=["switch"]).use("switch", on=True) == "It is lit."
        assert await world.judge("yes") == Score(1.0, True, facts={"answered": True})
        await world.restore(before)
        assert not (await world.judge("")).correct
