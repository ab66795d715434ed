"""Replies of OpenAI's responses protocol, whole and as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from collegium.protocols.messages import Answered, TextWritten
from collegium.protocols.openai_types import ResponsesRequest
from collegium.protocols.openai_wire import AnswerStream, account, finish_of
from collegium.protocols.running import Running
from collegium.protocols.web import sentence_of, sse

LIVE = "direct"
"""The system whose answer in text is its one reply as it stands."""

_STATUS = {"completed": "completed", "failed": "failed", "canceled": "cancelled"}


def response_object(running: Running, asked: ResponsesRequest, *, begun: bool = True) -> Any:
    """A response as it stands.

    Args:
        running: The run.
        asked: The request.
        begun: False shows it as it was in the beginning, whatever has happened since.
    """
    done = running.result if begun else None
    finish = finish_of(running)
    status = _STATUS.get(running.state, "in_progress") if begun else "in_progress"
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
    output = []
    if done is not None:
        thought = [] if is_live(running) else [_thought(running, thoughts_of(running))]
        output = [*thought, _item(running, running.answer)]
    return {
        "id": f"resp_{running.id}",
        "object": "response",
        "created_at": int(running.created.timestamp()),
        "status": status,
        "error": error,
        "incomplete_details": details,
        "instructions": asked.instructions,
        "metadata": {"run": running.run},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": False,
        "previous_response_id": asked.previous_response_id,
        "temperature": asked.temperature,
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "usage": usage,
        "collegium": account(running),
    }


def is_live(running: Running) -> bool:
    """Whether the answer is the reply as it is being written."""
    return running.system.partition(":")[0] == LIVE


def thoughts_of(running: Running) -> str:
    """What agents wrote on the way to the answer."""
    return "".join(e.text for e in running.events if isinstance(e, TextWritten))


def _item(running: Running, text: str, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"msg_{running.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_content(text)] if status == "completed" else [],
    }


def _thought(running: Running, text: str, status: str = "completed") -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text}] if status == "completed" else []
    return {
        "id": f"rs_{running.id}",
        "type": "reasoning",
        "summary": [],
        "content": content,
        "status": status,
    }


def _content(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


class _Writer:
    """Numbers the events of one stream.

    Args:
        running: The run.
        asked: The request.
    """

    def __init__(self, running: Running, asked: ResponsesRequest) -> None:
        self.running, self._asked = running, asked
        self._number = -1
        self._live = is_live(running)
        index = 0 if self._live else 1
        self._place = {"output_index": index, "item_id": f"msg_{running.id}", "content_index": 0}
        self._aside = {"output_index": 0, "item_id": f"rs_{running.id}", "content_index": 0}
        self._thought = ""

    def event(self, kind: str, **fields: Any) -> bytes:
        """One event."""
        self._number += 1
        return sse({"type": kind, "sequence_number": self._number, **fields}, kind)

    def whole(self, kind: str, begun: bool = True) -> bytes:
        """An event that shows the response as it stands, or as it was in the beginning."""
        shown = response_object(self.running, self._asked, begun=begun)
        return self.event(kind, response=shown)

    def begin(self) -> list[bytes]:
        """The response, and the item that is written first."""
        opened = [self.whole(f"response.{k}", begun=False) for k in ("created", "in_progress")]
        if self._live:
            return [*opened, *self._message()]
        item = _thought(self.running, "", "in_progress")
        return [*opened, self.event("response.output_item.added", output_index=0, item=item)]

    def thought(self, event: TextWritten) -> bytes:
        """Something that an agent wrote on the way."""
        self._thought += event.text
        return self.event(
            "response.reasoning_text.delta", **self._aside, delta=event.text, agent=event.agent
        )

    def turn(self) -> list[bytes]:
        """From what was thought to the answer."""
        if self._live:
            return []
        item = _thought(self.running, self._thought)
        return [
            self.event("response.reasoning_text.done", **self._aside, text=self._thought),
            self.event("response.output_item.done", output_index=0, item=item),
            *self._message(),
        ]

    def _message(self) -> list[bytes]:
        item = _item(self.running, "", "in_progress")
        index = self._place["output_index"]
        return [
            self.event("response.output_item.added", output_index=index, item=item),
            self.event("response.content_part.added", **self._place, part=_content("")),
        ]

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self.event("response.output_text.delta", **self._place, delta=text, logprobs=[])

    def end(self) -> list[bytes]:
        """The whole answer, and the whole response."""
        text, index = self.running.answer, self._place["output_index"]
        item = _item(self.running, text)
        state = response_object(self.running, self._asked)["status"]
        ended = "completed" if state == "completed" else "incomplete"
        return [
            self.event("response.output_text.done", **self._place, text=text, logprobs=[]),
            self.event("response.content_part.done", **self._place, part=_content(text)),
            self.event("response.output_item.done", output_index=index, item=item),
            self.whole(f"response.{ended}"),
        ]


async def response_events(running: Running, asked: ResponsesRequest) -> AsyncIterator[bytes]:
    """The stream of a response: its creation, what is thought, the answer, its end.

    Args:
        running: The run.
        asked: The request.
    """
    writer = _Writer(running, asked)
    live = is_live(running)
    answer = AnswerStream(live)
    for chunk in writer.begin():
        yield chunk
    async for happened in running.follow():
        if isinstance(happened, TextWritten):
            if ready := answer.add(happened.text):
                yield writer.text(ready)
            elif not live:
                yield writer.thought(happened)
        elif isinstance(happened, Answered):
            for chunk in writer.turn():
                yield chunk
            if rest := answer.rest(running.answer):
                yield writer.text(rest)
    if running.result is None:
        yield writer.whole("response.failed")
        return
    for chunk in writer.end():
        yield chunk
