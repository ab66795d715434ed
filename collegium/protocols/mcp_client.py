"""Agents behind a tool of an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from collegium.errors import ModelError, Unreachable, missing_extra
from collegium.kernel.trace import current_run
from collegium.protocols.caller import Answer, Description, OnText, Skill
from collegium.protocols.messages import RUN_KEY, Message, Part
from collegium.protocols.web_client import Web, parent_headers


class MCPClient:
    """A tool that takes a task as text.

    Args:
        url: The server; ``#TOOL`` chooses the tool, or, of a server of this package, the system.
        token: A bearer token; None: that of the environment.
        revision: Of the protocol, as for :func:`collegium.tools.mcp_tools`.
    """

    def __init__(self, url: str, token: str | None = None, revision: str = "auto") -> None:
        self._web = Web(url, token)
        self._revision = revision

    async def describe(self) -> Description:
        """Its tools."""
        async with self._client() as client:
            listed = (await client.list_tools()).tools
            info = client.server_info
            return Description(
                info.name if info else self._web.url,
                f"MCP {client.protocol_version}",
                "",
                tuple(Skill(t.name, t.description or "") for t in listed),
            )

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Call the tool; see :class:`collegium.protocols.callers.Caller`."""
        text = "\n\n".join(m.text.strip() for m in messages)
        async with self._client() as client:
            name, arguments = self._chosen((await client.list_tools()).tools, text)

            async def hear(progress: float, total: float | None, message: str | None) -> None:
                if on_text and message:
                    on_text(f"{message}\n")

            run = current_run.get()
            result = await client.call_tool(
                name,
                arguments,
                progress_callback=hear,
                meta={RUN_KEY: run} if run else None,  # type: ignore[arg-type]
            )
        said = "\n".join(str(b.text) for b in result.content if b.type == "text")
        if result.is_error:
            raise ModelError(f"the tool {name!r} failed: {said or 'it does not say why'}")
        told = result.structured_content if isinstance(result.structured_content, dict) else {}
        meta: dict[str, Any] = dict(result.meta or {})
        files = [
            Part(text=b.resource.text, name=str(b.resource.uri).rpartition("/")[2])
            for b in result.content
            if b.type == "resource" and hasattr(b.resource, "text")
        ]
        return Answer(
            state="completed",
            parts=(Part(text=told.get("answer", said)), *files),
            run=str(told.get("run") or meta.get(RUN_KEY, "")),
            tokens=told.get("tokens"),
        )

    def _chosen(self, tools: Sequence[Any], text: str) -> tuple[str, dict[str, Any]]:
        """The tool that is meant, and its arguments."""
        wanted, by_name = self._web.fragment, {t.name: t for t in tools}
        if wanted and wanted not in by_name and "run" in by_name:
            return "run", {"task": text, "system": wanted}
        fitting = [t.name for t in tools if _text_parameter(t)]
        name = wanted or ("run" if "run" in by_name else fitting[0] if len(fitting) == 1 else "")
        parameter = _text_parameter(by_name[name]) if name in by_name else ""
        if not parameter:
            raise ModelError(
                f"{self._web.url} has no tool that takes a task as text"
                f"{f' named {wanted!r}' if wanted else ''}; name one with #TOOL."
            )
        return name, {parameter: text}

    def _client(self) -> _Connection:
        return _Connection(self._web, self._revision)

    async def aclose(self) -> None:
        """Close connections."""
        await self._web.http.aclose()


def _text_parameter(tool: Any) -> str:
    """The one text that a tool needs; "" when it needs something else."""
    schema = tool.input_schema
    required = schema.get("required") or []
    properties = schema.get("properties") or {}
    if len(required) == 1 and (properties.get(required[0]) or {}).get("type") == "string":
        return required[0]
    return ""


class _Connection:
    """A connection for the length of a block; a server that is not there is told of."""

    def __init__(self, web: Web, revision: str) -> None:
        self._web, self._revision = web, revision
        self._status = 0

    async def _seen(self, response: Any) -> None:
        self._status = response.status_code

    async def __aenter__(self) -> Any:
        try:
            import httpx2
            import mcp
            from mcp.client.streamable_http import streamable_http_client
        except ImportError:
            raise missing_extra("serve", "calling an MCP server") from None
        headers = {**parent_headers()}
        if "authorization" in self._web.http.headers:
            headers["authorization"] = self._web.http.headers["authorization"]
        self._http = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(30, read=None),
            verify=self._web.secure,
            event_hooks={"response": [self._seen]},
        )
        transport = streamable_http_client(self._web.url, http_client=self._http)
        self._client = mcp.Client(transport, mode=self._revision)
        try:
            return await self._client.__aenter__()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # of the package, of anyio, of httpx: no common base
            await self._http.aclose()
            if 400 <= self._status < 500:  # the package does not hand the status on
                raise ModelError(f"{self._web.origin} refused ({self._status}).") from None
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            what = str(error).partition("\n")[0] or type(error).__name__
            raise Unreachable(f"{self._web.url} cannot be reached: {what.rstrip('.')}.") from None

    async def __aexit__(self, *raised: Any) -> None:
        try:
            await self._client.__aexit__(*raised)
        finally:
            await self._http.aclose()
