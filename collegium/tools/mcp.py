"""Tools of servers that speak the Model Context Protocol (MCP), as tools of our own.

The client side, over the official package: a server is started as a process and spoken to over its
standard input and output, or reached over streamable HTTP. https://modelcontextprotocol.io
"""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from collegium.errors import BadInput, Denied, ToolError, missing_extra, unknown_name
from collegium.kernel.calls import ToolSpec
from collegium.kernel.tool import Check, Tool
from collegium.tools.mcp_sampling import Sampling
from collegium.tools.pins import Pins

if TYPE_CHECKING:
    import mcp
    import mcp_types

START_SECONDS = 30.0
"""How long a server may take to start and to list its tools."""

END_SECONDS = 10.0
"""How long a server may take to end, the protocol's own escalation (about 6 s) included."""

PAGES = 100
"""Most pages of a tool list that are read: a list without an end cannot hang us."""

STDIO = "stdio "


@asynccontextmanager
async def mcp_tools(
    server: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    headers: Mapping[str, str] | None = None,
    prefix: str = "",
    seconds: float | None = None,
    parallel: int | None = None,
    pure: Collection[str] = (),
    irreversible: Collection[str] = (),
    pins: Pins | None = None,
    sampling: bool = False,
    revision: str = "auto",
) -> AsyncIterator[tuple[Tool, ...]]:
    """Connect to an MCP server for as long as the block lasts; gives its tools.

    ``async with mcp_tools("stdio python server.py") as tools: Kernel(model, tools=tools)``

    Arguments are checked against the JSON schema that the server states, before anything is sent.
    A tool gives back the structured result where the server has one, else the text, else the
    content blocks as data. The tools may be used from other event loops too.

    Args:
        server: ``stdio COMMAND ...`` starts a program; ``http://...`` or ``https://...`` is the
            address of a running server.
        env: Environment variables of the program, on top of the few it gets anyway (PATH, HOME,
            ...); it does not see the others of this process.
        cwd: Its working folder.
        headers: HTTP headers, for instance of authorization.
        prefix: Put before every tool's name, to keep those of several servers apart.
        seconds: How long one call may take; None: as long as the toolbox lets it.
        parallel: How many calls of one tool may run at once.
        pure: Names (as the server has them) of tools whose results may be kept.
        irreversible: Names of tools that need permission. A tool that the server itself calls
            destructive needs it in any case.
        pins: What was approved of the server's tools before. One that says something else of
            itself now is refused until somebody approves it again. None: no memory of that.
        sampling: Whether the server may ask for the run's model while one of its tools works.
            What it asks goes through the kernel of that run: into its trace, and out of its
            budget.
        revision: Of the protocol: "auto" (the newest that both know), "legacy" (one that begins
            with a handshake) or the newest by its date.

    Raises:
        BadInput: The address makes no sense.
        UnknownName: The server has no tool that ``pure`` or ``irreversible`` names.
        ToolError: The server could not be started or reached, or broke the protocol.
        MissingExtra: The ``mcp`` package is not installed.
    """
    last_words = _LastWords()
    transport = _transport(server, env, cwd, headers, last_words)
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[tuple[mcp.Client, list[mcp_types.Tool]]] = loop.create_future()
    closing = asyncio.Event()
    sampler = Sampling(server) if sampling else None
    blocked: dict[str, str] = {}
    stale = asyncio.Event()

    async def connection() -> None:
        # In a task of its own: the package's task groups would wrap what the block raises.
        import mcp

        async def heard(message: Any) -> None:
            if getattr(message, "method", "") == "notifications/tools/list_changed":
                stale.set()

        async with mcp.Client(
            transport(),
            mode=revision,
            message_handler=heard,
            sampling_callback=sampler.answer if sampler else None,
        ) as client:
            opened.set_result((client, await _listed(client)))
            await closing.wait()

    task = asyncio.create_task(connection(), name=f"mcp {server}")
    try:
        await asyncio.wait(
            {task, opened}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if not opened.done():
            late = not task.done()
            if late:
                await _ended(task, 0)
            reason = f"no answer within {START_SECONDS:g} seconds" if late else _reason(task)
            raise ToolError(
                f"cannot connect to the MCP server {server!r}: {reason}{await last_words.quoted()}."
            )
        client, listed = opened.result()
        for name in (*pure, *irreversible):
            if name not in {t.name for t in listed}:
                raise unknown_name(f"tool of the MCP server {server!r}", name, map(_name, listed))

        if pins is not None:
            blocked.update(pins.check(server, listed))

        async def send(name: str, arguments: dict[str, Any]) -> Any:
            if task.done() or closing.is_set():
                raise ToolError(f"the connection to the MCP server {server!r} is closed.")
            try:
                if pins is not None and stale.is_set():  # it says that its tools have changed
                    stale.clear()
                    blocked.update(pins.check(server, await _listed(client, fresh=True)))
                if name in blocked:
                    raise Denied(blocked[name])
                if sampler is None:
                    return _result(name, await client.call_tool(name, arguments))
                with sampler.during():
                    return _result(name, await client.call_tool(name, arguments))
            except (ToolError, Denied):
                raise
            except Exception as error:  # of the package, of anyio, of httpx: no common base
                what = str(error) or type(error).__name__
                raise ToolError(
                    f"the MCP server {server!r} did not answer {name!r}: "
                    f"{what.rstrip('.')}{await last_words.quoted()}."
                ) from error

        identity = (server, _identity(client))
        yield tuple(
            Tool(
                spec=ToolSpec(prefix + t.name, t.description or t.title or "", t.input_schema),
                function=_function(t.name, send, loop),
                arguments=_check(prefix + t.name, t.input_schema, server),
                seconds=seconds,
                parallel=parallel,
                pure=t.name in pure,
                irreversible=t.name in irreversible or _destructive(t),
                fingerprint=repr((identity, t.name, t.input_schema)),
            )
            for t in listed
        )
    finally:
        closing.set()
        await _ended(task, END_SECONDS if opened.done() else 0)


async def mcp_told(server: str) -> list[mcp_types.Tool]:
    """What a server says of its tools, as it says it; nothing is used.

    Args:
        server: As for :func:`mcp_tools`.

    Raises:
        BadInput: The address makes no sense.
        ToolError: The server could not be started or reached.
    """
    last_words = _LastWords()
    transport = _transport(server, None, None, None, last_words)
    import mcp  # that it is installed has just been checked

    try:
        async with asyncio.timeout(START_SECONDS), mcp.Client(transport()) as client:
            return await _listed(client)
    except Exception as error:  # of the package, of anyio, of httpx: no common base
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        what = str(error).partition("\n")[0] or type(error).__name__
        said = await last_words.quoted()
        raise ToolError(
            f"cannot connect to the MCP server {server!r}: {what.rstrip('.')}{said}."
        ) from None


def _transport(
    server: str,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    headers: Mapping[str, str] | None,
    last_words: _LastWords,
) -> Callable[[], Any]:
    """Makes the transport to a server; what a program says on its standard error is kept."""
    web = server.startswith(("http://", "https://"))
    if not web and not server.startswith(STDIO):
        raise BadInput(
            f"{server!r} names no MCP server; write 'stdio COMMAND ...' or 'http://ADDRESS'."
        )
    if web and (env or cwd):
        raise BadInput("env and cwd are for MCP servers that are started: 'stdio COMMAND ...'.")
    if not web and headers:
        raise BadInput("headers are for MCP servers at an address: 'http://...'.")
    try:
        import httpx2
        import jsonschema_rs  # noqa: F401 - needed once the server has answered
        from mcp.client.stdio import StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client
    except ImportError:
        raise missing_extra("protocols", "using the tools of an MCP server") from None
    if web:

        @asynccontextmanager
        async def over_http() -> AsyncIterator[Any]:
            # A server may hold a response open while its tool works.
            timeout = httpx2.Timeout(START_SECONDS, read=None)
            async with (
                httpx2.AsyncClient(headers=headers, timeout=timeout) as http,
                streamable_http_client(server, http_client=http) as streams,
            ):
                yield streams

        return over_http
    try:
        command, *arguments = shlex.split(server.removeprefix(STDIO))
    except ValueError as error:
        reason = "there is no command" if "unpack" in str(error) else str(error)
        raise BadInput(f"{server!r} is no command line: {reason}.") from None
    parameters = StdioServerParameters(
        command=command, args=arguments, env=dict(env or {}), cwd=cwd
    )

    @asynccontextmanager
    async def over_stdio() -> AsyncIterator[Any]:
        with last_words.file() as errors:
            async with stdio_client(parameters, errlog=errors) as streams:
                errors.close()
                yield streams

    return over_stdio


class _LastWords:
    """What a server wrote last to its standard error; it is read at once, so it never blocks."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=1)
        self._thread: threading.Thread | None = None

    def file(self) -> TextIO:
        """A file for the server to write to; to be closed here once the server has it."""
        reader, writer = os.pipe()

        def listen() -> None:
            with open(reader, errors="replace") as lines:
                self._lines.extend(line.strip()[:300] for line in lines if line.strip())

        self._thread = threading.Thread(target=listen, name="mcp stderr", daemon=True)
        self._thread.start()
        return open(writer, "w")

    async def quoted(self) -> str:
        """The last line, in brackets; waits a moment for a server that is ending."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 0.5)
        return f" (it said: {self._lines[-1]})" if self._lines else ""


async def _listed(client: mcp.Client, fresh: bool = False) -> list[mcp_types.Tool]:
    """All tools of a server; ``fresh`` takes none from a cache."""
    tools: list[mcp_types.Tool] = []
    cursor = None
    for _ in range(PAGES):
        mode = "bypass" if fresh else "use"
        page = await client.list_tools(cursor=cursor, cache_mode=mode)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


async def _ended(task: asyncio.Task[None], seconds: float) -> None:
    """Wait until a connection has ended; cancel it when that takes too long, or we are."""
    try:
        if seconds:
            await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=END_SECONDS)
        if task.done() and not task.cancelled():
            task.exception()  # a server that died has been told of where it was called


