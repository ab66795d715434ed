"""The server's description in OpenAPI 3.1, made from the types that it reads and writes.

What is described is what is plain HTTP and JSON: health, OpenAI's protocols, ACP. MCP, A2A and ANP
are described in their own ways (a list of tools, a signed card, an OpenRPC document).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from collegium import __version__
from collegium.protocols import acp_types as acp
from collegium.protocols import openai_types as openai
from collegium.protocols.messages import RUN_HEADER

PATH = "/openapi.json"

REF = "#/components/schemas/{name}"

JSON, EVENTS = "application/json", "text/event-stream"

MEANING = {
    400: "The request is not what it must be.",
    401: "There is no token, or one that nobody was given.",
    403: "It may not be done.",
    404: "There is no such thing.",
    413: "The request is too large.",
    422: "The request is of the wrong type.",
    429: "A limit or a budget is used up.",
    500: "Something went wrong inside the server.",
    502: "The model failed.",
    503: "The server is busy.",
}

LOOKED_UP = (401, 403, 404)
STARTED = (400, 401, 403, 404, 413, 429, 500, 502, 503)


class Health(msgspec.Struct, forbid_unknown_fields=True):
    """The server is there."""

    status: Literal["ok"]
    protocols: list[str]
    systems: list[str]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked for.

    Attributes:
        path: With its parameters in braces.
        method: Of HTTP.
        summary: One line.
        body: Type of the request.
        reply: Type of what comes back.
        status: Of that.
        more: Further statuses with the same reply.
        streams: Whether it may come as a stream of events.
        errors: Statuses of what may go wrong.
        error: Type of an error.
        names: What each parameter in the path is.
        open: Whether anybody may ask.
        run: Whether the reply names a run in its header.
    """

    path: str
    method: str = "get"
    summary: str
    body: Any = None
    reply: Any
    status: int = 200
    more: tuple[int, ...] = ()
    streams: bool = False
    errors: tuple[int, ...] = LOOKED_UP
    error: Any = openai.OpenAIError
    names: dict[str, dict[str, Any]] = {}
    open: bool = False
    run: bool = False


TOKEN = {"token": {"type": "http", "scheme": "bearer"}}
TEXT = {"type": "string", "minLength": 1}
UUID = {"type": "string", "format": "uuid"}

ALWAYS = (
    Operation(path="/health", summary="Is it there?", reply=Health, errors=(403,), open=True),
    Operation(
        path=PATH, summary="This description.", reply=dict[str, Any], errors=(403,), open=True
    ),
)

OPENAI = (
    Operation(path="/v1/models", summary="All systems as models.", reply=openai.ModelList),
    Operation(
        path="/v1/models/{name}",
        summary="One system as a model.",
        reply=openai.Model,
        errors=(400, *LOOKED_UP),
        names={"name": TEXT},
    ),
    Operation(
        path="/v1/chat/completions",
        method="post",
        summary="Run a system on the last message of a conversation.",
        body=openai.ChatRequest,
        reply=openai.ChatCompletion,
        streams=True,
        errors=STARTED,
        run=True,
    ),
    Operation(
        path="/v1/responses",
        method="post",
        summary="The same in the newer protocol.",
        body=openai.ResponsesRequest,
        reply=openai.Response,
        streams=True,
        errors=STARTED,
        run=True,
    ),
)

ACP = (
    Operation(path="/ping", summary="Is it there?", reply=acp.Nothing, error=acp.AcpError),
    Operation(
        path="/agents", summary="All systems as agents.", reply=acp.Agents, error=acp.AcpError
    ),
    Operation(
        path="/agents/{name}",
        summary="One system as an agent.",
        reply=acp.Manifest,
        error=acp.AcpError,
        names={"name": TEXT},
    ),
    Operation(
        path="/runs",
        method="post",
        summary="Start a run.",
        body=acp.Create,
        reply=acp.Run,
        more=(202,),
        streams=True,
        errors=(*STARTED, 422),
        error=acp.AcpError,
        run=True,
    ),
    Operation(
        path="/runs/{run}",
        summary="A run as it stands.",
        reply=acp.Run,
        error=acp.AcpError,
        names={"run": UUID},
    ),
    Operation(
        path="/runs/{run}",
        method="post",
        summary="Answer what a run asks.",
        body=acp.Resume,
        reply=acp.Run,
        more=(202,),
        streams=True,
        errors=(*STARTED, 422),
        error=acp.AcpError,
        names={"run": UUID},
        run=True,
    ),
    Operation(
        path="/runs/{run}/events",
        summary="What happened in a run.",
        reply=acp.Events,
        error=acp.AcpError,
        names={"run": UUID},
    ),
    Operation(
        path="/runs/{run}/cancel",
        method="post",
        summary="Stop a run.",
        reply=acp.Run,
        status=202,
        errors=(*LOOKED_UP, 413),
        error=acp.AcpError,
        names={"run": UUID},
    ),
    Operation(
        path="/sessions/{session}",
        summary="The runs of a session.",
        reply=acp.Session,
        error=acp.AcpError,
        names={"session": UUID},
    ),
)

PARTS: dict[str, tuple[Operation, ...]] = {"openai": OPENAI, "acp": ACP}


def describe(protocols: Sequence[str], address: str, *, secured: bool) -> dict[str, Any]:
    """The description of a server.

    Args:
        protocols: What it speaks.
        address: How it is reached.
        secured: Whether it wants a token.
    """
    operations = [*ALWAYS, *(o for p in protocols for o in PARTS.get(p, ()))]
    types: list[Any] = []
    for one in operations:
        types += [t for t in (one.body, one.reply, one.error) if t is not None]
    types = list(dict.fromkeys(t for t in types if t is not dict[str, Any]))
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method] = _operation(one, secured)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "collegium",
            "version": __version__,
            "summary": "Published agent systems, served.",
            "description": f"Speaks {', '.join(protocols)}. Described here is what is plain HTTP "
            "and JSON; MCP, A2A and ANP describe themselves in their own ways.",
        },
        "servers": [{"url": address}],
        "paths": paths,
        "components": {
            "schemas": components,
            **({"securitySchemes": TOKEN} if secured else {}),
        },
    }


def _operation(one: Operation, secured: bool) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {"schema": _schema(one.reply)}}
    if one.streams:
        content[EVENTS] = {"schema": {"type": "string"}}
    reply: dict[str, Any] = {"description": "Done.", "content": content}
    if one.run:
        reply["headers"] = {
            RUN_HEADER: {"description": "The run's id.", "schema": {"type": "string"}}
        }
    error = {JSON: {"schema": _schema(one.error)}}
    responses: dict[str, Any] = {str(status): reply for status in (one.status, *one.more)}
    for status in one.errors:
        if status != 401 or (secured and not one.open):
            responses[str(status)] = {"description": MEANING[status], "content": error}
    described: dict[str, Any] = {"summary": one.summary, "responses": responses}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in one.names.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if one.body is not None:
        body = {JSON: {"schema": _schema(one.body)}}
        described["requestBody"] = {"required": True, "content": body}
    if secured and not one.open:
        described["security"] = [{"token": []}]
    return described


def _schema(kind: Any) -> dict[str, Any]:
    if kind == dict[str, Any]:
        return {"type": "object"}
    return {"$ref": REF.format(name=kind.__name__)}
