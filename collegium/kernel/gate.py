"""A gate that lets a limited number in at once, in the order in which they came."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import Protocol


class Work(Protocol):
    """What is being done inside: a task, or the future of a thread."""

    def done(self) -> bool:
        """Whether it has ended."""
        ...


class Gate:
    """Counts who is inside, and makes whoever is too many wait in arrival order.

    Event loops in several threads may share one; a semaphore of asyncio belongs to one loop.

    Args:
        limit: How many may be inside at once.
    """

    def __init__(self, limit: float = math.inf) -> None:
        self.limit = limit
        self.inside = 0
        self._lock = Lock()
        self._waiting: deque[Future[None]] = deque()
        self._given_up: set[Work] = set()
        self._moves = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def given_up(self) -> int:
        """How many are still inside that nobody waits for any more."""
        return len(self._given_up)

    async def enter(self, patience: float | None = None) -> bool:
        """Go in, after everyone who came before.

        Args:
            patience: Seconds to wait while everyone inside has been given up and nobody moves;
                None: for ever.

        Returns:
            Whether we are inside; False when patience ran out.
        """
        with self._lock:
            if self.inside < self.limit:  # then nobody waits
                self.inside += 1
                return True
            turn: Future[None] = Future()
            self._waiting.append(turn)
        called = asyncio.wrap_future(turn)
        try:
            moves = -1
            while not (await asyncio.wait({called}, timeout=patience))[0]:
                stuck = self.given_up >= self.limit
                if stuck and moves == self._moves:
                    return not self._renounce(turn)
                moves = self._moves if stuck else -1
        except BaseException:
            if not self._renounce(turn):
                self.leave()
            raise
        return True

    def leave(self, work: Work | None = None) -> None:
        """Go out, and let the next one in. ``work`` is what was done inside, if it may be given up.

        May be called from any thread.
        """
        with self._lock:
            self._moves += 1
            if work is not None:
                self._given_up.discard(work)
            while self._waiting:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            self.inside -= 1

    def give_up(self, work: Work) -> None:
        """Note that nobody waits for what is done inside any more, unless it has ended."""
        with self._lock:
            if not work.done():  # it ends before it leaves, and leaving takes the lock
                self._given_up.add(work)

    def _renounce(self, turn: Future[None]) -> bool:
        """Wait no longer; False when the turn was given at this very moment: we are inside."""
        if not turn.cancel():
            return False
        with self._lock, suppress(ValueError):
            self._waiting.remove(turn)
        return True
