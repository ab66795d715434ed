"""Systems as nodes of real graphs of LangGraph: answers, streams, limits, cancellation."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

pytest.importorskip("langgraph")

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from collegium.errors import BadInput
from collegium.kernel import Limits, RunStore
from collegium.protocols.langgraph import node


class State(TypedDict, total=False):
    question: str
    answer: str
    bill: dict[str, Any]


class Talk(TypedDict):
    messages: Annotated[list[Any], add_messages]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = RunStore(tmp_path / "runs.db")
    yield opened
    opened.close()


def graph(state: Any, made: Any) -> Any:
    """A graph of one node."""
    builder = StateGraph(state)
    builder.add_node("team", made)
    builder.add_edge(START, "team")
    builder.add_edge("team", END)
    return builder.compile()


def team(scripts: Path, store: RunStore, system: str = "direct", script: str = "words", **options):
    return node(
        system, read="question", account="bill", model=f"script:{scripts}:{script}", store=store,
        **options,
    )  # fmt: skip


async def test_a_node_answers_and_its_run_is_kept(scripts, store) -> None:
    made = graph(State, team(scripts, store, "mad", agents=2, rounds=2))
    end = await made.ainvoke({"question": "gamma beta alpha"})
    row = store.run(end["bill"]["run"])
    kinds = [e.kind for _, _, e in store.events(row.id)]
    assert end["bill"]["calls"] == kinds.count("generate") >= 4 and end["bill"]["limited"] == ""
    assert (row.status, row.spec["origin"]) == ("done", {"protocol": "langgraph"})
    assert row.spec["parameters"]["agents"] == 2
    spent = sum(e.usage.tokens for _, _, e in store.events(row.id))
    assert end["bill"]["tokens"] == spent > 0
    plain = graph(State, team(scripts, store))
    assert (await plain.ainvoke({"question": "gamma beta"}))["answer"] == "BETA GAMMA"


def test_a_graph_that_is_not_asynchronous_will_do(scripts, store) -> None:
    made = graph(State, team(scripts, store))
    assert made.invoke({"question": "gamma beta"})["answer"] == "BETA GAMMA"


async def test_what_agents_write_is_in_the_stream(scripts, store) -> None:
    made = graph(State, team(scripts, store, "mad", agents=2, rounds=1))
    heard = [
        piece async for piece in made.astream({"question": "gamma beta"}, stream_mode="custom")
    ]
    assert {p["agent"] for p in heard} == {"debater-1", "debater-2"}
    assert all(p["system"] == "mad" and p["text"] for p in heard)
    plain = graph(State, team(scripts, store))
    events = [e async for e in plain.astream({"question": "b a"}, stream_mode=["custom", "values"])]
    kinds = [kind for kind, _ in events]
    assert kinds.index("custom") < len(kinds) - 1  # before the node is over


async def test_a_conversation_goes_on(scripts, store) -> None:
    made = graph(
        Talk,
        node("direct", read="messages", write="messages", model=f"script:{scripts}:words",
             store=store),
    )  # fmt: skip
    said = [
        SystemMessage("Be brief."), HumanMessage("hello"), AIMessage("OLLEH"), HumanMessage("b a"),
    ]  # fmt: skip
    end = await made.ainvoke({"messages": said})
    assert isinstance(end["messages"][-1], AIMessage) and end["messages"][-1].name == "direct"
    (event,) = [e for _, _, e in store.events(store.runs(1)[0].id)]
    assert "Be brief." in event.call.messages[0].text
    assert "User: hello\n\nAssistant: OLLEH\n\nUser: b a" in event.call.messages[-1].text


async def test_a_limit_holds(scripts, store) -> None:
    made = team(scripts, store, "mad", agents=2, rounds=4, limits=Limits(calls=3))
    end = await graph(State, made).ainvoke({"question": "gamma beta"})
    assert end["bill"]["calls"] <= 3 and "3 generations" in end["bill"]["limited"]


async def test_a_graph_that_is_cancelled_cancels_its_run(scripts, store) -> None:
    made = graph(State, team(scripts, store, script="sleeper"))
    work = asyncio.create_task(made.ainvoke({"question": "think"}))
    while not store.runs():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    row = store.runs(1)[0]
    assert row.status == "interrupted"
    assert [e.failure for _, _, e in store.events(row.id)] == ["CancelledError"]


async def test_mistakes_are_said(scripts, store) -> None:
    with pytest.raises(BadInput, match="did you mean 'agents'"):
        node("mad", agent=2)
    with pytest.raises(BadInput, match="nothing under 'question'"):
        await team(scripts, store).ainvoke({"questions": "x"})
    with pytest.raises(BadInput, match="must be a text or messages"):
        await team(scripts, store).ainvoke({"question": [1]})
    with pytest.raises(BadInput, match="must be the user's task"):
        await team(scripts, store).ainvoke({"question": [AIMessage("x")]})
