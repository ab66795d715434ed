"""Systems as ACP agents: runs over plain HTTP, synchronous, in the background or as a stream.

Written here, because the protocol's own package brings databases and telemetry with it. Its last
release is of August 2025; the protocol has been merged into A2A since.
https://agentcommunicationprotocol.dev
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.routing import Route

from collegium.errors import BadInput, Denied, UnknownName, unknown_name
from collegium.protocols.acp_types import Create, Mode, Resume
from collegium.protocols.acp_wire import (
    STATES,
    Unprocessable,
    read_message,
    write_message,
    write_part,
)
from collegium.protocols.hub import KEPT, Hub
from collegium.protocols.messages import (
    RUN_HEADER,
    RUN_KEY,
    Answered,
    CallEnded,
    Message,
    Part,
    StateChanged,
    TextWritten,
)
from collegium.protocols.running import Running
from collegium.protocols.urls import Allowed, with_content
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
from collegium.systems import System

PATHS = ("/agents", "/runs", "/sessions", "/ping")


def routes(hub: Hub, allowed: Allowed) -> list[Route]:
    """The routes of the protocol.

    Args:
        hub: Starts the runs.
        allowed: Which addresses in messages are followed.
    """
    sessions: OrderedDict[tuple[str, str], list[str]] = OrderedDict()

    async def ping(_: Request) -> Any:
        return Json({})

    async def agents(request: Request) -> Any:
        name = request.path_params.get("name")
        if name is None:
            return Json({"agents": [manifest(n, s) for n, s in hub.systems.items()]})
        if name not in hub.systems:
            raise unknown_name("agent", name, hub.systems)
        return Json(manifest(name, hub.systems[name]))

    async def create(request: Request) -> Any:
        asked = await body_as(request, Create)
        client = client_of(request)
        if asked.agent_name not in hub.systems:
            raise unknown_name("agent", asked.agent_name, hub.systems)
        if asked.session and asked.session_id and asked.session.id != asked.session_id:
            raise BadInput("session and session_id name different sessions.")
        session = asked.session_id or (asked.session.id if asked.session else None)
        sent = [read_message(m) for m in asked.input]
        running = hub.start(
            await with_content(sent, allowed),
            system=asked.agent_name,
            protocol="acp",
            client=client,
            session=str(session or ""),
            parent=parent_of(request),
        )
        if session:
            sessions.setdefault((client.name, str(session)), []).append(running.id)
            sessions.move_to_end((client.name, str(session)))
            while len(sessions) > KEPT:
                sessions.popitem(last=False)
        await running.begun()
        return await _reply(request, running, asked.mode, 0)

    async def read(request: Request) -> Any:
        return Json(run_object(_find(hub, request)))

    async def events(request: Request) -> Any:
        running = _find(hub, request)
        told = [e for event in running.events for e in event_objects(running, event)]
        return Json({"events": told})

    async def resume(request: Request) -> Any:
        running = _find(hub, request)
        asked = await body_as(request, Resume)
        seen = len(running.events)
        if not running.tell(read_message(asked.await_resume.message).text):
            raise Denied(f"run {running.id} does not wait for anything; it is {running.state}.")
        return await _reply(request, running, asked.mode, seen)

    async def cancel(request: Request) -> Any:
        running = _find(hub, request)
        if running.final:
            state = STATES[running.state]
            raise Denied(f"run {running.id} is {state} and cannot be cancelled any more.")
        await running.stop("the client cancelled the run")
        return Json({**run_object(running), "status": "cancelling"}, status_code=202)

    async def session(request: Request) -> Any:
        identity = str(_uuid(request.path_params["session"]))
        runs = sessions.get((client_of(request).name, identity))
        if runs is None:
            raise unknown_name("session", identity, ())
        base = str(request.base_url).rstrip("/")
        history = [f"{base}/runs/{run}" for run in runs]
        return Json({"id": identity, "history": history, "state": None})

    return [
        Route("/ping", answering(ping, acp_error)),
        Route("/agents", answering(agents, acp_error)),
        Route("/agents/{name}", answering(agents, acp_error)),
        Route("/runs", answering(create, acp_error), methods=["POST"]),
        Route("/runs/{run}", answering(read, acp_error), methods=["GET"]),
        Route("/runs/{run}", answering(resume, acp_error), methods=["POST"]),
        Route("/runs/{run}/events", answering(events, acp_error)),
        Route("/runs/{run}/cancel", answering(cancel, acp_error), methods=["POST"]),
        Route("/sessions/{session}", answering(session, acp_error)),
    ]


def manifest(name: str, system: System) -> dict[str, Any]:
    """What is told of an agent."""
    return {
        "name": name,
        "description": system.summary,
        "metadata": {
            "framework": "collegium",
            "programming_language": "Python",
            "tags": [system.paper] if system.paper else [],
        },
        "input_content_types": ["text/plain", "application/json"],
        "output_content_types": ["text/plain"],
    }


def acp_error(error: Exception) -> Json:
    """An error in the protocol's shape."""
    status = 422 if isinstance(error, Unprocessable) else status_of(error)
    if status == 400 and "body of the request" in str(error):
        status = 422  # not of the type that is asked for
    code = {404: "not_found"}.get(status, "server_error" if status >= 500 else "invalid_input")
    return Json({"code": code, "message": sentence_of(error)}, status_code=status)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UnknownName(f"there is no {text!r}; ids here are UUIDs.") from None


