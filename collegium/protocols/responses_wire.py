"""Replies of OpenAI's responses protocol, whole and as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from collegium.protocols.hub import Running
from collegium.protocols.messages import Answered, TextWritten
from collegium.protocols.openai_wire import AnswerStream, account, finish_of
from collegium.protocols.web import sentence_of, sse

_STATUS = {"completed": "completed", "failed": "failed", "canceled": "cancelled"}


def response_object(running: Running, body: dict[str, Any], text: str | None = None) -> Any:
    """A response as it stands.

    Args:
        running: The run.
        body: The request.
        text: The answer, where it was sent already; None: as the run has it.
    """
    done = running.result
    finish = finish_of(running)
    status = _STATUS.get(running.state, "in_progress")
    details = None
    if status == "completed" and finish != "stop":
        status = "incomplete"
        reason = "max_output_tokens" if finish == "length" else "content_filter"
        details = {"reason": reason}
    usage = None
    if done is not None:
        usage = {
            "input_tokens": done.usage.prompt,
            "input_tokens_details": {"cached_tokens": done.usage.cached},
            "output_tokens": done.usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": done.usage.tokens,
        }
    error = None
    if running.error is not None:
        error = {"code": "server_error", "message": sentence_of(running.error)}
    output = [_item(running, running.answer if text is None else text)] if done else []
    return {
        "id": f"resp_{running.id}",
        "object": "response",
        "created_at": int(running.created.timestamp()),
        "status": status,
        "error": error,
        "incomplete_details": details,
        "instructions": body.get("instructions"),
        "metadata": {"run": running.run},
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": False,
        "previous_response_id": body.get("previous_response_id"),
        "temperature": body.get("temperature"),
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "usage": usage,
        "collegium": account(running),
    }


def _item(running: Running, text: str, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_{running.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_content(text)] if status == "completed" else [],
    }


def _content(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


async def response_events(running: Running, body: dict[str, Any]) -> AsyncIterator[bytes]:
    """The stream of a response: its creation, what is written, the answer, its end.

    Args:
        running: The run.
        body: The request.
    """
    number = -1

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return sse({"type": kind, "sequence_number": number, **fields}, kind)

    place = {"output_index": 0, "item_id": f"msg_{running.id}", "content_index": 0}
    yield event("response.created", response=response_object(running, body))
    yield event("response.in_progress", response=response_object(running, body))
    yield event(
        "response.output_item.added", output_index=0, item=_item(running, "", "in_progress")
    )
    yield event("response.content_part.added", **place, part=_content(""))
    live = running.system.partition(":")[0] == "direct"
    answer = AnswerStream(live)
    async for happened in running.follow():
        if isinstance(happened, TextWritten):
            if ready := answer.add(happened.text):
                yield event("response.output_text.delta", **place, delta=ready, logprobs=[])
            elif not live:
                yield event(
                    "response.reasoning_text.delta",
                    **place,
                    delta=happened.text,
                    agent=happened.agent,
                )
        elif isinstance(happened, Answered) and (rest := answer.rest(running.answer)):
            yield event("response.output_text.delta", **place, delta=rest, logprobs=[])
    if running.result is None:
        kind = "response.failed"
        yield event(kind, response=response_object(running, body))
        return
    text = running.answer
    yield event("response.output_text.done", **place, text=text, logprobs=[])
    yield event("response.content_part.done", **place, part=_content(text))
    yield event("response.output_item.done", output_index=0, item=_item(running, text))
    whole = response_object(running, body)
    ended = "completed" if whole["status"] == "completed" else "incomplete"
    yield event(f"response.{ended}", response=whole)
