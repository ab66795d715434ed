"""Assessment: scores follow from the design, weights are the user's, figures from traces."""

from typing import Any

import pytest

from collegium.agents.umf import WEIGHTS, assess, compose, measure, read_blueprint
from collegium.agents.umf.parts import CALCULATOR, DATABASE
from collegium.bench.umf_compose import ARMS
from collegium.errors import BadInput, UnknownName
from tests.agents.umf import little
from tests.agents.umf.designs import TEAM, design


def scores(blueprint: Any) -> list[int]:
    return [s.score for s in assess(blueprint).scores]


def test_designs_that_differ_score_differently() -> None:
    by_arm = {
        name: scores(compose([CALCULATOR, DATABASE], architecture, elect=elect).blueprint)
        for name, architecture, elect in ARMS
    }
    assert list(WEIGHTS) == [
        "modularity",
        "extensibility",
        "performance",
        "reliability",
        "security",
        "synchronisation cost",
    ]
    passive, one, elected, free = by_arm.values()
    assert passive == [3, 3, 2, 1, 3, 3]
    assert one == [3, 3, 3, 2, 3, 3]
    assert elected == [2, 1, 1, 3, 3, 1]
    assert free == [2, 1, 1, 0, 3, 0]


def test_a_fault_costs_the_attribute_it_harms_and_is_the_reason() -> None:
    team = assess(read_blueprint(TEAM))
    assert (team.architecture, team.mean, team.measured) == (
        "one-active-many-passive",
        17 / 6,
        None,
    )
    all_but = ["planning", "memory", "profile", "action"]
    open_path = assess(design(P={"modules": all_but}, C={"modules": ["action"]}))
    (security,) = [s for s in open_path.scores if s.attribute == "security"]
    assert (security.score, security.reason) == (1, "1 open: unguarded path: P -> C -> calculator")
    minded = assess(design(S={"modules": ["action", "security", "memory"]}))
    (modularity,) = [s for s in minded.scores if s.attribute == "modularity"]
    assert modularity.score == 1
    assert "passive with memory: S" in modularity.reason
    assert all(s.reason for s in team.scores)


def test_weights_are_shown_and_can_be_changed() -> None:
    team = read_blueprint(TEAM)
    only = assess(team, weights=dict.fromkeys(WEIGHTS, 0.0) | {"reliability": 2.0})
    assert only.mean == 2.0
    assert [s.weight for s in only.scores] == [0, 0, 0, 2.0, 0, 0]
    assert [s.weight for s in assess(team).scores] == [1.0] * 6
    with pytest.raises(UnknownName, match="did you mean 'security'"):
        assess(team, weights={"securty": 1.0})
    with pytest.raises(BadInput, match="0 or more"):
        assess(team, weights={"security": -1.0})
    with pytest.raises(BadInput, match="above 0"):
        assess(team, weights=dict.fromkeys(WEIGHTS, 0.0))


async def test_figures_come_from_the_traces() -> None:
    (react,) = await little.traces("react")
    (mad,) = await little.traces("mad")
    found = assess(read_blueprint(TEAM), react, mad).measured
    assert found is not None
    assert found == measure([react, mad])
    assert (found.llm_calls, found.tool_calls, found.refused) == (3 + 6, 2, 0)
    assert found.coordination == 6 + 3  # each debater writes to two and reads its mail
    assert found.tokens == sum(e.usage.tokens for e in (*react, *mad))
    assert found.seconds > 0
