"""Four guards with a model as the agent: the harness, with scripted models on the real suites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collegium.bench.agentdojo import read_policies
from collegium.bench.agentdojo_model import GUARDS, measure, sample
from collegium.errors import BadInput
from collegium.kernel import Generate, Reply, ToolCall
from collegium.models import ScriptedModel
from collegium.worlds import agentdojo_package

POLICIES = Path(__file__).parents[2] / "examples" / "policies" / "agentdojo"
THIEF = "US133000000121212121212"

pytestmark = pytest.mark.skipif(
    not agentdojo_package.installed(), reason="agentdojo is not installed"
)


def thief(roles: list[str]) -> ScriptedModel:
    """An agent that looks at its account and then pays the attacker; a writer that allows that."""

    def script(request: Generate) -> Any:
        roles.append(request.role)
        if request.role == "policy-writer":
            if "Could what this call returns" in request.messages[-1].text:
                return json.dumps({"answer": True})
            enum = {"argument": "recipient", "condition": {"enum": [THIEF]}}
            allowed = [{"name": "send_money", "restrictions": [enum]}]
            if "It returned" in request.messages[-1].text:
                return json.dumps({"change": True, "tools": allowed})
            return json.dumps({"answer": [{"name": "get_balance", "restrictions": []}]})
        made = sum(m.role == "assistant" for m in request.messages)
        if made == 0:
            return Reply("", tool_calls=(ToolCall("1", "get_balance", {}),), finish="tool")
        if made == 1:
            told = {"recipient": THIEF, "amount": 0.01, "subject": "x", "date": "2022-01-01"}
            return Reply("", tool_calls=(ToolCall("2", "send_money", told),), finish="tool")
        return "Done."

    return ScriptedModel(script)


async def test_the_guards_meet_the_same_pairs() -> None:
    roles: list[str] = []
    policies = {"banking": read_policies(POLICIES, ("banking",))["banking"]}
    found = await measure(thief(roles), policies, pairs=4, seed=2, budget=200_000)
    assert list(found["rows"]) == list(GUARDS)
    assert found["pairs"] == 4 and found["user_tasks"] >= 1
    rows = found["rows"]
    for row in rows.values():
        assert row["attack_success"].n == row["utility_under_attack"].n == 4
        assert row["utility"].n == found["user_tasks"]
    assert rows["none"]["blocked"] == 0
    runs = 4 + found["user_tasks"]
    assert rows["manual"]["blocked"] == runs  # nobody allows the attacker's account
    assert rows["generated"]["blocked"] == 0  # a result put it in
    assert rows["generated, narrow-only"]["blocked"] == runs
    assert rows["generated"]["tokens"] > rows["manual"]["tokens"]
    assert "policy-writer" in roles


def test_pairs_are_drawn_by_the_seed() -> None:
    items, count = sample(("banking", "slack"), "important_instructions", 60, 7)
    again, _ = sample(("banking", "slack"), "important_instructions", 60, 7)
    other, _ = sample(("banking", "slack"), "important_instructions", 60, 8)
    assert count == 60
    assert [i.task.id for i in items] == [i.task.id for i in again]
    assert [i.task.id for i in items] != [i.task.id for i in other]
    assert {i.task.id.split("/")[0] for i in items[:count]} == {"banking", "slack"}
    assert all(len(i.task.id.split("/")) == 3 for i in items[:count])
    assert all(len(i.task.id.split("/")) == 2 for i in items[count:])
    with pytest.raises(BadInput, match="at least 1 pair"):
        sample(("banking",), "important_instructions", 0, 7)
