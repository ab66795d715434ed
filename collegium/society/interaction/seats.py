"""Seats: a person answers in the place of an agent, through the very call its model would get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel import AskHuman, Call, Generate, Kernel, Reply
from collegium.kernel.kernel import Proceed


class Seats:
    """An interceptor: give it to the kernel, then let people take seats.

    A reply that a person gives travels the same way as a model's. The question to the person is a
    call of its own in the trace, and so marks the steps that a person took.

    Args:
        wrap: Turns what a person typed into what the model would have written, such as the JSON of
            an action; None: as typed, and as the JSON value where one value was asked for.
    """

    def __init__(self, wrap: Callable[[str], str] | None = None) -> None:
        self._wrap = wrap
        self._taken: set[str] = set()
        self._kernel: Kernel | None = None

    def bind(self, kernel: Kernel) -> None:
        """Say which kernel carries the questions."""
        self._kernel = kernel

    def take(self, name: str) -> None:
        """Sit down for an agent of the kernel."""
        self._taken.add(name)

    def leave(self, name: str) -> None:
        """Stand up.

        Raises:
            BadInput: Nobody sits there.
        """
        if name not in self._taken:
            raise BadInput(f"nobody has taken over {name}.")
        self._taken.remove(name)

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Put a model call of a taken agent to the person; let all others pass."""
        if not isinstance(call, Generate) or call.agent.partition("@")[0] not in self._taken:
            return await proceed(call)
        if self._kernel is None:
            raise BadInput("these seats belong to no kernel yet; bind them to one.")
        question = call.messages[-1].text
        typed = await self._kernel.call(AskHuman(agent=call.agent, question=question))
        text = self._wrap(typed) if self._wrap is not None else as_asked(typed, call.schema)
        return (Reply(text),) * call.n


def as_asked(typed: str, schema: dict[str, Any] | None) -> str:
    """What a person typed, as the JSON value that was asked for where it was a single one."""
    if schema is None or list(schema.get("properties", {})) != ["answer"]:
        return typed
    try:
        value = msgspec.json.decode(typed)
    except msgspec.DecodeError:
        value = typed.strip()
    wanted = schema["properties"]["answer"].get("type")
    if wanted == "string" or "enum" in schema["properties"]["answer"]:
        value = typed.strip()
    return msgspec.json.encode({"answer": value}).decode()
