"""Plans: a goal taken apart into steps that depend on one another, and carried out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Agent, Unparsed, gather

_ASK = """{goal}

Take this apart into at most {most} steps. Number them from 1. For each step say what to do, and
list in "after" the numbers of the steps whose results it needs."""

_MEND = """That plan cannot be carried out: {problem}
Write the whole plan again."""


class PlanStep(msgspec.Struct, frozen=True):
    """One step of a plan: its number, what to do, and the steps whose results it needs."""

    number: int
    task: str
    after: tuple[int, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """Steps that together reach a goal."""

    steps: tuple[PlanStep, ...]


def plan_problem(plan: Plan, most: int) -> str:
    """What keeps a plan from being carried out, in one sentence; "" when nothing does."""
    numbers = [s.number for s in plan.steps]
    if not numbers:
        return "it has no steps."
    if len(numbers) > most:
        return f"it has {len(numbers)} steps; at most {most} are allowed."
    twice = sorted({n for n in numbers if numbers.count(n) > 1})
    if twice:
        return f"the number {twice[0]} is used twice."
    for step in plan.steps:
        for needed in step.after:
            if needed not in numbers:
                return f"step {step.number} needs step {needed}, which does not exist."
    if len(_layers(plan)) == 0:
        return "its steps wait for each other in a circle."
    return ""


async def make_plan(
    agent: Agent, goal: str, *, most: int = 6, temperature: float = 0.0, max_tokens: int = 400
) -> Plan | Unparsed:
    """Let an agent plan; a plan that cannot be carried out is sent back once, with the reason.

    Args:
        agent: Who plans.
        goal: What is to be reached.
        most: Steps at most.
        temperature: Sampling temperature.
        max_tokens: Cap on the reply.

    Returns:
        The plan, or why there is none.

    Raises:
        BadInput: ``most`` is below 1.
    """
    if most < 1:
        raise BadInput(f"a plan needs at least one step, not {most}.")
    prompt = _ASK.format(goal=goal, most=most)
    problem, text = "", ""
    for _ in range(2):
        reply = await agent.ask(
            prompt, output=Plan, keep=True, temperature=temperature, max_tokens=max_tokens
        )
        if isinstance(reply.data, Unparsed) or reply.data is None:
            return Unparsed(reply.text, "no plan")
        problem, text = plan_problem(reply.data, most), reply.text
        if not problem:
            return reply.data
        prompt = _MEND.format(problem=problem)
    return Unparsed(text, problem)


async def carry_out(
    plan: Plan, work: Callable[[PlanStep, Mapping[int, str]], Coroutine[Any, Any, str]]
) -> dict[int, str]:
    """Do every step once its needs are met; steps that need nothing of each other run together.

    Args:
        plan: The plan.
        work: Does a step, given the results of the steps it needs; returns its result.

    Returns:
        The results by number, in the order of the plan.

    Raises:
        BadInput: The plan cannot be carried out.
    """
    layers = _layers(plan)
    if not layers:
        raise BadInput(f"the plan cannot be carried out: {plan_problem(plan, len(plan.steps))}")
    results: dict[int, str] = {}
    for layer in layers:
        done = await gather(*(work(s, {n: results[n] for n in s.after}) for s in layer))
        results.update(zip((s.number for s in layer), done, strict=True))
    return {s.number: results[s.number] for s in plan.steps}


def _layers(plan: Plan) -> list[list[PlanStep]]:
    """The steps in groups that can be done one after the other; empty when that is impossible."""
    left = list(plan.steps)
    done: set[int] = set()
    layers: list[list[PlanStep]] = []
    while left:
        ready = [s for s in left if done.issuperset(s.after)]
        if not ready:
            return []
        layers.append(ready)
        done.update(s.number for s in ready)
        left = [s for s in left if s not in ready]
    return layers
