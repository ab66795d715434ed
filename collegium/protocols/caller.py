"""An agent elsewhere, whatever it speaks: what it says of itself, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from collegium.protocols.messages import Message, Part, State

OnText = Callable[[str], None]


class Skill(msgspec.Struct, frozen=True):
    """Something that an agent can be asked for."""

    name: str
    description: str = ""


class Description(msgspec.Struct, frozen=True):
    """What an agent says of itself.

    Attributes:
        name: Its name.
        protocol: What it speaks, with the version.
        description: One sentence.
        skills: What it can be asked for.
        signed: Whether its description carries a signature that fits.
    """

    name: str
    protocol: str
    description: str = ""
    skills: tuple[Skill, ...] = ()
    signed: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from an agent.

    Attributes:
        state: Where its run stands: "completed", or "awaiting" when it asks something.
        parts: What it said and made.
        question: What it wants to be told.
        task: Names the run over there, to go on with it.
        run: Id of its trace over there, where it says one.
        tokens: Tokens that it spent, where it says so.
    """

    state: State
    parts: tuple[Part, ...] = ()
    question: str = ""
    task: str = ""
    run: str = ""
    tokens: int | None = None

    @property
    def text(self) -> str:
        """The answer: the text of what has no name of its own."""
        return "".join(p.text or "" for p in self.parts if not p.name)


class Caller(Protocol):
    """An agent elsewhere."""

    async def describe(self) -> Description:
        """What it says of itself.

        Raises:
            Unreachable: Nobody answers.
            ModelError: It answers something else than its protocol says.
        """
        ...

    async def ask(
        self, messages: Sequence[Message], *, task: str = "", on_text: OnText | None = None
    ) -> Answer:
        """Have it work on something, or go on with a task that asked something.

        A caller that is cancelled has the run over there stopped.

        Raises:
            Unreachable: Nobody answers.
            Transient: It failed in a way that may pass.
            ModelError: It failed, or refused.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
