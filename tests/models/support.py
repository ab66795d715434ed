"""Requests, for tests of models."""

from __future__ import annotations

from typing import Any

from collegium.kernel.calls import Generate, Message


def ask(text: str = "hello", **fields: Any) -> Generate:
    """A request of one message, or of the given ``messages``."""
    fields.setdefault("messages", (Message("user", text),))
    return Generate(agent="tester", role="tester", **fields)
