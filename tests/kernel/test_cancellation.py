"""Cancellation: no task of a run outlives it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel, gather
from tests.kernel.support import Scripted, ask_for, turns


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """No test may leave a task behind."""
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()


async def test_cancelling_a_run_leaves_no_task() -> None:
    model = Scripted("hi", pause=3600)
    kernel = Kernel(model)

    async def run() -> None:
        agents = [kernel.agent(f"a-{i}") for i in range(4)]
        await gather(*(gather(a.ask("?"), kernel.call(ask_for(a))) for a in agents))

    before = asyncio.all_tasks()
    task = asyncio.create_task(run())
    await turns(5)
    assert len(model.requests) == 8
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
    assert model.cancelled == 8
    assert [e.error for e in kernel.trace.events] == ["CancelledError"] * 8
    assert kernel._in_flight == set()


async def test_aclose_cancels_the_calls_in_flight() -> None:
    model = Scripted("hi", pause=3600)
    kernel = Kernel(model)
    tasks = [asyncio.create_task(kernel.call(ask_for())) for _ in range(3)]
    await turns(5)
    assert len(model.requests) == 3
    await kernel.aclose()
    assert all(t.cancelled() for t in tasks)
    assert model.cancelled == 3
    await kernel.aclose()  # a second time does nothing
    # The model may serve others: it is not the kernel's to close.
    assert not model.closed


async def test_aclose_from_inside_a_call_spares_that_call() -> None:
    async def closing(call: Any, proceed: Any) -> Any:
        if call.agent == "closer":
            await kernel.aclose()
            return ()
        return await proceed(call)

    kernel = Kernel(Scripted("hi", pause=3600), interceptors=[closing])
    other = asyncio.create_task(kernel.call(ask_for("other")))
    await asyncio.sleep(0)
    assert await kernel.call(ask_for("closer")) == ()
    assert other.cancelled()


async def test_gather_gives_results_in_the_order_given() -> None:
    async def after(number: int) -> int:
        await turns(number)
        return number

    assert await gather(after(5), after(0), after(3)) == [5, 0, 3]
    assert await gather() == []


async def test_gather_cancels_the_siblings_and_raises_the_error_itself() -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("hang")

    async def fail() -> None:
        await asyncio.sleep(0)
        raise BadInput("mine")

    with pytest.raises(BadInput, match=r"^mine$") as caught:
        await gather(hang(), fail(), hang())
    assert ended == ["hang", "hang"]
    assert caught.value.__cause__ is None


async def test_of_several_failures_the_first_in_the_order_given_is_raised() -> None:
    async def fail(after: int, name: str) -> None:
        with suppress(asyncio.CancelledError):  # stubborn: fails by itself all the same
            await turns(after)
        raise BadInput(name)

    for first, second in ((3, 0), (0, 3), (1, 1)):
        with pytest.raises(BadInput, match=r"^first$"):
            await gather(fail(first, "first"), fail(second, "second"))


async def test_nested_gathers_raise_the_error_itself() -> None:
    async def fail() -> None:
        raise BadInput("deep")

    async def hang() -> None:
        await asyncio.sleep(3600)

    async def inner() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    with pytest.raises(BadInput, match="deep"):
        await gather(gather(hang(), gather(fail())), hang())
    with pytest.raises(BadInput, match="deep"):
        await gather(inner(), hang())


async def test_cancelling_a_gather_is_a_cancellation() -> None:
    async def hang() -> None:
        await asyncio.sleep(3600)

    task = asyncio.create_task(gather(hang(), hang()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
