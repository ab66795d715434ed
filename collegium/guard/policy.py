"""What a policy is: rules on calls, and the limits, loops and specifications that go with them.

The language of Progent (arXiv 2504.11703): for every tool a list of rules, each of which allows or
forbids calls whose arguments meet its conditions, says what follows a block, and may change the
policy. Conditions are written in a subset of JSON Schema (:mod:`collegium.guard.conditions`).

These structs are plain data, and immutable: a policy in use is changed by putting another in its
place (:class:`collegium.guard.check.Guard`). They are also the form of the file that users write
(:mod:`collegium.guard.reading`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Effect = Literal["allow", "forbid"]
Fallback = Literal["message", "terminate", "ask"]
"""What follows a block: tell the agent, end the run, or ask the user (Progent's 0, 1 and 2)."""

Missing = Literal["fails", "holds"]
Origin = Literal["human", "generated"]
Schema = dict[str, Any] | bool
"""A condition on one argument: JSON Schema, or simply true or false."""

Count = Annotated[int, msgspec.Meta(ge=1)]
Number = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(gt=0)]

HUMAN = 1
"""Priority of rules that people write."""

GENERATED = 100
"""Priority of rules that a model writes: they come after all that people wrote."""


class Rule(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One rule on the calls of a tool.

    Attributes:
        effect: Whether calls that meet the conditions are allowed or forbidden.
        when: Condition by argument; all have to hold. None at all: the rule meets every call.
        priority: Rules are tried by ascending priority; of equals, those that forbid come first.
        fallback: What follows when this rule forbids a call.
        missing: What a condition says of an argument that the call leaves out.
        update: What is installed when this rule decides a call.
        origin: Who wrote it.
        why: The reason, for the agent and for readers.
    """

    effect: Effect
    when: dict[str, Schema] = {}
    priority: int = HUMAN
    fallback: Fallback = "message"
    missing: Missing = "fails"
    update: tuple[Update, ...] = ()
    origin: Origin = "human"
    why: str = ""


class Update(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Rules to install for a tool.

    Attributes:
        tool: The tool.
        rules: Its new rules.
        replace: Whether they take the place of its rules or are added to them.
    """

    tool: str
    rules: tuple[Rule, ...]
    replace: bool = True


class Label(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """When a proposition of a specification is true of a call.

    Attributes:
        tool: Name of the tool; ``*`` stands for any letters.
        when: Conditions on its arguments.
    """

    tool: str = "*"
    when: dict[str, Schema] = {}


class SpecEntry(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """In what order calls may come: a formula of temporal logic over finite traces.

    Attributes:
        name: Names it in messages.
        formula: The formula, over the labels.
        labels: What each proposition means.
    """

    name: str
    formula: str
    labels: dict[str, Label] = {}


class Budget(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a run may spend; the lower of this and the run's own limit holds. None: unlimited.

    Attributes:
        tokens: Prompt and completion tokens.
        calls: Generations.
        seconds: Wall-clock time.
        money: US dollars.
        tools: How often a tool may be called in a run, by name; ``*`` counts all of them together.
    """

    tokens: Count | None = None
    calls: Count | None = None
    seconds: Amount | None = None
    money: Amount | None = None
    tools: dict[str, Number] = {}


class Loops(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """When an agent counts as running in circles (:mod:`collegium.guard.loops`).

    Attributes:
        repeats: Rule 1: as many times the same call with the same observation.
        period: Rule 2: the longest cycle that is looked for.
        cycles: Rule 2: as many times around a cycle.
        stale: Rule 3: as many steps in a row without a new observation. 0 turns a rule off.
    """

    repeats: Number = 3
    period: Number = 4
    cycles: Number = 3
    stale: Number = 5


class Writing(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Rules that a model writes from the user's request, when a run first uses a tool.

    Attributes:
        update: What becomes of the changes it proposes after each result. ``narrow-only``: only
            what is proved to let nothing more through is installed. ``ask``: the user is asked
            about the rest. ``default``: everything is installed (the paper's first version, which
            a poisoned result can turn against the user). ``off``: it is not asked for changes.
    """

    update: Literal["narrow-only", "ask", "default", "off"] = "narrow-only"


class Ask(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How the user is asked where a rule says ``ask``.

    Attributes:
        seconds: How long to wait; no answer is a no.
    """

    seconds: Amount = 60.0


class Policy(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What the agents of a run may do.

    Attributes:
        tools: Rules by name of the tool. Other calls of the kernel have names with an ``@``:
            ``@send``, ``@remember``, ``@store``, ``@ask-human`` and so on.
        default: What becomes of calls to tools without rules.
        fallback: What follows a block where no rule decides.
        limits: What the run may spend.
        loops: Ends a run that goes in circles; None: it is not looked for.
        ask: How the user is asked.
        specs: In what order calls may come.
        written: Further rules are written by a model, for each run; None: there are none.
        irreversible: Calls that cannot be undone: a search that tries things out never makes them.
    """

    tools: dict[str, tuple[Rule, ...]] = {}
    default: Literal["block", "allow"] = "block"
    fallback: Fallback = "message"
    limits: Budget = Budget()
    loops: Loops | None = None
    ask: Ask = Ask()
    specs: tuple[SpecEntry, ...] = ()
    written: Writing | None = None
    irreversible: tuple[Label, ...] = ()


def order(rule: Rule) -> tuple[int, bool]:
    """The place of a rule among the others of its tool (step 1 of the algorithm).

    Ascending priority; at equal priority those that forbid come before those that allow, whatever
    the order in which they were written.
    """
    return rule.priority, rule.effect == "allow"


def in_order(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules of a tool in the order in which they are tried."""
    return tuple(sorted(rules, key=order))
