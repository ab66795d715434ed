"""Practice: an agent attempts proposed tasks in a world, and the evaluator rewards it.

The attempts are made by the plain ReAct agent, in worlds of the training split, and every one is a
:class:`~collegium.learning.capture.Trajectory` made from the kernel's record: what a learner takes.
Its reward is the evaluator's. The world's own judge has no say in it, for it judges another goal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from collegium.agents.react import Trajectory as Path
from collegium.agents.react import react
from collegium.errors import BadInput
from collegium.kernel import Kernel, Limits, Unparsed
from collegium.learning.capture import Trajectory, captured
from collegium.learning.pae.evaluator import PROFILE as EVALUATOR
from collegium.learning.pae.evaluator import Verdict, evaluate
from collegium.learning.pae.proposer import Practice, Site
from collegium.models.model import Model
from collegium.tasks.text_worlds import text_item
from collegium.worlds.text import Kind, kind, mixed
from collegium.worlds.world import opened

STEPS = 10
"""Actions at most in one attempt; without an answer by then the reward is 0."""

TEMPERATURE = 1.0
"""Of the agent, so that attempts differ."""

SYSTEM = "pae"
"""What ran, in a trajectory."""

DEMONSTRATED = 6
"""Moves of a demonstration that the proposer is shown."""


class Practised(msgspec.Struct, frozen=True):
    """One attempt at a practice task.

    Attributes:
        task: The task.
        world: The task of the world in which it was made, such as ``todo/train/3``.
        answer: What the agent answered; None: it did not come to an end.
        seen: What it saw, in order.
        verdict: The evaluator's.
        trajectory: The attempt, as a learner takes it.
    """

    task: Practice
    world: str
    answer: str | None
    seen: tuple[str, ...]
    verdict: Verdict
    trajectory: Trajectory


def site_of(name: str, demonstration: str = "") -> Site:
    """A text world as a site: its name, rules and tools, and no task of it.

    Args:
        name: The kind of world.
        demonstration: What a user did there.

    Raises:
        BadInput: There is no such world, or it cannot be played here.
    """
    of = kind(name)
    of.require("train")
    return Site(
        name, f"{of.description[:1].upper()}{of.description[1:]}. {of.rules}", demonstration
    )


async def demonstrated(name: str, number: int = 0) -> str:
    """A demonstration on a training task: moves that are possible, and what each came to.

    Args:
        name: The kind of world.
        number: The training task; its goal is in what is seen at first, and is not a test task's.
    """
    of = kind(name)
    world = of.world("train", number)
    try:
        lines = [f"At first: {await world.reset(mixed('demonstration', name, number))}"]
        expert = getattr(getattr(world, "game", None), "expert", None)
        way = expert() if expert else None
        for place in range(DEMONSTRATED):
            possible = way[place : place + 1] if way else world.actions()
            if world.last.done or not possible:
                break
            move = possible[mixed(name, number, place) % len(possible)]
            lines.append(f"Move: {move}\nSeen: {(await world.step(move)).observation}")
    finally:
        await world.close()
    return "\n".join(lines)


async def practise(
    models: Mapping[str, Model],
    name: str,
    tasks: Sequence[Practice],
    *,
    steps: int = STEPS,
    temperature: float = TEMPERATURE,
    max_tokens: int = 256,
    limits: Limits = Limits(),
    seed: int = 0,
) -> list[Practised]:
    """Attempt practice tasks, each in a training world of its own, and have them judged.

    Args:
        models: By role: ``actor`` and ``evaluator``, or "" for both.
        name: The kind of world.
        tasks: The tasks; the n-th is tried in the n-th training world.
        steps: Actions at most in one attempt.
        temperature: Of the agent.
        max_tokens: Cap on a turn.
        limits: What one attempt with its judgement may spend.
        seed: Of the worlds and of the agent.

    Raises:
        BadInput: There is no such world, or a number is out of range.
        LimitReached: An attempt used up its limit.
    """
    if steps < 1:
        raise BadInput(f"an attempt takes 1 step or more, not {steps}.")
    of = kind(name)
    of.require("train")
    return [
        await _attempt(
            models, of, number % of.size("train"), task, steps, temperature, max_tokens, limits,
            seed + number,
        )
        for number, task in enumerate(tasks)
    ]  # fmt: skip


async def _attempt(
    models: Mapping[str, Model],
    of: Kind,
    number: int,
    task: Practice,
    steps: int,
    temperature: float,
    max_tokens: int,
    limits: Limits,
    seed: int,
) -> Practised:
    """One attempt and its verdict."""
    item = text_item(of, "train", number)
    assert item.world is not None
    async with opened(item.world, mixed("pae", of.name, number, seed)) as (world, first):
        kernel = Kernel(models, tools=world.tools, limits=limits, seed=seed)
        actor = kernel.agent(
            "actor", profile="You are a helpful assistant who acts with tools.", tools=of.tools
        )
        question = (
            f"{of.rules}\n\nAt first: {first}\n\nA goal that is named above is somebody else's. "
            f"Your task: {task.ques}"
        )
        path = await react(
            actor, question, form="typed", steps=steps, temperature=temperature,
            max_tokens=max_tokens,
        )  # fmt: skip
        answer = answer_of(path)
        seen = (first, *(step.observation for step in path.steps))
        made = kernel.trace.events[:]  # the attempt alone: what the evaluator says is not learnt
        judge = kernel.agent("evaluator", profile=EVALUATOR)
        verdict = await evaluate(judge, task.ques, answer, seen, place=of.name)
    trajectory = captured(
        f"{task.id}/{seed}", task.ques, made, system=SYSTEM, reward=float(verdict.reward)
    )
    return Practised(task, item.task.id, answer, seen, verdict, trajectory)


def answer_of(path: Path) -> str | None:
    """The answer that ended an attempt; None where it had to be stopped."""
    if path.ended != "answer" or isinstance(path.answer, Unparsed):
        return None
    said: Any = path.answer
    return str(said)


def rates(attempts: Sequence[Practised]) -> dict[str, float]:
    """The share of attempts at each task that the evaluator called a success, for the proposer."""
    tried: dict[str, list[int]] = {}
    for attempt in attempts:
        tried.setdefault(attempt.task.ques, []).append(attempt.verdict.reward)
    return {ques: sum(rewards) / len(rewards) for ques, rewards in tried.items()}
