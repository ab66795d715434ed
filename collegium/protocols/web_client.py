"""HTTP to one agent elsewhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urldefrag, urlsplit

import httpx
import msgspec

from collegium.errors import BadInput, ModelError, Transient, Unreachable
from collegium.kernel.trace import current_run
from collegium.models.remote import ADDRESS_KEY
from collegium.protocols.messages import RUN_HEADER

SECONDS = 600.0
"""How long a call may take."""


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
