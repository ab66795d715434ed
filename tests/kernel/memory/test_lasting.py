"""What stays: after closing, after a kill, beside another process, and beyond a quota."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collegium.errors import BadInput
from collegium.kernel.access import Access, always
from collegium.kernel.memory import Memory
from collegium.kernel.memory import graph as graph_module
from collegium.kernel.memory import index as index_module
from collegium.models.embeddings import HashEmbedder
from tests.kernel.memory.support import Angles, forget, recall, remember, texts

VICTIM = Path(__file__).with_name("victim.py")
ROOT = VICTIM.parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "memory.db"


def opened(path: Path, **fields: Any) -> Memory:
    fields.setdefault("embed", HashEmbedder(32))
    return Memory(path, access=Access(ask=always), **fields)


# -- closing, and dying ---------------------------------------------------------------------------


async def test_everything_is_there_after_closing(path: Path) -> None:
    memory = opened(path)
    for i in range(20):
        await remember(memory, f"fact {i} of {i * i}", tags=(str(i),), links=("1",) if i else ())
    await forget(memory, "3")
    await remember(memory, "fact seven, rewritten", note="7")
    methods: tuple[Any, ...] = ("vector", "text", "hybrid")
    before = [await recall(memory, "fact 16", method=m, k=30) for m in methods]
    memory.close()
    memory = opened(path)
    after = [await recall(memory, "fact 16", method=m, k=30) for m in methods]
    assert [[(n.id, n.text, n.tags, n.links) for n in found] for found in after] == [
        [(n.id, n.text, n.tags, n.links) for n in found] for found in before
    ]
    assert len(after[0]) == 19
    assert await remember(memory, "the next") == "21"
    memory.close()


@pytest.mark.parametrize("lines", [40, 400])
async def test_killed_while_writing_it_has_every_note_whose_id_came_back(
    path: Path, tmp_path: Path, lines: int
) -> None:
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, str(VICTIM), str(path), str(log)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    until = time.monotonic() + 120
    while not log.exists() or log.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    memory = opened(path)
    known: dict[str, set[str]] = {}
    for line in log.read_text().splitlines():
        agent, note, text = line.split("\t")
        known.setdefault(agent, set()).add(note)
        if not text:
            with pytest.raises(BadInput, match="unknown note"):
                await recall(memory, agent=agent, note=note)
            continue
        (found,) = await recall(memory, agent=agent, note=note)
        assert found.text == text
    for agent, notes in known.items():
        # words, vectors and notes agree with each other, in what was under way too
        by_words = await recall(memory, "thing", agent=agent, method="text", k=10**5)
        by_meaning = await recall(memory, "thing", agent=agent, method="vector", k=10**5)
        assert {n.id for n in by_words} == {n.id for n in by_meaning}
        assert all(f"{agent} saw" in n.text for n in by_words)
        assert await remember(memory, "new", agent=agent) not in notes
    memory.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_two_memories_on_one_path_see_each_others_notes(path: Path) -> None:
    one, two = opened(path), opened(path)
    first = await remember(one, "a red apple")
    assert texts(await recall(two, "apple", k=1)) == ["a red apple"]
    second = await remember(two, "a green pear", links=(first,))
    assert second != first
    for method in ("vector", "text"):
        assert texts(await recall(one, "green pears", method=method, k=1)) == ["a green pear"]
    await remember(one, "a red apple, eaten", note=first)
    assert texts(await recall(two, note=first)) == ["a red apple, eaten"]
    await forget(one, first)
    assert (await recall(two, note=second))[0].links == ()
    assert texts(await recall(two, "red apple", method="vector", k=5)) == ["a green pear"]
    ids = await asyncio.gather(*(remember(m, f"{i}") for i in range(40) for m in (one, two)))
    assert len(set(ids)) == 80
    assert len(await recall(one, "12", method="vector", k=200)) == 81
    assert len(await recall(two, "12", method="vector", k=200)) == 81
    one.close()
    two.close()


async def test_a_path_that_is_no_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, " * 100)
    for wrong in (tmp_path, tmp_path / "text", tmp_path / "text" / "below"):
        with pytest.raises(BadInput, match="cannot open the memory"):
            Memory(wrong)


async def test_a_disk_error_undoes_the_whole_call(path: Path) -> None:
    memory = opened(path)
    await remember(memory, "kept")
    other = sqlite3.connect(path)
    other.execute("DROP TABLE links")
    with pytest.raises(BadInput, match="cannot write to the memory"):
        await remember(memory, "lost", links=("1",))
    assert len(await recall(memory, "kept lost", method="vector", k=9)) == 1
    assert len(await recall(memory, "lost", method="text", k=9)) == 0
    assert await remember(memory, "kept too") == "2"


# -- vectors --------------------------------------------------------------------------------------


async def test_notes_without_vectors_get_them_from_the_embedder_that_comes(path: Path) -> None:
    memory = opened(path, embed=None)
    await asyncio.gather(*(remember(memory, f"{i % 18 * 10} degrees") for i in range(300)))
    memory.close()
    embedder = Angles()
    memory = opened(path, embed=embedder)
    found = await asyncio.gather(*(recall(memory, "92", method="vector", k=1) for _ in range(3)))
    assert {n.text for (n,) in found} == {"90 degrees"}
    assert sorted(embedder.batches, reverse=True) == [256, 44, 1, 1, 1]
    memory.close()
    # another embedder has vectors of its own; the first finds its own again
    memory = opened(path, embed=Angles("others"))
    assert texts(await recall(memory, "92", method="vector", k=1)) == ["90 degrees"]
    memory.close()
    embedder = Angles()
    memory = opened(path, embed=embedder)
    assert texts(await recall(memory, "92", method="vector", k=1)) == ["90 degrees"]
    assert embedder.batches == [1]
    memory.close()


@pytest.fixture
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes are searched as graphs, and saved, from few vectors on."""
    monkeypatch.setattr(graph_module, "EXACT", 20)
    monkeypatch.setattr(index_module, "BLOCK", 10)


