"""Every call of every system passes the guard: what is denied never happens."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from collegium.guard import Guarding, Policy
from collegium.guard.check import READS, name_of
from collegium.kernel import Call, Event, Generate, Kernel, Reply, ToolCall
from collegium.kernel.toolbox import Toolbox
from collegium.models.scripted import ScriptedModel
from collegium.systems import get_system, systems
from collegium.systems.solve import solve
from collegium.tasks.task import Task
from collegium.tools import sandbox_problem
from collegium.tools.calculator import calculator
from collegium.worlds import drivers
from collegium.worlds.text import text_world
from tests.agents.umf.catalog_runs import RUNS as CATALOG_RUNS
from tests.bench.taxonomy import runs
from tests.guard.ltl.support import Planned

pytestmark = [
    pytest.mark.skipif(sandbox_problem() is not None, reason="no sandbox here"),
    pytest.mark.skipif(importlib.util.find_spec("clingo") is None, reason="no solver here"),
]

SENDERS = {"argmed", "dylan", "halo", "mad", "mas-tts", "mdagents", "metagpt"}
TOOL_USERS = {
    *("codecor", "mas-tts", "metagpt", "react", "pass", "routine", "tool-calling", "tree-search"),
    *("research-agent", "low-param"),
}

SUM = Task(id="sum", prompt="What is 6 times 7?", answer="number", tools=("calculator",))
ACTION = 'Multiply.\n[Action] calculator\n[Action Input] {"expression": "6 * 7"}\n[Observation]'
PLAN = {
    "": ["[Summary] It is 42."],
    "[Thought]": [ACTION, "I have it.\n[Answer] 42"],
    "[Action]": ["calculator"],
    "[Action Input]": ['{"expression": "6 * 7"}'],
    "[Summary]": ["It is 42."],
    "[Answer]": ["42"],
}


def specified(name: str) -> Callable[[], Awaitable[list[list[Event]]]]:
    """A run of a system made from a specification: it calculates once, and answers."""

    async def done() -> list[list[Event]]:
        return [(await runs.run(name, SUM, ScriptedModel(Planned(PLAN)), example=False))[0]]

    return done


async def tool_calling() -> list[list[Event]]:
    """The model asks for the calculator, and answers when it has been told something."""

    def say(request: Generate) -> Reply:
        if request.messages[-1].role == "tool":
            return Reply("42")
        call = ToolCall("1", "calculator", {"expression": "6 * 7"})
        return Reply("", tool_calls=(call,), finish="tool")

    return [(await runs.run("tool-calling", SUM, ScriptedModel(say)))[0]]


async def tree_search() -> list[list[Event]]:
    """One action is tried in a world, judged, and committed."""

    def say(request: Generate) -> str:
        if request.agent == "judge":
            return '{"thoughts": "", "status": "success", "on_the_right_track": "yes"}'
        used = '{"tool": "calculator", "arguments": {"expression": "6 * 7"}}'
        return f'{{"thought": "", "action": {used}}}'

    world = text_world("maze")
    await world.reset(0)
    kernel = runs.Kernel(ScriptedModel(say), seed=7, drivers=drivers(world))
    await solve(get_system("tree-search"), SUM, kernel, get_system("tree-search").bind({}))
    return [kernel.trace.events]


async def low_param() -> list[list[Event]]:
    """One action, judged a bad way and taken back; then the answer."""

    def say(request: Generate) -> str:
        if request.agent == "planner":
            return '{"subtasks": ["Multiply."]}'
        if request.agent == "judge":
            good = "Its answer: 42" in request.messages[-1].text
            said = ("yes", "good") if good else ("no", "bad")
            return '{{"reason": "so", "done": "{}", "way": "{}"}}'.format(*said)
        used = '{"tool": "calculator", "arguments": {"expression": "6 * 7"}}'
        if "Observation:" in request.messages[-1].text or "given up" in repr(request.messages):
            used = '{"tool": "finish", "answer": "42"}'
        return f'{{"thought": "", "action": {used}}}'

    world = text_world("maze")
    await world.reset(0)
    kernel = runs.Kernel(ScriptedModel(say), seed=7, drivers=drivers(world))
    await solve(get_system("low-param"), SUM, kernel, get_system("low-param").bind({"menu": True}))
    return [kernel.trace.events]


async def researching() -> list[list[Event]]:
    """The agent uses the calculator once and says what it found."""

    def say(request: Generate) -> str:
        if "Observation:" in request.messages[-1].text:
            return 'Action: final_answer\nAction Input: {"text": "42"}'
        return 'Action: calculator\nAction Input: {"expression": "6 * 7"}'

    return [(await runs.run("research-agent", SUM, ScriptedModel(say), form="act"))[0]]


async def routine() -> list[list[Event]]:
    """No Routine fits a sum: one call and the answer, in the same form of turns."""
    plain = '{{"call": {{"name": "{}", "arguments": {}}}}}'

    def say(request: Generate) -> str:
        if any(m.role == "assistant" for m in request.messages):
            return plain.format("finish", '{"answer": "42"}')
        return plain.format("calculator", '{"expression": "6 * 7"}')

    return [(await runs.run("routine", SUM, ScriptedModel(say), follow=False))[0]]


RUNS = {
    **CATALOG_RUNS,
    "react": specified("react"),
    "routine": routine,
    "pass": specified("pass"),
    "tool-calling": tool_calling,
    "tree-search": tree_search,
    "low-param": low_param,
    "research-agent": researching,
}


class Watched:
    """What acting calls a run makes, and which of them came as far as a driver or a tool."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.bodies: list[str] = []
        self.policy: Policy | None = None

    @property
    def kernel(self) -> type[Kernel]:
        """A kernel that tells of its drivers, under the policy there is."""
        watched = self

        class WatchedKernel(Kernel):
            def __init__(self, models: Any, **options: Any) -> None:
                box = Toolbox([calculator])
                guarding = Guarding(watched.policy, tools=box) if watched.policy else None
                chain = guarding.interceptors if guarding else ()
                super().__init__(models, tools=box, interceptors=chain, **options)

            async def _drive(self, call: Call) -> Any:
                if type(call) not in READS:
                    watched.done.append(name_of(call))
                return await super()._drive(call)

        return WatchedKernel


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watching = Watched()
    run_tool = Toolbox.run

    async def noted(self: Toolbox, name: str, *args: Any, **options: Any) -> Any:
        watching.bodies.append(name)
        return await run_tool(self, name, *args, **options)

    monkeypatch.setattr(Toolbox, "run", noted)
    monkeypatch.setattr(runs, "Kernel", watching.kernel)
    return watching


