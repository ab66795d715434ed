"""LRU-K: the example of the specification, and any other sequence against the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.kernel import Kernel
from collegium.kernel.memory import LRUK, Memory
from collegium.kernel.resources import Recall, Remember
from tests.kernel.support import Scripted

A, B, C, D = range(4)


@pytest.mark.must_show("aios", 4)
def test_the_victim_is_c_where_plain_lru_takes_a() -> None:
    for k, victim in ((2, C), (1, A)):
        order = LRUK(k)
        for item in (A, B, A, C, B):
            order.touch(item)
        assert order.evict() == victim
        order.touch(D)
        assert (len(order), D in order, victim in order) == (3, True, False)


@pytest.mark.must_show("aios", 4)
@pytest.mark.parametrize(("k", "victim"), [(2, "c"), (1, "a")])
async def test_a_bank_of_three_notes_lets_go_of_c(k: int, victim: str) -> None:
    texts = {name: name * 100 for name in "abcd"}
    memory = Memory(None, quota=300, watermark=1.0, k=k)
    kernel = Kernel(Scripted(""), drivers=memory.drivers)

    async def remember(name: str) -> str:
        return await kernel.call(Remember(agent="x", text=texts[name]))

    async def read(note: str) -> str:
        (found,) = await kernel.call(Recall(agent="x", note=note))
        return found.text

    a, b = await remember("a"), await remember("b")
    await read(a)
    c = await remember("c")
    await read(b)
    d = await remember("d")
    bank = memory.bank("x")
    assert bank is not None
    assert {n.text[0] for n in bank.held.values()} == set("abcd") - {victim}
    # and it comes back when it is read
    assert [await read(n) for n in (a, b, c, d)] == list(texts.values())


def by_definition(accesses: list[int], evicted: set[int], k: int) -> int:
    """The victim, computed from the whole history since an item last came in."""
    times: dict[int, list[int]] = {}
    for time, item in enumerate(accesses):
        times.setdefault(item, []).append(time)
    now = len(accesses)

    def distance(item: int) -> tuple[float, int]:
        mine = times[item]
        return (now - mine[-k] if len(mine) >= k else float("inf"), now - mine[-1])

    return max((i for i in times if i not in evicted), key=distance)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 4))
def test_every_victim_is_the_one_of_the_definition(accesses: list[int], k: int) -> None:
    order = LRUK(k)
    for item in accesses:
        order.touch(item)
    gone: set[int] = set()
    for _ in set(accesses):
        wanted = by_definition(accesses, gone, k)
        assert order.evict() == wanted
        gone.add(wanted)
    with pytest.raises(IndexError):
        order.evict()


def test_what_is_forgotten_is_never_the_victim() -> None:
    order = LRUK(2)
    for item in (A, B, C):
        order.touch(item)
    order.forget(A)
    order.forget(D)
    assert [order.evict(), order.evict()] == [B, C]


def test_many_accesses_cost_no_memory() -> None:
    order = LRUK(2)
    for i in range(10_000):
        order.touch(i % 10)
    assert len(order._heap) < 100
    assert order.evict() == 0
