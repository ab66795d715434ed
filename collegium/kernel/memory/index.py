"""The vectors of one bank, and which of them lie nearest to a query.

A vector takes far longer to insert than a note to commit. So many at once are inserted by a thread,
in the order in which they came, and a search waits until those before it are in. What is found thus
depends on the order of calls alone, never on how far the thread has come.
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
from typing import TYPE_CHECKING, Any

from collegium.errors import missing_extra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

# The graph of HNSW (Malkov and Yashunin, 2020), as measured on 100,000 vectors of 384 numbers: a
# wider one costs more at every insertion than it finds. What it misses, a longer search makes up.
CONNECTIVITY = 10
"""Links per vector (M)."""
BREADTH_ADD = 40
"""Candidates looked at when a vector is inserted (efConstruction)."""
BREADTH_FIND = 64
"""Candidates looked at in a search, at least (ef)."""
STORAGE = "bf16"
"""How the index holds a number: half the memory traffic; cosines are right to about 0.001."""

EXACT = 2048
"""Up to this many vectors every one is compared with the query: nothing can be missed."""

SHARE = 20
"""One in so many vectors wanted, or more, and all are compared: quicker, and none is missed."""

SPARE = 8
"""Vectors asked for beyond those wanted, to see whether equal ones were cut off."""

MOST_EQUAL = 1024
"""Where looking for equal ones ends."""

QUICK = 4
"""Up to this many vectors are inserted at once: a thread would take longer to be told."""

AT_A_TIME = 64
"""Vectors inserted under one lock: what a search may have to wait for."""

REBUILT = 10_000
"""From this many vectors added at once, all cores build; the graph then depends on their timing."""


class VectorIndex:
    """Finds the nearest of many vectors of unit length, each known by its slot, a number.

    Args:
        dimensions: Length of a vector.

    Attributes:
        unsaved: How many vectors came or went since it was saved last.

    Raises:
        MissingExtra: usearch is not installed.
    """

    def __init__(self, dimensions: int) -> None:
        try:
            from usearch.index import Index
        except ImportError:
            raise missing_extra("memory", "finding notes by meaning") from None
        self.dimensions = dimensions
        self._index = Index(
            ndim=dimensions,
            metric="ip",
            dtype=STORAGE,
            connectivity=CONNECTIVITY,
            expansion_add=BREADTH_ADD,
            expansion_search=BREADTH_FIND,
        )
        self.unsaved = 0
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._working: Future[None] | None = None

    def __len__(self) -> int:
        return len(self._index)

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
        """Insert vectors under new slots; many of them in a thread."""
        self.unsaved += len(slots)
        # One thread gives the same graph for the same vectors, whatever else the machine does.
        threads, step = (0, len(slots)) if len(slots) >= REBUILT else (1, AT_A_TIME)
        for i in range(0, len(slots), step):
            part = partial(self._add, slots[i : i + step], vectors[i : i + step], threads)
            self._do(part, now=len(slots) <= QUICK)

    def remove(self, slots: Iterable[int]) -> None:
        """Take vectors out; slots that have none are passed over."""
        gone = list(slots)
        if gone:
            self.unsaved += len(gone)
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

    def _add(self, slots: Sequence[int], vectors: Vectors, threads: int) -> None:
        import numpy as np

        with self._lock:
            self._index.add(np.asarray(slots, np.uint64), vectors, threads=threads)

    def _remove(self, slots: Iterable[int]) -> None:
        with self._lock:
            for slot in slots:
                if self._index.contains(slot):
                    self._index.remove(slot)

    def _save(self, path: Path) -> None:
        partial_file = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            with self._lock:
                self._index.save(str(partial_file))
            with partial_file.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial_file, path)
        finally:
            partial_file.unlink(missing_ok=True)

    @property
    def exact(self) -> bool:
        """Whether every vector is compared with a query."""
        return len(self._index) <= EXACT

    def slots(self) -> set[int]:
        """The slots of all vectors."""
        import numpy as np

        return set(self._index.keys.__array__(np.uint64).tolist()) if len(self) else set()

    def nearest(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The ``k`` slots nearest to a vector with their cosines, best first.

        What was added must be in (:meth:`indexed`). Among up to :data:`EXACT` vectors the answer is
        exact; among more a few may be missed.
        """
        held, wanted = len(self._index), k + SPARE
        while held:
            wanted = min(wanted, held)
            exact = self.exact or wanted > held // SHARE
            with self._lock:
                # Wider in a larger graph, where more paths lead astray.
                self._index.expansion_search = max(BREADTH_FIND, wanted, int(held**0.5 / 5))
                got = self._index.search(vector, wanted, exact=exact, threads=1)
            cosines = (1 - got.distances).tolist()
            # Equal cosines: the older note first. Which of them the index gives is up to chance,
            # so it has to give all that are as near as the last one that counts.
            found = sorted(
                zip(got.keys.tolist(), cosines, strict=True), key=lambda f: (-f[1], f[0])
            )
            cut_off = len(found) > k and found[k - 1][1] == found[-1][1]
            if not cut_off or wanted == held or wanted > MOST_EQUAL:
                return found[:k]
            wanted *= 2
        return []

    @classmethod
    def load(cls, path: Path, dimensions: int) -> VectorIndex | None:
        """Read an index that :meth:`save` wrote; None when there is no fitting one.

        Raises:
            MissingExtra: usearch is not installed.
        """
        index = cls(dimensions)
        with contextlib.suppress(Exception):  # whatever is wrong with it: it can be built anew
            described: Any = index._index.metadata(str(path))
            stored = index._index.dtype
            if described and described["dimensions"] == dimensions:
                index._index.load(str(path))
                if index._index.dtype == stored:
                    return index
        return None


@cache
def _thread() -> ThreadPoolExecutor:
    """The one thread that all indexes share: the other cores are the agents'."""
    return ThreadPoolExecutor(1, thread_name_prefix="collegium-index")
