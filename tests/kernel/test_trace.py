"""The trace: ids, lineage, outcomes, sums, and its file."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.errors import BadInput, ModelError
from collegium.kernel import (
    AskHuman,
    Event,
    Generate,
    Image,
    Kernel,
    Mail,
    Message,
    Receive,
    Reply,
    Send,
    TokenLogprob,
    ToolCall,
    ToolSpec,
    Usage,
    UseTool,
    read_trace,
    tool,
)
from collegium.kernel.trace import encode_event, generations, plain
from tests.kernel.support import Scripted, inorder


def add(x: int, y: int) -> int:
    """Add."""
    return x + y


async def test_ids_kinds_outcomes_and_lineage() -> None:
    async def person(question: str) -> str:
        return "go on"

    model = Scripted(inorder("first", "nonsense", '{"answer": 3}', ModelError("gone")))
    kernel = Kernel(model, tools=[tool(add)], human=person)
    a, b = kernel.agent("a", tools=["add"]), kernel.agent("b")
    first = await a.ask("?")
    await a.send(b, first.text, sources=[first.call])
    (mail,) = await b.receive()
    second = await b.ask("?", output=int, sources=[mail.call])
    await a.use("add", x=1, y=2)
    await a.ask_human("?")
    with pytest.raises(ModelError):
        await b.ask("?")
    assert [
        (e.id, e.kind, e.call.agent, e.outcome, e.call.parent, e.call.sources)
        for e in kernel.trace.events
    ] == [
        (0, "generate", "a", "ok", None, ()),
        (1, "send", "a", "observation", None, (0,)),
        (2, "receive", "b", "observation", None, ()),
        (3, "generate", "b", "ok", None, (1,)),
        (4, "generate", "b", "fix", 3, (3,)),
        (5, "use-tool", "a", "observation", None, ()),
        (6, "ask-human", "a", "observation", None, ()),
        (7, "generate", "b", "error", None, ()),
    ]
    assert (first.call, second.call, second.data) == (0, 4, 3)
    assert [e.value for e in kernel.trace.events] == [
        None,
        None,
        [{"sender": "a", "text": "first", "call": 1}],
        None,
        None,
        3,
        "go on",
        None,
    ]
    assert kernel.trace.events[-1].error == "gone"
    assert generations(kernel.trace.events) == 3


async def test_an_event_sums_the_usage_of_its_replies_and_the_trace_that_of_the_run() -> None:
    usage = Usage(prompt=7, cached=3, completion=2, money=0.5)
    kernel = Kernel(Scripted(Reply("x", usage=usage)))
    replies = await kernel.agent("a").ask("?", n=3)
    await kernel.agent("b").ask("?")
    assert [r.call for r in replies] == [0, 0, 0]
    assert kernel.trace.events[0].usage == Usage(21, 9, 6, 1.5)
    total = sum((e.usage for e in kernel.trace.events), Usage())
    assert total == kernel.meter.usage == Usage(28, 12, 8, 2.0)
    assert total.tokens == 36


async def test_events_say_when_how_long_and_which_model() -> None:
    kernel = Kernel(Scripted("hi", name="local", pause=0.01), tools=[tool(add)])
    agent = kernel.agent("a", tools=["add"])
    await agent.ask("?")
    await agent.use("add", x=1, y=1)
    first, second = kernel.trace.events
    assert (first.model, second.model) == ("local", "")
    assert first.seconds >= 0.01
    assert 0 <= first.started < first.started + first.seconds <= second.started


async def test_an_error_without_words_is_named() -> None:
    kernel = Kernel(Scripted(KeyError()))
    with pytest.raises(KeyError):
        await kernel.agent("a").ask("?")
    assert kernel.trace.events[0].error == "KeyError"


async def test_every_sink_gets_every_event_as_it_is_recorded() -> None:
    one: list[Event] = []
    two: list[int] = []
    kernel = Kernel(Scripted("hi"), sinks=[one.append, lambda e: two.append(e.id)])
    await kernel.agent("a").ask("?")
    assert (len(one), two) == (1, [0])
    await kernel.agent("b").ask("?")
    assert one == kernel.trace.events
    assert two == [0, 1]


async def test_the_file_gives_back_every_event_as_it_was(tmp_path: Path) -> None:
    kernel = Kernel(Scripted("hi"))
    generate = Generate(
        agent="ä",
        role="r",
        parent=1,
        sources=(1, 2),
        messages=(
            Message("system", "Line\nbreak \u2028 and 🙂"),
            Message("user", "look", images=(Image(b"\x00\xff", "image/jpeg"),)),
            Message("assistant", "", tool_calls=(ToolCall("1", "add", {"x": [1, None]}),)),
            Message("tool", "3", tool_call_id="1"),
        ),
        n=2,
        temperature=0.0,
        top_p=0.9,
        max_tokens=5,
        stop=("\n",),
        seed=7,
        schema={"type": "object"},
        tools=(ToolSpec("add", "Add.", {"type": "object"}),),
        logprobs=2,
        adapters=(("sft", 0.5),),
        prefill=True,
        outcome="teacher",
    )
    reply: Reply[Any] = Reply(
        "t",
        tool_calls=(ToolCall("1", "add", {"x": 1}),),
        logprobs=(TokenLogprob("t", -0.1, {"t": -0.1, "u": -3.0}),),
        usage=Usage(1, 1, 2, 0.1),
        finish="tool",
        call=3,
        origin="journal",
    )
    written = [
        Event(id=3, call=generate, outcome="teacher", replies=(reply,), model="m",
              usage=reply.usage, started=1.5, seconds=0.25),
        Event(id=4, call=UseTool(agent="a", tool="add", arguments={"x": 1}), value=[1, "two"]),
        Event(id=5, call=Send(agent="a", to="b", text="x"), outcome="observation"),
        Event(id=6, call=Receive(agent="b"), value=[{"sender": "a"}], outcome="observation"),
        Event(id=7, call=AskHuman(agent="b", question="?"), outcome="error", error="nobody"),
    ]  # fmt: skip
    for event in written:
        kernel.trace.append(event)
    path = tmp_path / "trace.jsonl"
    kernel.trace.save(path)
    assert path.read_bytes().count(b"\n") == 5
    assert read_trace(path) == written


async def test_arguments_that_json_cannot_say_do_not_break_the_trace(tmp_path: Path) -> None:
    def size(of: Any) -> int:
        """Size."""
        return len(of)

    kernel = Kernel(Scripted("hi"), tools=[tool(size)])
    agent = kernel.agent("a", tools=["size"])
    assert await agent.use("size", of=range(3)) == 3
    kernel.trace.save(tmp_path / "trace.jsonl")
    (event,) = read_trace(tmp_path / "trace.jsonl")
    assert isinstance(event.call, UseTool)
    assert event.call.arguments == {"of": "range(0, 3)"}


class Point(msgspec.Struct):
    x: int


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (3, 3),
        ("text", "text"),
        ((1, (2,)), [1, [2]]),
        ({1: {2}}, {"1": [2]}),
        (Point(1), {"x": 1}),
        ((Mail("a", "hi", 1),), [{"sender": "a", "text": "hi", "call": 1}]),
        (range(3), "range(0, 3)"),
        ("\ud800", "'\\ud800'"),
    ],
)
def test_a_value_is_kept_as_plain_data(value: Any, kept: Any) -> None:
    assert plain(value) == kept
    assert plain(kept) == kept


@pytest.fixture
def line() -> bytes:
    return encode_event(Event(id=0, call=Receive(agent="a")))


def test_a_missing_trace_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read the trace .*nothing\.jsonl: No such file"):
        read_trace(tmp_path / "nothing.jsonl")


def test_a_directory_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read the trace .*: Is a directory"):
        read_trace(tmp_path)


def test_a_binary_file_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(BadInput, match=r"trace\.jsonl, line 1: not a trace event"):
        read_trace(path)


def test_an_empty_file_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b"")
    with pytest.raises(BadInput, match="holds no trace events"):
        read_trace(path)


@pytest.mark.parametrize(
    "broken", [b"{}", b'{"id": 1', b"", b'{"id":"x","call":{"type":"receive","agent":"a"}}']
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, broken: bytes) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(line + b"\n" + line + b"\n" + broken + b"\n" + line + b"\n")
    with pytest.raises(BadInput, match=r"trace\.jsonl, line 3: not a trace event.*--trace writes"):
        read_trace(path)


def test_a_trace_cut_off_in_its_last_line_says_so(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(line + b"\n" + line[:-3])
    with pytest.raises(BadInput, match="line 2"):
        read_trace(path)


def test_a_trace_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "trace.jsonl"
    with pytest.raises(BadInput, match=f"cannot write the trace {path}: No such file"):
        Kernel(Scripted("hi")).trace.save(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_trace_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.touch(mode=0)
    with pytest.raises(BadInput, match="Permission denied"):
        read_trace(path)
