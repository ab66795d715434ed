"""Going on from an interrupted attempt: what is replayed, and what is not."""

import asyncio
from typing import Any

import msgspec
import pytest

from collegium.errors import BadInput, LimitReached, Transient
from collegium.kernel import (
    Call,
    Event,
    Generate,
    Kernel,
    Limits,
    Message,
    Retry,
    Usage,
    UseTool,
    gather,
    tool,
)
from collegium.kernel.kernel import Proceed
from tests.kernel.support import Scripted, ask_for


def numbered() -> Scripted:
    """A model that never says the same twice."""
    count = iter(range(1000))
    return Scripted(lambda r, i: f"{r.agent} {next(count)}")


async def talk(kernel: Kernel, turns: int = 3) -> list[str]:
    """Three agents asking the same at the same time, some turns long."""
    agents = [kernel.agent(f"a-{i}") for i in range(3)]
    texts: list[str] = []
    for _ in range(turns):
        texts += [r.text for r in await gather(*(a.ask("same") for a in agents))]
    return texts


@pytest.mark.parametrize("seed", [None, 5])
async def test_a_whole_attempt_is_replayed_without_a_call(seed: int | None) -> None:
    first = Kernel(numbered(), seed=seed)
    texts = await talk(first)
    model = numbered()
    second = Kernel(model, seed=seed, journal=[first.trace.events])
    assert await talk(second) == texts
    assert model.requests == []
    # It cost what it had cost, and says where it came from.
    assert second.meter.usage == first.meter.usage == Usage(prompt=90, completion=45)
    assert second.meter.calls == first.meter.calls == 9
    assert {r.origin for e in second.trace.events for r in e.replies} == {"journal"}
    assert {r.origin for e in first.trace.events for r in e.replies} == {"live"}


async def test_replies_carry_the_ids_of_the_new_trace() -> None:
    first = Kernel(Scripted("hi"))
    await first.call(ask_for("x"))
    await first.agent("a").ask("?")
    second = Kernel(Scripted("new"), journal=[first.trace.events])
    reply = await second.agent("a").ask("?")
    assert (reply.text, reply.call) == ("hi", 0)


async def test_an_attempt_is_gone_on_with_where_it_ended() -> None:
    first = Kernel(numbered())
    texts = await talk(first, turns=1)
    model = Scripted(lambda r, i: f"{r.agent} anew")
    second = Kernel(model, journal=[first.trace.events])
    assert await talk(second, turns=2) == [*texts, "a-0 anew", "a-1 anew", "a-2 anew"]
    assert len(model.requests) == 3


async def test_an_attempt_interrupted_again_before_it_caught_up_loses_nothing() -> None:
    first = Kernel(numbered())
    texts = await talk(first, turns=2)
    second = Kernel(Scripted("never"), journal=[first.trace.events])
    assert await talk(second, turns=1) == texts[:3]
    attempts = [first.trace.events, second.trace.events]
    model = Scripted(lambda r, i: "third")
    third = Kernel(model, journal=attempts)
    assert await talk(third, turns=3) == [*texts, "third", "third", "third"]
    attempts.append(third.trace.events)
    fourth = Kernel(Scripted("never"), journal=attempts)
    assert await talk(fourth, turns=3) == [*texts, "third", "third", "third"]
    assert fourth.meter.usage == third.meter.usage


async def test_agents_that_ask_the_same_get_back_their_own_answers() -> None:
    first = Kernel(numbered())
    texts = await talk(first, turns=1)

    async def late(call: Call, proceed: Proceed) -> Any:
        for _ in range(5 - int(call.agent[-1])):  # the last agent comes first
            await asyncio.sleep(0)
        return await proceed(call)

    second = Kernel(Scripted("never"), interceptors=[late], journal=[first.trace.events])
    assert await talk(second, turns=1) == texts == ["a-0 0", "a-1 1", "a-2 2"]


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other words"},
        {"temperature": 0.1},
        {"seed": 3},
        {"n": 2},
        {"stop": ("x",)},
        {"agent": "b"},
        {"schema": {"type": "object"}},
        {"adapters": (("sft", 1.0),)},
    ],
)
async def test_another_question_is_asked(change: dict[str, Any]) -> None:
    first = Kernel(Scripted("old"))
    await first.call(ask_for())
    model = Scripted("new")
    second = Kernel(model, journal=[first.trace.events])
    await second.call(ask_for(**change))
    assert len(model.requests) == 1
    await second.call(ask_for())
    assert len(model.requests) == 1


async def test_another_model_is_asked() -> None:
    first = Kernel(Scripted("old"))
    await first.call(ask_for())
    model = Scripted("new", name="another")
    (reply,) = await Kernel(model, journal=[first.trace.events]).call(ask_for())
    assert reply.text == "new"


async def test_what_a_limit_capped_is_replayed_too() -> None:
    first = Kernel(numbered(), limits=Limits(tokens=200))
    agent = first.agent("a")
    texts = [(await agent.ask("?")).text for _ in range(3)]
    model = numbered()
    second = Kernel(model, limits=Limits(tokens=200), journal=[first.trace.events])
    agent = second.agent("a")
    assert [(await agent.ask("?")).text for _ in range(3)] == texts
    assert model.requests == []
    assert second.meter.usage == first.meter.usage


