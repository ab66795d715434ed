"""Web tasks as benchmarks: files in WebArena's schema, and MiniWoB++.

``webarena`` are the original's 812 tasks, if their file is in the folder of data, and
``webarena:FILE`` are those of a file of one's own; ``FILE@ID`` is one of them. The sites are where
the environment says (``COLLEGIUM_HOST_SHOPPING`` ...). A task whose site is not there, or whose
record cannot be read, is not left out: it counts as not solved, and says why. With
``webarena:compat:FILE`` observations, actions and scores are those of the released code.

``miniwob`` is an episode of each task, ``miniwob:TASK`` are twenty of one.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from collegium.errors import BadInput, missing_extra, unknown_name
from collegium.tasks.question import hashed
from collegium.tasks.registry import MINIWOB, WEB
from collegium.tasks.sources import VARIABLE, data_file
from collegium.tasks.task import Benchmark, Item, Task
from collegium.worlds.play import play_idle, play_random, playable
from collegium.worlds.web import (
    Loaded,
    Mode,
    WebTask,
    given_hosts,
    load_tasks,
    missing_hosts,
    web_world,
)
from collegium.worlds.web import miniwob as pages
from collegium.worlds.web.acting import TOOLS
from collegium.worlds.web.evaluate import NOT_ACHIEVABLE
from collegium.worlds.web.world import HINT, RULES

WEBARENA = WEB[0]


FILE = "webarena/test.raw.json"
"""The original's tasks, below the folder of data."""

SIZE = 812
DESCRIPTION = "tasks on web sites, by their hosts; :FILE for one's own"
MINIWOB_DESCRIPTION = "small web pages with a true reward; :TASK for one"
SPLITS = ("test", "validation", "train")

_COMPAT = "compat:"
_EPISODES = 20

CLICKS = 10
"""Clicks that a random player makes."""


def webarena_benchmark(name: str, subset: str, seed: int | None, limit: int | None) -> Benchmark:
    """The tasks of a file.

    Args:
        name: As it was asked for.
        subset: ``FILE``, ``FILE@ID``, ``compat:FILE`` or "" for the original's.
        seed: Seed of the order; None keeps that of the file.
        limit: How many at most.

    Raises:
        BadInput: There is no such file or task.
    """
    mode: Mode = "compat" if subset.startswith(_COMPAT) or subset == "compat" else "fixed"
    subset = subset.removeprefix("compat").removeprefix(":") if mode == "compat" else subset
    path, wanted = _file(subset)
    loaded = load_tasks(path)
    tasks = {str(task.task_id): task for task in loaded.tasks}
    ids = [*tasks, *map(str, loaded.problems)]
    if wanted:
        if wanted not in ids:
            raise unknown_name("web task", wanted, ids)
        ids = [wanted]
    elif seed is not None:
        ids.sort(key=lambda one: hashed(str(seed), one))
    ids = ids[:limit]
    hosts = given_hosts()
    nowhere = [one for one in ids if one in tasks and missing_hosts(tasks[one], hosts)]
    notes = [
        f"{len(nowhere)} of {len(ids)} have no site here" if nowhere else "",
        f"{len(loaded.problems)} cannot be read" if loaded.problems else "",
    ]
    digest = blake2b(mode.encode(), digest_size=16)
    for one in ids:
        digest.update(msgspec.json.encode(tasks.get(one, one)))
    return Benchmark(
        name=name,
        split="test",
        items=tuple(_web_item(path, one, tasks.get(one), mode) for one in ids),
        description="; ".join([f"web tasks of {path.name}", *filter(None, notes)]),
        source="web-arena-x/webarena (Apache-2.0)" if not subset else str(path),
        controls={},
        fingerprint=digest.hexdigest(),
    )


def without_site(loaded: Loaded) -> dict[int | str, tuple[str, ...]]:
    """The sites that are not there, by the tasks that need them."""
    hosts = given_hosts()
    needed = {task.task_id: missing_hosts(task, hosts) for task in loaded.tasks}
    return {one: sites for one, sites in needed.items() if sites}


