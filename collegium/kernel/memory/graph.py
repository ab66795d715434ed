"""Vectors in a graph of nearest neighbours: HNSW (Malkov and Yashunin, 2020).

Numbers are held as float16, as the store keeps them. A vector that is removed stays in the graph as
a way to others and is never found; once more are removed than left, the graph is built anew.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collegium.errors import missing_extra
from collegium.kernel.memory.pages import Gathered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

# As measured on 100,000 and on 1,000,000 vectors of 384 numbers, in groups of about 10 and of 100:
# with a smaller breadth vectors are inserted quicker, and searches among large groups miss more.
CONNECTIVITY = 12
"""Links per vector (M)."""
BREADTH_ADD, BREADTH_LARGE = 40, 36
"""Candidates looked at when a vector is inserted (efConstruction), and in a large graph, where it
takes longest. With fewer of them, many equal vectors hide others in a small one."""
BREADTH_FIND = 40
"""Candidates looked at in a search, at least (ef)."""
WIDENING = 14
"""In a larger graph more paths lead astray: there ef is the root of its size over this."""

EXACT = 2048
"""Up to this many vectors every one is compared with the query: nothing can be missed."""

SHARE = 20
"""One in so many vectors wanted, or more, and all are compared: quicker, and none is missed."""

REBUILT = 10_000
"""From this many vectors added at once, all cores build; the graph then depends on their timing."""

LARGE, MANY = 20_000, 128
"""In a graph of so many vectors it holds from so few on: there insertion takes longest."""


def search(
    faiss: Any, index: Any, query: Vectors, k: int, how: Any = None
) -> tuple[list[float], NDArray[np.int64]]:
    """The ``k`` rows of a faiss index nearest to a query (one row), with their cosines, negative.

    It calls what faiss's own wrapper calls after looking at every argument again, which for a
    single query takes as long as a tenth of the search.
    """
    import numpy as np

    query = np.ascontiguousarray(query, np.float32)
    cosines, rows = np.empty(k, np.float32), np.empty(k, np.int64)
    pointers = (faiss.swig_ptr(each) for each in (query, cosines, rows))
    of_query, of_cosines, of_rows = pointers
    faiss.omp_set_num_threads(1)  # in this thread; more would take longer to wake up
    index.search_c(1, of_query, k, of_cosines, of_rows, how)
    return (-cosines).tolist(), rows


class Graph:
    """Finds the nearest of many vectors of unit length, each known by its slot, a number.

    Args:
        dimensions: Length of a vector.

    Raises:
        MissingExtra: faiss is not installed.
    """

    def __init__(self, dimensions: int) -> None:
        try:
            import faiss
        except ImportError:
            raise missing_extra("memory", "finding notes by meaning") from None
        self._faiss: Any = faiss
        self.dimensions = dimensions
        self._take(self._empty())

    def __len__(self) -> int:
        return self._rows - self._removed

    def _empty(self) -> Any:
        graph = self._faiss.IndexHNSWSQ(
            self.dimensions,
            self._faiss.ScalarQuantizer.QT_fp16,
            CONNECTIVITY,
            self._faiss.METRIC_INNER_PRODUCT,
        )
        graph.hnsw.efConstruction = BREADTH_ADD
        return self._faiss.IndexIDMap(graph)

    def _take(self, whole: Any) -> None:
        """Make this the index that is searched; nothing of it is removed yet."""
        import numpy as np

        self._all = whole
        self._graph = self._faiss.downcast_index(whole.index)
        self._storage = self._faiss.downcast_index(self._graph.storage)
        self._removed = 0
        self._pages = Gathered(), Gathered()
        # One bit a row; rows beyond its end are not removed.
        self._bits = np.zeros(0, np.uint8)
        self._how = self._faiss.SearchParametersHNSW()
        self._how_exactly = self._faiss.SearchParameters()
        self._look()

    def _look(self) -> None:
        """Look again how many rows there are, and where their slots lie: adding may move them."""
        import numpy as np

        self._rows: int = self._all.ntotal
        start = self._all.id_map.data() if self._rows else None
        self._slots = self._faiss.rev_swig_ptr(start, self._rows) if start else np.zeros(0, int)
        links, codes = self._graph.hnsw.neighbors, self._storage.codes
        for pages, array, width in zip(self._pages, (links, codes), (4, 1), strict=True):
            if array.size():  # an empty one lies nowhere
                pages.look(int(array.data()), array.size() * width)

    def at_once(self, count: int) -> bool:
        """Whether so many further vectors are inserted by all cores at once."""
        return count >= (MANY if self._rows >= LARGE else REBUILT)

    def _threads(self, count: int) -> None:
        # One thread gives the same graph for the same vectors, whatever else the machine does.
        self._faiss.omp_set_num_threads((os.cpu_count() or 1) if self.at_once(count) else 1)

    def slots(self) -> set[int]:
        """The slots of all vectors."""
        return set(self._slots[self._left()].tolist())

    def _left(self) -> Any:
        """Rows that are not removed."""
        import numpy as np

        gone = np.zeros(self._rows, bool)
        bits = np.unpackbits(self._bits, bitorder="little")[: len(gone)]
        gone[: len(bits)] = bits
        return np.flatnonzero(~gone)

    def add(self, slots: Sequence[int], vectors: Vectors) -> None:
        """Insert vectors under new slots."""
        import numpy as np

        self._threads(len(slots))
        large = self._rows >= LARGE
        self._graph.hnsw.efConstruction = BREADTH_LARGE if large else BREADTH_ADD
        try:
            self._all.add_with_ids(vectors, np.asarray(slots, np.int64))
        finally:
            self._look()

    def remove(self, slots: Sequence[int]) -> None:
        """Take vectors out; slots that have none are passed over."""
        import numpy as np

        rows = np.flatnonzero(np.isin(self._slots, np.asarray(slots, np.int64)))
        if not len(rows):
            return
        size = self._rows // 8 + 1
        if len(self._bits) <= rows[-1] // 8:
            self._bits = np.concatenate([self._bits, np.zeros(size - len(self._bits), np.uint8)])
        np.bitwise_or.at(self._bits, rows >> 3, (1 << (rows & 7)).astype(np.uint8))
        self._removed = int(np.bitwise_count(self._bits).sum())
        if self._removed > max(EXACT, len(self)):
            self._rebuild()
            return
        # faiss keeps no references of its own: what these point to has to outlive them
        self._gone = self._faiss.IDSelectorBitmap(self._bits)
        self._kept = self._faiss.IDSelectorNot(self._gone)
        self._how = self._faiss.SearchParametersHNSW(sel=self._kept)
        self._how_exactly = self._faiss.SearchParameters(sel=self._kept)

    def _rebuild(self) -> None:
        """Build the graph anew from the vectors that are left."""
        rows, old, slots = self._left(), self._storage, self._slots
        new = self._empty()
        self._threads(len(rows))
        for start in range(0, len(rows), REBUILT):
            some = rows[start : start + REBUILT]
            new.add_with_ids(old.reconstruct_batch(some), slots[some])
        self._take(new)

    def nearest(self, query: Vectors, k: int) -> list[tuple[float, int]]:
        """The ``k`` vectors nearest to a query (one row): their cosines, negative, and slots.

        Among up to :data:`EXACT` vectors, or when many are wanted, the answer is exact; otherwise
        a few may be missed.
        """
        rows, held = self._rows, self._rows - self._removed
        k = min(k, held)
        if k == 0:
            return []
        if rows > EXACT and k <= held // SHARE:
            # what is removed takes places among the candidates
            breadth = max(BREADTH_FIND, k, int(rows**0.5 / WIDENING))
            self._how.efSearch = breadth * rows // held
            cosines, found = search(self._faiss, self._graph, query, k, self._how)
            if found[-1] >= 0:  # -1 stands for nothing, and comes last
                return list(zip(cosines, self._slots[found].tolist(), strict=True))
        cosines, found = search(self._faiss, self._storage, query, k, self._how_exactly)
        return list(zip(cosines, self._slots[found].tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Write everything to a file; what is removed has to be removed again from it."""
        self._faiss.write_index(self._all, str(path))

    def load(self, path: Path) -> bool:
        """Take over what :meth:`save` wrote; False, and nothing is changed, when it does not fit.

        Raises:
            RuntimeError: There is no such file, or it is damaged.
        """
        if not path.exists():
            return False
        whole: Any = self._faiss.read_index(str(path))
        if not isinstance(whole, self._faiss.IndexIDMap) or whole.d != self.dimensions:
            return False
        graph: Any = self._faiss.downcast_index(whole.index)
        if not isinstance(graph, self._faiss.IndexHNSWSQ):
            return False
        storage: Any = self._faiss.downcast_index(graph.storage)
        kinds = (storage.sq.qtype, storage.metric_type, graph.hnsw.nb_neighbors(1))
        wanted = self._faiss.ScalarQuantizer.QT_fp16, self._faiss.METRIC_INNER_PRODUCT, CONNECTIVITY
        if kinds != wanted or not storage.ntotal == graph.ntotal == whole.ntotal:
            return False
        graph.hnsw.efConstruction = BREADTH_ADD
        self._take(whole)
        return True
