"""The official packages of MCP, A2A and OpenAI, as the other side of a conformance run.

Those of ACP and ANP want an environment of their own; the tests speak to them there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collegium.protocols.matrix import Check, Ground

ASKED, SAID = "gamma beta alpha", "ALPHA BETA GAMMA"


def official_clients(here: Ground) -> dict[str, dict[str, Check]]:
    """What official clients can be asked to do with our server, by protocol and feature.

    Args:
        here: Our server.
    """
    return {"mcp": _mcp_client(here), "a2a": _a2a_client(here), **_openai_client(here)}


def official_servers() -> dict[str, AbstractAsyncContextManager[str]]:
    """Official servers by protocol: each gives its address once entered."""
    return {"mcp": _mcp_server(), "a2a": _a2a_server()}


def _mcp_client(here: Ground) -> dict[str, Check]:
    import httpx2
    import mcp
    from mcp.client.streamable_http import streamable_http_client as wire

    from collegium.protocols.matrix import begun, stopped, turned_away

    url = f"{here.address}/mcp"

    async def describe() -> None:
        async with mcp.Client(url) as client:
            assert [t.name for t in (await client.list_tools()).tools] == ["run"]

    async def call() -> None:
        async with mcp.Client(url) as client:
            done = await client.call_tool("run", {"task": ASKED})
            assert done.structured_content["answer"] == SAID

    async def stream() -> None:
        heard: list[str] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard.append(message or "")

        async with mcp.Client(url) as client:
            await client.call_tool("run", {"task": ASKED}, progress_callback=hear)
        assert heard

    async def cancel() -> None:
        before = {r.id for r in here.store.runs()}
        async with mcp.Client(url) as client:
            work = asyncio.create_task(client.call_tool("run", {"task": "sleep now"}))
            run = await begun(here.store, before)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await stopped(here.store, run)

    async def trace() -> None:
        async with mcp.Client(url) as client:
            meta: Any = {"collegium/run": "run-of-the-matrix"}
            done = await client.call_tool("run", {"task": ASKED}, meta=meta)
            run = done.structured_content["run"]
        assert here.store.run(run).spec["origin"]["parent"] == "run-of-the-matrix"

    async def listed() -> None:
        statuses: list[int] = []  # the package does not say which it was

        async def seen(response: Any) -> None:
            statuses.append(response.status_code)

        http = httpx2.AsyncClient(event_hooks={"response": [seen]})
        try:
            async with http, mcp.Client(wire(f"{here.guarded}/mcp", http_client=http)) as client:
                await client.list_tools()
        except Exception as error:
            raise RuntimeError(f"the server answered with {statuses}") from error

    async def stranger() -> None:
        await turned_away(here.store, listed())

    return {
        "describe": describe,
        "call": call,
        "stream": stream,
        "cancel": cancel,
        "trace": trace,
        "stranger": stranger,
    }


def _a2a_client(here: Ground) -> dict[str, Check]:
    from a2a.client import ClientConfig, create_client
    from a2a.types import a2a_pb2 as pb

    from collegium.protocols.matrix import begun, stopped, turned_away

    def request(text: str) -> Any:
        parts = [pb.Part(text=text)]
        message = pb.Message(message_id="m", role=pb.Role.ROLE_USER, parts=parts)
        message.metadata.update({"collegium/run": "run-of-the-matrix"})
        return pb.SendMessageRequest(message=message)

    async def sent(text: str, address: str = here.address) -> list[Any]:
        client = await create_client(address, client_config=ClientConfig(streaming=True))
        try:
            return [event async for event in client.send_message(request(text))]
        finally:
            await client.close()

    def artifacts(events: list[Any]) -> list[Any]:
        return [e.artifact_update.artifact for e in events if e.HasField("artifact_update")]

    async def describe() -> None:
        client = await create_client(here.address)
        await client.close()

    async def call() -> None:
        (artifact,) = artifacts(await sent(ASKED))
        assert artifact.parts[0].text == SAID

    async def stream() -> None:
        events = await sent(ASKED)
        working = pb.TaskState.TASK_STATE_WORKING
        assert any(
            e.status_update.status.state == working for e in events if e.HasField("status_update")
        )

    async def cancel() -> None:
        before = {r.id for r in here.store.runs()}
        client = await create_client(here.address, client_config=ClientConfig(streaming=True))
        async for event in client.send_message(request("sleep now")):
            if event.HasField("task"):
                run = await begun(here.store, before)
                await client.cancel_task(pb.CancelTaskRequest(id=event.task.id))
                await stopped(here.store, run)
        await client.close()

    async def trace() -> None:
        (artifact,) = artifacts(await sent(ASKED))
        run = artifact.metadata["collegium/run"]
        assert here.store.run(run).spec["origin"]["parent"] == "run-of-the-matrix"

    async def stranger() -> None:
        await turned_away(here.store, sent(ASKED, here.guarded))

    return {
        "describe": describe,
        "call": call,
        "stream": stream,
        "cancel": cancel,
        "trace": trace,
        "stranger": stranger,
    }


def _openai_client(here: Ground) -> dict[str, dict[str, Check]]:
    try:
        import openai
    except ImportError:
        return {}
    from collegium.protocols.matrix import begun, stopped, turned_away

    def client(address: str = here.address, **more: Any) -> Any:
        headers = {"collegium-run": "run-of-the-matrix"}
        return openai.AsyncOpenAI(
            base_url=f"{address}/v1",
            api_key="none",
            max_retries=0,
            default_headers=headers,
            **more,
        )

    def asked(text: str) -> Any:
        return {"model": "collegium/direct", "messages": [{"role": "user", "content": text}]}

    async def describe() -> None:
        async with client() as c:
            assert (await c.models.list()).data[0].id == "collegium/direct"

    async def call() -> None:
        async with client() as c:
            done = await c.chat.completions.create(**asked(ASKED))
            assert done.choices[0].message.content == SAID

    async def stream() -> None:
        async with client() as c:
            chunks = await c.chat.completions.create(**asked(ASKED), stream=True)
            text = [k.choices[0].delta.content or "" async for k in chunks if k.choices]
            assert "".join(text) == SAID

    async def cancel() -> None:
        before = {r.id for r in here.store.runs()}
        async with client() as c:
            chunks = await c.chat.completions.create(**asked("sleep now"), stream=True)
            run = await begun(here.store, before)
            await chunks.close()
        await stopped(here.store, run)

    async def trace() -> None:
        async with client() as c:
            done = await c.chat.completions.create(**asked(ASKED))
        run = here.store.run(done._request_id)
        assert run.spec["origin"]["parent"] == "run-of-the-matrix"

    async def listed() -> None:
        async with client(here.guarded) as c:
            await c.models.list()

    async def stranger() -> None:
        await turned_away(here.store, listed())

    return {
        "openai": {
            "describe": describe,
            "call": call,
            "stream": stream,
            "cancel": cancel,
            "trace": trace,
            "stranger": stranger,
        }
    }


def _reversed(text: str) -> str:
    return " ".join(reversed(text.upper().split()))


@asynccontextmanager
async def _mcp_server() -> AsyncIterator[str]:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context

    from collegium.protocols.serve import serving

    server = MCPServer("official", log_level="CRITICAL")

    async def words(task: str, ctx: Any) -> str:
        """Say a task backwards."""
        await ctx.report_progress(1, 1, "thinking")
        return _reversed(task)

    words.__annotations__["ctx"] = Context  # imported here, so it cannot be named above
    server.add_tool(words, structured_output=False)
    async with serving(lambda _: server.streamable_http_app()) as address:
        yield f"{address}/mcp"


@asynccontextmanager
async def _a2a_server() -> AsyncIterator[str]:
    from a2a.server.agent_execution import AgentExecutor
    from a2a.server.request_handlers import DefaultRequestHandler
    from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
    from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
    from a2a.types import a2a_pb2 as pb
    from starlette.applications import Starlette

    from collegium.protocols.serve import serving

    class Words(AgentExecutor):
        async def execute(self, context: Any, event_queue: Any) -> None:
            updater = TaskUpdater(event_queue, context.task_id, context.context_id)
            status = pb.TaskStatus(state=pb.TaskState.TASK_STATE_SUBMITTED)
            await event_queue.enqueue_event(
                pb.Task(id=context.task_id, context_id=context.context_id, status=status)
            )
            await updater.start_work(updater.new_agent_message([pb.Part(text="thinking")]))
            text = _reversed(context.get_user_input())
            await updater.add_artifact([pb.Part(text=text)], name="answer")
            await updater.complete()

        async def cancel(self, context: Any, event_queue: Any) -> None:
            await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()

    def made(address: str) -> Any:
        where = pb.AgentInterface(
            url=f"{address}/rpc", protocol_binding="JSONRPC", protocol_version="1.0"
        )
        skill = pb.AgentSkill(id="words", name="Words", description="Backwards.", tags=["echo"])
        card = pb.AgentCard(
            name="official",
            description="Says a task backwards.",
            version="1",
            supported_interfaces=[where],
            capabilities=pb.AgentCapabilities(streaming=True),
            default_input_modes=["text/plain"],
            default_output_modes=["text/plain"],
            skills=[skill],
        )
        handler = DefaultRequestHandler(Words(), InMemoryTaskStore(), card)
        routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/rpc")]
        return Starlette(routes=routes)

    async with serving(made) as address:
        yield address
