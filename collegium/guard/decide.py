"""Deciding a call: rules in order, the first whose conditions hold (steps 1 and 2 of Progent).

A policy is compiled once. Of every rule, the condition that the fewest other rules share is asked
first: it tells most about which rule a call is for, and where it fails the rule's other conditions
need not be looked at. Where it holds, they are asked all together. Which condition of each rule
fails is found out only when the call is blocked and somebody wants to know why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, Literal

import msgspec

from collegium.errors import PolicyError
from collegium.guard.conditions import check_schema, engine, is_plain, rule_schema
from collegium.guard.policy import Fallback, Policy, Rule, Schema, order

_EXACT = frozenset(("const", "enum", "pattern"))

Test = Callable[[Any], bool]
Verdict = Literal["holds", "fails", "missing", "error"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a call.

    Attributes:
        allowed: Whether it may be made.
        number: The rule that decided, as numbered in the policy; 0: no rule did.
        rule: That rule, where it was looked for.
        reason: Why the call is blocked, "" when it is not.
        fallback: What follows a block.
    """

    allowed: bool
    number: int = 0
    rule: Rule | None = None
    reason: str = ""
    fallback: Fallback = "message"


class RuleTried(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule looks at a call.

    Attributes:
        number: Its number in the policy, from 1.
        rule: The rule.
        conditions: What became of each condition, by argument.
        matches: Whether all of them hold.
        decides: Whether it is the rule that decides.
    """

    number: int
    rule: Rule
    conditions: dict[str, Verdict]
    matches: bool
    decides: bool = False


_ALLOWED = Decision(allowed=True)

BLOCK = 8
"""Rules that are passed over together when none of their first conditions holds."""


class _Entry(msgspec.Struct, frozen=True):
    """A rule that is ready to be tried.

    Attributes:
        test: Its first condition.
        free: Whether that holds when the argument is left out.
        whole: All conditions, over the arguments of a call.
        decision: What the rule decides.
    """

    test: Test
    free: bool
    whole: Test
    decision: Decision


class _Block(msgspec.Struct, frozen=True):
    """Neighbours whose first conditions are on one argument, and whether any of these holds."""

    argument: str
    some: Test
    free: bool
    entries: tuple[_Entry, ...]


class ToolRules:
    """The compiled rules of one tool.

    Args:
        tool: Its name.
        rules: As they stand in the policy.
        fallback: What follows when none decides.

    Raises:
        PolicyError: A condition is not of the language; the message says where.
    """

    def __init__(self, tool: str, rules: Sequence[Rule], fallback: Fallback = "message") -> None:
        self.tool = tool
        self.fallback: Fallback = fallback
        self.ordered = tuple(sorted(enumerate(rules, 1), key=lambda one: order(one[1])))
        for number, rule in enumerate(rules, 1):
            check_rule(tool, number, rule)

    @cached_property
    def _blocks(self) -> tuple[_Block, ...]:
        """The rules in order, in blocks of neighbours whose first condition is on one argument."""
        first = rarest([rule for _, rule in self.ordered])
        blocks: list[_Block] = []
        for argument, group in groupby(self.ordered, lambda one: (first(one[1]) or [""])[0]):
            rules = [*group]
            for at in range(0, len(rules), BLOCK):
                part = rules[at : at + BLOCK]
                conditions = [rule.when.get(argument, True) for _, rule in part]
                blocks.append(
                    _Block(
                        argument=argument,
                        some=engine({"anyOf": conditions}),
                        free=any(_free(rule) for _, rule in part),
                        entries=tuple(
                            _Entry(
                                test=engine(condition),
                                free=_free(rule),
                                whole=_whole(rule),
                                decision=self._decided(number, rule),
                            )
                            for (number, rule), condition in zip(part, conditions, strict=True)
                        ),
                    )
                )
        return tuple(blocks)

    @cached_property
    def _tests(self) -> tuple[Test, ...]:
        """The check of every condition there is; equal ones are one."""
        return tuple(engine(schema) for schema in self._places[1])

    @cached_property
    def _places(self) -> tuple[tuple[tuple[tuple[str, int], ...], ...], tuple[Schema, ...]]:
        """For every rule its arguments, the rarest condition first, with the condition's number."""
        numbers: dict[str, int] = {}
        schemas: list[Schema] = []
        first = rarest([rule for _, rule in self.ordered])
        placed: list[tuple[tuple[str, int], ...]] = []
        for _, rule in self.ordered:
            conditions: list[tuple[str, int]] = []
            for argument in first(rule):
                # of equal conditions on two arguments, each has its own answer
                key = f"{argument}:{written(rule.when[argument])}"
                if key not in numbers:
                    numbers[key] = len(schemas)
                    schemas.append(rule.when[argument])
                conditions.append((argument, numbers[key]))
            placed.append(tuple(conditions))
        return tuple(placed), tuple(schemas)

    def decide(self, arguments: Mapping[str, Any]) -> Decision:
        """Decide a call; its arguments are plain data.

        Raises:
            ValueError: They are not.
        """
        for block in self._blocks:
            given = block.argument in arguments
            value = arguments[block.argument] if given else None
            if not (block.some(value) if given else block.free):
                continue
            for entry in block.entries:
                holds = entry.test(value) if given else entry.free
                if holds and entry.whole(arguments):
                    return entry.decision
        return Decision(allowed=False, reason=self._unmatched(arguments), fallback=self.fallback)

    def _decided(self, number: int, rule: Rule) -> Decision:
        if rule.effect == "allow":
            return Decision(allowed=True, number=number, rule=rule)
        return Decision(
            allowed=False,
            number=number,
            rule=rule,
            reason=forbidden(number, rule),
            fallback=rule.fallback,
        )

    @cached_property
    def _wanted(self) -> tuple[tuple[tuple[str, int, str], ...], ...]:
        """For every rule its arguments as written, each condition's number, and both in words."""
        made: list[tuple[tuple[str, int, str], ...]] = []
        for (_, rule), placed in zip(self.ordered, self._places[0], strict=True):
            numbers = dict(placed)
            made.append(
                tuple((a, numbers[a], f"{a}: {written(schema)}") for a, schema in rule.when.items())
            )
        return tuple(made)

    def _nearest(self, arguments: Mapping[str, Any]) -> tuple[int, list[bool | None]]:
        """The place of the rule that would allow a call if the fewest of its conditions were other.

        No rule meets the call. So one of which a single condition fails is as near as any.

        Returns:
            The place, -1 when no rule allows; and what is known of every condition, which is all
            of that rule's on arguments that were given.
        """
        tests, (places, _) = self._tests, self._places
        known: list[bool | None] = [None] * len(tests)
        nearest, fewest = -1, len(tests) + 1
        for place, (_, rule) in enumerate(self.ordered):
            if rule.effect != "allow":
                continue
            missed = 0
            for argument, index in places[place]:
                if argument not in arguments:
                    missed += rule.missing == "fails"
                else:
                    holds = known[index]
                    if holds is None:
                        holds = known[index] = tests[index](arguments[argument])
                    missed += not holds
                if missed >= fewest:
                    break
            if missed < fewest:
                nearest, fewest = place, missed
            if fewest <= 1:
                break
        return nearest, known

    def _unmatched(self, arguments: Mapping[str, Any]) -> str:
        """The reason where no rule decides, with what the nearest rule that allows would take."""
        nearest, known = self._nearest(arguments)
        if nearest < 0:
            return "no rule allows it."
        number, rule = self.ordered[nearest]
        wants: list[str] = []
        for argument, index, want in self._wanted[nearest]:
            if argument not in arguments:
                if rule.missing == "fails":
                    wants.append(f"{want} (it was left out)")
            elif not known[index]:
                wants.append(want)
        return f"no rule allows it; rule {number} would take {', '.join(wants)}."

    def _verdicts(self, place: int, arguments: Mapping[str, Any]) -> dict[str, Verdict]:
        """What every condition of a rule says of a call, in the order in which they are written."""
        indices = dict(self._places[0][place])
        found: dict[str, Verdict] = {}
        for argument in self.ordered[place][1].when:
            if argument not in arguments:
                found[argument] = "missing"
            elif not is_plain(arguments[argument]):
                found[argument] = "error"
            else:
                holds = self._tests[indices[argument]](arguments[argument])
                found[argument] = "holds" if holds else "fails"
        return found

    def explain(self, arguments: Mapping[str, Any]) -> tuple[RuleTried, ...]:
        """How every rule looks at a call, in the order in which they are tried."""
        tried: list[RuleTried] = []
        decided = False
        for place, (number, rule) in enumerate(self.ordered):
            verdicts = self._verdicts(place, arguments)
            good = ("holds", "missing") if rule.missing == "holds" else ("holds",)
            matches = all(v in good for v in verdicts.values())
            decides = matches and not decided
            decided |= matches
            tried.append(
                RuleTried(
                    number=number,
                    rule=rule,
                    conditions=verdicts,
                    matches=matches,
                    decides=decides,
                )
            )
        return tuple(tried)


class Compiled:
    """A policy ready for use: immutable, so several runs may share it.

    Args:
        policy: The policy.

    Raises:
        PolicyError: Something in it is not of the language; the message says where.
        MissingExtra: ``jsonschema_rs`` is not installed.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.tools = {
            name: ToolRules(name, rules, policy.fallback) for name, rules in policy.tools.items()
        }

    def with_rules(self, changes: Mapping[str, tuple[Rule, ...]]) -> Compiled:
        """The same policy with other rules for some tools; the rest is not compiled again."""
        new = Compiled.__new__(Compiled)
        new.policy = msgspec.structs.replace(self.policy, tools={**self.policy.tools, **changes})
        fallback: Fallback = self.policy.fallback
        new.tools = {**self.tools, **{n: ToolRules(n, r, fallback) for n, r in changes.items()}}
        return new

    def decide(self, name: str, arguments: Mapping[str, Any]) -> Decision:
        """Decide a call. Whatever goes wrong, the call is blocked."""
        try:
            if not is_plain(arguments):
                return Decision(
                    allowed=False,
                    reason="it has an argument that JSON cannot say, so it cannot be checked.",
                    fallback=self.policy.fallback,
                )
            rules = self.tools.get(name)
            if rules is not None:
                return rules.decide(arguments)
        except Exception as error:  # fail closed: an unchecked call is not made
            what = str(error) or type(error).__name__
            return Decision(
                allowed=False,
                reason=f"the check failed ({what}).",
                fallback=self.policy.fallback,
            )
        if self.policy.default == "allow":
            return _ALLOWED
        return Decision(
            allowed=False,
            reason="the policy has no rules for it, so it is not allowed.",
            fallback=self.policy.fallback,
        )


def check_rule(tool: str, number: int, rule: Rule) -> None:
    """Make sure that a rule's conditions, and those of the rules it installs, are of the language.

    Raises:
        PolicyError: One is not; the message names tool, rule and argument.
    """
    for argument, schema in rule.when.items():
        try:
            check_schema(schema)
            engine(schema)
        except PolicyError as error:
            raise PolicyError(
                f"tool {tool!r}, rule {number}, argument {argument!r}: {error}"
            ) from None
    for update in rule.update:
        for inner, new in enumerate(update.rules, 1):
            try:
                check_rule(update.tool, inner, new)
            except PolicyError as error:
                raise PolicyError(f"tool {tool!r}, rule {number}, update: {error}") from None


def rarest(rules: Sequence[Rule]) -> Callable[[Rule], list[str]]:
    """Orders the arguments of a rule by how many rules share its condition on them.

    A condition that few rules have tells most about which rule a call is for. Where it fails, the
    others need not be looked at. Of equally rare ones, a value or a pattern tells more than a
    range.
    """
    shared = Counter((a, written(schema)) for rule in rules for a, schema in rule.when.items())

    def loose(rule: Rule, argument: str) -> tuple[int, bool]:
        schema = rule.when[argument]
        exact = isinstance(schema, dict) and not _EXACT.isdisjoint(schema)
        return shared[argument, written(schema)], not exact

    return lambda rule: sorted(rule.when, key=lambda argument: loose(rule, argument))


def _free(rule: Rule) -> bool:
    """Whether a rule may hold of a call that leaves its first argument out."""
    return rule.missing == "holds" or not rule.when


def _whole(rule: Rule) -> Test:
    """All conditions of a rule, over the arguments of a call."""
    return engine(rule_schema(rule.when, missing_holds=rule.missing == "holds"))


def written(schema: Schema) -> str:
    """A condition as messages show it."""
    return msgspec.json.encode(schema).decode()


def forbidden(number: int, rule: Rule) -> str:
    """The reason of a block by a rule."""
    why = f" ({rule.why.rstrip('.')})" if rule.why else ""
    if not rule.when:
        return f"rule {number} forbids it{why}."
    conditions = ", ".join(f"{a}: {written(s)}" for a, s in rule.when.items())
    return f"rule {number} forbids calls with {conditions}{why}."
