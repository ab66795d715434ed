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

    Args:
        embedder: Turns texts into vectors.
        distinct: Whether a text that is already there is not added again (players); the Game
            Master's own bank keeps every entry.
    """

    def __init__(self, embedder: Embedder, *, distinct: bool = True) -> None:
        self._embedder, self._distinct = embedder, distinct
        self.texts: list[str] = []
        self._known: set[str] = set()
        self._vectors: NDArray[np.float32] = np.zeros((0, embedder.dimensions), np.float32)

    async def add(self, texts: Sequence[str]) -> int:
        """Remember texts; line breaks become blanks. Returns how many were new."""
        new: list[str] = []
        for text in (" ".join(t.split()) for t in texts):
            if not text or (self._distinct and text in self._known):
                continue
            self._known.add(text)
            new.append(text)
        if new:
            # the rows have room to grow, so that adding one does not copy all
            filled, wanted = len(self.texts), len(self.texts) + len(new)
            if wanted > len(self._vectors):
                room = np.zeros((max(2 * wanted, 64), self._embedder.dimensions), np.float32)
                room[:filled] = self._vectors[:filled]
                self._vectors = room
            self._vectors[filled:wanted] = await self._embedder.embed(new)
            self.texts += new
        return len(new)

    def recent(self, count: int) -> list[str]:
        """The latest texts, oldest of them first."""
        return self.texts[-count:] if count else []

    async def associative(self, query: str, count: int) -> list[str]:
        """The texts that are most like a query, best first; ties: the earlier."""
        if not self.texts or not count:
            return []
        (vector,) = await self._embedder.embed([query])
        scores = self._vectors[: len(self.texts)] @ vector
        if count < len(scores):
            best = np.argpartition(-scores, count - 1)[:count]
            best = best[np.lexsort((best, -scores[best]))]
        else:
            best = np.argsort(-scores, kind="stable")
        return [self.texts[i] for i in best.tolist()]

    def scan(self, wanted: Callable[[str], bool]) -> list[str]:
        """All texts for which a test is true."""
        return [text for text in self.texts if wanted(text)]
