"""A real HTTP server that speaks the OpenAI chat protocol for any model, and can misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from collegium.errors import ContextTooLong
from collegium.kernel.calls import Generate, Image, Message, Reply, ToolCall, ToolSpec
from collegium.models.model import Model


@dataclass
class Fault:
    """How to misbehave once: answer with a status, hang, or break the connection."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    hang: float = 0.0
    reset: bool = False


class Quiet(ThreadingHTTPServer):
    """A server that takes it calmly when a client hangs up."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *args: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*args)


class OpenAIServer:
    """Serves a model on a loopback port while the ``with`` block lasts.

    Attributes:
        bodies: Every request's body, decoded.
        keys: The bearer token of every request.
        faults: What to do to the next requests instead of answering them.
    """

    def __init__(self, model: Model, key: str | None = None) -> None:
        self.model, self.key = model, key
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.faults: deque[Fault] = deque()
        self._arrived = threading.Semaphore(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> OpenAIServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    async def arrival(self, requests: int) -> None:
        """Wait until so many more requests have arrived."""
        for _ in range(requests):
            await asyncio.to_thread(self._arrived.acquire, timeout=30)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, or do to it what the next fault says."""
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.bodies.append(body)
        self._arrived.release()
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        self.keys.append(token)
        fault = self.faults.popleft() if self.faults else Fault()
        time.sleep(fault.hang)
        if fault.reset:
            linger = struct.pack("ii", 1, 0)  # close with a reset instead of a polite end
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            handler.close_connection = True
        elif fault.status:
            send(handler, fault.status, fault.body, fault.headers)
        elif self.key is not None and token != self.key:
            message = f"Incorrect API key provided: {token}"
            send(handler, 401, {"error": {"message": message, "code": "invalid_api_key"}})
        elif body["model"] != self.model.name:
            message = f"The model `{body['model']}` does not exist"
            send(handler, 404, {"error": {"message": message, "code": "model_not_found"}})
        else:
            try:
                replies = asyncio.run(self.model.generate(to_request(body)))
            except ContextTooLong as error:
                code = "context_length_exceeded"
                send(handler, 400, {"error": {"message": str(error), "code": code}})
                return
            if body.get("stream"):
                stream(handler, body, replies)
            else:
                send(handler, 200, completion(body, replies))


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def stream(handler: BaseHTTPRequestHandler, body: dict[str, Any], replies: Any) -> None:
    """Send the replies in pieces of four characters."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    events: list[dict[str, Any]] = []
    for index, reply in enumerate(replies):
        for at in range(0, len(reply.text), 4):
            delta = {"role": "assistant", "content": reply.text[at : at + 4]}
            events.append({"choices": [{"index": index, "delta": delta, "finish_reason": None}]})
        end = {"index": index, "delta": {}, "finish_reason": finish(reply)}
        events.append({"choices": [end]})
    events.append({"choices": [], "usage": usage(replies)})
    for event in events:
        handler.wfile.write(f"data: {json.dumps({**head, **event})}\n\n".encode())
    handler.wfile.write(b"data: [DONE]\n\n")


def to_request(body: dict[str, Any]) -> Generate:
    """A request as the protocol writes it."""
    form = body.get("response_format") or {}
    return Generate(
        agent="client",
        role="client",
        messages=tuple(to_message(m) for m in body["messages"]),
        n=body.get("n") or 1,
        temperature=body.get("temperature", 1.0),
        top_p=body.get("top_p", 1.0),
        max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
        stop=tuple(body.get("stop") or ()),
        seed=body.get("seed"),
        schema=form["json_schema"]["schema"] if form.get("type") == "json_schema" else None,
        tools=tuple(
            ToolSpec(
                t["function"]["name"],
                t["function"].get("description", ""),
                t["function"]["parameters"],
            )
            for t in body.get("tools") or ()
        ),
        logprobs=body.get("top_logprobs") or 0,
        prefill=bool(body.get("continue_final_message")),
    )


def to_message(wire: dict[str, Any]) -> Message:
    content = wire.get("content") or ""
    texts, images = [], []
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if part["type"] == "text":
            texts.append(part["text"])
        else:
            head, data = part["image_url"]["url"].split(",", 1)
            media = head.removeprefix("data:").removesuffix(";base64")
            images.append(Image(base64.b64decode(data), media))
    calls = tuple(
        ToolCall(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
        for c in wire.get("tool_calls") or ()
    )
    role = "system" if wire["role"] == "developer" else wire["role"]
    return Message(role, "".join(texts), tuple(images), calls, wire.get("tool_call_id"))


def finish(reply: Reply) -> str:
    return {"stop": "stop", "length": "length", "tool": "tool_calls"}[reply.finish]


def usage(replies: Any) -> dict[str, Any]:
    prompt = sum(r.usage.prompt for r in replies)
    completion = sum(r.usage.completion for r in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sum(r.usage.cached for r in replies)},
    }


def completion(body: dict[str, Any], replies: Any) -> dict[str, Any]:
    """Replies as the protocol writes them."""
    choices = []
    for index, reply in enumerate(replies):
        message: dict[str, Any] = {"role": "assistant", "content": reply.text}
        if reply.tool_calls:
            message["tool_calls"] = [
                {
                    "id": c.id,
                    "type": "function",
                    "function": {"name": c.name, "arguments": json.dumps(c.arguments)},
                }
                for c in reply.tool_calls
            ]
        choice = {"index": index, "message": message, "finish_reason": finish(reply)}
        if reply.logprobs:
            choice["logprobs"] = {
                "content": [
                    {
                        "token": t.token,
                        "logprob": t.logprob,
                        "bytes": None,
                        "top_logprobs": [
                            {"token": k, "logprob": v, "bytes": None} for k, v in t.top.items()
                        ],
                    }
                    for t in reply.logprobs
                ]
            }
        choices.append(choice)
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": choices,
        "usage": usage(replies),
    }
