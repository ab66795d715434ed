"""Agents elsewhere, called: one interface over all protocols, and which one an address speaks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urldefrag, urlsplit

import httpx
import msgspec

from collegium.errors import BadInput, ModelError, Transient, Unreachable, missing_extra
from collegium.kernel.trace import current_run
from collegium.models.remote import ADDRESS_KEY
from collegium.protocols.messages import RUN_HEADER, Message, Part, State

SECONDS = 600.0
"""How long a call may take."""

OnText = Callable[[str], None]

PREFIXES = ("a2a", "acp", "mcp", "anp")


class Skill(msgspec.Struct, frozen=True):
    """Something that an agent can be asked for."""

    name: str
    description: str = ""


class Description(msgspec.Struct, frozen=True):
    """What an agent says of itself.

    Attributes:
        name: Its name.
        protocol: What it speaks, with the version.
        description: One sentence.
        skills: What it can be asked for.
        signed: Whether its description carries a signature that fits.
    """

    name: str
    protocol: str
    description: str = ""
    skills: tuple[Skill, ...] = ()
    signed: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from an agent.

    Attributes:
        state: Where its run stands: "completed", or "awaiting" when it asks something.
        parts: What it said and made.
        question: What it wants to be told.
        task: Names the run over there, to go on with it.
        run: Id of its trace over there, where it says one.
        tokens: Tokens that it spent, where it says so.
    """

    state: State
    parts: tuple[Part, ...] = ()
    question: str = ""
    task: str = ""
    run: str = ""
    tokens: int | None = None

    @property
    def text(self) -> str:
        """The answer: the text of what has no name of its own."""
        return "".join(p.text or "" for p in self.parts if not p.name)


class Caller(Protocol):
    """An agent elsewhere."""

    async def describe(self) -> Description:
        """What it says of itself.

        Raises:
            Unreachable: Nobody answers.
            ModelError: It answers something else than its protocol says.
        """
        ...

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Have it work on something, or go on with a task that asked something.

        A caller that is cancelled has the run over there stopped.

        Raises:
            Unreachable: Nobody answers.
            Transient: It failed in a way that may pass.
            ModelError: It failed, or refused.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


def parent_headers() -> dict[str, str]:
    """The header that names the run at hand to the other side."""
    run = current_run.get()
    return {RUN_HEADER: run} if run else {}


class Web:
    """HTTP to one agent; a token goes to the host it was meant for, and nowhere else.

    Args:
        url: Its address.
        token: What it wants as bearer token; None: that of the environment.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{url!r} is not an http address.")
        if parts.username or parts.password:
            raise BadInput(f"put the key into {ADDRESS_KEY}, not into the address.")
        self.url, self.fragment = urldefrag(url)
        self.url = self.url.rstrip("/")
        self._home = (parts.scheme, parts.hostname, parts.port)
        token = os.environ.get(ADDRESS_KEY, "") if token is None else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(30, read=SECONDS)
        self.secure = parts.scheme == "https"  # reading all certificates takes a while
        self.http = httpx.AsyncClient(
            headers=headers, timeout=timeout, trust_env=False, verify=self.secure
        )

    @property
    def origin(self) -> str:
        """Scheme and host."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def at_home(self, url: str) -> str:
        """An address that the agent named, if it is of its own host.

        Raises:
            ModelError: It is another host's: a token would go to a stranger.
        """
        parts = urlsplit(url)
        if (parts.scheme, parts.hostname, parts.port) != self._home:
            raise ModelError(f"{self.origin} sends its callers on to {url!r}, another host.")
        return url

    async def get(self, url: str, **options: Any) -> Any:
        """JSON from an address.

        Raises:
            Unreachable: Nobody answers.
            ModelError: It is refused, or no JSON.
        """
        return await self.send("GET", url, **options)

    async def post(self, url: str, body: Any, **options: Any) -> Any:
        """JSON that comes back for some."""
        return await self.send("POST", url, json=body, **options)

    async def send(self, method: str, url: str, **options: Any) -> Any:
        """A request, and what comes back as JSON."""
        try:
            reply = await self.http.request(method, url, **self._named(options))
        except httpx.HTTPError as error:
            raise self.unreachable(error) from None
        self.raise_for(reply)
        return self.decoded(reply.content, url)

    async def stream(self, url: str, body: Any, **options: Any) -> AsyncIterator[Any]:
        """The server-sent events that come back, as JSON; a plain reply counts as one."""
        options["headers"] = {"accept": "text/event-stream", **options.get("headers", {})}
        try:
            async with self.http.stream("POST", url, json=body, **self._named(options)) as reply:
                if reply.status_code >= 400:
                    await reply.aread()
                    self.raise_for(reply)
                if "text/event-stream" not in reply.headers.get("content-type", ""):
                    yield self.decoded(await reply.aread(), url)
                    return
                async for line in reply.aiter_lines():
                    if line.startswith("data:") and line[5:].strip() != "[DONE]":
                        yield self.decoded(line[5:].strip().encode(), url)
        except httpx.HTTPError as error:
            raise self.unreachable(error) from None

    def _named(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "headers": {**parent_headers(), **(options.get("headers") or {})}}

    def decoded(self, content: bytes, url: str) -> Any:
        """What an address answered, as JSON.

        Raises:
            ModelError: It is none.
        """
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError:
            raise ModelError(f"what {url} answers is no JSON.") from None

    def unreachable(self, error: Exception) -> ModelError:
        """The error of a request that got no reply."""
        reason = str(error) or type(error).__name__
        return Unreachable(f"{self.origin} cannot be reached: {reason}.")

    def raise_for(self, reply: httpx.Response) -> None:
        """Raise what a refusal says.

        Raises:
            Transient: It may pass (429, 5xx).
            ModelError: It is refused.
        """
        if reply.status_code < 400:
            return
        try:
            body = msgspec.json.decode(reply.content)
        except msgspec.DecodeError:
            body = {}
        told = body.get("error", body) if isinstance(body, Mapping) else {}
        message = told.get("message") if isinstance(told, Mapping) else str(told)
        said = f"{self.origin} refused ({reply.status_code}): {message or 'it does not say why'}"
        if reply.status_code in (502, 503, 504):
            raise Transient(said)
        raise ModelError(said)


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
