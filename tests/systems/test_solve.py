"""One run of one system: what a limit leaves, and what is left running."""

import asyncio
from typing import Any

import pytest

from collegium.errors import BudgetTooSmall, ModelError
from collegium.kernel import Kernel, Limits
from collegium.systems.solve import solve
from collegium.systems.system import Result, System
from collegium.tasks.task import Task
from tests.kernel.support import Scripted

TASK = Task(id="t", prompt="?")


def made_of(function: Any) -> System:
    return System("made", None, function, {})


async def test_a_result_is_passed_on() -> None:
    async def once(task: Task, kernel: Kernel) -> Result:
        return Result((await kernel.agent("a").ask(task.prompt)).data)

    solved = await solve(made_of(once), TASK, Kernel(Scripted("hi")), {})
    assert (solved.result.answer, solved.limited) == ("hi", "")


async def for_ever(task: Task, kernel: Kernel) -> Result:
    agent = kernel.agent("a")
    for number in range(1000):
        await agent.ask("?")
        kernel.keep(Result(number))
    return Result("the end")


async def test_a_limit_leaves_the_best_so_far() -> None:
    solved = await solve(
        made_of(for_ever), TASK, Kernel(Scripted("hi"), limits=Limits(calls=3)), {}
    )
    assert (solved.result.answer, solved.limited) == (2, "the limit of 3 generations is used up.")


async def test_a_limit_inside_a_task_group_is_a_limit_too() -> None:
    async def grouped(task: Task, kernel: Kernel) -> Result:
        async with asyncio.TaskGroup() as group:
            group.create_task(for_ever(task, kernel))
            group.create_task(asyncio.sleep(3600))
        return Result("the end")

    kernel = Kernel(Scripted("hi"), limits=Limits(calls=3))
    solved = await solve(made_of(grouped), TASK, kernel, {})
    assert solved.result.answer == 2
    assert solved.limited == "the limit of 3 generations is used up."


async def test_without_anything_kept_a_limit_leaves_no_answer() -> None:
    async def two(task: Task, kernel: Kernel) -> Result:
        agent = kernel.agent("a")
        await agent.ask("?")
        await agent.ask("?")
        return Result("the end")

    solved = await solve(made_of(two), TASK, Kernel(Scripted("hi"), limits=Limits(calls=1)), {})
    assert solved.result.answer is None
    assert solved.limited


async def test_a_budget_too_small_for_one_call_is_an_error() -> None:
    kernel = Kernel(Scripted("hi"), limits=Limits(tokens=5))
    with pytest.raises(BudgetTooSmall, match="too small for one call"):
        await solve(made_of(for_ever), TASK, kernel, {})


async def test_an_error_inside_a_task_group_is_raised_as_itself() -> None:
    async def grouped(task: Task, kernel: Kernel) -> Result:
        async with asyncio.TaskGroup() as group:
            group.create_task(for_ever(task, kernel))
        return Result("the end")

    with pytest.raises(ModelError, match=r"^gone$"):
        await solve(made_of(grouped), TASK, Kernel(Scripted(ModelError("gone"))), {})


async def test_calls_that_a_system_leaves_behind_are_cancelled() -> None:
    left: list[asyncio.Task[Any]] = []

    async def careless(task: Task, kernel: Kernel) -> Result:
        left.append(asyncio.create_task(kernel.agent("a").ask("?")))
        await asyncio.sleep(0)
        return Result("done")

    model = Scripted("hi", pause=3600)
    solved = await solve(made_of(careless), TASK, Kernel(model), {})
    assert solved.result.answer == "done"
    assert left[0].cancelled()
    assert model.cancelled == 1
