"""A model call in the scheduler: what AIOS calls a system-call object."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Protocol

import msgspec

from collegium.kernel.calls import Generate, Reply

Status = Literal["active", "executing", "suspending", "done", "error"]


class Generation(Protocol):
    """One sample being written piece by piece, by a model that can be cut and continued."""

    @property
    def done(self) -> bool:
        """Whether the sample is complete."""
        ...

    async def advance(self, tokens: int, lane: int) -> int:
        """Write at most so many tokens on a lane of the engine; returns how many it were."""
        ...

    async def save(self, lane: int) -> None:
        """Keep the engine's state of the lane (the snapshot of a context switch)."""
        ...

    async def restore(self, lane: int) -> None:
        """Put the kept state back into a lane."""
        ...

    def reply(self) -> Reply[Any]:
        """The sample as it stands."""
        ...

    async def close(self) -> None:
        """Drop the kept state."""
        ...


class Slice(msgspec.Struct, frozen=True):
    """A stretch of work on a job: its lane, beginning and end on the scheduler's clock, tokens."""

    lane: int
    start: float
    end: float
    tokens: int


class Job:
    """A model call on its way through the scheduler.

    Attributes:
        pid: Number in order of arrival; kept when the job is cut and queued again.
        run: The run whose call it is; all its calls count together.
        agent: Who calls.
        priority: Higher goes first under the policy that heeds it.
        call: The call.
        status: Where it stands.
        created: Time of arrival.
        slices: The work done on it so far.
        generation: Its sample, when its model can be cut.
        lane: The lane that holds its state, or None.
        saved: Its state was kept outside its lane.
        gone: Its caller no longer waits for it.
        turn: Completed with a lane when the policy chooses it.
    """

    __slots__ = (
        "agent",
        "call",
        "created",
        "generation",
        "gone",
        "lane",
        "moving",
        "pid",
        "priority",
        "run",
        "saved",
        "slices",
        "status",
        "turn",
    )

    def __init__(self, pid: int, run: str, call: Generate, created: float) -> None:
        self.pid, self.run, self.call, self.created = pid, run, call, created
        self.agent, self.priority = call.agent, call.priority
        self.status: Status = "active"
        self.slices: list[Slice] = []
        self.generation: Generation | None = None
        self.lane: int | None = None
        self.saved = False
        self.gone = False
        self.turn: asyncio.Future[int] | None = None
        self.moving: asyncio.Lock | None = None

    @property
    def owner(self) -> str:
        """The agent, told apart from one of the same name in another run."""
        return f"{self.run}/{self.agent}"
