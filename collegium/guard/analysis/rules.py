"""Rules of one policy beside each other: which overlap, and which never decide anything."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import msgspec

from collegium.errors import PolicyError
from collegium.guard.analysis.calls import arguments_of, decided, matched, some_call
from collegium.guard.analysis.solve import (
    SECONDS,
    Satisfiable,
    Unknown,
    Unsatisfiable,
    satisfiable,
)
from collegium.guard.conditions import check_schema
from collegium.guard.policy import Effect, Policy, Rule, order


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """Two rules of a tool that have a condition on the same argument which one value can meet.

    Attributes:
        tool: The tool.
        first: Number of the rule that is tried first, as written, from 1.
        second: Number of the other.
        effects: What the two do.
        argument: The argument.
        witness: A value that meets both conditions; it passed the enforcement code.
        call: Arguments with which a call meets both rules as a whole; None where another argument
            keeps them apart, or it is not known.
        reason: Why it could not be decided; it then counts as an overlap. "" when it was.
    """

    tool: str
    first: int
    second: int
    effects: tuple[Effect, Effect]
    argument: str
    witness: Any = None
    call: dict[str, Any] | None = None
    reason: str = ""

    @property
    def conflict(self) -> bool:
        """Whether one allows what the other forbids, so that their order decides."""
        return self.effects[0] != self.effects[1]


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that never decides.

    Attributes:
        tool: The tool.
        number: Number of the rule, as written, from 1.
        contradictory: Whether no call meets its conditions at all; else rules that are tried
            before it decide all calls that do.
    """

    tool: str
    number: int
    contradictory: bool


def overlaps(policy: Policy, *, seconds: float = SECONDS) -> tuple[Overlap, ...]:
    """The overlaps between rules of a tool: for each pair and each argument that they share.

    Args:
        policy: The policy.
        seconds: How long the solver may take over each question.

    Returns:
        One entry for each argument whose two conditions some value meets, or may meet.
    """
    found: list[Overlap] = []
    for tool, rules in policy.tools.items():
        for (first, a), (second, b) in combinations(_numbered(rules), 2):
            shared = [name for name in a.when if name in b.when]
            entries = [
                entry
                for name in shared
                if (entry := _overlap(tool, (first, a), (second, b), name, seconds))
            ]
            call = _common(a, b, entries, seconds) if len(entries) == len(shared) > 0 else None
            found += [msgspec.structs.replace(entry, call=call) for entry in entries]
    return tuple(found)


def _overlap(
    tool: str, one: tuple[int, Rule], two: tuple[int, Rule], name: str, seconds: float
) -> Overlap | None:
    (first, a), (second, b) = one, two
    conditions = [a.when[name], b.when[name]]
    witness, reason = None, ""
    try:
        for condition in conditions:
            check_schema(condition)
    except PolicyError as error:
        reason = str(error).rstrip(".")
    else:
        match satisfiable({"allOf": conditions}, seconds=seconds):
            case Unsatisfiable():
                return None
            case Satisfiable(value):
                witness = value
            case Unknown(why):
                reason = why
    return Overlap(
        tool=tool,
        first=first,
        second=second,
        effects=(a.effect, b.effect),
        argument=name,
        witness=witness,
        reason=reason,
    )


def _common(a: Rule, b: Rule, shared: list[Overlap], seconds: float) -> dict[str, Any] | None:
    """Arguments of a call that meets two rules; None where there are none, or it is not known."""
    if any(entry.reason for entry in shared):
        return None
    if a.when.keys() == b.when.keys():
        return {entry.argument: entry.witness for entry in shared}
    call = satisfiable(some_call(arguments_of((a, b)), matched(a), matched(b)), seconds=seconds)
    return call.witness if isinstance(call, Satisfiable) else None


def unreachable(policy: Policy, *, seconds: float = SECONDS) -> tuple[Unreachable, ...]:
    """The rules that were proved to decide no call at all.

    Args:
        policy: The policy.
        seconds: How long the solver may take over each question.
    """
    found: list[Unreachable] = []
    for tool, rules in policy.tools.items():
        numbered = _numbered(rules)
        ordered = [rule for _, rule in numbered]
        names = arguments_of(ordered)
        for place, (number, rule) in enumerate(numbered):
            call = satisfiable(some_call(names, decided(ordered, place)), seconds=seconds)
            if isinstance(call, Unsatisfiable):
                alone = satisfiable(some_call(names, matched(rule)), seconds=seconds)
                never = isinstance(alone, Unsatisfiable)
                found.append(Unreachable(tool=tool, number=number, contradictory=never))
    return tuple(found)


def _numbered(rules: tuple[Rule, ...]) -> list[tuple[int, Rule]]:
    """Rules in the order in which they are tried, with their numbers as written."""
    return sorted(enumerate(rules, 1), key=lambda one: order(one[1]))
