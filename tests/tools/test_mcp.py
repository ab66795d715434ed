"""Tools of MCP servers: real servers of the official package, as processes and over HTTP."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collegium.errors import BadInput, Denied, ToolError, UnknownName
from collegium.kernel import Access, Kernel, ToolCall
from collegium.kernel.toolbox import Instances, Toolbox
from collegium.kernel.toolcalls import answer_calls
from collegium.models import ScriptedModel
from collegium.tools.mcp import mcp_tools

pytest.importorskip("mcp")

SERVER = """
    import asyncio, os, sys
    from typing import Literal
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ImageContent, TextContent, ToolAnnotations
    from pydantic import BaseModel

    server = MCPServer("workshop", version="1.2")
    calls = []

    class Weather(BaseModel):
        place: str
        celsius: float

    @server.tool()
    def add(a: int, b: int = 1) -> int:
        "Add two numbers."
        calls.append((a, b))
        return a + b

    @server.tool()
    def count() -> int:
        "How often add was called."
        return len(calls)

    @server.tool()
    def weather(place: str, unit: Literal["C"] = "C") -> Weather:
        "Tell the weather."
        return Weather(place=place, celsius=21.5)

    @server.tool(structured_output=False)
    def greet(name: str) -> str:
        "Greet."
        return f"Hello, {name}."

    @server.tool(structured_output=False)
    def picture() -> list[TextContent | ImageContent]:
        "Draw."
        return [TextContent(type="text", text="here"),
                ImageContent(type="image", data="AAAA", mime_type="image/png")]

    @server.tool()
    def fail() -> str:
        "Fail."
        raise ToolError("out of paper")

    @server.tool()
    def die() -> str:
        "Die."
        print("the floor gave way", file=sys.stderr, flush=True)
        os._exit(3)

    @server.tool()
    def who() -> int:
        "Process number."
        return os.getpid()

    @server.tool()
    def variable(name: str) -> str | None:
        "Environment variable."
        return os.environ.get(name)

    @server.tool()
    async def hang() -> str:
        "Hang."
        await asyncio.sleep(60)
        return "done"

    @server.tool(annotations=ToolAnnotations(destructive_hint=True))
    def wipe() -> str:
        "Wipe the disk."
        return "gone"

    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
    """


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mcp server") / "server.py"  # with a space in its path
    path.write_text(textwrap.dedent(SERVER))
    return path


@pytest.fixture
def stdio(script: Path) -> str:
    return f"stdio {sys.executable} '{script}'"


@pytest.fixture(scope="module")
def address(script: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(script), str(port)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


async def test_a_server_process_gives_tools_that_a_kernel_runs(stdio: str) -> None:
    async with mcp_tools(stdio) as tools:
        by_name = {t.spec.name: t for t in tools}
        add = by_name["add"].spec
        assert add.description == "Add two numbers."
        assert add.parameters["required"] == ["a"]
        assert add.parameters["properties"]["b"]["default"] == 1
        kernel = Kernel(ScriptedModel(lambda r: "hi"), tools=tools)
        agent = kernel.agent("a", tools=list(by_name))
        assert await agent.use("add", a=2, b=3) == {"result": 5}
        assert await agent.use("add", a=2) == {"result": 3}
        assert await agent.use("weather", place="Bonn") == {"place": "Bonn", "celsius": 21.5}
        assert await agent.use("greet", name="Ada") == "Hello, Ada."
        assert await agent.use("picture") == [
            {"type": "text", "text": "here"},
            {"type": "image", "data": "AAAA", "mimeType": "image/png"},
        ]
        assert [e.outcome for e in kernel.trace.events] == ["observation"] * 5


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("add", {}, '"a" is a required property'),
        ("add", {"a": "two"}, '"two" is not of type "integer" - at [\'a\']'),
        ("add", {"a": float("nan")}, 'null is not of type "integer"'),
        ("add", {"a": range(3)}, "arguments must be plain data"),
        ("weather", {"place": "Bonn", "unit": "F"}, "\"C\" was expected - at ['unit']"),
    ],
)
async def test_wrong_arguments_are_never_sent(
    stdio: str, name: str, arguments: dict[str, Any], problem: str
) -> None:
    async with mcp_tools(stdio) as tools:
        toolbox = Toolbox(tools)
        with pytest.raises(BadInput) as caught:
            await toolbox.run(name, arguments)
        assert str(caught.value).startswith(f"tool {name!r}: ")
        assert problem in str(caught.value)
        assert await toolbox.run("count", {}) == {"result": 0}


async def test_what_a_tool_of_a_server_raises_is_a_tool_error(stdio: str) -> None:
    async with mcp_tools(stdio) as tools:
        toolbox = Toolbox(tools)
        with pytest.raises(ToolError, match=r"^tool 'fail' failed: .*out of paper"):
            await toolbox.run("fail", {})
        assert await toolbox.run("add", {"a": 1}) == {"result": 2}


async def test_the_death_of_a_server_is_a_tool_error_with_its_last_words(stdio: str) -> None:
    async with asyncio.timeout(20), mcp_tools(stdio) as tools:
        toolbox = Toolbox(tools)
        waiting = asyncio.create_task(toolbox.run("hang", {}))
        await asyncio.sleep(0.2)
        with pytest.raises(ToolError, match=r"did not answer 'die': .*the floor gave way"):
            await toolbox.run("die", {})
        with pytest.raises(ToolError, match="did not answer 'hang'"):
            await waiting
        with pytest.raises(ToolError, match="MCP server"):
            await toolbox.run("add", {"a": 1})


async def test_a_server_killed_from_outside_is_a_tool_error(stdio: str) -> None:
    async with asyncio.timeout(20), mcp_tools(stdio) as tools:
        toolbox = Toolbox(tools)
        number = (await toolbox.run("who", {}))["result"]
        os.kill(number, signal.SIGKILL)  # a process that this test started
        with pytest.raises(ToolError, match="MCP server"):
            await toolbox.run("add", {"a": 1})


async def test_the_server_ends_with_the_block_and_the_blocks_own_error_comes_out(
    stdio: str,
) -> None:
    kept: list[Any] = []

    async def block() -> None:
        async with mcp_tools(stdio) as tools:
            toolbox = Toolbox(tools)
            kept.extend((toolbox, (await toolbox.run("who", {}))["result"]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await block()
    toolbox, number = kept
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    with pytest.raises(ToolError, match="is closed"):
        await toolbox.run("add", {"a": 1})


async def test_a_time_out_ends_the_call_and_not_the_connection(stdio: str) -> None:
    async with mcp_tools(stdio, seconds=0.3) as tools:
        toolbox = Toolbox(tools)
        with pytest.raises(ToolError, match=r"'hang' ran over its time-out of 0\.3 seconds"):
            await toolbox.run("hang", {})
        assert await toolbox.run("add", {"a": 1}) == {"result": 2}
        assert toolbox.instances("hang") == Instances(0, 0, 0)


async def test_several_calls_at_once_each_get_their_own_answer(stdio: str) -> None:
    async with mcp_tools(stdio, prefix="shop_") as tools:
        kernel = Kernel(ScriptedModel(lambda r: "hi"), tools=tools)
        agent = kernel.agent("a", tools=["shop_add"])
        calls = [ToolCall(str(i), "shop_add", {"a": i, "b": 10}) for i in range(20)]
        messages = await answer_calls(agent, calls)
        assert [m.text for m in messages] == [f'{{"result":{i + 10}}}' for i in range(20)]


async def test_what_the_user_calls_pure_is_kept_and_what_destroys_needs_permission(
    stdio: str,
) -> None:
    async with mcp_tools(stdio, pure=["add"], irreversible=["greet"]) as tools:
        toolbox = Toolbox(tools, access=Access())
        assert [await toolbox.run("add", {"a": 1}) for _ in range(3)] == [{"result": 2}] * 3
        assert await toolbox.run("count", {}) == {"result": 1}
        for name, arguments in (("wipe", {}), ("greet", {"name": "Ada"})):
            with pytest.raises(Denied, match=f"wants to use {name}"):
                await toolbox.run(name, arguments, agent="a")
    with pytest.raises(UnknownName, match=r"unknown tool of the MCP server .* did you mean 'add'"):
        async with mcp_tools(stdio, pure=["ad"]):
            pass


async def test_a_server_sees_no_secrets_of_this_process(
    stdio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    async with mcp_tools(stdio, env={"GIVEN": "yes"}) as tools:
        toolbox = Toolbox(tools)
        assert await toolbox.run("variable", {"name": "SECRET_KEY"}) == {"result": None}
        assert await toolbox.run("variable", {"name": "GIVEN"}) == {"result": "yes"}


async def test_another_event_loop_may_use_the_tools_too(stdio: str) -> None:
    async with mcp_tools(stdio) as tools:
        toolbox, results = Toolbox(tools), []

        def elsewhere() -> None:
            results.append(asyncio.run(toolbox.run("add", {"a": 4})))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join, 20)
        assert results == [{"result": 5}]


async def test_over_http(address: str) -> None:
    async with asyncio.timeout(60), mcp_tools(address, headers={"X-Test": "1"}) as tools:
        toolbox = Toolbox(tools)
        assert await toolbox.run("add", {"a": 2, "b": 2}) == {"result": 4}
        assert await toolbox.run("greet", {"name": "Ada"}) == "Hello, Ada."
        with pytest.raises(BadInput):
            await toolbox.run("add", {"a": None})
        with pytest.raises(ToolError, match="out of paper"):
            await toolbox.run("fail", {})


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("stdio no-such-program --x", "No such file"),
        (f"stdio {sys.executable} -c 'raise SystemExit(\"no licence\")'", "it said: no licence"),
        ("http://127.0.0.1:9/mcp", "cannot connect"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_a_tool_error(server: str, problem: str) -> None:
    with pytest.raises(ToolError, match="cannot connect to the MCP server") as caught:
        async with asyncio.timeout(40), mcp_tools(server):
            pass
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("server", "options", "problem"),
    [
        ("python server.py", {}, "names no MCP server; write 'stdio COMMAND"),
        ("stdio ", {}, "there is no command"),
        ("stdio 'open", {}, "No closing quotation"),
        ("http://x/mcp", {"env": {"A": "b"}}, "env and cwd are for MCP servers that are started"),
        ("stdio x", {"headers": {"A": "b"}}, "headers are for MCP servers at an address"),
    ],
)
async def test_an_address_that_makes_no_sense_is_bad_input(
    server: str, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BadInput, match=problem):
        async with mcp_tools(server, **options):
            pass


async def test_a_schema_that_is_none_or_reaches_out_is_refused(tmp_path: Path) -> None:
    server = """
        import sys
        import anyio
        import mcp.types as types
        from mcp.server.lowlevel import Server
        from mcp.server.stdio import stdio_server

        schema = {"type": "object", "properties": {"a": {"$ref": sys.argv[1]}}}

        async def list_tools(context, parameters):
            return types.ListToolsResult(tools=[types.Tool(name="t", input_schema=schema)])

        async def main():
            server = Server("odd", on_list_tools=list_tools)
            async with stdio_server() as (read, write):
                await server.run(read, write, server.create_initialization_options())

        anyio.run(main)
        """
    path = tmp_path / "server.py"
    path.write_text(textwrap.dedent(server))
    asked: list[bytes] = []

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"type": "string"}')
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        for reference in (f"http://127.0.0.1:{port}/schema.json", "#/nowhere"):
            with pytest.raises(ToolError, match="states no valid schema for tool 't'"):
                async with mcp_tools(f"stdio {sys.executable} {path} {reference}"):
                    pass
    assert asked == []
