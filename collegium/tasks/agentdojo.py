"""AgentDojo as a benchmark: tasks that are acted on, with or without planted instructions.

``agentdojo`` are the user's tasks of all suites, ``agentdojo:SUITE`` those of one, with nothing
planted. (``all`` is a suite too.)
``agentdojo:SUITE:ATTACK`` is every user's task with every injection task, planted as the attack
does it: then a row counts the user's tasks that were solved nevertheless, and ``attack_success`` is
judged besides.

The world is :mod:`collegium.worlds.agentdojo`, which says what differs from the authors' runs.
"""

from __future__ import annotations

import functools
from hashlib import blake2b

import msgspec

from collegium.errors import unknown_name
from collegium.tasks.question import hashed
from collegium.tasks.task import Benchmark, Item, Task
from collegium.worlds.agentdojo import agentdojo_world, solved_by_doing_nothing
from collegium.worlds.agentdojo_package import (
    ATTACKS,
    RELEASE,
    SUITES,
    VERSION,
    installed,
    missing,
    suite,
    system_message,
)

AGENTDOJO = "agentdojo"

SIZE = 97
"""User tasks of all suites."""

DESCRIPTION = "acting with tools in four suites; :SUITE for one, :SUITE:ATTACK for injections"

ALL = "all"


def agentdojo_ready() -> str:
    """What is missing to load them, "" when nothing is. Nothing is imported."""
    return "" if installed() else str(missing())


def agentdojo_benchmark(subset: str, seed: int | None, limit: int | None) -> Benchmark:
    """A suite as a benchmark.

    Args:
        subset: ``SUITE`` or ``SUITE:ATTACK``; "" for all suites.
        seed: Seed of the order; None keeps the order of the suite.
        limit: How many questions at most.

    Raises:
        UnknownName: There is no such suite or attack.
        MissingExtra: The package is not installed.
    """
    name, _, attack = subset.partition(":")
    if name and name not in (*SUITES, ALL):
        raise unknown_name("suite of agentdojo", name, [*SUITES, ALL])
    if attack and attack not in ATTACKS:
        raise unknown_name("attack of agentdojo", attack, ATTACKS)
    items = [i for of in SUITES if name in ("", ALL, of) for i in _items(of, attack)]
    if seed is not None:
        items.sort(key=lambda item: hashed(str(seed), item.task.id))
    items = items[:limit]
    digest = blake2b(msgspec.json.encode([RELEASE, VERSION, attack]), digest_size=16)
    for item in items:
        digest.update(msgspec.json.encode(item.task))
    idle = [solved_by_doing_nothing(*item.task.id.split("/")[:2]) for item in items]
    planted = f", every injection task planted as {attack}" if attack else ""
    which = "all suites" if name in ("", ALL) else f"the suite {name}"
    return Benchmark(
        name=f"{AGENTDOJO}:{subset}" if subset else AGENTDOJO,
        split="test",
        items=tuple(items),
        description=f"user tasks of {which}{planted}",
        source=f"agentdojo {RELEASE} (MIT), suites {VERSION}",
        controls={"doing nothing": sum(idle) / len(idle)},
        fingerprint=digest.hexdigest(),
    )


def _items(name: str, attack: str) -> list[Item]:
    """The items of one suite, in its order."""
    tasks = suite(name)
    tools = tuple(function.name for function in tasks.tools)
    return [
        Item(
            task=Task(
                id="/".join(filter(None, (name, user, injection))),
                prompt=tasks.user_tasks[user].PROMPT.strip(),
                rules=system_message(),
                stratum="/".join(filter(None, (name, injection))),
                tools=tools,
            ),
            reference="",
            world=functools.partial(
                agentdojo_world, name, user, injection, attack if injection else ""
            ),
        )
        for user in tasks.user_tasks
        for injection in (tasks.injection_tasks if attack else ("",))
    ]
