"""Agents that speak A2A: version 1.0 over JSON-RPC or REST, and 0.3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from collegium.errors import ModelError, missing_extra
from collegium.kernel.trace import current_run
from collegium.protocols.a2a_wire import (
    VERSION_HEADER,
    read_message,
    read_part,
    state_of,
    write_message,
)
from collegium.protocols.caller import Answer, Description, OnText, Skill
from collegium.protocols.messages import RUN_KEY, Message, Part
from collegium.protocols.web_client import Web

CARDS = ("/.well-known/agent-card.json", "/.well-known/agent.json")

ID_SECONDS = 2.0
"""How long a call that is given up waits for the id of the task that it began."""

OLD_KINDS = {"status-update": "statusUpdate", "artifact-update": "artifactUpdate"}


class A2AClient:
    """An agent behind an A2A card.

    Args:
        url: Where its card lies; ``#SKILL`` asks for one of its skills.
        token: A bearer token; None: that of the environment.
        context: A session to stay in.
        binding: "JSONRPC" or "HTTP+JSON"; "" takes the first that the card names.
        version: "1.0" or "0.3"; "" takes the newest.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        context: str = "",
        *,
        binding: str = "",
        version: str = "",
    ) -> None:
        self._web = Web(url, token)
        self._context, self._binding, self._version = context, binding, version
        self._card: dict[str, Any] | None = None
        self._number = 0

    async def describe(self) -> Description:
        """Its card; a signature on it must fit.

        Raises:
            ModelError: It has a signature that does not fit, or is no card.
        """
        card = await self._read_card()
        signed = await self._check_signature(card)
        _, binding, version = self._interface(card)
        skills = tuple(
            Skill(s.get("id") or s.get("name", ""), s.get("description", ""))
            for s in card.get("skills") or ()
        )
        spoken = f"A2A {version} over {binding}"
        name = str(card.get("name", ""))
        return Description(name, spoken, str(card.get("description", "")), skills, signed)

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Send a message; see :class:`collegium.protocols.callers.Caller`."""
        url, binding, version = self._interface(await self._read_card())
        told = write_message(
            _one(messages),
            version,
            task=task,
            context=self._context,
            collegium_run=current_run.get(),
            collegium_system=self._web.fragment,
        )
        progress = _Progress(on_text)

        async def follow() -> None:
            async for event in self._events(url, binding, version, told):
                progress.take(event)

        work = asyncio.ensure_future(follow())
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            # A task lives on without us, so it must be cancelled, and for that its id is needed:
            # it may be on its way.
            named = asyncio.ensure_future(progress.named.wait())
            await asyncio.wait({work, named}, timeout=ID_SECONDS, return_when="FIRST_COMPLETED")
            named.cancel()
            if progress.task and not work.done():
                await self._cancel(url, binding, version, progress.task)
            raise
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        return progress.answer()

    async def aclose(self) -> None:
        """Close connections."""
        await self._web.http.aclose()

    # -- the card -----------------------------------------------------------------------

    async def _read_card(self) -> dict[str, Any]:
        if self._card is None:
            new, old = (f"{self._web.url}{path}" for path in CARDS)
            reply = await self._fetched(new)
            if reply.status_code == 404:
                reply = await self._fetched(old)
            self._web.raise_for(reply)
            card = self._web.decoded(reply.content, self._web.url)
            if not isinstance(card, dict):
                raise ModelError(f"{self._web.url} has no agent card.")
            self._card = card
        return self._card

    async def _fetched(self, url: str) -> httpx.Response:
        try:
            return await self._web.http.get(url)
        except httpx.HTTPError as error:
            raise self._web.unreachable(error) from None

    def _interface(self, card: Mapping[str, Any]) -> tuple[str, str, str]:
        """Address, binding and version to speak by."""
        listed = [
            (i.get("url", ""), i.get("protocolBinding", ""), i.get("protocolVersion", ""))
            for i in card.get("supportedInterfaces") or ()
        ]
        if not listed and card.get("url"):  # a card of version 0.3
            listed = [(card["url"], card.get("preferredTransport") or "JSONRPC", "0.3")]
        for version in (self._version,) if self._version else ("1.0", "0.3"):
            for url, binding, offered in listed:
                plain = binding in ("JSONRPC",) if version == "0.3" else binding != "GRPC"
                wanted = not self._binding or binding == self._binding
                if offered.startswith(version) and plain and wanted:
                    return self._web.at_home(url), binding, version
        raise ModelError(f"the card of {self._web.url} offers nothing that is spoken here.")

    async def _check_signature(self, card: dict[str, Any]) -> bool:
        if not card.get("signatures"):
            return False
        try:
            from a2a.types import a2a_pb2 as pb
            from a2a.utils.signing import SignatureVerificationError, create_signature_verifier
            from google.protobuf.json_format import ParseDict
            from jwt.api_jwk import PyJWKSet
            from jwt.exceptions import PyJWTError
        except ImportError:
            raise missing_extra("serve", "checking the signature of an agent card") from None
        shown = await self._web.get(f"{self._web.origin}/.well-known/jwks.json")
        try:
            keys = PyJWKSet.from_dict(shown)
        except (PyJWTError, AttributeError, TypeError):
            raise ModelError(
                f"the card of {self._web.url} is signed, but no key is shown."
            ) from None
        by_name = {key.key_id: key for key in keys.keys}

        def provide(kid: str | None, jku: str | None) -> Any:
            # keys come from the card's own host, wherever else the card may point to
            if jku and urlsplit(jku).netloc != urlsplit(self._web.url).netloc:
                raise ModelError(
                    f"the card of {self._web.url} is signed with keys of another host."
                )
            if kid not in by_name:
                raise ModelError(f"the card of {self._web.url} is signed with a key nobody shows.")
            return by_name[kid]

        verify = create_signature_verifier(provide, ["ES256"])
        try:
            verify(ParseDict(card, pb.AgentCard(), ignore_unknown_fields=True))
        except SignatureVerificationError as error:
            raise ModelError(
                f"the card of {self._web.url} is not what was signed: {error}."
            ) from None
        return True

    # -- the wire -----------------------------------------------------------------------

    async def _events(
        self, url: str, binding: str, version: str, message: dict[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        headers = {VERSION_HEADER: version}
        if binding == "HTTP+JSON":
            body: dict[str, Any] = {"message": message}
            async for event in self._web.stream(f"{url}/message:stream", body, headers=headers):
                yield event
            return
        method = "message/stream" if version == "0.3" else "SendStreamingMessage"
        body = self._rpc(method, {"message": message})
        async for event in self._web.stream(url, body, headers=headers):
            yield _result(event)

    async def _cancel(self, url: str, binding: str, version: str, task: str) -> None:
        headers = {VERSION_HEADER: version}
        if binding == "HTTP+JSON":
            await self._web.http.post(f"{url}/tasks/{task}:cancel", json={}, headers=headers)
            return
        method = "tasks/cancel" if version == "0.3" else "CancelTask"
        await self._web.http.post(url, json=self._rpc(method, {"id": task}), headers=headers)

    def _rpc(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        return {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}


def _one(messages: Sequence[Message]) -> Message:
    """A conversation as one message: instructions and earlier turns come first, as text."""
    *before, last = messages
    if not before:
        return last
    who = {"system": "", "user": "User: ", "agent": "Assistant: "}
    text = "\n\n".join(f"{who[m.role]}{m.text.strip()}" for m in before)
    return Message(role="user", parts=(Part(text=f"{text}\n\n"), *last.parts))


def _result(reply: Mapping[str, Any]) -> dict[str, Any]:
    if error := reply.get("error"):
        raise ModelError(f"the agent refused: {error.get('message')} (code {error.get('code')})")
    result = reply.get("result")
    if not isinstance(result, dict):
        raise ModelError("the agent answered without a result.")
    return result


class _Progress:
    """What has come of a task so far."""

    def __init__(self, on_text: OnText | None) -> None:
        self.task = self.run = self.question = self.reason = ""
        self.state = "submitted"
        self.tokens: int | None = None
        self._artifacts: dict[str, list[Part]] = {}
        self._said: list[Part] = []
        self._on_text = on_text
        self.named = asyncio.Event()

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event, in either version's form."""
        if kind := event.get("kind"):  # 0.3
            event = {OLD_KINDS.get(str(kind), str(kind)): event}
        if message := event.get("message"):
            self._said += read_message(message).parts
            self.state = "completed"
        elif task := event.get("task"):
            self.task = str(task.get("id", ""))
            for artifact in task.get("artifacts") or ():
                self._keep(artifact, append=False)
            self._status(task)
        elif update := event.get("statusUpdate"):
            self.task = self.task or str(update.get("taskId", ""))
            self._status(update)
        elif update := event.get("artifactUpdate"):
            self._keep(update.get("artifact") or {}, append=bool(update.get("append")))
        if self.task:
            self.named.set()

    def _status(self, holder: Mapping[str, Any]) -> None:
        status = holder.get("status") or {}
        self.state = str(status.get("state") or self.state)
        metadata = holder.get("metadata") or {}
        self.run = str(metadata.get(RUN_KEY) or self.run)
        if (tokens := metadata.get("collegium/tokens")) is not None:
            self.tokens = int(tokens)
        message = status.get("message")
        if not message:
            return
        text = read_message(message).text
        state = state_of(self.state)
        if state == "working" and self._on_text:
            self._on_text(text)
        elif state == "awaiting":
            self.question = text
        elif state in ("failed", "rejected"):
            self.reason = text
        elif state == "completed":
            self._said += read_message(message).parts

    def _keep(self, artifact: Mapping[str, Any], append: bool) -> None:
        name = str(artifact.get("artifactId", ""))
        parts = [read_part(p) for p in artifact.get("parts") or ()]
        self._artifacts[name] = [*(self._artifacts.get(name, ()) if append else ()), *parts]

    def answer(self) -> Answer:
        """What it came to.

        Raises:
            ModelError: It failed, was refused or stopped.
        """
        state = state_of(self.state)
        if state not in ("completed", "awaiting"):
            raise ModelError(f"the task ended as {state}: {self.reason or 'it does not say why'}")
        parts = [p for kept in self._artifacts.values() for p in kept] or self._said
        return Answer(
            state=state,
            parts=tuple(parts),
            question=self.question,
            task=self.task,
            run=self.run,
            tokens=self.tokens,
        )
