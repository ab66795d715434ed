from __future__ import annotations

import asyncio
import threading

import pytest

from collegium.models.gate import Gate


async def test_one_alone_keeps_everyone_out() -> None:
    gate, inside, most = Gate(), 0, 0

    async def user(alone: bool) -> None:
        nonlocal inside, most
        async with gate.enter(alone=alone):
            inside += 1
            if alone:
                assert inside == 1
            most = max(most, inside)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(user(alone=i % 5 == 0) for i in range(50)))
    assert inside == 0
    assert most > 1, "several together may be inside at the same time"


async def test_first_come_first_served() -> None:
    gate, order = Gate(), []

    async def user(name: int) -> None:
        async with gate.enter(alone=True):
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(user(i) for i in range(10)))
    assert order == list(range(10))


async def test_leaving_the_line_or_the_inside_lets_the_next_in() -> None:
    gate = Gate()
    entered = asyncio.Event()

    async def user() -> None:
        async with gate.enter(alone=True):
            entered.set()
            await asyncio.sleep(3600)

    inside = asyncio.create_task(user())
    await entered.wait()
    waiting = asyncio.create_task(user())
    await asyncio.sleep(0)
    for task in (waiting, inside):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(5), gate.enter(alone=True):
        pass


async def test_being_let_in_and_cancelled_at_once_does_not_block_the_gate() -> None:
    gate = Gate()

    async def user() -> None:
        async with gate.enter(alone=True):
            await asyncio.sleep(0)

    for _ in range(200):
        tasks = [asyncio.create_task(user()) for _ in range(4)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5), gate.enter(alone=True):
        pass


def test_event_loops_in_several_threads_share_a_gate() -> None:
    gate, inside, seen = Gate(), [0], []

    async def user() -> None:
        for _ in range(50):
            async with gate.enter(alone=True):
                inside[0] += 1
                seen.append(inside[0])
                await asyncio.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=lambda: asyncio.run(user())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 200
