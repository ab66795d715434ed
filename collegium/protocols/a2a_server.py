"""Systems as an A2A agent: every system is a skill, every run a task.

Built on the official package: protocol version 1.0 over JSON-RPC and REST, and 0.3 beside it.
A task outlives the connection that began it, as the protocol has it: whoever lost a stream
subscribes again, and only CancelTask ends the run. https://a2a-protocol.org
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from a2a.auth.user import User
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers.default_request_handler_v2 import DefaultRequestHandlerV2
from a2a.server.routes import (
    DefaultServerCallContextBuilder,
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from a2a.utils.signing import create_agent_card_signer
from google.protobuf.json_format import MessageToDict, ParseDict
from jwt.api_jwk import PyJWK
from starlette.routing import Route

from collegium import __version__
from collegium.errors import CollegiumError
from collegium.kernel import Generate
from collegium.protocols.a2a_wire import (
    SYSTEM_KEY,
    read_message,
    write_message,
    write_part,
)
from collegium.protocols.clients import Clients
from collegium.protocols.hub import KEPT, Hub
from collegium.protocols.messages import RUN_HEADER, RUN_KEY, CallEnded, StateChanged, said
from collegium.protocols.running import Running
from collegium.protocols.serve import Mounted
from collegium.protocols.signing import ALGORITHM, b64url, jwk
from collegium.protocols.urls import Allowed, with_content
from collegium.protocols.web import Json, sentence_of

RPC, REST = "/a2a", "/a2a/rest"

CARD, OLD_CARD = "/.well-known/agent-card.json", "/.well-known/agent.json"
"""Where the card lies; the older path is that of version 0.2."""

KEYS = "/.well-known/jwks.json"

ANSWER = "answer"
"""Id of the artifact that holds a task's answer."""

logging.getLogger("a2a").setLevel(logging.CRITICAL)  # it logs errors with what clients sent


