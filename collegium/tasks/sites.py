"""Tasks of ours on real web sites as a benchmark, in WebArena's schema.

``sites`` are all of them, ``sites:shop`` (``forum``, ``code``, ``cms``) those on one site, and
``sites:cross`` those that need two. Code judges every one of them, by the answer, the page where
the run ended, or the state of the sites; none needs a model.
"""

from __future__ import annotations

import functools
from hashlib import blake2b

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.tasks.question import hashed
from collegium.tasks.registry import SITES
from collegium.tasks.task import Benchmark, Item, Task
from collegium.worlds.sites import SITES as KNOWN
from collegium.worlds.sites import made
from collegium.worlds.sites.world import site_tasks, site_world
from collegium.worlds.web import WebTask
from collegium.worlds.web.acting import TOOLS
from collegium.worlds.web.browser import require_playwright
from collegium.worlds.web.evaluate import NOT_ACHIEVABLE
from collegium.worlds.web.world import HINT, RULES

DESCRIPTION = "tasks on a real shop, forum, tracker and content management; :SITE for one"
CROSS = "cross"
GROUPS = (*KNOWN, CROSS)


def sites_missing() -> str:
    """What is missing to run them, "" when nothing is."""
    from importlib.util import find_spec

    if find_spec("playwright") is None:
        return "pip install 'collegium[web]'"
    lacking = [site.name for site in KNOWN.values() if not made(site)]
    return f"collegium world up {' '.join(lacking)}" if lacking else ""


def size(split: str = "test") -> int:
    """How many tasks a split has."""
    return len(site_tasks(split).tasks)


def group(task: WebTask) -> str:
    """Which part of the benchmark a task belongs to."""
    return task.sites[0] if len(task.sites) == 1 else CROSS


def unachievable(task: WebTask) -> bool:
    """Whether the right answer is that a task cannot be done."""
    return (task.eval.reference_answers or {}).get("exact_match") == NOT_ACHIEVABLE


def sites_benchmark(subset: str, split: str, seed: int | None, limit: int | None) -> Benchmark:
    """The tasks as a benchmark.

    Args:
        subset: A site or ``cross``; "" for all.
        split: "test" or "train".
        seed: Seed of the order; None keeps that of the file.
        limit: How many at most.

    Raises:
        UnknownName: There is no such part.
        BadInput: A site was not brought up on this machine yet.
        MissingExtra: The browser's driver is not installed.
    """
    if subset and subset not in GROUPS:
        raise unknown_name(f"part of {SITES}", subset, GROUPS)
    require_playwright()
    tasks = [t for t in site_tasks(split).tasks if subset in ("", group(t))]
    if seed is not None:
        tasks.sort(key=lambda task: hashed(str(seed), str(task.task_id)))
    tasks = tasks[:limit]
    needed = {name: KNOWN[name] for task in tasks for name in task.sites}
    if lacking := [name for name, site in needed.items() if not made(site)]:
        raise BadInput(
            f"{SITES} needs sites that are not installed yet; bring them up once with: "
            f"collegium world up {' '.join(lacking)}"
        )
    digest = blake2b(digest_size=16)
    for task in tasks:
        digest.update(msgspec.json.encode(task))
    count = max(len(tasks), 1)
    return Benchmark(
        name=f"{SITES}:{subset}" if subset else SITES,
        split=split,
        items=tuple(_item(split, task) for task in tasks),
        description=DESCRIPTION,
        source="ours, on "
        + ", ".join(f"{s.package} {s.version} ({s.licence})" for s in needed.values()),
        controls={
            "doing nothing": 0.0,  # every task wants an answer or a change; tests run all of them
            "always N/A": sum(map(unachievable, tasks)) / count,
        },
        fingerprint=digest.hexdigest(),
    )


def _item(split: str, task: WebTask) -> Item:
    made_task = Task(
        id=str(task.task_id),
        prompt=f"Task: {task.intent}",
        rules=f"{RULES} {HINT}",
        stratum="unachievable" if unachievable(task) else group(task),
        tools=TOOLS["typed"],
    )
    return Item(made_task, "", world=functools.partial(site_world, split, str(task.task_id)))
