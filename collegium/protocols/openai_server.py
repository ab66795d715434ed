"""OpenAI's protocols: any system is a model of /v1/chat/completions and /v1/responses.

What agents write on the way goes out as reasoning, the answer as content. Usage counts the whole
run. The id of every reply is that of its run, so a client that prints it has named the trace.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collegium.protocols.hub import Hub
from collegium.protocols.messages import (
    RUN_HEADER,
    Answered,
    Message,
    StateChanged,
    TextWritten,
    said,
)
from collegium.protocols.openai_types import ChatRequest, ResponsesRequest
from collegium.protocols.openai_wire import (
    PREFIX,
    AnswerStream,
    Unsupported,
    account,
    finish_of,
    messages_of,
    read,
    wish_of,
)
from collegium.protocols.responses_wire import is_live, response_events, response_object
from collegium.protocols.running import Running
from collegium.protocols.web import (
    EventStream,
    Json,
    answering,
    body_as,
    client_of,
    parent_of,
    sentence_of,
    settled,
    sse,
    status_of,
)
from collegium.systems import systems


def routes(hub: Hub) -> list[Route]:
    """The routes of both protocols.

    Args:
        hub: Starts the runs.
    """

    async def models(request: Request) -> Response:
        names = dict.fromkeys((*hub.systems, *(systems() if hub.catalog else ())))
        listed = [_model(name) for name in names]
        if wanted := request.path_params.get("name"):
            hub.find(wanted.removeprefix(PREFIX))
            return Json(_model(wanted.removeprefix(PREFIX)))
        return Json({"object": "list", "data": listed})

    async def chat(request: Request) -> Any:
        body = await body_as(request, dict[str, Any])
        sent = messages_of(body.get("messages"))
        asked = read(body, ChatRequest)
        running = _start(hub, request, asked, sent, "openai-chat")
        await running.begun()
        headers, model = _headers(running), model_of(asked, hub)
        if asked.stream:
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return EventStream(_chunks(running, model, usage), running, headers)
        await settled(request, running)
        _raise(running)
        return Json(_completion(running, model), headers=headers)

    async def responses(request: Request) -> Any:
        body = await body_as(request, dict[str, Any])
        sent = messages_of(body.get("input"))
        asked = read(without_thoughts(body), ResponsesRequest)
        if previous := asked.previous_response_id:
            before = hub.get(previous.removeprefix("resp_"), client_of(request))
            sent = [*before.sent, said(before.answer, "agent"), *sent]
        if asked.instructions:
            sent = [said(asked.instructions, "system"), *sent]
        running = _start(hub, request, asked, sent, "openai-responses")
        await running.begun()
        headers = _headers(running)
        asked = msgspec.structs.replace(asked, model=model_of(asked, hub))
        if asked.stream:
            return EventStream(response_events(running, asked), running, headers)
        await settled(request, running)
        _raise(running)
        return Json(response_object(running, asked), headers=headers)

    return [
        Route("/v1/models", answering(models, openai_error)),
        Route("/v1/models/{name:path}", answering(models, openai_error)),
        Route("/v1/chat/completions", answering(chat, openai_error), methods=["POST"]),
        Route("/v1/responses", answering(responses, openai_error), methods=["POST"]),
    ]


def model_of(asked: ChatRequest | ResponsesRequest, hub: Hub) -> str:
    """The model that a request names, or the one that is there by default."""
    return asked.model or f"{PREFIX}{hub.default}"


def without_thoughts(body: dict[str, Any]) -> dict[str, Any]:
    """A request without what was thought before, which a client may send back."""
    items = body.get("input")
    if not isinstance(items, list):
        return body
    kept = [i for i in items if not (isinstance(i, dict) and i.get("type") == "reasoning")]
    return {**body, "input": kept}


def _start(
    hub: Hub,
    request: Request,
    asked: ChatRequest | ResponsesRequest,
    sent: list[Message],
    protocol: str,
) -> Running:
    system = hub.find(model_of(asked, hub).removeprefix(PREFIX))
    return hub.start(
        sent,
        system=system,
        protocol=protocol,
        client=client_of(request),
        parent=parent_of(request),
        wish=wish_of(asked, set(hub.system(system).parameters)),
    )


def _model(name: str) -> dict[str, Any]:
    return {"id": f"{PREFIX}{name}", "object": "model", "created": 0, "owned_by": "collegium"}


def _headers(running: Running) -> dict[str, str]:
    return {RUN_HEADER: running.run, "x-request-id": running.run} if running.run else {}


def _raise(running: Running) -> None:
    if running.error is not None:
        raise running.error


def openai_error(error: Exception) -> Json:
    """An error in OpenAI's shape."""
    status = status_of(error)
    kind, code = {
        400: ("invalid_request_error", None),
        401: ("authentication_error", "invalid_api_key"),
        403: ("permission_error", "denied"),
        404: ("invalid_request_error", "model_not_found"),
        413: ("invalid_request_error", "request_too_large"),
        429: ("insufficient_quota", "insufficient_quota"),
    }.get(status, ("server_error", "server_error"))
    return Json(
        {
            "error": {
                "message": sentence_of(error),
                "type": kind,
                "param": error.param if isinstance(error, Unsupported) else None,
                "code": "unsupported_parameter" if isinstance(error, Unsupported) else code,
            }
        },
        status_code=status,
    )


def usage_of(running: Running) -> dict[str, Any]:
    """Tokens of the whole run, as chat completions name them."""
    done = running.result
    if done is None:
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {
        "prompt_tokens": done.usage.prompt,
        "completion_tokens": done.usage.completion,
        "total_tokens": done.usage.tokens,
        "prompt_tokens_details": {"cached_tokens": done.usage.cached},
    }


def _completion(running: Running, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{running.run}",
        "object": "chat.completion",
        "created": int(running.created.timestamp()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": running.answer, "refusal": None},
                "logprobs": None,
                "finish_reason": finish_of(running),
            }
        ],
        "usage": usage_of(running),
        "collegium": account(running),
    }


async def _chunks(running: Running, model: str, usage: bool) -> AsyncIterator[bytes]:
    frame: dict[str, Any] = {
        "id": f"chatcmpl-{running.run}",
        "object": "chat.completion.chunk",
        "created": int(running.created.timestamp()),
        "model": model,
    }

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**frame, "choices": [choice], **more})

    yield chunk({"role": "assistant", "content": ""}, collegium=account(running))
    answer = AnswerStream(is_live(running))
    async for event in running.follow():
        if isinstance(event, TextWritten):
            if ready := answer.add(event.text):
                yield chunk({"content": ready})
            elif not is_live(running):
                yield chunk({"reasoning_content": event.text}, agent=event.agent)
        elif isinstance(event, Answered):
            if rest := answer.rest(running.answer):
                yield chunk({"content": rest})
        elif isinstance(event, StateChanged) and event.state == "failed":
            yield sse(_failure(running))
    if running.result is not None:
        yield chunk({}, finish_of(running), collegium=account(running))
        if usage:
            yield sse({**frame, "choices": [], "usage": usage_of(running)})
    yield b"data: [DONE]\n\n"


def _failure(running: Running) -> dict[str, Any]:
    assert running.error is not None
    kind = "insufficient_quota" if status_of(running.error) == 429 else "server_error"
    error = {"message": sentence_of(running.error), "type": kind, "param": None, "code": kind}
    return {"error": error}
