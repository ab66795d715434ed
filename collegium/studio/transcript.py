"""Calls of a trace as blocks of a conversation."""

from __future__ import annotations

import msgspec

from collegium.commands.readable import Readable
from collegium.kernel import Event, Generate, Receive, UseTool
from collegium.kernel.calls import AskHuman, Send
from collegium.studio.safe import Tag, said, tag

COLOURS = 6
MOST_TEXT, MOST_ARGUMENTS = 12_000, 2_000


class Speakers:
    """Gives every agent a colour, in the order in which they appear."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    def colour(self, agent: str) -> str:
        """The class of an agent's colour."""
        number = self._of.setdefault(agent, len(self._of))
        return f"agent-{number % COLOURS + 1}"

    def head(self, agent: str, sample: int, remark: str = "", number: int | None = None) -> None:
        """The line above what an agent says."""
        with tag("div", cls="head"):
            tag("span", agent, cls=f"who {self.colour(agent)}")
            if sample:
                tag("span", f"sample {sample + 1}", cls="dim small")
            if remark:
                tag("span", remark, cls="dim small")
            if number is not None:
                tag("span", f"#{number}", cls="dim small nums push")


def show_event(event: Event, speakers: Speakers) -> list[Tag]:
    """The blocks of a call: what was said, used, sent or asked; mail that is read has none."""
    call = event.call
    if event.error:
        return [] if event.failure == "CancelledError" else [_failed(event, speakers)]
    if isinstance(call, Generate):
        return [_spoken(event, speakers, i) for i in range(len(event.replies))]
    if isinstance(call, UseTool):
        return [_used(event, call, speakers)]
    if isinstance(call, AskHuman):
        with tag("div", cls="turn") as block:
            speakers.head(call.agent, 0, "asked a person", event.id)
            said(call.question, most=MOST_TEXT)
            said(f"→ {event.value}", cls="dim", most=MOST_TEXT)
        return [block]
    if isinstance(call, Send):
        with tag("div", cls="turn sent") as block:
            tag("span", call.agent, cls=f"who {speakers.colour(call.agent)}")
            tag("span", "→", cls="dim")
            tag("span", call.to, cls=f"who {speakers.colour(call.to)}")
            said(" ".join(call.text.split()), cls="dim line", most=300)
        return [block]
    if isinstance(call, Receive):
        return []
    with tag("div", cls="turn") as block:
        speakers.head(call.agent, 0, event.kind, event.id)
        said(_data(event.value), cls="dim mono", most=MOST_ARGUMENTS)
    return [block]


def _spoken(event: Event, speakers: Speakers, sample: int) -> Tag:
    reply = event.replies[sample]
    free = {"cache": "from the cache", "journal": "paid for before"}.get(reply.origin, "")
    repair = "asked again" if event.outcome == "fix" else ""
    with tag("div", cls="turn") as block:
        remark = ", ".join(filter(None, (repair, free)))
        speakers.head(event.call.agent, sample, remark, event.id)
        text = readable(reply.text)
        if text or not reply.tool_calls:
            said(text or "(nothing)", most=MOST_TEXT)
        for wanted in reply.tool_calls:
            said(f"wants {wanted.name}({_data(wanted.arguments)})", cls="dim mono", most=2000)
    return block


def readable(text: str) -> str:
    """A reply as people read it: of an object, a line for each field."""
    try:
        read = msgspec.json.decode(text) if text.lstrip().startswith("{") else None
    except (msgspec.DecodeError, RecursionError):
        read = None
    if not isinstance(read, dict):
        return Readable().feed(text[: MOST_TEXT + 1]).strip()
    return "\n".join(f"{name}: {_plainly(value)}" for name, value in read.items())


def _plainly(value: object) -> str:
    if isinstance(value, dict) and not any(isinstance(v, dict | list) for v in value.values()):
        return ", ".join(
            f"{k} {_plainly(v)}" if len(value) > 2 else _plainly(v) for k, v in value.items()
        )
    return value if isinstance(value, str) else _data(value)


def _used(event: Event, call: UseTool, speakers: Speakers) -> Tag:
    with tag("div", cls="turn tool") as block:
        speakers.head(call.agent, 0, "used a tool", event.id)
        said(f"{call.tool}({_data(call.arguments)})", cls="mono", most=MOST_ARGUMENTS)
        value = event.value if isinstance(event.value, str) else _data(event.value)
        said(value, cls="mono result", most=MOST_TEXT)
    return block


def _failed(event: Event, speakers: Speakers) -> Tag:
    with tag("div", cls="turn failed") as block:
        speakers.head(event.call.agent, 0, f"{event.kind} failed", event.id)
        said(event.error, cls="bad", most=2000)
    return block


def _data(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()
