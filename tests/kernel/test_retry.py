"""Retries: how often, how long between, and what remains of each attempt."""

import asyncio

import pytest

from collegium.errors import ModelError, Transient
from collegium.kernel import Generate, Kernel, Retry
from tests.kernel.support import Scripted, ask_for, inorder, turns


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each pause would have been."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


async def test_retry_after_is_honoured(waits: list[float]) -> None:
    model = Scripted(inorder(Transient("busy", 7.5), Transient("busy", 0), "hi"))
    (reply,) = await Kernel(model).call(ask_for())
    assert reply.text == "hi"
    assert waits == [7.5, 0]


async def test_without_retry_after_the_wait_doubles(waits: list[float]) -> None:
    model = Scripted(inorder(*[Transient("busy")] * 4, "hi"))
    await Kernel(model, retry=Retry(base=1)).call(ask_for())
    assert len(waits) == 4
    for wait, longest in zip(waits, (1, 2, 4, 8), strict=True):
        assert longest / 2 <= wait <= longest


async def test_it_gives_up_after_its_attempts(waits: list[float]) -> None:
    model = Scripted(Transient("the server is busy"))
    with pytest.raises(ModelError) as caught:
        await Kernel(model, retry=Retry(attempts=3)).call(ask_for())
    assert str(caught.value) == "tried 3 times and gave up: the server is busy"
    assert not isinstance(caught.value, Transient)
    assert len(model.requests) == 3
    assert len(waits) == 2


async def test_it_does_not_wait_for_longer_than_it_may(waits: list[float]) -> None:
    model = Scripted(Transient("quota used up", 3600))
    with pytest.raises(ModelError, match="tried once and gave up: quota used up"):
        await Kernel(model, retry=Retry(longest=60)).call(ask_for())
    assert len(model.requests) == 1
    assert waits == []


async def test_other_failures_are_not_retried() -> None:
    model = Scripted(ModelError("no such model"))
    with pytest.raises(ModelError, match=r"^no such model$"):
        await Kernel(model).call(ask_for())
    assert len(model.requests) == 1


async def test_every_attempt_is_traced_with_the_one_before_as_parent(waits: list[float]) -> None:
    model = Scripted(inorder(Transient("one"), Transient("two"), "hi"))
    kernel = Kernel(model)
    (reply,) = await kernel.call(ask_for())
    events = kernel.trace.events
    assert [(e.id, e.outcome, e.error, e.call.parent) for e in events] == [
        (0, "error", "one", None),
        (1, "error", "two", 0),
        (2, "ok", "", 1),
    ]
    assert reply.call == 2
    assert kernel.meter.calls == 3


async def test_every_attempt_asks_for_the_same_with_the_same_seed(waits: list[float]) -> None:
    model = Scripted(inorder(Transient("one"), "hi"))
    await Kernel(model, seed=1).agent("a").ask("?")
    first, second = model.requests
    assert isinstance(first, Generate)
    assert (first.messages, first.seed) == (second.messages, second.seed)


async def test_cancelling_a_wait_ends_it() -> None:
    model = Scripted(Transient("busy", 50))
    task = asyncio.create_task(Kernel(model).call(ask_for()))
    await turns(5)
    assert len(model.requests) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(model.requests) == 1
