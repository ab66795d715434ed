"""Work folders as a benchmark: machine-learning tasks judged by what is left in the folder.

``ml-folders`` are all tasks, ``ml-folders:NAME`` is one. They are variants of MLAgentBench's tasks
(:mod:`collegium.worlds.folder`), small enough to run without downloads.
"""

from __future__ import annotations

import functools
from hashlib import blake2b

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.tasks.question import hashed
from collegium.tasks.registry import FOLDERS
from collegium.tasks.task import Benchmark, Item, Task
from collegium.worlds.folder import ACTIONS, folder_task, folder_tasks, folder_world

SIZE = 5
DESCRIPTION = "small machine-learning tasks in a folder of files; :NAME for one"
RULES = """You improve the result of machine-learning code in a work folder. Look first, change the
code, run it, and check what it printed before you rely on it. What counts is the state of the
folder at the end, compared with the code you were given. End with final_answer."""


def folders_ready() -> str:
    """What is missing to load them, "" when nothing is."""
    problems = (task.missing() for task in folder_tasks().values())
    return next(filter(None, problems), "")


def folder_benchmark(subset: str, seed: int | None, limit: int | None) -> Benchmark:
    """The tasks as a benchmark.

    Args:
        subset: The name of a task; "" for all.
        seed: Seed of the order; None keeps their own.
        limit: How many at most.

    Raises:
        UnknownName: There is no such task.
        BadInput: A library is missing.
    """
    tasks = folder_tasks()
    if subset and subset not in tasks:
        raise unknown_name(f"task of {FOLDERS}", subset, tasks)
    names = [subset] if subset else list(tasks)
    if seed is not None:
        names.sort(key=lambda name: hashed(str(seed), name))
    names = names[:limit]
    for name in names:
        if problem := tasks[name].missing():
            raise BadInput(f"{name} needs {problem}.")
    digest = blake2b(digest_size=16)
    for name in names:
        digest.update(msgspec.json.encode([tasks[name].problem, sorted(tasks[name].files())]))
    return Benchmark(
        name=f"{FOLDERS}:{subset}" if subset else FOLDERS,
        split="test",
        items=tuple(map(_item, names)),
        description=DESCRIPTION,
        source="variants of MLAgentBench's tasks, ours, on data of scikit-learn and made by code",
        controls={"doing nothing": 0.0},  # success is an improvement over the starter code
        fingerprint=digest.hexdigest(),
    )


def _item(name: str) -> Item:
    task = Task(
        id=f"{FOLDERS}/{name}",
        prompt=RULES,
        stratum=folder_task(name).like,
        tools=ACTIONS,
    )
    return Item(task, "", world=functools.partial(folder_world, name))
