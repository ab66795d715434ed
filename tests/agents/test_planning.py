"""Plans: checked, mended once, carried out in the order their steps need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest

from collegium.agents.planning import Plan, PlanStep, carry_out, make_plan, plan_problem
from collegium.errors import BadInput
from collegium.kernel import Kernel, Unparsed
from tests.kernel.support import Scripted, inorder

DIAMOND = Plan(
    (
        PlanStep(1, "shop"),
        PlanStep(2, "chop", (1,)),
        PlanStep(3, "boil", (1,)),
        PlanStep(4, "serve", (2, 3)),
    )
)


def told(*steps: tuple[int, str, list[int]]) -> str:
    """A plan as a model writes it."""
    return json.dumps({"steps": [{"number": n, "task": t, "after": a} for n, t, a in steps]})


async def test_a_good_plan_is_taken() -> None:
    model = Scripted(told((1, "shop", []), (2, "cook", [1])))
    plan = await make_plan(Kernel(model).agent("planner"), "Make soup.")
    assert plan == Plan((PlanStep(1, "shop"), PlanStep(2, "cook", (1,))))
    assert "Make soup." in model.requests[0].messages[-1].text
    assert len(model.requests) == 1


async def test_a_plan_that_cannot_work_goes_back_once_with_the_reason() -> None:
    circle = told((1, "a", [2]), (2, "b", [1]))
    model = Scripted(inorder(circle, told((1, "a", []), (2, "b", [1]))))
    plan = await make_plan(Kernel(model).agent("planner"), "?")
    assert isinstance(plan, Plan)
    assert "circle" in model.requests[1].messages[-1].text
    again = await make_plan(Kernel(Scripted(circle)).agent("planner"), "?")
    assert isinstance(again, Unparsed)
    assert "circle" in again.reason


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (Plan(()), "no steps"),
        (Plan((PlanStep(1, "a"), PlanStep(1, "b"))), "used twice"),
        (Plan((PlanStep(1, "a", (7,)),)), "needs step 7"),
        (Plan((PlanStep(1, "a", (1,)),)), "circle"),
        (Plan(tuple(PlanStep(i, "a") for i in range(1, 9))), "at most 6"),
        (DIAMOND, ""),
    ],
)
def test_what_keeps_a_plan_from_working(plan: Plan, problem: str) -> None:
    assert problem in plan_problem(plan, 6)
    assert bool(problem) == bool(plan_problem(plan, 6))


async def test_steps_run_when_their_needs_are_met() -> None:
    order: list[str] = []

    async def work(step: PlanStep, given: Mapping[int, str]) -> str:
        order.append(f"begin {step.task}")
        await asyncio.sleep(0.01)
        order.append(f"end {step.task}")
        return step.task + "(" + ",".join(given[n] for n in sorted(given)) + ")"

    results = await carry_out(DIAMOND, work)
    assert results[4] == "serve(chop(shop()),boil(shop()))"
    assert order.index("begin boil") < order.index("end chop")  # together
    assert order.index("end boil") < order.index("begin serve")


async def test_bad_input() -> None:
    async def never(step: PlanStep, given: Mapping[int, str]) -> str:
        raise AssertionError

    with pytest.raises(BadInput, match="circle"):
        await carry_out(Plan((PlanStep(1, "a", (1,)),)), never)
    with pytest.raises(BadInput, match="at least one step"):
        await make_plan(Kernel(Scripted("x")).agent("p"), "?", most=0)
