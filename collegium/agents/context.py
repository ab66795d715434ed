"""Context as memory: which turns of a conversation a model sees, when not all of them fit.

The context window is to an agent what main memory is to a program, and choosing what lies in it is
memory management (arXiv 2312.03815, table 1 and section 3). The agent's history stays whole; a
policy chooses from it for every question. What a model really received stands in the trace.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from typing import Any

from collegium.errors import BadInput
from collegium.kernel import Agent, Generate, Message, Reply
from collegium.kernel.limits import prompt_estimate

REPLY_TOKENS = 128
"""Room that is kept free for the reply."""

SUMMARY_TOKENS = 96
"""Longest summary of the turns that no longer fit."""

Turn = tuple[Message, ...]
"""A question and what came of it; turns are kept or dropped as a whole."""

Policy = Callable[["Windowed", list[Turn], str, int], Awaitable[list[Message]]]
"""Chooses messages: ``await policy(window, turns, prompt, room)``, where room is in tokens."""


def tokens(messages: Sequence[Message]) -> int:
    """Tokens of messages, as the kernel estimates them (about 3.5 characters a token)."""
    return prompt_estimate(Generate(agent="", role="", messages=tuple(messages)))


def turns_of(history: Sequence[Message]) -> list[Turn]:
    """A conversation, split before every message of the user."""
    turns: list[list[Message]] = []
    for message in history:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return [tuple(t) for t in turns]


def latest(turns: Sequence[Turn], room: int) -> int:
    """How many of the last turns fit into a room of tokens."""
    number = 0
    for turn in reversed(turns):
        room -= tokens(turn)
        if room < 0:
            break
        number += 1
    return number


async def last_n(window: Windowed, turns: list[Turn], prompt: str, room: int) -> list[Message]:
    """The last turns that fit; the oldest are dropped first."""
    return _flat(turns[len(turns) - latest(turns, room) :])


async def summary(window: Windowed, turns: list[Turn], prompt: str, room: int) -> list[Message]:
    """The last turns that fit, after a summary of those before; the agent's model writes it.

    The summary goes on from the last one: a turn is read once, when it leaves the window. A summary
    longer than its share of the window is cut.
    """
    if latest(turns, room) == len(turns):
        return _flat(turns)
    allowance = min(SUMMARY_TOKENS, room // 2)
    number = latest(turns, room - allowance - 24)
    older = turns[: len(turns) - number]
    text, read = window.summarised
    while read < len(older):
        room_for_reading = window.window - 2 * allowance - 48
        number = max(1, latest(older[read:][::-1], room_for_reading))
        text = await _summarise(window.agent, text, older[read : read + number], allowance)
        read += number
        window.summarised = (text, read)
    earlier = Message("user", f"Summary of what was said before:\n{text}")
    return [earlier, Message("assistant", "Understood."), *_flat(turns[len(older) :])]


async def _summarise(agent: Agent, before: str, turns: Sequence[Turn], allowance: int) -> str:
    """One step of a running summary."""
    gone = "\n".join(f"{m.role}: {m.text}" for m in _flat(turns))
    so_far = f"Summary so far:\n{before}\n\n" if before else ""
    reply = await agent.ask(
        f"{so_far}Newer part of the conversation:\n{gone}\n\n"
        "Write one short summary of all of it. Keep names, numbers and decisions.",
        temperature=0.0,
        max_tokens=allowance,
    )
    return reply.text.strip()[: int(allowance * 3.5)]


async def retrieval(window: Windowed, turns: list[Turn], prompt: str, room: int) -> list[Message]:
    """The last turns in half of the room, and in the rest the older ones nearest to the question.

    Nearness is BM25 over the words of a turn. All stay in the order in which they were said.
    """
    recent = latest(turns, room // 2)
    chosen = set(range(len(turns) - recent, len(turns)))
    left = room - tokens(_flat(turns[len(turns) - recent :]))
    for number in ranked(turns[: len(turns) - recent], prompt):
        if (size := tokens(turns[number])) <= left:
            chosen.add(number)
            left -= size
    return _flat([turns[i] for i in sorted(chosen)])


POLICIES: dict[str, Policy] = {"last-n": last_n, "summary": summary, "retrieval": retrieval}
"""The policies by name."""


def ranked(turns: Sequence[Turn], query: str) -> list[int]:
    """Numbers of the turns that share a word with a query, nearest first (BM25)."""
    words = re.findall(r"\w+", query)
    if not words:
        return []
    with closing(sqlite3.connect(":memory:")) as store:
        store.execute("CREATE VIRTUAL TABLE turn USING fts5(text, tokenize='porter unicode61')")
        rows = [(i + 1, " ".join(m.text for m in turn)) for i, turn in enumerate(turns)]
        store.executemany("INSERT INTO turn (rowid, text) VALUES (?, ?)", rows)
        match = " OR ".join(f'"{word}"' for word in words)
        order = "SELECT rowid FROM turn WHERE turn MATCH ? ORDER BY bm25(turn), rowid DESC"
        return [number - 1 for (number,) in store.execute(order, [match])]


class Windowed:
    """An agent whose model sees at most a window of tokens. Made by :func:`fit`.

    Attributes:
        agent: The agent; its ``history`` holds every turn.
        window: Tokens of prompt and reply together.
        policy: What chooses the turns.
        summarised: The last summary, and how many turns it covers.
        used: Tokens of the last prompt: what a gauge shows.
    """

    def __init__(self, agent: Agent, window: int, policy: Policy) -> None:
        self.agent, self.window, self.policy = agent, window, policy
        self.summarised: tuple[str, int] = ("", 0)
        self.used = 0

    async def ask(
        self, prompt: str, *, max_tokens: int | None = None, **options: Any
    ) -> Reply[Any]:
        """Ask with the turns that the policy chooses; the new turn joins the history.

        Args:
            prompt: The user's turn.
            max_tokens: Longest reply; the window's reserve if not given, or if that is less.
            options: As for :meth:`collegium.kernel.Agent.ask`.

        Raises:
            BadInput: Profile and prompt alone do not fit into the window.
        """
        agent, whole = self.agent, list(self.agent.history)
        reserve = min(REPLY_TOKENS, self.window // 4)
        fixed = [Message("user", prompt)]
        fixed += [Message("system", agent.profile)] if agent.profile else []
        room = self.window - reserve - tokens(fixed)
        if room < 0:
            raise BadInput(
                f"profile and prompt of agent {agent.name!r} take about {tokens(fixed)} tokens; "
                f"a window of {self.window} has room for {self.window - reserve}."
            )
        chosen = await self.policy(self, turns_of(whole), prompt, room)
        self.used = tokens([*fixed, *chosen])
        agent.history = chosen
        try:
            cap = min(max_tokens or reserve, self.window - self.used)
            reply = await agent.ask(prompt, keep=True, max_tokens=cap, **options)
            whole += agent.history[len(chosen) :]
        finally:
            agent.history = whole
        return reply


def fit(agent: Agent, window: int, policy: Policy) -> Windowed:
    """Keep an agent's conversation within a window; the policy can be changed at any time.

    Args:
        agent: The agent. Its history is kept whole.
        window: Tokens of prompt and reply together.
        policy: :func:`last_n`, :func:`summary`, :func:`retrieval`, or one of your own.

    Raises:
        BadInput: The window is too small to hold anything.
    """
    if window < 32:
        raise BadInput(f"a window of {window} tokens holds no conversation; give it 32 or more.")
    return Windowed(agent, window, policy)


def _flat(turns: Sequence[Turn]) -> list[Message]:
    return [message for turn in turns for message in turn]
