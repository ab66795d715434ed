"""The banks of a store: brought into memory when first used, and kept up to date there."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collegium.errors import BadInput
from collegium.kernel.memory.bank import Bank
from collegium.kernel.memory.draft import Added, Draft
from collegium.kernel.memory.store import NoteStore

if TYPE_CHECKING:
    from collegium.kernel.memory.index import VectorIndex
    from collegium.models.embeddings import Embedder

TOGETHER = 256
"""Notes that are embedded, or written, together at most: few enough that nobody waits for long."""

MOST_BEHIND = 250
"""Changes of an index that may wait while more notes are written: of up to 64 vectors each, in
large banks up to 1024."""

SAVE_LEAST = 20_000
"""Vectors that must have come new to an index before it is saved while agents run.

It is saved each time it has grown by half, so that saving costs no more than a constant share of
building it, and a killed process leaves at most a third of it to be built again.
"""


class Banks:
    """The banks of one store as one process has them.

    Args:
        path: The database, beside which indexes are kept; None: it and they end with the process.
        embed: Makes the vectors; None: there are none.
        quota: Bytes of notes each bank may hold in memory.
        watermark: Share of the quota from which on notes are evicted.
        k: The K of LRU-K.

    Raises:
        BadInput: The path cannot be opened.
        MissingExtra: An embedder is given and faiss is not installed.
    """

    def __init__(
        self,
        path: Path | None,
        embed: Embedder | None,
        *,
        quota: int | None,
        watermark: float,
        k: int,
    ) -> None:
        self._index_type = _index_type() if embed else None
        self._path, self._embed = path, embed
        self._limits: dict[str, Any] = {"quota": quota, "watermark": watermark, "k": k}
        self.store = NoteStore(path, spill=quota is not None)
        self._embedder = self.store.embedder(embed.name, embed.dimensions) if embed else 0
        self._change = self.store.last_change()
        self._known: dict[str, Bank] = {}
        self._closed = False

    def get(self, name: str) -> Bank | None:
        """A bank, up to date with what other processes wrote; None when it was never used."""
        if self._closed:
            raise BadInput("this memory is closed; open it again to use it.")
        if self._path is not None and self.store.changed_elsewhere():
            self._catch_up()
        bank = self._known.get(name)
        if bank is None:
            bank = self._make(name)
            if bank is not None:
                self._load(bank)
        return bank

    def known(self, name: str) -> Bank | None:
        """A bank, perhaps without what other processes wrote since it was asked for last."""
        return (None if self._closed else self._known.get(name)) or self.get(name)

    def close(self) -> None:
        """Save the indexes and close the store."""
        if self._closed:
            return
        self._closed = True
        try:
            for bank in self._known.values():
                if bank.index is not None:
                    bank.index.settle()
                    self._save(bank, at_least=1)
                    bank.index.settle()
        except (OSError, RuntimeError) as error:
            raise BadInput(f"cannot save an index of the memory: {error}.") from None
        finally:
            self.store.close()

    def keep_vectors(self, added: Sequence[Added], vectors: Any) -> None:
        """Store the vectors of notes that were added, in the transaction that adds them."""
        if vectors is not None and added:
            half = vectors[[a.row for a in added]].astype("float16")
            slots = (a.slot for a in added)
            self.store.put_vectors(self._embedder, zip(slots, half, strict=True))

    def take_in(self, draft: Draft, owners: Sequence[str], vectors: Any, change: int) -> None:
        """Bring banks up to a transaction of this process that was just committed.

        Args:
            draft: What it did.
            owners: Whose banks it was on.
            vectors: Of the notes that were added.
            change: The newest change, its own among them.
        """
        self._change = change
        by_owner: dict[str, list[Added]] = {}
        for new in draft.added:
            by_owner.setdefault(new.note.bank, []).append(new)
        for owner in owners:
            bank = self._known.get(owner) or self._make(owner)
            if bank is None:
                continue
            added = by_owner.get(owner, [])
            removed = draft.removed[owner]
            for new in added:
                bank.hold(new.slot, new.note)
            bank.drop((*removed, *draft.touched[owner]))
            if bank.index is not None:
                if added:
                    bank.index.add([a.slot for a in added], vectors[[a.row for a in added]])
                bank.index.remove(removed)
                self._save(bank, at_least=max(SAVE_LEAST, len(bank.index) // 3))
            if added:
                bank.top = added[-1].slot
            bank.count = self.store.count(bank.number) if removed else bank.count + len(added)
            self.evict(bank)

    async def indexed(self, bank: Bank, behind: int = 0) -> None:
        """Wait until a bank's index is up to date, if more than so many changes are missing.

        Raises:
            BadInput: It could not be brought up to date, or not be saved.
        """
        if bank.index is not None and bank.index.behind > behind:
            try:
                await bank.index.indexed()
            except (OSError, RuntimeError) as error:
                raise BadInput(f"the index of the memory of {bank.name!r}: {error}.") from None

    def evict(self, bank: Bank) -> None:
        """Keep a bank within its quota; what goes out of memory is compressed in the store."""
        gone = bank.evict()
        if gone:
            with self.store.writing():
                self.store.pack(gone)

    def _make(self, name: str) -> Bank | None:
        """A bank of the store, with nothing of it in memory yet; None when there is none."""
        number = self.store.bank(name)
        if number is None:
            return None
        bank = self._known[name] = Bank(number, name, **self._limits)
        if self._embed is not None and self._index_type is not None:
            bank.index = self._index_type(self._embed.dimensions)
        return bank

    def _load(self, bank: Bank) -> None:
        """Get a bank's index: from its file, and from stored vectors what the file lacks."""
        slots = self.store.slots(bank.number)
        bank.top, bank.count = slots[-1] if slots else 0, len(slots)
        if bank.index is None:
            return
        file = self._file(bank)
        bank.index = (file and bank.index.load(file, bank.index.dimensions)) or bank.index
        known = bank.index.slots()
        bank.index.remove(known.difference(slots))
        self._index(bank, [s for s in slots if s not in known])

    def _index(self, bank: Bank, slots: Sequence[int]) -> None:
        """Put stored vectors into the index; notes that have none are noted as blank."""
        if bank.index is None or not slots:
            return
        import numpy as np

        rows = self.store.vectors(self._embedder, slots)
        if rows:
            stored = np.frombuffer(b"".join(data for _, data in rows), np.float16)
            vectors = stored.reshape(len(rows), -1).astype(np.float32)
            bank.index.add([slot for slot, _ in rows], vectors)
        having = {slot for slot, _ in rows}
        bank.blank += [s for s in slots if s not in having]

    def _catch_up(self) -> None:
        """Take in what other processes have written."""
        changed: dict[int, list[int]] = {}
        for change, number, slot in self.store.changes(self._change):
            self._change = change
            changed.setdefault(number, []).append(slot)
        for bank in self._known.values():
            touched = changed.get(bank.number, [])
            added = self.store.slots(bank.number, after=bank.top)
            if not touched and not added:
                continue
            bank.drop(touched)
            if bank.index is not None:
                bank.index.remove(set(touched).difference(self.store.notes(touched)))
            self._index(bank, added)
            bank.top = max([bank.top, *added[-1:]])
            bank.count = self.store.count(bank.number)

    async def fill(self, bank: Bank) -> None:
        """Compute the vectors of notes that were remembered without this embedder."""
        if bank.filling is None or bank.filling.done():
            bank.filling = asyncio.create_task(self._fill_all(bank))
        await asyncio.shield(bank.filling)

    async def _fill_all(self, bank: Bank) -> None:
        while bank.blank:
            some = bank.blank[:TOGETHER]
            notes = self.store.notes(some)
            vectors = await self.vectors([n.text for n in notes.values()]) if notes else ()
            with self.store.writing():
                there = self.store.notes(some)  # some may have been forgotten meanwhile
                rows = [(s, v) for s, v in zip(notes, vectors, strict=True) if s in there]
                self.store.put_vectors(self._embedder, [(s, v.astype("float16")) for s, v in rows])
            self._index(bank, [s for s, _ in rows])
            bank.blank = [s for s in bank.blank if s not in set(some)]

    async def vectors(self, texts: Sequence[str]) -> Any:
        """What the embedder makes of texts; None without one."""
        if self._embed is None:
            return None
        vectors = await self._embed.embed(texts)
        wanted = (len(texts), self._embed.dimensions)
        if vectors.shape != wanted:
            raise BadInput(
                f"embedder {self._embed.name!r} gave an array of {vectors.shape} for "
                f"{len(texts)} texts; {wanted} was expected."
            )
        return vectors

    def _file(self, bank: Bank) -> Path | None:
        """Where a bank's index is kept; the name says of which store, bank and embedder."""
        if self._path is None:
            return None
        folder = self._path.with_name(f"{self._path.name}.index")
        return folder / f"{self.store.id}-{bank.number}-{self._embedder}.faiss"

    def _save(self, bank: Bank, at_least: int) -> None:
        """Save a bank's index if so many of its vectors are new and it is worth a file."""
        file = self._file(bank)
        if file is None or bank.index is None or bank.index.unsaved < at_least:
            return
        if not bank.index.exact:  # small ones are as quick to build as to read
            try:
                self.store.settle()  # the file may not know of notes that a power failure took
                file.parent.mkdir(exist_ok=True)
            except (OSError, sqlite3.Error) as error:
                raise BadInput(f"cannot save the index {file}: {error}.") from None
            bank.index.save(file)


def _index_type() -> type[VectorIndex]:
    from collegium.kernel.memory.index import VectorIndex

    VectorIndex(1)  # says at once when faiss is missing
    return VectorIndex
