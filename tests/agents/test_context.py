"""What a model receives of a long conversation under each policy."""

from __future__ import annotations

import re

import pytest

from collegium.agents.context import fit, last_n, ranked, retrieval, summary, tokens, turns_of
from collegium.errors import BadInput
from collegium.kernel import Kernel, Message
from tests.kernel.support import Scripted

FACT = "Please note: the code of the blue door is 4711."
WINDOW = 512


def reply(request, sample):
    if "Write one short summary" in request.messages[-1].text:
        seen = " ".join(m.text for m in request.messages)
        return "The blue door: 4711." if "4711" in seen else "Small talk."
    return f"Noted, that was point {len(request.messages)}, and I have nothing to add to it."


async def conversation(policy, turns=40):
    """A conversation whose fact is said first and asked for last."""
    model = Scripted(reply)
    agent = Kernel(model, seed=1).agent("a", profile="You are a helpful porter.")
    chat = fit(agent, WINDOW, policy)
    await chat.ask(FACT)
    for number in range(2, turns):
        await chat.ask(f"Number {number}: the weather in the garden is fine and the tea is warm.")
    return model, chat


def received(request) -> str:
    return "\n".join(m.text for m in request.messages[:-1])


@pytest.mark.must_show("aios-ecosystem", 3)
async def test_last_n_drops_the_oldest_and_retrieval_brings_the_fact_back():
    model, chat = await conversation(last_n)
    question = "What is the code of the blue door?"
    await chat.ask(question)
    without = model.requests[-1]
    assert FACT not in received(without)
    shown = [int(n) for n in re.findall(r"Number (\d+):", received(without))]
    assert shown == list(range(shown[0], 40)) and 3 <= len(shown) < 38  # the latest, none missing

    chat.policy = retrieval  # the same conversation, another policy
    await chat.ask(question)
    there = model.requests[-1]
    assert there.messages[1].text == FACT
    assert "Number 39:" in received(there)
    assert len(chat.agent.history) == 2 * 41  # nothing was lost meanwhile


@pytest.mark.must_show("aios-ecosystem", 3)
@pytest.mark.parametrize("policy", [last_n, summary, retrieval])
async def test_no_prompt_and_reply_is_larger_than_the_window(policy):
    model, chat = await conversation(policy)
    assert len(model.requests) >= 39
    for request in model.requests:
        assert tokens(request.messages) + (request.max_tokens or WINDOW) <= WINDOW
    assert chat.used == tokens(model.requests[-1].messages)
    assert chat.used > WINDOW * 0.4  # the room is used


async def test_a_summary_stands_for_the_turns_that_are_gone():
    model, chat = await conversation(summary)
    await chat.ask("What is the code of the blue door?")
    last = received(model.requests[-1])
    assert FACT not in last and "Summary of what was said before:" in last
    text, covered = chat.summarised
    assert text in last
    read = [r for r in model.requests if "Write one short summary" in r.messages[-1].text]
    lines = "\n".join(r.messages[-1].text for r in read)
    assert lines.count(FACT) == 1  # every turn is summarised once
    assert len(turns_of(chat.agent.history)) > covered > 20


async def test_a_short_conversation_is_shown_whole():
    for policy in (last_n, summary, retrieval):
        model = Scripted("ok")
        chat = fit(Kernel(model).agent("a"), WINDOW, policy)
        await chat.ask("one")
        await chat.ask("two")
        assert [m.text for m in model.requests[-1].messages] == ["one", "ok", "two"]


async def test_a_failed_question_leaves_the_history_as_it_was():
    model = Scripted(lambda r, i: RuntimeError("gone") if r.messages[-1].text == "two" else "ok")
    chat = fit(Kernel(model).agent("a"), WINDOW, last_n)
    await chat.ask("one")
    with pytest.raises(RuntimeError):
        await chat.ask("two")
    assert [m.text for m in chat.agent.history] == ["one", "ok"]


async def test_what_can_never_fit_is_refused():
    agent = Kernel(Scripted("ok")).agent("a")
    with pytest.raises(BadInput, match="32 or more"):
        fit(agent, 8, last_n)
    with pytest.raises(BadInput, match="room for"):
        await fit(agent, 64, last_n).ask("word " * 200)


def test_turns_are_ranked_by_the_words_they_share():
    turns = turns_of(
        [
            Message("user", "the cat sleeps"),
            Message("assistant", "yes"),
            Message("user", "the door"),
        ]
    )
    assert ranked(turns, "a door?") == [1]
    assert ranked(turns, "?!") == []
