"""ACP both ways: the official client and our server, our client and the official server."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

pytest.importorskip("a2a")

from collegium.errors import ModelError
from collegium.kernel import Kernel, RunStore
from collegium.protocols import Clients, Hub, Message, Part, application, said, serving
from collegium.protocols.acp_client import ACPClient
from collegium.protocols.callers import open_caller
from collegium.systems import Result, system
from collegium.tasks.task import Task

SAID = "ALPHA BETA GAMMA"


@system("asker", paper=None)
async def asker(task: Task, kernel: Kernel) -> Result:
    """Ask the user which one, then repeat the answer."""
    reply = await kernel.agent("a").ask_human("Which one?")
    return Result(f"You chose {reply}")


@pytest.fixture
def server(words: Any) -> Any:
    return words


@pytest.fixture
async def asking(scripts: Path, tmp_path: Path) -> AsyncIterator[str]:
    """A server of ours, on a socket, with a system that asks the user."""
    store = RunStore(tmp_path / "runs.db")
    clients = Clients()
    hub = Hub(["asker"], model=f"script:{scripts}:words", store=store)

    def app(address: str) -> Any:
        protocols = ("openai", "mcp", "acp", "a2a", "anp")
        return application(hub, protocols, clients=clients, host="127.0.0.1", address=address)

    async with serving(app) as address:
        yield address
    store.close()


def post(server: Any, path: str, body: Any) -> httpx.Response:
    return httpx.post(f"{server.address}{path}", json=body, timeout=20)


def create(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"role": "user", "parts": list(parts)}
    return {"agent_name": "direct", "input": [message], **more}


# -- the wire -----------------------------------------------------------------------------------


@pytest.mark.must_show("interop", 3)
def test_content_and_its_address_are_too_much(server) -> None:
    both = {"content": "x", "content_url": "http://a.example/x"}
    assert post(server, "/runs", create(both)).status_code == 422
    assert post(server, "/runs", {"agent_name": "direct"}).status_code == 422
    wrong = create({"content": "x", "metadata": {"kind": "rumour"}})
    assert post(server, "/runs", wrong).status_code == 422
    not_so = create({"content": "%%%", "content_encoding": "base64"})
    assert post(server, "/runs", not_so).status_code == 422


@pytest.mark.must_show("interop", 3)
def test_an_agent_that_is_not_there(server) -> None:
    answer = post(server, "/runs", {**create({"content": "x"}), "agent_name": "nobody"})
    assert answer.status_code == 404 and answer.json()["code"] == "not_found"
    assert httpx.get(f"{server.address}/agents/nobody").status_code == 404
    assert httpx.get(f"{server.address}/runs/{uuid4()}").status_code == 404


@pytest.mark.must_show("interop", 3)
def test_a_finished_run_cannot_be_cancelled(server) -> None:
    run = post(server, "/runs", create({"content": "b a"})).json()
    assert run["status"] == "completed"
    answer = post(server, f"/runs/{run['run_id']}/cancel", None)
    assert answer.status_code == 403 and "completed" in answer.json()["message"]


@pytest.mark.must_show("interop", 3)
async def test_an_await_is_answered_under_the_same_id(asking: str) -> None:
    async with httpx.AsyncClient(base_url=asking, timeout=20) as http:
        begun = {**create({"content": "which?"}), "agent_name": "asker"}
        first = (await http.post("/runs", json=begun)).json()
        assert first["status"] == "awaiting"
        assert first["await_request"]["message"]["parts"][0]["content"] == "Which one?"
        message = {"role": "user", "parts": [{"content": "the red one"}]}
        told = {"await_resume": {"type": "message", "message": message}, "mode": "sync"}
        second = (await http.post(f"/runs/{first['run_id']}", json=told)).json()
        assert second["run_id"] == first["run_id"] and second["status"] == "completed"
        assert second["output"][0]["parts"][0]["content"] == "You chose the red one"
        again = await http.post(f"/runs/{first['run_id']}", json=told)
        assert again.status_code == 403


@pytest.mark.must_show("interop", 4)
@pytest.mark.parametrize("name", ["a2a:{}", "acp:{}", "anp:{}"])
async def test_a_question_can_be_asked_over(asking: str, name: str) -> None:
    caller = open_caller(name.format(asking))
    first = await caller.ask([said("which?")])
    assert (first.state, first.question) == ("awaiting", "Which one?")
    second = await caller.ask([said("the red one")], task=first.task)
    assert (second.state, second.text) == ("completed", "You chose the red one")
    await caller.aclose()


@pytest.mark.parametrize("name", ["openai:{}/v1", "mcp:{}/mcp"])
async def test_a_question_cannot_be_asked_over(asking: str, name: str) -> None:
    caller = open_caller(name.format(asking))
    with pytest.raises(ModelError, match="nobody can answer"):
        await caller.ask([said("which?")])
    await caller.aclose()


def test_sessions(server) -> None:
    mine, other = str(uuid4()), str(uuid4())
    clash = create({"content": "x"}, session_id=mine, session={"id": other})
    assert post(server, "/runs", clash).status_code == 400
    post(server, "/runs", create({"content": "first thing"}, session_id=mine))
    second = post(server, "/runs", create({"content": "second thing"}, session_id=mine)).json()
    task = server.row(second["metadata"]["collegium/run"]).spec["task"]
    assert "first thing" in task and "THING FIRST" in task and task.endswith("second thing")
    assert len(httpx.get(f"{server.address}/sessions/{mine}").json()["history"]) == 2
    assert httpx.get(f"{server.address}/sessions/{other}").status_code == 404


@pytest.mark.must_show("interop", 7)
def test_an_address_inside_is_not_followed(server) -> None:
    for url in ("http://169.254.0.1/", "http://127.0.0.1:1/", "http://[::1]/", "http://10.1.1.1/"):
        answer = post(server, "/runs", create({"content_url": url}))
        assert answer.status_code == 403, answer.text


def test_an_allowed_host_is_read_from(serve, peer) -> None:
    from starlette.responses import PlainTextResponse

    async def page(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"].removeprefix("lifespan.")
                await send({"type": f"lifespan.{kind}.complete"})
                if kind == "shutdown":
                    return
        await PlainTextResponse("gamma beta alpha")(scope, receive, send)

    with peer(page) as address:
        host = address.removeprefix("http://")
        server = serve("words", "direct", "--protocol", "acp", "--allow-host", host)
        run = post(server, "/runs", create({"content_url": f"{address}/text"})).json()
        assert run["output"][0]["parts"][0]["content"] == SAID
        other = host.replace("127.0.0.1", "127.0.0.2")
        refused = post(server, "/runs", create({"content_url": f"http://{other}/"}))
        assert refused.status_code == 403


def test_a_stream_that_nobody_reads_is_stopped(sleeper) -> None:
    with httpx.Client(timeout=20) as http:
        body = create({"content": "sleep"}, mode="stream")
        with http.stream("POST", f"{sleeper.address}/runs", json=body) as reply:
            next(reply.iter_lines())
            run = reply.headers["collegium-run"]
    assert sleeper.ended(run, 5).status == "interrupted"
    assert "disconnected" in sleeper.trace(run)[-1].error


# -- the official client ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(program, words, sleeper) -> Any:
    """What the official client found."""
    return program("acp_client", "all", words.address, sleeper.address).found()


@pytest.mark.must_show("interop", 1)
def test_the_official_client(found) -> None:
    assert found["agents"] == ["direct", "mad"] and "once" in found["about"]
    assert found["sync"] == {"text": SAID, "status": "completed", "role": "agent/direct"}
    assert found["async"] == {"same": True, "text": SAID}
    assert "completed" in found["late"] and found["nobody"] == "not_found"
    assert found["session"]["history"] == 2


@pytest.mark.must_show("interop", 1)
def test_the_official_client_streams(found) -> None:
    kinds = found["stream"]
    assert kinds[:2] == ["run.created", "run.in-progress"] and kinds[-1] == "run.completed"
    assert [k for k in kinds if k.startswith("message")] == [
        "message.created",
        "message.part",
        "message.completed",
    ]
    assert found["streamed"] == SAID and found["events"] == kinds


@pytest.mark.must_show("interop", 1)
def test_the_official_client_cancels(found) -> None:
    assert found["cancel"] == ["cancelling", "cancelled"]


@pytest.mark.must_show("interop", 3)
async def test_the_official_client_resumes(asking: str, program) -> None:
    told = await asyncio.to_thread(program("acp_client", "resume", asking).found)
    assert told == {
        "status": ["awaiting", "completed"],
        "question": "Which one?",
        "same": True,
        "text": "You chose the red one",
    }


# -- our client ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def official(program) -> Any:
    """A server of the official package: its program, and where it answers."""
    running = program("acp_server")
    running.address = running.line()
    return running


@pytest.mark.must_show("interop", 1)
async def test_our_client_streams(official) -> None:
    client = ACPClient(f"{official.address}#echo")
    about = await client.describe()
    assert about.protocol == "ACP 1.0"
    assert {s.name for s in about.skills} == {"echo", "asker", "sleeper", "broken"}
    citation = {"kind": "citation", "url": "http://a.example", "title": "A"}
    parts = (Part(text="gamma", metadata=citation), Part(raw=b"\x00\x01", media_type="image/png"))
    answer = await client.ask([Message(role="user", parts=parts)])
    assert answer.state == "completed" and answer.text == "gamma"
    assert answer.parts[0].metadata["url"] == "http://a.example"
    assert answer.parts[1].raw == b"\x00\x01"
    await client.aclose()
    broken = ACPClient(f"{official.address}#broken")
    with pytest.raises(ModelError, match="out of paper"):
        await broken.ask([said("x")])
    await broken.aclose()


@pytest.mark.must_show("interop", 1)
async def test_our_client_cancels(official) -> None:
    client = ACPClient(f"{official.address}#sleeper")
    asked: list[str] = []
    cancel = client._cancel

    async def noted(run: str) -> None:
        asked.append(run)
        await cancel(run)

    client._cancel = noted
    work = asyncio.create_task(client.ask([said("sleep")]))
    await asyncio.sleep(1)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    (run,) = asked
    async with httpx.AsyncClient(base_url=official.address) as http:
        for _ in range(100):
            state = (await http.get(f"/runs/{run}")).json()["status"]
            if state == "cancelled":
                break
            await asyncio.sleep(0.05)
    assert state == "cancelled"
    await client.aclose()


@pytest.mark.must_show("interop", 3)
async def test_our_client_answers_a_question(official) -> None:
    client = ACPClient(f"{official.address}#asker")
    first = await client.ask([said("which?")])
    assert (first.state, first.question) == ("awaiting", "Which one?")
    second = await client.ask([said("the red one")], task=first.task)
    assert second.text == "You chose the red one" and second.task == first.task
    await client.aclose()


def test_what_a_key_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COLLEGIUM_API_KEY", "a-secret-token")
    assert json.dumps(dict(ACPClient("http://a.example")._web.http.headers)).count("a-secret") == 1
