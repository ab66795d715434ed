"""The newest vectors of a bank, which are in no graph yet: every one is compared with a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collegium.kernel.memory.graph import search

if TYPE_CHECKING:
    from collegium.kernel.memory.graph import Vectors


class Recent:
    """A few vectors, held as :class:`~collegium.kernel.memory.graph.Graph` holds its own.

    So the same vector has the same cosine in both, to the last bit.

    Args:
        dimensions: Length of a vector.

    Attributes:
        slots: Of the vectors, in the order in which they came.
    """

    def __init__(self, dimensions: int) -> None:
        import faiss
        import numpy as np

        self._faiss: Any = faiss
        self.slots: list[int] = []
        self._vectors: Vectors = np.zeros((0, dimensions), np.float32)
        self._flat: Any = faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )

    def __len__(self) -> int:
        return len(self.slots)

    def add(
        self, slots: Sequence[int], vectors: Vectors, block: int
    ) -> tuple[Sequence[int], Vectors]:
        """Take vectors in, and give the oldest ones up when they fill blocks of so many.

        Returns:
            What was given up: slots and their vectors.
        """
        import numpy as np

        if self.slots:
            slots, vectors = [*self.slots, *slots], np.concatenate([self._vectors, vectors])
        full = len(slots) // block * block
        self._hold(list(slots[full:]), np.array(vectors[full:]))
        return slots[:full], vectors[:full]

    def remove(self, slots: Sequence[int]) -> list[int]:
        """Take vectors out.

        Returns:
            The slots that are not here.
        """
        gone = set(slots)
        stay = [i for i, slot in enumerate(self.slots) if slot not in gone]
        elsewhere = [slot for slot in slots if slot not in set(self.slots)]
        if len(stay) < len(self.slots):
            self._hold([self.slots[i] for i in stay], self._vectors[stay])
        return elsewhere

    def nearest(self, query: Vectors, k: int) -> list[tuple[float, int]]:
        """The ``k`` vectors nearest to a query (one row): their cosines, negative, and slots."""
        k = min(k, len(self.slots))
        if k == 0:
            return []
        cosines, rows = search(self._faiss, self._flat, query, k)
        return [(c, self.slots[row]) for c, row in zip(cosines, rows.tolist(), strict=True)]

    def _hold(self, slots: list[int], vectors: Vectors) -> None:
        self.slots, self._vectors = slots, vectors
        self._faiss.omp_set_num_threads(1)
        self._flat.reset()
        self._flat.add(vectors)
