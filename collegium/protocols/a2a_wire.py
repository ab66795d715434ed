"""Messages, parts and states as A2A writes them, in version 1.0 and in 0.3."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from typing import Any

from collegium.errors import BadInput
from collegium.protocols.messages import TEXT, Message, Part, State

VERSIONS = ("1.0", "0.3")
"""What is spoken, best first."""

VERSION_HEADER = "A2A-Version"

SYSTEM_KEY = "collegium/system"
"""In a request's metadata: which skill is meant."""

STATES: dict[str, State] = {
    "submitted": "created",
    "working": "working",
    "input-required": "awaiting",
    "auth-required": "awaiting",
    "completed": "completed",
    "failed": "failed",
    "canceled": "canceled",
    "rejected": "rejected",
}
"""Our state for each of A2A's, by the name it has in version 0.3."""


def state_of(name: str) -> State:
    """Our state for one of A2A's, in either version's spelling.

    Raises:
        BadInput: There is no such state.
    """
    plain = name.removeprefix("TASK_STATE_").lower().replace("_", "-")
    if plain not in STATES:
        raise BadInput(f"A2A has no task state {name!r}.")
    return STATES[plain]


def read_part(part: Mapping[str, Any]) -> Part:
    """A part, in either version's form.

    Raises:
        BadInput: It has another form.
    """
    metadata = dict(part.get("metadata") or {})
    kind = part.get("kind")
    if kind == "file":  # 0.3
        file = part.get("file") or {}
        part = {
            "raw": file.get("bytes"),
            "url": file.get("uri"),
            "mediaType": file.get("mimeType"),
            "filename": file.get("name"),
        }
    held = {k: part[k] for k in ("text", "raw", "url", "data") if part.get(k) is not None}
    if len(held) != 1:
        raise BadInput("a part of A2A holds exactly one of text, raw, url and data.")
    if "raw" in held:
        try:
            held["raw"] = base64.b64decode(held["raw"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadInput("the raw content of a part is not base64.") from None
    return Part(
        **held,
        media_type=part.get("mediaType") or (TEXT if "text" in held else ""),
        name=part.get("filename") or "",
        metadata=metadata,
    )


def write_part(part: Part, version: str = "1.0") -> dict[str, Any]:
    """A part as a version writes it."""
    raw = None if part.raw is None else base64.b64encode(part.raw).decode()
    more: dict[str, Any] = {"metadata": part.metadata} if part.metadata else {}
    if version == "0.3":
        if part.raw is not None or part.url is not None:
            file = {"bytes": raw, "uri": part.url, "mimeType": part.media_type, "name": part.name}
            return {"kind": "file", "file": {k: v for k, v in file.items() if v}, **more}
        if part.data is not None:
            return {"kind": "data", "data": part.data, **more}
        return {"kind": "text", "text": part.text or "", **more}
    if part.name:
        more["filename"] = part.name
    if part.media_type and (part.text is None or part.media_type != TEXT):
        more["mediaType"] = part.media_type
    content = {"raw": raw, "url": part.url, "data": part.data}
    held = {k: v for k, v in content.items() if v is not None} or {"text": part.text or ""}
    return {**held, **more}


def read_message(message: Mapping[str, Any]) -> Message:
    """A message, in either version's form.

    Raises:
        BadInput: It has another form.
    """
    agent = str(message.get("role", "")).lower().removeprefix("role_") == "agent"
    parts = message.get("parts")
    if not isinstance(parts, list):
        raise BadInput("a message of A2A has parts.")
    return Message(role="agent" if agent else "user", parts=tuple(read_part(p) for p in parts))


def write_message(
    message: Message, version: str = "1.0", *, task: str = "", context: str = "", **metadata: str
) -> dict[str, Any]:
    """A message as a version writes it.

    Args:
        message: What is said.
        version: Of the protocol.
        task: Id of the task it goes on with.
        context: Id of the session.
        metadata: What is said about it; a name's underscore stands for a slash.
    """
    told = {k.replace("_", "/", 1): v for k, v in metadata.items() if v}
    user = message.role != "agent"
    role = (
        ("user" if user else "agent") if version == "0.3" else f"ROLE_{'USER' if user else 'AGENT'}"
    )
    return {
        "messageId": str(uuid.uuid4()),
        "role": role,
        "parts": [write_part(p, version) for p in message.parts],
        **({"kind": "message"} if version == "0.3" else {}),
        **({"taskId": task} if task else {}),
        **({"contextId": context} if context else {}),
        **({"metadata": told} if told else {}),
    }
