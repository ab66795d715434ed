"""The run store: runs, results, traces, cached replies and tool results in one SQLite file."""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput, DiskFull, unknown_name
from collegium.kernel.calls import Reply, Usage, UseTool
from collegium.kernel.trace import Event, decode_event, encode_event

BATCH = 64
"""Events that may wait for one commit; what took real time or changed the world never waits."""

WORTH_KEEPING = 1e-3
"""Seconds: an event that took longer is committed before its caller goes on."""

RESERVE_BYTES = 2 << 20
"""Room that is set aside on the disk for what a run has in hand when the disk fills up."""

LOCK_SECONDS = 30.0
"""How long to wait for another process that holds the store."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
  spec TEXT NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_key ON runs (key, created);
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (created, id);
CREATE TABLE IF NOT EXISTS totals (
  run TEXT PRIMARY KEY, tokens INTEGER NOT NULL, limited INTEGER NOT NULL, data BLOB NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
  run TEXT NOT NULL, system TEXT NOT NULL, task TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (run, system, task)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  run TEXT NOT NULL, system TEXT NOT NULL, task TEXT NOT NULL,
  attempt INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_item ON events (run, system, task);
CREATE TABLE IF NOT EXISTS replies (
  key TEXT NOT NULL, sample INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (key, sample)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tool_results (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""


class RunRow(msgspec.Struct, frozen=True):
    """A run as stored: what was asked for (``spec``) and how far it came (``status``)."""

    id: str
    created: str
    kind: str
    key: str
    spec: dict[str, Any]
    status: str


class Totals(msgspec.Struct, frozen=True):
    """What a run came to.

    Attributes:
        answer: The answer as text; "" for none, and for runs that are many.
        limited: The sentence of the limit or guard that ended it, "" when none did.
        calls: Generations.
        usage: Tokens and money.
        seconds: Wall-clock time.
    """

    answer: str = ""
    limited: str = ""
    calls: int = 0
    usage: Usage = Usage()
    seconds: float = 0.0


def default_path() -> Path:
    """Where runs are kept: $COLLEGIUM_HOME/runs.db, by default under ~/.local/share/collegium."""
    home = os.environ.get("COLLEGIUM_HOME")
    if home:
        return Path(home) / "runs.db"
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "collegium" / "runs.db"


def _open(path: Path | None) -> sqlite3.Connection:
    """Open the database and make its tables, waiting while another process does the same.

    Raises:
        sqlite3.Error: It cannot be opened, or stayed locked for too long.
    """
    database = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, timeout=LOCK_SECONDS
    )
    # SQLite's own time-out does not cover the change to WAL, which wants the file alone.
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(SCHEMA)
            return database
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                database.close()
                raise
        time.sleep(0.02)


def _put_totals(db: sqlite3.Connection, run: str, totals: Totals) -> None:
    row = (run, totals.usage.tokens, bool(totals.limited), msgspec.json.encode(totals))
    db.execute("INSERT OR REPLACE INTO totals VALUES (?, ?, ?, ?)", row)


class RunStore:
    """One SQLite database in WAL mode; every write survives the death of the process.

    Args:
        path: The file, made when missing; None keeps everything in memory.

    Raises:
        BadInput: The file cannot be opened or is not a run store.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _open(path)
        except (OSError, sqlite3.Error) as error:
            raise BadInput(f"cannot open the run store {path}: {error}.") from None
        self._reserve = path.with_name(f"{path.name}.reserve") if path else None
        self._waiting: list[tuple[str, str, str, int, bytes]] = []

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, all or nothing; waits while another process holds the lock."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise DiskFull(
                    "cannot write to the run store: the disk is full. What was finished is kept; "
                    "free some space and go on with --resume."
                ) from None
            raise BadInput(f"cannot write to the run store: {error}.") from None
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _surely(self, write: Callable[[sqlite3.Connection], None]) -> None:
        """Write what was paid for, on a full disk into the room that was set aside for it.

        Raises:
            DiskFull: The disk is full. What was to be written is, if there was room set aside.
        """
        try:
            with self._writing() as db:
                write(db)
        except DiskFull as full:
            if self._reserve is None or not self._reserve.exists():
                raise
            self._reserve.unlink()
            with self._writing() as db:
                write(db)
            full.kept = True
            raise

    def _set_aside(self) -> None:
        """Keep some of the disk for the last results of a run that fills it."""
        if self._reserve is not None and not self._reserve.exists():
            partial = self._reserve.with_suffix(f".{os.getpid()}.part")
            try:
                partial.write_bytes(bytes(RESERVE_BYTES))
                partial.replace(self._reserve)
            except OSError:  # there is too little room now: the first write will say so
                partial.unlink(missing_ok=True)

    # -- runs ---------------------------------------------------------------------------

    def begin(self, kind: str, key: str, spec: dict[str, Any]) -> str:
        """Note a new run; returns its id (time, and letters enough for many runs a second)."""
        now = datetime.now(UTC)
        run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        row = (run, now.isoformat(), kind, key, msgspec.json.encode(spec).decode(), "running")
        with self._writing() as db:
            db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)
        return run

    def finish(self, run: str, status: str, totals: Totals | None = None) -> None:
        """Set a run's status ("done", "interrupted", "failed"), and what it came to."""
        self.flush()
        with self._writing() as db:
            db.execute("UPDATE runs SET status = ? WHERE id = ?", (status, run))
            if totals is not None:
                _put_totals(db, run, totals)

    def put_totals(self, totals: Mapping[str, Totals]) -> None:
        """Keep what runs came to, by their ids."""
        with self._writing() as db:
            for run, came_to in totals.items():
                _put_totals(db, run, came_to)

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query that only reads: for views of the store such as its history."""
        self.flush()
        return self._db.execute(query, values).fetchall()

    def latest(self, key: str) -> RunRow | None:
        """The newest run with this key: what ``--resume`` goes on with."""
        rows = self._rows("WHERE key = ? ORDER BY created DESC LIMIT 1", (key,))
        return rows[0] if rows else None

    def run(self, run: str) -> RunRow:
        """A run by id, by the beginning of its id, or "last".

        Raises:
            UnknownName: There is no such run.
            BadInput: Several runs begin like that.
        """
        if run == "last":
            rows = self._rows("ORDER BY created DESC LIMIT 1", ())
        else:
            rows = self._rows("WHERE id = ?", (run,)) or self._rows(
                "WHERE substr(id, 1, ?) = ? ORDER BY created DESC LIMIT 2", (len(run), run)
            )
        if len(rows) > 1:
            raise BadInput(f"several runs begin with {run!r}; give more of the id.")
        if not rows:
            known = [r.id for r in self.runs(12)]
            raise unknown_name("run", run, known)
        return rows[0]

    def runs(self, limit: int = 50) -> list[RunRow]:
        """The newest runs, newest first."""
        return self._rows("ORDER BY created DESC LIMIT ?", (limit,))

    def runs_since(self, created: str) -> list[RunRow]:
        """All runs that began at a moment or after it, newest first; "" gives all there are."""
        return self._rows("WHERE created >= ? ORDER BY created DESC", (created,))

    def _rows(self, where: str, values: Sequence[Any]) -> list[RunRow]:
        query = f"SELECT id, created, kind, key, spec, status FROM runs {where}"
        return [
            RunRow(i, c, kd, ky, msgspec.json.decode(spec), status)
            for i, c, kd, ky, spec, status in self._db.execute(query, values)
        ]

    # -- results ------------------------------------------------------------------------

    def put_result(self, run: str, system: str, task: str, data: bytes) -> None:
        """Keep the finished result of one system on one task.

        The events of earlier, interrupted attempts go: the last one replayed what they had paid.
        """
        self.flush()
        item = (run, system, task)

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", (*item, data))
            db.execute(
                "DELETE FROM events WHERE run = ?1 AND system = ?2 AND task = ?3 AND attempt < "
                "(SELECT max(attempt) FROM events WHERE run = ?1 AND system = ?2 AND task = ?3)",
                item,
            )

        self._surely(write)

    def results(self, run: str) -> dict[tuple[str, str], bytes]:
        """All finished results of a run by (system, task)."""
        rows = self._db.execute("SELECT system, task, data FROM results WHERE run = ?", (run,))
        return {(system, task): data for system, task, data in rows}

    # -- events -------------------------------------------------------------------------

    def sink(self, run: str, system: str, task: str) -> Callable[[Event], None]:
        """A trace sink that keeps every event of a new attempt of one system at one task."""
        query = "SELECT max(attempt) FROM events WHERE run = ? AND system = ? AND task = ?"
        (last,) = self._db.execute(query, (run, system, task)).fetchone()
        attempt = (last or 0) + 1
        self._set_aside()

        def keep(event: Event) -> None:
            self._waiting.append((run, system, task, attempt, encode_event(event)))
            kept_at_once = event.seconds > WORTH_KEEPING or isinstance(event.call, UseTool)
            if kept_at_once or len(self._waiting) >= BATCH:
                self.flush()

        return keep

    def flush(self) -> None:
        """Commit the events that wait; retries while another process holds the lock.

        Raises:
            BadInput: The disk is full or the store cannot be written; nothing is lost from
                memory, and a later flush writes it.
        """
        if not self._waiting:
            return
        waiting = list(self._waiting)

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", waiting)

        try:
            self._surely(write)
        except DiskFull as full:
            if full.kept:
                self._waiting.clear()
            raise
        self._waiting.clear()

    def events(
        self, run: str, system: str | None = None, task: str | None = None
    ) -> list[tuple[str, str, Event]]:
        """Events of a run as (system, task, event), in the order recorded.

        Of a task that was attempted several times only the last attempt: it replayed what the
        earlier ones had paid for.
        """
        self.flush()
        query = (
            "SELECT system, task, data FROM events AS e WHERE run = ? AND attempt = (SELECT "
            "max(attempt) FROM events WHERE run = e.run AND system = e.system AND task = e.task)"
        )
        values = [run]
        if system is not None:
            query, values = query + " AND system = ?", [*values, system]
        if task is not None:
            query, values = query + " AND task = ?", [*values, task]
        rows = self._db.execute(query + " ORDER BY rowid", values)
        return [(s, t, decode_event(data)) for s, t, data in rows]

    def attempts(self, run: str, system: str, task: str) -> list[list[Event]]:
        """Events of each interrupted attempt at a task, oldest attempt first."""
        self.flush()
        query = (
            "SELECT attempt, data FROM events WHERE run = ? AND system = ? AND task = ? "
            "ORDER BY attempt, rowid"
        )
        by_attempt: dict[int, list[Event]] = {}
        for attempt, data in self._db.execute(query, (run, system, task)):
            by_attempt.setdefault(attempt, []).append(decode_event(data))
        return list(by_attempt.values())

    # -- cached replies -----------------------------------------------------------------

    def get_reply(self, key: str, sample: int) -> Reply[Any] | None:
        """A cached reply, or None."""
        query = "SELECT data FROM replies WHERE key = ? AND sample = ?"
        row = self._db.execute(query, (key, sample)).fetchone()
        return msgspec.json.decode(row[0], type=Reply[Any]) if row else None

    def put_reply(self, key: str, sample: int, reply: Reply[Any]) -> None:
        """Keep a reply for the response cache."""
        row = (key, sample, msgspec.json.encode(reply))
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", row)

    # -- results of pure tools ----------------------------------------------------------

    def get_tool_result(self, key: str) -> bytes | None:
        """The kept result of a pure tool, as JSON, or None."""
        query = "SELECT data FROM tool_results WHERE key = ?"
        row = self._db.execute(query, (key,)).fetchone()
        return row[0] if row else None

    def put_tool_result(self, key: str, result: bytes) -> None:
        """Keep the result of a pure tool."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO tool_results VALUES (?, ?)", (key, result))

    def close(self) -> None:
        """Commit and close."""
        self.flush()
        self._db.close()
