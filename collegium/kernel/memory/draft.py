"""One transaction on the banks in the making."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import NamedTuple

from collegium.errors import unknown_name
from collegium.kernel.memory.store import NoteStore, Row
from collegium.kernel.resources import Forget, Note, Remember


class Added(NamedTuple):
    """A note as written: its slot, itself, and the row of the batch's vectors that is its own."""

    slot: int
    note: Note
    row: int


class Draft:
    """Carries out writes inside a transaction and says what has to change in memory after it.

    Args:
        store: The store, which must be in a transaction.

    Attributes:
        added: The notes that were added; after :meth:`finish`, those of them that stayed.
        removed: Slots by bank whose note is gone or has moved.
        touched: Slots by bank whose note lost a link.
    """

    def __init__(self, store: NoteStore) -> None:
        self.removed: defaultdict[str, list[int]] = defaultdict(list)
        self.touched: defaultdict[str, list[int]] = defaultdict(list)
        self._store = store
        self._next = store.last_slot() + 1
        self.added: list[Added] = []
        self._rows: list[Row] = []
        self._banks: dict[str, int] = {}
        self._numbers: dict[int, int] = {}

    def do(self, call: Remember | Forget, owner: str, row: int) -> str | bool:
        """Carry out one write; nothing of it is done when it raises.

        Args:
            call: The write.
            owner: Whose bank it is on.
            row: Which of the batch's vectors belongs to it.

        Returns:
            The note's id, or whether there was a note to forget.

        Raises:
            UnknownName: A note that it names does not exist.
        """
        if owner not in self._banks:
            bank = self._banks[owner] = self._store.make_bank(owner)
            self._numbers[bank] = self._store.last_number(bank)
        bank = self._banks[owner]
        if isinstance(call, Forget):
            return self._forget(call, owner, bank)
        return self._remember(call, owner, bank, row)

    def finish(self) -> None:
        """Write what is left to write."""
        self._settle()
        for bank, number in self._numbers.items():
            self._store.set_last_number(bank, number)
        gone = {slot for slots in self.removed.values() for slot in slots}
        self.added = [a for a in self.added if a.slot not in gone]

    def _remember(self, call: Remember, owner: str, bank: int, row: int) -> str:
        if call.note or call.links:
            self._settle()  # so that what it names is found
        links = tuple(dict.fromkeys(call.links))
        for link in links:
            self._find(bank, owner, link)
        created = time.time()
        if call.note:
            slot = self._find(bank, owner, call.note)
            number, created = int(call.note), self._store.notes([slot])[slot].created
            self._store.delete(bank, slot)
            self.removed[owner].append(slot)
        else:
            number = self._numbers[bank] = self._numbers[bank] + 1
        slot, self._next = self._next, self._next + 1
        self._rows.append((slot, bank, number, created, call.text, call.tags, links))
        note = Note(
            id=str(number),
            text=call.text,
            bank=owner,
            tags=call.tags,
            links=links,
            created=created,
        )
        self.added.append(Added(slot, note, row))
        return note.id

    def _forget(self, call: Forget, owner: str, bank: int) -> bool:
        self._settle()
        slot = self._store.slot(bank, call.note)
        if slot is None:
            return False
        self._store.delete(bank, slot)
        self.removed[owner].append(slot)
        self.touched[owner] += self._store.unlink(bank, int(call.note))
        return True

    def _find(self, bank: int, owner: str, note: str) -> int:
        slot = self._store.slot(bank, note)
        if slot is None:
            raise unknown_name(f"note of {owner!r}", note, self._store.newest(bank, 12))
        return slot

    def _settle(self) -> None:
        self._store.insert(self._rows)
        self._rows = []
