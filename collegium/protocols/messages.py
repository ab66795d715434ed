"""What every protocol says, in one model: messages in parts, states of runs, what happens in them.

Each protocol has names of its own for these; its module translates, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Call, Event

State = Literal[
    "created", "working", "awaiting", "cancelling", "canceled", "completed", "failed", "rejected"
]
"""Where a run stands. "awaiting" is waiting for what the client says next."""

FINAL: frozenset[State] = frozenset({"canceled", "completed", "failed", "rejected"})
"""States that a run never leaves."""

TEXT = "text/plain"

RUN_HEADER = "collegium-run"
"""The header that names the run, in a reply; in a request, the run that it is made for."""

RUN_KEY = "collegium/run"
"""The same in metadata, where a protocol has that."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A piece of a message: text, data, bytes or the address of one of these.

    Attributes:
        text: Text.
        data: Structured data.
        raw: Bytes.
        url: Where the content lies.
        media_type: Its media type.
        name: A file's or an artifact's name; a part with a name is something made, not said.
        metadata: What is said about it (a citation, a step of a trajectory).
    """

    text: str | None = None
    data: Any = None
    raw: bytes | None = None
    url: str | None = None
    media_type: str = TEXT
    name: str = ""
    metadata: dict[str, Any] = {}

    def __post_init__(self) -> None:
        held = [c for c in (self.text, self.data, self.raw, self.url) if c is not None]
        if len(held) > 1:
            raise BadInput(
                "a message part holds one of text, data, bytes and address, not several."
            )


class Message(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something said by the user or by an agent.

    Attributes:
        role: Who said it; "system" is a standing instruction.
        parts: What.
        agent: Name of the agent, where one is known.
    """

    role: Literal["user", "agent", "system"]
    parts: tuple[Part, ...]
    agent: str = ""

    @property
    def text(self) -> str:
        """The text of all its parts."""
        return "".join(as_text(p) for p in self.parts)


def said(text: str, role: Literal["user", "agent", "system"] = "user") -> Message:
    """A message of plain text."""
    return Message(role=role, parts=(Part(text=text),))


def as_text(part: Part) -> str:
    """A part as a prompt shows it; "" for one without content.

    Raises:
        BadInput: It holds bytes that are no text, or an address that nobody has followed.
    """
    if part.text is not None:
        return part.text
    if part.data is not None:
        return msgspec.json.encode(part.data).decode()
    if part.raw is not None:
        try:
            return part.raw.decode()
        except UnicodeDecodeError:
            raise BadInput(
                f"a part of type {part.media_type!r} is no text, and systems here read text alone."
            ) from None
    if part.url is not None:
        raise BadInput("a part that is an address must be fetched before it can be read.")
    return ""


# -- what happens in a run ----------------------------------------------------------------------


class StateChanged(msgspec.Struct, frozen=True, tag="state"):
    """The run has another state; ``detail`` is its question (awaiting) or error (failed)."""

    state: State
    detail: str = ""


class TextWritten(msgspec.Struct, frozen=True, tag="text"):
    """An agent wrote a piece of text."""

    agent: str
    sample: int
    text: str


class CallEnded(msgspec.Struct, frozen=True, tag="call"):
    """A call of the run ended; it stands in the trace now."""

    event: Event


class Answered(msgspec.Struct, frozen=True, tag="answer"):
    """The run has its answer."""

    message: Message


RunEvent = StateChanged | TextWritten | CallEnded | Answered


class Stop(Call, frozen=True, kw_only=True, tag="stop"):
    """Recorded at the end of a trace: somebody outside ended the run."""

    protocol: str = ""
    client: str = ""


# -- a conversation as a task -------------------------------------------------------------------


def prompt_of(messages: Sequence[Message]) -> tuple[str, str]:
    """Standing rules and the prompt that a conversation comes to.

    Args:
        messages: The conversation; the last one is the user's.

    Returns:
        The rules (all system messages), and the last message; what was said before it is put
        before it, word for word, with who said it.

    Raises:
        BadInput: There is no message of the user, or it is empty.
    """
    rules = "\n".join(m.text for m in messages if m.role == "system").strip()
    turns = [m for m in messages if m.role != "system"]
    if not turns or turns[-1].role != "user":
        raise BadInput("the last message must be the user's: it says what is to be done.")
    last = turns[-1].text.strip()
    if not last:
        raise BadInput("the last message holds no text.")
    if len(turns) == 1:
        return rules, last
    who = {"user": "User", "agent": "Assistant"}
    before = "\n\n".join(f"{who[m.role]}: {m.text.strip()}" for m in turns[:-1])
    return rules, f"The conversation so far:\n\n{before}\n\nThe user now says:\n\n{last}"


def join(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts, without those that hold nothing at all."""
    return tuple(p for p in parts if as_text(p) or p.metadata or p.url)
