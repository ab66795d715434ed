"""What the words of the code book mean in terms of calls: a plan, a quote, an own turn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from collegium.kernel import Event, Generate, Send, UseTool
from collegium.kernel.outputs import stated_answer

WORTH = 8
"""Fewest characters of a text for it to be recognised when it is quoted."""

PROSE = 3
"""Fewest words of a field that reasons."""

_WHO = re.compile(r"\b[Yy]ou(?: are|r role|, the)\b[^.\n]*")
"""Where a prompt tells an agent who it is."""

_STEP = re.compile(r"(?:^|[\W_])(?:sub)?(?:task|step)s?(?:[\W_]list)?$", re.I)
"""Names of fields that hold steps of a plan."""


def works_steps(event: Event) -> bool:
    """Whether a reply works out steps before it states its answer."""
    stated = [stated_answer(reply.text) for reply in event.replies]
    return any(s is not None and s[0] for s in stated) or any(
        _reasons_first(data_in(reply.text)) for reply in event.replies
    )


def _reasons_first(data: Any) -> bool:
    """Whether a typed reply has a field of prose, and after it an answer: a word or a number."""
    reasoned = False
    for name, value in data.items() if isinstance(data, dict) else ():
        words = len(value.split()) if isinstance(value, str) else 0
        if reasoned and (name == "answer" or words == 1 or isinstance(value, bool | int | float)):
            return True
        reasoned = reasoned or words >= PROSE
    return False


def plan_items(event: Event, trace: list[Event]) -> list[str]:
    """The steps that a reply or a tool lists or names and at least one later call works on."""
    sources = [data_in(r.text) for r in event.replies] if event.replies else []
    known: list[str] = []
    if isinstance(event.call, UseTool) and not event.error:
        sources, known = [event.value], strings(event.call.arguments)
    by_tool = isinstance(event.call, UseTool)
    for named, items in sorted(_listed(sources), key=lambda found: not found[0]):
        # What a tool was given and gives back is no plan of it.
        items = [i for i in items if i not in known and (named or len(i) >= WORTH)]
        users = users_of(items, event, trace)
        # A model's list of one may be a plan; what a tool gives is one when it is worked off.
        if by_tool and (len(users) < 2 or not _worked_off(items, users, trace)):
            continue
        other = _said(users, event, trace) or _names_agents(items, event, trace)
        if users and (named or not other):
            return items
    return []


def _listed(sources: list[Any]) -> Iterator[tuple[bool, list[str]]]:
    """Lists in data, each with whether its field is called a task or a step."""
    for data in sources:
        for name, value in data.items() if isinstance(data, dict) else [("", data)]:
            named = bool(_STEP.search(name))
            if isinstance(value, list):
                yield named, [max(strings(item), key=len, default="") for item in value]
            elif named and isinstance(value, str):
                yield named, [value]


def users_of(items: list[str], plan: Event, trace: list[Event]) -> dict[str, int]:
    """For each item, the first later call that is given it and works on no item before it."""
    found: dict[str, int] = {}
    for item in filter(None, items):
        for event in trace:
            if event.id > plan.id and item in sent(event) and event.id not in found.values():
                found[item] = event.id
                break
    return found


def _worked_off(items: list[str], users: dict[str, int], trace: list[Event]) -> bool:
    """Whether calls are given one item each; a result that is read as a whole is no plan."""
    given = {e.id: sent(e) for e in trace}
    return all(sum(item in given[user] for item in items) == 1 for user in users.values())


def _said(users: dict[str, int], plan: Event, trace: list[Event]) -> bool:
    """Whether an agent sends its items as messages: it talks, and no plan is worked on."""
    talk = {e.id for e in trace if isinstance(e.call, Send) and e.call.agent == plan.call.agent}
    return bool(users) and set(users.values()) <= talk


def _names_agents(items: list[str], plan: Event, trace: list[Event]) -> bool:
    """Whether items are who later agents are told to be: that is a team and no plan."""
    told = [said for e in trace if e.id > plan.id and e.replies for said in _WHO.findall(sent(e))]
    return any(item in said for item in items for said in told)


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
    named, arguments = named_in(reply), strings(used.call.arguments)
    if used.call.tool in named or any(a in named for a in arguments):
        return True
    texts = [a.strip() for a in arguments]
    return any(len(t) >= WORTH and any(t in r.text for r in reply.replies) for t in texts)


def last_reply(event: Event, trace: list[Event]) -> Event | None:
    """The last model call that an agent had answered before a call of its own."""
    mine = [e for e in trace if e.id < event.id and e.call.agent == event.call.agent and e.replies]
    return mine[-1] if mine else None


def named_in(event: Event) -> set[str]:
    """Texts in the fields of an event's typed replies, and tools it asks for."""
    found = {text for reply in event.replies for text in strings(data_in(reply.text))}
    return found | {call.name for reply in event.replies for call in reply.tool_calls}


def same_prompt(one: Event, other: Event) -> bool:
    """Whether two model calls were given the same turns, whoever they were told to be."""
    a, b = _asked(one), _asked(other)
    return a == b and any(text.strip() for _, text in a)


def _asked(event: Event) -> list[tuple[str, str]]:
    """The turns of a model call without profiles, be they in the system prompt or in a turn."""
    if not isinstance(event.call, Generate):
        return []
    return [(m.role, _WHO.sub("", m.text)) for m in event.call.messages if m.role != "system"]


def remembers(event: Event, earlier: Event) -> bool:
    """Whether an agent goes on from its own earlier turn (the repair of a reply is none)."""
    if not isinstance(event.call, Generate) or event.outcome == "fix":
        return False
    if event.call.agent != earlier.call.agent:
        return False
    turns = {m.text for m in event.call.messages if m.role == "assistant"}
    return any(reply.text in turns for reply in earlier.replies)


def continues(plan: Event, earlier: Event, trace: list[Event]) -> bool:
    """Whether a plan is made from an earlier one of the same agent, or from what came of it."""
    if plan.call.agent != earlier.call.agent or earlier.id == plan.call.parent:
        return False
    return remembers(plan, earlier) or earlier.id in lineage(plan, trace)


def lineage(event: Event, trace: list[Event]) -> set[int]:
    """The calls that a call was made from, directly or through others."""
    sources = {e.id: e.call.sources for e in trace}
    found: set[int] = set()
    waiting = list(event.call.sources)
    while waiting:
        call = waiting.pop()
        if call not in found:
            found.add(call)
            waiting += sources.get(call, ())
    return found


def quotes(event: Event, source: Event) -> bool:
    """Whether the last turn of a model call quotes what a tool or a person said."""
    if not isinstance(event.call, Generate) or not event.call.messages or source.error:
        return False
    said = event.call.messages[-1].text
    texts = forms_of(source.value)
    if isinstance(source.call, UseTool):  # or a part of it that the tool was not given
        known = strings(source.call.arguments)
        parts = [t.strip() for t in strings(source.value) if t not in known]
        texts += tuple(t for t in parts if len(t) >= WORTH)
    return any(re.search(rf"(?<![\w.]){re.escape(text)}(?!\w|\.\d)", said) for text in texts)


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
