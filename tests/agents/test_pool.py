"""The message pool: who hears what, once, and what becomes of what nobody hears."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from collegium.agents.pool import ALL, Message, Pool
from collegium.errors import BadInput, Denied
from collegium.kernel import Agent, Call, Kernel, Send
from tests.kernel.support import Scripted

WATCH = {
    "Alice": {"UserRequirement"},
    "Bob": {"WritePRD"},
    "Eve": {"WriteDesign"},
    "Alex": {"WriteTasks"},
    "Edward": {"SummarizeCode", "RunCode"},
}


def company(*interceptors: Any) -> tuple[Kernel, Pool, dict[str, Agent]]:
    """Five members who watch what the paper's roles watch."""
    kernel = Kernel(Scripted("unused"), interceptors=interceptors)
    pool = Pool()
    agents = {name: kernel.agent(name) for name in WATCH}
    for name, agent in agents.items():
        pool.join(agent, WATCH[name])
    return kernel, pool, agents


async def news(pool: Pool) -> dict[str, list[str]]:
    """What each member hears now; the idle ones are left out."""
    heard = {name: [h.message.content for h in await pool.observe(name)] for name in pool.members}
    return {name: said for name, said in heard.items() if said}


@pytest.mark.must_show("metagpt", 3)
async def test_a_message_reaches_those_who_watch_its_cause() -> None:
    kernel, pool, agents = company()
    sent = await pool.publish(
        agents["Alice"],
        Message(content="a PRD", cause_by="WritePRD", document={"Project Name": "x"}, role="PM"),
    )
    assert (sent.id, sent.sent_from, sent.send_to) == ("m1", "Alice", (ALL,))
    (heard,) = await pool.observe("Bob")
    assert heard.message == sent
    assert await news(pool) == {}
    sends = [e for e in kernel.trace.events if isinstance(e.call, Send)]
    assert [(e.call.agent, e.call.to) for e in sends] == [("Alice", "Bob")]  # type: ignore
    assert heard.call == sends[0].id


@pytest.mark.must_show("metagpt", 3)
async def test_a_name_is_heard_whatever_it_watches() -> None:
    _, pool, agents = company()
    await pool.publish(
        agents["Edward"], Message(content="mend it", cause_by="RunCode", send_to=("Alex",))
    )
    # Not even Edward, who watches RunCode: the message is for Alex alone.
    assert await news(pool) == {"Alex": ["mend it"]}


@pytest.mark.must_show("metagpt", 3)
async def test_a_duplicate_is_not_heard_twice() -> None:
    _, pool, agents = company()
    sent = await pool.publish(agents["Alice"], Message(content="PRD", cause_by="WritePRD"))
    await pool.publish(agents["Alice"], sent)
    assert await news(pool) == {"Bob": ["PRD"]}
    await pool.publish(agents["Alice"], sent)
    assert await news(pool) == {}
    assert [m.id for m in pool.history] == ["m1"]
    # The same words in a new message are news.
    await pool.publish(agents["Alice"], Message(content="PRD", cause_by="WritePRD"))
    assert await news(pool) == {"Bob": ["PRD"]}


@pytest.mark.must_show("metagpt", 3)
async def test_what_nobody_hears_is_logged_and_all_stay_idle() -> None:
    _, pool, agents = company()
    for message in (
        Message(content="?", cause_by="Daydream"),
        Message(content="?", cause_by="RunCode", send_to=("NoOne",)),
    ):
        await pool.publish(agents["Alice"], message)
    assert pool.unheard == ["m1", "m2"]
    assert await news(pool) == {}


async def test_members_hear_their_own_messages_and_those_from_outside() -> None:
    kernel, pool, agents = company()
    await pool.publish(agents["Edward"], Message(content="tested", cause_by="RunCode"))
    await pool.publish(kernel.agent("human"), Message(content="a game", cause_by="UserRequirement"))
    assert await news(pool) == {"Edward": ["tested"], "Alice": ["a game"]}


Change = Callable[[Call, Callable[[Call], Awaitable[Any]]], Awaitable[Any]]


def rewriting(change: Callable[[str], str]) -> Change:
    """An attack that changes messages on their way."""

    async def attack(call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        if isinstance(call, Send):
            call = msgspec.structs.replace(call, text=change(call.text))
        return await proceed(call)

    return attack


async def test_a_member_acts_on_what_arrives() -> None:
    _, pool, agents = company(rewriting(lambda text: text.replace("snake", "shark")))
    await pool.publish(
        agents["Alice"],
        Message(content="snake", cause_by="WritePRD", document={"Project Name": "snake"}),
    )
    (heard,) = await pool.observe("Bob")
    assert heard.message.document == {"Project Name": "shark"}
    assert pool.history[0].content == "snake"


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"content": 1, "cause_by": "WritePRD"}'])
async def test_a_damaged_message_is_logged_and_not_heard(text: str) -> None:
    _, pool, agents = company(rewriting(lambda _: text))
    await pool.publish(agents["Alice"], Message(content="PRD", cause_by="WritePRD"))
    assert await news(pool) == {}
    assert pool.damaged == [("Bob", text)]


async def test_a_delivery_that_a_guard_refuses_is_logged() -> None:
    async def guard(call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        if isinstance(call, Send) and call.to == "Edward":
            raise Denied("Edward may hear nothing.")
        return await proceed(call)

    _, pool, agents = company(guard)
    message = Message(content="x", cause_by="RunCode", send_to=("Edward", "Alex"))
    await pool.publish(agents["Alice"], message)
    assert await news(pool) == {"Alex": ["x"]}
    assert pool.refused == [("m1", "Edward")]


async def test_bad_input() -> None:
    _, pool, agents = company()
    with pytest.raises(BadInput, match="'Bob' reads this pool already"):
        pool.join(agents["Bob"])
    with pytest.raises(BadInput, match="'Nobody' does not read this pool"):
        await pool.observe("Nobody")
