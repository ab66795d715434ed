"""Systems as an agent of the open network (ANP): described, called by JSON-RPC, callers proven.

A caller is known by its decentralised identifier and its signature; then it may go on with a
bearer token, which ends after an hour and is good for this protocol alone. The protocol says
nothing of streams; here a call whose caller accepts server-sent events gets them.
https://agent-network-protocol.com
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from collegium import __version__
from collegium.errors import BadInput, CollegiumError, UnknownName
from collegium.protocols.clients import Client, Clients, Unauthorised
from collegium.protocols.did import Resolver, Verifier, did_of, document
from collegium.protocols.did_http import is_signed, who_signed
from collegium.protocols.hub import Hub, Wish
from collegium.protocols.messages import RUN_HEADER, CallEnded, said
from collegium.protocols.running import Running
from collegium.protocols.web import (
    EventStream,
    Json,
    body_as,
    parent_of,
    refusal,
    sentence_of,
    settled,
    sse,
)

DESCRIPTION, INTERFACE, RPC, DOCUMENT = (
    "/ad.json",
    "/anp/interface.json",
    "/anp/rpc",
    "/.well-known/did.json",
)

TOKEN_SECONDS = 3600.0

PARSE, REQUEST, METHOD, PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603


class Tokens:
    """Bearer tokens of callers that have proved who they are; they end by themselves."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[float, Client]] = {}

    def issue(self, client: Client) -> str:
        """A new token of a client."""
        now = time.monotonic()
        self._known = {k: v for k, v in self._known.items() if v[0] > now}
        token = secrets.token_urlsafe(32)
        self._known[sha256(token.encode()).digest()] = (now + TOKEN_SECONDS, client)
        return token

    def client(self, token: str) -> Client | None:
        """Whose token it is; None when it is nobody's, or has ended."""
        until, client = self._known.get(sha256(token.encode()).digest(), (0.0, None))
        return client if until > time.monotonic() else None


class _Call(msgspec.Struct):
    jsonrpc: str
    method: str
    params: dict[str, Any] = {}
    id: str | int | None = None


class _Run(msgspec.Struct, forbid_unknown_fields=True):
    task: str
    system: str = ""
    answer: str = "text"
    choices: tuple[str, ...] = ()
    seed: int | None = None


def routes(hub: Hub, clients: Clients, address: str, key: Any, resolver: Resolver) -> list[Route]:
    """The routes of the protocol.

    Args:
        hub: Starts the runs.
        clients: Who may come.
        address: Of the server.
        key: The server's private key.
        resolver: Fetches the documents of callers.
    """
    own = did_of(address)
    verifier, tokens = Verifier(resolver), Tokens()

    async def caller(request: Request) -> tuple[Client, dict[str, str]]:
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer":
            known = tokens.client(token.strip())
            return known or clients.by_token(token.strip()), {}
        signed = is_signed(request.headers)
        if not header and not signed:
            if clients.wants_token or clients.wants_did:
                raise Unauthorised("sign the request: Authorization: DIDWba ...")
            return clients.local, {}
        if signed:
            body, told = await request.body(), dict(request.headers)
            did = await who_signed(verifier, request.method, str(request.url), told, body)
        else:
            did = await verifier.who(header, request.headers.get("host", "").partition(":")[0])
        client = clients.by_did(did)
        issued = tokens.issue(client)
        told = f'access_token="{issued}", token_type="Bearer", expires_in={TOKEN_SECONDS:.0f}'
        return client, {"authentication-info": told, "authorization": f"Bearer {issued}"}

    async def described(_: Request) -> Any:
        return Json(description(hub, own, address))

    async def interface(_: Request) -> Any:
        return Json(openrpc(hub, address))

    async def owner(_: Request) -> Any:
        told = document(own, key.public_key(), AgentDescription=f"{address}{DESCRIPTION}")
        return Json(told)

    async def call(request: Request) -> Any:
        try:
            client, headers = await caller(request)
        except Exception as error:
            answer = refusal(error)
            if answer.status_code == 401:
                answer.headers["www-authenticate"] = 'DIDWba realm="collegium"'
            return answer
        try:
            asked = await body_as(request, _Call)
        except BadInput as error:
            return Json(_error(None, PARSE, str(error)), headers=headers)
        try:
            return await _answer(hub, client, asked, request, headers)
        except UnknownName as error:
            return Json(_error(asked.id, PARAMS, str(error)), headers=headers)
        except BadInput as error:
            return Json(_error(asked.id, PARAMS, str(error)), headers=headers)
        except CollegiumError as error:
            return Json(_error(asked.id, REQUEST, sentence_of(error)), headers=headers)
        except Exception as error:
            return Json(_error(asked.id, INTERNAL, sentence_of(error)), headers=headers)

    return [
        Route(DOCUMENT, owner),
        Route(DESCRIPTION, described),
        Route(INTERFACE, interface),
        Route(RPC, call, methods=["POST"]),
    ]


