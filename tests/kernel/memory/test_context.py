"""Memories that come into chats by themselves, and chats that come into memory."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, Message
from collegium.kernel.calls import ToolSpec
from collegium.kernel.memory import Extractor, Injector, Memory, extract, inject
from collegium.kernel.memory.context import HEADING, estimated_tokens
from collegium.kernel.resources import Recall, Remember
from tests.kernel.memory.support import Angles
from tests.kernel.support import Scripted, ask_for


def made(*interceptors: Injector | Extractor, answer: str = "0 yes") -> tuple[Kernel, Scripted]:
    model = Scripted(answer)
    kernel = Kernel(model, interceptors=interceptors, drivers=Memory(None, embed=Angles()).drivers)
    for interceptor in interceptors:
        interceptor.attach(kernel)
    return kernel, model


async def fill(kernel: Kernel, *texts: str) -> None:
    for text in texts:
        await kernel.call(Remember(agent="a", text=text))


async def test_five_fitting_notes_at_most_in_one_system_message_at_the_start() -> None:
    kernel, model = made(inject())
    await fill(kernel, *(f"{angle} is the angle" for angle in (0, 10, 20, 30, 40, 50, 70, 90)))
    agent = kernel.agent("a", profile="You are brief.")
    await agent.ask("0 where?")
    (request,) = model.requests
    assert [m.role for m in request.messages] == ["system", "user"]
    notes = "\n".join(f"- {angle} is the angle" for angle in (0, 10, 20, 30, 40))
    assert request.messages[0].text == f"You are brief.\n\n{HEADING}\n{notes}"
    # the search is in the trace, made by the agent
    searches = [e.call for e in kernel.trace.events if isinstance(e.call, Recall)]
    assert [(s.agent, s.query, s.k, s.least) for s in searches] == [("a", "0 where?", 5, 0.5)]


async def test_only_notes_as_near_as_half_count() -> None:
    kernel, model = made(inject())
    await fill(kernel, "55 near", "65 far", "120 farther")
    await kernel.call(ask_for("a", "0 where?"))
    assert model.requests[0].messages == (
        Message("system", f"{HEADING}\n- 55 near"),
        Message("user", "0 where?"),
    )


async def test_nothing_fitting_changes_nothing() -> None:
    kernel, model = made(inject())
    await fill(kernel, "90 far")
    call = ask_for("a", "0 where?")
    await kernel.call(call)
    assert model.requests == [call]


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": {"type": "object"}},
        {"tools": (ToolSpec("t", "A tool.", {"type": "object"}),)},
        {"n": 2},
    ],
)
async def test_calls_that_are_no_chat_are_left_alone(fields: dict[str, object]) -> None:
    extractor = extract()
    kernel, model = made(inject(), extractor)
    await fill(kernel, "0 near")
    call = ask_for("a", "0 where?", **fields)
    await kernel.call(call)
    await extractor.drain()
    assert model.requests == [call]
    assert [type(e.call) for e in kernel.trace.events] == [Remember, Generate]


async def test_what_is_added_stays_below_the_cap() -> None:
    kernel, model = made(inject())
    long = "many words " * 180  # about 660 tokens by the estimate
    await fill(kernel, f"0 first {long}", f"10 second {long}", f"20 third {long}", "30 short")
    await kernel.call(ask_for("a", "0 where?"))
    added = model.requests[0].messages[0].text
    assert estimated_tokens(added) <= 1500
    assert [word in added for word in ("first", "second", "third", "short")] == [
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("tokens", [20, 100, 1500])
async def test_a_note_too_long_for_the_cap_is_cut(tokens: int) -> None:
    kernel, model = made(inject(tokens=tokens))
    await fill(kernel, f"0 {'ä' * 5000}")
    await kernel.call(ask_for("a", "0 where?"))
    added = model.requests[0].messages[0].text
    assert tokens - 2 <= estimated_tokens(added) <= tokens
    assert added.endswith("ä ...")


async def test_the_turn_is_kept_after_the_reply_without_delaying_it() -> None:
    extractor = extract()
    kernel, _ = made(extractor, answer="5 is right")
    agent = kernel.agent("a")
    reply = await agent.ask("0 which?")
    assert reply.text == "5 is right"
    assert not [e for e in kernel.trace.events if isinstance(e.call, Remember)]
    await extractor.drain()
    (kept,) = [e for e in kernel.trace.events if isinstance(e.call, Remember)]
    assert isinstance(kept.call, Remember)
    assert kept.call.text == "User: 0 which?\nAssistant: 5 is right"
    assert (kept.call.agent, kept.call.tags) == ("a", ("turn",))


async def test_what_was_said_once_is_in_the_next_chat() -> None:
    injector, extractor = inject(method="text", least=0.0), extract()
    model = Scripted("It is Rex.")
    kernel = Kernel(model, interceptors=[injector, extractor], drivers=Memory(None).drivers, seed=1)
    injector.attach(kernel)
    extractor.attach(kernel)
    agent = kernel.agent("a")
    await agent.ask("What is my dog called?")
    await extractor.drain()
    await agent.ask("Which name has my dog?")
    assert (
        "- User: What is my dog called?\nAssistant: It is Rex."
        in model.requests[1].messages[0].text
    )


async def test_a_turn_that_cannot_be_kept_spoils_nothing() -> None:
    extractor = extract()
    kernel, _ = made(extractor)  # Angles cannot read "User: ..."
    assert (await kernel.agent("a").ask("0 which?")).text == "0 yes"
    await extractor.drain()
    await asyncio.sleep(0)
    assert kernel.trace.events[-1].outcome == "error"


async def test_an_injector_without_kernel_says_what_to_do() -> None:
    kernel = Kernel(Scripted("x"), interceptors=[inject()])
    with pytest.raises(BadInput, match=r"attach\(kernel\)"):
        await kernel.agent("a").ask("?")


async def test_the_call_itself_is_not_changed() -> None:
    kernel, _ = made(inject())
    await fill(kernel, "0 near")
    call = ask_for("a", "0 where?")
    before = msgspec.json.encode(call)
    await kernel.call(call)
    assert msgspec.json.encode(call) == before
