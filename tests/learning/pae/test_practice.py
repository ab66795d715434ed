"""Practice: attempts in real worlds, rewarded by the evaluator alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Generate
from collegium.learning.pae import Practice, practise
from collegium.learning.pae.practice import rates
from collegium.models import ScriptedModel

TASKS = [Practice("todo", "todo-0", "Name a list."), Practice("todo", "todo-1", "Name another.")]


def turn(tool: str, **more: Any) -> str:
    return json.dumps({"thought": "so", "action": {"tool": tool, **more}})


def script(request: Generate) -> str:
    """An agent that looks and answers, or never does; an evaluator that likes a name in quotes."""
    text = request.messages[-1].text
    if request.agent == "evaluator":
        return "SUCCESS" if "Name a list." in text else "NOT SUCCESS"
    if "Observation:" in text:
        return turn("finish", answer="garden")
    return turn("lists", arguments={})


async def test_attempts_are_trajectories_with_the_evaluators_reward() -> None:
    first, second = await practise({"": ScriptedModel(script)}, "todo", TASKS)
    assert (first.verdict.reward, second.verdict.reward) == (1, 0)
    assert (first.trajectory.reward, second.trajectory.reward) == (1.0, 0.0)
    assert (first.world, second.world) == ("todo/train/0", "todo/train/1")
    assert first.answer == "garden" and len(first.seen) == 2
    assert [s.agent for s in first.trajectory.steps] == ["actor", "actor"]
    assert [r.tool for s in first.trajectory.steps for r in s.results] == ["lists"]
    assert "Your task: Name a list." in first.trajectory.steps[0].prompt[-1].text
    assert rates([first, second, second]) == {"Name a list.": 1.0, "Name another.": 0.0}


async def test_an_attempt_without_an_end_is_not_judged() -> None:
    def endless(request: Generate) -> str:
        assert request.agent != "evaluator"
        if "State your final answer" in request.messages[-1].text:
            return "garden"
        return turn("lists", arguments={})

    (attempt,) = await practise({"": ScriptedModel(endless)}, "todo", TASKS[:1], steps=2)
    assert attempt.answer is None
    assert (attempt.verdict.reward, attempt.verdict.asked) == (0, 0)
    assert attempt.trajectory.reward == 0.0


async def test_roles_have_their_own_models() -> None:
    never = ScriptedModel(lambda r: "NOT SUCCESS")
    models = {"": ScriptedModel(script), "evaluator": never}
    (attempt,) = await practise(models, "todo", TASKS[:1])
    assert attempt.verdict.reward == 0


async def test_bad_numbers() -> None:
    with pytest.raises(BadInput, match="1 step or more"):
        await practise({"": ScriptedModel(script)}, "todo", TASKS, steps=0)