async def _answer(
    hub: Hub, client: Client, asked: _Call, request: Request, headers: dict[str, str]
) -> Any:
    match asked.method:
        case "run" | "start":
            running = _start(hub, client, asked.params, parent_of(request))
            await running.begun()
            headers = {**headers, **({RUN_HEADER: running.run} if running.run else {})}
            if asked.method == "start":
                return Json(_result(asked.id, status(running)), headers=headers)
            if "text/event-stream" in request.headers.get("accept", ""):
                return EventStream(_stream(running, asked.id), running, headers)
            await settled(request, running)
            return Json(_result(asked.id, status(running)), headers=headers)
        case "status" | "cancel" | "tell":
            running = hub.get(str(asked.params.get("id", "")), client)
            if asked.method == "cancel":
                await running.stop("the client cancelled the run")
            if asked.method == "tell":
                running.tell(str(asked.params.get("text", "")))
                await running.settled()
            return Json(_result(asked.id, status(running)), headers=headers)
    return Json(_error(asked.id, METHOD, f"there is no method {asked.method!r}."), headers=headers)


def _start(hub: Hub, client: Client, params: dict[str, Any], parent: str) -> Running:
    try:
        asked = msgspec.convert(params, _Run)
        wish = msgspec.convert(
            {"answer": asked.answer, "choices": asked.choices, "seed": asked.seed}, Wish
        )
    except msgspec.ValidationError as error:
        raise BadInput(f"the parameters are not what they must be: {error}.") from None
    return hub.start(
        [said(asked.task)],
        system=asked.system,
        protocol="anp",
        client=client,
        parent=parent,
        wish=wish,
    )


def status(running: Running) -> dict[str, Any]:
    """A run as it stands."""
    return {
        "id": running.id,
        "run": running.run,
        "state": running.state,
        "answer": running.answer,
        **({"question": running.question} if running.question else {}),
        **({"error": sentence_of(running.error)} if running.error else {}),
        **running.account,
    }


async def _stream(running: Running, call: Any) -> AsyncIterator[bytes]:
    async for event in running.follow():
        if isinstance(event, CallEnded):
            told = {"call": event.event.id, "kind": event.event.kind}
            params = {**told, "agent": event.event.call.agent, "id": running.id}
            yield sse({"jsonrpc": "2.0", "method": "progress", "params": params})
        if running.state == "awaiting" and event is running.events[-1]:
            break
    yield sse(_result(call, status(running)))


def _result(call: Any, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call, "result": result}


def _error(call: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call, "error": {"code": code, "message": message}}


def description(hub: Hub, did: str, address: str) -> dict[str, Any]:
    """What the agent tells of itself (``ad.json``)."""
    return {
        "protocolType": "ANP",
        "protocolVersion": "1.0.0",
        "type": "AgentDescription",
        "@context": {
            "@vocab": "https://schema.org/",
            "ad": "https://agent-network-protocol.com/ad#",
        },
        "url": f"{address}{DESCRIPTION}",
        "identifier": did,
        "did": did,
        "name": "collegium",
        "version": __version__,
        "description": "Published agent systems: "
        + "; ".join(f"{name} ({system.summary})" for name, system in hub.systems.items()),
        "securityDefinitions": {
            "didwba_sc": {"scheme": "didwba", "in": "header", "name": "Authorization"}
        },
        "security": "didwba_sc",
        "interfaces": [
            {
                "type": "StructuredInterface",
                "protocol": "openrpc",
                "version": "1.3.2",
                "url": f"{address}{INTERFACE}",
                "description": "Run a system on a task, look after the run, stop it.",
            }
        ],
    }


def openrpc(hub: Hub, address: str) -> dict[str, Any]:
    """The interface in the OpenRPC notation."""
    text: dict[str, Any] = {"type": "string"}
    run = [
        _param("task", text, "What is to be solved.", required=True),
        _param("system", {**text, "enum": list(hub.systems)}, "Which system."),
        _param("answer", {**text, "enum": ["text", "number", "latex", "code"]}, "Kind of answer."),
        _param("choices", {"type": "array", "items": text}, "Options to choose from."),
        _param("seed", {"type": "integer"}, "Makes the run repeatable."),
    ]
    one = [_param("id", text, "The run's id.", required=True)]
    methods = {
        "run": ("Run a system on a task, and wait for its answer.", run),
        "start": ("Start a run, and do not wait for it.", run),
        "status": ("How a run stands.", one),
        "cancel": ("Stop a run.", one),
        "tell": ("Answer a run's question.", [*one, _param("text", text, "What to say.", True)]),
    }
    return {
        "openrpc": "1.3.2",
        "info": {"title": "collegium", "version": __version__},
        "servers": [{"name": "collegium", "url": f"{address}{RPC}"}],
        "methods": [
            {
                "name": name,
                "description": about,
                "params": params,
                "result": {"name": "status", "schema": {"type": "object"}},
            }
            for name, (about, params) in methods.items()
        ],
    }


def _param(name: str, schema: dict[str, Any], about: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "description": about, "required": required, "schema": schema}
