"""The ReAct loop, native and typed: control flow, observations, failures, bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collegium.agents.react import FINISH, demonstration, react
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, Reply, ToolCall, Unparsed, UseTool, tool
from tests.kernel.support import Scripted, inorder


def add(x: int, y: int) -> int:
    """Add two whole numbers."""
    return x + y


def fail(reason: str) -> str:
    """Always fails."""
    raise RuntimeError(reason)


def team(*answers: Any) -> tuple[Any, Scripted]:
    """An agent with both tools whose model says the given things in order."""
    model = Scripted(inorder(*answers))
    kernel = Kernel(model, tools=[tool(add), tool(fail)])
    return kernel.agent("worker", tools=["add", "fail"]), model


def call(name: str, number: int = 1, **arguments: Any) -> Reply[Any]:
    """A reply that asks for a tool."""
    asked = (ToolCall(f"c{number}", name, arguments),)
    return Reply("I should calculate.", tool_calls=asked, finish="tool")


def move(thought: str, name: str, **fields: Any) -> str:
    """A typed turn."""
    return json.dumps({"thought": thought, "action": {"tool": name, **fields}})


def kinds(agent: Any) -> list[str]:
    """Kinds of the events of a run, in order."""
    return [e.kind for e in sorted(agent.kernel.trace.events, key=lambda e: e.id)]


async def test_native_reason_act_observe() -> None:
    agent, model = team(call("add", x=2, y=3), call("add", 2, x=5, y=5), "It is 10.")
    result = await react(agent, "What is (2+3)+5?")
    assert (result.answer, result.ended) == ("It is 10.", "answer")
    assert [(s.tool, s.arguments, s.observation) for s in result.steps] == [
        ("add", {"x": 2, "y": 3}, "5"),
        ("add", {"x": 5, "y": 5}, "10"),
    ]
    assert kinds(agent) == ["generate", "use-tool", "generate", "use-tool", "generate"]
    last = model.requests[-1].messages
    assert [m.role for m in last] == ["user", "assistant", "tool", "assistant", "tool"]
    assert last[2].tool_call_id == "c1"
    assert all(r.tools for r in model.requests)


async def test_native_runs_every_call_of_a_turn() -> None:
    two = Reply(
        "",
        tool_calls=(ToolCall("a", "add", {"x": 1, "y": 1}), ToolCall("b", "add", {"x": 2, "y": 2})),
        finish="tool",
    )
    agent, _ = team(two, "done")
    result = await react(agent, "?")
    assert [s.observation for s in result.steps] == ["2", "4"]


async def test_native_typed_answer_and_failures() -> None:
    agent, _ = team(
        call("fail", reason="no paper left"), call("add", x="two"), "so", '{"answer": 7}'
    )
    result = await react(agent, "?", output=int)
    assert result.answer == 7
    assert "no paper left" in result.steps[0].observation
    assert "Error" in result.steps[1].observation


async def test_native_stops_after_its_steps() -> None:
    agent, model = team(*(call("add", i, x=i, y=i) for i in range(3)), "my best guess")
    result = await react(agent, "?", steps=2)
    assert (result.ended, result.answer, len(result.steps)) == ("steps", "my best guess", 2)
    assert sum(isinstance(e.call, UseTool) for e in agent.kernel.trace.events) == 2
    assert model.requests[-1].messages[-2].role == "tool"  # the last call got an answer too


async def test_typed_reason_act_observe() -> None:
    agent, model = team(
        move("first the sum", "add", arguments={"x": 2, "y": 3}),
        move("that is it", FINISH, answer=5),
    )
    result = await react(agent, "What is 2+3?", output=int, form="typed")
    assert (result.answer, result.ended) == (5, "answer")
    assert result.steps[0].thought == "first the sum"
    second = model.requests[1]
    assert second.messages[-1].text == "Observation: 5"
    assert second.schema is not None
    assert not second.tools
    assert (
        "add(x: integer, y: integer): Add two whole numbers." in model.requests[0].messages[0].text
    )


async def test_typed_arguments_are_held_to_the_schema() -> None:
    agent, model = team(
        move("wrong", "add", arguments={"x": 2}),
        move("right", "add", arguments={"x": 2, "y": 2}),
        move("end", FINISH, answer="4"),
    )
    result = await react(agent, "?", form="typed")
    assert result.answer == "4"
    assert [s.arguments for s in result.steps] == [{"x": 2, "y": 2}]
    assert isinstance(model.requests[1], Generate)
    assert model.requests[1].outcome == "fix"


async def test_typed_stops_after_its_steps() -> None:
    turns = [move("again", "add", arguments={"x": 1, "y": 1})] * 3
    agent, _ = team(*turns, "two")
    result = await react(agent, "?", form="typed", steps=3)
    assert (result.ended, result.answer, len(result.steps)) == ("steps", "two", 3)


async def test_typed_abstains_when_nothing_can_be_read() -> None:
    agent, _ = team("blah", "blah again")
    result = await react(agent, "?", form="typed")
    assert isinstance(result.answer, Unparsed)
    assert result.steps == ()


async def test_text_reason_act_observe() -> None:
    agent, model = team(
        'Thought: first the sum\nAction: add {"x": 2, "y": 3}\nObservation: 99\nAnswer: 99',
        "Thought: that is it\nAnswer: 5",
    )
    result = await react(agent, "What is 2+3?", output=int, form="text")
    assert (result.answer, result.ended) == (5, "answer")
    assert result.steps[0].thought == "first the sum"
    assert result.steps[0].observation == "5"
    # the observation it made up never got into the conversation
    assert [m.text for m in model.requests[1].messages[1:]] == [
        'Thought: first the sum\nAction: add {"x": 2, "y": 3}\n',
        "Observation: 5",
    ]
    assert 'add {"x": 1, "y": 1}' in model.requests[0].messages[0].text


async def test_a_demonstration_is_what_the_loop_itself_would_have_written() -> None:
    agent, model = team('Thought: first the sum\nAction: add {"x": 2, "y": 3}', "Answer: 5")
    await react(agent, "What is 2+3?", output=int, form="text")
    own = list(agent.history)
    shown = demonstration(agent, "What is 2+3?", [("first the sum", "add", {"x": 2, "y": 3}, "5")],
                          "5")  # fmt: skip
    assert shown == own
    agent, model = team("Answer: 7")
    agent.history = shown
    await react(agent, "What is 3+4?", output=int, form="text")
    assert list(model.requests[0].messages[:4]) == shown
    assert model.requests[0].messages[4].text.startswith("What is 3+4?")


async def test_text_mistakes_are_observed() -> None:
    agent, _ = team(
        "Action: add {x: 1}",
        "Action:",
        'Action: subtract {"x": 1}',
        'Action: `add`\n{"x": 1, "y": 1}',
        "Answer: two",
    )
    result = await react(agent, "?", form="text")
    observed = [s.observation for s in result.steps]
    assert "not JSON" in observed[0]
    assert "names no tool" in observed[1]
    assert "subtract" in observed[2]
    assert observed[3] == "2"
    assert result.answer == "two"


async def test_text_without_action_or_answer_is_asked_once() -> None:
    agent, model = team("I do not know what to do.", '{"answer": 3}')
    result = await react(agent, "?", form="text", output=int)
    assert (result.answer, result.ended) == (3, "answer")
    assert len(model.requests) == 2


async def test_bad_input() -> None:
    agent, _ = team()
    with pytest.raises(BadInput, match="at least one step"):
        await react(agent, "?", steps=0)
    with pytest.raises(BadInput, match="no tools"):
        await react(agent.kernel.agent("bare"), "?")
