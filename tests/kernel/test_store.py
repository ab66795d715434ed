"""The run store: runs, results, events and replies, alone and with others."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collegium.errors import BadInput, DiskFull, UnknownName
from collegium.kernel import Event, Kernel, Receive, Reply, RunStore, Usage, UseTool
from collegium.kernel.store import BATCH, RESERVE_BYTES, WORTH_KEEPING, default_path
from tests.kernel.support import Scripted

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "runs.db"


def event(number: int, seconds: float = 0.0) -> Event:
    return Event(id=number, call=Receive(agent="a"), seconds=seconds)


def test_runs_results_and_events_survive_reopening(path: Path) -> None:
    store = RunStore(path)
    run = store.begin("compare", "key", {"systems": ["mad"], "limit": None})
    keep = store.sink(run, "mad", "t1")
    for number in range(3):
        keep(event(number))
    store.put_result(run, "mad", "t1", b"result")
    store.finish(run, "done")
    store.close()
    store = RunStore(path)
    row = store.run(run)
    assert (row.id, row.kind, row.key, row.status) == (run, "compare", "key", "done")
    assert row.spec == {"systems": ["mad"], "limit": None}
    assert store.results(run) == {("mad", "t1"): b"result"}
    assert store.events(run) == [("mad", "t1", event(n)) for n in range(3)]


def test_a_store_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = RunStore(None)
    run = store.begin("run", "key", {})
    store.sink(run, "s", "t")(event(0, 1.0))
    store.put_reply("k", 0, Reply("hi"))
    assert len(store.events(run)) == 1
    assert store.get_reply("k", 0) == Reply("hi")
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_the_newest_run_of_a_key_is_the_one_to_resume() -> None:
    store = RunStore(None)
    runs = [store.begin("compare", key, {}) for key in ("x", "y", "x", "z")]
    latest = store.latest("x")
    assert latest is not None
    assert latest.id == runs[2]
    assert store.latest("none") is None
    assert [r.id for r in store.runs()] == runs[::-1]
    assert [r.id for r in store.runs(2)] == runs[:1:-1]


def test_a_run_is_found_by_id_by_its_beginning_or_as_the_last() -> None:
    store = RunStore(None)
    with pytest.raises(UnknownName, match="unknown run 'last'; there are none"):
        store.run("last")
    first, second = store.begin("run", "a", {}), store.begin("run", "b", {})
    assert store.run("last").id == second
    assert store.run(first).id == first
    assert store.run(first[:-1] if first[:-1] != second[:-1] else first).id == first
    with pytest.raises(BadInput, match="several runs begin with '20'; give more of the id"):
        store.run("20")
    with pytest.raises(UnknownName, match=f"unknown run '{first}x'; did you mean '{first}'"):
        store.run(f"{first}x")
    with pytest.raises(UnknownName, match="unknown run '%'"):
        store.run("%")


def test_filters_of_events() -> None:
    store = RunStore(None)
    run, other = store.begin("run", "a", {}), store.begin("run", "b", {})
    for number, (r, s, t) in enumerate(
        [(run, "s1", "t1"), (run, "s1", "t2"), (run, "s2", "t1"), (other, "s1", "t1")]
    ):
        store.sink(r, s, t)(event(number))
    assert [e.id for _, _, e in store.events(run)] == [0, 1, 2]
    assert [e.id for _, _, e in store.events(run, system="s1")] == [0, 1]
    assert [e.id for _, _, e in store.events(run, task="t1")] == [0, 2]
    assert [e.id for _, _, e in store.events(run, "s1", "t2")] == [1]


def test_attempts_are_kept_apart_until_the_result_is_there() -> None:
    store = RunStore(None)
    run = store.begin("run", "a", {})
    for start, count in ((0, 2), (10, 1), (20, 3)):
        keep = store.sink(run, "s", "t")
        for number in range(count):
            keep(event(start + number))
        store.flush()
    store.sink(run, "s", "other")(event(99))
    ids = [[e.id for e in a] for a in store.attempts(run, "s", "t")]
    assert ids == [[0, 1], [10], [20, 21, 22]]
    store.put_result(run, "s", "t", b"")
    # The last attempt replayed the others: it is the whole trace.
    assert [[e.id for e in a] for a in store.attempts(run, "s", "t")] == [[20, 21, 22]]
    assert [[e.id for e in a] for a in store.attempts(run, "s", "other")] == [[99]]
    assert store.attempts(run, "s", "never") == []


def test_a_result_can_be_put_again() -> None:
    store = RunStore(None)
    run = store.begin("run", "a", {})
    store.put_result(run, "s", "t", b"old")
    store.put_result(run, "s", "t", b"new")
    assert store.results(run) == {("s", "t"): b"new"}


def seen_by_others(path: Path) -> int:
    """How many events are committed."""
    other = RunStore(path)
    count = other._db.execute("SELECT count(*) FROM events").fetchone()[0]
    other.close()
    return count


def test_what_took_time_or_changed_the_world_is_committed_at_once(path: Path) -> None:
    store = RunStore(path)
    keep = store.sink(store.begin("run", "a", {}), "s", "t")
    for number in range(BATCH - 1):
        keep(event(number))
    assert seen_by_others(path) == 0
    keep(event(BATCH))
    assert seen_by_others(path) == BATCH
    keep(event(0))
    keep(event(1, WORTH_KEEPING * 2))
    assert seen_by_others(path) == BATCH + 2
    keep(Event(id=2, call=UseTool(agent="a", tool="pay", arguments={})))
    assert seen_by_others(path) == BATCH + 3
    store.close()


def test_replies_are_kept_by_key_and_sample() -> None:
    store = RunStore(None)
    reply: Reply[str] = Reply("hi", usage=Usage(1, 2, 3, 0.5), finish="length")
    store.put_reply("k", 1, reply)
    assert store.get_reply("k", 1) == reply
    assert store.get_reply("k", 0) is None
    assert store.get_reply("l", 1) is None


WRITER = """
import sys, time
from pathlib import Path
from collegium.kernel import Event, Receive, Reply, RunStore
path, gate, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
gate.with_suffix("." + name).touch()
while not gate.exists():
    time.sleep(0.001)
