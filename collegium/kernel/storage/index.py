"""What the storage knows of its files: versions, passages for search by words, vectors.

One SQLite database. Each public method that changes something is one transaction: it happens as a
whole or not at all, whenever the process dies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.kernel.resources import Found, Version
from collegium.kernel.storage.passages import split, words

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
  id INTEGER PRIMARY KEY, owner TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
  current INTEGER NOT NULL, stamp TEXT NOT NULL, state TEXT NOT NULL, UNIQUE (owner, path));
CREATE TABLE IF NOT EXISTS versions (
  file INTEGER NOT NULL, number INTEGER NOT NULL, created REAL NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS versions_by_number ON versions (file, number);
CREATE TABLE IF NOT EXISTS passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL, embedder TEXT, vector BLOB);
CREATE INDEX IF NOT EXISTS passages_by_file ON passages (file);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
  body, tokenize = 'porter unicode61 remove_diacritics 2');
"""

Hit = tuple[int, int, float]
"""A file that a search found: its row, the passage that fits best, and a score."""

HERE, GONE, FOREIGN = "here", "gone", "foreign"
"""State of a file: as its newest version says; taken away by hand; no text that can be kept."""


class Row(msgspec.Struct, frozen=True):
    """One known file.

    Attributes:
        id: Its row.
        owner: Whose it is.
        path: Relative to the owner's folder.
        current: Number of its newest version; 0 when it never had one.
        stamp: Time, inode and size that the file system gives it while nobody has touched it.
        state: HERE, GONE or FOREIGN.
    """

    id: int
    owner: str
    path: str
    current: int
    stamp: str
    state: str


def stamp_of(info: os.stat_result | None) -> str:
    """What changes with a file's content, in short; "" of a file that is not there."""
    return f"{info.st_mtime_ns}:{info.st_ino}:{info.st_size}" if info else ""


