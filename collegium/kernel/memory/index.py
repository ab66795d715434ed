"""The vectors of one bank, and which of them lie nearest to a query.

A vector takes longer to insert into a graph than a note to commit. So a block of vectors at a time
is inserted by a thread, in the order in which they came, and a search waits until those before it
are in; the newest, which fill no block yet, are all compared with the query. What is found thus
depends on the order of calls alone, never on how far the thread has come, nor on how many notes
came together. Only where a great many come together, or many in a large bank, all cores insert them
at once: then the few that a search may miss depend on their timing too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from collegium.kernel.memory import graph as graphs
from collegium.kernel.memory.graph import Graph
from collegium.kernel.memory.recent import Recent

if TYPE_CHECKING:
    from collegium.kernel.memory.graph import Vectors

SPARE = 8
"""Vectors asked for beyond those wanted, to see whether equal ones were cut off."""

MOST_EQUAL = 1024
"""Where looking for equal ones ends."""

QUICK = 4
"""Up to this many vectors are removed at once: a thread would take longer to be told."""

BLOCK = 64
"""Vectors inserted together under one lock: what a search may have to wait for."""


MERGED = 1024
"""Vectors inserted by all cores at once, at most: what comes while the thread is busy goes
together, since every insertion into a graph has costs of its own besides those per vector."""


class _Addition:
    """Vectors for the graph, called by the thread; until then more may join them."""

    def __init__(self, index: VectorIndex, slots: Sequence[int], vectors: Vectors) -> None:
        self._index = index
        self._parts = [(slots, vectors)]
        self._size = len(slots)
        self._lock = threading.Lock()
        self._begun = False

    def join(self, slots: Sequence[int], vectors: Vectors) -> bool:
        """Take further vectors in; False when they have to go on their own."""
        with self._lock:
            if self._begun or self._size + len(slots) > MERGED:
                return False
            self._parts.append((slots, vectors))
            self._size += len(slots)
            return True

    def __call__(self) -> None:
        import numpy as np

        with self._lock:
            self._begun = True
        slots = [slot for some, _ in self._parts for slot in some]
        self._index._add(slots, np.concatenate([vectors for _, vectors in self._parts]))


class VectorIndex:
    """Finds the nearest of many vectors of unit length, each known by its slot, a number.

    Args:
        dimensions: Length of a vector.

    Attributes:
        unsaved: How many vectors came or went since it was saved last.

    Raises:
        MissingExtra: faiss is not installed.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._graph = Graph(dimensions)
        self._recent = Recent(dimensions)
        self.unsaved = 0
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._working: Future[None] | None = None

    def __len__(self) -> int:
        return len(self._graph) + len(self._recent)

    @property
    def behind(self) -> int:
        """How many changes wait for the thread."""
        return len(self._waiting)

    async def indexed(self) -> None:
        """Wait until everything asked for so far is done."""
        while self._waiting:
            # shielded: one waiter that is cancelled must not cancel the work of the others
            await asyncio.shield(asyncio.wrap_future(self._work()))

    def settle(self) -> None:
        """The same, for callers that are no coroutines."""
        while self._waiting:
            self._work().result()

    def add(self, slots: Sequence[int], vectors: Vectors) -> None:
        """Insert vectors under new slots."""
        self.unsaved += len(slots)
        slots, vectors = self._recent.add(slots, vectors, block=BLOCK)
        if self._graph.at_once(len(slots)):
            with contextlib.suppress(IndexError):  # nothing waits, or what did is done by now
                last = self._waiting[-1]
                if isinstance(last, _Addition) and last.join(slots, vectors):
                    self._work()
                    return
            self._do(_Addition(self, slots, vectors), now=False)
            return
        for i in range(0, len(slots), BLOCK):
            part = partial(self._add, slots[i : i + BLOCK], vectors[i : i + BLOCK])
            self._do(part, now=False)

    def remove(self, slots: Iterable[int]) -> None:
        """Take vectors out; slots that have none are passed over."""
        gone = list(slots)
        if gone:
            self.unsaved += len(gone)
            gone = self._recent.remove(gone)
        if gone:
            self._do(partial(self._remove, gone), now=len(gone) <= QUICK)

    def save(self, path: Path) -> None:
        """Write the index to a file in a thread; what is at ``path`` stays until that is done."""
        self.unsaved = 0
        self._do(partial(self._save, path), now=False)

    def _do(self, change: Callable[[], None], *, now: bool) -> None:
        if now and not self._waiting:
            change()
        else:
            self._waiting.append(change)
            self._work()

    def _work(self) -> Future[None]:
        """The thread's present work, begun when there is none."""
        if self._working is None or self._working.done():
            self._working = _thread().submit(self._work_off)
        return self._working

    def _work_off(self) -> None:
        while self._waiting:
            try:
                self._waiting[0]()
            finally:
                self._waiting.popleft()

    def _add(self, slots: Sequence[int], vectors: Vectors) -> None:
        with self._lock:
            self._graph.add(slots, vectors)

    def _remove(self, slots: Sequence[int]) -> None:
        with self._lock:
            self._graph.remove(slots)

    def _save(self, path: Path) -> None:
        partial_file = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            with self._lock:
                self._graph.save(partial_file)
            with partial_file.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial_file, path)
        finally:
            partial_file.unlink(missing_ok=True)

    @property
    def exact(self) -> bool:
        """Whether every vector is compared with a query."""
        return len(self) <= graphs.EXACT

    def slots(self) -> set[int]:
        """The slots of all vectors."""
        return self._graph.slots().union(self._recent.slots)

    def nearest(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The ``k`` slots nearest to a vector with their cosines, best first.

        What was added must be in (:meth:`indexed`). Where every vector is compared with the query
        (:attr:`exact`, or many wanted) nothing is missed; elsewhere a few may be.
        """
        held, wanted, query = len(self), k + SPARE, vector[None]
        while held:
            wanted = min(wanted, held)
            with self._lock:
                found = self._graph.nearest(query, wanted) + self._recent.nearest(query, wanted)
            # Equal cosines: the older note first. Which of them the graph gives is up to chance,
            # so it has to give all that are as near as the last one that counts.
            found = sorted(found)[:wanted]
            cut_off = len(found) > k and found[k - 1][0] == found[-1][0]
            if not cut_off or wanted == held or wanted > MOST_EQUAL:
                return [(slot, -cosine) for cosine, slot in found[:k]]
            wanted *= 2
        return []

    @classmethod
    def load(cls, path: Path, dimensions: int) -> VectorIndex | None:
        """Read an index that :meth:`save` wrote; None when there is no fitting one.

        Raises:
            MissingExtra: faiss is not installed.
        """
        index = cls(dimensions)
        with contextlib.suppress(Exception):  # whatever is wrong with it: it can be built anew
            if index._graph.load(path):
                return index
        return None


@cache
def _thread() -> ThreadPoolExecutor:
    """The one thread that all indexes share: the other cores are the agents'."""
    return ThreadPoolExecutor(1, thread_name_prefix="collegium-index")
