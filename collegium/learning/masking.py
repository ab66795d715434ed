"""Which tokens of a trajectory are learnt: the agent's own, and in masking mode only the good ones.

Step 3 of the pipeline of arXiv 2503.12434 as it is put to use here. A trajectory is parted into
conversations; a conversation is a line of segments of three kinds. The loss is on what the agent
wrote, and on nothing that it was given: neither the prompt nor what tools, the world or other
agents said later. In masking mode bad steps are left out of the loss as well; they stay in the
context, so that what follows is learnt with them in view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from collegium.kernel import Message
from collegium.learning.capture import Step, Trajectory
from collegium.learning.traces import Record, Turn

Kind = Literal["prompt", "agent", "observation"]
Encode = Callable[[Message], Sequence[int]]
"""Tokens of a message; of an agent's own, those that it wrote, the mark of its end included."""


class Segment(msgspec.Struct, frozen=True):
    """One message of a conversation.

    Attributes:
        kind: Given at first ("prompt"), written by the agent ("agent"), or given later
            ("observation").
        message: The message.
        bad: A step that is not to be learnt.
    """

    kind: Kind
    message: Message
    bad: bool = False


class Conversation(msgspec.Struct, frozen=True):
    """What one agent was given and wrote, each message once."""

    name: str
    agent: str
    segments: tuple[Segment, ...]


class Piece(msgspec.Struct, frozen=True):
    """A segment as tokens."""

    kind: Kind
    tokens: tuple[int, ...]
    bad: bool = False


def conversations(trajectory: Trajectory) -> tuple[Conversation, ...]:
    """Part a trajectory into conversations.

    A prompt repeats what came before. Where an agent's prompt goes on from one of its
    conversations, only what is new in it is added, as an observation; else a conversation begins.
    So several agents, several samples and prompts that were rewritten are told apart.

    Args:
        trajectory: A trajectory.

    Returns:
        The conversations, in the order in which they began.
    """
    open_: list[tuple[str, list[Segment]]] = []
    for step in trajectory.steps:
        found = _continued(open_, step)
        if found is None:
            found = [Segment("prompt", message) for message in step.prompt]
            open_.append((step.agent, found))
        else:
            found += [Segment("observation", m) for m in step.prompt[len(found) :]]
        found.append(Segment("agent", step.reply, step.bad))
    return tuple(
        Conversation(f"{trajectory.name}#{number}", agent, tuple(segments))
        for number, (agent, segments) in enumerate(open_)
    )


def _continued(open_: Iterable[tuple[str, list[Segment]]], step: Step) -> list[Segment] | None:
    """The longest conversation of the agent that its prompt goes on from."""
    fitting = [
        segments
        for agent, segments in open_
        if agent == step.agent
        and len(segments) <= len(step.prompt)
        and all(s.message == m for s, m in zip(segments, step.prompt, strict=False))
    ]
    return max(fitting, key=len, default=None)


def tokenised(conversation: Conversation, encode: Encode) -> tuple[Piece, ...]:
    """Turn the segments of a conversation into tokens."""
    return tuple(Piece(s.kind, tuple(encode(s.message)), s.bad) for s in conversation.segments)


def loss_mask(pieces: Iterable[Piece], *, masking: bool = False) -> tuple[bool, ...]:
    """Say for every token whether it is learnt.

    Args:
        pieces: A conversation as tokens.
        masking: Leave out bad steps.

    Returns:
        One truth value per token: true on the agent's own.
    """
    return tuple(
        piece.kind == "agent" and not (masking and piece.bad)
        for piece in pieces
        for _ in piece.tokens
    )


def record_of(trajectory: Trajectory, *, masking: bool = False) -> Record:
    """A trajectory as the training record that :func:`write_records` writes.

    Args:
        trajectory: A trajectory.
        masking: Leave out bad steps.

    Returns:
        Every step with its whole prompt, then its reply; the loss is on replies alone.
    """
    messages: list[Turn] = []
    loss: list[bool] = []
    for number, step in enumerate(trajectory.steps):
        for message in (*step.prompt, step.reply):
            messages.append(Turn(message.role, message.text, step.agent, number))
        loss += [False] * len(step.prompt) + [not (masking and step.bad)]
    return Record(trajectory.name, tuple(messages), tuple(loss))
