"""Limits: counted where every call passes, so that nothing overspends."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.errors import BadInput, BudgetTooSmall, LimitReached, Transient
from collegium.kernel import (
    Generate,
    Kernel,
    Limits,
    Reply,
    Retry,
    Unparsed,
    Usage,
    gather,
    tool,
)
from collegium.kernel.limits import MIN_COMPLETION, prompt_estimate
from tests.kernel.support import Scripted, ask_for, inorder, turns


def greedy(request: Generate, i: int) -> Reply[Any]:
    """Writes as many tokens as it may, 1000 if nothing stops it."""
    prompt = 0 if i else prompt_estimate(request)
    return Reply("x", usage=Usage(prompt=prompt, completion=request.max_tokens or 1000))


async def spend(kernel: Kernel, calls: int, **fields: Any) -> LimitReached | None:
    """Make calls one after the other until a limit ends them."""
    for _ in range(calls):
        try:
            await kernel.call(ask_for(**fields))
        except LimitReached as error:
            return error
    return None


@pytest.mark.parametrize("name", ["tokens", "calls", "seconds", "money"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_must_be_above_zero(name: str, value: int) -> None:
    with pytest.raises(BadInput, match=f"limit on {name} must be above 0, not {value}"):
        Limits(**{name: value})


async def test_without_limits_everything_is_still_counted() -> None:
    kernel = Kernel(Scripted("hi"))
    await kernel.agent("a").ask("?", n=3)
    await kernel.agent("b").ask("?")
    assert kernel.meter.calls == 4
    assert kernel.meter.usage == Usage(prompt=20, completion=20)


async def test_the_limit_of_calls_counts_samples() -> None:
    model = Scripted("hi")
    kernel = Kernel(model, limits=Limits(calls=4))
    agent = kernel.agent("a")
    await agent.ask("?", n=3)
    with pytest.raises(LimitReached, match=r"^the limit of 4 generations is used up\.$"):
        await agent.ask("?", n=2)
    await agent.ask("?")  # there is room for one
    assert (len(model.requests), kernel.meter.calls) == (2, 4)


async def test_too_few_calls_for_the_first_call_is_bad_input() -> None:
    kernel = Kernel(Scripted("hi"), limits=Limits(calls=2))
    with pytest.raises(BudgetTooSmall) as caught:
        await kernel.agent("a").ask("?", n=3)
    assert str(caught.value) == (
        "a limit of 2 generations is too small: the first call alone asks for 3."
    )
    assert isinstance(caught.value, BadInput)
    assert isinstance(caught.value, LimitReached)


async def test_too_few_tokens_for_the_first_call_is_bad_input() -> None:
    model = Scripted("hi")
    kernel = Kernel(model, limits=Limits(tokens=100))
    with pytest.raises(BudgetTooSmall) as caught:
        await kernel.call(ask_for(text="x" * 350, n=2))  # 106 tokens by estimate
    assert str(caught.value) == (
        "a budget of 100 tokens is too small for one call: the prompt alone takes about 106; "
        f"allow at least {106 + 2 * MIN_COMPLETION}."
    )
    assert model.requests == []
    # What the sentence advises is enough.
    enough = Kernel(model, limits=Limits(tokens=106 + 2 * MIN_COMPLETION))
    await enough.call(ask_for(text="x" * 350, n=2))


async def test_a_token_limit_caps_a_call_and_then_ends_the_run() -> None:
    model = Scripted(greedy)
    kernel = Kernel(model, limits=Limits(tokens=300))
    call = ask_for(text="x" * 14)  # 10 tokens by estimate
    capped = ask_for(text="x" * 14, max_tokens=40)
    await kernel.call(capped)
    await kernel.call(capped)
    await kernel.call(call)
    assert [r.max_tokens for r in model.requests] == [40, 40, 190]
    assert kernel.meter.usage.tokens == 300
    with pytest.raises(LimitReached, match=r"^the limit of 300 tokens is used up\.$"):
        await kernel.call(call)
    assert kernel.meter.calls == 3


async def test_samples_share_what_is_left() -> None:
    model = Scripted(greedy)
    kernel = Kernel(model, limits=Limits(tokens=110))
    await kernel.call(ask_for(text="x" * 14, n=4, max_tokens=1000))
    assert model.requests[0].max_tokens == 25
    assert kernel.meter.usage == Usage(prompt=10, completion=100)


async def test_calls_at_the_same_time_cannot_overdraw_together() -> None:
    model = Scripted(greedy, pause=0)
    kernel = Kernel(model, limits=Limits(tokens=200))
    call = ask_for(text="x" * 14, max_tokens=60)  # at most 70 tokens each
    results = await asyncio.gather(*(kernel.call(call) for _ in range(5)), return_exceptions=True)
    assert [r.max_tokens for r in model.requests] == [60, 60, 50]
    assert [type(r) for r in results[3:]] == [LimitReached, LimitReached]
    assert kernel.meter.usage.tokens == 200


def brief(request: Generate, i: int) -> Reply[Any]:
    """Writes two tokens."""
    return Reply("x", usage=Usage(prompt=10, completion=2))


@pytest.mark.parametrize("cap", [None, 60])
async def test_calls_at_the_same_time_get_as_far_as_one_by_one(cap: int | None) -> None:
    call = ask_for(text="x" * 14, max_tokens=cap)  # together far more than the limit, if all used
    alone, together = Scripted(brief, pause=0), Scripted(brief, pause=0)
    kernel = Kernel(alone, limits=Limits(tokens=100))
    for _ in range(5):
        await kernel.call(call)
    kernel = Kernel(together, limits=Limits(tokens=100))
    await gather(*(kernel.call(call) for _ in range(5)))
    assert kernel.meter.usage.tokens == 60
    assert [r.max_tokens for r in together.requests] == [r.max_tokens for r in alone.requests]


async def test_calls_that_fit_side_by_side_do_not_wait() -> None:
    model = Scripted(brief, pause=3600)
    kernel = Kernel(model, limits=Limits(tokens=210))
    call = ask_for(text="x" * 14, max_tokens=60)
    tasks = [asyncio.create_task(kernel.call(call)) for _ in range(4)]
    await turns(10)
    assert len(model.requests) == 3
    tasks[0].cancel()  # one leaves; the one that waits still waits for the others
    await turns(10)
    assert len(model.requests) == 3
    tasks[3].cancel()
    await kernel.aclose()
    assert kernel.meter._reserved == 0
    assert not kernel.meter._door.locked()


async def test_what_a_call_did_not_use_of_its_reservation_is_free_again() -> None:
    model = Scripted(brief)
    kernel = Kernel(model, limits=Limits(tokens=100))
    assert await spend(kernel, 5, text="x" * 14) is None
    assert [r.max_tokens for r in model.requests] == [90, 78, 66, 54, 42]


async def test_a_failed_call_gives_its_reservation_back() -> None:
    model = Scripted(inorder(RuntimeError("broken"), "hi"))
    kernel = Kernel(model, limits=Limits(tokens=100))
    with pytest.raises(RuntimeError, match="broken"):
        await kernel.call(ask_for(text="x" * 14))
    await kernel.call(ask_for(text="x" * 14))
    assert [r.max_tokens for r in model.requests] == [90, 90]


async def test_a_cancelled_call_gives_its_reservation_back() -> None:
    kernel = Kernel(Scripted(greedy, pause=60), limits=Limits(tokens=100))
    task = asyncio.create_task(kernel.call(ask_for()))
    await asyncio.sleep(0)
    assert kernel.meter._reserved > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kernel.meter._reserved == 0


async def test_a_money_limit_ends_the_run() -> None:
    kernel = Kernel(Scripted(Reply("x", usage=Usage(money=0.4))), limits=Limits(money=1))
    error = await spend(kernel, 9)
    assert str(error) == "the limit of $1 is used up."
    assert kernel.meter.calls == 3


async def test_every_retry_counts() -> None:
    model = Scripted(Transient("busy"))
    kernel = Kernel(model, limits=Limits(calls=3), retry=Retry(base=0))
    with pytest.raises(LimitReached, match="3 generations"):
        await kernel.call(ask_for())
    assert (len(model.requests), kernel.meter.calls) == (3, 3)


async def test_every_repair_counts() -> None:
    model = Scripted("no number")
    kernel = Kernel(model, limits=Limits(calls=2))
    agent = kernel.agent("a")
    reply = await agent.ask("?", output=int)
    assert isinstance(reply.data, Unparsed)
    assert kernel.meter.calls == 2
    with pytest.raises(LimitReached):
        await agent.ask("?", output=int)


async def test_what_was_kept_survives_a_limit() -> None:
    kernel = Kernel(Scripted(inorder("first", "second", "third")), limits=Limits(calls=2))
    agent = kernel.agent("a")

    async def work() -> None:
        while True:
            kernel.keep((await agent.ask("?")).data)

    with pytest.raises(LimitReached):
        await work()
    assert kernel.kept == "second"
    assert [(e.outcome, e.error) for e in kernel.trace.events] == [
        ("ok", ""),
        ("ok", ""),
        ("error", "the limit of 2 generations is used up."),
    ]


async def test_a_time_limit_cancels_a_hanging_model() -> None:
    model = Scripted("hi", pause=3600)
    kernel = Kernel(model, limits=Limits(seconds=0.05))
    with pytest.raises(LimitReached, match=r"^the limit of 0.05 seconds ended a call\.$"):
        await kernel.agent("a").ask("?")
    assert model.cancelled == 1
    with pytest.raises(LimitReached, match=r"^the limit of 0.05 seconds is used up\.$"):
        await kernel.agent("b").ask("?")
    assert len(model.requests) == 1


async def test_a_time_limit_cancels_a_hanging_tool_and_an_unanswered_question() -> None:
    ended: list[str] = []

    async def hang() -> None:
        """Hang."""
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("tool")

    async def nobody(question: str) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("human")
        return ""

    for ask in ("tool", "human"):
        kernel = Kernel(
            Scripted("hi"), tools=[tool(hang)], human=nobody, limits=Limits(seconds=0.05)
        )
        agent = kernel.agent("a", tools=["hang"])
        with pytest.raises(LimitReached, match="ended a call"):
            await (agent.use("hang") if ask == "tool" else agent.ask_human("?"))
        assert ended[-1] == ask
        with pytest.raises(LimitReached, match="is used up"):
            await agent.receive()


async def test_a_timeout_of_the_model_itself_is_not_the_runs_time_limit() -> None:
    kernel = Kernel(Scripted(TimeoutError("socket")), limits=Limits(seconds=60))
    with pytest.raises(TimeoutError, match="socket"):
        await kernel.call(ask_for())


async def test_concurrent_agents_stop_together_at_a_limit() -> None:
    kernel = Kernel(Scripted("hi", pause=0), limits=Limits(calls=5))
    agents = [kernel.agent(f"a-{i}") for i in range(3)]

    async def work(i: int) -> None:
        while True:
            await agents[i].ask("?")

    before = asyncio.all_tasks()
    with pytest.raises(LimitReached):
        await gather(*(work(i) for i in range(3)))
    assert kernel.meter.calls == 5
    assert asyncio.all_tasks() == before


calls = st.builds(
    dict,
    text=st.integers(0, 400).map("x".__mul__),
    n=st.integers(1, 4),
    max_tokens=st.none() | st.integers(1, 300),
)


@settings(max_examples=80, deadline=None)
@given(
    limit=st.integers(1, 1200),
    plan=st.lists(st.lists(calls, min_size=1, max_size=4), min_size=1, max_size=6),
    misjudged=st.integers(0, 30),
    data=st.data(),
)
def test_no_sequence_of_calls_overspends_by_more_than_the_estimates_were_wrong(
    limit: int, plan: list[list[dict[str, Any]]], misjudged: int, data: st.DataObject
) -> None:
    wrong = 0
    peak = 0

    class Slow(Scripted):
        async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply, ...]:
            nonlocal wrong
            for _ in range(data.draw(st.integers(0, 3))):  # replies come back in any order
                await asyncio.sleep(0)
            replies = await super().generate(request)
            first = costing_more(replies[0], misjudged)
            wrong += misjudged
            return (first, *replies[1:])

    async def run() -> None:
        nonlocal peak
        kernel = Kernel(Slow(greedy), limits=Limits(tokens=limit))

        async def agent(own: list[dict[str, Any]]) -> None:
            nonlocal peak
            for fields in own:
                await kernel.call(ask_for(**fields))
                peak = max(peak, kernel.meter.usage.tokens)

        results = await asyncio.gather(*map(agent, plan), return_exceptions=True)
        assert {type(r) for r in results} <= {type(None), LimitReached, BudgetTooSmall}
        assert kernel.meter._reserved == 0
        assert kernel.meter.usage.tokens == sum(e.usage.tokens for e in kernel.trace.events)
        peak = max(peak, kernel.meter.usage.tokens)

    asyncio.run(run())
    assert peak <= limit + wrong


def costing_more(reply: Reply[Any], more: int) -> Reply[Any]:
    """A reply whose prompt took more tokens than estimated."""
    usage = reply.usage + Usage(prompt=more)
    return Reply(reply.text, usage=usage)


@settings(max_examples=50, deadline=None)
@given(limit=st.integers(1, 20), plan=st.lists(st.integers(1, 5), max_size=12))
def test_no_sequence_of_calls_makes_more_generations_than_allowed(
    limit: int, plan: list[int]
) -> None:
    async def run() -> None:
        model = Scripted("hi", pause=0)
        kernel = Kernel(model, limits=Limits(calls=limit))
        await asyncio.gather(*(kernel.call(ask_for(n=n)) for n in plan), return_exceptions=True)
        assert sum(r.n for r in model.requests) == kernel.meter.calls <= limit

    asyncio.run(run())
