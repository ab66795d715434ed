"""Decisions of agents about the run itself: who acts, where work goes next, what has to stop.

Only replies that code can read decide anything, so these are typed replies (or the last line of a
worked one), and each decision is shown by what followed it:

* *spawn*: agents that began with an item of a list a model had written, or with a name or profile
  in words that no prompt had held before a model wrote them;
* *route*: a reply that names another agent, which acts next, or that says by numbers to whom its
  writer then sends;
* *select*: a reply with a list of numbers about the work of several agents, fewer than they are,
  after which just so many of them go on;
* *verdict*: a reply with a fixed choice about another agent's work, after which the run goes on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from collegium.bench.taxonomy.messages import in_order
from collegium.kernel import Event, Generate, Send
from collegium.kernel.outputs import ANSWER_LINE

Kind = Literal["spawn", "route", "select", "verdict"]

LEAST_ITEM = 3
"""Characters of the shortest text that can be recognised as an item of a list."""

LEAST_DOCUMENT = 16
"""Characters of the shortest field by which a document is recognised in a message."""

LEAST_ROLE = 6
"""Characters of the shortest invented role that is looked for in profiles."""


class Decision(msgspec.Struct, frozen=True):
    """A decision, and the events that show it: the reply first, then what followed."""

    kind: Kind
    by: str
    events: tuple[int, ...]
    says: str


class Assigned(msgspec.Struct, frozen=True):
    """A list that a model wrote, and the later calls that were given its items one by one.

    Attributes:
        by: Who wrote it.
        reply: The event.
        calls: (item, event id) of the first call that was given each item.
    """

    by: str
    reply: int
    calls: tuple[tuple[int, int], ...]


def decisions(events: Iterable[Event]) -> tuple[Decision, ...]:
    """All decisions of a run, in the order of the replies."""
    ordered = in_order(events)
    found = [*_spawned(ordered), *_routed(ordered), *_selected(ordered), *_verdicts(ordered)]
    return tuple(sorted(found, key=lambda d: (d.events, d.kind)))


def typed(event: Event) -> Any:
    """The value that a reply holds for code to read; None for free text."""
    call = event.call
    if not isinstance(call, Generate) or not event.replies or event.error:
        return None
    text = event.replies[0].text
    if call.schema is None:
        _, line, text = text.rpartition(ANSWER_LINE)
        if not line:
            return None
    try:
        return msgspec.json.decode(text.strip())
    except msgspec.DecodeError:
        return None


def assignments(events: Iterable[Event]) -> tuple[Assigned, ...]:
    """Lists that models wrote and whose items were worked on one by one."""
    ordered = in_order(events)
    found: list[Assigned] = []
    for place, event in enumerate(ordered):
        for items in lists_in(typed(event)):
            given: dict[int, int] = {}
            for later in ordered[place + 1 :]:
                text = _given(later)
                if text and event.id != later.call.parent:
                    number = singled_out(items, text)
                    if number is not None:
                        given.setdefault(number, later.id)
            if len(given) > 1:
                found.append(Assigned(event.call.agent, event.id, tuple(sorted(given.items()))))
    return tuple(found)


def handed_on(events: Iterable[Event]) -> tuple[tuple[int, int, str, str], ...]:
    """Typed documents that one agent wrote, and a second one handed to a third.

    Returns:
        Of each: the event of the reply, that of the message, who wrote it and who got it.
    """
    documents: list[tuple[Event, list[str]]] = []
    own: defaultdict[str, str] = defaultdict(str)
    found: list[tuple[int, int, str, str]] = []
    for e in in_order(events):
        if isinstance(e.call, Generate):
            own[e.call.agent] += "\n".join(r.text for r in e.replies)
        if isinstance(e.call, Generate) and e.call.schema is not None:
            texts = [t for t in texts_in(typed(e)) if len(t) >= LEAST_DOCUMENT]
            documents.append((e, [msgspec.json.encode(t).decode()[1:-1] for t in texts]))
        elif isinstance(e.call, Send) and not e.error:
            for origin, texts in documents:
                writer = origin.call.agent
                if writer in (e.call.agent, e.call.to):
                    continue
                if any(t in e.call.text and t not in own[e.call.agent] for t in texts):
                    found.append((origin.id, e.id, writer, e.call.to))
    return tuple(found)


def lists_in(value: Any) -> Iterator[list[tuple[str, ...]]]:
    """Every list of two or more items in a value, each item as the texts that only it holds."""
    if isinstance(value, dict):
        for held in value.values():
            yield from lists_in(held)
    elif isinstance(value, list):
        items = [{t for t in texts_in(v) if len(t) >= LEAST_ITEM} for v in value]
        own = [
            tuple(sorted(t for t in item if not any(t in o for j, o in enumerate(items) if j != i)))
            for i, item in enumerate(items)
        ]
        if len(own) > 1 and all(own):
            yield own
        for held in value:
            yield from lists_in(held)


def texts_in(value: Any) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict):
        for held in value.values():
            yield from texts_in(held)
    elif isinstance(value, list):
        for held in value:
            yield from texts_in(held)


def singled_out(items: Sequence[tuple[str, ...]], text: str) -> int | None:
    """The item that a text speaks of more than of any other; None when it favours none."""
    counts = [sum(text.count(t) for t in item) for item in items]
    most = max(counts)
    return counts.index(most) if most and counts.count(most) == 1 else None


def _given(event: Event) -> str:
    """What a call was given to work on: the last user message, or the text sent."""
    if isinstance(event.call, Generate) and event.outcome != "fix":
        return next((m.text for m in reversed(event.call.messages) if m.role == "user"), "")
    return event.call.text if isinstance(event.call, Send) else ""


def _first_turns(events: Sequence[Event]) -> dict[str, Event]:
    first: dict[str, Event] = {}
    for e in events:
        if isinstance(e.call, Generate) and e.replies:
            first.setdefault(e.call.agent, e)
    return first


def _spawned(events: Sequence[Event]) -> Iterator[Decision]:
    first = _first_turns(events)
    begins = {e.id: agent for agent, e in first.items()}
    for one in assignments(events):
        new = [i for _, i in one.calls if begins.get(i, one.by) != one.by]
        if len(new) > 1:
            names = ", ".join(begins[i] for i in new)
            says = f"{one.by} wrote the list from whose items {names} began."
            yield Decision("spawn", one.by, (one.reply, *new), says)
    seen = ""
    waiting: list[tuple[Event, str]] = []
    for e in events:
        if not isinstance(e.call, Generate) or not e.replies:
            continue
        agent = e.call.agent
        if first[agent].id == e.id:
            profile = next((m.text for m in e.call.messages if m.role == "system"), "")
            for maker, role in waiting:
                if maker.call.agent != agent and (role in profile or _key(role) == _key(agent)):
                    says = f"{maker.call.agent} invented {role!r}, and {agent} began as that."
                    yield Decision("spawn", maker.call.agent, (maker.id, e.id), says)
                    break
        seen += "\n".join(m.text for m in e.call.messages if m.role in ("system", "user"))
        seen += repr(e.call.schema or "")
        if e.call.schema is not None:
            texts = dict.fromkeys(texts_in(typed(e)))
            waiting += [(e, t) for t in texts if len(t) >= LEAST_ROLE and t not in seen]


def _routed(events: Sequence[Event]) -> Iterator[Decision]:
    first = _first_turns(events)
    names = {_key(a): a for a in first} | {_key(e.call.role): a for a, e in first.items()}  # type: ignore[union-attr]
    for place, e in enumerate(events):
        value = typed(e)
        if value is None or not isinstance(e.call, Generate) or e.call.schema is None:
            continue
        writer, rest = e.call.agent, events[place + 1 :]
        named = {names[k] for t in texts_in(value) if (k := _key(t)) in names} - {writer}
        acts = [next((f for f in rest if f.call.agent == a), None) for a in sorted(named)]
        after = [f for f in acts if f is not None]
        if after:
            says = f"{writer} named {', '.join(f.call.agent for f in after)}, and so the work went."
            yield Decision("route", writer, (e.id, *sorted(f.id for f in after)), says)
            continue
        sent = [f for f in rest if isinstance(f.call, Send) and e.id in f.call.sources]
        to = {f.call.to for f in sent if isinstance(f.call, Send)}
        if to and any(len(n) == len(to) for n in _number_lists(value)):
            says = f"{writer} chose by number to write to {', '.join(sorted(to))}."
            yield Decision("route", writer, (e.id, *(f.id for f in sent)), says)


def _selected(events: Sequence[Event]) -> Iterator[Decision]:
    by_id = {e.id: e for e in events}
    turns = [e for e in events if isinstance(e.call, Generate) and e.replies]
    for e in turns:
        value = typed(e)
        numbers = next((n for n in _number_lists(value) if n), None)
        if numbers is None:
            continue
        origins = (by_id[s] for s in e.call.sources if s in by_id)
        read = {o.call.agent for o in origins} - {e.call.agent}
        later = [f for f in turns if f.id > e.id and f.call.agent in read]
        again = next((f.id for f in turns if f.id > e.id and f.call.agent == e.call.agent), None)
        chosen = [f for f in later if again is None or f.id < again]
        go_on = {f.call.agent for f in chosen}
        if go_on and len(go_on) == len(numbers) < len(read):
            says = f"{e.call.agent} picked {', '.join(sorted(go_on))} of {len(read)} to go on."
            yield Decision("select", e.call.agent, (e.id, *(f.id for f in chosen)), says)


def _verdicts(events: Sequence[Event]) -> Iterator[Decision]:
    by_id = {e.id: e for e in events}
    turns = [e for e in events if isinstance(e.call, Generate) and e.replies]
    for e in turns:
        assert isinstance(e.call, Generate)
        if e.outcome == "fix" or not _fixed_choice(e.call.schema) or typed(e) is None:
            continue
        about = {by_id[s].call.agent for s in e.call.sources if s in by_id} - {e.call.agent}
        following = next((f for f in turns if f.id > e.id and f.call.agent != e.call.agent), None)
        if about and following is not None:
            says = f"{e.call.agent} gave a verdict on {', '.join(sorted(about))}."
            yield Decision("verdict", e.call.agent, (e.id, following.id), says)


def _fixed_choice(schema: Any) -> bool:
    """Whether a schema has a yes or no, or a choice of words (letters choose among answers)."""
    if isinstance(schema, dict):
        words = [v for v in schema.get("enum", ()) if isinstance(v, str)]
        if schema.get("type") == "boolean" or any(len(v) > 1 for v in words):
            return True
        return any(_fixed_choice(v) for v in schema.values())
    return isinstance(schema, list) and any(_fixed_choice(v) for v in schema)


def _number_lists(value: Any) -> Iterator[list[int]]:
    if isinstance(value, dict):
        for held in value.values():
            yield from _number_lists(held)
    elif isinstance(value, list) and value:
        if all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            yield value
        for held in value:
            yield from _number_lists(held)


def _key(name: str) -> str:
    """A name without case, blanks, hyphens and trailing number."""
    return re.sub(r"[\W_]+|\d+$", "", name.lower())
