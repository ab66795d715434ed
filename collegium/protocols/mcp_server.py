"""Systems as an MCP server: the tool ``run``, prompts, and the trace of every run as a resource.

Built on the official package, which speaks all five revisions: four that begin with a handshake
(2024-11-05 to 2025-11-25) and the newest without one. https://modelcontextprotocol.io
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import mcp_types as types
import msgspec
from mcp.server import Server, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError

from collegium import __version__
from collegium.errors import BadInput, CollegiumError, UnknownName
from collegium.kernel.trace import encode_event
from collegium.protocols.clients import Client, Clients
from collegium.protocols.hub import Hub, Wish
from collegium.protocols.messages import RUN_HEADER, RUN_KEY, CallEnded, said
from collegium.protocols.running import Running
from collegium.protocols.serve import Mounted
from collegium.protocols.web import MOST_BYTES, sentence_of

Context = ServerRequestContext[Any, Any]

PATH = "/mcp"

URI = "collegium://runs/{run}/trace"

TRACE_TYPE = "application/jsonl"

MOST_WATCHED = 4096
"""Resources that may be subscribed to at the same time."""

LISTED = 50
"""How many runs the list of resources shows."""


def make_server(hub: Hub, clients: Clients) -> Server[Any]:
    """The server of a hub.

    Args:
        hub: Starts the runs.
        clients: Who may come; over standard input it is the local client.
    """
    bus = InMemorySubscriptionBus()
    watched: dict[str, set[Any]] = {}
    tasks: set[asyncio.Task[None]] = set()

    def client_of(ctx: Context) -> Client:
        if ctx.request is None:
            return clients.local
        return ctx.request.scope["state"]["client"]

    async def tell(uri: str) -> None:
        await bus.publish(ResourceUpdated(uri))
        for session in list(watched.get(uri, ())):
            with suppress(Exception):  # the package raises what its transport does: it has gone
                await session.send_resource_updated(uri)
        watched.pop(uri, None)  # a run ends once

    def ended(running: Running) -> None:
        if running.run:
            task = asyncio.get_running_loop().create_task(tell(uri_of(running.run)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    hub.on_end.append(ended)

    async def list_tools(ctx: Context, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[run_tool(hub)])

    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name != "run":
            raise MCPError(types.INVALID_PARAMS, f"unknown tool {params.name!r}; there is: run")
        try:
            running = _start(hub, client_of(ctx), ctx, params.arguments or {})
        except CollegiumError as error:
            return _failed(sentence_of(error))
        try:
            calls = 0
            async for event in running.follow():
                if isinstance(event, CallEnded):
                    calls += 1
                    who = event.event.call.agent
                    await ctx.session.report_progress(calls, None, f"{who}: {event.event.kind}")
        except asyncio.CancelledError:
            await running.stop("the client cancelled the call; the run was stopped")
            raise
        return _result(running)

    async def list_resources(ctx: Context, params: Any) -> types.ListResourcesResult:
        runs = [r for r in hub.listed(client_of(ctx)) if r.run][:LISTED]
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=uri_of(r.run),
                    name=r.run,
                    description=f"Trace of {r.system}, {r.state}",
                    mime_type=TRACE_TYPE,
                )
                for r in runs
            ]
        )

    async def list_templates(ctx: Context, params: Any) -> types.ListResourceTemplatesResult:
        template = types.ResourceTemplate(
            name="trace", uri_template=URI, description="Every call of a run", mime_type=TRACE_TYPE
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(
        ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        text = _trace(hub, client_of(ctx), params.uri)
        content = types.TextResourceContents(uri=params.uri, mime_type=TRACE_TYPE, text=text)
        return types.ReadResourceResult(contents=[content])

    async def subscribe(ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        if len(watched) >= MOST_WATCHED:
            raise MCPError(types.INVALID_REQUEST, "there are too many subscriptions")
        watched.setdefault(str(params.uri), set()).add(ctx.session)
        return types.EmptyResult()

    async def unsubscribe(
        ctx: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        watched.pop(str(params.uri), None)
        return types.EmptyResult()

    async def list_prompts(ctx: Context, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[p for p, _ in PROMPTS.values()])

    async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> Any:
        if params.name not in PROMPTS:
            names = ", ".join(PROMPTS)
            raise MCPError(types.INVALID_PARAMS, f"unknown prompt; there are: {names}")
        prompt, text = PROMPTS[params.name]
        given = params.arguments or {}
        for argument in prompt.arguments or ():
            if argument.required and not given.get(argument.name):
                raise MCPError(types.INVALID_PARAMS, f"the prompt needs {argument.name!r}")
        filled = text.format(**{"system": hub.default, **given})
        content = types.TextContent(type="text", text=filled)
        return types.GetPromptResult(
            description=prompt.description,
            messages=[types.PromptMessage(role="user", content=content)],
        )

    return Server(
        "collegium",
        version=__version__,
        instructions="Call the tool run with a task; its result names the run and its trace.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_subscriptions_listen=ListenHandler(bus),
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


PROMPTS: dict[str, tuple[types.Prompt, str]] = {
    "solve": (
        types.Prompt(
            name="solve",
            description="Have a system solve a task, and report its answer",
            arguments=[
                types.PromptArgument(name="task", description="The task", required=True),
                types.PromptArgument(name="system", description="Which system"),
            ],
        ),
        "Use the tool run with the system {system} on this task. Then report its answer word for "
        "word, and the id of the run.\n\n{task}",
    ),
    "explain-run": (
        types.Prompt(
            name="explain-run",
            description="Explain what the agents of a run did",
            arguments=[types.PromptArgument(name="run", description="Its id", required=True)],
        ),
        "Read the resource collegium://runs/{run}/trace. Say in a few sentences which agents there "
        "were, what each contributed, and how the answer came about.",
    ),
}
"""Prompts by name, with their text."""


def run_tool(hub: Hub) -> types.Tool:
    """The tool that runs a system."""
    names = list(hub.systems)
    summary = "; ".join(f"{name}: {system.summary}" for name, system in hub.systems.items())
    return types.Tool(
        name="run",
        title="Run an agent system on a task",
        description=f"Runs an agent system on a task and returns its answer. Systems: {summary}",
        input_schema={
            "type": "object",
            "properties": {
                "task": {"type": "string", "description": "What is to be solved."},
                "system": {"type": "string", "enum": names, "default": names[0]},
                "answer": {
                    "type": "string",
                    "enum": ["text", "number", "latex", "code"],
                    "default": "text",
                    "description": "The kind of answer wanted.",
                },
                "choices": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Options to choose from; answered by letter.",
                },
                "seed": {"type": "integer", "description": "Makes the run repeatable."},
            },
            "required": ["task"],
            "additionalProperties": False,
        },
        output_schema={
            "type": "object",
            "properties": {
                "answer": {"type": "string"},
                "run": {"type": "string"},
                "calls": {"type": "integer"},
                "tokens": {"type": "integer"},
                "limited": {"type": "string"},
                "blocked": {"type": "integer"},
                "lost": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["answer", "run", "calls", "tokens"],
        },
        annotations=types.ToolAnnotations(read_only_hint=False, open_world_hint=True),
    )


class _Arguments(msgspec.Struct, forbid_unknown_fields=True):
    task: str
    system: str = ""
    answer: str = "text"
    choices: tuple[str, ...] = ()
    seed: int | None = None


def _start(hub: Hub, client: Client, ctx: Context, arguments: dict[str, Any]) -> Running:
    try:
        asked = msgspec.convert(arguments, _Arguments)
        wish = msgspec.convert(
            {"answer": asked.answer, "choices": asked.choices, "seed": asked.seed}, Wish
        )
    except msgspec.ValidationError as error:
        raise BadInput(f"the arguments are not what they must be: {error}.") from None
    parent = str((ctx.meta or {}).get(RUN_KEY, ""))
    if not parent and ctx.request is not None:
        parent = ctx.request.headers.get(RUN_HEADER, "")
    return hub.start(
        [said(asked.task)],
        system=asked.system if asked.system else hub.default,
        protocol="mcp",
        client=client,
        parent=parent[:80],
        wish=wish,
    )


def _result(running: Running) -> types.CallToolResult:
    done = running.result
    meta: Any = {RUN_KEY: running.run}
    if done is None:
        reason = sentence_of(running.error) if running.error else "the run was stopped."
        return _failed(reason, meta)
    content: list[Any] = [types.TextContent(type="text", text=running.answer)]
    content += [
        types.EmbeddedResource(
            type="resource",
            resource=types.TextResourceContents(
                uri=f"collegium://runs/{running.run}/files/{part.name}", text=part.text or ""
            ),
        )
        for part in running.parts[1:]
    ]
    return types.CallToolResult(
        content=content,
        structured_content={
            "answer": running.answer,
            "run": running.run,
            **running.account,
        },
        _meta=meta,
    )


def _failed(reason: str, meta: Any = None) -> types.CallToolResult:
    content = types.TextContent(type="text", text=reason)
    return types.CallToolResult(content=[content], is_error=True, _meta=meta)


def uri_of(run: str) -> str:
    """The address of a run's trace."""
    return URI.format(run=run)


def _trace(hub: Hub, client: Client, uri: str) -> str:
    """The trace of a run of this client, as JSON lines."""
    head, tail = URI.split("{run}")
    run = uri.removeprefix(head).removesuffix(tail)
    try:
        row = hub.store.run(run) if uri.startswith(head) and uri.endswith(tail) else None
    except UnknownName:
        row = None
    if row is None or row.id != run or row.spec.get("origin", {}).get("client") != client.name:
        raise MCPError(types.INVALID_PARAMS, f"there is no such resource: {json.dumps(uri)}")
    return "".join(encode_event(e).decode() + "\n" for _, _, e in hub.store.events(run))


def mount(hub: Hub, clients: Clients) -> Mounted:
    """The server over streamable HTTP."""
    server = make_server(hub, clients)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MOST_BYTES,
        # the gate before all protocols has checked names and tokens
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return Mounted(list(app.routes), lifespan=server.session_manager.run)


async def over_stdio(hub: Hub, clients: Clients) -> None:
    """Serve one client over standard input and output, until it closes them."""
    from mcp.server.stdio import stdio_server

    server = make_server(hub, clients)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
    await hub.aclose()
