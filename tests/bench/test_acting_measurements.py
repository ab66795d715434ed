"""The measurements of low-param, routine and PAE, with scripted models on real worlds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collegium.agents.routine import Made, Used
from collegium.bench import low_param, pae, routine_calls
from collegium.errors import BadInput
from collegium.kernel import Generate
from collegium.models import ScriptedModel
from collegium.worlds.hr.gold import gold
from collegium.worlds.text import text_world


def turn(tool: str, **more: Any) -> str:
    return json.dumps({"thought": "so", "action": {"tool": tool, **more}})


def wanderer(request: Generate) -> str:
    """An actor that flies once and gives up; a planner of one line; a judge that says yes."""
    if request.agent == "planner":
        return json.dumps({"subtasks": ["Walk to the goal."]})
    if request.agent == "judge":
        return json.dumps({"reason": "so", "done": "yes", "way": "good"})
    if any(m.role == "assistant" for m in request.messages):
        return turn("finish", answer="there")
    return turn("act", arguments={"action": "fly"})


async def test_low_param_counts_faults_and_what_the_judge_is_worth() -> None:
    found = await low_param.measure(ScriptedModel(wanderer), world="maze", limit=2, seed=3)
    assert found["n"] == 2
    for row in found["rows"].values():
        assert row["solved"] == 0 and row["interval"][0] == 0.0
        assert row["counts"] == {
            "turns": 4, "format_errors": 0, "actions": 2, "invalid": 2, "repeats": 0,
        }  # fmt: skip
        assert row["invalid_action_rate"] == 1.0
    assert found["rows"]["plain"]["judge"] is None
    assert found["rows"]["decomposition"]["judge"] == {
        "called_done": 2, "of_these_solved": 0, "solved_but_not_called_done": 0,
    }  # fmt: skip
    with pytest.raises(BadInput, match="1 or more"):
        await low_param.measure(ScriptedModel(wanderer), world="maze", limit=0, seed=3)


def test_calls_are_judged_one_by_one() -> None:
    wanted = [Used(c.tool, c.arguments) for c in gold("test", 0).calls]
    specs = {tool.spec.name: tool.spec for tool in text_world("hr", "test", 0).tools}
    right = [Made(tool=w.name, values=w.arguments, arguments=w.arguments) for w in wanted]
    found, extra = routine_calls.verdicts(right, wanted, specs)
    assert all(v.overall for v in found) and extra == 0
    found, extra = routine_calls.verdicts([Made(), *right], wanted, specs)
    assert not found[0].structural and extra == 1
    found, _ = routine_calls.verdicts(right[:1], wanted, specs)
    assert [v.structural for v in found] == [True] + [False] * (len(wanted) - 1)


async def test_routine_calls_runs_the_three_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    named = routine_calls.VARIANTS
    assert list(named) == ["with Routine", "descriptions blanked", "without Routine"]
    only = {"without Routine": named["without Routine"]}
    monkeypatch.setattr(routine_calls, "VARIANTS", only)

    def finish(request: Generate) -> str:
        return json.dumps({"call": {"name": "finish", "arguments": {"answer": "done"}}})

    found = await routine_calls.measure(ScriptedModel(finish), limit=2, seed=1)
    row = found["rows"]["without Routine"]
    assert row["overall"] == 0.0 and row["accuracies"]["overall"]["of"] > 2
    with pytest.raises(BadInput, match="1 or more"):
        await routine_calls.measure(ScriptedModel(finish), limit=0, seed=1)


async def test_pae_measures_the_evaluator_by_the_true_reward() -> None:
    def script(request: Generate) -> str:
        if request.agent == "evaluator":
            return "SUCCESS"
        if request.agent == "proposer":
            line = json.dumps({"web_name": "todo", "id": "1", "ques": "Name a list."})
            return f"Output:\n{line}\nnonsense"
        return turn("finish", answer="3")

    found = await pae.measure(
        ScriptedModel(script), ["todo"], limit=6, count=2, embedder="hash", seed=1
    )
    row = found["evaluator"]["todo"]
    assert row["both"] + row["evaluator"] == 6 and row["truth"] == row["neither"] == 0
    assert row["precision"] == row["always_yes_precision"]
    for label in ("name alone", "with a demonstration"):
        proposed = found["proposer"]["todo"][label]
        assert (proposed["kept"], proposed["broken"], proposed["duplicates"]) == (1, 2, 1)
    with pytest.raises(BadInput, match="must be 1 or more"):
        await pae.measure(
            ScriptedModel(script), ["todo"], limit=0, count=2, embedder="hash", seed=1
        )
