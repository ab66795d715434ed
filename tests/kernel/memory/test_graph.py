"""Vectors in blocks and in a graph: what is removed, rebuilt, equal, saved, or changed at once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collegium.kernel.access import Access, always
from collegium.kernel.memory import Memory
from collegium.kernel.memory import graph as graph_module
from collegium.kernel.memory import index as index_module
from collegium.kernel.memory.graph import Graph
from collegium.kernel.memory.index import VectorIndex
from collegium.models.embeddings import HashEmbedder
from tests.kernel.memory.support import forget, recall, remember, texts


def unit(rows: Any) -> Any:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def alike(count: int, dimensions: int = 32, seed: int = 5) -> Any:
    """Vectors in groups, as those of texts are."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((count // 50, dimensions))
    own = 0.5 * rng.standard_normal((count, dimensions))
    return unit(centres[rng.integers(0, len(centres), count)] + own)


def best(vectors: Any, query: Any, k: int, gone: set[int]) -> set[int]:
    order = np.argsort(-(vectors @ query), kind="stable").tolist()
    return set([row for row in order if row not in gone][:k])


# -- removing -------------------------------------------------------------------------------------


def test_what_is_removed_is_never_found_and_what_is_left_still_is() -> None:
    vectors, queries = np.split(alike(6100), [6000])
    graph = Graph(32)
    graph.add(range(6000), vectors)
    gone: set[int] = set()
    rng = random.Random(1)
    for _ in range(4):  # up to a third: too few to build anew
        some = rng.sample(range(6000), 500)
        graph.remove([*some, 10**6])
        gone.update(some)
        assert len(graph) == 6000 - len(gone)
        assert graph.slots() == set(range(6000)) - gone
        hits = 0
        for query in queries:
            found = {slot for _, slot in graph.nearest(query[None], 10)}
            assert len(found) == 10
            assert not found & gone
            hits += len(found & best(vectors, query, 10, gone))
        assert hits / (10 * len(queries)) > 0.95
    everything = graph.nearest(queries[:1], 10**6)
    assert {slot for _, slot in everything} == set(range(6000)) - gone


def test_once_more_are_removed_than_left_the_graph_is_built_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph_module, "EXACT", 100)
    vectors, queries = np.split(alike(3050), [3000])
    graph = Graph(32)
    graph.add(range(3000), vectors)
    graph.remove(range(1500))
    assert graph._rows == 3000
    graph.remove([2000])
    assert graph._rows == len(graph) == 1499
    gone = {*range(1500), 2000}
    hits = 0
    for query in queries:
        found = {slot for _, slot in graph.nearest(query[None], 10)}
        hits += len(found & best(vectors, query, 10, gone))
    assert hits / (10 * len(queries)) > 0.95
    graph.add([5000], queries[:1])
    assert graph.nearest(queries[:1], 1)[0][1] == 5000
    graph.remove(sorted(graph.slots()))
    assert (len(graph), graph.nearest(queries[:1], 3)) == (0, [])
    graph.add([5001], queries[1:2])
    assert [slot for _, slot in graph.nearest(queries[:1], 3)] == [5001]


@pytest.mark.parametrize("together", [1, 7, 1000])
async def test_what_is_found_after_removals_depends_on_the_order_of_changes_alone(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(graph_module, "EXACT", 100)
    vectors, queries = np.split(alike(2040), [2000])

    async def made(step: int) -> VectorIndex:
        index = VectorIndex(32)
        for start in (0, 1000):
            for i in range(start, start + 1000, step):
                rows = range(i, min(i + step, start + 1000))
                index.add(rows, vectors[rows.start : rows.stop])
            # some are in the graph, some wait for it, some fill no block yet
            index.remove([*range(start, start + 300), *range(start + 990, start + 1000)])
        await index.indexed()
        return index

    one, other = await made(together), await made(64)
    assert one.slots() == other.slots() == {*range(300, 990), *range(1300, 1990)}
    assert len(one) == len(other) == 1380
    for query in queries:
        assert one.nearest(query, 10) == other.nearest(query, 10)


async def test_what_comes_while_the_thread_is_busy_goes_together_and_all_of_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph_module, "LARGE", 1000)
    vectors = alike(6000)
    index = VectorIndex(32)
    index.add(range(1024), vectors[:1024])
    await index.indexed()
    assert index.behind == 0
    with index._lock:  # the thread has begun with the first part, and waits for this lock
        for start in range(1024, 6000, 256):
            index.add(range(start, min(start + 256, 6000)), vectors[start : start + 256])
            while start == 1024 and not getattr(index._waiting[0], "_begun", False):
                await asyncio.sleep(0.001)
        index.remove([1100])
        # 256 alone, 18 times 256 in parts of up to 1024, a block for one thread, and the removal
        assert index.behind == 1 + 5 + 1 + 1
    await index.indexed()
    assert index.behind == 0
    assert index.slots() == set(range(6000)) - {1100}
    hits = sum(index.nearest(vectors[i], 1)[0][0] == i for i in range(0, 6000, 10) if i != 1100)
    assert hits / 600 > 0.95


