"""Questions about the calls of a tool, as schemas over their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from collegium.errors import PolicyError
from collegium.guard.check import READS
from collegium.guard.conditions import check_schema, rule_schema
from collegium.guard.policy import Policy, Rule, Schema, in_order

MAX_TURNS = 64
"""Most changes between allowing and forbidding that one schema is nested for."""

READ_NAMES = frozenset(f"@{kind.__struct_config__.tag}" for kind in READS)
"""Names of calls that pass where a policy has no rules for them, whatever its default says."""


def matched(rule: Rule) -> dict[str, Any]:
    """The calls whose arguments meet all conditions of a rule."""
    return rule_schema(rule.when, missing_holds=rule.missing == "holds")


def decided(rules: Sequence[Rule], place: int) -> Schema:
    """The calls that the rule at a place decides: the first, in order, that they meet.

    Args:
        rules: Of one tool, in the order in which they are tried.
        place: Which of them, from 0; their number itself stands for "none".
    """
    earlier = [{"not": matched(r)} for r in rules[:place]]
    own = [matched(rules[place])] if place < len(rules) else []
    return {"allOf": [*earlier, *own]} if earlier or own else True


def allowed(rules: Sequence[Rule]) -> Schema:
    """The calls that rules of one tool let through, in whatever order they are written.

    Raises:
        PolicyError: A condition is not of the language, or they alternate too often between
            allowing and forbidding.
    """
    for rule in rules:
        for schema in rule.when.values():
            check_schema(schema)
    ordered = in_order(tuple(rules))
    turns = [(effect, [*group]) for effect, group in groupby(ordered, lambda r: r.effect)]
    if len(turns) > MAX_TURNS:
        raise PolicyError(f"rules that alternate more than {MAX_TURNS} times are not analysed.")
    # From the last rule to the first: what a group of rules that allow lets through is what it
    # matches or what comes after it lets through; a group that forbids takes away what it matches.
    schema: Schema = False
    for effect, group in reversed(turns):
        meets = [matched(rule) for rule in group]
        if effect == "allow":
            schema = {"anyOf": meets if schema is False else [*meets, schema]}
        elif schema is not False:
            schema = {"allOf": [{"not": {"anyOf": meets}}, schema]}
    return schema


def allowed_by(policy: Policy, tool: str) -> Schema:
    """The calls of a tool that a policy lets through.

    Raises:
        PolicyError: As :func:`allowed`.
    """
    if tool in policy.tools:
        return allowed(policy.tools[tool])
    return tool in READ_NAMES or policy.default == "allow"


def some_call(names: Iterable[str], *conditions: Schema) -> Schema:
    """The calls that meet some conditions, with no arguments but those that are named.

    Arguments that no condition names make no difference, so none is lost by leaving them out.
    """
    shape = {
        "type": "object",
        "properties": dict.fromkeys(names, True),
        "additionalProperties": False,
    }
    return {"allOf": [shape, *conditions]}


def unnamed_tool(*policies: Policy) -> str:
    """A tool that none of some policies names; it stands for all that they don't."""
    name = "any_other_tool"
    while any(name in policy.tools for policy in policies):
        name += "_"
    return name


def same(one: Any, other: Any) -> bool:
    """Whether rules, policies or conditions say the same; Python takes True for 1."""
    return written(one) == written(other)


def written(what: Any) -> str:
    """Rules, policies or conditions as text: equal only when they are the same."""
    return repr(msgspec.to_builtins(what))


def arguments_of(rules: Iterable[Rule]) -> dict[str, None]:
    """The arguments that rules have conditions on, in order."""
    return dict.fromkeys(argument for rule in rules for argument in rule.when)