store = RunStore(path)
run = store.begin("test", name, {})
keep = store.sink(run, "s", name)
for number in range(40):
    keep(Event(id=number, call=Receive(agent=name), seconds=1.0))
    store.put_reply("shared", number, Reply(str(number)))
store.put_result(run, "s", name, name.encode())
store.finish(run, "done")
store.close()
"""


def test_several_processes_open_and_write_one_store_at_once(tmp_path: Path) -> None:
    path, gate = tmp_path / "runs.db", tmp_path / "gate"
    names = ["one", "two", "three", "four"]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(gate), name],
            env={"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )
        for name in names
    ]
    while not all(gate.with_suffix(f".{name}").exists() for name in names):
        assert all(w.poll() is None for w in writers)
    gate.touch()
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors) == (0, b"")
    store = RunStore(path)
    runs = store.runs()
    assert sorted(r.key for r in runs) == sorted(names)
    for run in runs:
        assert [e.id for _, _, e in store.events(run.id)] == list(range(40))
        assert store.results(run.id) == {("s", run.key): run.key.encode()}
    assert [store.get_reply("shared", n) for n in range(40)] == [Reply(str(n)) for n in range(40)]


def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(path: Path) -> None:
    store = RunStore(path)
    run = store.begin("run", "a", {})
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    keep = store.sink(run, "s", "t")
    big = Event(id=0, call=Receive(agent="a" * 50_000), seconds=1.0)
    full = "^cannot write to the run store: the disk is full"
    with pytest.raises(BadInput, match=full):
        keep(big)
    with pytest.raises(BadInput, match=full):
        store.put_reply("k", 0, Reply("x" * 50_000))
    with pytest.raises(BadInput, match=full):
        store.begin("run", "b" * 50_000, {})
    with pytest.raises(BadInput, match=full):
        store.finish(run, "done")
    store._db.execute("PRAGMA max_page_count = 100000")
    store.put_result(run, "s", "t", b"result")
    assert store.events(run) == [("s", "t", big)]


async def test_a_full_disk_ends_a_run(path: Path) -> None:
    store = RunStore(path)
    kernel = Kernel(
        Scripted("x" * 50_000, pause=0.002), sinks=[store.sink(store.begin("r", "a", {}), "s", "t")]
    )
    store._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(BadInput, match="disk is full"):
        await kernel.agent("a").ask("?")


def test_a_store_that_only_reads_says_so(path: Path) -> None:
    store = RunStore(path)
    run = store.begin("run", "a", {})
    store._db.execute("PRAGMA query_only = ON")
    for write in (
        lambda: store.begin("run", "b", {}),
        lambda: store.finish(run, "done"),
        lambda: store.put_result(run, "s", "t", b""),
        lambda: store.put_reply("k", 0, Reply("x")),
        lambda: store.sink(run, "s", "t")(event(0, 1.0)),
    ):
        with pytest.raises(BadInput, match="cannot write to the run store: attempt to write"):
            write()
    assert store.run(run).status == "running"


def test_what_is_no_store_cannot_be_opened(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("These are notes, not runs. " * 100)
    for path in (text, tmp_path, text / "runs.db"):
        with pytest.raises(BadInput, match=f"cannot open the run store {path}: "):
            RunStore(path)
    assert text.read_text().startswith("These are notes")


def test_where_runs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLLEGIUM_HOME", str(tmp_path))
    assert default_path() == tmp_path / "runs.db"
    monkeypatch.delenv("COLLEGIUM_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_path() == tmp_path / "data" / "collegium" / "runs.db"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_path() == Path.home() / ".local" / "share" / "collegium" / "runs.db"


def test_a_full_disk_finds_room_for_what_is_in_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.db"
    store = RunStore(path)
    run = store.begin("run", "key", {})
    keep = store.sink(run, "s", "t")
    reserve = path.with_name("runs.db.reserve")
    assert reserve.stat().st_size == RESERVE_BYTES
    writing = RunStore._writing
    full = True

    @contextmanager
    def refusing(self: RunStore) -> Iterator[Any]:
        if full and reserve.exists():
            raise DiskFull("the disk is full")
        with writing(self) as db:
            yield db

    monkeypatch.setattr(RunStore, "_writing", refusing)
    call = UseTool(agent="a", tool="pay", arguments={})
    with pytest.raises(DiskFull) as told:
        keep(Event(id=0, call=call, value="paid"))
    assert told.value.kept
    assert not reserve.exists()
    full = False
    assert [e.value for _, _, e in store.events(run)] == ["paid"]
    store.sink(run, "s", "u")
    assert reserve.exists()  # set aside again once there is room
