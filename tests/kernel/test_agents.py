"""Agents: their conversation, their mail, their questions to people, and their seeds."""

import asyncio

import pytest

from collegium.errors import BadInput, UnknownName
from collegium.kernel import Image, Kernel, Mail, Receive, Send, gather
from tests.kernel.support import Scripted, inorder


async def test_a_question_stands_alone_unless_it_is_kept() -> None:
    model = Scripted(inorder("one", "two", "three", "four"))
    agent = Kernel(model).agent("a", profile="You are A.")
    await agent.ask("q1", keep=True)
    await agent.ask("q2")
    await agent.ask("q3", keep=True)
    await agent.ask("", keep=True)
    assert [[(m.role, m.text) for m in r.messages] for r in model.requests] == [
        [("system", "You are A."), ("user", "q1")],
        [("system", "You are A."), ("user", "q2")],
        [("system", "You are A."), ("user", "q1"), ("assistant", "one"), ("user", "q3")],
        [("system", "You are A."), ("user", "q1"), ("assistant", "one"), ("user", "q3"),
         ("assistant", "three")],
    ]  # fmt: skip
    assert [m.text for m in agent.history] == ["q1", "one", "q3", "three", "four"]


async def test_without_a_profile_there_is_no_system_turn() -> None:
    model = Scripted("hi")
    agent = Kernel(model).agent("a")
    await agent.ask("q", keep=True, images=[Image(b"png")])
    assert [(m.role, m.images) for m in model.requests[0].messages] == [("user", (Image(b"png"),))]
    assert [m.text for m in agent.history] == ["q", "hi"]


async def test_a_failed_question_leaves_the_history_as_it_was() -> None:
    agent = Kernel(Scripted(RuntimeError("broken"))).agent("a")
    with pytest.raises(RuntimeError):
        await agent.ask("q", keep=True)
    assert agent.history == []


async def test_one_reply_or_a_list_of_samples() -> None:
    agent = Kernel(Scripted(lambda r, i: f"{i}")).agent("a")
    assert (await agent.ask("?")).data == "0"
    assert [r.data for r in await agent.ask("?", n=1)] == ["0"]
    assert [r.data for r in await agent.ask("?", n=3)] == ["0", "1", "2"]


def test_names_are_unique_and_roles_drop_the_number() -> None:
    kernel = Kernel(Scripted("hi"))
    names = ("solver", "debater-12", "agent3", "a-b")
    assert [kernel.agent(n).role for n in names] == ["solver", "debater", "agent", "a-b"]
    assert kernel.agent("x", role="critic").role == "critic"
    with pytest.raises(BadInput, match="already an agent named 'solver'"):
        kernel.agent("solver")


async def test_mail_comes_in_order_of_sender_and_then_of_time_and_only_once() -> None:
    kernel = Kernel(Scripted("hi"))
    a, b, c = (kernel.agent(n) for n in "abc")
    await b.send(c, "b1")
    await a.send(c, "a1")
    await b.send("c", "b2")
    await c.send(a, "for a")
    assert await c.receive() == (Mail("a", "a1", 1), Mail("b", "b1", 0), Mail("b", "b2", 2))
    assert await c.receive() == ()
    assert [m.text for m in await a.receive()] == ["for a"]
    assert await b.receive() == ()


async def test_the_order_of_mail_does_not_depend_on_timing() -> None:
    kernel = Kernel(Scripted("hi"))
    reader = kernel.agent("reader")
    writers = [kernel.agent(f"writer-{i}") for i in range(4)]

    async def write(i: int) -> None:
        for _ in range(10 - 3 * i):
            await asyncio.sleep(0)
        await writers[i].send(reader, str(i))

    await gather(*(write(i) for i in range(4)))
    assert [m.text for m in await reader.receive()] == ["0", "1", "2", "3"]


async def test_nobody_writes_to_or_reads_for_an_agent_that_does_not_exist() -> None:
    kernel = Kernel(Scripted("hi"))
    agent = kernel.agent("alice")
    with pytest.raises(UnknownName, match="unknown agent 'alise'; did you mean 'alice'"):
        await agent.send("alise", "x")
    with pytest.raises(UnknownName, match="unknown agent 'bob'"):
        await kernel.call(Receive(agent="bob"))
    await kernel.call(Send(agent="outside", to="alice", text="from outside"))
    assert [m.sender for m in await agent.receive()] == ["outside"]


async def test_a_person_is_asked() -> None:
    asked: list[str] = []

    async def person(question: str) -> str:
        asked.append(question)
        return "blue"

    kernel = Kernel(Scripted("hi"), human=person)
    assert await kernel.agent("a").ask_human("Which colour?") == "blue"
    assert asked == ["Which colour?"]


async def test_without_a_person_a_question_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        await Kernel(Scripted("hi")).agent("a").ask_human("Which colour?")
    assert str(caught.value) == "agent 'a' asked the user a question, but nobody can answer here."


async def seeds(seed: int | None, order: list[str]) -> dict[str, list[int | None]]:
    """The seeds of three calls of each agent, the agents starting in an order."""
    model = Scripted("hi")
    kernel = Kernel(model, seed=seed)
    agents = {name: kernel.agent(name) for name in sorted(order)}

    async def work(name: str, delay: int) -> None:
        for _ in range(3):
            for _ in range(delay):
                await asyncio.sleep(0)
            await agents[name].ask("?")

    await gather(*(work(name, place) for place, name in enumerate(order)))
    return {n: [r.seed for r in model.requests if r.agent == n] for n in agents}


async def test_seeds_depend_on_the_agent_and_its_calls_alone() -> None:
    first = await seeds(7, ["a", "b", "c"])
    assert first == await seeds(7, ["c", "a", "b"])
    assert first != await seeds(8, ["a", "b", "c"])
    flat = [s for own in first.values() for s in own]
    assert len(set(flat)) == 9


async def test_without_a_seed_calls_have_none() -> None:
    assert await seeds(None, ["a", "b"]) == {"a": [None] * 3, "b": [None] * 3}


async def test_a_run_draws_its_own_choices_from_its_seed() -> None:
    draws = [[Kernel(Scripted("hi"), seed=s).random.random()] for s in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_the_seeds_of_samples_do_not_meet() -> None:
    kernel = Kernel(Scripted("hi"), seed=11)
    used: set[int] = set()
    for agent in range(20):
        for number in range(1, 21):
            seed = kernel.call_seed(f"agent-{agent}", number)
            assert seed is not None
            assert 0 <= seed < 2**31 - 64  # an engine's signed 32 bits hold every sample's
            used.update(range(seed, seed + 16))
    assert len(used) == 20 * 20 * 16
