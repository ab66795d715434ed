"""Routines: procedures that a model follows one call at a time (2507.14447).

The structs and their validator, the variable memory, the procedure memory, planning, execution, and
the comparison of calls with those expected. The system ``routine`` puts them together.
"""

from collegium.agents.routine.execute import (
    Executed,
    Made,
    execute,
    instructions,
    turns_of,
    without_routine,
)
from collegium.agents.routine.memory import FLOOR, Match, matches, usable
from collegium.agents.routine.metric import (
    Accuracies,
    Share,
    Used,
    Verdict,
    accuracies,
    evaluate,
    judged,
)
from collegium.agents.routine.plan import plan
from collegium.agents.routine.structs import (
    Guard,
    Routine,
    Step,
    read_library,
    read_routine,
    text_of,
    walked,
)
from collegium.agents.routine.validate import problems, validated
from collegium.agents.routine.variables import LONG, Variables

__all__ = [
    "FLOOR",
    "LONG",
    "Accuracies",
    "Executed",
    "Guard",
    "Made",
    "Match",
    "Routine",
    "Share",
    "Step",
    "Used",
    "Variables",
    "Verdict",
    "accuracies",
    "evaluate",
    "execute",
    "instructions",
    "judged",
    "matches",
    "plan",
    "problems",
    "read_library",
    "read_routine",
    "text_of",
    "turns_of",
    "usable",
    "validated",
    "walked",
    "without_routine",
]
