"""A bank as it stands in memory: the notes held there within its quota, and its vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from collegium.kernel.memory.eviction import LRUK
from collegium.kernel.resources import Note

if TYPE_CHECKING:
    import asyncio

    from collegium.kernel.memory.index import VectorIndex


class Bank:
    """What is in memory of one bank; all of its notes are in the store besides.

    Args:
        number: Its number in the store.
        name: Its name: an agent's, or ``@group``.
        quota: Bytes of notes that may be held; None: any number.
        watermark: Share of the quota from which on notes are evicted.
        k: The K of LRU-K.

    Attributes:
        index: The vectors of its notes; None without an embedder.
        top: The highest slot it knows of.
        count: How many notes it has, held or not.
        blank: Slots of notes that have no vector yet.
        filling: The task that computes these vectors, while it runs.
        used: Bytes of the notes held.
    """

    def __init__(
        self, number: int, name: str, *, quota: int | None, watermark: float, k: int
    ) -> None:
        self.number, self.name = number, name
        self.index: VectorIndex | None = None
        self.top = self.count = self.used = 0
        self.blank: list[int] = []
        self.filling: asyncio.Task[None] | None = None
        self._held: dict[int, Note] = {}
        self._limit = None if quota is None else quota * watermark
        self._order = LRUK(k)

    @property
    def held(self) -> Mapping[int, Note]:
        """The notes in memory, by slot."""
        return self._held

    def hold(self, slot: int, note: Note) -> None:
        """Take a note into memory, or note that it was accessed there."""
        if slot not in self._held:
            self._held[slot] = note
            self.used += size_of(note)
        if self._limit is not None:
            self._order.touch(slot)

    def drop(self, slots: Iterable[int]) -> None:
        """Let go of notes that have changed or are gone."""
        for slot in slots:
            note = self._held.pop(slot, None)
            if note is not None:
                self.used -= size_of(note)
                self._order.forget(slot)

    def evict(self) -> list[int]:
        """Let go of notes, in the order of LRU-K, until the rest is below the watermark."""
        gone = []
        while self._limit is not None and self.used > self._limit:
            slot = self._order.evict()
            self.used -= size_of(self._held.pop(slot))
            gone.append(slot)
        return gone


def size_of(note: Note) -> int:
    """Bytes that count against a quota: the text, tags and links."""
    return len(note.text.encode()) + sum(len(t.encode()) for t in (*note.tags, *note.links))


def scored(note: Note, score: float) -> Note:
    """The note as a search found it."""
    # written out, since msgspec's replace takes five times as long and a search makes ten of them
    return Note(note.id, note.text, note.bank, note.tags, note.links, score, note.created)
