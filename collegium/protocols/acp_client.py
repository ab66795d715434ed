"""Agents that speak the Agent Communication Protocol (ACP)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from collegium.errors import ModelError
from collegium.protocols.acp_wire import (
    OURS,
    VERSION,
    AcpMessage,
    read_message,
    write_message,
)
from collegium.protocols.caller import Answer, Description, OnText, Skill
from collegium.protocols.messages import RUN_KEY, Message, Part
from collegium.protocols.web_client import Web


class ACPClient:
    """An agent of an ACP server.

    Args:
        url: The server; ``#NAME`` chooses the agent, else it is the first one listed.
        token: A bearer token; None: that of the environment.
        session: A session to stay in.
    """

    def __init__(self, url: str, token: str | None = None, session: str = "") -> None:
        self._web = Web(url, token)
        self._session = session

    async def describe(self) -> Description:
        """Its manifest."""
        listed = (await self._web.get(f"{self._web.url}/agents")).get("agents") or []
        skills = tuple(Skill(a["name"], a.get("description") or "") for a in listed)
        if not skills:
            raise ModelError(f"{self._web.url} lists no agent.")
        chosen = self._web.fragment or skills[0].name
        about = next((s.description for s in skills if s.name == chosen), "")
        return Description(chosen, f"ACP {VERSION}", about, skills)

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Run it, or tell a run that waits; see :class:`collegium.protocols.callers.Caller`."""
        if task:
            message = {"type": "message", "message": write_message(messages[-1])}
            body: dict[str, Any] = {"await_resume": message, "mode": "stream"}
            url = f"{self._web.url}/runs/{task}"
        else:
            name = self._web.fragment or (await self.describe()).name
            told = [write_message(m) for m in messages]
            body = {"agent_name": name, "input": told, "mode": "stream"}
            body |= {"session_id": self._session} if self._session else {}
            url = f"{self._web.url}/runs"
        last: dict[str, Any] = {}
        try:
            async for event in self._web.stream(url, body):
                kind = event.get("type", "")
                if kind == "error":
                    raise ModelError(f"the agent failed: {event['error'].get('message')}")
                if kind.startswith("run."):
                    last = event["run"]
                elif kind == "generic" and on_text and "text" in event["generic"]:
                    on_text(event["generic"]["text"])
        except asyncio.CancelledError:
            if last:
                await asyncio.shield(self._cancel(last["run_id"]))
            raise
        return self._answer(last)

    async def _cancel(self, run: str) -> None:
        reply = await self._web.http.post(f"{self._web.url}/runs/{run}/cancel")
        if reply.status_code not in (202, 403):  # 403: it had ended by itself
            self._web.raise_for(reply)

    def _answer(self, run: dict[str, Any]) -> Answer:
        state = OURS.get(run.get("status", ""))
        if state == "failed":
            error = run.get("error") or {}
            raise ModelError(f"the agent failed: {error.get('message') or 'it does not say why'}")
        if state not in ("completed", "awaiting"):
            raise ModelError(f"the run ended as {run.get('status') or 'nothing'}.")
        question = ""
        if state == "awaiting":
            question = _read((run.get("await_request") or {})["message"]).text
        parts: list[Part] = []
        for message in run.get("output") or ():
            parts += _read(message).parts
        told = run.get("metadata") or {}
        return Answer(
            state=state,
            parts=tuple(parts),
            question=question,
            task=run["run_id"],
            run=str(told.get(RUN_KEY, "")),
            tokens=told.get("collegium/tokens"),
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._web.http.aclose()


def _read(message: dict[str, Any]) -> Message:
    try:
        return read_message(msgspec.convert(message, AcpMessage))
    except msgspec.ValidationError as error:
        raise ModelError(f"the agent sent a message of another form: {error}.") from None
