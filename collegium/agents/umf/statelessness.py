"""Whether a passive core-agent is stateless: tested on what its model was really sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

import msgspec

from collegium.agents.umf.core import CoreAgent, Step, obey
from collegium.errors import BadInput
from collegium.kernel import Event, Generate

LEAST = 4
"""Shortest stretch of an earlier order that counts where a byte alone says nothing."""


class Leak(msgspec.Struct, frozen=True):
    """Text of an earlier order found in a later model input.

    Attributes:
        call: Trace id of the model call.
        text: What was found.
    """

    call: int
    text: str

    def __str__(self) -> str:
        return f"call {self.call} was sent {self.text!r} of an earlier order"


def leaks(
    first_order: str, events: Sequence[Event], *, fresh: Sequence[Event] = ()
) -> tuple[Leak, ...]:
    """What of a first order stands in the model inputs of a second one.

    Up to the first reply, the inputs must be those that a core-agent sends which never saw the
    first order: any byte more that also is in the first order is a leak. After it, replies may
    differ, so stretches of at least :data:`LEAST` characters count.

    Args:
        first_order: The first order.
        events: The trace of the second order alone.
        fresh: The trace of the second order given to a fresh core-agent. Without it nothing is
            known to belong there, so the first order must share no words with the second.

    Returns:
        The leaks; none for a stateless core-agent.
    """
    later, clean = _inputs(events), _inputs(fresh)
    known = "\n".join(text for _, text in clean)
    found: list[Leak] = []
    for i, (event, text) in enumerate(later):
        if i == 0 and clean:
            pieces = [p for p in _added(clean[0][1], text) if set(p) & set(first_order)]
        else:
            outputs = "\n".join(_output(e) for e in events if e.id < event.id)
            pieces = list(_stretches(first_order, text, f"{known}\n{outputs}"))
        found += [Leak(event.id, piece) for piece in pieces]
    return tuple(found)


async def leaks_of(make: Callable[[], CoreAgent], first: Step, second: Step) -> tuple[Leak, ...]:
    """Give a passive core-agent two orders, and find what it carried over from the first.

    Args:
        make: Makes the core-agent in a kernel of its own.
        first: The first order.
        second: The second, different one.

    Raises:
        BadInput: The orders are the same.
    """
    if first.order == second.order:
        raise BadInput("statelessness shows only with two different orders.")
    clean = make()
    # First, so that even a memory which all core-agents share cannot hold the first order yet.
    await obey(clean, second)
    used = make()
    await obey(used, first)
    trace = used.agent.kernel.trace.events
    begun = len(trace)
    await obey(used, second)
    return leaks(first.order, trace[begun:], fresh=clean.agent.kernel.trace.events)


def _inputs(events: Sequence[Event]) -> list[tuple[Event, str]]:
    """Every model call with all that was sent to the model."""
    return [
        (e, "\n".join(m.text for m in e.call.messages))
        for e in sorted(events, key=lambda e: e.id)
        if isinstance(e.call, Generate)
    ]


def _output(event: Event) -> str:
    replies = "\n".join(reply.text for reply in event.replies)
    return replies or msgspec.json.encode(event.value, enc_hook=repr).decode()


def _added(clean: str, text: str) -> list[str]:
    """The pieces of a text that a clean one does not have."""
    matcher = SequenceMatcher(None, clean, text, autojunk=False)
    return [
        text[b1:b2] for tag, _, _, b1, b2 in matcher.get_opcodes() if tag in ("insert", "replace")
    ]


def _stretches(first: str, text: str, known: str) -> Iterator[str]:
    """The longest common stretches of two texts that nothing known explains."""
    i = 0
    while i + LEAST <= len(text):
        j = i + LEAST
        if text[i:j] not in first:
            i += 1
            continue
        while j < len(text) and text[i : j + 1] in first:
            j += 1
        if text[i:j] not in known:
            yield text[i:j]
        i = j