def acting(traces: Sequence[Sequence[Event]]) -> list[str]:
    """The acting calls that were attempted."""
    return [name_of(e.call) for events in traces for e in events if type(e.call) not in READS]


def test_the_runs_are_of_every_system() -> None:
    # tests of other rooms register systems of their own
    own = {n: s for n, s in systems().items() if s.solve.__module__.startswith("collegium.")}
    assert RUNS.keys() == own.keys()
    assert {n for n, s in own.items() if s.tools} <= TOOL_USERS | {"dylan"}


@pytest.mark.must_show("progent", 6)
@pytest.mark.parametrize("name", sorted(RUNS))
async def test_nothing_denied_ever_happens(name: str, watched: Watched) -> None:
    free = acting(await RUNS[name]())
    assert sorted(free) == sorted(watched.done)
    assert ("@send" in free) == (name in SENDERS)
    assert any(not n.startswith("@") for n in free) == (name in TOOL_USERS)
    for denied in (None, *sorted(set(free))):
        # all at once, then each kind of call alone, so that a run comes to the later ones too
        rules = Policy() if denied is None else Policy(tools={denied: ()}, default="allow")
        watched.done, watched.bodies, watched.policy = [], [], rules
        traces = await RUNS[name]()
        stopped = [e for events in traces for e in events if e.failure == "Blocked"]
        if free:
            assert stopped
        if denied is None:
            assert watched.done == [] and watched.bodies == []
            assert all(e.outcome == "error" for e in stopped)
        else:
            assert denied not in watched.done + watched.bodies
            assert {name_of(e.call) for e in stopped} == {denied}
