"""Temporal specifications (arXiv 2310.08535): in what order an agent's steps may come.

A specification is a set of named states and a formula of linear temporal logic over finite traces.
It becomes an automaton, and the automaton runs: as a decoder that can write nothing else
(:func:`run`), as a check of examples (:func:`validate`), and as a guard over the calls of any
system (:func:`spec_guard`).
"""

from collegium.guard.ltl.automaton import DEAD, Automaton, build, difference
from collegium.guard.ltl.content import (
    Choices,
    Content,
    Predicate,
    Regex,
    Schema,
    Text,
    ToolInput,
)
from collegium.guard.ltl.decoding import Mode, run
from collegium.guard.ltl.drawing import draw_dot, draw_svg
from collegium.guard.ltl.formula import Formula
from collegium.guard.ltl.free import run_free
from collegium.guard.ltl.monitor import (
    CallSpec,
    Matcher,
    Obligation,
    SpecGuard,
    read_specs,
    spec_guard,
)
from collegium.guard.ltl.parsing import parse
from collegium.guard.ltl.reading import Segment, Verdict, escape, joined, judge, split, validate
from collegium.guard.ltl.spec import Binding, Spec, State, specify
from collegium.guard.ltl.transcripts import Choice, Transcript

__all__ = [
    "DEAD",
    "Automaton",
    "Binding",
    "CallSpec",
    "Choice",
    "Choices",
    "Content",
    "Formula",
    "Matcher",
    "Mode",
    "Obligation",
    "Predicate",
    "Regex",
    "Schema",
    "Segment",
    "Spec",
    "SpecGuard",
    "State",
    "Text",
    "ToolInput",
    "Transcript",
    "Verdict",
    "build",
    "difference",
    "draw_dot",
    "draw_svg",
    "escape",
    "joined",
    "judge",
    "parse",
    "read_specs",
    "run",
    "run_free",
    "spec_guard",
    "specify",
    "split",
    "validate",
]
