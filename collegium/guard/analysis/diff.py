"""What a change of a policy brings: rules, calls gained and lost, new overlaps, dead rules."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from collegium.guard.analysis.calls import written
from collegium.guard.analysis.rules import Overlap, Unreachable, overlaps, unreachable
from collegium.guard.analysis.solve import SECONDS
from collegium.guard.analysis.subset import Difference, PolicyVerdict, subset_policy
from collegium.guard.policy import Policy, Rule


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a tool that came and went.

    Attributes:
        tool: The tool.
        added: Rules that only the new policy has.
        removed: Rules that only the old one had.
    """

    tool: str
    added: tuple[Rule, ...]
    removed: tuple[Rule, ...]


class PolicyDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What changes from one policy to another.

    Attributes:
        verdict: What gets through that did not, and the other way round.
        rules: Which rules came and went, by tool.
        overlaps: Overlaps in the new policy in which one of the new rules takes part.
        unreachable: Rules of the new policy that never decide.
    """

    verdict: PolicyVerdict
    rules: tuple[RuleChange, ...]
    overlaps: tuple[Overlap, ...]
    unreachable: tuple[Unreachable, ...]


def diff(old: Policy, new: Policy, *, seconds: float = SECONDS) -> PolicyDiff:
    """Compare two policies in all that the analysis has to say.

    Args:
        old: The policy in force.
        new: The one that should take its place.
        seconds: How long the solver may take over each question.
    """
    rules: list[RuleChange] = []
    fresh: dict[str, set[int]] = {}
    for tool in dict.fromkeys((*old.tools, *new.tools)):
        was, now = old.tools.get(tool, ()), new.tools.get(tool, ())
        known, kept = {written(r) for r in was}, {written(r) for r in now}
        added = {n: r for n, r in enumerate(now, 1) if written(r) not in known}
        removed = tuple(r for r in was if written(r) not in kept)
        if added or removed:
            rules.append(RuleChange(tool=tool, added=tuple(added.values()), removed=removed))
        fresh[tool] = set(added)
    return PolicyDiff(
        verdict=subset_policy(old, new, seconds=seconds),
        rules=tuple(rules),
        overlaps=tuple(
            o for o in overlaps(new, seconds=seconds) if fresh[o.tool] & {o.first, o.second}
        ),
        unreachable=unreachable(new, seconds=seconds),
    )


_SAYS = {
    "narrower": "The new policy lets nothing more through.",
    "equal": "The new policy lets through the same calls.",
    "wider": "The new policy lets more through.",
    "incomparable": "The new policy lets other calls through: some more, some less.",
    "unknown": "It could not be decided whether the new policy lets more through.",
}


def described(change: PolicyDiff) -> str:
    """A difference in words, a line for each thing, for people who have to agree to it."""
    verdict = change.verdict
    lines = [_SAYS[verdict.relation]]
    lines += [f"  + {_call(d)} gets through now" for d in verdict.gained]
    lines += [f"  - {_call(d)} no longer gets through" for d in verdict.lost]
    lines += [f"  ? {tool}: {reason}" for tool, reason in verdict.unknown.items()]
    for tool in change.rules:
        lines += [f"{tool.tool}: new rule: {_rule(rule)}" for rule in tool.added]
        lines += [f"{tool.tool}: rule gone: {_rule(rule)}" for rule in tool.removed]
    for o in change.overlaps:
        what = f"e.g. {_json(o.witness)}" if not o.reason else f"not decided: {o.reason}"
        lines.append(
            f"{o.tool}: rules {o.first} ({o.effects[0]}) and {o.second} ({o.effects[1]}) overlap "
            f"in {o.argument}, {what}"
        )
    for u in change.unreachable:
        why = "no call meets it" if u.contradictory else "rules before it decide all its calls"
        lines.append(f"{u.tool}: rule {u.number} never decides: {why}")
    return "\n".join(lines)


def _call(difference: Difference) -> str:
    told = f"{difference.tool} {_json(difference.arguments)}"
    steps = ", ".join(f"{c.tool} {_json(c.arguments)}" for c in difference.after)
    return f"{told} (after {steps})" if steps else told


def _rule(rule: Rule) -> str:
    when = f" when {_json(rule.when)}" if rule.when else ""
    return f"{rule.effect}{when} (priority {rule.priority})"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
