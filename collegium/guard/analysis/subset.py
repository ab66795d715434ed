"""Does a change let more through? Of one condition, of the rules of a tool, and of a whole policy.

The paper's analysis compares two sets of rules argument by argument. Here it compares the calls
that they let through: rules in order, the first that holds decides, arguments may be left out, and
rules may install others. So a condition that disappears, a prohibition that does, and a rule that
moves up are all seen, and a rule that is split in two is not taken for a wider one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from collegium.errors import PolicyError
from collegium.guard.analysis.calls import (
    allowed,
    allowed_by,
    arguments_of,
    decided,
    same,
    some_call,
    unnamed_tool,
    written,
)
from collegium.guard.analysis.solve import (
    SECONDS,
    Satisfiable,
    Unknown,
    Unsatisfiable,
    Verdict,
    satisfiable,
)
from collegium.guard.conditions import check_schema
from collegium.guard.policy import Policy, Rule, Schema, in_order

MAX_STATES = 24
"""How many states of a policy that changes itself are looked at."""

Tools = dict[str, tuple[Rule, ...]]


class Inclusion(msgspec.Struct, frozen=True):
    """Whether all that is new was accepted before.

    Attributes:
        answer: Proved, refuted by a witness, or neither.
        witness: What the new one accepts and the old one refuses, where the answer is no: a value,
            or the arguments of a call.
        reason: Why the answer is unknown.
    """

    answer: Literal["yes", "no", "unknown"]
    witness: Any = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was proved; what is unknown does not hold."""
        return self.answer == "yes"


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool.

    Attributes:
        tool: Its name.
        arguments: What with.
    """

    tool: str
    arguments: dict[str, Any]


class Difference(msgspec.Struct, frozen=True):
    """A call that two policies see differently.

    Attributes:
        tool: The tool.
        arguments: What with.
        after: The calls before it through which rules were installed.
    """

    tool: str
    arguments: dict[str, Any]
    after: tuple[ToolCall, ...] = ()


State = tuple[Tools, Tools, tuple[ToolCall, ...]]
"""The rules of both policies, and the calls that led there."""


class PolicyVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a new policy stands to an old one.

    Attributes:
        relation: ``narrower``: nothing more gets through, and something less or it is not known.
            ``equal``: the same. ``wider``: something more gets through, and no call was found that
            no longer does. ``incomparable``: both. ``unknown``: whether more gets through could
            not be decided.
        gained: For each tool with more, a call that only the new one lets through.
        lost: For each tool with less, a call that only the old one lets through.
        unknown: By tool, why it is not known whether more gets through.
    """

    relation: Literal["narrower", "equal", "wider", "incomparable", "unknown"]
    gained: tuple[Difference, ...] = ()
    lost: tuple[Difference, ...] = ()
    unknown: dict[str, str] = {}

    @property
    def narrows(self) -> bool:
        """Whether it was proved that nothing more gets through."""
        return self.relation in ("narrower", "equal")


def subset(
    old: Schema | Sequence[Rule], new: Schema | Sequence[Rule], *, seconds: float = SECONDS
) -> Inclusion:
    """Whether all that a new condition, or new rules of a tool, accept was accepted before.

    Args:
        old: A condition on one value, or the rules of a tool.
        new: The same kind of thing.
        seconds: How long the solver may take.

    Returns:
        The answer, with a witness or a reason. Rules that install others are compared as they
        stand; :func:`subset_policy` follows what they install.
    """
    try:
        if isinstance(old, bool | dict) and isinstance(new, bool | dict):
            check_schema(old)
            check_schema(new)
            question: Schema = {"allOf": [new, {"not": old}]}
        elif not isinstance(old, bool | dict) and not isinstance(new, bool | dict):
            names = arguments_of((*old, *new))
            question = some_call(names, allowed(new), {"not": allowed(old)})
        else:
            raise TypeError("subset compares two conditions or two lists of rules")
    except PolicyError as error:
        return Inclusion("unknown", reason=str(error).rstrip("."))
    return _inclusion(satisfiable(question, seconds=seconds))


def _inclusion(counterexample: Verdict) -> Inclusion:
    match counterexample:
        case Satisfiable(witness):
            return Inclusion("no", witness=witness)
        case Unsatisfiable():
            return Inclusion("yes")
        case Unknown(reason):
            return Inclusion("unknown", reason=reason)


