"""Versioned files in a real folder: the part of the storage that touches the disk.

What lies in the folder is what counts; the index follows. A write goes in four steps, under the
file's lock:

1. the content goes to a file of its own beside the others (``.collegium/incoming``);
2. one transaction makes it the newest version and searchable;
3. a rename puts it in its place;
4. versions beyond the number kept are let go of.

A process that dies after step 2 leaves the incoming file, and whoever touches the file next ends
the write with it; one that dies before leaves nothing that counts. A removal puts the file aside
first; it is brought back unless the index has forgotten it by then. A file that a person changed,
added or removed by hand is noticed in the same way, by what the file system says of it, and its
content becomes a version.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from hashlib import blake2b
from pathlib import Path

from collegium.errors import BadInput, UnknownName, unknown_name
from collegium.kernel.atomic import Busy, locked, write_new
from collegium.kernel.resources import Version
from collegium.kernel.storage.index import FOREIGN, GONE, HERE, Index, Row, stamp_of
from collegium.kernel.storage.paths import (
    folder_name,
    look,
    opened,
    parts_of,
    read_bytes,
    walk,
    writable_text,
)

STATE_FOLDER = ".collegium"
"""What the storage keeps for itself, beside the owners' folders."""

REMOVED = ".removed"
"""Ends the name of a file that was put aside to be removed."""

TOGETHER = 64
"""Files changed by hand that are taken in at once."""

LARGEST = 16 * 2**20
"""Bytes of the largest file that is kept."""


