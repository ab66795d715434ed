"""Seats: a person answers in the place of an agent, through the very call its model would get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collegium.errors import BadInput
from collegium.kernel import AskHuman, Call, Generate, Kernel, Reply
from collegium.kernel.kernel import Proceed


class Seats:
    """An interceptor: give it to the kernel, then let people take seats.

    A reply that a person gives travels the same way as a model's. The question to the person is a
    call of its own in the trace, and so marks the steps that a person took.

    Args:
        wrap: Turns what a person typed into what the model would have written, such as the JSON of
            an action; None: as typed.
    """

    def __init__(self, wrap: Callable[[str], str] | None = None) -> None:
        self._wrap = wrap or (lambda text: text)
        self._taken: dict[str, bool] = {}
        self._kernel: Kernel | None = None

    def bind(self, kernel: Kernel) -> None:
        """Say which kernel carries the questions."""
        self._kernel = kernel

    def take(self, name: str, *, thought: bool = True) -> None:
        """Sit down for an agent; ``thought``: whether it had a model before."""
        self._taken.setdefault(name, thought)

    def leave(self, name: str) -> bool:
        """Stand up; says whether the agent had a model before.

        Raises:
            BadInput: Nobody sits there.
        """
        if name not in self._taken:
            raise BadInput(f"nobody has taken over {name}.")
        return self._taken.pop(name)

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Put a model call of a taken agent to the person; let all others pass."""
        if not isinstance(call, Generate) or call.agent.partition("@")[0] not in self._taken:
            return await proceed(call)
        if self._kernel is None:
            raise BadInput("these seats belong to no kernel yet; bind them to one.")
        question = call.messages[-1].text
        typed = await self._kernel.call(AskHuman(agent=call.agent, question=question))
        return (Reply(self._wrap(typed)),) * call.n
