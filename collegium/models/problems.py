"""Errors that several kinds of model raise alike."""

from __future__ import annotations

from collegium.errors import ContextTooLong
from collegium.kernel.calls import Generate


def context_too_long(name: str, request: Generate, sent: int = 0, fits: int = 0) -> ContextTooLong:
    """Build the error for a prompt that does not fit a model's context.

    Args:
        name: The model.
        request: What was sent.
        sent: Tokens of the prompt, 0 when unknown.
        fits: Tokens the model takes, 0 when unknown.
    """
    last = request.messages[-1].text if request.messages else ""
    words = " ".join(last.split()[:12])
    size = f"{sent:,} tokens" if sent else "more tokens than it takes"
    limit = f", {sent - fits:,} more than the {fits:,} that fit" if sent and fits else ""
    count = len(request.messages)
    return ContextTooLong(
        f"agent {request.agent!r} sent {name!r} {size}{limit} "
        f"({count} message{'' if count == 1 else 's'}, the last one begins {words!r}); "
        "shorten the conversation, or use a model with a larger context."
    )