def _find(hub: Hub, request: Request) -> Running:
    return hub.get(str(_uuid(request.path_params["run"])), client_of(request))


async def _reply(request: Request, running: Running, mode: Mode, seen: int) -> Any:
    headers = {"Run-ID": running.id, **({RUN_HEADER: running.run} if running.run else {})}
    if mode == "stream":
        return EventStream(_stream(running, seen), running, headers)
    if mode == "async":
        return Json(run_object(running), status_code=202, headers=headers)
    await settled(request, running)
    return Json(run_object(running), headers=headers)


def run_object(running: Running) -> dict[str, Any]:
    """A run as the protocol shows it."""
    error = None
    if running.error is not None:
        error = {"code": "server_error", "message": sentence_of(running.error)}
        if status_of(running.error) < 500:
            error["code"] = "invalid_input"
    wait = None
    if running.state == "awaiting":
        wait = {"type": "message", "message": write_message(_by(running, running.question))}
    told = {f"collegium/{name}": value for name, value in running.account.items()}
    output = []
    if running.result is not None:
        output.append(write_message(_output(running)))
    return {
        "run_id": running.id,
        "agent_name": running.system,
        "session_id": running.session or None,
        "status": STATES[running.state],
        "await_request": wait,
        "output": output,
        "error": error,
        "created_at": running.created.isoformat(),
        "finished_at": running.finished.isoformat() if running.finished else None,
        "metadata": {RUN_KEY: running.run, **told},
    }


def _by(running: Running, text: str) -> Message:
    return Message(role="agent", parts=(Part(text=text),), agent=running.system)


def _output(running: Running) -> Message:
    return Message(role="agent", parts=running.parts, agent=running.system)


async def _stream(running: Running, seen: int) -> AsyncIterator[bytes]:
    async for event in running.follow(seen):
        for told in event_objects(running, event):
            yield sse(told)
        if running.state == "awaiting" and event is running.events[-1]:
            return


def event_objects(running: Running, event: Any) -> list[dict[str, Any]]:
    """What the protocol tells of something that happened.

    Args:
        running: The run.
        event: What happened in it.
    """
    if isinstance(event, TextWritten):
        return [{"type": "generic", "generic": {"agent": event.agent, "text": event.text}}]
    if isinstance(event, CallEnded):
        call = {"call": event.event.id, "kind": event.event.kind, "agent": event.event.call.agent}
        return [{"type": "generic", "generic": call}]
    if isinstance(event, Answered):
        message = write_message(event.message)
        return [
            {"type": "message.created", "message": message},
            *({"type": "message.part", "part": write_part(p)} for p in event.message.parts),
            {"type": "message.completed", "message": message},
        ]
    if isinstance(event, StateChanged):
        shown = {**run_object(running), "status": STATES[event.state]}
        if event.state == "working":
            begins = running.events[0] is event
            created = {"type": "run.created", "run": {**shown, "status": "created"}}
            return [*([created] * begins), {"type": "run.in-progress", "run": shown}]
        if event.state == "awaiting":
            wait = {"type": "message", "message": write_message(_by(running, event.detail))}
            return [{"type": "run.awaiting", "run": {**shown, "await_request": wait}}]
        if event.state in ("canceled", "completed", "failed"):
            return [{"type": f"run.{STATES[event.state]}", "run": shown}]
    return []
