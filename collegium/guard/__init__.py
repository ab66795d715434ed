"""The guard: which calls agents may make, with what, how often, and in what order.

A policy (:class:`Policy`, or a YAML file read by :func:`load_policy`) says which calls are allowed.
:class:`Guard` enforces it where every call passes, so it holds for every system, and nothing that
an agent reads or says can talk it away. :class:`LoopGuard` ends runs that go in circles.
:func:`interceptors` puts together all that a policy asks for.

Paper: Progent (arXiv 2504.11703). The loop guard answers *Breaking Agents* (arXiv 2407.20859).
"""

from collegium.guard.check import READS, Change, Guard
from collegium.guard.conditions import check_schema, compile_schema
from collegium.guard.decide import Compiled, Decision, RuleTried
from collegium.guard.loops import LoopGuard, Trip
from collegium.guard.policy import (
    Ask,
    Budget,
    Label,
    Loops,
    Policy,
    Rule,
    SpecEntry,
    Update,
    in_order,
)
from collegium.guard.reading import load_policy, parse_policy
from collegium.guard.use import Guarding, Refusal, counted, interceptors, run_limits

PAPER = "progent"

__all__ = [
    "READS",
    "Ask",
    "Budget",
    "Change",
    "Compiled",
    "Decision",
    "Guard",
    "Guarding",
    "Label",
    "LoopGuard",
    "Loops",
    "Policy",
    "Refusal",
    "Rule",
    "RuleTried",
    "SpecEntry",
    "Trip",
    "Update",
    "check_schema",
    "compile_schema",
    "counted",
    "in_order",
    "interceptors",
    "load_policy",
    "parse_policy",
    "run_limits",
]
