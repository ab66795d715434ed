"""Where notes last: their texts, words and vectors in one SQLite database."""

from __future__ import annotations

import mmap
import secrets
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel.memory.words import Words
from collegium.kernel.resources import Note

LOCK_SECONDS = 30.0
"""How long to wait for another process that writes."""

FEW = 500
"""Values in one SQL statement."""

WAL_HEAD = 48
"""Bytes of the head of the index of the write-ahead log."""

# A slot is one text of one note and is never used again: a note that is replaced keeps its number
# and moves to a new slot. So whatever is derived from a text can be kept under its slot.
SCHEMA = """
CREATE TABLE IF NOT EXISTS store (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS banks (
  bank INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notes (
  slot INTEGER PRIMARY KEY AUTOINCREMENT, bank INTEGER NOT NULL, number INTEGER NOT NULL,
  created REAL NOT NULL, packed INTEGER NOT NULL, text BLOB NOT NULL,
  tags TEXT NOT NULL, links TEXT NOT NULL, UNIQUE (bank, number));
CREATE TABLE IF NOT EXISTS links (
  bank INTEGER NOT NULL, target INTEGER NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY (bank, target, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
  change INTEGER PRIMARY KEY AUTOINCREMENT, bank INTEGER NOT NULL, slot INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS embedders (
  embedder INTEGER PRIMARY KEY, name TEXT NOT NULL, dimensions INTEGER NOT NULL,
  UNIQUE (name, dimensions));
"""

Row = tuple[int, int, int, float, str, tuple[str, ...], tuple[str, ...]]
"""A note to be written: slot, bank, number, created, text, tags, links."""


