"""How well calls follow those that were expected, one by one (the BFCL's comparison of calls)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from collegium.kernel.calls import ToolSpec


class Used(msgspec.Struct, frozen=True):
    """A tool and arguments, with variables resolved."""

    name: str
    arguments: dict[str, Any]


class Verdict(msgspec.Struct, frozen=True):
    """What became of an expected call: one call, of the right tool, with the right arguments."""

    structural: bool
    tool: bool
    parameter: bool

    @property
    def overall(self) -> bool:
        """All three."""
        return self.structural and self.tool and self.parameter


class Share(msgspec.Struct, frozen=True):
    """So many out of so many."""

    right: int
    of: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing is 0."""
        return self.right / self.of if self.of else 0.0


class Accuracies(msgspec.Struct, frozen=True):
    """Shares over all expected calls, and conditionally: each over those right before it.

    Attributes:
        structural: Exactly one call was made.
        tool: Of the right tool.
        parameter: With the right arguments.
        overall: All three.
        tool_conditional: Right tool, of those that were one call.
        parameter_conditional: Right arguments, of those with the right tool.
        extra: Turns beyond the last expected call.
    """

    structural: Share
    tool: Share
    parameter: Share
    overall: Share
    tool_conditional: Share
    parameter_conditional: Share
    extra: int = 0


def judged(turn: Sequence[Used], gold: Used, tools: Mapping[str, ToolSpec]) -> Verdict:
    """Judge one turn by the expected call.

    Args:
        turn: The calls of the turn: none for prose, and more than one is a failure.
        gold: What was expected.
        tools: What is told of the tools: which arguments are declared, required or have a default.
    """
    if len(turn) != 1:
        return Verdict(structural=False, tool=False, parameter=False)
    (used,) = turn
    if used.name != gold.name:
        return Verdict(structural=True, tool=False, parameter=False)
    return Verdict(
        structural=True, tool=True, parameter=_arguments_fit(used, gold, tools.get(gold.name))
    )


def evaluate(
    turns: Sequence[Sequence[Used]], gold: Sequence[Used], tools: Mapping[str, ToolSpec]
) -> Accuracies:
    """Compare the turns of a run with the expected calls, first with first and so on.

    A call that was never made counts as a failure in everything.

    Args:
        turns: The calls of each turn that was to make one; final answers are left out.
        gold: The expected calls.
        tools: What is told of the tools.
    """
    verdicts = [
        judged(turns[i] if i < len(turns) else (), call, tools) for i, call in enumerate(gold)
    ]
    return accuracies(verdicts, extra=max(0, len(turns) - len(gold)))


def accuracies(verdicts: Sequence[Verdict], *, extra: int = 0) -> Accuracies:
    """Count verdicts, of one run or of many."""
    count = len(verdicts)
    structural = sum(v.structural for v in verdicts)
    tool = sum(v.structural and v.tool for v in verdicts)
    right = sum(v.overall for v in verdicts)
    return Accuracies(
        structural=Share(structural, count),
        tool=Share(tool, count),
        parameter=Share(right, count),
        overall=Share(right, count),
        tool_conditional=Share(tool, structural),
        parameter_conditional=Share(right, tool),
        extra=extra,
    )


def _arguments_fit(used: Used, gold: Used, spec: ToolSpec | None) -> bool:
    """Required ones equal; optional ones absent, equal, or their default; none undeclared."""
    schema = (
        spec.parameters if spec else {"properties": gold.arguments, "required": [*gold.arguments]}
    )
    declared, required = schema.get("properties", {}), schema.get("required", ())
    if not used.arguments.keys() <= declared.keys():
        return False
    for name in required:
        if name not in used.arguments or name not in gold.arguments:
            return False
    for name, value in used.arguments.items():
        allowed = [gold.arguments[name]] if name in gold.arguments else []
        if name not in required and "default" in declared[name]:
            allowed.append(declared[name]["default"])
        if not any(same(value, one) for one in allowed):
            return False
    return True


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same in JSON: in type as well, so 1, 1.0, true and "1" differ."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b
