"""Systems as tools of real agents of pydantic-ai: answers, events, usage, limits, cancellation."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent, UsageLimitExceeded, UsageLimits
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from collegium.errors import BadInput
from collegium.kernel import Limits, RunStore
from collegium.protocols.pydantic_ai import SystemWrote, as_tool


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = RunStore(tmp_path / "runs.db")
    yield opened
    opened.close()


def boss(messages: list[Any], info: AgentInfo) -> ModelResponse:
    """Hands the task to its one tool, says what came back; for a system, says words backwards."""
    asked = messages[-1].parts[-1]
    if isinstance(asked, ToolReturnPart):
        return ModelResponse(parts=[TextPart(f"It says: {asked.content}")])
    if info.function_tools:
        (tool,) = info.function_tools
        return ModelResponse(parts=[ToolCallPart(tool.name, {"task": asked.content})])
    line = asked.content.split("\n")[0]
    return ModelResponse(parts=[TextPart(" ".join(reversed(line.upper().split())))])


def agent(tool: Any) -> Agent[None, str]:
    return Agent(FunctionModel(boss), tools=[tool])


def returned(result: Any) -> ToolReturnPart:
    (found,) = [p for m in result.all_messages() for p in m.parts if isinstance(p, ToolReturnPart)]
    return found


async def test_the_agents_own_model_answers(store) -> None:
    result = await agent(as_tool("direct", store=store)).run("gamma beta")
    assert result.output == "It says: BETA GAMMA"
    told = returned(result).metadata
    row = store.run(told["run"])
    assert row.status == "done" and row.spec["origin"] == {"protocol": "pydantic-ai"}
    assert row.spec["model"].startswith("function:")
    (event,) = [e for _, _, e in store.events(row.id)]
    assert told["tokens"] == event.usage.tokens > 0


async def test_what_it_spends_counts_to_the_run(scripts, store) -> None:
    tool = as_tool("mad", agents=2, rounds=2, model=f"script:{scripts}:words", store=store)
    result = await agent(tool).run("gamma beta")
    told = returned(result).metadata
    kinds = [e.kind for _, _, e in store.events(told["run"])]
    assert told["calls"] == kinds.count("generate") >= 4
    assert result.usage.requests == 2 + told["calls"]  # two of the agent's own
    alone = await Agent(FunctionModel(boss)).run("gamma beta")
    assert result.usage.total_tokens >= told["tokens"] > alone.usage.total_tokens


async def test_what_agents_write_is_an_event(scripts, store) -> None:
    tool = as_tool("mad", agents=2, rounds=1, model=f"script:{scripts}:words", store=store)
    asking = Agent(TestModel(), tools=[tool])  # it streams, and calls every tool
    async with asking.run_stream_events("gamma beta") as events:
        heard = [event async for event in events]
    wrote = [e for e in heard if isinstance(e, SystemWrote)]
    assert {e.agent for e in wrote} == {"debater-1", "debater-2"}
    assert all(e.system == "mad" and e.tool_name == "mad" and e.text for e in wrote)


async def test_it_may_spend_what_the_run_has_left(scripts, store) -> None:
    tool = as_tool("mad", agents=2, rounds=8, model=f"script:{scripts}:words", store=store)
    result = await agent(tool).run("gamma beta", usage_limits=UsageLimits(request_limit=6))
    told = returned(result).metadata
    assert told["calls"] == 4 and "4 generations" in told["limited"]
    assert result.usage.requests == 6
    own = as_tool("mad", rounds=4, limits=Limits(calls=3), model=f"script:{scripts}:words",
                  store=store)  # fmt: skip
    told = returned(await agent(own).run("gamma beta")).metadata
    assert told["calls"] <= 3 and told["limited"]


async def test_a_run_with_nothing_left_is_over(scripts, store) -> None:
    tool = as_tool("direct", model=f"script:{scripts}:words", store=store)
    with pytest.raises(UsageLimitExceeded):
        await agent(tool).run("gamma beta", usage_limits=UsageLimits(request_limit=1))
    assert store.runs() == []


async def test_a_run_that_is_cancelled_cancels_it(scripts, store) -> None:
    tool = as_tool("direct", model=f"script:{scripts}:sleeper", store=store)
    work = asyncio.create_task(agent(tool).run("think"))
    while not store.runs():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    row = store.runs(1)[0]
    assert row.status == "interrupted"
    assert [e.failure for _, _, e in store.events(row.id)] == ["CancelledError"]


async def test_an_abstention_is_said(scripts, store) -> None:
    tool = as_tool("direct", answer="number", model=f"script:{scripts}:words", store=store)
    result = await agent(tool).run("gamma beta")
    assert returned(result).content.startswith("There is no answer.")


def test_names_and_mistakes() -> None:
    tool = as_tool("self-consistency", description="Ask several times.")
    assert (tool.name, tool.description) == ("self_consistency", "Ask several times.")
    assert list(tool.function_schema.json_schema["properties"]) == ["task"]
    with pytest.raises(BadInput, match="did you mean 'mad'"):
        as_tool("mda")
    with pytest.raises(BadInput, match="rounds"):
        as_tool("mad", rounds="many")
