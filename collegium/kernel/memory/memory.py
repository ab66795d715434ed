"""The memory manager of AIOS (section 3.5): banks of notes, searched by meaning and by words.

A note that was remembered is in the store before its id is returned, and every search that is made
after that takes it into account. Notes that agents remember at the same time are embedded,
committed and indexed together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collegium.errors import BadInput, CollegiumError, UnknownName, unknown_name
from collegium.kernel.access import Access
from collegium.kernel.calls import Call
from collegium.kernel.memory.bank import Bank, scored
from collegium.kernel.memory.banks import MOST_BEHIND, TOGETHER, Banks
from collegium.kernel.memory.draft import Draft
from collegium.kernel.memory.fusion import fuse
from collegium.kernel.resources import Forget, Note, Recall, Remember

if TYPE_CHECKING:
    from collegium.kernel.kernel import Driver
    from collegium.models.embeddings import Embedder

DEPTH = 50
"""How far down the two rankings of a hybrid search are looked at, at least."""


class Write:
    """A call that changes a bank, waiting for its turn; ``done`` gets its result."""

    def __init__(self, call: Remember | Forget, bank: str) -> None:
        self.call, self.bank = call, bank
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        """Raise an error where the call was made, unless nobody waits there any more."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # counts as read: the caller may be cancelled before it wakes