def _function(
    name: str, send: Callable[[str, dict[str, Any]], Any], home: asyncio.AbstractEventLoop
) -> Callable[..., Any]:
    async def call(**arguments: Any) -> Any:
        if asyncio.get_running_loop() is home:
            return await send(name, arguments)
        if home.is_closed():
            raise ToolError(f"the connection of tool {name!r} to its MCP server is closed.")
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(send(name, arguments), home)
        )

    return call


def _check(name: str, schema: dict[str, Any], server: str) -> Check:
    """Checks arguments against a JSON schema, without reaching out for what it may refer to."""
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).partition("\n")[0]
        raise ToolError(
            f"the MCP server {server!r} states no valid schema for tool {name!r}: {reason}."
        ) from None

    def check(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            # As they will be sent: plain data, in which not-a-number is nothing.
            sent = msgspec.json.decode(msgspec.json.encode(arguments))
            validator.validate(sent)
        except jsonschema_rs.ValidationError as error:
            where = "".join(f"[{step!r}]" for step in error.instance_path)
            at = f" - at {where}" if where else ""
            raise BadInput(f"tool {name!r}: {error.message}{at}.") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise BadInput(f"tool {name!r}: arguments must be plain data: {error}.") from None
        return sent

    return check


def _result(name: str, result: mcp_types.CallToolResult) -> Any:
    """What a server sent back, as data or text."""
    texts = [str(block.text) for block in result.content if block.type == "text"]
    if result.is_error:
        raise ToolError(f"tool {name!r} failed: {' '.join(texts) or 'its server does not say why'}")
    if result.structured_content is not None:
        return result.structured_content
    if len(texts) == len(result.content):
        return "\n".join(texts)
    return [b.model_dump(mode="json", by_alias=True, exclude_none=True) for b in result.content]


def _destructive(tool: mcp_types.Tool) -> bool:
    hints = tool.annotations
    return bool(hints and hints.destructive_hint and not hints.read_only_hint)


def _name(tool: mcp_types.Tool) -> str:
    return tool.name


def _identity(client: mcp.Client) -> str:
    """Name and version of a server, as it states them."""
    info = client.server_info
    return f"{info.name} {info.version}" if info else ""


def _reason(task: asyncio.Task[None]) -> str:
    """Why a connection ended, in words."""
    error: BaseException | None = None if task.cancelled() else task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None:
        return "it closed the connection"
    return (str(error) or type(error).__name__).partition("\n")[0].rstrip(".")