class Index:
    """The database of one storage folder.

    Args:
        path: The file, made when missing.
        durable: Whether a commit waits until the disk has it.
        seconds: How long to wait for another process that writes.

    Raises:
        sqlite3.Error: It cannot be opened.
    """

    def __init__(self, path: Path, *, durable: bool, seconds: float) -> None:
        self._db = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=seconds
        )
        # No write-ahead log: it holds every text once more, and on a full disk cannot shrink.
        try:
            self._db.execute("PRAGMA journal_mode=TRUNCATE")
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
            with self.writing():
                for statement in SCHEMA.split(";"):
                    self._db.execute(statement)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, waiting for other processes; within another one it is part of that."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    # -- files and versions -------------------------------------------------------------

    def row(self, key: str) -> Row | None:
        """A file by its key."""
        found = self._db.execute(f"{_ROWS} WHERE key = ?", (key,)).fetchone()
        return Row(*found) if found else None

    def rows(self, owner: str) -> list[Row]:
        """All known files of an owner, by path."""
        query = f"{_ROWS} WHERE owner = ? ORDER BY path"
        return [Row(*found) for found in self._db.execute(query, (owner,))]

    def body(self, file: int, number: int) -> bytes | None:
        """The content of a version; None when it is not kept."""
        query = "SELECT body FROM versions WHERE file = ? AND number = ?"
        found = self._db.execute(query, (file, number)).fetchone()
        return found[0] if found else None

    def versions(self, file: int) -> list[Version]:
        """The versions of a file that are there, oldest first."""
        query = "SELECT number, length(body), created FROM versions WHERE file = ? ORDER BY number"
        return [Version(*found) for found in self._db.execute(query, (file,))]

    def add(
        self, owner: str, path: str, key: str, stamp: str, body: bytes, created: float
    ) -> Version:
        """Make a content the newest version of a file, known or not, and searchable."""
        with self.writing():
            row = self.row(key)
            number = row.current + 1 if row else 1
            if row:
                file = row.id
                self._set(file, number, stamp, HERE)
            else:
                file = self._insert(owner, path, key, number, stamp, HERE)
            self._db.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?)", (file, number, created, body)
            )
            self._reindex(file, body)
        return Version(number, len(body), created)

    def take_back(self, key: str, before: Row | None) -> None:
        """Undo the last :meth:`add`: the file is as it was before."""
        with self.writing():
            row = self.row(key)
            if row is None:
                return
            self._db.execute(
                "DELETE FROM versions WHERE file = ? AND number = ?", (row.id, row.current)
            )
            if before is None:
                self._reindex(row.id, b"")
                self._db.execute("DELETE FROM files WHERE id = ?", (row.id,))
                return
            self._set(row.id, before.current, before.stamp, before.state)
            kept = self.body(row.id, before.current) if before.state == HERE else None
            self._reindex(row.id, kept or b"")

    def prune(self, key: str, most: int) -> None:
        """Let go of the oldest versions of a file, so that no more than ``most`` stay."""
        row = self.row(key)
        if row is None or row.current <= most:
            return
        with self.writing():
            self._db.execute(
                "DELETE FROM versions WHERE file = ? AND number <= ?",
                (row.id, row.current - most),
            )

    def restamp(self, row: Row, stamp: str) -> None:
        """Note that a file was touched or moved but has the content of its newest version."""
        with self.writing():
            self._set(row.id, row.current, stamp, HERE)
            if row.state != HERE:
                self._reindex(row.id, self.body(row.id, row.current) or b"")

    def mark(self, owner: str, path: str, key: str, stamp: str, state: str) -> None:
        """Note that a file is GONE or FOREIGN: its versions stay, but no search finds it."""
        with self.writing():
            row = self.row(key)
            if row:
                self._set(row.id, row.current, stamp, state)
                self._reindex(row.id, b"")
            elif state != GONE:
                self._insert(owner, path, key, 0, stamp, state)

    def forget(self, row: Row) -> None:
        """Remove all that is known of a file."""
        with self.writing():
            self._reindex(row.id, b"")
            self._db.execute("DELETE FROM versions WHERE file = ?", (row.id,))
            self._db.execute("DELETE FROM files WHERE id = ?", (row.id,))

    def _insert(self, owner: str, path: str, key: str, number: int, stamp: str, state: str) -> int:
        values = (owner, path, key, number, stamp, state)
        done = self._db.execute(
            "INSERT INTO files (owner, path, key, current, stamp, state) VALUES (?,?,?,?,?,?)",
            values,
        )
        assert done.lastrowid is not None
        return done.lastrowid

    def _set(self, file: int, current: int, stamp: str, state: str) -> None:
        self._db.execute(
            "UPDATE files SET current = ?, stamp = ?, state = ? WHERE id = ?",
            (current, stamp, state, file),
        )

    # -- search -------------------------------------------------------------------------

    def _reindex(self, file: int, body: bytes) -> None:
        """Replace the passages of a file by those of a content."""
        self._db.execute(
            "DELETE FROM texts WHERE rowid IN (SELECT id FROM passages WHERE file = ?)", (file,)
        )
        self._db.execute("DELETE FROM passages WHERE file = ?", (file,))
        for text in split(body.decode()):
            done = self._db.execute("INSERT INTO passages (file) VALUES (?)", (file,))
            self._db.execute(
                "INSERT INTO texts (rowid, body) VALUES (?, ?)", (done.lastrowid, text)
            )

    def by_words(self, owner: str, query: str, most: int) -> list[Hit]:
        """The ``most`` best files for the words of a query: (file, passage, BM25 score)."""
        asked = " OR ".join(f'"{word}"' for word in words(query))
        if not asked:
            return []
        found: dict[int, Hit] = {}
        # FTS5 gives BM25 negated, so that the best comes first.
        rows = self._db.execute(
            "SELECT files.id, texts.rowid, -texts.rank FROM texts "
            "JOIN passages ON passages.id = texts.rowid JOIN files ON files.id = passages.file "
            "WHERE texts MATCH ? AND files.owner = ? ORDER BY texts.rank, files.path, texts.rowid",
            (asked, owner),
        )
        for file, passage, score in rows:
            found.setdefault(file, (file, passage, score))
            if len(found) == most:
                break
        rows.close()
        return list(found.values())

    def without_vector(self, owner: str, embedder: str) -> list[tuple[int, str]]:
        """Passages of an owner that this embedder has not read yet: (passage, text)."""
        query = (
            "SELECT passages.id, texts.body FROM passages JOIN files ON files.id = passages.file "
            "JOIN texts ON texts.rowid = passages.id "
            "WHERE files.owner = ? AND passages.embedder IS NOT ? ORDER BY passages.id"
        )
        return self._db.execute(query, (owner, embedder)).fetchall()

    def put_vectors(
        self, embedder: str, passages: Sequence[int], vectors: NDArray[np.float32]
    ) -> None:
        """Keep vectors of passages; of those rewritten meanwhile nothing is kept."""
        rows = [(embedder, v.tobytes(), p) for p, v in zip(passages, vectors, strict=True)]
        with self.writing():
            self._db.executemany("UPDATE passages SET embedder = ?, vector = ? WHERE id = ?", rows)

    def by_meaning(
        self, owner: str, embedder: str, query: NDArray[np.float32], most: int
    ) -> list[Hit]:
        """The ``most`` best files for a unit vector: (file, passage, cosine)."""
        import numpy as np

        rows: list[Any] = self._db.execute(
            "SELECT files.id, passages.id, passages.vector FROM passages "
            "JOIN files ON files.id = passages.file "
            "WHERE files.owner = ? AND passages.embedder = ? ORDER BY files.path, passages.id",
            (owner, embedder),
        ).fetchall()
        if not rows:
            return []
        vectors = np.frombuffer(b"".join(r[2] for r in rows), np.float32).reshape(len(rows), -1)
        cosines = vectors @ query.astype(np.float32)
        found: dict[int, Hit] = {}
        for i in np.argsort(-cosines, kind="stable"):
            file, passage, _ = rows[i]
            found.setdefault(file, (file, passage, float(cosines[i])))
            if len(found) == most:
                break
        return list(found.values())

    def found(self, hit: Hit) -> Found | None:
        """A hit as it is given back; None when its file has been rewritten meanwhile."""
        query = (
            "SELECT path, body FROM passages JOIN files ON files.id = passages.file "
            "JOIN texts ON texts.rowid = passages.id WHERE passages.id = ?"
        )
        read = self._db.execute(query, (hit[1],)).fetchone()
        return Found(*read, score=hit[2]) if read else None


_ROWS = "SELECT id, owner, path, current, stamp, state FROM files"
