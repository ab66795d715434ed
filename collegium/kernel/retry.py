"""Retries of failures that may pass: outermost, so that every attempt is counted and traced."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from collegium.errors import ModelError, Transient
from collegium.kernel.calls import Call


class Retry:
    """Repeat a call that failed in a way that may pass, with exponential back-off.

    Args:
        attempts: How often a call is tried in all.
        base: Seconds before the second attempt; doubled each time, with full jitter.
        longest: Longest wait in seconds; a provider's Retry-After is honoured up to it.
    """

    def __init__(self, attempts: int = 5, base: float = 0.5, longest: float = 60.0) -> None:
        self.attempts, self.base, self.longest = attempts, base, longest

    async def __call__(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Run a call, again when it fails with :class:`Transient`.

        Raises:
            ModelError: The last attempt failed too, or Retry-After asks for longer than we wait.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return await proceed(call)
            except Transient as error:
                wait = self.base * 2 ** (attempt - 1) * (0.5 + random.random() / 2)
                if error.retry_after is not None:
                    wait = max(error.retry_after, 0.0)
                if attempt == self.attempts or wait > self.longest:
                    times = "once" if attempt == 1 else f"{attempt} times"
                    raise ModelError(f"tried {times} and gave up: {error}") from None
                parent = getattr(error, "event", None)
                if parent is not None:
                    call = msgspec.structs.replace(call, parent=parent)
                await asyncio.sleep(wait)
        raise AssertionError("unreachable: the loop returns or raises")
