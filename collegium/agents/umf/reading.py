"""What the words of the code book mean in terms of calls: a plan, a quote, an own turn."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from collegium.kernel import Event, Generate, Send, UseTool
from collegium.kernel.outputs import stated_answer

WORTH = 8
"""Fewest characters of a text for it to be recognised when it is quoted."""


def works_steps(event: Event) -> bool:
    """Whether a reply works out steps before it states its answer."""
    stated = [stated_answer(reply.text) for reply in event.replies]
    return any(s is not None and s[0] for s in stated)


def plan_items(event: Event, trace: list[Event]) -> list[str]:
    """The items of a list that a reply or a tool gives and at least one later call works on."""
    sources = [data_in(r.text) for r in event.replies] if event.replies else []
    if isinstance(event.call, UseTool) and not event.error:
        sources = [event.value]
    for data in sources:
        for listed in [data, *data.values()] if isinstance(data, dict) else [data]:
            if not isinstance(listed, list):
                continue
            items = [max(strings(item), key=len, default="") for item in listed]
            users = users_of(items, event, trace)
            # A model's list of one may be a plan; what a tool gives is one when it is worked off.
            if len(users) >= (2 if isinstance(event.call, UseTool) else 1):
                return [item for item in items if len(item) >= WORTH]
    return []


def users_of(items: list[str], plan: Event, trace: list[Event]) -> dict[str, int]:
    """For each item, the first later call that is given it and no item before it."""
    found: dict[str, int] = {}
    for item in items:
        for event in trace:
            given = event.id > plan.id and len(item) >= WORTH and item in sent(event)
            if given and event.id not in found.values():
                found[item] = event.id
                break
    return found


def chooses(event: Event, trace: list[Event]) -> bool:
    """Whether a reply names the tool that its agent uses next."""
    return any(
        isinstance(later.call, UseTool)
        and last_reply(later, trace) is event
        and later.call.tool in named_in(event)
        for later in trace
    )


def requested(used: Event, trace: list[Event]) -> bool:
    """Whether a tool was used because of its agent's last reply: by name, or with its arguments."""
    reply = last_reply(used, trace)
    if reply is None or not isinstance(used.call, UseTool):
        return False
    named = named_in(reply)
    return used.call.tool in named or any(a in named for a in strings(used.call.arguments))


def last_reply(event: Event, trace: list[Event]) -> Event | None:
    """The last model call that an agent had answered before a call of its own."""
    mine = [e for e in trace if e.id < event.id and e.call.agent == event.call.agent and e.replies]
    return mine[-1] if mine else None


def named_in(event: Event) -> set[str]:
    """Texts in the fields of an event's typed replies, and tools it asks for."""
    found = {text for reply in event.replies for text in strings(data_in(reply.text))}
    return found | {call.name for reply in event.replies for call in reply.tool_calls}


def same_prompt(one: Event, other: Event) -> bool:
    """Whether two model calls were given the same turns, their profiles aside."""
    a, b = one.call, other.call
    if not (isinstance(a, Generate) and isinstance(b, Generate)):
        return False
    return [m for m in a.messages if m.role != "system"] == [
        m for m in b.messages if m.role != "system"
    ]


def remembers(event: Event, earlier: Event) -> bool:
    """Whether an agent goes on from its own earlier turn (the repair of a reply is none)."""
    if not isinstance(event.call, Generate) or event.outcome == "fix":
        return False
    if event.call.agent != earlier.call.agent:
        return False
    turns = {m.text for m in event.call.messages if m.role == "assistant"}
    return any(reply.text in turns for reply in earlier.replies)


def continues(plan: Event, earlier: Event) -> bool:
    """Whether a plan is made from an earlier one of the same agent."""
    mine = plan.call.agent == earlier.call.agent
    return mine and (remembers(plan, earlier) or earlier.id in plan.call.sources)


def quotes(event: Event, source: Event) -> bool:
    """Whether the last turn of a model call quotes what a tool or a person said."""
    if not isinstance(event.call, Generate) or not event.call.messages or source.error:
        return False
    said = event.call.messages[-1].text
    return any(
        re.search(rf"(?<![\w.]){re.escape(text)}(?!\w|\.\d)", said)
        for text in forms_of(source.value)
    )


def sent(event: Event) -> str:
    """What a call hands on, as text."""
    call = event.call
    match call:
        case Generate():
            return "\n".join(m.text for m in call.messages if m.role != "assistant")
        case UseTool():
            return "\n".join(strings(call.arguments))
        case Send():
            return call.text
        case _:
            return ""


def forms_of(value: Any) -> tuple[str, ...]:
    """The ways in which a prompt may quote a value."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value else ()
    forms = [msgspec.json.encode(value, enc_hook=repr).decode()]
    if isinstance(value, float):
        forms.append(f"{value:g}")
    return tuple(forms)


def form_of(text: str) -> str:
    """The format of a remembered text."""
    return "structured lists" if isinstance(data_in(text), list | dict) else "natural language"


def data_in(text: str) -> Any:
    """A typed reply as data; None for prose."""
    body = text.strip()
    if not body.startswith(("{", "[")):
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


def strings(value: Any) -> list[str]:
    """All strings inside a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings(item)]
    return []
