"""Our MCP server on every revision: the official client, and the wire itself."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

mcp = pytest.importorskip("mcp")
pytest.importorskip("starlette")

HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
NEWEST = "2026-07-28"
ASKED = {"task": "gamma beta alpha"}
SAID = "ALPHA BETA GAMMA"


@pytest.fixture
def server(words: Any) -> Any:
    return words


@pytest.mark.must_show("interop", 1)
@pytest.mark.parametrize(("mode", "revision"), [("auto", NEWEST), ("legacy", HANDSHAKES[-1])])
async def test_the_official_client(server, mode: str, revision: str) -> None:
    progress: list[str] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(message or "")

    async with mcp.Client(f"{server.address}/mcp", mode=mode) as client:
        assert client.protocol_version == revision
        (tool,) = (await client.list_tools()).tools
        assert tool.name == "run" and "direct" in tool.description
        done = await client.call_tool("run", ASKED, progress_callback=on_progress)
        assert done.content[0].text == done.structured_content["answer"] == SAID
        run = done.structured_content["run"]
        assert done.meta["collegium/run"] == run
        assert "solver: generate" in progress
        listed = [r.uri for r in (await client.list_resources()).resources]
        assert f"collegium://runs/{run}/trace" in listed
        (content,) = (await client.read_resource(f"collegium://runs/{run}/trace")).contents
        assert [json.loads(line)["call"]["type"] for line in content.text.splitlines()] == [
            "generate"
        ]
        prompt = await client.get_prompt("solve", {"task": "x", "system": "mad"})
        assert "system mad" in prompt.messages[0].content.text
        wrong = await client.call_tool("run", {"task": "x", "system": "mda"})
        assert wrong.is_error and "did you mean 'mad'" in wrong.content[0].text
    assert server.row(run).spec["origin"]["protocol"] == "mcp"


class Wire:
    """MCP over HTTP, written by hand: one request after the other."""

    def __init__(self, address: str) -> None:
        self._address, self._number = address, 0
        self.headers: dict[str, str] = {"accept": "application/json, text/event-stream"}
        self.http = httpx.AsyncClient(timeout=20)

    async def post(self, method: str, params: Any = None, notify: bool = False) -> Any:
        self._number += 1
        body = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if not notify:
            body["id"] = self._number
        answer = await self.http.post(self._address, json=body, headers=self.headers)
        if session := answer.headers.get("mcp-session-id"):
            self.headers["mcp-session-id"] = session
        if "text/event-stream" not in answer.headers.get("content-type", ""):
            return answer.json() if answer.content else None
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        return json.loads(lines[-1])


@pytest.mark.must_show("interop", 1)
@pytest.mark.parametrize("revision", HANDSHAKES)
async def test_a_handshake_on_every_revision(server, revision: str) -> None:
    wire = Wire(f"{server.address}/mcp")
    hello = await wire.post("initialize", _hello(revision))
    assert hello["result"]["protocolVersion"] == revision
    assert {"tools", "resources", "prompts"} <= set(hello["result"]["capabilities"])
    await wire.post("notifications/initialized", notify=True)
    wire.headers["mcp-protocol-version"] = revision
    assert (await wire.post("ping"))["result"] == {}
    (tool,) = (await wire.post("tools/list"))["result"]["tools"]
    assert tool["name"] == "run"
    done = await wire.post("tools/call", {"name": "run", "arguments": ASKED})
    assert done["result"]["content"][0]["text"] == SAID
    await wire.http.aclose()


@pytest.mark.must_show("interop", 1)
async def test_a_revision_that_nobody_knows(server) -> None:
    wire = Wire(f"{server.address}/mcp")
    hello = await wire.post("initialize", _hello("1999-01-01"))
    assert hello["result"]["protocolVersion"] == HANDSHAKES[-1]  # negotiated, as specified
    other = Wire(f"{server.address}/mcp")
    other.headers |= {"mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list"}
    refused = await other.post("tools/list", {"_meta": _envelope("2099-01-01")})
    assert refused["error"]["data"]["supported"] == [NEWEST]  # refused, as specified
    for w in (wire, other):
        await w.http.aclose()


@pytest.mark.must_show("interop", 1)
async def test_the_newest_revision_needs_no_handshake(server) -> None:
    wire = Wire(f"{server.address}/mcp")
    wire.headers["mcp-protocol-version"] = NEWEST
    wire.headers["mcp-method"] = "server/discover"
    found = await wire.post("server/discover", {"_meta": _envelope(NEWEST)})
    assert NEWEST in found["result"]["supportedVersions"]
    wire.headers |= {"mcp-method": "tools/call", "mcp-name": "run"}
    done = await wire.post(
        "tools/call", {"name": "run", "arguments": ASKED, "_meta": _envelope(NEWEST)}
    )
    assert done["result"]["content"][0]["text"] == SAID
    await wire.http.aclose()


def _hello(revision: str) -> dict[str, Any]:
    return {
        "protocolVersion": revision,
        "capabilities": {},
        "clientInfo": {"name": "wire", "version": "1"},
    }


def _envelope(revision: str) -> dict[str, Any]:
    return {
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }


@pytest.mark.must_show("interop", 1)
@pytest.mark.parametrize("revision", HANDSHAKES[::3])
async def test_over_standard_input(scripts: Path, tmp_path: Path, revision: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "collegium.cli", "serve", "direct", "--protocol", "mcp"),
        *("--stdio", "--model", f"script:{scripts}:words"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "COLLEGIUM_HOME": str(tmp_path)},
    )
    assert process.stdin is not None and process.stdout is not None

    async def say(method: str, params: Any, number: int | None) -> Any:
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        body |= {} if number is None else {"id": number}
        process.stdin.write(json.dumps(body).encode() + b"\n")
        await process.stdin.drain()
        if number is None:
            return None
        return json.loads(await asyncio.wait_for(process.stdout.readline(), 20))

    hello = await say("initialize", _hello(revision), 1)
    assert hello["result"]["protocolVersion"] == revision
    await say("notifications/initialized", {}, None)
    done = await say("tools/call", {"name": "run", "arguments": ASKED}, 2)
    assert done["result"]["content"][0]["text"] == SAID
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 15) == 0


@pytest.mark.must_show("interop", 1)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_cancelling_a_call_stops_its_run(sleeper, mode: str) -> None:
    before = {row.id for row in sleeper.runs()}
    async with mcp.Client(f"{sleeper.address}/mcp", mode=mode) as client:
        call = asyncio.create_task(client.call_tool("run", {"task": "sleep"}))
        while not (new := [r for r in sleeper.runs() if r.id not in before]):
            await asyncio.sleep(0.02)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        row = await asyncio.to_thread(sleeper.ended, new[0].id, 2.0)
        assert row.status == "interrupted"
        again = await client.call_tool("run", {"task": "ping"})  # the connection lives on
        assert again.content[0].text == "pong"
    last = sleeper.trace(new[0].id)[-1]
    assert last.kind == "stop" and "cancelled" in last.error


async def test_a_connection_that_breaks_stops_its_run(sleeper) -> None:
    before = {row.id for row in sleeper.runs()}
    wire = Wire(f"{sleeper.address}/mcp")
    wire.headers |= {
        "mcp-protocol-version": NEWEST,
        "mcp-method": "tools/call",
        "mcp-name": "run",
    }
    params = {"name": "run", "arguments": {"task": "sleep"}, "_meta": _envelope(NEWEST)}
    call = asyncio.create_task(wire.post("tools/call", params))
    while not (new := [row.id for row in sleeper.runs() if row.id not in before]):
        await asyncio.sleep(0.02)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await wire.http.aclose()
    row = await asyncio.to_thread(sleeper.ended, new[0], 2.0)
    assert row.status == "interrupted" and sleeper.trace(row.id)[-1].kind == "stop"


@pytest.mark.must_show("interop", 1)
@pytest.mark.filterwarnings("ignore:resources/")  # older revisions have it
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_subscription_tells_when_a_run_is_over(sleeper, mode: str) -> None:
    before = {row.id for row in sleeper.runs()}
    told: asyncio.Queue[str] = asyncio.Queue()

    async def heard(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/resources/updated":
            told.put_nowait(str(message.params.uri))

    url = f"{sleeper.address}/mcp"
    async with mcp.Client(url, mode=mode, message_handler=heard) as client:
        call = asyncio.create_task(client.call_tool("run", {"task": "sleep"}))
        while not (new := [r.id for r in sleeper.runs() if r.id not in before]):
            await asyncio.sleep(0.02)
        uri = f"collegium://runs/{new[0]}/trace"
        if mode == "legacy":
            await client.session.subscribe_resource(uri)
            call.cancel()
            assert await asyncio.wait_for(told.get(), 10) == uri
            await client.session.unsubscribe_resource(uri)
        else:
            async with client.listen(resource_subscriptions=[uri]) as events:
                call.cancel()
                event = await asyncio.wait_for(anext(aiter(events)), 10)
            assert event.uri == uri
        await asyncio.gather(call, return_exceptions=True)


async def test_somebody_elses_trace_is_not_shown(serve, tmp_path: Path) -> None:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    file = tmp_path / "tokens"
    file.write_text("ann ann-secret-token-0123\nbob bob-secret-token-0123\n")
    server = serve("words", "direct", "--protocol", "mcp", "--token-file", str(file))
    assert httpx.post(f"{server.address}/mcp", json={}).status_code == 401
    runs: dict[str, str] = {}
    for name in ("ann", "bob"):
        headers = {"authorization": f"Bearer {name}-secret-token-0123"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            mcp.Client(streamable_http_client(f"{server.address}/mcp", http_client=http)) as client,
        ):
            if name == "bob":
                with pytest.raises(mcp.MCPError, match="no such resource"):
                    await client.read_resource(f"collegium://runs/{runs['ann']}/trace")
            done = await client.call_tool("run", ASKED)
            runs[name] = done.structured_content["run"]
    assert server.row(runs["ann"]).spec["origin"]["client"] == "ann"
