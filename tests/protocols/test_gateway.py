"""One system through every protocol, agents elsewhere as members of a team, and the gateway."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

pytest.importorskip("a2a")
pytest.importorskip("mcp")

from mcp import Client

from collegium.api import arun
from collegium.cli import app
from collegium.errors import BadInput, LimitReached, ModelError, Unreachable
from collegium.kernel import Generate, Kernel, Limits, RunStore
from collegium.kernel import Message as Turn
from collegium.models import open_model
from collegium.protocols import Clients, Hub, Message, Part, application, said, serving
from collegium.protocols.callers import detect, open_caller
from collegium.protocols.relay import lost
from collegium.systems import Result, system
from collegium.tasks.task import Task

SAID = "ALPHA BETA GAMMA"


class Late:
    """An application that is made once its address is known."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"].removeprefix("lifespan.")
                await send({"type": f"lifespan.{kind}.complete"})
                if kind == "shutdown":
                    return
        await self.app(scope, receive, send)


class Echo:
    """An agent of the official A2A package that gives back the parts it was sent."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def app(self, address: str) -> Any:
        from a2a.server.agent_execution import AgentExecutor
        from a2a.server.request_handlers import DefaultRequestHandler
        from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
        from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
        from a2a.types import a2a_pb2 as pb
        from google.protobuf.json_format import ParseDict
        from starlette.applications import Starlette

        seen = self.seen

        class Executor(AgentExecutor):
            async def execute(self, context: Any, event_queue: Any) -> None:
                seen.append(context.message)
                updater = TaskUpdater(event_queue, context.task_id, context.context_id)
                status = pb.TaskStatus(state=pb.TaskState.TASK_STATE_SUBMITTED)
                await event_queue.enqueue_event(
                    pb.Task(id=context.task_id, context_id=context.context_id, status=status)
                )
                parts = list(context.message.parts)
                if context.get_user_input() == "cite":
                    parts = [ParseDict({"text": "cited", "metadata": CITATION}, pb.Part())]
                await updater.add_artifact(parts, name="echo")
                await updater.complete()

            async def cancel(self, context: Any, event_queue: Any) -> None:
                pass

        where = {"url": f"{address}/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        card = ParseDict(
            {
                "name": "echo",
                "description": "Echoes.",
                "version": "1",
                "supportedInterfaces": [where],
                "capabilities": {"streaming": True},
                "defaultInputModes": ["text/plain"],
                "defaultOutputModes": ["text/plain"],
                "skills": [{"id": "e", "name": "e", "description": "Echo", "tags": []}],
            },
            pb.AgentCard(),
        )
        handler = DefaultRequestHandler(Executor(), InMemoryTaskStore(), card)
        routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/rpc")]
        return Starlette(routes=routes)


PLACES = {"mcp": "/mcp", "acp": "", "a2a": "", "anp": "", "openai": "/v1"}
FOUR = ("mcp", "acp", "a2a", "anp")


@pytest.fixture
def server(words: Any) -> Any:
    return words


def name(server: Any, protocol: str, system: str = "") -> str:
    return f"{protocol}:{server.address}{PLACES[protocol]}{f'#{system}' if system else ''}"


@system("four-voices", paper=None)
async def four_voices(task: Task, kernel: Kernel) -> Result:
    """Ask four agents the same, one after the other."""
    voices = [kernel.agent(f"voice-{i}") for i in range(1, 5)]
    replies = [await voice.ask(task.prompt) for voice in voices]
    return Result([r.text for r in replies], tuple(replies))


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    """A model that must not be asked."""
    file = tmp_path / "nobody.py"
    file.write_text("def f(request):\n    raise AssertionError('nobody asks me')\n")
    return f"script:{file}:f"


@pytest.mark.must_show("interop", 6)
async def test_one_run_through_four_protocols(server, nobody: str, tmp_path: Path) -> None:
    roles = {f"voice-{i}": name(server, p) for i, p in enumerate(FOUR, 1)}
    store = tmp_path / "runs.db"
    done = await arun("four-voices", "gamma beta alpha", model=nobody, roles=roles, store=store)
    assert {a.encode() for a in done.answer} == {SAID.encode()}
    linked = [row for row in server.runs() if row.spec["origin"].get("parent") == done.id]
    assert sorted(row.spec["origin"]["protocol"] for row in linked) == sorted(FOUR)
    traces = [server.trace(row.id) for row in linked]
    assert [[e.kind for e in trace] for trace in traces] == [["generate"]] * 4
    assert done.usage.tokens == sum(e.usage.tokens for trace in traces for e in trace)


@pytest.mark.must_show("interop", 6)
@pytest.mark.parametrize("target", [*FOUR, "openai"])
async def test_the_gateway_between_any_pair(server, nobody: str, target: str, tmp_path) -> None:
    store = RunStore(tmp_path / "runs.db")
    clients = Clients()
    relays = {"far": name(server, target, "direct" if target in FOUR else "collegium/direct")}
    hub = Hub([], model=nobody, store=store, relays=relays)

    def made(address: str) -> Any:
        protocols = ("openai", "mcp", "a2a", "acp", "anp")
        return application(hub, protocols, clients=clients, host="127.0.0.1", address=address)

    async with serving(made) as address:
        for source, place in PLACES.items():
            caller = open_caller(f"{source}:{address}{place}")
            answer = await caller.ask([said("gamma beta alpha")])
            assert answer.text.encode() == SAID.encode(), (source, target)
            row = store.run(answer.run)
            assert row.kind == "relay" and row.spec["origin"]["protocol"].startswith(source)
            (event,) = [e for _, _, e in store.events(row.id)]
            assert event.kind == "relay" and event.value["run"]
            far = server.row(event.value["run"])  # the run over there names ours
            assert far.spec["origin"]["parent"] == row.id
            await caller.aclose()
    store.close()


async def test_the_command_serves_an_agent_on(server, tmp_path: Path) -> None:
    agent = f"far={name(server, 'acp', 'direct')}"
    gateway = type(server)(tmp_path / "home", agent, "--protocol", "a2a", command="gateway")
    try:
        caller = open_caller(f"a2a:{gateway.address}")
        assert [s.name for s in (await caller.describe()).skills] == ["far"]
        answer = await caller.ask([said("gamma beta alpha")])
        assert answer.text == SAID and gateway.row(answer.run).kind == "relay"
        await caller.aclose()
    finally:
        gateway.stop()


CITATION = {"kind": "citation", "url": "http://a.example/page", "title": "A page"}


@pytest.mark.must_show("interop", 6)
async def test_a_citation_survives_from_acp_to_a2a(peer, nobody: str, tmp_path: Path) -> None:
    from a2a.types import a2a_pb2 as pb
    from google.protobuf.json_format import MessageToDict

    late, executor = Late(), Echo()
    store = RunStore(tmp_path / "runs.db")
    with peer(late) as far:
        late.app = executor.app(far)
        hub = Hub([], model=nobody, store=store, relays={"far": f"a2a:{far}"})

        def made(address: str) -> Any:
            return application(
                hub, ("acp", "mcp"), clients=Clients(), host="127.0.0.1", address=address
            )

        async with serving(made) as address:
            part = {"content": "gamma", "name": "note.txt", "metadata": CITATION}
            body = {"agent_name": "far", "input": [{"role": "user", "parts": [part]}]}
            async with httpx.AsyncClient(timeout=20) as http:
                run = (await http.post(f"{address}/runs", json=body)).json()
            (told,) = [MessageToDict(p) for p in executor.seen[0].parts]
            assert told["metadata"] == CITATION and told["filename"] == "note.txt"
            (back,) = run["output"][0]["parts"]
            assert back["metadata"] == CITATION and back["name"] == "note.txt"
            assert "collegium/lost" not in run["metadata"]
            # the same agent over a protocol that cannot say it: listed, not dropped silently
            answer = await open_caller(f"mcp:{address}/mcp#far").ask([said("cite")])
            row = store.run(answer.run)
            (event,) = [e for _, _, e in store.events(row.id)]
            assert event.value["parts"][0]["metadata"] == CITATION
            async with Client(f"{address}/mcp") as client:
                done = await client.call_tool("run", {"task": "cite", "system": "far"})
            assert done.structured_content["lost"] == ["citation (a2a to mcp)"]
    assert isinstance(executor.seen[0], pb.Message)
    store.close()


def test_what_each_protocol_cannot_say() -> None:
    rich = Message(
        role="agent",
        agent="critic",
        parts=(
            Part(text="x", metadata=CITATION),
            Part(raw=b"1", media_type="image/png", name="a.png"),
            Part(data={"a": 1}, metadata={"anything": 1}),
        ),
    )
    assert lost([rich], "a2a") == ["agent"]
    assert lost([rich], "acp") == ["metadata"]
    assert lost([rich], "mcp") == ["agent", "bytes", "citation", "data", "media type", "metadata"]
    assert lost([rich], "anp") == [*lost([rich], "mcp"), "name"]
    assert lost([said("x")], "anp") == []


async def test_every_address_is_recognised(server) -> None:
    found = {
        server.address: f"a2a:{server.address}",
        f"{server.address}/v1": f"openai:{server.address}/v1",
        f"{server.address}/mcp": f"mcp:{server.address}/mcp",
        f"{server.address}/ad.json": f"anp:{server.address}/ad.json",
        f"acp:{server.address}": f"acp:{server.address}",
    }
    for url, expected in found.items():
        assert await detect(url) == expected
    with pytest.raises(Unreachable):
        await detect("http://127.0.0.1:9")
    with pytest.raises(BadInput, match="speaks none"):
        await detect(f"{server.address}/health/nothing")


def test_the_command_calls_any_of_them(server) -> None:
    for protocol in (*FOUR, "openai"):
        url = f"{server.address}{PLACES[protocol]}"
        spoken = url if protocol in ("mcp", "a2a", "openai") else f"{protocol}:{url}"
        done = CliRunner().invoke(app, ["call", spoken, "gamma beta alpha", "--json"])
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert told["answer"] == SAID and told["agent"].startswith(protocol)
        assert server.row(told["run"]).status == "done"
    about = CliRunner().invoke(app, ["call", server.address]).stdout
    assert "A2A 1.0" in about and "signed" in about and "direct" in about
    refused = CliRunner().invoke(app, ["call", "http://127.0.0.1:9", "x"])
    assert refused.exit_code == 2 and "cannot be reached" in refused.stderr


async def test_a_member_is_paid_for(server, nobody: str, tmp_path: Path) -> None:
    roles = {"solver": name(server, "a2a")}
    done = await arun(
        "direct", "gamma beta alpha", model=nobody, roles=roles, limits=Limits(tokens=200),
        store=tmp_path / "runs.db",
    )  # fmt: skip
    assert done.usage.tokens > 0
    kernel = Kernel(open_model(roles["solver"]), limits=Limits(tokens=60))
    agent = kernel.agent("solver")

    async def ask_on() -> None:
        for _ in range(20):
            await agent.ask("gamma beta alpha")

    with pytest.raises(LimitReached):
        await ask_on()


async def test_what_an_agent_elsewhere_cannot_be_given(server) -> None:
    member = open_model(name(server, "acp"))
    turn = (Turn("user", "x"),)
    with pytest.raises(BadInput, match="a grammar"):
        await member.generate(Generate(agent="a", role="a", messages=turn, grammar="root ::= x"))
    with pytest.raises(BadInput, match="names no agent"):
        open_caller("xyz:http://a.example")
    with pytest.raises(ModelError, match="refused"):
        await open_caller(name(server, "acp", "nobody")).ask([said("x")])
    await member.aclose()


async def test_history_and_schema_reach_a_member(server) -> None:
    member = open_model(name(server, "acp"))
    turns = (Turn("system", "Be kind."), Turn("user", "one"), Turn("assistant", "two"),
             Turn("user", "three"))  # fmt: skip
    call = Generate(agent="a", role="a", messages=turns, schema={"type": "object"})
    await member.generate(call)
    task = server.runs()[0].spec["task"]
    assert task.index("Be kind.") < task.index("one") < task.index("two") < task.index("three")
    assert '{"type":"object"}' in task
    await member.aclose()
