"""Where a reply ends: an agent cannot write its own observations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.kernel import Kernel, Reply, ToolCall
from collegium.kernel.kernel import within_bounds
from tests.kernel.support import Scripted

REACT = "Thought: look it up.\nAction: search[x]\nObservation: it is 42.\nThought: done."
CALL = ToolCall("1", "search", {"q": "x"})


async def test_an_agent_cannot_write_its_own_observation() -> None:
    kernel = Kernel(Scripted(Reply(REACT, finish="length")))
    agent = kernel.agent("a")
    reply = await agent.ask("?", stop=["\nObservation:"], keep=True)
    wanted = "Thought: look it up.\nAction: search[x]"
    assert (reply.text, reply.data, reply.finish) == (wanted, wanted, "stop")
    # Neither the history nor the trace has what came after.
    assert agent.history[-1].text == wanted
    assert kernel.trace.events[0].replies[0].text == wanted


async def test_every_sample_is_cut() -> None:
    model = Scripted(lambda r, i: f"{i} END {i}")
    replies = await Kernel(model).agent("a").ask("?", n=3, stop=["END"])
    assert [r.text for r in replies] == ["0 ", "1 ", "2 "]


@pytest.mark.parametrize(
    ("text", "stop", "left"),
    [
        ("a STOP b", (), "a STOP b"),
        ("a b", ("STOP",), "a b"),
        ("a STOP b END c", ("END", "STOP"), "a "),
        ("STOP", ("STOP",), ""),
        ("a STO", ("STOP",), "a STO"),
        ("abc", ("bc", "b"), "a"),
        ("abc", ("",), "abc"),
    ],
)
def test_the_first_stop_sequence_ends_a_reply(text: str, stop: tuple[str, ...], left: str) -> None:
    assert within_bounds(Reply(text), stop).text == left


@given(st.text("ab"), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_no_stop_sequence_is_left_and_nothing_else_is_lost(text: str, stop: list[str]) -> None:
    cut: Reply[Any] = within_bounds(Reply(text), tuple(stop))
    assert text.startswith(cut.text)
    assert not any(s in cut.text for s in stop)
    if cut.text != text:
        assert any(text[len(cut.text) :].startswith(s) for s in stop)


@pytest.mark.parametrize("finish", ["stop", "length", "tool"])
async def test_a_reply_ends_with_its_tool_calls(finish: Any) -> None:
    model = Scripted(Reply("I look it up.", tool_calls=(CALL,), finish=finish))
    reply = await Kernel(model).agent("a").ask("?", output=int)
    assert (reply.finish, reply.tool_calls, reply.text) == ("tool", (CALL,), "I look it up.")
    # It is not read as an answer, and so not repaired either.
    assert reply.data is None
    assert len(model.requests) == 1


async def test_a_cut_takes_the_tool_calls_after_it_too() -> None:
    model = Scripted(Reply(REACT, tool_calls=(CALL,), finish="tool"))
    reply = await Kernel(model).agent("a").ask("?", stop=["Observation:"])
    assert (reply.finish, reply.tool_calls) == ("stop", ())
