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


_PICTURE_TOKENS = 85


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
    time cannot overdraw a limit together. A call that would have to be cut because of what others
    have reserved waits until they are settled: what a system can buy does not depend on whether
    it asks at once or one by one. State ``max_tokens`` for calls that are to run side by side.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.calls = 0
        self.usage = Usage()
        self.started = time.perf_counter()
        self._reserved = 0
        self._door = asyncio.Lock()  # calls are admitted in the order in which they come
        self._settled = asyncio.Event()

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
        reserved = 0
        limit = self.limits.tokens
        if limit is None:
            self._check(call)
        elif not self._door.locked() and (admitted := self._admit(call, limit)) is not None:
            call, reserved = admitted  # nobody waits, and there is room: no queue is needed
        else:
            async with self._door:
                while (admitted := self._admit(call, limit)) is None:
                    self._settled.clear()
                    await self._settled.wait()
                call, reserved = admitted
        self.calls += call.n
        try:
            replies = await proceed(call)
        finally:
            self._reserved -= reserved
            if not self._reserved:
                self._settled.set()
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

    def _check(self, call: Generate) -> None:
        """Check the limits of calls and money."""
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

    def _admit(self, call: Generate, limit: int) -> tuple[Generate, int] | None:
        """Check every limit and reserve tokens for a call.

        Returns:
            The call with its cap and what was reserved for it; None: it has to wait until what
            others have reserved is settled.

        Raises:
            LimitReached: A limit leaves no room for this call.
        """
        self._check(call)
        prompt = prompt_estimate(call)
        wanted = call.max_tokens if call.max_tokens is not None else limit
        width = call.n * call.beams  # every beam is written and paid for
        room = (limit - self.usage.tokens - self._reserved - prompt) // width
        if room < wanted and self._reserved:
            return None
        if room < MIN_COMPLETION:
            if self.calls == 0:
                raise BudgetTooSmall(
                    f"a budget of {limit} tokens is too small for one call: the prompt "
                    f"alone takes about {prompt}; allow at least "
                    f"{prompt + width * MIN_COMPLETION}."
                )
            raise LimitReached(f"the limit of {limit} tokens is used up.")
        cap = min(room, wanted)
        reserved = prompt + cap * width
        self._reserved += reserved
        if cap != call.max_tokens:
            call = msgspec.structs.replace(call, max_tokens=cap)
        return call, reserved


def prompt_estimate(call: Generate) -> int:
    """Tokens a prompt will take, guessed from its length (about 3.5 characters a token).

    Tools are part of it; a picture counts as what providers bill for a small one.
    """
    text = sum(6 + int(len(m.text) / 3.5) for m in call.messages)
    pictures = sum(len(m.images) for m in call.messages)
    if call.tools:
        text += int(len(msgspec.json.encode(call.tools)) / 3.5)
    return text + _PICTURE_TOKENS * pictures