def subset_policy(old: Policy, new: Policy, *, seconds: float = SECONDS) -> PolicyVerdict:
    """Whether a new policy lets through only what the old one does.

    Both follow the same calls; where a rule that decides installs others, what they install is
    compared too. What lies outside the rules (limits, loops, specifications) is not: where it
    differs, the answer is unknown.

    Args:
        old: The policy in force.
        new: The one that should take its place.
        seconds: How long the solver may take over each question.

    Returns:
        The verdict, with a call as witness for each tool that differs.
    """
    if same(old, new):
        return PolicyVerdict(relation="equal")
    comparison = _Comparison(seconds)
    seen: set[str] = set()
    states: deque[State] = deque([(old.tools, new.tools, ())])
    while states:
        was, now, after = states.popleft()
        key = written((was, now))
        if key in seen:
            continue
        if len(seen) == MAX_STATES:
            comparison.unknown.setdefault("*", "rules install rules in too many ways")
            break
        seen.add(key)
        before = msgspec.structs.replace(old, tools=was)
        later = msgspec.structs.replace(new, tools=now)
        comparison.compare(before, later, after)
        states.extend(comparison.steps(was, now, after))
    for what in ("limits", "loops", "specs"):
        if not same(getattr(old, what), getattr(new, what)):
            comparison.unknown.setdefault(what, f"the policies differ in their {what}")
    return comparison.verdict()


class _Comparison:
    """What was found so far about two policies."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.gained: dict[str, Difference] = {}
        self.lost: dict[str, Difference] = {}
        self.unknown: dict[str, str] = {}
        self.unclear = False  # whether less gets through was not always decided
        self._known: dict[str, Verdict] = {}

    def ask(self, question: Schema) -> Verdict:
        key = written(question)
        if key not in self._known:
            self._known[key] = satisfiable(question, seconds=self.seconds)
        return self._known[key]

    def compare(self, old: Policy, new: Policy, after: tuple[ToolCall, ...]) -> None:
        """Compare two policies as they stand, tool by tool."""
        for tool in dict.fromkeys((*old.tools, *new.tools, unnamed_tool(old, new))):
            if tool in old.tools and same(old.tools[tool], new.tools.get(tool)):
                continue
            names = arguments_of((*old.tools.get(tool, ()), *new.tools.get(tool, ())))
            try:
                was, now = allowed_by(old, tool), allowed_by(new, tool)
            except PolicyError as error:
                self.unknown.setdefault(tool, str(error).rstrip("."))
                continue
            if same(was, now):
                continue
            if tool not in self.gained:
                match self.ask(some_call(names, now, {"not": was})):
                    case Satisfiable(arguments):
                        self.gained[tool] = Difference(tool, arguments, after)
                    case Unknown(reason):
                        self.unknown.setdefault(tool, reason)
            if tool not in self.lost:
                match self.ask(some_call(names, was, {"not": now})):
                    case Satisfiable(arguments):
                        self.lost[tool] = Difference(tool, arguments, after)
                    case Unknown():
                        self.unclear = True

    def steps(self, was: Tools, now: Tools, after: tuple[ToolCall, ...]) -> list[State]:
        """The pairs of policies that one more call leads to through what rules install."""
        found: list[State] = []
        for tool in dict.fromkeys((*was, *now)):
            old, new = in_order(was.get(tool, ())), in_order(now.get(tool, ()))
            names = arguments_of((*old, *new))
            for i in range(len(old) + 1):
                for j in range(len(new) + 1):
                    changes = _installs(old, i), _installs(new, j)
                    if not any(changes):
                        continue
                    call = self.ask(some_call(names, decided(old, i), decided(new, j)))
                    if isinstance(call, Unsatisfiable):
                        continue
                    # An open question is followed as well: what may be reached has to be compared.
                    arguments = call.witness if isinstance(call, Satisfiable) else {}
                    path = (*after, ToolCall(tool, arguments))
                    found.append((_installed(was, changes[0]), _installed(now, changes[1]), path))
        return found

    def verdict(self) -> PolicyVerdict:
        relation: Literal["narrower", "equal", "wider", "incomparable", "unknown"]
        if self.gained:
            relation = "incomparable" if self.lost else "wider"
        elif self.unknown:
            relation = "unknown"
        else:
            relation = "narrower" if self.lost or self.unclear else "equal"
        return PolicyVerdict(
            relation=relation,
            gained=tuple(self.gained.values()),
            lost=tuple(self.lost.values()),
            unknown=self.unknown,
        )


def _installs(rules: Sequence[Rule], place: int) -> tuple[Any, ...]:
    return rules[place].update if place < len(rules) else ()


def _installed(tools: Mapping[str, tuple[Rule, ...]], updates: Sequence[Any]) -> Tools:
    """The rules after some updates. A rule that is there already is not added once more."""
    after = dict(tools)
    for update in updates:
        kept = () if update.replace else after.get(update.tool, ())
        known = {written(rule) for rule in kept}
        after[update.tool] = (*kept, *(r for r in update.rules if written(r) not in known))
    return after