async def test_limits_hold_for_replayed_calls() -> None:
    first = Kernel(numbered())
    await talk(first)
    second = Kernel(numbered(), limits=Limits(calls=4), journal=[first.trace.events])
    with pytest.raises(LimitReached):
        await talk(second)
    assert second.meter.calls == 4


async def test_interceptors_see_replayed_calls_and_what_they_rewrite_is_not_paid_twice() -> None:
    seen: list[str] = []

    async def rewrite(call: Call, proceed: Proceed) -> Any:
        assert isinstance(call, Generate)
        seen.append(call.agent)
        messages = (*call.messages, Message("user", "attack"))
        replies = await proceed(msgspec.structs.replace(call, messages=messages))
        return tuple(msgspec.structs.replace(r, text=f"<{r.text}>") for r in replies)

    first = Kernel(numbered(), interceptors=[rewrite])
    texts = await talk(first, turns=1)
    assert texts[0] == "<a-0 0>"
    model = numbered()
    second = Kernel(model, interceptors=[rewrite], journal=[first.trace.events])
    assert await talk(second, turns=1) == texts
    assert model.requests == []
    assert seen == ["a-0", "a-1", "a-2"] * 2


async def test_an_interceptor_may_still_refuse_a_replayed_call() -> None:
    async def refuse(call: Call, proceed: Proceed) -> Any:
        raise BadInput("not any more.")

    first = Kernel(numbered())
    await talk(first, turns=1)
    second = Kernel(numbered(), interceptors=[refuse], journal=[first.trace.events])
    with pytest.raises(BadInput, match="not any more"):
        await talk(second, turns=1)


async def test_calls_that_an_interceptor_makes_are_replayed_as_their_own() -> None:
    def run(journal: list[list[Event]], model: Scripted) -> tuple[Kernel, Any]:
        async def judge(call: Call, proceed: Proceed) -> Any:
            if call.agent == "a":
                verdicts.append((await guard.ask("safe?")).text)
            return await proceed(call)

        verdicts: list[str] = []
        kernel = Kernel(model, interceptors=[judge], journal=journal)
        guard = kernel.agent("guard")
        return kernel, verdicts

    first, verdicts = run([], numbered())
    reply = await first.agent("a").ask("?")
    assert (verdicts, reply.text) == (["guard 0"], "a 1")
    model = numbered()
    second, verdicts = run([first.trace.events], model)
    reply = await second.agent("a").ask("?")
    assert (verdicts, reply.text) == (["guard 0"], "a 1")
    assert model.requests == []
    # The guard's answer is missing: only that is asked for.
    only = [e for e in first.trace.events if e.call.agent == "a"]
    third, verdicts = run([only], model)
    reply = await third.agent("a").ask("?")
    assert (verdicts, reply.text) == (["guard 0"], "a 1")
    assert [r.agent for r in model.requests] == ["guard"]


async def test_what_a_tool_did_and_a_person_said_is_not_asked_for_again() -> None:
    done: list[str] = []

    def pay(amount: int) -> list[int] | None:
        """Pay."""
        done.append(f"paid {amount}")
        return [amount] if amount else None

    async def person(question: str) -> str:
        done.append(question)
        return "yes"

    async def run(journal: list[list[Event]]) -> tuple[list[Any], Kernel]:
        kernel = Kernel(Scripted("hi"), tools=[tool(pay)], human=person, journal=journal)
        a = kernel.agent("a", tools=["pay"])
        b = kernel.agent("b", tools=["pay"])
        values: list[Any] = [
            await a.ask_human("may I?"),
            await a.use("pay", amount=3),
            await a.use("pay", amount=3),
            await b.use("pay", amount=0),
        ]
        await a.send(b, "done")
        return [*values, [m.text for m in await b.receive()]], kernel

    values, first = await run([])
    assert values == ["yes", [3], [3], None, ["done"]]
    assert done == ["may I?", "paid 3", "paid 3", "paid 0"]
    again, second = await run([first.trace.events])
    assert again == values
    assert len(done) == 4
    assert [e.value for e in second.trace.events] == [e.value for e in first.trace.events]
    # One payment more than was recorded is made.
    a = second._agents["a"]
    await a.use("pay", amount=3)
    assert done[4:] == ["paid 3"]


async def test_a_failed_call_is_tried_again() -> None:
    first = Kernel(Scripted(Transient("busy")), retry=Retry(attempts=2, base=0))
    with pytest.raises(Exception, match="gave up"):
        await first.call(ask_for())
    model = Scripted("hi")
    (reply,) = await Kernel(model, journal=[first.trace.events]).call(ask_for())
    assert (reply.text, reply.origin) == ("hi", "live")


async def test_a_journal_keeps_the_order_of_tool_and_model_apart() -> None:
    def look() -> str:
        """Look."""
        return "tool"

    first = Kernel(Scripted("model"), tools=[tool(look)])
    await first.call(ask_for())
    await first.call(UseTool(agent="a", tool="look", arguments={}))
    second = Kernel(Scripted("never"), tools=[tool(look)], journal=[first.trace.events])
    assert await second.call(UseTool(agent="a", tool="look", arguments={})) == "tool"
    assert (await second.call(ask_for()))[0].text == "model"
