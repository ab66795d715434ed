"""Messages, parts and states as the Agent Communication Protocol (ACP) writes them."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.protocols.messages import TEXT, Message, Part, State

VERSION = "1.0"
"""Of the protocol, as its last package speaks it."""

STATES: dict[State, str] = {
    "created": "created",
    "working": "in-progress",
    "awaiting": "awaiting",
    "cancelling": "cancelling",
    "canceled": "cancelled",
    "completed": "completed",
    "failed": "failed",
    "rejected": "failed",
}
"""The protocol's name for each of our states; it has none for a refusal."""

OURS: dict[str, State] = {theirs: ours for ours, theirs in STATES.items() if ours != "rejected"}

CITATION, TRAJECTORY = "citation", "trajectory"

Kind = Literal["citation", "trajectory"]


class Unprocessable(BadInput):
    """A message is of the right type, and still makes no sense (status 422)."""


class AcpPart(msgspec.Struct, omit_defaults=True):
    """A part on the wire."""

    name: str | None = None
    content_type: str | None = TEXT
    content: str | None = None
    content_encoding: Literal["plain", "base64"] | None = "plain"
    content_url: str | None = None
    metadata: dict[str, Any] | None = None


class AcpMessage(msgspec.Struct, omit_defaults=True):
    """A message on the wire."""

    parts: list[AcpPart]
    role: str = "user"
    created_at: str | None = None
    completed_at: str | None = None


def read_part(part: AcpPart) -> Part:
    """A part as ours.

    Raises:
        Unprocessable: It has both content and an address, or broken base64.
    """
    if part.content is not None and part.content_url is not None:
        raise Unprocessable("a part has either content or content_url, not both.")
    metadata = dict(part.metadata or {})
    if metadata and metadata.get("kind") not in (CITATION, TRAJECTORY):
        raise Unprocessable("the kind of a part's metadata is citation or trajectory.")
    kind, name = part.content_type or TEXT, part.name or ""
    if part.content_url is not None:
        return Part(url=part.content_url, media_type=kind, name=name, metadata=metadata)
    if part.content is None:
        return Part(media_type=kind, name=name, metadata=metadata)
    if part.content_encoding == "base64":
        try:
            raw = base64.b64decode(part.content, validate=True)
        except (binascii.Error, ValueError):
            raise Unprocessable("the content of a part is not base64, as it says.") from None
        return Part(raw=raw, media_type=kind, name=name, metadata=metadata)
    return Part(text=part.content, media_type=kind, name=name, metadata=metadata)


def write_part(part: Part) -> dict[str, Any]:
    """A part as the protocol writes it; data goes as JSON text."""
    wire: dict[str, Any] = {"content_type": part.media_type, "content_encoding": "plain"}
    if part.name:
        wire["name"] = part.name
    if part.url is not None:
        wire["content_url"] = part.url
    elif part.raw is not None:
        wire |= {"content": base64.b64encode(part.raw).decode(), "content_encoding": "base64"}
    elif part.data is not None:
        wire |= {
            "content": msgspec.json.encode(part.data).decode(),
            "content_type": "application/json",
        }
    elif part.text is not None:
        wire["content"] = part.text
    if part.metadata.get("kind") in (CITATION, TRAJECTORY):
        wire["metadata"] = part.metadata
    return wire


def read_message(message: AcpMessage) -> Message:
    """A message as ours.

    Raises:
        Unprocessable: A part makes no sense, or the role is none.
    """
    role, slash, agent = message.role.partition("/")
    if role not in ("user", "agent") or (slash and (role == "user" or not agent)):
        raise Unprocessable(f"a role is user, agent or agent/NAME, not {message.role!r}.")
    return Message(
        role="agent" if role == "agent" else "user",
        parts=tuple(read_part(p) for p in message.parts),
        agent=agent,
    )


def write_message(message: Message) -> dict[str, Any]:
    """A message as the protocol writes it."""
    now = datetime.now(UTC).isoformat()
    name = "".join(c for c in message.agent if c.isalnum() or c in "-_")
    role = "user" if message.role != "agent" else f"agent/{name}" if name else "agent"
    return {
        "role": role,
        "parts": [write_part(p) for p in message.parts],
        "created_at": now,
        "completed_at": now,
    }
