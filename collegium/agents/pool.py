"""A shared message pool: agents publish typed messages, and hear those they subscribed to.

The pattern of MetaGPT (arXiv 2308.00352, section 3.2): nobody is told whom to talk to. A message
says which *action* caused it; a member hears it when it watches that action, or when the message
names it. Whoever has news acts, whoever has none is idle, and the run ends when all are.

Messages really travel: every delivery is a ``Send`` of the kernel and every look into the mailbox
a ``Receive``. So guards, attacks and the trace see them like any other message, and what a member
acts on is what arrived, not what was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from collegium.errors import BadInput, Denied
from collegium.kernel import Agent

ALL = "<all>"
"""Addressee that stands for every member."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of the pool.

    Attributes:
        content: What it says, for readers.
        document: The same as data: whatever JSON can say.
        role: Title of the sender.
        cause_by: The action it came from: what subscriptions go by.
        sent_from: Name of the sender; filled in by :meth:`Pool.publish`.
        send_to: Names of the addressees, or :data:`ALL`.
        id: Unique in its pool; filled in by :meth:`Pool.publish` when empty.
    """

    content: str
    cause_by: str
    document: Any = None
    role: str = ""
    sent_from: str = ""
    send_to: tuple[str, ...] = (ALL,)
    id: str = ""


class Heard(msgspec.Struct, frozen=True):
    """A message as it arrived, and the trace id of its sending, for lineage."""

    message: Message
    call: int


class Member(msgspec.Struct, frozen=True):
    """Someone who reads the pool: an agent, and the actions whose messages it wants to hear."""

    agent: Agent
    watch: frozenset[str]

    def wants(self, message: Message) -> bool:
        """Whether it hears a message: it is among the addressees, by subscription or by name."""
        named = self.agent.name in message.send_to
        return named or (ALL in message.send_to and message.cause_by in self.watch)


class Pool:
    """The shared pool of one run.

    Attributes:
        members: By name, in the order in which they joined.
        history: Every message published, in order.
        unheard: Ids of messages nobody heard.
        refused: (id, addressee) of deliveries that a guard stood against.
        damaged: (reader, text) of arrivals that are no message.
    """

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.history: list[Message] = []
        self.unheard: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.damaged: list[tuple[str, str]] = []
        self._known: dict[str, set[str]] = {}

    def join(self, agent: Agent, watch: Collection[str] = ()) -> Member:
        """Let an agent read the pool.

        Args:
            agent: The agent.
            watch: Actions whose messages it wants to hear.

        Raises:
            BadInput: It has joined already.
        """
        if agent.name in self.members:
            raise BadInput(f"{agent.name!r} reads this pool already.")
        member = self.members[agent.name] = Member(agent, frozenset(watch))
        self._known[agent.name] = set()
        return member

    async def publish(
        self, sender: Agent, message: Message, *, sources: Sequence[int] = ()
    ) -> Message:
        """Deliver a message to everyone who wants it; its sender may be among them.

        A message with the id of an earlier one is delivered again, and heard by nobody twice.

        Args:
            sender: Who publishes; it need not be a member.
            message: What; an empty id is filled in.
            sources: Trace ids of the calls it was made from.

        Returns:
            The message as published.
        """
        message = msgspec.structs.replace(
            message, id=message.id or f"m{len(self.history) + 1}", sent_from=sender.name
        )
        if all(m.id != message.id for m in self.history):
            self.history.append(message)
        hearers = [m for m in self.members.values() if m.wants(message)]
        if not hearers:
            self.unheard.append(message.id)
        text = msgspec.json.encode(message).decode()
        for member in hearers:
            try:
                await sender.send(member.agent, text, sources=sources)
            except Denied:
                self.refused.append((message.id, member.agent.name))
        return message

    async def observe(self, name: str) -> tuple[Heard, ...]:
        """Empty a member's mailbox: what it has not heard before and wants to hear.

        Raises:
            BadInput: There is no such member.
        """
        if name not in self.members:
            raise BadInput(f"{name!r} does not read this pool; it has to join first.")
        member, known = self.members[name], self._known[name]
        news: list[Heard] = []
        for mail in await member.agent.receive():
            try:
                message = msgspec.json.decode(mail.text, type=Message)
            except (msgspec.MsgspecError, RecursionError):
                self.damaged.append((name, mail.text))
                continue
            if message.id not in known and member.wants(message):
                known.add(message.id)
                news.append(Heard(message, mail.call))
        return tuple(news)


__all__ = ["ALL", "Heard", "Member", "Message", "Pool"]