class NoteStore:
    """One database in WAL mode; what was committed survives the death of the process.

    Args:
        path: The file, made when missing; None: a database that ends with the process.
        spill: With no path: in a temporary file, rather than in memory.

    Raises:
        BadInput: The file cannot be opened or is something else.
    """

    def __init__(self, path: Path | None, *, spill: bool = False) -> None:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _open(str(path or ("" if spill else ":memory:")))
            with self.writing():
                if not self._db.execute("SELECT 1 FROM store").fetchone():
                    self._db.execute("INSERT INTO store VALUES (?)", (secrets.token_hex(8),))
            self.id: str = self._db.execute("SELECT id FROM store").fetchone()[0]
        except (OSError, sqlite3.Error) as error:
            raise BadInput(f"cannot open the memory {path}: {error}.") from None
        self.words = Words(self._db)
        self._version = self._data_version()
        self._shared = _map(path.with_name(f"{path.name}-shm")) if path is not None else None
        self._head = b""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, all or nothing; waits while another process writes.

        Raises:
            BadInput: It cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise BadInput(f"cannot write to the memory: {error}.") from None
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def changed_elsewhere(self) -> bool:
        """Whether another process has written since this was asked last."""
        head = self._wal_head()
        if head and head == self._head:
            return False
        self._head = head  # read before the version: what comes between is seen next time
        before, self._version = self._version, self._data_version()
        return before != self._version

    def _wal_head(self) -> bytes:
        """The head of the shared index of the write-ahead log, which every commit changes.

        Comparing it takes a microsecond where asking SQLite takes ten, and a search asks each time.
        Other processes map the same file (sqlite.org/walformat.html, section 2.1), which lies there
        as long as this one has the database open. Empty where it cannot be read.
        """
        return self._shared[:WAL_HEAD] if self._shared is not None else b""

    def settle(self) -> None:
        """Bring all that was committed into the main file, safe from a power failure too."""
        self._db.execute("PRAGMA wal_checkpoint(FULL)")

    def close(self) -> None:
        """Close the database."""
        self.words.close()
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        self._db.close()

    def _data_version(self) -> int:
        return self._db.execute("PRAGMA data_version").fetchone()[0]

    # -- banks --------------------------------------------------------------------------

    def bank(self, name: str) -> int | None:
        """Number of a bank; None when nothing was ever kept in it."""
        row = self._db.execute("SELECT bank FROM banks WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def make_bank(self, name: str) -> int:
        """Number of a bank, made when missing."""
        known = self.bank(name)
        if known is not None:
            return known
        made = self._db.execute("INSERT INTO banks(name, last) VALUES (?, 0)", (name,)).lastrowid
        assert made is not None
        self.words.make(made)
        return made

    def last_number(self, bank: int) -> int:
        """Number of the bank's newest note; numbers are never used again."""
        return self._db.execute("SELECT last FROM banks WHERE bank = ?", (bank,)).fetchone()[0]

    def set_last_number(self, bank: int, number: int) -> None:
        """Note which number was given last."""
        self._db.execute("UPDATE banks SET last = ? WHERE bank = ?", (number, bank))

    def last_slot(self) -> int:
        """The slot that was given last."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'notes'").fetchone()
        return row[0] if row else 0

    def count(self, bank: int) -> int:
        """How many notes a bank holds."""
        return self._db.execute("SELECT count(*) FROM notes WHERE bank = ?", (bank,)).fetchone()[0]

    # -- notes --------------------------------------------------------------------------

    def insert(self, rows: Sequence[Row]) -> None:
        """Write notes, their words and whom they link to."""
        self._db.executemany(
            "INSERT INTO notes VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
            [
                (s, b, n, c, text, _json(tags), _json(links))
                for s, b, n, c, text, tags, links in rows
            ],
        )
        by_bank: dict[int, list[tuple[int, str]]] = {}
        targets = []
        for slot, bank, number, _, text, _, links in rows:
            by_bank.setdefault(bank, []).append((slot, text))
            targets += [(bank, int(target), number) for target in links]
        for bank, texts in by_bank.items():
            self.words.add(bank, texts)
        if targets:
            self._db.executemany("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", targets)

    def delete(self, bank: int, slot: int) -> None:
        """Remove the text in a slot, with all that was derived from it."""
        note = self.notes([slot])[slot]
        self.words.remove(bank, slot, note.text)
        self._db.execute("DELETE FROM notes WHERE slot = ?", (slot,))
        self._db.execute("DELETE FROM links WHERE bank = ? AND number = ?", (bank, int(note.id)))
        for (table,) in self._db.execute("SELECT 'vectors_' || embedder FROM embedders").fetchall():
            self._db.execute(f"DELETE FROM {table} WHERE slot = ?", (slot,))
        self._log(bank, slot)

    def unlink(self, bank: int, number: int) -> list[int]:
        """Take the links that lead to a note out of the notes that have them; their slots."""
        leading = self._db.execute(
            "SELECT slot, links FROM notes JOIN links USING (bank, number) "
            "WHERE bank = ? AND target = ?",
            (bank, number),
        ).fetchall()
        for slot, links in leading:
            left = [link for link in msgspec.json.decode(links) if link != str(number)]
            self._db.execute("UPDATE notes SET links = ? WHERE slot = ?", (_json(left), slot))
            self._log(bank, slot)
        self._db.execute("DELETE FROM links WHERE bank = ? AND target = ?", (bank, number))
        return [slot for slot, _ in leading]

    def slot(self, bank: int, note: str) -> int | None:
        """Where a note is; None when there is no such note."""
        if not (note.isascii() and note.isdecimal() and len(note) < 19):
            return None
        row = self._db.execute(
            "SELECT slot FROM notes WHERE bank = ? AND number = ?", (bank, int(note))
        ).fetchone()
        return row[0] if row else None

    def newest(self, bank: int, k: int) -> list[str]:
        """Ids of the newest notes."""
        rows = self._db.execute(
            "SELECT number FROM notes WHERE bank = ? ORDER BY number DESC LIMIT ?", (bank, k)
        )
        return [str(number) for (number,) in rows]

    def slots(self, bank: int, after: int = 0) -> list[int]:
        """Slots of a bank's notes, in order; only those given after another one."""
        # "+" keeps SQLite from reading the whole bank where only its end is wanted
        column = "+bank" if after else "bank"
        rows = self._db.execute(
            f"SELECT slot FROM notes WHERE {column} = ? AND slot > ? ORDER BY slot", (bank, after)
        )
        return [slot for (slot,) in rows]

    def notes(self, slots: Sequence[int]) -> dict[int, Note]:
        """Notes by slot; slots that are empty are left out."""
        found = {}
        for some in _chunks(slots):
            rows = self._db.execute(
                "SELECT slot, number, name, created, packed, text, tags, links "
                f"FROM notes JOIN banks USING (bank) WHERE slot IN ({_marks(some)})",
                some,
            )
            for slot, number, name, created, packed, text, tags, links in rows:
                found[slot] = Note(
                    id=str(number),
                    text=zlib.decompress(text).decode() if packed else text,
                    bank=name,
                    tags=tuple(msgspec.json.decode(tags)),
                    links=tuple(msgspec.json.decode(links)),
                    created=created,
                )
        return found

    def pack(self, slots: Sequence[int]) -> None:
        """Compress the texts in these slots, where that makes them shorter."""
        for some in _chunks(slots):
            rows = self._db.execute(
                f"SELECT slot, text FROM notes WHERE packed = 0 AND slot IN ({_marks(some)})", some
            ).fetchall()
            for slot, text in rows:
                plain = text.encode()
                packed = zlib.compress(plain)
                if len(packed) < len(plain):
                    self._db.execute(
                        "UPDATE notes SET packed = 1, text = ? WHERE slot = ?", (packed, slot)
                    )

    def _log(self, bank: int, slot: int) -> None:
        """Tell other processes that what they know of a slot is no longer so."""
        self._db.execute("INSERT INTO changes(bank, slot) VALUES (?, ?)", (bank, slot))

    def changes(self, after: int) -> list[tuple[int, int, int]]:
        """What was changed or removed since: (change, bank, slot)."""
        query = "SELECT change, bank, slot FROM changes WHERE change > ? ORDER BY change"
        return self._db.execute(query, (after,)).fetchall()

    def last_change(self) -> int:
        """Number of the newest change."""
        row = self._db.execute("SELECT max(change) FROM changes").fetchone()
        return row[0] or 0

    # -- vectors ------------------------------------------------------------------------

    def embedder(self, name: str, dimensions: int) -> int:
        """Number of an embedder; its vectors have a table of their own."""
        row = (name, dimensions)
        with self.writing():
            self._db.execute("INSERT OR IGNORE INTO embedders(name, dimensions) VALUES (?, ?)", row)
            (number,) = self._db.execute(
                "SELECT embedder FROM embedders WHERE name = ? AND dimensions = ?", row
            ).fetchone()
            self._db.execute(
                f"CREATE TABLE IF NOT EXISTS vectors_{number} "
                "(slot INTEGER PRIMARY KEY, data BLOB NOT NULL)"
            )
        return number

    def put_vectors(self, embedder: int, rows: Iterable[tuple[int, Any]]) -> None:
        """Keep vectors (as bytes-like float16) by slot."""
        self._db.executemany(f"INSERT OR REPLACE INTO vectors_{embedder} VALUES (?, ?)", rows)

    def vectors(self, embedder: int, slots: Sequence[int]) -> list[tuple[int, bytes]]:
        """Vectors by slot, in order of slots; those that were never computed are left out."""
        found = []
        for some in _chunks(slots):
            found += self._db.execute(
                f"SELECT slot, data FROM vectors_{embedder} WHERE slot IN ({_marks(some)}) "
                "ORDER BY slot",
                some,
            ).fetchall()
        return found


def _map(path: Path) -> mmap.mmap | None:
    """A file that other processes write, as memory; None where that does not work."""
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), WAL_HEAD, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None


def _open(path: str) -> sqlite3.Connection:
    """Open the database and make its tables, waiting while another process does the same."""
    database = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=LOCK_SECONDS
    )
    # SQLite's own time-out does not cover the change to WAL, which wants the file alone.
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
            return database
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                database.close()
                raise
        time.sleep(0.02)


def _json(texts: Sequence[str]) -> str:
    return msgspec.json.encode(texts).decode() if texts else "[]"


def _chunks(values: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(values), FEW):
        yield values[start : start + FEW]


def _marks(values: Sequence[int]) -> str:
    return ",".join("?" * len(values))
