"""Trajectories of experts: a world's own solution, played through the kernel and checked.

The planning half of the data of arXiv 2403.19962. There one model plays question generator, action
maker and environment, and answers are screened afterwards. Here the environment is a real world,
the expert is the one that comes with it, and the screening is a replay: what does not reach the
goal is not kept.

Paper vs code vs ours
---------------------
* The expert's moves are played by the plain agent of ``tool-calling:form=typed``, so prompts and
  turns of a trajectory have the form in which an agent is asked later. The turns are recorded by
  the kernel like those of any model.
* An expert's list of moves holds no thoughts. A thought here names the move, unless the caller
  has a teacher that writes better ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from collegium.agents.react import FINISH, react
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel
from collegium.learning.capture import Trajectory, captured
from collegium.learning.data import Filtered, environment, run_filters
from collegium.models import ScriptedModel
from collegium.tasks.text_worlds import text_item
from collegium.worlds.text import TextWorld, kind, mixed
from collegium.worlds.world import opened

EXPERT = "expert"
"""What ran, in a trajectory of an expert."""

Thought = Callable[[str, str], str]
"""Writes a thought, from what was seen last and the move that follows."""


def naming(seen: str, move: str) -> str:
    """The thought of an expert who wrote none: what comes next."""
    return f"Next: {move}."


async def expert_trajectory(
    name: str,
    number: int,
    *,
    split: str = "train",
    moves: Sequence[str] | None = None,
    thought: Thought = naming,
) -> Trajectory:
    """Play an expert's moves in a text world, and judge the state they lead to.

    Args:
        name: A kind of text world whose games have an ``expert()``, such as "textworld".
        number: The task.
        split: Of which split.
        moves: Other moves than the expert's.
        thought: Writes the thoughts.

    Returns:
        The trajectory; its reward is 1 if the goal was reached, else 0.

    Raises:
        BadInput: There is no such task, or the world comes with no expert and no moves are given.
    """
    item = text_item(kind(name), split, number)
    assert item.world is not None
    async with opened(item.world, mixed("expert", name, split, number)) as (world, seen):
        known = getattr(getattr(world, "game", None), "expert", None)
        if not isinstance(world, TextWorld) or (moves is None and known is None):
            raise BadInput(f"{name} comes with no expert; give the moves.")
        way = list(known() if moves is None and known is not None else moves or ())

        def script(request: Generate) -> str:
            made = sum(m.role == "assistant" for m in request.messages)
            if made == len(way):
                last: dict[str, object] = {"tool": FINISH, "answer": "done"}
                return _turn("Everything is done.", last)
            told: dict[str, object] = {"tool": "act", "arguments": {"action": way[made]}}
            return _turn(thought(request.messages[-1].text, way[made]), told)

        kernel = Kernel(ScriptedModel(script, name=EXPERT), tools=world.tools, seed=0)
        profile = item.task.rules or "You are a helpful assistant who acts with tools."
        actor = kernel.agent("actor", profile=profile, tools=item.task.tools)
        question = f"{item.task.prompt}\n\n{seen}"
        await react(actor, question, form="typed", steps=len(way) + 1)
        score = await world.judge(None)
    return captured(
        f"{item.task.id}/{EXPERT}",
        item.task.id,
        kernel.trace.events,
        system=EXPERT,
        reward=float(score.correct),
    )


async def expert_data(name: str, numbers: Sequence[int], *, split: str = "train") -> Filtered:
    """Play the experts of many tasks, and keep what reaches the goal.

    Args:
        name: The kind of world.
        numbers: The tasks.
        split: Of which split.

    Raises:
        BadInput: There is no such task, or the world comes with no expert.
    """
    return screened([await expert_trajectory(name, number, split=split) for number in numbers])


def screened(trajectories: Sequence[Trajectory]) -> Filtered:
    """Keep the trajectories whose replay reached the goal."""
    return run_filters(trajectories, [environment(1.0)])


def _turn(thought: str, action: dict[str, object]) -> str:
    return msgspec.json.encode({"thought": thought, "action": action}).decode()
