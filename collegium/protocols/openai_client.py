"""Agents behind OpenAI's chat protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collegium.errors import ModelError
from collegium.protocols.caller import Answer, Description, OnText, Skill
from collegium.protocols.messages import Message, Part
from collegium.protocols.web_client import Web

ROLES = {"system": "system", "user": "user", "agent": "assistant"}


class OpenAIClient:
    """A model of a server that speaks the chat protocol.

    Args:
        url: Its address, with ``/v1``; ``#MODEL`` chooses the model, else it is the first listed.
        token: A bearer token; None: that of the environment.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._web = Web(url, token)

    async def describe(self) -> Description:
        """Its models."""
        listed = (await self._web.get(f"{self._web.url}/models")).get("data") or []
        skills = tuple(Skill(str(m.get("id"))) for m in listed)
        if not skills:
            raise ModelError(f"{self._web.url} lists no model.")
        chosen = self._web.fragment or skills[0].name
        return Description(chosen, "OpenAI chat completions", "", skills)

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Ask the model; see :class:`collegium.protocols.callers.Caller`."""
        body: dict[str, Any] = {
            "model": self._web.fragment or (await self.describe()).name,
            "messages": [{"role": ROLES[m.role], "content": m.text} for m in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        text, run, tokens = "", "", None
        async for chunk in self._web.stream(f"{self._web.url}/chat/completions", body):
            if error := chunk.get("error"):
                raise ModelError(f"the model failed: {error.get('message')}")
            run = str((chunk.get("collegium") or {}).get("run", run))
            if chunk.get("usage"):
                tokens = chunk["usage"].get("total_tokens")
            for choice in chunk.get("choices") or ():
                delta = choice.get("delta") or choice.get("message") or {}
                text += delta.get("content") or ""
                thought = delta.get("reasoning_content")
                if thought and on_text:
                    on_text(thought)
        return Answer(state="completed", parts=(Part(text=text),), run=run, tokens=tokens)

    async def aclose(self) -> None:
        """Close connections."""
        await self._web.http.aclose()
