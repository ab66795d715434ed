"""The gateway: an agent elsewhere, served on over any protocol.

What one protocol can say and another cannot is lost on the way. It is never lost silently: every
reply lists it, and so does the trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from collegium.errors import ModelError
from collegium.kernel import Call, Kernel, Reply, Usage
from collegium.kernel.calls import Generate
from collegium.protocols.caller import Answer, Caller, OnText
from collegium.protocols.messages import TEXT, Message, Part, said

CARRIES: dict[str, frozenset[str]] = {
    "a2a": frozenset({"data", "bytes", "media type", "name", "metadata"}),
    "acp": frozenset({"data", "bytes", "media type", "name", "agent", "citation", "trajectory"}),
    "mcp": frozenset({"name"}),
    "anp": frozenset(),
    "openai": frozenset(),
}
"""What a protocol can say of a message besides its text."""


class Relay(Call, frozen=True, kw_only=True, tag="relay"):
    """Have an agent elsewhere work on something.

    Attributes:
        to: The agent.
        messages: What it is told, as plain data.
        task: The task over there that this goes on with.
    """

    to: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    task: str = ""


class Relayed(msgspec.Struct, frozen=True):
    """What came back through a gateway.

    Attributes:
        answer: From the agent.
        lost: What could not be said, each with its direction.
    """

    answer: Answer
    lost: tuple[str, ...]


def lost(messages: Iterable[Message], protocol: str) -> list[str]:
    """What a protocol cannot say of some messages.

    Args:
        messages: The messages.
        protocol: "a2a", "acp", "mcp", "anp" or "openai".
    """
    carried = CARRIES[protocol.partition("-")[0]]
    found: dict[str, None] = {}
    for message in messages:
        if message.agent and "agent" not in carried:
            found["agent"] = None
        for part in message.parts:
            found |= dict.fromkeys(_said_of(part) - carried)
            if part.metadata and "metadata" not in carried:
                kind = str(part.metadata.get("kind", "metadata"))
                if kind not in carried:
                    found[kind if kind in ("citation", "trajectory") else "metadata"] = None
    return sorted(found)


def _said_of(part: Part) -> set[str]:
    held = {
        "data": part.data is not None,
        "bytes": part.raw is not None,
        "media type": bool(part.media_type) and part.media_type != TEXT,
        "name": bool(part.name),
    }
    return {name for name, there in held.items() if there}


async def relayed(
    kernel: Kernel,
    caller: Caller,
    to: str,
    messages: Sequence[Message],
    *,
    source: str,
    ask: Any,
) -> Relayed:
    """Pass messages on to an agent, its questions back, and its answer.

    Args:
        kernel: Records it; its driver of :class:`Relay` calls is :func:`driver`.
        caller: The agent.
        to: Its name.
        messages: What is said.
        source: The protocol that it came in by.
        ask: Puts a question to the client.
    """
    target = to.partition(":")[0]
    there = [f"{what} ({source} to {target})" for what in lost(messages, target)]
    told, task = list(messages), ""
    while True:
        plain = tuple(msgspec.to_builtins(m) for m in told)
        call = Relay(agent="gateway", to=to, messages=plain, task=task)
        answer: Answer = await kernel.call(call)
        if answer.state != "awaiting":
            break
        task = answer.task
        told = [said(await ask(answer.question))]
    back = lost([Message(role="agent", parts=answer.parts)], source)
    return Relayed(answer, (*there, *(f"{what} ({target} to {source})" for what in back)))


def driver(caller: Caller, on_text: OnText) -> Any:
    """What carries out the :class:`Relay` calls of a kernel.

    Args:
        caller: The agent.
        on_text: Called with what it says on the way.
    """

    async def carry(call: Relay) -> Answer:
        messages = [msgspec.convert(m, Message) for m in call.messages]
        return await caller.ask(messages, task=call.task, on_text=on_text)

    return carry


class NoModel:
    """Stands where a kernel wants a model: a gateway has none of its own."""

    name = fingerprint = "none"
    context = 0

    async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply, ...]:
        """Refuse."""
        raise ModelError("a gateway has no model of its own.")

    async def aclose(self) -> None:
        """Nothing to release."""


def spent(answer: Answer) -> Usage:
    """What an agent says it has spent."""
    return Usage(completion=answer.tokens or 0)
