"""LLM-Agent-UMF (arXiv 2409.11393): core-agents, and the designs that are made of them.

* :func:`read_blueprint` and :func:`check`: a design as data, and the rules it breaks.
* :func:`profile`: which modules a system really has, read from its traces.
* :func:`active`, :func:`passive`: core-agents of five modules that can be swapped.
* :func:`compose`: two agents merged into one that runs; :func:`leaks` tests that a passive
  core-agent is stateless.
* :func:`assess`: six quality attributes with reasons, and measured figures.
"""

from collegium.agents.umf.assess import WEIGHTS, Assessment, Measured, Score, assess, measure
from collegium.agents.umf.blueprint import (
    Action,
    Blueprint,
    CoreAgentSpec,
    Memory,
    Modules,
    Peripheral,
    Planning,
    Profile,
    Security,
    read_blueprint,
)
from collegium.agents.umf.check import (
    Architecture,
    Violation,
    architecture,
    architecture_of,
    check,
    check_trace,
    ensure,
)
from collegium.agents.umf.compose import Hybrid, Part, Solution, compose
from collegium.agents.umf.core import (
    ActionModule,
    CoreAgent,
    Done,
    HandProfile,
    LmPlanning,
    MemoryModule,
    PlanningModule,
    ProfileModule,
    Request,
    RunNotes,
    SecurityModule,
    Step,
    active,
    obey,
    passive,
    pursue,
)
from collegium.agents.umf.election import Claim, Effect, Lease, Ledger, conflicts, coordination
from collegium.agents.umf.profile import Cell, Citation, Manifest, UmfProfile, agreement, profile
from collegium.agents.umf.security import GuardRule, Inspect, RuleSecurity, guards
from collegium.agents.umf.statelessness import Leak, leaks, leaks_of
from collegium.agents.umf.vocabulary import LINES, MODULES, RULES, Rule

PAPER = "umf"

__all__ = [
    "LINES",
    "MODULES",
    "RULES",
    "WEIGHTS",
    "Action",
    "ActionModule",
    "Architecture",
    "Assessment",
    "Blueprint",
    "Cell",
    "Citation",
    "Claim",
    "CoreAgent",
    "CoreAgentSpec",
    "Done",
    "Effect",
    "GuardRule",
    "HandProfile",
    "Hybrid",
    "Inspect",
    "Leak",
    "Lease",
    "Ledger",
    "LmPlanning",
    "Manifest",
    "Measured",
    "Memory",
    "MemoryModule",
    "Modules",
    "Part",
    "Peripheral",
    "Planning",
    "PlanningModule",
    "Profile",
    "ProfileModule",
    "Request",
    "Rule",
    "RuleSecurity",
    "RunNotes",
    "Score",
    "Security",
    "SecurityModule",
    "Solution",
    "Step",
    "UmfProfile",
    "Violation",
    "active",
    "agreement",
    "architecture",
    "architecture_of",
    "assess",
    "check",
    "check_trace",
    "compose",
    "conflicts",
    "coordination",
    "ensure",
    "guards",
    "leaks",
    "leaks_of",
    "measure",
    "obey",
    "passive",
    "profile",
    "pursue",
    "read_blueprint",
]
