"""What counts as a plan, a path, a feedback or a request in traces of a few calls."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from collegium.agents.umf import UmfProfile, profile
from collegium.kernel import Kernel, tool
from tests.kernel.support import Scripted, inorder


class Judged(msgspec.Struct):
    """Prose, then a choice."""

    reason: str
    choice: str


class Next(msgspec.Struct):
    """One step at a time."""

    next_subtask: str


class Named(msgspec.Struct):
    """A list under a name of its own."""

    listed: list[str]


def kernel_saying(*replies: Any) -> Kernel:
    """A kernel whose model gives these replies in order; data as JSON."""
    texts = [r if isinstance(r, str) else json.dumps(r) for r in replies]
    return Kernel(Scripted(inorder(*texts)), tools=[check, order])


def cell(found: UmfProfile, line: str) -> str:
    return str(found.cells[line])


@tool
async def check(program: str, tests: list[str]) -> list[dict[str, str]]:
    """Say of each test what came of it."""
    return [{"test": t, "reason": f"{t} does not hold for it"} for t in tests]


@tool
async def order(amount: int) -> list[str]:
    """Say what is to be done."""
    return ["weigh the plums first", "count the crates then"]


async def test_reasons_in_fields_before_a_choice_are_worked_steps() -> None:
    kernel = kernel_saying({"reason": "The red one is too small.", "choice": "blue"})
    await kernel.agent("a").ask("Which crate?", output=Judged)
    assert cell(profile(kernel.trace.events), "planning.process") == "plan generation"
    # The choice first, and reasons for it, is none; nor is a label with a name.
    for data in ({"choice": "blue", "reason": "The red one is too small."}, {"reason": "x y"}):
        kernel = kernel_saying(data)
        await kernel.agent("a").ask("Which crate?")
        assert cell(profile(kernel.trace.events), "planning.process") == "absent"


async def test_subtasks_named_one_after_the_other_are_a_decomposition() -> None:
    kernel = kernel_saying(
        {"next_subtask": "Weigh the crates."}, "80", {"next_subtask": "Count the bolts."}, "17"
    )
    lead, worker = kernel.agent("lead"), kernel.agent("worker")
    sources: list[int] = []
    for _ in range(2):
        plan = await lead.ask("What is next?", output=Next, sources=sources)
        assert isinstance(plan.data, Next)
        done = await worker.ask(f"Do this: {plan.data.next_subtask}", sources=[plan.call])
        sources = [done.call]
    found = profile(kernel.trace.events)
    assert cell(found, "planning.process") == "task decomposition, plan generation"
    assert cell(found, "action.production") == "plan following"
    # The second was made from what came of the first.
    assert cell(found, "planning.style") == "iterative"
    first = profile(kernel.trace.events[:2])
    assert cell(first, "planning.process") == "plan generation"
    assert cell(first, "planning.style") == "one-shot"


async def test_a_team_is_no_plan() -> None:
    for prompt, process in (
        ("You are a {}, a doctor. What is it?", "absent"),
        ("Do this: {}. What is it?", "task decomposition, plan generation"),
    ):
        kernel = kernel_saying({"listed": ["heart surgeon", "radiologist"]}, "A", "B")
        reply = await kernel.agent("recruiter").ask("Who?", output=Named)
        assert isinstance(reply.data, Named)
        for i, name in enumerate(reply.data.listed):
            await kernel.agent(f"expert-{i}").ask(prompt.format(name), sources=[reply.call])
        assert cell(profile(kernel.trace.events), "planning.process") == process


async def test_messages_are_no_plan() -> None:
    kernel = kernel_saying({"listed": ["The age is left out.", "The scan is old."]}, "A")
    moderator, expert = kernel.agent("moderator"), kernel.agent("expert")
    reply = await moderator.ask("What is wrong?", output=Named)
    assert isinstance(reply.data, Named)
    for text in reply.data.listed:
        await moderator.send(expert, text, sources=[reply.call])
    heard = "\n".join(m.text for m in await expert.receive())
    await expert.ask(f"You heard:\n{heard}\nSo?")
    found = profile(kernel.trace.events)
    assert cell(found, "planning.process") == "absent"
    assert cell(found, "action.goal") == "task completion, communication"


async def test_a_result_of_a_tool_is_a_plan_only_where_it_is_worked_off() -> None:
    kernel = kernel_saying("Add them.", "Now add them.")
    agent = kernel.agent("tester", tools=["check"])
    ran = await agent.use("check", program="x = 1", tests=["assert x == 2", "assert x == 3"])
    for _ in range(2):
        await agent.ask("\n".join(row["reason"] for row in ran) + "\nWhat now?")
    found = profile(kernel.trace.events)
    assert cell(found, "planning.technique") == "absent"
    # A part of the result was quoted: it led to a new action.
    assert cell(found, "action.impact") == "new action"
    kernel = kernel_saying("80", "17")
    agent = kernel.agent("worker", tools=["order"])
    for step in await agent.use("order", amount=2):
        await agent.ask(f"Now {step}.")
    assert cell(profile(kernel.trace.events), "planning.technique") == "rule-based"


async def test_what_a_tool_was_given_is_no_outcome() -> None:
    kernel = kernel_saying("Add them.")
    agent = kernel.agent("tester", tools=["check"])
    await agent.use("check", program="x = 1", tests=["assert x == 2"])
    await agent.ask("Here is a test:\nassert x == 2\nIs it right?")
    assert cell(profile(kernel.trace.events), "action.impact") == "absent"


async def test_a_tool_given_what_its_agent_wrote_was_requested() -> None:
    for text, production in (
        ("Here it is:\n```python\nx = 1 + 2 + 3\n```", "API-call request"),
        ("No program.", "absent"),
    ):
        kernel = kernel_saying(text)
        agent = kernel.agent("coder", tools=["check"])
        await agent.ask("Write it.")
        await agent.use("check", program="x = 1 + 2 + 3\n", tests=[])
        assert cell(profile(kernel.trace.events), "action.production") == production


async def test_candidates_of_agents_that_are_told_apart_in_the_prompt() -> None:
    worked = "Count on.\nAnswer: 12"
    for second, strategy in (("What is 5 + 7?", "multi-path"), ("What is 2 + 7?", "single-path")):
        kernel = kernel_saying(worked, worked)
        await kernel.agent("a").ask("What is 5 + 7?\n\nYou are an algebraist: equations.")
        await kernel.agent("b").ask(f"{second}\n\nYou are a geometer: figures.")
        assert cell(profile(kernel.trace.events), "planning.strategy") == strategy


async def test_lineage_goes_through_messages_and_not_through_repairs() -> None:
    worked = "Count on.\nAnswer: 12"
    kernel = kernel_saying(worked, worked, "Look again.\nAnswer: 13")
    a, b = kernel.agent("a"), kernel.agent("b")
    first = await a.ask("What is 5 + 7?")
    await a.send(b, first.text, sources=[first.call])
    (heard,) = await b.receive()
    other = await b.ask(f"They say {heard.text}. And you?", sources=[heard.call])
    before = profile(kernel.trace.events)
    await b.send(a, other.text, sources=[other.call])
    (heard,) = await a.receive()
    await a.ask(f"They say {heard.text}. Still?", sources=[heard.call])
    found = profile(kernel.trace.events)
    assert cell(before, "planning.style") == "one-shot"
    assert cell(found, "planning.style") == "iterative"
    assert cell(found, "planning.feedback") == "sibling core-agent"
    repaired = kernel_saying(
        {"reason": "It is too small.", "choice": 3}, {"reason": "It is too small.", "choice": "b"}
    )
    await repaired.agent("a").ask("Which?", output=Judged)
    assert len(repaired.trace.events) == 2
    assert cell(profile(repaired.trace.events), "planning.style") == "one-shot"
