"""A trace as a transcript that people read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from collegium.bench.records import Outcome
from collegium.commands.readable import readable
from collegium.commands.show import clean, clock, dollars, excerpt, print_indented
from collegium.commands.stream import Palette
from collegium.kernel import AskHuman, Event, Generate, Receive, Send, UseTool

LABELS = {"system": "profile", "user": "asked", "assistant": "said", "tool": "tool"}


class Transcript:
    """Prints the events of a trace; of every prompt, only what the agent had not been told yet.

    Args:
        out: Where to print.
    """

    def __init__(self, out: Console) -> None:
        self._out = out
        self._colour = Palette()
        self._told: set[tuple[str, str, str]] = set()

    def begin(self, system: str, task: str, outcome: Outcome | None) -> None:
        """Start the part of one system on one task."""
        self._told.clear()
        line = Text.assemble((clean(system), "bold"), " on ", (clean(task), "bold"))
        if outcome is not None:
            line.append("  ")
            line.append_text(judged(outcome))
        self._out.print(line)
        self._out.print()

    def print(self, events: Iterable[Event]) -> None:
        """Print events."""
        for event in events:
            self._head(event)
            self._body(event)
            if event.error:
                stopped = event.error == "CancelledError"
                self._block("stopped" if stopped else event.error, "red")
            self._out.print()

    def _head(self, event: Event) -> None:
        call = event.call
        line = Text()
        line.append(clean(call.agent), style=f"bold {self._colour[call.agent]}")
        match call:
            case UseTool():
                line.append(f" uses {clean(call.tool)}")
            case Send():
                line.append(f" → {clean(call.to)}", style=self._colour[call.to])
            case Receive():
                line.append(" reads its messages")
            case AskHuman():
                line.append(" asks the user")
        line.append(f"  #{event.id}{facts(event)}", style="dim")
        if event.outcome in ("error", "fix"):
            said = f" · repairs #{call.parent}" if event.outcome == "fix" else " · failed"
            line.append(said, style="red" if event.outcome == "error" else "yellow")
        self._out.print(line, no_wrap=True, overflow="ellipsis")

    def _body(self, event: Event) -> None:
        call = event.call
        match call:
            case Generate():
                self._prompt(call)
                for number, reply in enumerate(event.replies):
                    self._block(f"sample {number + 1}:" if call.n > 1 else "reply:", "bold")
                    self._block(readable(reply.text) or "(nothing)")
                    for asked in reply.tool_calls:
                        self._block(f"wants {asked.name}({as_json(asked.arguments)})", "italic")
                    if reply.finish == "length":
                        self._block("(cut off)", "yellow")
                    self._told.add((call.agent, "assistant", reply.text))
            case UseTool():
                self._block(as_json(call.arguments), "dim")
                self._block(event.value if isinstance(event.value, str) else as_json(event.value))
            case Send():
                self._block(excerpt(readable(call.text), 200), "dim")
            case Receive():
                for mail in event.value or ():
                    sender, text = mail.get("sender", "?"), str(mail.get("text", ""))
                    self._block(f"from {sender}: {excerpt(readable(text), 200)}", "dim")
            case AskHuman():
                self._block(call.question)
                self._block(f"answer: {event.value}")

    def _prompt(self, call: Generate) -> None:
        for message in call.messages:
            key = (call.agent, message.role, message.text)
            if key in self._told:
                continue
            self._told.add(key)
            pictures = f" [{len(message.images)} pictures]" if message.images else ""
            said = readable(message.text) if message.role == "assistant" else message.text
            self._block(f"{LABELS[message.role]}: {said}{pictures}", "dim")

    def _block(self, text: str, style: str = "") -> None:
        print_indented(clean(text).strip(), self._out, style)


def facts(event: Event) -> str:
    """Model, time and cost of a call, and whether it was paid for now."""
    if not isinstance(event.call, Generate):
        return ""
    u = event.usage
    cached = f", {u.cached:,} cached" if u.cached else ""
    said = [
        event.model,
        clock(event.seconds),
        f"{u.prompt:,} read{cached}, {u.completion:,} written",
    ]
    if u.money:
        said.append(dollars(u.money))
    origins = {r.origin for r in event.replies} - {"live"}
    said += [f"from the {origin}" for origin in sorted(origins)]
    return "".join(f" · {part}" for part in said)


def judged(o: Outcome) -> Text:
    """How an outcome was judged."""
    reference = f" (right: {excerpt(o.reference)})" if o.reference and not o.correct else ""
    if o.error:
        return Text(f"failed: {excerpt(o.error, 200)}", style="red")
    limited = ", ended by a limit" if o.limited else ""
    if o.unparsed:
        return Text(f"no readable answer{limited}{reference}", style="yellow")
    sign, style = ("✓", "green") if o.correct else ("✗", "red")
    return Text(f"{sign} {excerpt(o.answer)}{limited}{reference}", style=style)


def as_json(value: Any) -> str:
    """Plain data on one line."""
    return msgspec.json.encode(value, enc_hook=repr).decode()
