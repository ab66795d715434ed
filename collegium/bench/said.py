"""What an event of a trace says, in parts that any page or diff can lay out.

A part is text and nothing else: whoever shows it has to show it as text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from collegium.kernel.calls import (
    AskHuman,
    Call,
    Generate,
    Message,
    OtherCall,
    Receive,
    Reply,
    Send,
    UseTool,
)
from collegium.kernel.trace import Event

Tidy = Callable[[str], str]
"""Makes a reply easier to read, such as a typed one without its JSON."""


class Part(msgspec.Struct, frozen=True):
    """A piece of what was asked or answered: who or what it is from, and the text."""

    label: str
    text: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An event as people read it.

    Attributes:
        id: The event's number.
        agent: Who made the call.
        kind: The kind of call.
        act: What the agent does, in a few words ("asks local-small", "uses calculator").
        asked: What went into the call.
        answered: What came out of it.
        error: Why it failed, "" if it did not.
        notes: What is remarkable: a repair, a sample that was cut off, a reply from the cache.
        bill: Time and tokens, "" for calls that cost nothing.
    """

    id: int
    agent: str
    kind: str
    act: str
    asked: tuple[Part, ...] = ()
    answered: tuple[Part, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    bill: str = ""

    @property
    def text(self) -> str:
        """All of it, for searching."""
        parts = (f"{p.label} {p.text}" for p in (*self.asked, *self.answered))
        return "\n".join((f"{self.agent} {self.act}", *parts, self.error, *self.notes))


def said(event: Event, *, tidy: Tidy = str) -> Said:
    """Put an event into words.

    Args:
        event: The event.
        tidy: Applied to what models wrote.
    """
    call = event.call
    act, asked, answered = _parts(call, event, tidy)
    return Said(
        id=event.id,
        agent=call.agent,
        kind=event.kind,
        act=act,
        asked=asked,
        answered=answered,
        error="" if event.failure == "CancelledError" else event.error,
        notes=tuple(_notes(event)),
        bill=_bill(event),
    )


def _parts(call: Call, event: Event, tidy: Tidy) -> tuple[str, tuple[Part, ...], tuple[Part, ...]]:
    match call:
        case Generate():
            asked = tuple(_message(m, tidy) for m in call.messages)
            several = len(event.replies) > 1
            return (
                f"asks {event.model}" if event.model else "asks the model",
                asked,
                tuple(
                    Part(f"sample {i}" if several else "reply", _reply(reply, tidy))
                    for i, reply in enumerate(event.replies, 1)
                ),
            )
        case UseTool():
            asked = (Part("arguments", as_json(call.arguments)),)
            returned = () if event.value is None else (Part("result", _value(event.value)),)
            return f"uses {call.tool}", asked, returned
        case Send():
            return f"writes to {call.to}", (), (Part("message", tidy(call.text)),)
        case Receive():
            mails = event.value if isinstance(event.value, list | tuple) else ()
            return "reads its messages", (), tuple(_mail(m, tidy) for m in mails)
        case AskHuman():
            returned = () if event.value is None else (Part("answer", _value(event.value)),)
            return "asks the user", (Part("question", call.question),), returned
        case OtherCall():
            asked = (Part("call", as_json(call.fields)),)
        case _:
            plain = msgspec.to_builtins(call, enc_hook=repr)
            common = ("type", "agent", "parent", "sources")
            asked = (Part("call", as_json({k: v for k, v in plain.items() if k not in common})),)
    returned = () if event.value is None else (Part("result", _value(event.value)),)
    return event.kind, asked, returned


def _message(message: Message, tidy: Tidy) -> Part:
    text = tidy(message.text) if message.role == "assistant" else message.text
    wanted = [f"wants {t.name}({as_json(t.arguments)})" for t in message.tool_calls]
    shown = [f"({len(message.images)} pictures)"] if message.images else []
    return Part(message.role, "\n".join(filter(None, (text, *wanted, *shown))))


def _reply(reply: Reply[Any], tidy: Tidy) -> str:
    wanted = [f"wants {t.name}({as_json(t.arguments)})" for t in reply.tool_calls]
    return "\n".join(filter(None, (tidy(reply.text), *wanted))) or "(nothing)"


def _mail(mail: object, tidy: Tidy) -> Part:
    if not isinstance(mail, dict):
        return Part("message", _value(mail))
    return Part(f"from {mail.get('sender', '?')}", tidy(str(mail.get("text", ""))))


def _notes(event: Event) -> list[str]:
    notes: list[str] = []
    if event.outcome == "fix":
        notes.append(f"repairs {event.call.parent}")
    elif event.failure == "CancelledError":
        notes.append("stopped")
    elif event.outcome == "error":
        notes.append("failed")
    if any(r.finish == "length" for r in event.replies):
        notes.append("cut off")
    notes += sorted({f"from the {r.origin}" for r in event.replies if r.origin != "live"})
    return notes


def _bill(event: Event) -> str:
    parts: list[str] = []
    if isinstance(event.call, Generate):
        u = event.usage
        cached = f" ({u.cached:,} cached)" if u.cached else ""
        parts.append(f"{u.prompt:,}{cached} + {u.completion:,} tokens")
        if u.money:
            parts.append(f"${u.money:.2g}")
    if event.seconds >= 0.01:
        parts.append(f"{event.seconds:.2f} s" if event.seconds < 10 else f"{event.seconds:,.0f} s")
    return ", ".join(parts)


def _value(value: object) -> str:
    return value if isinstance(value, str) else as_json(value)


def as_json(value: object) -> str:
    """Plain data as JSON, over several lines where it is long."""
    encoded = msgspec.json.encode(value, enc_hook=repr)
    return (msgspec.json.format(encoded, indent=2) if len(encoded) > 80 else encoded).decode()
