from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from collegium.kernel.calls import Message, ToolCall, ToolSpec, Usage
from collegium.models.chat import (
    Draft,
    chat_body,
    read_bare_calls,
    read_events,
    read_usage,
    wire_message,
)
from tests.models.support import ask

TOOLS = (ToolSpec("add", "", {"type": "object"}), ToolSpec("look", "", {"type": "object"}))


def test_sampling_is_what_the_request_says_and_nothing_else() -> None:
    body = chat_body(ask(temperature=0.9, top_p=0.5), n=2, seed=7, stream=False)
    assert (body["temperature"], body["top_p"], body["seed"], body["n"]) == (0.9, 0.5, 7, 2)
    assert (body["top_k"], body["min_p"]) == (0, 0.0)
    assert not body.keys() & {"max_tokens", "stop", "tools", "response_format", "logprobs"}
    assert chat_body(ask(), n=1, seed=None, stream=True)["seed"] == -1


def test_a_tool_call_is_written_and_read_back() -> None:
    call = ToolCall("id-1", "add", {"a": [1, {"b": None}]})
    wire = wire_message(Message("assistant", "so", tool_calls=(call,)))
    draft = Draft()
    draft.add(wire)
    draft.end({"finish_reason": "tool_calls"})
    reply = draft.reply()
    assert (reply.text, reply.tool_calls, reply.finish) == ("so", (call,), "tool")


def test_a_tool_call_in_pieces_is_put_together() -> None:
    draft = Draft()
    for function in ({"name": "add"}, {"arguments": '{"a"'}, {"arguments": ": 1}"}):
        draft.add({"tool_calls": [{"index": 0, "id": "x", "function": function}]})
    assert draft.reply().tool_calls == (ToolCall("x", "add", {"a": 1}),)


def test_a_tool_call_that_was_cut_short_stays_text() -> None:
    draft = Draft()
    function = {"name": "add", "arguments": '{"a": 1'}
    draft.add({"tool_calls": [{"index": 0, "id": "x", "function": function}]})
    draft.end({"finish_reason": "length"})
    reply = draft.reply()
    assert (reply.text, reply.tool_calls, reply.finish) == ('{"a": 1', (), "length")


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "add", "arguments": {"a": 1}}',
        '```json\n{"name": "add", "arguments": {"a": 1}}\n```',
        ' [{"name": "add", "arguments": {"a": 1}}] \n',
    ],
)
def test_a_bare_call_is_a_call(text: str) -> None:
    assert read_bare_calls(text, TOOLS) == [ToolCall("call_0", "add", {"a": 1})]


def test_several_bare_calls() -> None:
    text = '{"name": "add"}\n{"name": "look", "arguments": {}}'
    assert [c.name for c in read_bare_calls(text, TOOLS)] == ["add", "look"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would add them.",
        'Use {"name": "add", "arguments": {}}',
        '{"name": "add", "arguments": {}} and then?',
        '{"name": "delete", "arguments": {}}',
        '{"name": "add", "arguments": "1, 2"}',
        '{"answer": 3}',
        "[1, 2]",
        "3",
    ],
)
def test_a_text_that_says_anything_else_is_no_call(text: str) -> None:
    assert read_bare_calls(text, TOOLS) == []


async def test_a_stream_is_cut_at_newlines_only() -> None:
    events = [{"text": "one\u2028two\x85three"}, {"text": "é" * 50}]
    wire = "".join(f"data: {json.dumps(e, ensure_ascii=False)}\n\n" for e in events)
    data = f": a comment\n\n{wire}data: [DONE]\n\n".encode()

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    for size in (1, 7, len(data)):
        read = [event async for some in read_events(chunks(size)) for event in some]
        assert read == events


def test_usage_without_details() -> None:
    assert read_usage({"prompt_tokens": 3, "completion_tokens": 4}) == Usage(3, 0, 4)
    details = {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
    assert read_usage(details) == Usage(3, 2, 0)
