"""Text worlds as benchmarks: the tasks of a split, acted on and judged by their state.

What trivial players reach stands beside every result: ``doing nothing``, and ``random`` moves out
of those that can be made. Both are played by code on the very tasks that were selected; where a
play takes time, on none.
"""

from __future__ import annotations

import functools
from collections.abc import Coroutine
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from collegium.errors import BadInput
from collegium.tasks.question import hashed
from collegium.tasks.task import Benchmark, Item, Task
from collegium.worlds.play import play_idle, play_random
from collegium.worlds.text import Kind, kind, mixed, text_world

T = TypeVar("T")

PLAYED = 100
"""Tasks at most that trivial players play."""


def text_benchmark(name: str, split: str, seed: int | None, limit: int | None) -> Benchmark:
    """The tasks of a text world.

    Args:
        name: Of the kind of world.
        split: "test", "validation" or "train".
        seed: Seed of the order; None keeps the world's own.
        limit: How many tasks at most.

    Raises:
        BadInput: There is no such split, or something the world needs is missing.
    """
    of = kind(name)
    of.require(split)
    numbers = list(range(of.size(split)))
    if seed is not None:
        numbers.sort(key=lambda number: hashed(str(seed), f"{name}/{split}/{number}"))
    numbers = numbers[:limit]
    items = tuple(text_item(of, split, number) for number in numbers)
    digest = blake2b(digest_size=16)
    for number, item in zip(numbers, items, strict=True):
        seen = instantly(of.world(split, number).reset(0)) if of.quick else ""
        digest.update(msgspec.json.encode([item.task, seen]))
    return Benchmark(
        name=name,
        split=split,
        items=items,
        description=of.description,
        source=of.source,
        controls=floors(of, split, numbers[:PLAYED]) if of.quick else {},
        fingerprint=digest.hexdigest(),
    )


def text_item(of: Kind, split: str, number: int) -> Item:
    """One task of a text world.

    Raises:
        BadInput: There is no such task, or something the world needs is missing.
    """
    of.require(split, number)
    task = Task(
        id=f"{of.name}/{split}/{number}",
        prompt="" if of.standing else of.rules,
        rules=of.rules if of.standing else "",
        stratum=of.stratum(split, number),
        tools=of.tools,
    )
    return Item(task, "", world=functools.partial(text_world, of.name, split, number))


def world_item(text: str, split: str = "test") -> Item:
    """A task of a world as users name it: ``maze``, ``maze:12``, ``agentdojo:banking:3``.

    Args:
        text: A benchmark whose tasks are acted on, and after the last colon the number of the task
            or its id; without, the first.
        split: Of which split.

    Raises:
        BadInput: There is no such world or task, or it is not acted on.
    """
    from collegium.tasks.registry import load
    from collegium.worlds.text import kinds

    name, _, which = text.partition(":")
    if name in kinds():
        if which and not which.isdigit():
            raise BadInput(f"in {text!r}: the task is a number, such as {name}:3, not {which!r}.")
        return text_item(kind(name), split, int(which or 0))
    try:
        items, which = load(text, split=split, seed=None).items, ""
    except BadInput as error:
        name, _, which = text.rpartition(":")
        if not name:
            raise BadInput(f"{error} A world is named as NAME or NAME:ITEM.") from None
        if "/" in which or "@" in which:  # it is part of the name of a file
            raise
        items = load(name, split=split, seed=None).items
    by_id = {item.task.id: item for item in items} | {str(i): it for i, it in enumerate(items)}
    chosen = by_id.get(which or "0")
    if chosen is None:
        raise BadInput(f"{name} has the tasks 0 to {len(items) - 1}, not {which!r}.")
    if chosen.world is None:
        raise BadInput(f"the tasks of {name!r} are answered, not acted on; give one as TASK.")
    return chosen


def floors(of: Kind, split: str, numbers: list[int]) -> dict[str, float]:
    """The share of tasks that trivial players solve.

    Args:
        of: The kind of world.
        split: Of which split.
        numbers: The tasks.
    """
    idle = random = 0
    for number in numbers:
        world = of.world(split, number)
        try:
            seed = mixed("floor", of.name, split, number)
            idle += instantly(play_idle(world, seed)).correct
            random += instantly(play_random(world, seed, of.rounds)).correct
        finally:
            instantly(world.close())
    count = len(numbers)
    return {"doing nothing": idle / count, "random": random / count} if count else {}


def instantly(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing, as text worlds are, without an event loop.

    Raises:
        RuntimeError: It does wait.
    """
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise RuntimeError("a text world waited for something")
