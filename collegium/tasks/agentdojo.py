"""AgentDojo as a benchmark: tasks that are acted on, with or without planted instructions.

``agentdojo:SUITE`` are the user's tasks of a suite, with nothing planted.
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
from collegium.worlds.agentdojo import agentdojo_world
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

_SIZES = {"banking": 16, "slack": 21, "travel": 20, "workspace": 40}


def agentdojo_sets() -> dict[str, tuple[str, int]]:
    """The benchmarks without attacks: description and number of questions by name."""
    return {
        f"{AGENTDOJO}:{name}": (f"acting with the tools of {name}; add :ATTACK for injections", n)
        for name, n in _SIZES.items()
    }


def agentdojo_ready() -> str:
    """What is missing to load them, "" when nothing is. Nothing is imported."""
    return "" if installed() else str(missing())


def agentdojo_benchmark(subset: str, seed: int | None, limit: int | None) -> Benchmark:
    """A suite as a benchmark.

    Args:
        subset: ``SUITE`` or ``SUITE:ATTACK``.
        seed: Seed of the order; None keeps the order of the suite.
        limit: How many questions at most.

    Raises:
        UnknownName: There is no such suite or attack.
        MissingExtra: The package is not installed.
    """
    name, _, attack = subset.partition(":")
    if name not in SUITES:
        raise unknown_name("suite of agentdojo", name, SUITES)
    if attack and attack not in ATTACKS:
        raise unknown_name("attack of agentdojo", attack, ATTACKS)
    tasks = suite(name)
    tools = tuple(function.name for function in tasks.tools)
    items = [
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
    if seed is not None:
        items.sort(key=lambda item: hashed(str(seed), item.task.id))
    items = items[:limit]
    digest = blake2b(msgspec.json.encode([RELEASE, VERSION, attack, tools]), digest_size=16)
    for item in items:
        digest.update(msgspec.json.encode(item.task))
    planted = f", every injection task planted as {attack}" if attack else ""
    return Benchmark(
        name=f"{AGENTDOJO}:{subset}",
        split="test",
        items=tuple(items),
        description=f"user tasks of the suite {name}{planted}",
        source=f"agentdojo {RELEASE} (MIT), suites {VERSION}",
        controls={},
        fingerprint=digest.hexdigest(),
    )
