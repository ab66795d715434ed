"""The chain of interceptors: order, place, and what an interceptor may do with a call."""

from typing import Any

import msgspec
import pytest

from collegium.errors import BadInput, LimitReached
from collegium.kernel import Call, Generate, Kernel, Limits, Message, Reply, Send, Usage, UseTool
from collegium.kernel.kernel import Proceed
from collegium.kernel.tool import tool
from tests.kernel.support import Scripted, ask_for


class Note:
    """Writes down when it is entered and left."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        self.log.append(f"{self.name} in")
        try:
            return await proceed(call)
        finally:
            self.log.append(f"{self.name} out")


async def test_the_first_interceptor_is_outermost_and_the_model_innermost() -> None:
    log: list[str] = []

    def answer(request: Generate, i: int) -> str:
        log.append("model")
        return "hi"

    notes = [Note("one", log), Note("two", log), Note("three", log)]
    kernel = Kernel(Scripted(answer), interceptors=notes)
    await kernel.call(ask_for())
    assert log == ["one in", "two in", "three in", "model", "three out", "two out", "one out"]


async def test_the_chain_is_composed_once_and_every_kind_of_call_passes_it() -> None:
    seen: list[str] = []

    async def watch(call: Call, proceed: Proceed) -> Any:
        seen.append(type(call).__name__)
        return await proceed(call)

    def double(x: int) -> int:
        """Twice x."""
        return 2 * x

    async def person(question: str) -> str:
        return "yes"

    interceptors = [watch]
    kernel = Kernel(Scripted("hi"), interceptors=interceptors, tools=[tool(double)], human=person)
    interceptors.append(watch)  # too late: it must have no effect
    chain = kernel._chain
    a, b = kernel.agent("a", tools=["double"]), kernel.agent("b")
    await a.ask("?")
    assert await a.use("double", x=4) == 8
    await a.send(b, "psst")
    await b.receive()
    assert await a.ask_human("may I?") == "yes"
    assert seen == ["Generate", "UseTool", "Send", "Receive", "AskHuman"]
    assert kernel._chain is chain


async def test_an_interceptor_that_answers_spares_the_model() -> None:
    async def answer(call: Call, proceed: Proceed) -> Any:
        return (Reply("from the interceptor"),)

    model = Scripted("from the model")
    kernel = Kernel(model, interceptors=[answer])
    reply = await kernel.agent("a").ask("?")
    assert reply.text == reply.data == "from the interceptor"
    assert model.requests == []
    assert kernel.meter.calls == 0
    (event,) = kernel.trace.events
    assert [r.text for r in event.replies] == ["from the interceptor"]


async def test_an_interceptor_that_refuses_is_traced_as_an_error() -> None:
    async def refuse(call: Call, proceed: Proceed) -> Any:
        raise BadInput("not allowed here.")

    model = Scripted("hi")
    kernel = Kernel(model, interceptors=[refuse])
    with pytest.raises(BadInput, match=r"^not allowed here\.$"):
        await kernel.agent("a").ask("?")
    assert model.requests == []
    assert [(e.outcome, e.error) for e in kernel.trace.events] == [("error", "not allowed here.")]


async def test_an_interceptor_that_rewrites_changes_what_the_model_reads_and_the_agent_gets() -> (
    None
):
    async def rewrite(call: Call, proceed: Proceed) -> Any:
        assert isinstance(call, Generate)
        messages = (*call.messages, Message("user", "and be brief"))
        replies = await proceed(msgspec.structs.replace(call, messages=messages))
        return tuple(msgspec.structs.replace(r, text=r.text.upper()) for r in replies)

    model = Scripted("hi")
    kernel = Kernel(model, interceptors=[rewrite])
    reply = await kernel.agent("a").ask("?")
    assert [m.text for m in model.requests[0].messages] == ["?", "and be brief"]
    assert reply.data == "HI"
    # The trace tells what the agent did and got.
    (event,) = kernel.trace.events
    assert isinstance(event.call, Generate)
    assert [m.text for m in event.call.messages] == ["?"]
    assert event.replies[0].text == "HI"


async def twice(call: Call, proceed: Proceed) -> Any:
    """An interceptor that has every call made twice and takes the second result."""
    await proceed(call)
    return await proceed(call)


async def test_every_model_call_an_interceptor_repeats_is_counted() -> None:
    model = Scripted("hi")
    kernel = Kernel(model, interceptors=[twice], limits=Limits(calls=3))
    agent = kernel.agent("a")
    await agent.ask("?")
    assert len(model.requests) == 2
    assert kernel.meter.calls == 2
    assert kernel.meter.usage == Usage(prompt=20, completion=10)
    with pytest.raises(LimitReached):
        await agent.ask("?")
    assert len(model.requests) == 3


async def test_an_interceptor_cannot_lift_the_cap_of_a_limit() -> None:
    async def lift(call: Call, proceed: Proceed) -> Any:
        assert isinstance(call, Generate)
        return await proceed(msgspec.structs.replace(call, max_tokens=10_000))

    model = Scripted("hi")
    kernel = Kernel(model, interceptors=[lift], limits=Limits(tokens=100))
    await kernel.call(ask_for(text="x" * 35))  # 16 tokens by estimate
    assert model.requests[0].max_tokens == 84


async def test_extra_interceptors_sit_inside_the_trace_and_the_time_limit() -> None:
    kernel: Kernel

    async def look(call: Call, proceed: Proceed) -> Any:
        begun.append(len(kernel.trace.events))
        result = await proceed(call)
        begun.append(len(kernel.trace.events))
        return result

    begun: list[int] = []
    kernel = Kernel(Scripted("hi"), interceptors=[look], limits=Limits(seconds=60))
    kernel.meter.started -= 59.5
    await kernel.call(ask_for())
    assert begun == [0, 0]
    assert len(kernel.trace.events) == 1
    kernel.meter.started -= 1
    with pytest.raises(LimitReached, match="60 seconds is used up"):
        await kernel.call(ask_for())
    assert begun == [0, 0]  # it never saw the call


async def test_a_message_that_an_interceptor_rewrites_arrives_rewritten() -> None:
    async def poison(call: Call, proceed: Proceed) -> Any:
        if isinstance(call, Send):
            call = msgspec.structs.replace(call, text="poisoned")
        return await proceed(call)

    kernel = Kernel(Scripted("hi"), interceptors=[poison])
    a, b = kernel.agent("a"), kernel.agent("b")
    await a.send(b, "clean")
    assert [m.text for m in await b.receive()] == ["poisoned"]


async def test_a_message_that_an_interceptor_swallows_never_arrives_and_a_repeated_one_twice() -> (
    None
):
    async def post(call: Call, proceed: Proceed) -> Any:
        if isinstance(call, Send) and call.text == "lost":
            return None
        return await (twice(call, proceed) if isinstance(call, Send) else proceed(call))

    kernel = Kernel(Scripted("hi"), interceptors=[post])
    a, b = kernel.agent("a"), kernel.agent("b")
    await a.send(b, "lost")
    await a.send(b, "doubled")
    mail = await b.receive()
    assert [(m.sender, m.text, m.call) for m in mail] == [("a", "doubled", 1)] * 2


async def test_an_interceptor_may_make_calls_of_its_own() -> None:
    kernel: Kernel

    async def judge(call: Call, proceed: Proceed) -> Any:
        if isinstance(call, UseTool):
            await guard.ask("is this safe?")
        return await proceed(call)

    def ring() -> str:
        """Ring."""
        return "ding"

    kernel = Kernel(Scripted("safe"), interceptors=[judge], tools=[tool(ring)])
    guard, agent = kernel.agent("guard"), kernel.agent("a", tools=["ring"])
    assert await agent.use("ring") == "ding"
    # Numbered as they begin, recorded as they end.
    assert [(e.id, e.kind, e.call.agent) for e in kernel.trace.events] == [
        (1, "generate", "guard"),
        (0, "use-tool", "a"),
    ]


async def test_a_new_kind_of_call_needs_a_driver() -> None:
    class Step(Call, frozen=True, kw_only=True, tag="step"):
        move: str

    async def world(call: Step) -> str:
        return f"moved {call.move}"

    kernel = Kernel(Scripted("hi"), drivers={Step: world})
    assert await kernel.call(Step(agent="a", move="north")) == "moved north"
    assert kernel.trace.events[0].value == "moved north"
    with pytest.raises(BadInput, match="no driver for Step calls"):
        await Kernel(Scripted("hi")).call(Step(agent="a", move="north"))


async def test_a_kernel_needs_a_default_model() -> None:
    with pytest.raises(BadInput, match="default model"):
        Kernel({"verifier": Scripted("hi")})


async def test_the_model_of_an_agent_is_its_own_then_its_roles_then_the_default() -> None:
    default, role, own = (Scripted(t, name=t) for t in ("default", "role", "own"))
    kernel = Kernel({"": default, "debater": role, "debater-2": own})
    texts = [(await kernel.agent(n).ask("?")).text for n in ("debater-1", "debater-2", "judge")]
    assert texts == ["role", "own", "default"]
    assert [e.model for e in kernel.trace.events] == ["role", "own", "default"]


async def test_a_model_must_give_as_many_replies_as_asked() -> None:
    class Mean(Scripted):
        async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply, ...]:
            return (Reply("only one"),)

    with pytest.raises(BadInput, match="1 replies where 3 were asked for"):
        await Kernel(Mean("")).agent("a").ask("?", n=3)


async def test_text_is_passed_on_as_it_is_written() -> None:
    heard: list[tuple[str, int, str]] = []
    kernel = Kernel(
        Scripted(lambda r, i: f"text {i}"), on_text=lambda a, i, t: heard.append((a, i, t))
    )
    await kernel.agent("a").ask("?", n=2)
    assert heard == [("a", 0, "text 0"), ("a", 1, "text 1")]
