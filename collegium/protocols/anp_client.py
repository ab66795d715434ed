"""Agents of the open network (ANP): found by address or identifier, called with a signature."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from collegium.errors import BadInput, ModelError
from collegium.protocols.caller import Answer, Description, OnText, Skill
from collegium.protocols.did import Resolver, authorization
from collegium.protocols.messages import Message, Part
from collegium.protocols.signing import server_key
from collegium.protocols.web_client import Web

IDENTITY = "COLLEGIUM_DID"
"""Environment variable of the caller's own identifier."""

IDENTITY_KEY = "COLLEGIUM_DID_KEY"
"""Environment variable of the file that holds its private key."""


class Identity:
    """Who a caller is.

    Args:
        did: Its identifier.
        key: Its private key, on P-256.
    """

    def __init__(self, did: str, key: Any) -> None:
        self.did, self._key = did, key

    def header(self, url: str) -> str:
        """The header for a request to an address."""
        return authorization(self.did, self._key, urlsplit(url).hostname or "")


def own_identity() -> Identity | None:
    """The identity that the environment names; None when it names none.

    Raises:
        BadInput: It names an identifier without a key, or the key cannot be used.
    """
    did = os.environ.get(IDENTITY)
    if not did:
        return None
    file = os.environ.get(IDENTITY_KEY)
    if not file or not Path(file).exists():
        raise BadInput(f"{IDENTITY} is set, so {IDENTITY_KEY} must name the file of its key.")
    return Identity(did, server_key(Path(file)))


class ANPClient:
    """An agent behind a description.

    Args:
        url: Its identifier, or the address of its description (or of its host);
            ``#METHOD`` chooses the method, or, of a server of this package, the system.
        identity: Who calls; None: as the environment says.
        resolver: Fetches the documents of identifiers.
    """

    def __init__(
        self,
        url: str,
        identity: Identity | None = None,
        resolver: Resolver | None = None,
        token: str | None = None,
    ) -> None:
        self._name, _, self._fragment = url.partition("#")
        self._identity = identity or own_identity()
        self._resolver = resolver or Resolver()
        self._given = token
        self._web: Web | None = None
        self._token = ""
        self._about: dict[str, Any] = {}
        self._methods: dict[str, dict[str, Any]] = {}
        self._rpc = ""

    async def describe(self) -> Description:
        """Its description and methods."""
        await self._discover()
        skills = tuple(Skill(n, m.get("description", "")) for n, m in self._methods.items())
        version = self._about.get("protocolVersion") or "?"
        about = str(self._about.get("description", ""))
        return Description(str(self._about.get("name", "")), f"ANP {version}", about, skills)

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Call its method; see :class:`collegium.protocols.callers.Caller`."""
        await self._discover()
        text = "\n\n".join(m.text.strip() for m in messages)
        if task:
            return self._answer(await self._call("tell", {"id": task, "text": text}))
        method, params = self._chosen(text)
        started = ""
        try:
            result: Any = None
            async for event in self._stream(method, params):
                if "method" in event:
                    told = event.get("params") or {}
                    started = str(told.get("id", started))
                    if on_text:
                        on_text(f"{told.get('agent', '')}: {told.get('kind', '')}\n")
                else:
                    result = _result(event)
        except asyncio.CancelledError:
            if started:
                await asyncio.shield(self._call("cancel", {"id": started}))
            raise
        return self._answer(result)

    async def aclose(self) -> None:
        """Close connections."""
        if self._web is not None:
            await self._web.http.aclose()

    # -- finding it ---------------------------------------------------------------------

    async def _discover(self) -> None:
        if self._methods:
            return
        url = self._name
        if url.startswith("did:"):
            url = await self._place_of(url)
        self._web = Web(url, self._given)
        if not self._web.url.endswith(".json"):
            self._web.url = f"{self._web.url}/ad.json"
        self._about = await self._web.get(self._web.url, headers=self._headers(self._web.url))
        for interface in self._about.get("interfaces") or ():
            if interface.get("type") == "StructuredInterface" and "url" in interface:
                where = self._web.at_home(interface["url"])
                self._take(await self._web.get(where, headers=self._headers(where)))
        if not self._methods:
            raise ModelError(f"{self._web.url} describes no method that can be called.")

    async def _place_of(self, did: str) -> str:
        found = await self._resolver.document(did)
        for service in found.get("service") or ():
            if service.get("type") in ("AgentDescription", "ad:AgentDescription"):
                return service["serviceEndpoint"]
        raise ModelError(f"the document of {did} names no description of an agent.")

    def _take(self, interface: Mapping[str, Any]) -> None:
        servers = interface.get("servers") or ()
        for method in interface.get("methods") or ():
            places = method.get("servers") or servers
            if places and self._web is not None:
                self._rpc = self._web.at_home(places[0]["url"])
                self._methods[method["name"]] = method

    def _chosen(self, text: str) -> tuple[str, dict[str, Any]]:
        """The method that is meant, and its parameters."""
        wanted = self._fragment
        if wanted and wanted not in self._methods and "run" in self._methods:
            return "run", {"task": text, "system": wanted}
        fitting = [n for n, m in self._methods.items() if _text_parameter(m)]
        run = "run" if "run" in fitting else ""
        name = wanted or run or (fitting[0] if len(fitting) == 1 else "")
        parameter = _text_parameter(self._methods.get(name, {}))
        if not parameter:
            raise ModelError("the agent has no method that takes a task as text; name one with #.")
        return name, {parameter: text}

    # -- calling it ---------------------------------------------------------------------

    def _headers(self, url: str) -> dict[str, str]:
        if self._token:
            return {"authorization": f"Bearer {self._token}"}
        return {"authorization": self._identity.header(url)} if self._identity else {}

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        result: Any = None
        async for event in self._stream(method, params):
            result = _result(event) if "method" not in event else result
        return result

    async def _stream(self, method: str, params: dict[str, Any]) -> AsyncIterator[Any]:
        assert self._web is not None
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {**self._headers(self._rpc), "accept": "text/event-stream, application/json"}
        async for event in self._web.stream(self._rpc, body, headers=headers):
            yield event

    def _answer(self, result: Any) -> Answer:
        if not isinstance(result, dict):
            return Answer(state="completed", parts=(Part(text=str(result)),))
        state = result.get("state", "completed")
        if state not in ("completed", "awaiting"):
            raise ModelError(
                f"the run ended as {state}: {result.get('error') or 'no reason given'}"
            )
        text = result.get("answer")
        part = Part(text=text) if isinstance(text, str) else Part(data=result)
        return Answer(
            state=state,
            parts=(part,),
            question=str(result.get("question", "")),
            task=str(result.get("id", "")),
            run=str(result.get("run", "")),
            tokens=result.get("tokens"),
        )


def _text_parameter(method: Mapping[str, Any]) -> str:
    """The one text that a method needs; "" when it needs something else."""
    required = [p for p in method.get("params") or () if p.get("required")]
    if len(required) == 1 and (required[0].get("schema") or {}).get("type") == "string":
        return required[0]["name"]
    return ""


def _result(reply: Mapping[str, Any]) -> Any:
    if error := reply.get("error"):
        raise ModelError(f"the agent refused: {error.get('message')} (code {error.get('code')})")
    return reply.get("result")
