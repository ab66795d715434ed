"""The interface of worlds, and how a run opens one.

The interface is that of Gymnasium (reset, act, close) with two changes: actions are typed tools
instead of a single ``step``, so that whatever holds for tools holds for them; and the end is judged
once, by code that looks at the state, instead of step by step with a reward.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from collegium.kernel.calls import Call, Image
from collegium.kernel.tool import Tool

if TYPE_CHECKING:
    from collegium.tasks.task import Score

OVER = "(It is over.)"
"""What a tool says, in a last line, when no further move can be made."""

Snapshots = Literal["state", "replay"]
"""What a snapshot holds: the state itself, or the moves that led to it, which restoring makes
again. The second is right only where the same moves always have the same effect."""


class World(Protocol):
    """A stateful environment that agents act on.

    A world is made for one run and belongs to it. Its tools act on its present state, also after it
    was reset or restored. A tool whose function is a coroutine runs in the event loop, so one that
    awaits nothing is never interrupted by another agent's; a plain one runs in a thread.

    What a tool cannot do it says with an exception, and the agent is told; the world stays usable.
    None of the tools is ``pure``, since the state decides what they give.
    """

    @property
    def snapshots(self) -> Snapshots:
        """What its snapshots hold."""
        ...

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The actions. The same names before and after a reset."""
        ...

    async def reset(self, seed: int | None = None) -> str:
        """Begin anew; the same seed gives the same beginning.

        Returns:
            What is to be seen at first, in words; "" where the task says it all.
        """
        ...

    async def snapshot(self) -> bytes:
        """The present state, as :meth:`restore` takes it."""
        ...

    async def restore(self, snapshot: bytes) -> None:
        """Go back to a state that this world had since it was reset."""
        ...

    async def judge(self, answer: Any) -> Score:
        """Judge the state there is, and what the system answered; never raises for an answer.

        Judging changes nothing: it may be asked for again.
        """
        ...

    async def close(self) -> None:
        """Let go of what it holds (a browser, a folder); it is not used afterwards."""
        ...


@runtime_checkable
class Visible(Protocol):
    """A world that can be seen."""

    async def screenshot(self, *, small: bool = False) -> bytes:
        """What it shows: a PNG picture, or a smaller JPEG."""
        ...


class Snapshot(Call, frozen=True, kw_only=True, tag="snapshot"):
    """Take a snapshot of the run's world; the result is its bytes."""

    result: ClassVar[Any] = bytes


class Restore(Call, frozen=True, kw_only=True, tag="restore"):
    """Take the run's world back to a snapshot (a search that gives up a branch)."""

    snapshot: bytes


class Moves(Call, frozen=True, kw_only=True, tag="moves"):
    """Ask which moves the run's world lists as possible now; none where it lists none."""

    result: ClassVar[Any] = tuple[str, ...]


class Look(Call, frozen=True, kw_only=True, tag="look"):
    """Take a picture of what the run's world shows."""

    result: ClassVar[Any] = Image


def drivers(world: World) -> dict[type[Call], Callable[[Any], Any]]:
    """What a kernel needs to go back, to list moves and to look, where a world can be seen.

    Use it as ``Kernel(drivers=drivers(world))``.
    """

    async def snapshot(call: Snapshot) -> bytes:
        return await world.snapshot()

    async def restore(call: Restore) -> None:
        await world.restore(call.snapshot)

    async def moves(call: Moves) -> tuple[str, ...]:
        listed = getattr(world, "actions", None)
        return tuple(listed()) if listed is not None else ()

    known: dict[type[Call], Callable[[Any], Any]]
    known = {Snapshot: snapshot, Restore: restore, Moves: moves}
    if isinstance(world, Visible):

        async def look(call: Look) -> Image:
            return Image(await world.screenshot(small=True), "image/jpeg")

        known[Look] = look
    return known


def anew(world: World) -> tuple[str | type[Call], ...]:
    """All that acts on a world: what a resumed run does again, because its world is a new one."""
    return (*(tool.spec.name for tool in world.tools), Snapshot, Restore, Moves, Look)


@asynccontextmanager
async def opened(
    make: Callable[[], World], seed: int | None = None
) -> AsyncIterator[tuple[World, str]]:
    """Open a world: made, reset, and closed in the end whatever happens.

    Args:
        make: Makes it.
        seed: What its beginning depends on.

    Yields:
        The world and what is to be seen at first.

    Raises:
        ValueError: One of its tools is declared pure.
    """
    world = make()
    try:
        seen = await world.reset(seed)
        for tool in world.tools:
            if tool.pure:
                raise ValueError(f"tool {tool.spec.name!r} of a world cannot be pure")
        yield world, seen
    finally:
        await world.close()