class Files:
    """The files of one storage folder. Its methods block; one thread at a time may use it.

    Every method that names a file raises :class:`~collegium.kernel.atomic.Busy` at once when
    another process is writing that file.

    Args:
        folder: Made when missing.
        versions: How many versions of a file to keep.
        durable: Whether every change waits until the disk has it.
        seconds: How long to wait for the database.

    Raises:
        OSError: The folder cannot be made or written.
        sqlite3.Error: The index cannot be opened.
    """

    def __init__(self, folder: Path, *, versions: int, durable: bool, seconds: float) -> None:
        self.folder, self.versions, self.durable = folder, versions, durable
        state = folder / STATE_FOLDER
        self._incoming, self._locks = state / "incoming", state / "locks"
        for made in (self._incoming, self._locks):
            made.mkdir(parents=True, exist_ok=True)
        self.index = Index(state / "index.db", durable=durable, seconds=seconds)
        self._end_interrupted()

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    # -- what agents do -----------------------------------------------------------------

    def exists(self, owner: str, path: str) -> bool:
        """Whether there is such a file, or a version of one that was taken away by hand."""
        row = self._current(owner, parts_of(path))
        return row is not None and (row.current > 0 or row.state != GONE)

    def write(self, owner: str, path: str, text: str) -> Version:
        """Write a whole file: a new version.

        Raises:
            BadInput: The path or the text is no good, or what lies there is no text.
        """
        parts = parts_of(path)
        if not writable_text(text):
            raise BadInput(f"the text for {path!r} holds half a character (a lone surrogate).")
        body = text.encode()
        if len(body) > LARGEST:
            raise BadInput(
                f"the text for {path!r} has {len(body):,} bytes; the most is {LARGEST:,}."
            )
        with self._locked(owner, parts):
            return self._write(owner, parts, body)

    def read(self, owner: str, path: str, version: int | None) -> str:
        """The text of a file, of its newest version unless one is named.

        Raises:
            UnknownName: There is no such file or version.
            BadInput: It holds no text.
        """
        row = self._known(owner, parts_of(path))
        if version is None and row.state != HERE:
            raise self._not_text(row) if row.state == FOREIGN else self._unknown(row)
        number = row.current if version is None else version
        body = self.index.body(row.id, number) if number in self._kept(row) else None
        if body is None:
            kept = self._kept(row)
            has = f"versions {kept[0]} to {kept[-1]} are kept" if kept else "none is kept"
            raise UnknownName(f"unknown version {number} of {row.path}; {has}.")
        return body.decode()

    def history(self, owner: str, path: str) -> list[Version]:
        """The versions of a file that are kept, oldest first."""
        row = self._known(owner, parts_of(path))
        return [v for v in self.index.versions(row.id) if v.number in self._kept(row)]

    def roll_back(self, owner: str, path: str, steps: int, when: float | None) -> Version:
        """Make an earlier version the newest one, by number of steps or by time.

        Of two versions equally near a time the older one is taken. A file that was taken away
        by hand comes back.

        Raises:
            UnknownName: There is no such file.
            BadInput: That version is not kept.
        """
        parts = parts_of(path)
        with self._locked(owner, parts):
            row = self._settled(owner, parts)
            if row is None or not row.current:
                raise self._unknown_path(owner, parts)
            kept = [v for v in self.index.versions(row.id) if v.number in self._kept(row)]
            # of a file that was taken away, the newest version is one step back
            newest = row.current + (row.state == GONE)
            if when is not None:
                number = min(kept, key=lambda v: (abs(v.created - when), v.number)).number
            elif 1 <= steps <= newest - kept[0].number:
                number = newest - steps
            elif newest == kept[0].number:
                raise BadInput(f"{row.path} has no earlier version to roll back to.")
            else:
                most = newest - kept[0].number
                raise BadInput(f"{row.path} can be rolled back by 1 to {most} steps, not {steps}.")
            body = self.index.body(row.id, number)
            assert body is not None
            return self._write(owner, parts, body)

    def remove(self, owner: str, path: str) -> bool:
        """Remove a file with all its versions; says whether it was there."""
        parts = parts_of(path)
        with self._locked(owner, parts):
            row = self._settled(owner, parts)
            if row is None:
                return False
            aside = self._incoming / f"{_key(owner, parts)}{REMOVED}"
            with self._beside(owner, parts, make=True) as folder:
                if row.state != GONE:
                    os.replace(parts[-1], aside, src_dir_fd=folder)
                    self._sync(folder)
                try:
                    self.index.forget(row)
                except BaseException:
                    with suppress(FileNotFoundError):
                        os.replace(aside, parts[-1], dst_dir_fd=folder)
                    raise
            aside.unlink(missing_ok=True)
            return row.current > 0 or row.state != GONE

    def paths(self, owner: str, below: str) -> tuple[str, ...]:
        """The files of an owner, sorted; only those in a folder unless it is ""."""
        inside = ""
        if below not in ("", "."):
            inside = "/".join(parts_of(below.rstrip("/") or below)) + "/"
        self.refresh(owner)
        rows = self.index.rows(owner)
        return tuple(r.path for r in rows if r.state == HERE and r.path.startswith(inside))

    def refresh(self, owner: str) -> None:
        """Notice what was changed by hand among an owner's files, and what a dead process left."""
        known = {row.path: row for row in self.index.rows(owner)}
        seen = {path: stamp_of(info) for path, info in walk(self.folder / folder_name(owner))}
        changed = [p for p, stamp in seen.items() if p not in known or known[p].stamp != stamp]
        changed += [p for p, row in known.items() if p not in seen and row.state != GONE]
        for i in range(0, len(changed), TOGETHER):
            self._settle_together(owner, changed[i : i + TOGETHER])

    def _settle_together(self, owner: str, paths: Sequence[str]) -> None:
        """Settle some files in one transaction, which ends before their locks do."""
        with ExitStack() as held:
            free: dict[Path, bool] = {}
            for path in paths:
                lock = self._lock(owner, tuple(path.split("/")))
                if lock not in free:
                    free[lock] = True
                    try:
                        held.enter_context(locked(lock))
                    except Busy:  # being written by another process: it is as its last version was
                        free[lock] = False
            with self.index.writing():
                for path in paths:
                    parts = tuple(path.split("/"))
                    if free[self._lock(owner, parts)]:
                        try:
                            self._settled(owner, parts)
                        except BadInput:  # a symbolic link has taken its place
                            self.index.mark(owner, path, _key(owner, parts), "", GONE)

    # -- how ----------------------------------------------------------------------------

    def _write(self, owner: str, parts: tuple[str, ...], body: bytes) -> Version:
        """Put a content in a file's place (the lock is held)."""
        before, path, key = self._settled(owner, parts), "/".join(parts), _key(owner, parts)
        if before is not None and before.state == FOREIGN:
            raise self._not_text(before)
        number = before.current + 1 if before else 1
        with self._beside(owner, parts, make=True) as folder:
            there = look(folder, parts[-1])
            if there is not None and stat.S_ISDIR(there.st_mode):
                raise BadInput(f"{path} is a folder, not a file.")
            new = self._incoming / f"{key}.{number}"
            info = write_new(new, body, durable=self.durable)
            try:
                version = self.index.add(owner, path, key, stamp_of(info), body, time.time())
            except BaseException:
                new.unlink()
                raise
            try:
                os.replace(new, parts[-1], dst_dir_fd=folder)
            except BaseException:
                self.index.take_back(key, before)
                new.unlink()
                raise
            self._sync(folder)
        self._prune(key)
        return version

    def _current(self, owner: str, parts: tuple[str, ...]) -> Row | None:
        """What is known of a file, once that agrees with the folder."""
        row = self.index.row(_key(owner, parts))
        if stamp_of(self._look(owner, parts)) == (row.stamp if row else ""):
            return row
        with self._locked(owner, parts):
            return self._settled(owner, parts)

    def _settled(self, owner: str, parts: tuple[str, ...]) -> Row | None:
        """Make the index agree with the folder about one file (the lock is held)."""
        path, key = "/".join(parts), _key(owner, parts)
        row, there = self.index.row(key), self._look(owner, parts)
        stamp = stamp_of(there)
        if stamp == (row.stamp if row else ""):
            return row
        # What a process that died had committed and not put in place, or put aside and not removed.
        left = [self._incoming / f"{key}.{row.current}"] if row else []
        left += [self._incoming / f"{key}{REMOVED}"] if row and there is None else []
        for waiting in left:
            with suppress(FileNotFoundError):
                if stamp_of(waiting.lstat()) == row.stamp:  # pyright: ignore
                    with self._beside(owner, parts, make=True) as folder:
                        os.replace(waiting, parts[-1], dst_dir_fd=folder)
                        self._sync(folder)
                    self._prune(key)
                    return row
        if there is None:
            self.index.mark(owner, path, key, "", GONE)
            return self.index.row(key)
        body = self._text_at(owner, parts, there)
        if body is None:
            self.index.mark(owner, path, key, stamp, FOREIGN)
        elif row is not None and body == self.index.body(row.id, row.current):
            self.index.restamp(row, stamp)
        else:
            self.index.add(owner, path, key, stamp, body, there.st_mtime)
            self._prune(key)
        return self.index.row(key)

    def _end_interrupted(self) -> None:
        """End the writes that were interrupted by the death of a process."""
        for left in list(self._incoming.iterdir()):
            key, _, _ = left.name.partition(".")
            with (
                suppress(Busy, FileNotFoundError, BadInput),
                locked(self._locks / key[:4]),
            ):
                row = self.index.row(key)
                if row is not None:
                    self._settled(row.owner, tuple(row.path.split("/")))
                left.unlink()  # unless it was put in its place

    def _text_at(self, owner: str, parts: tuple[str, ...], there: os.stat_result) -> bytes | None:
        """The content of a file that somebody else wrote; None when it cannot be kept as text."""
        if not stat.S_ISREG(there.st_mode) or there.st_size > LARGEST:
            return None
        try:
            with self._beside(owner, parts) as folder:
                body = read_bytes(folder, parts[-1])
            body.decode()
        except (PermissionError, UnicodeDecodeError):
            return None
        return body

    def _look(self, owner: str, parts: tuple[str, ...]) -> os.stat_result | None:
        """What the file system says of a file.

        Raises:
            BadInput: A symbolic link lies on the way, or at its end.
        """
        try:
            with self._beside(owner, parts) as folder:
                there = look(folder, parts[-1])
        except FileNotFoundError:
            return None
        if there is not None and stat.S_ISLNK(there.st_mode):
            raise BadInput(f"{'/'.join(parts)} is a symbolic link, which is not followed.")
        return there if there is None or not stat.S_ISDIR(there.st_mode) else None

    def _beside(
        self, owner: str, parts: tuple[str, ...], *, make: bool = False
    ) -> AbstractContextManager[int]:
        """The folder that a file lies in, open."""
        return opened(self.folder, (folder_name(owner), *parts[:-1]), make=make)

    def _locked(self, owner: str, parts: tuple[str, ...]) -> AbstractContextManager[None]:
        """The lock of a file; a few files may share one."""
        return locked(self._lock(owner, parts))

    def _lock(self, owner: str, parts: tuple[str, ...]) -> Path:
        return self._locks / _key(owner, parts)[:4]

    def _prune(self, key: str) -> None:
        """Let go of the oldest versions; where the disk is full the next write does."""
        with suppress(sqlite3.Error):
            self.index.prune(key, self.versions)

    def _sync(self, folder: int) -> None:
        if self.durable:
            os.fsync(folder)

    def _kept(self, row: Row) -> range:
        """The numbers of the versions that count: a death may have left more."""
        return range(max(1, row.current - self.versions + 1), row.current + 1)

    def _known(self, owner: str, parts: tuple[str, ...]) -> Row:
        row = self._current(owner, parts)
        if row is None:
            raise self._unknown_path(owner, parts)
        return row

    def _unknown(self, row: Row) -> Exception:
        return self._unknown_path(row.owner, tuple(row.path.split("/")))

    def _unknown_path(self, owner: str, parts: tuple[str, ...]) -> Exception:
        here = [r.path for r in self.index.rows(owner) if r.state == HERE]
        return unknown_name(f"file of {owner!r}", "/".join(parts), here)

    def _not_text(self, row: Row) -> BadInput:
        return BadInput(
            f"{row.path} is not a UTF-8 text of at most {LARGEST:,} bytes; "
            "only such files are read and written here."
        )


def _key(owner: str, parts: tuple[str, ...]) -> str:
    """Names a file in the index, and its lock by the first digits."""
    return blake2b("\0".join((folder_name(owner), *parts)).encode(), digest_size=16).hexdigest()
