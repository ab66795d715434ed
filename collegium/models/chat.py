"""The OpenAI chat protocol as llama.cpp speaks it: requests out, replies in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Any, Literal

import msgspec

from collegium.kernel.calls import Generate, Message, Reply, TokenLogprob, ToolCall, ToolSpec, Usage

Finish = Literal["stop", "length", "tool"]


def wire_message(message: Message) -> dict[str, Any]:
    """A message as the protocol writes it (text and tool calls; no pictures)."""
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": msgspec.json.encode(call.arguments).decode(),
                },
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def chat_body(request: Generate, *, n: int, seed: int | None, stream: bool) -> dict[str, Any]:
    """The body of a chat completion request.

    Sampling is exactly what the request says: llama.cpp's own habits (top-k 40, min-p 0.05) are
    switched off, so that a temperature means the same here as with any other provider.

    Args:
        request: What is asked.
        n: Samples to draw in this one request.
        seed: Seed of the first of them; the engine draws sample i with ``seed + i``.
        stream: Whether the answer is to come in pieces.
    """
    body: dict[str, Any] = {
        "messages": [wire_message(m) for m in request.messages],
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": 0,
        "min_p": 0.0,
        "n": n,
        "seed": -1 if seed is None else seed % (1 << 31),
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": request.schema, "strict": True},
        }
    if request.grammar is not None:
        body["grammar"] = request.grammar
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    if request.logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = request.logprobs
    if request.prefill:
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    return body


class Draft:
    """One sample while it is being received, whole or in pieces."""

    def __init__(self) -> None:
        self.text = ""
        self.finish: Finish = "stop"
        self.logprobs: tuple[TokenLogprob, ...] = ()
        self.usage = Usage()
        self._calls: dict[int, dict[str, str]] = {}

    def add(self, part: dict[str, Any]) -> str:
        """Take in a message or a piece of one; returns the text it brought."""
        # What a model writes after it asked for a tool would be its own idea of the result.
        text = "" if self._calls else part.get("content") or ""
        self.text += text
        for place, call in enumerate(part.get("tool_calls") or ()):
            known = self._calls.setdefault(
                call.get("index", place), {"id": "", "name": "", "a": ""}
            )
            function = call.get("function") or {}
            known["id"] = known["id"] or call.get("id") or ""
            known["name"] += function.get("name") or ""
            known["a"] += function.get("arguments") or ""
        return text

    def end(self, choice: dict[str, Any]) -> None:
        """Take in why the sample ended, and its log-probs."""
        reason = choice.get("finish_reason")
        if reason == "length":
            self.finish = "length"
        elif reason == "tool_calls":
            self.finish = "tool"
        if content := (choice.get("logprobs") or {}).get("content"):
            self.logprobs = tuple(read_logprob(entry) for entry in content)

    def reply(self, tools: Sequence[ToolSpec] = ()) -> Reply:
        """The finished sample.

        A tool call cut short by the token cap stays text. A text that is nothing but tool calls
        becomes them: code models leave out the tags around a call that they were told to write.

        Args:
            tools: What the model was offered.
        """
        calls: list[ToolCall] = []
        for place in sorted(self._calls):
            raw = self._calls[place]
            try:
                arguments = json.loads(raw["a"] or "{}")
            except ValueError:
                arguments = None
            if isinstance(arguments, dict):
                calls.append(ToolCall(raw["id"] or f"call_{place}", raw["name"], arguments))
            else:
                self.text += raw["a"]
        if tools and not calls and (bare := read_bare_calls(self.text, tools)):
            calls, self.text, self.finish = bare, "", "tool"
        return Reply(
            text=self.text,
            tool_calls=tuple(calls),
            logprobs=self.logprobs,
            usage=self.usage,
            finish=self.finish if calls or self.finish != "tool" else "stop",
        )


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncIterator[list[dict[str, Any]]]:
    """The events of a stream, decoded: those that came together, together.

    Lines end at a newline only: a model may well write one of Unicode's other line ends.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if events := [msgspec.json.decode(x[6:]) for x in lines if x.startswith(b"data: {")]:
            yield events


def read_bare_calls(text: str, tools: Sequence[ToolSpec]) -> list[ToolCall]:
    """Tool calls written as plain JSON, in a code fence or not; empty if the text says more.

    Args:
        text: What the model wrote.
        tools: What it was offered; an object that names none of them is no call.
    """
    body = text.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body.removesuffix("```").partition("\n")[2].strip()
    names = {tool.name for tool in tools}
    calls: list[ToolCall] = []
    while body:
        try:
            value, end = json.JSONDecoder().raw_decode(body)
        except ValueError:
            return []
        for call in value if isinstance(value, list) else [value]:
            if not isinstance(call, dict) or call.get("name") not in names:
                return []
            arguments = call.get("arguments", {})
            if not isinstance(arguments, dict):
                return []
            calls.append(ToolCall(f"call_{len(calls)}", call["name"], arguments))
        body = body[end:].strip()
    return calls


def read_logprob(entry: dict[str, Any]) -> TokenLogprob:
    """One token's log-probability as the protocol writes it."""
    top = {t["token"]: t["logprob"] for t in entry.get("top_logprobs") or ()}
    return TokenLogprob(entry["token"], entry["logprob"], top)


def read_usage(usage: dict[str, Any]) -> Usage:
    """Token counts as the protocol writes them."""
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt=usage.get("prompt_tokens", 0),
        cached=details.get("cached_tokens") or 0,
        completion=usage.get("completion_tokens", 0),
    )