class _Caller(User):
    """A client, as the package wants to know it: tasks belong to its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return self._name


class _Contexts(DefaultServerCallContextBuilder):
    """Tells the package who makes a request; headers with tokens in them stay out."""

    def build(self, request: Any) -> ServerCallContext:
        context = super().build(request)
        client = request.scope["state"]["client"]
        context.user = _Caller(client.name)
        headers = {k: v for k, v in request.headers.items() if k != "authorization"}
        context.state.update(client=client, headers=headers)
        return context


class Executor(AgentExecutor):
    """Runs tasks of the protocol as runs of ours.

    Args:
        hub: Starts them.
        allowed: Which addresses in messages are followed.
        tasks: Where the package keeps tasks; the oldest are forgotten.
    """

    def __init__(self, hub: Hub, allowed: Allowed, tasks: InMemoryTaskStore) -> None:
        self._hub, self._allowed, self._tasks = hub, allowed, tasks
        self._runs: dict[str, tuple[Running, int]] = {}
        self._kept: OrderedDict[str, ServerCallContext] = OrderedDict()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Begin a run, or go on with one that asked something."""
        task, session = context.task_id or "", context.context_id or ""
        updater = TaskUpdater(event_queue, task, session)
        message = context.message
        if message is None:
            raise InvalidParamsError(message="there is no message.")
        told = MessageToDict(message)
        if task in self._runs:
            running, seen = self._runs[task]
            running.tell(read_message(told).text)
        else:
            await self._remember(task, context.call_context)
            status = pb.TaskStatus(state=pb.TaskState.TASK_STATE_SUBMITTED)
            await event_queue.enqueue_event(
                pb.Task(id=task, context_id=session, status=status, history=[message])
            )
            try:
                running = await self._start(context, told, session)
            except CollegiumError as error:
                await updater.reject(_said(sentence_of(error), task, session))
                return
            seen = 0
        await self._follow(running, seen, updater, task, session)

    async def _remember(self, task: str, context: ServerCallContext) -> None:
        """Keep a task for a while: at least until as many others have come after it."""
        self._kept[task] = context
        while len(self._kept) > KEPT and next(iter(self._kept)) not in self._runs:
            oldest, whose = self._kept.popitem(last=False)
            await self._tasks.delete(oldest, whose)

    async def _start(self, context: RequestContext, told: Any, session: str) -> Running:
        metadata = {**context.metadata, **(told.get("metadata") or {})}
        (sent,) = await with_content([read_message(told)], self._allowed)
        state = context.call_context.state
        parent = str(metadata.get(RUN_KEY) or state["headers"].get(RUN_HEADER, ""))
        return self._hub.start(
            [sent],
            system=str(metadata.get(SYSTEM_KEY) or ""),
            protocol="a2a",
            client=state["client"],
            session=session,
            parent=parent[:80],
        )

    async def _follow(
        self, running: Running, seen: int, updater: TaskUpdater, task: str, session: str
    ) -> None:
        self._runs[task] = (running, seen)
        async for event in running.follow(seen):
            seen += 1
            if isinstance(event, CallEnded) and isinstance(event.event.call, Generate):
                for reply in event.event.replies:
                    thought = write_message(said(reply.text, "agent"), task=task, context=session)
                    thought["metadata"] = {"agent": event.event.call.agent, RUN_KEY: running.run}
                    await updater.update_status(
                        pb.TaskState.TASK_STATE_WORKING, ParseDict(thought, pb.Message())
                    )
            elif isinstance(event, StateChanged) and event.state == "awaiting":
                self._runs[task] = (running, seen)
                await updater.requires_input(_said(event.detail, task, session))
                return  # the answer comes as another message of the same task
        ours = self._runs.pop(task, None) is not None  # else cancel() has told of the end already
        if running.state == "completed":
            for number, part in enumerate(running.parts):
                await updater.add_artifact(
                    [ParseDict(write_part(part), pb.Part())],
                    artifact_id=ANSWER if not number else part.name,
                    name=part.name or ANSWER,
                    metadata={RUN_KEY: running.run},
                    last_chunk=True,
                )
            await updater.update_status(
                pb.TaskState.TASK_STATE_COMPLETED, metadata=_account(running)
            )
        elif running.state == "failed":
            reason = sentence_of(running.error) if running.error else "it failed"
            await updater.failed(_said(reason, task, session))
        elif ours:
            await updater.cancel()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Stop the run of a task."""
        task, session = context.task_id or "", context.context_id or ""
        running, _ = self._runs.pop(task, (None, 0))
        await TaskUpdater(event_queue, task, session).cancel()
        if running is not None:
            await running.stop("the client cancelled the task; the run was stopped")


def _said(text: str, task: str, session: str) -> pb.Message:
    return ParseDict(write_message(said(text, "agent"), task=task, context=session), pb.Message())


def _account(running: Running) -> dict[str, Any]:
    told = {f"collegium/{name}": value for name, value in running.account.items()}
    return {RUN_KEY: running.run, **told}


def make_card(hub: Hub, address: str, *, secured: bool, push: bool) -> pb.AgentCard:
    """The card of the server: where it is reached, and its skills.

    Args:
        hub: What is served.
        address: Of the server.
        secured: Whether a token is needed.
        push: Whether it tells others of what happens in a task.
    """
    interfaces = [
        {"url": f"{address}{RPC}", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": f"{address}{REST}", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
        {"url": f"{address}{RPC}", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
    ]
    card: dict[str, Any] = {
        "name": "collegium",
        "description": "Published agent systems; each skill is one of them.",
        "version": __version__,
        "supportedInterfaces": interfaces,
        "capabilities": {
            "streaming": True,
            "pushNotifications": push,
            "extendedAgentCard": True,
        },
        "defaultInputModes": ["text/plain", "application/json"],
        "defaultOutputModes": ["text/plain"],
        "skills": [
            {
                "id": name,
                "name": name,
                "description": system.summary,
                "tags": ["agents", *([system.paper] if system.paper else [])],
            }
            for name, system in hub.systems.items()
        ],
    }
    if secured:
        card["securitySchemes"] = {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}}
        card["securityRequirements"] = [{"schemes": {"bearer": {"list": []}}}]
    return ParseDict(card, pb.AgentCard())


def mount(hub: Hub, clients: Clients, address: str, allowed: Allowed, key: Any) -> Mounted:
    """The protocol's part of a server.

    Args:
        hub: Starts the runs.
        clients: Who may come.
        address: Of the server.
        allowed: Hosts that may be fetched from and told of tasks.
        key: The server's private key, with which its card is signed.
    """
    card = make_card(hub, address, secured=clients.wants_token, push=bool(allowed))
    public = jwk(key.public_key())
    number = key.private_numbers().private_value
    private = PyJWK({**public, "d": b64url(number.to_bytes(32, "big"))})
    sign = create_agent_card_signer(
        private,
        {"kid": public["kid"], "alg": ALGORITHM, "jku": f"{address}{KEYS}", "typ": "JOSE"},
    )
    sign(card)
    configs = InMemoryPushNotificationConfigStore()
    http = httpx.AsyncClient(timeout=10, follow_redirects=False)
    tasks = InMemoryTaskStore()
    handler = DefaultRequestHandlerV2(
        agent_executor=Executor(hub, allowed, tasks),
        task_store=tasks,
        agent_card=card,
        extended_agent_card=card,
        push_config_store=configs,
        push_sender=BasePushNotificationSender(http, configs, push_url_validator=allowed.permits),
        push_url_validator=allowed.permits,
    )

    async def keys(_: Any) -> Any:
        return Json({"keys": [public]})

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.gather(handler.aclose(), http.aclose())

    builder = _Contexts()
    rest = create_rest_routes(handler, builder, enable_v0_3_compat=True, path_prefix=REST)
    return Mounted(
        [
            *create_agent_card_routes(card),
            *create_agent_card_routes(card, card_url=OLD_CARD),
            Route(KEYS, keys),
            *(
                r for r in rest if isinstance(r, Route)
            ),  # without tenants, which are no part of ours
            *create_jsonrpc_routes(handler, RPC, builder, enable_v0_3_compat=True),
        ],
        open_paths=(CARD, OLD_CARD, KEYS),
        lifespan=lifespan,
    )
