"""Who may change the world when several active core-agents have equal rights: leases and a ledger.

The paper asks for consensus among uniform active core-agents and leaves the means open; this one is
ours. A core-agent that wants to act stands for leader. Claims of one term are collected for a short
window; the highest (term, id) wins, as in the bully algorithm (Garcia-Molina, 1982), and holds a
lease that it renews. When the lease lapses, a new term begins. A side effect is carried out under
the number it has in the task, once, in one transaction with the record of it; so a leader that
comes after a crash neither repeats nor loses one. A leader whose lease has lapsed or whose term is
over is refused (its term is a fencing token).

Time is an argument everywhere: a clock that tests can turn is as good as a real one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from collegium.errors import Denied
from collegium.kernel import Tool, tool

LEASE = 5.0
"""Seconds a lease lasts unless it is renewed."""

WINDOW = 0.5
"""Seconds in which claims of one term are collected."""

TABLES = """
CREATE TABLE IF NOT EXISTS umf_lease (
  term INTEGER PRIMARY KEY, leader TEXT NOT NULL, begins REAL NOT NULL, expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS umf_claims (
  term INTEGER NOT NULL, member TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (term, member));
CREATE TABLE IF NOT EXISTS umf_effects (
  id TEXT PRIMARY KEY, member TEXT NOT NULL, term INTEGER NOT NULL, what TEXT NOT NULL,
  result BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS umf_closed (term INTEGER NOT NULL);
"""


class Claim(msgspec.Struct, frozen=True, order=True):
    """A bid for the lead; claims compare by term and then by id."""

    term: int
    id: str


class Lease(msgspec.Struct, frozen=True):
    """The lead of one term: who has it, since when and until when (seconds of the clock)."""

    term: int
    leader: str
    begins: float
    expires: float


class Effect(msgspec.Struct, frozen=True):
    """A side effect that was carried out: its id, by whom, in which term (0: without a lead)."""

    id: str
    member: str
    term: int
    what: str
    result: Any


class Outcome(msgspec.Struct, frozen=True):
    """What the ledger says of a side effect.

    Attributes:
        done: Whether it was carried out.
        result: What it gave.
        closed: Whether the list of side effects is ended.
    """

    done: bool
    result: Any = None
    closed: bool = False


class Ledger:
    """Leases and side effects of one task, in the database that the side effects change.

    Args:
        database: Where they are kept; side effects on the same connection are atomic with their
            record.
        lease: Seconds a lease lasts.
        window: Seconds in which claims of one term are collected.
    """

    def __init__(
        self, database: sqlite3.Connection, *, lease: float = LEASE, window: float = WINDOW
    ) -> None:
        self.database, self.lease, self.window = database, lease, window
        database.isolation_level = None  # transactions are begun and ended here
        database.executescript(TABLES)

    def current(self) -> Lease | None:
        """The newest lease, lapsed or not."""
        row = self.database.execute(
            "SELECT term, leader, begins, expires FROM umf_lease ORDER BY term DESC LIMIT 1"
        ).fetchone()
        return Lease(*row) if row else None

    def leases(self) -> tuple[Lease, ...]:
        """Every lease there was, by term."""
        rows = self.database.execute(
            "SELECT term, leader, begins, expires FROM umf_lease ORDER BY term"
        )
        return tuple(Lease(*row) for row in rows)

    def stand(self, member: str, now: float) -> Lease | None:
        """Stand for leader, or renew the lead one has.

        Args:
            member: Who stands.
            now: Seconds of the clock.

        Returns:
            The lease that holds now, whoever's it is; None while claims are being collected.
        """
        with self._transaction():
            last = self.current()
            if last is not None and now < last.expires:
                if last.leader == member:
                    last = msgspec.structs.replace(last, expires=now + self.lease)
                    self._put(last)
                return last
            term = last.term + 1 if last else 1
            self.database.execute(
                "INSERT OR IGNORE INTO umf_claims VALUES (?, ?, ?)", (term, member, now)
            )
            rows = self.database.execute(
                "SELECT member, at FROM umf_claims WHERE term = ?", (term,)
            ).fetchall()
            if now - min(at for _, at in rows) < self.window:
                return None
            won = max(Claim(term, id) for id, _ in rows)
            lease = Lease(won.term, won.id, now, now + self.lease)
            self._put(lease)
            return lease

    def effect(self, id: str) -> Effect | None:
        """A side effect that was carried out."""
        row = self.database.execute(
            "SELECT id, member, term, what, result FROM umf_effects WHERE id = ?", (id,)
        ).fetchone()
        return _effect(row) if row else None

    def effects(self) -> tuple[Effect, ...]:
        """All side effects that were carried out, in order."""
        rows = self.database.execute(
            "SELECT id, member, term, what, result FROM umf_effects ORDER BY rowid"
        )
        return tuple(_effect(row) for row in rows)

    def once(
        self, id: str, member: str, term: int, now: float, what: str, do: Callable[[], Any]
    ) -> Any:
        """Carry out a side effect, unless it was already.

        Args:
            id: Names the side effect within its task; "" is one that nobody agreed on.
            member: Who carries it out.
            term: The term in which that core-agent leads; 0 where there is no election.
            now: Seconds of the clock.
            what: What it is, for the record.
            do: Carries it out on this ledger's database.

        Returns:
            Its result, or the result it had the first time.

        Raises:
            Denied: The core-agent does not hold the lead.
        """
        with self._transaction():
            known = self.effect(id) if id else None
            if known is not None:
                return known.result
            last = self.current()
            if last is not None and (
                (term, member) != (last.term, last.leader) or now >= last.expires
            ):
                raise Denied(
                    f"core-agent {member!r} may not act in term {term}: the lead of term "
                    f"{last.term} is with {last.leader!r} until {last.expires:g} s, "
                    f"and it is {now:g} s."
                )
            result = do()
            (count,) = self.database.execute("SELECT count(*) FROM umf_effects").fetchone()
            row = (id or f"{member}/{count + 1}", member, term, what, msgspec.json.encode(result))
            self.database.execute("INSERT INTO umf_effects VALUES (?, ?, ?, ?, ?)", row)
            return result

    def close(self, member: str, term: int) -> None:
        """End the task's list of side effects: the leader has done all it saw fit.

        Raises:
            Denied: The core-agent does not hold the lead.
        """
        last = self.current()
        if last is not None and (term, member) != (last.term, last.leader):
            raise Denied(f"core-agent {member!r} may not close the ledger in term {term}.")
        self.database.execute("INSERT INTO umf_closed VALUES (?)", (term,))

    @property
    def closed(self) -> bool:
        """Whether the list of side effects is ended."""
        return self.database.execute("SELECT 1 FROM umf_closed").fetchone() is not None

    def _put(self, lease: Lease) -> None:
        self.database.execute(
            "INSERT OR REPLACE INTO umf_lease VALUES (?, ?, ?, ?)", msgspec.structs.astuple(lease)
        )

    def _transaction(self) -> _Transaction:
        return _Transaction(self.database)


class _Transaction:
    """All or nothing."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def __enter__(self) -> None:
        self.database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.database.execute("ROLLBACK" if kind else "COMMIT")


def _effect(row: tuple[Any, ...]) -> Effect:
    id, member, term, what, result = row
    return Effect(id, member, term, what, msgspec.json.decode(result))


def conflicts(effects: tuple[Effect, ...]) -> int:
    """Side effects that came after another core-agent's with the same authority.

    In one term there is one leader, so under an election this is 0 as long as the ledger holds its
    promise; without one, everybody acts in term 0.
    """
    return sum(
        any(e.term == other.term and e.member != other.member for other in effects[:i])
        for i, e in enumerate(effects)
    )


def coordination(ledger: Ledger) -> list[Tool]:
    """The tools by which active core-agents agree through a ledger; code uses them, not models."""

    async def stand(member: str, now: float) -> Lease | None:
        """Stand for leader or renew the lead."""
        return ledger.stand(member, now)

    async def outcome(action: str) -> Outcome:
        """What became of a side effect."""
        known = ledger.effect(action)
        return Outcome(known is not None, known.result if known else None, ledger.closed)

    # doctor: ignore[TRE] code uses it, no model observes it, and ending the list has no result
    async def close(member: str, term: int) -> None:
        """End the list of side effects."""
        ledger.close(member, term)

    return [tool(stand), tool(outcome), tool(close)]


COORDINATION = ("stand", "outcome", "close")
"""Names of these tools."""
