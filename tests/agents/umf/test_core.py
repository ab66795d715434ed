"""Core-agents: kinds, modules that can be swapped, and statelessness, which is tested."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from collegium.agents.umf import (
    CoreAgent,
    Done,
    HandProfile,
    LmPlanning,
    Request,
    RunNotes,
    Step,
    active,
    guards,
    leaks,
    leaks_of,
    obey,
    passive,
    pursue,
)
from collegium.agents.umf.core import with_results
from collegium.agents.umf.parts import CALCULATOR, RULES, Calculating, Stock, stock_tools
from collegium.errors import BadInput
from collegium.kernel import Agent, Generate, Kernel, Unparsed
from collegium.models import ScriptedModel

FIRST = Step("calculator", "What do 48 quinces at 7 each cost?")
SECOND = Step("calculator", "Add 15 and 26.")


def answers(request: Generate) -> str:
    order = request.messages[-1].text.partition("Order: ")[2]
    return json.dumps({"expression": "48 * 7" if "quinces" in order else "15 + 26"})


def fresh(action: Any, kind: Any = passive, **options: Any) -> CoreAgent:
    kernel = Kernel(
        ScriptedModel(answers), tools=stock_tools(Stock({})), drivers=guards(RULES), seed=1
    )
    return kind(kernel, "calculator", action=action, tools=["calculate"], **options)


class Keeping(Calculating):
    """Keeps its conversation in the agent."""

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        await agent.ask(f"Order: {step.order}", keep=True)
        return Request("calculate", {"expression": "1 + 1"})


class Hoarding(Calculating):
    """Keeps a little of every order where nobody looks, and slips it into the next prompt."""

    def __init__(self, characters: int | None = None) -> None:
        self.kept, self.characters = "", characters

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        told = step.order + self.kept
        self.kept = " " + step.order[: self.characters]
        return await super().request(agent, Step(step.to, told))


class Shared(Hoarding):
    """Keeps it for all core-agents of its class."""

    store: list[str] = []

    def __init__(self) -> None:
        super().__init__()

    async def request(self, agent: Agent, step: Step) -> Request | Unparsed:
        told = " ".join([step.order, *self.store])
        self.store.append(step.order)
        return await Calculating.request(self, agent, Step(step.to, told))


@pytest.mark.must_show("umf", 3)
async def test_a_passive_core_agent_sends_nothing_of_an_earlier_order() -> None:
    assert await leaks_of(lambda: fresh(CALCULATOR.action), FIRST, SECOND) == ()
    assert (await obey(fresh(CALCULATOR.action), FIRST)).value == 336.0


@pytest.mark.must_show("umf", 3)
@pytest.mark.parametrize("characters", [None, 12, 1])
async def test_what_a_module_keeps_is_found_down_to_a_byte(characters: int | None) -> None:
    found = await leaks_of(lambda: fresh(Hoarding(characters)), FIRST, SECOND)
    assert found
    kept = FIRST.order[:characters]
    assert kept in "".join(leak.text for leak in found)
    assert all(leak.call > 0 for leak in found)
    assert "of an earlier order" in str(found[0])


@pytest.mark.must_show("umf", 3)
async def test_what_all_core_agents_share_is_found() -> None:
    Shared.store.clear()
    found = await leaks_of(lambda: fresh(Shared()), FIRST, SECOND)
    assert any("quinces" in leak.text for leak in found)


@pytest.mark.must_show("umf", 3)
async def test_a_conversation_is_cleared_for_a_passive_core_agent_and_leaks_without() -> None:
    kernel = Kernel(ScriptedModel(lambda request: "Noted."), tools=stock_tools(Stock({})))
    core = passive(kernel, "calculator", action=Keeping(), tools=["calculate"])
    await obey(core, FIRST)
    assert core.agent.history == []
    begun = len(core.agent.kernel.trace.events)
    await obey(core, SECOND)
    assert leaks(FIRST.order, core.agent.kernel.trace.events[begun:]) == ()
    # The same module without the clearing: the conversation carries the order over.
    await core.action.request(core.agent, FIRST)
    begun = len(core.agent.kernel.trace.events)
    await core.action.request(core.agent, SECOND)
    found = leaks(FIRST.order, core.agent.kernel.trace.events[begun:])
    assert any("quinces" in leak.text for leak in found)


async def test_the_same_order_twice_shows_nothing() -> None:
    with pytest.raises(BadInput, match="two different orders"):
        await leaks_of(lambda: fresh(CALCULATOR.action), FIRST, FIRST)


def mind() -> dict[str, Any]:
    return {"planning": LmPlanning(), "memory": RunNotes(), "profile": HandProfile("You count.")}


class ByRule:
    """A planning module without a model: one step for the first option."""

    async def plan(
        self, agent: Agent, task: str, notes: Sequence[str], options: Mapping[str, str]
    ) -> tuple[Step, ...]:
        return (Step(next(iter(options)), task),)


async def test_a_module_is_swapped_and_the_rest_stays() -> None:
    core = fresh(CALCULATOR.action, active, **mind())
    asked: list[str] = []

    def script(request: Generate) -> str:
        asked.append(request.messages[-1].text)
        if "Split this" in asked[-1]:
            return json.dumps({"steps": [{"to": "calculator", "order": "15 + 26"}] * 2})
        return '{"answer": 41}' if "final answer" in asked[-1] else '{"expression": "15 + 26"}'

    async def do(step: Step) -> Done:
        return await obey(core, step)

    counts = []
    modules: tuple[Any, ...] = (core.planning, ByRule())
    for planning in modules:
        kernel = Kernel(ScriptedModel(script), tools=stock_tools(Stock({})))
        core = active(
            kernel,
            "calculator",
            action=CALCULATOR.action,
            tools=["calculate"],
            **(mind() | {"planning": planning}),
        )
        reply = await pursue(
            core, "Add 15 and 26.", {"calculator": "sums"}, do, output=int, max_tokens=64
        )
        assert reply.data == 41
        assert kernel.trace.events[-1].call.messages[0].text == "You count."  # pyright: ignore
        counts.append(kernel.meter.calls)
    assert counts == [4, 2]  # plan, two steps, answer; one step, answer
    assert "15 + 26 -> 41.0" in asked[3]
    swapped = msgspec.structs.replace(core, planning=LmPlanning(8))
    assert (swapped.memory, swapped.agent) == (core.memory, core.agent)


def test_a_module_must_fit() -> None:
    core = fresh(CALCULATOR.action, active, **mind())
    with pytest.raises(BadInput, match=r"the planning module of 'calculator' has no plan\(\)"):
        msgspec.structs.replace(core, planning=RunNotes())

    class Wrong:
        async def plan(self, task: str) -> tuple[Step, ...]:
            return ()

    with pytest.raises(BadInput, match=r"plan\(\) takes task, but PlanningModule says agent, task"):
        msgspec.structs.replace(core, planning=Wrong())


async def test_kinds_are_kept() -> None:
    core = fresh(CALCULATOR.action)
    with pytest.raises(BadInput, match="passive with memory: calculator"):
        msgspec.structs.replace(core, memory=RunNotes())
    with pytest.raises(BadInput, match="needs planning, memory and profile; it has none"):
        msgspec.structs.replace(core, kind="active")

    async def do(step: Step) -> Done:
        return Done("")

    with pytest.raises(BadInput, match="carries out orders"):
        await pursue(core, "?", {}, do, output=str, max_tokens=8)


async def test_an_order_that_makes_no_sense_and_an_unreadable_plan() -> None:
    kernel = Kernel(ScriptedModel(lambda request: "no"), tools=stock_tools(Stock({})))
    core = passive(kernel, "calculator", action=CALCULATOR.action, tools=["calculate"])
    done = await obey(core, FIRST)
    assert done.text.startswith("not understood: ")
    plan = await LmPlanning().plan(kernel.agent("p"), "?", (), {"calculator": "sums"})
    assert plan == ()
    assert with_results("Do it.", ()) == "Do it."
    assert with_results("Do it.", ["a -> 1"]) == "Do it.\nResults so far:\na -> 1"
