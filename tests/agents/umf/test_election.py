"""The ledger: who leads when, and side effects that are carried out once."""

import sqlite3
from pathlib import Path

import pytest

from collegium.agents.umf import Claim, Effect, Lease, Ledger, conflicts
from collegium.errors import Denied


@pytest.fixture
def ledger() -> Ledger:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE done (what TEXT)")
    return Ledger(database)


def act(ledger: Ledger, id: str, member: str, term: int, now: float) -> object:
    def do() -> int:
        ledger.database.execute("INSERT INTO done VALUES (?)", (id,))
        return len(rows(ledger))

    return ledger.once(id, member, term, now, f"do {id}", do)


def rows(ledger: Ledger) -> list[str]:
    return [what for (what,) in ledger.database.execute("SELECT what FROM done")]


def test_claims_compare_by_term_and_then_by_id() -> None:
    assert max(Claim(1, "z"), Claim(2, "a"), Claim(2, "b")) == Claim(2, "b")


def test_the_highest_id_of_a_term_wins_whoever_comes_first(ledger: Ledger) -> None:
    assert ledger.stand("b", 0.0) is None
    assert ledger.stand("c", 0.2) is None
    assert ledger.stand("a", 0.4) is None
    assert ledger.stand("a", 0.5) == Lease(1, "c", 0.5, 5.5)
    assert ledger.stand("d", 0.6) == Lease(1, "c", 0.5, 5.5)  # too late for this term


def test_a_lease_is_renewed_by_its_holder_alone_and_lapses(ledger: Ledger) -> None:
    ledger.stand("b", 0.0)
    assert ledger.stand("b", 0.5) == Lease(1, "b", 0.5, 5.5)
    assert ledger.stand("a", 4.0) == Lease(1, "b", 0.5, 5.5)
    assert ledger.stand("b", 5.0) == Lease(1, "b", 0.5, 10.0)
    assert ledger.stand("a", 9.9) == Lease(1, "b", 0.5, 10.0)
    assert ledger.stand("a", 10.0) is None  # lapsed: claims of term 2 are open
    assert ledger.stand("a", 10.5) == Lease(2, "a", 10.5, 15.5)
    # The old leader is back: it has to wait like anybody else.
    assert ledger.stand("b", 10.6) == Lease(2, "a", 10.5, 15.5)
    assert [lease.term for lease in ledger.leases()] == [1, 2]


@pytest.mark.must_show("umf", 6)
def test_a_leader_is_replaced_within_two_leases(ledger: Ledger) -> None:
    ledger.stand("c", 0.0)
    lease = ledger.stand("c", 0.5)
    assert lease is not None and lease.leader == "c"
    act(ledger, "effect-1", "c", 1, 1.0)
    ledger.stand("c", 2.0)  # its last renewal; then it dies
    died, now = 2.0, 2.0
    while (lease := ledger.stand("a", now)) is None or lease.leader != "a":
        now += 0.5
    assert (lease.term, lease.begins - died) == (2, 5.5)
    assert lease.begins - died <= 2 * ledger.lease
    assert act(ledger, "effect-1", "a", 2, now) == 1  # known: its first result, nothing is done
    act(ledger, "effect-2", "a", 2, now)
    assert rows(ledger) == ["effect-1", "effect-2"]


@pytest.mark.must_show("umf", 6)
def test_a_leader_of_the_past_is_refused(ledger: Ledger) -> None:
    ledger.stand("b", 0.0)
    ledger.stand("b", 0.5)
    with pytest.raises(Denied, match="the lead of term 1 is with 'b'"):
        act(ledger, "effect-1", "a", 1, 1.0)
    with pytest.raises(Denied, match=r"until 5\.5 s"):
        act(ledger, "effect-1", "b", 1, 5.5)  # lapsed, though nobody has taken over yet
    ledger.stand("a", 6.0)
    ledger.stand("a", 6.5)
    with pytest.raises(Denied):
        act(ledger, "effect-1", "b", 1, 6.6)
    with pytest.raises(Denied):
        ledger.close("b", 1)
    assert rows(ledger) == []
    ledger.close("a", 2)
    assert ledger.closed


def test_what_fails_is_neither_done_nor_recorded(ledger: Ledger) -> None:
    def half() -> None:
        ledger.database.execute("INSERT INTO done VALUES ('half')")
        raise sqlite3.OperationalError("no more")

    with pytest.raises(sqlite3.OperationalError):
        ledger.once("effect-1", "a", 0, 0.0, "half of it", half)
    assert rows(ledger) == [] and ledger.effects() == ()
    act(ledger, "effect-1", "a", 0, 0.0)
    assert rows(ledger) == ["effect-1"]


def test_a_ledger_survives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = Ledger(sqlite3.connect(path))
    first.stand("a", 0.0)
    first.stand("a", 0.5)
    first.once("effect-1", "a", 1, 1.0, "it", lambda: {"changed": 1})
    first.database.close()
    again = Ledger(sqlite3.connect(path))
    assert again.current() == Lease(1, "a", 0.5, 5.5)
    assert again.effects() == (Effect("effect-1", "a", 1, "it", {"changed": 1}),)
    assert again.once("effect-1", "b", 2, 9.0, "it", lambda: pytest.fail("twice")) == {"changed": 1}


def test_conflicts_are_acts_of_equal_authority(ledger: Ledger) -> None:
    def did(member: str, term: int) -> Effect:
        return Effect("", member, term, "", None)

    assert conflicts(()) == 0
    assert conflicts((did("a", 0), did("a", 0))) == 0
    assert conflicts((did("a", 0), did("b", 0), did("a", 0))) == 2
    assert conflicts((did("a", 1), did("b", 2))) == 0
    # Without ids that were agreed on, the same act is two.
    act(ledger, "", "a", 0, 0.0)
    act(ledger, "", "b", 0, 0.0)
    assert [e.id for e in ledger.effects()] == ["a/1", "b/2"]
    assert conflicts(ledger.effects()) == 1