@pytest.mark.usefixtures("small_graphs")
@pytest.mark.parametrize("damage", [None, "cut", "zeros", "gone"])
async def test_an_index_is_read_from_its_file_or_built_anew(
    path: Path, damage: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = opened(path)
    await asyncio.gather(*(remember(memory, f"fact {i}") for i in range(60)))
    memory.close()
    (file,) = (path.parent / "memory.db.index").iterdir()
    size = file.stat().st_size
    if damage == "cut":
        os.truncate(file, size // 2)
    elif damage == "zeros":
        file.write_bytes(bytes(size))
    elif damage == "gone":
        file.unlink()
    # what the file does not know of: a note more and one less
    memory = opened(path, embed=None)
    await remember(memory, "fact sixty")
    await forget(memory, "11")
    memory.close()
    added: list[int] = []
    add = index_module.VectorIndex.add

    def counted(self: Any, slots: Any, vectors: Any) -> None:
        added.append(len(slots))
        add(self, slots, vectors)

    monkeypatch.setattr(index_module.VectorIndex, "add", counted)
    memory = opened(path)
    found = await recall(memory, "fact sixty", method="vector", k=100)
    assert added == ([1] if damage is None else [59, 1])
    assert found[0].text == "fact sixty"
    assert {n.id for n in found} == {str(i) for i in range(1, 62)} - {"11"}
    memory.close()


async def test_a_graph_finds_what_comparing_with_all_would_find() -> None:
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((60, 32))
    rows = centres[rng.integers(0, 60, 5200)] + 0.5 * rng.standard_normal((5200, 32))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    stored, queries = vectors[:5000], vectors[5000:]
    index = index_module.VectorIndex(32)
    index.add(range(5000), stored)
    await index.indexed()
    assert not index.exact
    hits = 0
    for query in queries:
        best = set(np.argsort(-(stored @ query))[:10].tolist())
        found = index.nearest(query, 10)
        assert [c for _, c in found] == sorted((c for _, c in found), reverse=True)
        assert [c for _, c in found] == pytest.approx(
            [float(stored[s] @ query) for s, _ in found], abs=5e-3
        )
        hits += len(best & {s for s, _ in found})
    assert hits / (10 * len(queries)) > 0.97


@pytest.mark.parametrize("together", [1, 3, 200, 3000])
async def test_what_is_found_depends_on_the_order_of_notes_alone(together: int) -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((3050, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index, other = index_module.VectorIndex(16), index_module.VectorIndex(16)
    other.add(range(3000), rows[:3000])
    for i in range(0, 3000, together):
        index.add(range(3000)[i : i + together], rows[i : min(i + together, 3000)])
    await index.indexed()
    await other.indexed()
    assert not index.exact
    for query in rows[3000:]:
        assert index.nearest(query, 10) == other.nearest(query, 10)


async def test_a_search_takes_in_all_that_was_remembered_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = index_module.VectorIndex._add

    def slowly(*args: Any) -> None:
        time.sleep(0.05)
        add(*args)

    monkeypatch.setattr(index_module.VectorIndex, "_add", slowly)
    memory = Memory(None, embed=HashEmbedder(32))
    ids = await asyncio.gather(*(remember(memory, f"fact {i}") for i in range(300)))
    bank = memory.bank("x")
    assert bank is not None
    assert bank.index is not None
    assert bank.index.behind > 0  # the notes are kept, and the thread has not come to their end
    impatient = asyncio.create_task(recall(memory, "fact 299", method="vector"))
    await asyncio.sleep(0.01)
    impatient.cancel()
    found = await recall(memory, "fact 299", method="vector", k=300)
    assert found[0].id == ids[299]
    assert len(found) == 300
    memory.close()


# -- the quota ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", [True, False])
async def test_what_exceeds_the_quota_is_compressed_on_disk_and_still_found(
    path: Path, on_disk: bool
) -> None:
    memory = opened(path if on_disk else None, quota=1000)  # type: ignore[arg-type]
    long = "over and over again, " * 5
    await remember(memory, f"fact 0: {long}")
    bank = memory.bank("x")
    assert bank is not None
    for i in range(1, 50):
        await remember(memory, f"fact {i}: {long}")
        assert bank.used <= 800
    assert len(bank.held) == 800 // len(f"fact 10: {long}")
    for method in ("vector", "text", "hybrid"):
        found = await recall(memory, "fact 3", method=method, k=50)
        assert len(found) == 50
        assert f"fact 3: {long}" in texts(found)
        assert bank.used <= 800
    for i in range(50):
        assert texts(await recall(memory, note=str(i + 1))) == [f"fact {i}: {long}"]
    memory.close()
    if on_disk:
        rows = sqlite3.connect(path).execute("SELECT packed, length(text) FROM notes").fetchall()
        packed = [length for packed, length in rows if packed]
        assert len(packed) >= 43
        assert max(packed) < 50 < len(long)


async def test_a_note_larger_than_the_quota_is_kept_on_disk_alone(path: Path) -> None:
    memory = opened(path, quota=10)
    note = await remember(memory, "far too long for ten bytes")
    bank = memory.bank("x")
    assert bank is not None
    assert (bank.used, len(bank.held)) == (0, 0)
    assert texts(await recall(memory, note=note)) == ["far too long for ten bytes"]
    memory.close()


async def test_each_bank_has_its_own_quota() -> None:
    memory = Memory(None, quota=100, watermark=1.0)
    for agent in ("a", "b"):
        for i in range(3):
            await remember(memory, str(i) * 30, agent=agent)
    for agent in ("a", "b"):
        bank = memory.bank(agent)
        assert bank is not None
        assert bank.used == 90
