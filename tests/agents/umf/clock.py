"""Time that passes only when nobody has anything else to do."""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any


class VirtualClock:
    """Seconds for leases: ``clock()`` reads it, ``clock.sleep`` waits on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.now + seconds, next(self._order), future))
        await future

    async def drive(self, work: Coroutine[Any, Any, Any], *, most: float = 120.0) -> Any:
        """Run something to its end, turning the clock whenever all wait for it."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(200):
                await asyncio.sleep(0)
            if task.done() or not self._waiting:
                continue
            at, _, future = heapq.heappop(self._waiting)
            if not future.done():
                self.now = max(self.now, at)
                future.set_result(None)
            assert self.now < most, "the clock runs on and nothing ends"
        return task.result()
