"""Building blocks that systems share: worked answers, voting, plans, and the ReAct loop."""

from collegium.agents.planning import Plan, PlanStep, carry_out, make_plan
from collegium.agents.react import Trajectory, demonstration, react
from collegium.agents.solving import (
    ANSWER_HINT,
    answer_of,
    answer_type,
    bare_type,
    closing,
    vote,
    worked_type,
)
from collegium.agents.voting import Vote, majority

__all__ = [
    "ANSWER_HINT",
    "Plan",
    "PlanStep",
    "Trajectory",
    "Vote",
    "answer_of",
    "answer_type",
    "bare_type",
    "carry_out",
    "closing",
    "demonstration",
    "majority",
    "make_plan",
    "react",
    "vote",
    "worked_type",
]
