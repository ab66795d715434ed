"""A first-come-first-served gate that lets in either one request alone or several together."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager


class Gate:
    """Who may use an engine now: one *alone*, or any number *together*.

    Unlike asyncio's locks it belongs to no event loop: several loops, in one thread after another
    or in several threads at once, can wait at the same gate.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[bool, Future[None]]] = deque()
        self._inside = 0
        self._alone = False

    @asynccontextmanager
    async def enter(self, *, alone: bool) -> AsyncIterator[None]:
        """Wait in line, then hold the gate for the length of the ``async with`` block.

        Args:
            alone: Nobody else may be inside at the same time.
        """
        ticket: Future[None] = Future()
        with self._lock:
            self._waiting.append((alone, ticket))
            self._admit()
        try:
            await asyncio.wrap_future(ticket)
            yield
        finally:
            with self._lock:
                if ticket.done() and not ticket.cancelled():
                    self._inside -= 1
                    self._alone = False
                else:
                    ticket.cancel()
                self._admit()

    def _admit(self) -> None:
        """Let in whoever is next in line and may come in (the lock is held)."""
        while self._waiting and not self._alone:
            alone, ticket = self._waiting[0]
            if ticket.cancelled():
                self._waiting.popleft()
                continue
            if alone and self._inside:
                return
            self._waiting.popleft()
            # a ticket that was cancelled this very moment refuses to run
            if ticket.set_running_or_notify_cancel():
                self._inside += 1
                self._alone = alone
                ticket.set_result(None)
