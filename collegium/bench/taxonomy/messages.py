"""Who told whom, read from what a run did.

A message is a text of one agent that reached another. It may be *sent* through a mailbox, *passed*
by a prompt (a call names the other agent's call among its sources), or left in *memory* or storage
and read there. Each text reaches a receiver once, however often the receiver goes on to use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from collegium.kernel import (
    Event,
    Find,
    Generate,
    Load,
    Recall,
    Receive,
    Remember,
    Send,
    Store,
)

Way = Literal["sent", "passed", "memory"]

USERS = frozenset(("user", "human"))
"""Names of agents that stand for a person: they are no part of the team."""

UNDETERMINED = "undetermined"
"""What a rule says when the trace lacks what it needs."""


class Message(msgspec.Struct, frozen=True):
    """One text that reached another agent, and the events that show it, the first its origin."""

    sender: str
    receiver: str
    way: Way
    events: tuple[int, ...]


class Reading(msgspec.Struct, frozen=True):
    """A record of memory or storage that was read.

    Attributes:
        reader: Who read it.
        read: The event of the reading.
        writer: Who wrote it; "" when it was there before the run.
        written: The event of the writing; None when it was there before the run.
    """

    reader: str
    read: int
    writer: str = ""
    written: int | None = None

    @property
    def events(self) -> tuple[int, ...]:
        """The events that show it."""
        return (self.read,) if self.written is None else (self.written, self.read)


def in_order(events: Iterable[Event]) -> list[Event]:
    """The calls in the order in which they began; of an id that occurs twice the last counts."""
    latest = {e.id: e for e in events}
    return [latest[i] for i in sorted(latest)]


def lacking(events: Iterable[Event]) -> tuple[str, ...]:
    """What a trace lacks for any rule: calls, agents' names, or answered model calls."""
    found = in_order(events)
    if not found:
        return ("events",)
    lacks = []
    if any(not e.call.agent for e in found):
        lacks.append("call.agent")
    if not any(isinstance(e.call, Generate) and e.replies for e in found):
        lacks.append("answered model calls")
    return tuple(lacks)


def generations_of(events: Iterable[Event]) -> list[Event]:
    """Answered model calls, in order."""
    return [e for e in in_order(events) if isinstance(e.call, Generate) and e.replies]


def speakers(events: Iterable[Event]) -> tuple[str, ...]:
    """Agents that got an answer from a model, in the order of their first one."""
    return tuple(dict.fromkeys(e.call.agent for e in generations_of(events)))


def messages_of(events: Iterable[Event]) -> tuple[Message, ...]:
    """Every message between two agents, in the order of their origins."""
    ordered = in_order(events)
    by_id = {e.id: e for e in ordered}
    found: dict[tuple[int, str], Message] = {}

    def add(sender: str, receiver: str, way: Way, *shown: int) -> None:
        if sender != receiver and not USERS & {sender, receiver}:
            found.setdefault((shown[0], receiver), Message(sender, receiver, way, shown))

    mailed: set[tuple[int, str]] = set()  # a reply, and who was sent it
    for event in ordered:
        if isinstance(event.call, Send) and not event.error:
            add(event.call.agent, event.call.to, "sent", event.id)
            mailed |= {(source, event.call.to) for source in event.call.sources}
    for one in records_read(ordered):
        if one.written is not None:
            add(one.writer, one.reader, "memory", one.written, one.read)
    for event in ordered:
        if event.error or isinstance(event.call, Send | Receive):
            continue
        for source in event.call.sources:
            origin = by_id.get(source)
            if origin is None or origin.error or isinstance(origin.call, Receive):
                continue
            if (source, event.call.agent) not in mailed and not isinstance(origin.call, Send):
                add(origin.call.agent, event.call.agent, "passed", source, event.id)
    return tuple(found[key] for key in sorted(found))


def records_read(events: Iterable[Event]) -> list[Reading]:
    """Every record that a call found in memory or storage, with who wrote it."""
    written: dict[tuple[str, str, str], Event] = {}
    found: list[Reading] = []
    for event in in_order(events):
        call, agent = event.call, event.call.agent
        if event.error:
            continue
        if isinstance(call, Remember) and isinstance(event.value, str):
            written["note", call.bank or agent, event.value] = event
        elif isinstance(call, Store):
            written["file", call.owner or agent, call.path] = event
        for key in _keys_read(event):
            origin = written.get(key)
            if origin is None:
                found.append(Reading(agent, event.id))
            else:
                found.append(Reading(agent, event.id, origin.call.agent, origin.id))
    return found


def _keys_read(event: Event) -> list[tuple[str, str, str]]:
    """What a reading call brought, as kind, place and name."""
    call, agent = event.call, event.call.agent
    if isinstance(call, Load):
        return [("file", call.owner or agent, call.path)]
    if isinstance(call, Find):
        return [("file", call.owner or agent, str(f.get("path"))) for f in _dicts(event.value)]
    if isinstance(call, Recall):
        bank = call.bank or agent
        return [("note", str(n.get("bank") or bank), str(n.get("id"))) for n in _dicts(event.value)]
    return []


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list | tuple) else []


def self_addressed(events: Iterable[Event]) -> tuple[int, ...]:
    """Messages that an agent sent to itself."""
    return tuple(
        e.id for e in in_order(events) if isinstance(e.call, Send) and e.call.to == e.call.agent
    )


def depths(events: Iterable[Event]) -> dict[int, int]:
    """How many turns each call was made from, one after another, itself included if it is one."""
    depth: dict[int, int] = {}
    for event in in_order(events):
        turn = isinstance(event.call, Generate) and event.outcome != "fix"
        above = max((depth[s] for s in event.call.sources if s in depth), default=0)
        depth[event.id] = above + turn
    return depth
