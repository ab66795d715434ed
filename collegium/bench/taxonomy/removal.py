"""What breaks first: the same run with one agent silenced.

A silenced agent answers every request with nothing, and what it would send is lost. A run that
gives no answer then has failed, and the failure has a name: that of the survey where the agent was
the hub, that of the error otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from collegium.bench.taxonomy.messages import messages_of
from collegium.bench.taxonomy.structure import HUB_OTHERS, HUB_SHARE
from collegium.errors import CollegiumError
from collegium.kernel import Call, Event, Generate, Kernel, Limits, Reply, Send, Unparsed
from collegium.kernel.kernel import Interceptor, Proceed
from collegium.models.model import Model
from collegium.systems.solve import solve
from collegium.systems.system import System
from collegium.tasks.task import Task

HUB_FAILURE = "hub failure"

MOST_CALLS = 200
"""A team that goes on for so many generations without one of its agents is stopped."""


class Removed(msgspec.Struct, frozen=True):
    """What became of a run without an agent.

    Attributes:
        agent: Who was silenced; "" for the whole team.
        answer: The answer that was given.
        failure: "" when there was one; else how it failed.
        why: The error's sentence, where there was an error.
        share: In which share of the messages the agent took part in the whole team.
    """

    agent: str
    answer: Any
    failure: str = ""
    why: str = ""
    share: float = 0.0


def silenced(agent: str) -> Interceptor:
    """An interceptor under which an agent says nothing."""

    async def silence(call: Call, proceed: Proceed) -> Any:
        if call.agent != agent:
            return await proceed(call)
        if isinstance(call, Generate):
            return tuple(Reply("") for _ in range(call.n))
        return None if isinstance(call, Send) else await proceed(call)

    return silence


async def removals(
    system: System,
    task: Task,
    model: Model | Mapping[str, Model],
    parameters: Mapping[str, Any],
    *,
    seed: int | None = None,
) -> tuple[Removed, ...]:
    """Run a system whole, and then without each of its agents.

    Returns:
        The whole run first, then one per agent in the order in which they spoke.

    Raises:
        BadInput: The system cannot solve such a task.
        ModelError: The model could not answer the whole team.
    """
    kernel = Kernel(model, seed=seed)
    whole = (await solve(system, task, kernel, parameters)).result
    events = kernel.trace.events
    agents = dict.fromkeys(e.call.agent for e in events if isinstance(e.call, Generate))
    shares = shares_of(events)
    found = [Removed("", whole.answer)]
    for agent in agents:
        share = shares.get(agent, 0.0)
        found.append(await without(agent, system, task, model, parameters, share, seed))
    return tuple(found)


def shares_of(events: Iterable[Event]) -> dict[str, float]:
    """In which share of the messages each agent takes part; none where only two talk."""
    messages = messages_of(events)
    on = Counter(agent for m in messages for agent in (m.sender, m.receiver))
    return {a: n / len(messages) for a, n in on.items()} if len(on) > HUB_OTHERS else {}


async def without(
    agent: str,
    system: System,
    task: Task,
    model: Model | Mapping[str, Model],
    parameters: Mapping[str, Any],
    share: float = 0.0,
    seed: int | None = None,
) -> Removed:
    """Run a system without one of its agents.

    Args:
        agent: Who says nothing.
        system: The system.
        task: The task.
        model: The model of all agents, or of every role.
        parameters: The system's.
        share: In which share of the whole team's messages the agent took part.
        seed: Seed of the run.
    """
    limits = Limits(calls=MOST_CALLS)
    kernel = Kernel(model, seed=seed, limits=limits, interceptors=[silenced(agent)])
    try:
        answer = (await solve(system, task, kernel, parameters)).result.answer
    except CollegiumError as error:
        name = HUB_FAILURE if share >= HUB_SHARE else type(error).__name__
        return Removed(agent, None, name, str(error), share)
    if answer is None or isinstance(answer, Unparsed) or answer == "":
        why = answer.reason if isinstance(answer, Unparsed) else ""
        return Removed(agent, None, HUB_FAILURE if share >= HUB_SHARE else "no answer", why, share)
    return Removed(agent, answer, share=share)