class Memory:
    """The drivers of :class:`Remember`, :class:`Recall` and :class:`Forget`.

    Every agent has a bank that bears its name; ``@group`` is the bank of a group. Scores lie in
    0 to 1. Of "vector" the score is the cosine (negative ones count as 0); of "text" the share of
    what a note of average length gets that holds every word of the query (BM25); of "hybrid" the
    reciprocal rank fusion of the two, where 1 means first in both. Without an embedder "hybrid"
    is "text". Equal scores: the older note first.

    Several processes may work on one path; each sees what the others have committed.

    Args:
        path: The database, made when missing, with a folder ``<name>.index`` beside it; None:
            nothing outlasts this object.
        embed: Makes the vectors; None: notes are found by words alone.
        access: Who may read and write which bank, and who permits what cannot be undone.
        quota: Bytes of notes each bank may hold in memory; None: any number. What goes beyond is
            evicted to the store and comes back when it is read.
        watermark: Share of the quota from which on notes are evicted.
        k: The K of LRU-K, by which it is chosen what goes.

    Raises:
        BadInput: The path cannot be opened, or a number is out of range.
        MissingExtra: An embedder is given and faiss is not installed.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        embed: Embedder | None = None,
        access: Access = Access(),
        quota: int | None = None,
        watermark: float = 0.8,
        k: int = 2,
    ) -> None:
        if quota is not None and quota < 1:
            raise BadInput(f"a memory quota is a number of bytes from 1 up, not {quota}.")
        if not 0 < watermark <= 1:
            raise BadInput(f"the watermark is a share above 0, up to 1, not {watermark}.")
        if k < 1:
            raise BadInput(f"the K of LRU-K is a number from 1 up, not {k}.")
        self._banks = Banks(path, embed, quota=quota, watermark=watermark, k=k)
        self._store = self._banks.store
        self._has_vectors, self._access = embed is not None, access
        self._waiting: list[Write] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def drivers(self) -> dict[type[Call], Driver]:
        """What a kernel is given: ``Kernel(drivers=memory.drivers)``."""
        return {Remember: self._remember, Recall: self._recall, Forget: self._forget}

    def close(self) -> None:
        """Save the indexes and close the store. Calls that still wait for their turn fail."""
        self._banks.close()

    def bank(self, name: str) -> Bank | None:
        """What is in memory of a bank; None when nothing was ever kept in it."""
        return self._banks.get(name)

    # -- drivers ------------------------------------------------------------------------

    async def _remember(self, call: Remember) -> str:
        owner = call.bank or call.agent
        self._access.check(call.agent, owner, "write", "memory")
        if not call.text.strip():
            raise BadInput(f"agent {call.agent!r} wants to remember an empty text.")
        _encodable(call.text, *call.tags)
        if call.note:
            self._find(owner, call.note)
            await self._access.permit(call.agent, "overwrite", _named(call.note, owner))
        if (bank := self._banks.known(owner)) is not None:
            await self._banks.indexed(bank, behind=MOST_BEHIND)
        return await self._write(call, owner)

    async def _forget(self, call: Forget) -> bool:
        owner = call.bank or call.agent
        self._access.check(call.agent, owner, "write", "memory")
        try:
            self._find(owner, call.note)
        except UnknownName:
            return False
        await self._access.permit(call.agent, "forget", _named(call.note, owner))
        return await self._write(call, owner)

    async def _recall(self, call: Recall) -> tuple[Note, ...]:
        owner = call.bank or call.agent
        self._access.check(call.agent, owner, "read", "memory")
        if call.note:
            bank, slot = self._find(owner, call.note)
            return tuple(self._read(bank, [(slot, 0.0)]))
        if not call.query.strip():
            raise BadInput("a memory search needs a query, or the id of a note to fetch.")
        if call.k < 1 or not 0 <= call.least <= 1:
            raise BadInput(
                f"a memory search gives at least 1 note and takes a lowest score from 0 to 1, "
                f"not k={call.k} and least={call.least}."
            )
        if call.method == "vector" and not self._has_vectors:
            raise BadInput(
                "this memory has no embedder to find notes by meaning with; give it one "
                "(Memory(embed=...)), or search with method='text'."
            )
        _encodable(call.query)
        bank = self._banks.known(owner)
        if bank is None:
            return ()
        query = await self._banks.vectors([call.query]) if call.method != "text" else None
        # Only now what others wrote is taken in: they had time for more while this was computed.
        self._banks.get(owner)
        if query is not None and bank.blank:
            await self._banks.fill(bank)
        if query is not None:
            await self._banks.indexed(bank)
        found = self._search(bank, call, None if query is None else query[0])
        return tuple(self._read(bank, [f for f in found[: call.k] if f[1] >= call.least]))

    def _search(self, bank: Bank, call: Recall, query: Any) -> list[tuple[int, float]]:
        """Slots with scores, best first."""
        depth = max(call.k, DEPTH) if call.method == "hybrid" else call.k
        by_words: list[tuple[int, float]] = []
        if call.method != "vector":
            by_words = self._store.words.find(bank.number, call.query, depth, bank.count)
        if query is None or bank.index is None:
            return by_words
        nearest = bank.index.nearest(query, depth)
        by_meaning = [(slot, min(1.0, max(0.0, cosine))) for slot, cosine in nearest]
        return fuse(by_meaning, by_words) if call.method == "hybrid" else by_meaning

    def _read(self, bank: Bank, found: Sequence[tuple[int, float]]) -> list[Note]:
        """The notes in these slots: each is accessed, and comes into memory if it was not."""
        held = bank.held
        away = [slot for slot, _ in found if slot not in held]
        brought = self._store.notes(away) if away else {}
        notes = []
        for slot, score in found:
            note = held.get(slot) or brought.get(slot)
            if note is not None:
                bank.hold(slot, note)
                notes.append(scored(note, score) if score else note)
        self._banks.evict(bank)
        return notes

    def _find(self, owner: str, note: str) -> tuple[Bank, int]:
        """The bank and slot of a note.

        Raises:
            UnknownName: There is no such note.
        """
        bank = self._banks.get(owner)
        slot = self._store.slot(bank.number, note) if bank else None
        if bank is None or slot is None:
            known = self._store.newest(bank.number, 12) if bank else []
            raise unknown_name(f"note of {owner!r}", note, known)
        return bank, slot

    # -- writing ------------------------------------------------------------------------

    async def _write(self, call: Remember | Forget, owner: str) -> Any:
        """Wait for the call's turn, and for its result."""
        write = Write(call, owner)
        self._waiting.append(write)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await write.done

    async def _write_all(self) -> None:
        """Do what waits, as much as fits together at a time, until nothing waits."""
        while self._waiting:
            await asyncio.sleep(0)  # calls that are made together go together
            batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            try:
                texts = [w.call.text for w in batch if isinstance(w.call, Remember)]
                vectors = await self._banks.vectors(texts) if texts else None
                results = self._commit(batch, vectors)
            except BaseException as error:
                ended = not isinstance(error, Exception)  # the event loop itself stops
                for write in [*batch, *self._waiting] if ended else batch:
                    write.fail(error)
                if ended:
                    self._waiting = []
                    raise
                continue
            for write, result in zip(batch, results, strict=True):
                if isinstance(result, CollegiumError):
                    write.fail(result)
                elif not write.done.done():
                    write.done.set_result(result)

    def _commit(self, batch: Sequence[Write], vectors: Any) -> list[Any]:
        """Carry out a batch in one transaction; then, and only then, change what is in memory.

        Returns:
            For each write its result, or the error that stood against it alone.
        """
        owners = list(dict.fromkeys(write.bank for write in batch))
        for owner in owners:
            self._banks.get(owner)  # reading an index may take long: others are not locked out yet
        results: list[Any] = []
        with self._store.writing():
            for owner in owners:
                self._banks.get(owner)  # takes in what others wrote, now that nobody else writes
            draft = Draft(self._store)
            rows = count()
            for write in batch:
                row = next(rows) if isinstance(write.call, Remember) else -1
                try:
                    results.append(draft.do(write.call, write.bank, row))
                except CollegiumError as error:
                    results.append(error)
            draft.finish()
            self._banks.keep_vectors(draft.added, vectors)
            change = self._store.last_change()
        self._banks.take_in(draft, owners, vectors, change)
        return results


def _named(note: str, owner: str) -> str:
    return f"note {note} in the memory of {owner}"


def _encodable(*texts: str) -> None:
    """Make sure that texts can be stored.

    Raises:
        BadInput: One holds half of a surrogate pair.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                f"a text of the memory holds a broken character at {error.start}: {error.reason}."
            ) from None