# -- equal vectors --------------------------------------------------------------------------------


async def test_equal_vectors_come_oldest_first_in_a_block_or_not() -> None:
    vectors = alike(4000)
    index = VectorIndex(32)
    index.add(range(4000), vectors)
    # the same vector again and again: the first in the graph, the last among the newest
    index.add(range(4000, 4100), np.repeat(vectors[:1], 100, axis=0))
    await index.indexed()
    assert len(index._recent) == 4100 % index_module.BLOCK != 0
    assert not index.exact
    found = index.nearest(vectors[0], 12)
    assert [slot for slot, _ in found] == [0, *range(4000, 4011)]
    assert len({cosine for _, cosine in found}) == 1
    assert len(index.nearest(vectors[0], 101)) == 101


async def test_many_equal_vectors_hide_no_other() -> None:
    others = alike(3000)
    index = VectorIndex(32)
    index.add(range(3000), np.repeat(others[:1], 3000, axis=0))
    index.add(range(3000, 5999), others[1:])
    await index.indexed()
    hits = sum(index.nearest(others[i], 1)[0][0] == 2999 + i for i in range(1, 3000, 10))
    assert hits / 300 > 0.95


# -- files ----------------------------------------------------------------------------------------


def test_a_graph_is_read_as_it_was_written_and_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, queries = np.split(alike(3050), [3000])
    graph, file = Graph(32), tmp_path / "graph"
    graph.add(range(7, 3007), vectors)
    graph.remove([8])
    graph.save(file)
    again = Graph(32)
    assert again.load(file)
    assert again.slots() == set(range(7, 3007))  # what was removed is the caller's to say
    again.remove([8])
    for query in queries:
        assert again.nearest(query[None], 10) == graph.nearest(query[None], 10)
    again.add([4000], queries[:1])
    assert again.nearest(queries[:1], 1)[0][1] == 4000
    assert not Graph(32).load(tmp_path / "none")
    assert not Graph(16).load(file)
    monkeypatch.setattr(graph_module, "CONNECTIVITY", 8)
    assert not Graph(32).load(file)


# -- a memory that changes ------------------------------------------------------------------------


@pytest.mark.parametrize("quota", [None, 4000])
async def test_what_agents_write_replace_and_forget_at_once_is_what_is_found(
    tmp_path: Path, quota: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "EXACT", 50)
    monkeypatch.setattr(index_module, "BLOCK", 16)
    embed, rng = HashEmbedder(64), random.Random(3)

    def opened() -> Memory:
        return Memory(tmp_path / "memory.db", embed=embed, access=Access(ask=always), quota=quota)

    memory, kept = opened(), {}
    number = iter(range(10**6))

    def new() -> str:
        return f"{rng.choice(['ship', 'tree', 'king', 'door'])} {next(number)} {rng.random()}"

    async def add() -> None:
        text = new()
        kept[await remember(memory, text)] = text

    async def replace(note: str) -> None:
        text = new()
        await remember(memory, text, note=note)
        kept[note] = text

    async def drop(note: str) -> None:
        assert await forget(memory, note)
        del kept[note]

    async def look(note: str) -> None:
        await recall(memory, kept[note], method="vector", k=3)  # changes nothing but what is held

    async def check() -> None:
        found = await recall(memory, "ship", method="vector", k=10**4)
        assert {n.id: n.text for n in found} == kept
        hits = 0
        for note in rng.sample(sorted(kept), 40):
            near = await recall(memory, kept[note], method="vector", k=5)
            assert len(near) == 5
            assert all(kept.get(n.id) == n.text for n in near)
            hits += near[0].id == note
        assert hits >= 38
        bank = memory.bank("x")
        assert bank is not None
        assert quota is None or bank.used <= 0.8 * quota

    await asyncio.gather(*(add() for _ in range(400)))
    for _ in range(4):
        notes = rng.sample(sorted(kept), 200)
        work = [drop(n) for n in notes[:60]] + [replace(n) for n in notes[60:140]]
        work += [look(n) for n in notes[140:]] + [add() for _ in range(80)]
        rng.shuffle(work)
        await asyncio.gather(*work)
        await check()
    memory.close()
    memory = opened()
    await check()
    assert len(texts(await recall(memory, "tree", method="text", k=10**4))) > 50
    memory.close()
