"""Scenario distillation: runs with Routines become examples of the next call (arXiv 2507.14447).

A run is kept when its calls, made again on a new world, give what they gave and lead to the state
that the task asks for. Every kept run is one conversation, whose loss is on the calls alone. The
Routine may stay in the prompt, or be taken out of it so that the small model learns the procedure.

Paper vs code vs ours
---------------------
* No code was released. How the paper verifies a run could not be read; here the state is replayed.
* Calls that failed, and turns that had to be repaired, stay in the context and are not learnt.
* Without the Routine a turn names no step, as in runs of ``routine:follow=false``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from collegium.agents.routine import without_routine
from collegium.errors import CollegiumError
from collegium.kernel import Message
from collegium.kernel.trace import plain
from collegium.learning.capture import ToolResult, Trajectory, marked
from collegium.learning.masking import Conversation, conversations
from collegium.worlds.world import World

PAPER = "routine"


class Replayed(msgspec.Struct, frozen=True):
    """What came of the calls of a run when they were made again.

    Attributes:
        same: Every call gave what it gave in the run.
        reached: The state is the one that the task asks for.
    """

    same: bool
    reached: bool

    @property
    def good(self) -> bool:
        """Both."""
        return self.same and self.reached


class Distilled(msgspec.Struct, frozen=True):
    """Examples, and what was left out.

    Attributes:
        examples: One conversation for each kept run.
        kept: Names of the runs they were made of.
        left_out: For each other run, why.
        counts: How many runs there were, how many were kept, and how many were left out.
    """

    examples: tuple[Conversation, ...]
    kept: tuple[str, ...]
    left_out: dict[str, str]
    counts: dict[str, int]


async def replayed(trajectory: Trajectory, world: World) -> Replayed:
    """Make the calls of a run again, in order.

    Args:
        trajectory: The run.
        world: A world as it was when the run began.
    """
    tools = {made.spec.name: made for made in world.tools}
    same = True
    for result in calls_of(trajectory):
        value, error = None, ""
        try:
            if result.tool in tools:
                value = plain(await tools[result.tool].run(result.arguments))
            else:
                error = "unknown"
        except CollegiumError as problem:
            error = str(problem)
        same = same and bool(error) == bool(result.error) and value == result.value
    return Replayed(same, (await world.judge(None)).correct)


def calls_of(trajectory: Trajectory) -> list[ToolResult]:
    """All calls of a run, in order."""
    return [*trajectory.opening, *(r for step in trajectory.steps for r in step.results)]


async def distilled(
    trajectories: Iterable[Trajectory],
    make: Callable[[str], World],
    *,
    routine: bool = True,
) -> Distilled:
    """Keep the runs that replay to the state their task asks for, as examples of the next call.

    Args:
        trajectories: Runs of ``routine``; their tasks are those of a world.
        make: Makes the world of a task, by the task's id.
        routine: Whether the Routine stays in the prompt.
    """
    examples: list[Conversation] = []
    kept: list[str] = []
    left_out: dict[str, str] = {}
    for trajectory in trajectories:
        world = make(trajectory.task)
        try:
            await world.reset(0)
            found = await replayed(trajectory, world)
        finally:
            await world.close()
        if not found.good:
            wrong = "a call gave something else" if found.reached else "the state is not reached"
            left_out[trajectory.name] = wrong
            continue
        kept.append(trajectory.name)
        told = learnt(trajectory)
        examples += conversations(told if routine else unguided(told))
    counts = {"runs": len(kept) + len(left_out), "kept": len(kept), "left out": len(left_out)}
    return Distilled(tuple(examples), tuple(kept), left_out, counts)


def learnt(trajectory: Trajectory) -> Trajectory:
    """A run with the turns marked whose call failed: they are not to be learnt."""
    failed = [i for i, step in enumerate(trajectory.steps) if any(r.error for r in step.results)]
    return marked(trajectory, failed)


def unguided(trajectory: Trajectory) -> Trajectory:
    """A run as if there had been no Routine: neither in the prompt nor in the turns."""
    steps = tuple(
        msgspec.structs.replace(
            step, prompt=tuple(map(_unguided, step.prompt)), reply=_unguided(step.reply)
        )
        for step in trajectory.steps
    )
    return msgspec.structs.replace(trajectory, steps=steps)


def _unguided(message: Message) -> Message:
    if message.role == "system":
        return msgspec.structs.replace(message, text=without_routine(message.text))
    if message.role != "assistant":
        return message
    try:
        turn = msgspec.json.decode(message.text, type=dict[str, Any])
    except msgspec.DecodeError:
        return message
    if turn.pop("step", None) is None:
        return message
    return msgspec.structs.replace(message, text=msgspec.json.encode(turn).decode())
