"""Agents elsewhere by name, and which protocol an address speaks."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import msgspec

from collegium.errors import BadInput, missing_extra
from collegium.protocols.caller import Caller
from collegium.protocols.web_client import Web

PREFIXES = ("a2a", "acp", "mcp", "anp")


def open_caller(name: str) -> Caller:
    """The agent of a name such as ``a2a:http://host:8400`` or ``acp:http://host:8400#mad``.

    What stands after ``#`` chooses a skill, an agent or a tool there.

    Raises:
        BadInput: The name has another form.
        MissingExtra: A library is not installed.
    """
    prefix, _, url = name.partition(":")
    if name.startswith("did:wba:"):
        prefix, url = "anp", name
    if prefix == "openai" and url.startswith("http"):
        from collegium.protocols.openai_client import OpenAIClient

        return OpenAIClient(url)
    if prefix not in PREFIXES:
        raise BadInput(
            f"{name!r} names no agent; write one of a2a:, acp:, mcp: and anp: before it."
        )
    if prefix == "a2a":
        from collegium.protocols.a2a_client import A2AClient

        return A2AClient(url)
    if prefix == "acp":
        from collegium.protocols.acp_client import ACPClient

        return ACPClient(url)
    if prefix == "mcp":
        from collegium.protocols.mcp_client import MCPClient

        return MCPClient(url)
    try:
        from collegium.protocols.anp_client import ANPClient
    except ModuleNotFoundError:
        raise missing_extra("serve", "an agent of ANP") from None
    return ANPClient(url)


async def detect(url: str) -> str:
    """Which protocol an address speaks, as a name for :func:`open_caller` or ``openai:...``.

    Args:
        url: The address; with a protocol's prefix it is taken as it is.

    Raises:
        Unreachable: Nobody answers.
        BadInput: It speaks none of them.
    """
    if url.startswith("did:wba:") or url.partition(":")[0] in (*PREFIXES, "openai"):
        return url
    web = Web(url)
    found = {
        "a2a": [f"{web.url}/.well-known/agent-card.json", f"{web.url}/.well-known/agent.json"],
        "acp": [f"{web.url}/agents"],
        "anp": [web.url if web.url.endswith("ad.json") else f"{web.url}/ad.json"],
        "openai": [f"{web.url}/models", f"{web.url}/v1/models"],
    }
    keys = {"a2a": "skills", "acp": "agents", "anp": "interfaces", "openai": "data"}
    try:
        for protocol, places in found.items():
            for place in places:
                if await _holds(web, place, keys[protocol]):
                    if protocol == "openai":
                        return f"openai:{place.removesuffix('/models')}"
                    return f"{protocol}:{url}"
        for place in (web.url, f"{web.url}/mcp"):
            if await _speaks_mcp(web, place):
                return f"mcp:{place}"
    finally:
        await web.http.aclose()
    raise BadInput(f"{url} speaks none of A2A, ACP, ANP, MCP and OpenAI's protocol.")


async def _holds(web: Web, url: str, key: str) -> bool:
    try:
        reply = await web.http.get(url)
    except httpx.HTTPError as error:
        raise web.unreachable(error) from None
    try:
        body = msgspec.json.decode(reply.content) if reply.status_code == 200 else {}
    except msgspec.DecodeError:
        return False
    return isinstance(body, Mapping) and isinstance(body.get(key), list)


async def _speaks_mcp(web: Web, url: str) -> bool:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "collegium", "version": "1"},
        },
    }
    headers = {"accept": "application/json, text/event-stream"}
    try:
        reply = await web.http.post(url, json=hello, headers=headers)
    except httpx.HTTPError as error:
        raise web.unreachable(error) from None
    return reply.status_code == 200 and b"protocolVersion" in reply.content
