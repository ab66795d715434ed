"""LRU-K: which of the things held in memory goes first."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from itertools import count

_SPARE = 4
"""The heap is rebuilt when it holds this many times as many entries as there are items."""


class LRUK:
    """The LRU-K order of O'Neil, O'Neil and Weikum (SIGMOD 1993), as AIOS evicts by it.

    The backward K-distance of an item is how long ago its K-th most recent access was; it is
    infinite for an item with fewer than K accesses. The victim is the item whose distance is
    largest; among infinite ones, the one whose last access is oldest (plain LRU, as section 2.1
    of that paper allows). Time is a count of accesses, so nothing depends on a clock.

    Args:
        k: How many accesses back to look; 1 is plain LRU.
    """

    def __init__(self, k: int = 2) -> None:
        self.k = k
        self._accesses: dict[int, deque[int]] = {}
        self._heap: list[tuple[int, int, int]] = []
        self._clock = count(1)

    def __len__(self) -> int:
        return len(self._accesses)

    def __contains__(self, item: int) -> bool:
        return item in self._accesses

    def touch(self, item: int) -> None:
        """Note an access; an item not known yet becomes known by it."""
        accesses = self._accesses.get(item)
        if accesses is None:
            accesses = self._accesses[item] = deque(maxlen=self.k)
        accesses.append(next(self._clock))
        heappush(self._heap, self._entry(item))
        if len(self._heap) > _SPARE * (len(self._accesses) + _SPARE):
            self._heap = [self._entry(i) for i in self._accesses]
            heapify(self._heap)

    def forget(self, item: int) -> None:
        """Take an item and its history out."""
        self._accesses.pop(item, None)

    def evict(self) -> int:
        """Take the victim out, and return it.

        Raises:
            IndexError: There is nothing to evict.
        """
        while True:
            entry = heappop(self._heap)
            item = entry[2]
            # entries of accesses that later ones made untrue are passed over
            if item in self._accesses and entry == self._entry(item):
                del self._accesses[item]
                return item

    def _entry(self, item: int) -> tuple[int, int, int]:
        """Smallest is evicted first: infinite distances (0), then the K-th last access's time."""
        accesses = self._accesses[item]
        if len(accesses) < self.k:
            return (0, accesses[-1], item)
        return (1, accesses[0], item)
