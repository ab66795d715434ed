"""Large pages: what is gathered stays as it was, and is gathered again only when worth it."""

from __future__ import annotations

import numpy as np
import pytest

from collegium.kernel.memory import pages
from collegium.kernel.memory.pages import PAGE, Gathered, gather


def test_what_is_gathered_stays_as_it_was() -> None:
    array = np.arange(PAGE, dtype=np.int64)  # 8 of these pages
    thread = gather(array.ctypes.data, array.nbytes)
    if thread is None:
        pytest.skip("this system has no large pages of its own accord")
    array[5] += 1  # somebody goes on working with it
    thread.join(60)
    assert not thread.is_alive()
    array[5] -= 1
    assert np.array_equal(array, np.arange(PAGE))


def test_what_fills_no_page_is_left_alone() -> None:
    array = np.zeros(PAGE, np.uint8)
    inner = -(-array.ctypes.data // PAGE) * PAGE
    assert gather(inner, PAGE - 1) is None
    assert gather(inner + 1, PAGE) is None


def test_memory_that_is_gone_does_no_harm() -> None:
    array = np.zeros(4 * PAGE, np.uint8)
    address = array.ctypes.data
    del array
    thread = gather(address, 4 * PAGE)
    if thread is not None:
        thread.join(60)
        assert not thread.is_alive()


def test_it_is_done_again_when_the_array_moved_or_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(pages, "gather", lambda *range: asked.append(range))
    array = Gathered(least=1000)
    array.look(8, 999)
    assert asked == []
    array.look(8, 1000)
    array.look(8, 1062)  # a sixteenth is 62
    assert asked == [(8, 1000)]
    array.look(8, 1063)
    array.look(16, 1063)
    array.look(16, 1063)
    assert asked == [(8, 1000), (8, 1063), (16, 1063)]
