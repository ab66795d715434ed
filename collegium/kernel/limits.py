"""Limits of a run, counted where every call passes, so that no system can overspend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from collegium.errors import BadInput, BudgetTooSmall, LimitReached
from collegium.kernel.calls import Call, Generate, Usage

MIN_COMPLETION = 8
"""Fewest completion tokens per sample that make a model call worth its prompt."""


class Limits(msgspec.Struct, frozen=True):
    """What a run may spend; None is unlimited.

    Attributes:
        tokens: Prompt and completion tokens of all calls together.
        calls: Generations (samples); a retry counts like any other.
        seconds: Wall-clock time since the run began.
        money: US dollars.
    """

    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    money: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise BadInput(f"the limit on {name} must be above 0, not {value}.")


class Meter:
    """What a run has spent so far, and the interceptors that stop it at its limits.

    The meter itself stands right before the models, so that whatever other interceptors repeat or
    rewrite is counted and capped too; :meth:`in_time` stands around them all.

    Tokens are reserved before a model call and settled after it, so that calls made at the same
    time cannot overdraw a limit together: each is capped to what the others leave.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.calls = 0
        self.usage = Usage()
        self.started = time.perf_counter()
        self._reserved = 0

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the run began."""
        return time.perf_counter() - self.started

    async def __call__(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Admit, cap, run and count a model call.

        Raises:
            LimitReached: A limit leaves no room for this call.
        """
        if not isinstance(call, Generate):
            return await proceed(call)
        call, reserved = self._admit(call)
        self._reserved += reserved
        self.calls += call.n
        try:
            replies = await proceed(call)
        finally:
            self._reserved -= reserved
        for reply in replies:
            self.usage = self.usage + reply.usage
        return replies

    async def in_time(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Run a call of any kind; end it when the run's time is up.

        Raises:
            LimitReached: The time is up.
        """
        limit = self.limits.seconds
        if limit is None:
            return await proceed(call)
        left = limit - self.seconds
        if left <= 0:
            raise LimitReached(f"the limit of {limit:g} seconds is used up.")
        clock = asyncio.timeout(left)
        try:
            async with clock:
                return await proceed(call)
        except TimeoutError:
            if not clock.expired():
                raise
            raise LimitReached(f"the limit of {limit:g} seconds ended a call.") from None

    def _admit(self, call: Generate) -> tuple[Generate, int]:
        """Check every limit; return the call with its cap, and the tokens to reserve for it."""
        limits = self.limits
        if limits.calls is not None and self.calls + call.n > limits.calls:
            if self.calls == 0:
                raise BudgetTooSmall(
                    f"a limit of {limits.calls} generations is too small: "
                    f"the first call alone asks for {call.n}."
                )
            raise LimitReached(f"the limit of {limits.calls} generations is used up.")
        if limits.money is not None and self.usage.money >= limits.money:
            raise LimitReached(f"the limit of ${limits.money:g} is used up.")
        if limits.tokens is None:
            return call, 0
        prompt = prompt_estimate(call)
        room = (limits.tokens - self.usage.tokens - self._reserved - prompt) // call.n
        if room < MIN_COMPLETION:
            if self.calls == 0:
                raise BudgetTooSmall(
                    f"a budget of {limits.tokens} tokens is too small for one call: the prompt "
                    f"alone takes about {prompt}; allow at least "
                    f"{prompt + call.n * MIN_COMPLETION}."
                )
            raise LimitReached(f"the limit of {limits.tokens} tokens is used up.")
        cap = room if call.max_tokens is None else min(room, call.max_tokens)
        return msgspec.structs.replace(call, max_tokens=cap), prompt + cap * call.n


def prompt_estimate(call: Generate) -> int:
    """Tokens a prompt will take, guessed from its length (about 3.5 characters a token)."""
    return sum(6 + int(len(m.text) / 3.5) for m in call.messages)