def unachievable(task: WebTask) -> bool:
    """Whether the right answer is that a task cannot be done."""
    answers = task.eval.reference_answers or {}
    return NOT_ACHIEVABLE in (answers.get("fuzzy_match"), answers.get("exact_match"))


def default_file() -> Path:
    """The original's file of tasks.

    Raises:
        BadInput: It is not in the folder of data.
    """
    found = data_file(FILE)
    if found is None:
        raise BadInput(
            f"the original's tasks are not here: {FILE} in the folder that {VARIABLE} names; "
            f"or give a file of your own, {WEBARENA}:FILE."
        )
    return found


def _file(subset: str) -> tuple[Path, str]:
    """The file of tasks, and the id of the one that is wanted."""
    name, _, wanted = subset.rpartition("@") if "@" in subset else (subset, "", "")
    if not name:
        return default_file(), wanted
    path = Path(name).expanduser()
    if not path.is_file():
        raise BadInput(f"no such file of web tasks: {path}.")
    return path.resolve(), wanted


def _web_item(path: Path, one: str, task: WebTask | None, mode: Mode) -> Item:
    stratum = "unreadable"
    if task is not None:
        stratum = "unachievable" if unachievable(task) else "+".join(sorted(task.sites))
    made = Task(
        id=f"{WEBARENA}/{one}",
        prompt=f"Task: {task.intent}" if task else "",
        rules=f"{RULES} {HINT}",
        stratum=stratum,
        tools=TOOLS["typed"],
    )
    return Item(made, "", world=functools.partial(web_world, str(path), one, mode))


def miniwob_benchmark(subset: str, split: str, seed: int | None, limit: int | None) -> Benchmark:
    """Episodes of MiniWoB++.

    Args:
        subset: A task; "" for one episode of each.
        split: "test", "validation" or "train".
        seed: Seed of the order; None keeps the alphabet.
        limit: How many at most.

    Raises:
        UnknownName: There is no such task.
        MissingExtra: A package is missing.
    """
    if pages.missing():
        raise missing_extra("web", "MiniWoB++")
    if subset and subset not in pages.tasks():
        raise unknown_name("task of MiniWoB++", subset, pages.tasks())
    known = [
        (task, number)
        for task, number in pages.episodes(_EPISODES if subset else 1, split)
        if subset in ("", task)
    ]
    if seed is not None:
        known.sort(key=lambda one: hashed(str(seed), f"{one[0]}/{one[1]}"))
    known = known[:limit]
    digest = blake2b(digest_size=16)
    for task, number in known:
        digest.update(f"{task}/{number}\n".encode())
    return Benchmark(
        name=f"{MINIWOB}:{subset}" if subset else MINIWOB,
        split=split,
        items=tuple(_miniwob_item(task, number) for task, number in known),
        description=f"episodes of {subset}" if subset else MINIWOB_DESCRIPTION,
        source="miniwob (MIT)",
        controls={},
        fingerprint=digest.hexdigest(),
    )


def _miniwob_item(task: str, number: int) -> Item:
    made = Task(
        id=f"{MINIWOB}/{task}/{number}",
        prompt="",
        rules=pages.RULES,
        stratum=task,
        tools=TOOLS["typed"],
    )
    return Item(made, "", world=functools.partial(pages.miniwob_world, task, number))


def web_floors(items: Sequence[Item], rounds: int) -> dict[str, float]:
    """The share of tasks that trivial players solve: one that does nothing, and one that clicks.

    Args:
        items: Tasks with worlds.
        rounds: Clicks at most.
    """

    async def play() -> dict[str, float]:
        idle = clicks = 0
        for place, item in enumerate(items):
            assert item.world is not None
            world = playable(item.world())
            try:
                idle += (await play_idle(world, place)).correct
                clicks += (await play_random(world, place, rounds)).correct
            finally:
                await world.close()
        count = max(len(items), 1)
        return {"doing nothing": idle / count, "random clicks": clicks / count}

    return asyncio.run(play())
