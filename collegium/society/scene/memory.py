"""Associative memory: texts with vectors, found by likeness or by age."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collegium.models import Embedder


class AssociativeMemory:
    """What an entity remembers, in the order in which it came.

    A text gets its vector when texts are first looked for by likeness, so that scenes whose players
    look back on the latest memories alone embed nothing.

    Args:
        embedder: Turns texts into vectors.
        distinct: Whether a text that is already there is not added again (players); the Game
            Master's own bank keeps every entry.
        texts: What is remembered at first; the list is used as it is, and grows.
    """

    def __init__(
        self, embedder: Embedder, *, distinct: bool = True, texts: list[str] | None = None
    ) -> None:
        self._embedder, self._distinct = embedder, distinct
        self.texts: list[str] = [] if texts is None else texts
        self._known = set(self.texts)
        self._vectors: NDArray[np.float32] = np.zeros((0, embedder.dimensions), np.float32)
        self._embedded = 0

    async def add(self, texts: Sequence[str]) -> int:
        """Remember texts; line breaks become blanks. Returns how many were new."""
        new: list[str] = []
        for text in (" ".join(t.split()) for t in texts):
            if not text or (self._distinct and text in self._known):
                continue
            self._known.add(text)
            new.append(text)
        self.texts += new
        return len(new)

    async def _embed(self) -> None:
        """Vectors for the texts that have none yet."""
        filled, wanted = self._embedded, len(self.texts)
        if filled == wanted:
            return
        # the rows have room to grow, so that adding one does not copy all
        if wanted > len(self._vectors):
            room = np.zeros((max(2 * wanted, 64), self._embedder.dimensions), np.float32)
            room[:filled] = self._vectors[:filled]
            self._vectors = room
        self._vectors[filled:wanted] = await self._embedder.embed(self.texts[filled:wanted])
        self._embedded = wanted

    def recent(self, count: int) -> list[str]:
        """The latest texts, oldest of them first."""
        return self.texts[-count:] if count else []

    async def associative(self, query: str, count: int) -> list[str]:
        """The texts that are most like a query, best first; ties: the earlier."""
        if not self.texts or not count:
            return []
        await self._embed()
        (vector,) = await self._embedder.embed([query])
        scores = self._vectors[: self._embedded] @ vector
        if count < len(scores):
            best = np.argpartition(-scores, count - 1)[:count]
            best = best[np.lexsort((best, -scores[best]))]
        else:
            best = np.argsort(-scores, kind="stable")
        return [self.texts[i] for i in best.tolist()]

    def scan(self, wanted: Callable[[str], bool]) -> list[str]:
        """All texts for which a test is true."""
        return [text for text in self.texts if wanted(text)]
