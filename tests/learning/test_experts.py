"""Experts of worlds: their moves become trajectories, and what does not reach the goal is out."""

import json
from typing import Any

import pytest

from collegium.bench.actions import audit, well_formed
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel
from collegium.learning.experts import EXPERT, expert_data, expert_trajectory, screened
from collegium.learning.masking import record_of
from collegium.models import ScriptedModel
from collegium.systems.low_param import low_param
from collegium.tasks import Task
from collegium.worlds import drivers
from collegium.worlds.text import kind, text_world

needs_textworld = pytest.mark.skipif(
    bool(kind("textworld").missing()), reason="needs the package textworld"
)


@needs_textworld
@pytest.mark.must_show("low-param", 5)
async def test_the_experts_way_is_kept_and_a_shorter_one_is_not() -> None:
    whole = await expert_trajectory("textworld", 18, split="test")
    game: Any = kind("textworld").make("test", 18)
    game.begin(0)
    way = game.expert()
    turns = [game.step(move) for move in way]
    assert (game.score, game.points, turns[-1].done) == (10, 10, True)
    game.close()
    cut = await expert_trajectory("textworld", 18, split="test", moves=way[:-1])
    assert (whole.reward, cut.reward) == (1.0, 0.0)
    import msgspec

    found = screened([whole, msgspec.structs.replace(cut, name="cut")])
    assert [t.name for t in found.kept] == [f"textworld/test/18/{EXPERT}"]
    assert [(d.trajectory.name, d.by) for d in found.dropped] == [("cut", "environment")]
    made = [r.arguments["action"] for step in whole.steps for r in step.results]
    assert made == way


@needs_textworld
async def test_a_trajectory_is_a_record_that_learns_the_actors_turns_alone() -> None:
    kept = (await expert_data("textworld", [0], split="validation")).kept
    (record,) = map(record_of, kept)
    learnt = [m for m, on in zip(record.messages, record.loss, strict=True) if on]
    assert learnt and {m.role for m in learnt} == {"assistant"}
    assert all(well_formed(m.content) for m in learnt)
    first = json.loads(learnt[0].content)
    assert first["thought"] == f"Next: {first['action']['arguments']['action']}."
    assert "Your task" in record.messages[1].content or "You are" in record.messages[1].content


async def test_a_world_without_an_expert_takes_given_moves_alone() -> None:
    with pytest.raises(BadInput, match="maze comes with no expert; give the moves"):
        await expert_trajectory("maze", 0)
    lost = await expert_trajectory("maze", 0, moves=["move up"], thought=lambda seen, move: "Up!")
    assert lost.reward == 0.0
    assert json.loads(lost.steps[0].reply.text)["thought"] == "Up!"


async def test_actions_are_audited_in_the_state_in_which_they_were_made() -> None:
    world = text_world("maze", "train", 0)
    await world.reset(3)
    good = world.actions()[0]

    def turn(action: str) -> str:
        told = {"tool": "act", "arguments": {"action": action}}
        return json.dumps({"thought": "", "action": told})

    lines = iter([turn(good), turn("fly"), turn("fly"), "I would rather not.", "Neither now."])

    def script(request: Generate) -> str:
        end = json.dumps({"thought": "", "action": {"tool": "finish", "answer": ""}})
        return next(lines, end)

    kernel = Kernel(ScriptedModel(script), tools=world.tools, drivers=drivers(world), seed=1)
    task = Task(id="m", prompt="Go.", tools=("act",))
    await low_param(task, kernel, plan=False, judge=False, backtracks=0)
    fresh = text_world("maze", "train", 0)
    await fresh.reset(3)
    found = await audit(kernel.trace.events, fresh)
    assert (found.turns, found.format_errors) == (6, 2)
    assert (found.actions, found.invalid, found.repeats) == (3, 2, 1)
    assert found.format_error_rate == pytest.approx(1 / 3)
    assert found.invalid_action_rate == pytest.approx(2 / 3)
    empty = await audit([], fresh)
    assert (empty.format_error_rate, empty.invalid_action_rate, empty.repeat_rate) == (0, 0, 0)


async def test_what_was_taken_back_is_taken_back_in_the_audit_too() -> None:
    world = text_world("maze", "train", 0)
    await world.reset(3)

    def script(request: Generate) -> str:
        used = {"tool": "act", "arguments": {"action": "fly"}}
        if "Choose a different action" in request.messages[-1].text:
            used = {"tool": "finish", "answer": ""}
        return json.dumps({"thought": "", "action": used})

    kernel = Kernel(ScriptedModel(script), tools=world.tools, drivers=drivers(world), seed=1)
    task = Task(id="m", prompt="Go.", tools=("act",))
    result = await low_param(task, kernel, plan=False, judge=False)
    assert len(result.notes["backtracks"]) == 1
    fresh = text_world("maze", "train", 0)
    await fresh.reset(3)
    found = await audit(kernel.trace.events, fresh)
    assert (found.actions, found.invalid, found.repeats) == (2, 2, 1)
