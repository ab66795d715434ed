"""Abstract argumentation: frameworks of attacking arguments, and which of them survive together.

A framework is a pair <A, R>: arguments and an attack relation (Dung, 1995). A set of arguments is

* *conflict-free* when none of them attacks another,
* *admissible* when it is conflict-free and attacks back whoever attacks one of its members,
* *preferred* when it is admissible and no larger set is,
* *complete* when it is admissible and holds every argument that it defends,
* *grounded* when it is the smallest complete set.

The sets are found by the answer-set solver clingo. No model is called here, so a person may add or
delete arguments and attacks and solve again at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, missing_extra, unknown_name

Label = Literal["in", "out", "undec"]
Attack = tuple[str, str]
"""(attacker, attacked), by id."""


class Argument(msgspec.Struct, frozen=True):
    """A node of the graph.

    Attributes:
        id: Unique in its framework.
        text: What it says, for readers; the solver looks at attacks alone.
        option: The decision it argues for; "" for a belief.
    """

    id: str
    text: str = ""
    option: str = ""


class Framework(msgspec.Struct, frozen=True):
    """Arguments and who attacks whom.

    Attributes:
        arguments: In the order in which they were put forward.
        attacks: Pairs (attacker, attacked) of ids.

    Raises:
        BadInput: Two arguments share an id, or an attack names an argument that is not there.
    """

    arguments: tuple[Argument, ...] = ()
    attacks: tuple[Attack, ...] = ()

    def __post_init__(self) -> None:
        ids = [a.id for a in self.arguments]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise BadInput(f"two arguments are called {twice[0]!r}; give each an id of its own.")
        for pair in self.attacks:
            for end in pair:
                if end not in ids:
                    said = f"{pair[0]} -> {pair[1]}"
                    raise BadInput(f"the attack {said} names {end!r}, which is not an argument.")

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the arguments, in order."""
        return tuple(a.id for a in self.arguments)


def attackers(framework: Framework, argument: str) -> tuple[str, ...]:
    """Who attacks an argument, in the order of the arguments."""
    found = {a for a, b in framework.attacks if b == argument}
    return tuple(i for i in framework.ids if i in found)


# -- contesting a framework: each returns a new one ----------------------------------------------


def add_argument(
    framework: Framework,
    argument: Argument,
    *,
    attacks: Sequence[str] = (),
    attacked_by: Sequence[str] = (),
) -> Framework:
    """A framework with one argument more.

    Args:
        framework: What to add to; it stays as it is.
        argument: The new argument.
        attacks: Ids it attacks.
        attacked_by: Ids that attack it.

    Raises:
        BadInput: The id is taken, or an id attacked or attacking does not exist.
    """
    pairs = [(argument.id, b) for b in attacks] + [(a, argument.id) for a in attacked_by]
    return Framework((*framework.arguments, argument), _once((*framework.attacks, *pairs)))


def delete_argument(framework: Framework, argument: str) -> Framework:
    """A framework without an argument and without its attacks.

    Raises:
        UnknownName: There is no such argument.
    """
    if argument not in framework.ids:
        raise unknown_name("argument", argument, framework.ids)
    return Framework(
        tuple(a for a in framework.arguments if a.id != argument),
        tuple(pair for pair in framework.attacks if argument not in pair),
    )


def add_attack(framework: Framework, attacker: str, attacked: str) -> Framework:
    """A framework with one attack more (the same one when it is there already).

    Raises:
        BadInput: One of the two is not an argument.
    """
    return Framework(framework.arguments, _once((*framework.attacks, (attacker, attacked))))


def delete_attack(framework: Framework, attacker: str, attacked: str) -> Framework:
    """A framework with one attack less.

    Raises:
        UnknownName: There is no such attack.
    """
    pair = (attacker, attacked)
    if pair not in framework.attacks:
        known = [f"{a} -> {b}" for a, b in framework.attacks]
        raise unknown_name("attack", f"{attacker} -> {attacked}", known)
    return Framework(framework.arguments, tuple(p for p in framework.attacks if p != pair))


def _once(attacks: Iterable[Attack]) -> tuple[Attack, ...]:
    return tuple(dict.fromkeys(attacks))


# -- solving -------------------------------------------------------------------------------------

_ADMISSIBLE = """
#defined argument/1. #defined attack/2.
{ in(X) : argument(X) }.
beaten(X) :- in(Y), attack(Y, X).
:- in(X), beaten(X).                              % conflict-free
:- in(X), attack(Y, X), not beaten(Y).            % defends its members
#show in/1.
"""
_COMPLETE = """
open(X) :- attack(Y, X), not beaten(Y).
:- argument(X), not in(X), not open(X).           % holds whatever it defends
"""
# Guessing "in" first, and cutting off all subsets of a set once found, leaves the maximal ones.
_MAXIMAL = "#heuristic in(X) : argument(X). [1, true]"


def clingo() -> Any:
    """The solver's library.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import clingo as library
    except ImportError:
        raise missing_extra("argumentation", "solving an argumentation framework") from None
    return library


def admissible(framework: Framework) -> tuple[frozenset[str], ...]:
    """All admissible sets, in the order of their arguments."""
    return _models(framework, _ADMISSIBLE)


def preferred(framework: Framework) -> tuple[frozenset[str], ...]:
    """The maximal admissible sets; there is always at least one (it may be empty)."""
    return _models(framework, _ADMISSIBLE + _MAXIMAL, "--heuristic=Domain", "--enum-mode=domRec")


def grounded(framework: Framework) -> frozenset[str]:
    """The smallest complete set: what is common to all complete sets."""
    return _models(framework, _ADMISSIBLE + _COMPLETE, "--enum-mode=cautious")[-1]


def _models(framework: Framework, program: str, *options: str) -> tuple[frozenset[str], ...]:
    """The sets "in" of all answer sets; arguments are numbered, so any id will do."""
    ids = framework.ids
    number = {name: i for i, name in enumerate(ids)}
    facts = [f"argument({i})." for i in range(len(ids))]
    facts += [f"attack({number[a]}, {number[b]})." for a, b in framework.attacks]
    # Its warnings ("nothing to maximise" in a framework without choices) are no news to a reader.
    control = clingo().Control(["--models=0", *options], logger=lambda code, text: None)
    control.add("base", [], program + "\n".join(facts))
    control.ground([("base", [])])
    found: list[tuple[int, ...]] = []
    with control.solve(yield_=True) as models:
        for model in models:
            found.append(tuple(sorted(s.arguments[0].number for s in model.symbols(shown=True))))
    if "--enum-mode=cautious" not in options:  # there the models narrow down to the last
        found.sort()
    return tuple(frozenset(ids[i] for i in one) for one in found)


def labels(framework: Framework) -> dict[str, Label]:
    """What becomes of each argument over all preferred sets.

    Returns:
        "in": it is a member of each. "out": each attacks it. "undec": anything else, above all a
        rival that survives in some sets and falls in others.
    """
    sets = preferred(framework)
    found: dict[str, Label] = {}
    for name in framework.ids:
        against = set(attackers(framework, name))
        if all(name in s for s in sets):
            found[name] = "in"
        elif all(s & against for s in sets):
            found[name] = "out"
        else:
            found[name] = "undec"
    return found


def undefeated_attackers(
    framework: Framework, argument: str, label: Mapping[str, Label] | None = None
) -> tuple[str, ...]:
    """Why an argument does not stand: its undefeated attackers, and whoever keeps them undefeated.

    Args:
        framework: The framework.
        argument: Id of the argument.
        label: Labels of all arguments; None works them out.

    Returns:
        First its attackers that are in (where none is, those that are undecided), then those that
        defeat the attackers' own attackers, and so on: the whole chain, each id once.

    Raises:
        UnknownName: There is no such argument.
    """
    if argument not in framework.ids:
        raise unknown_name("argument", argument, framework.ids)
    label = labels(framework) if label is None else label
    chain: list[str] = []

    def undefeated(target: str) -> list[str]:
        against = attackers(framework, target)
        return [a for a in against if label[a] == "in"] or [
            a for a in against if label[a] == "undec"
        ]

    waiting = undefeated(argument)
    while waiting:
        name = waiting.pop(0)
        if name in chain or name == argument:
            continue
        chain.append(name)
        for foe in attackers(framework, name):
            if label[foe] == "out" and foe != argument:
                waiting += undefeated(foe)
    return tuple(chain)


# -- decisions -----------------------------------------------------------------------------------


class Reasoning(msgspec.Struct, frozen=True):
    """What survives in a framework with decisions.

    Attributes:
        preferred: The preferred sets, each in the order of arguments.
        grounded: The grounded set, for comparison: it never separates two undefeated rivals.
        labels: Label of each argument.
        optional: Options in at least one preferred set, in the order proposed.
        explanation_sets: The preferred sets with exactly one optional decision.
        why_not: For every other option, the chain of undefeated attackers.
        abstained: No decision is optional.
    """

    preferred: tuple[tuple[str, ...], ...]
    grounded: tuple[str, ...]
    labels: dict[str, Label]
    optional: tuple[str, ...]
    explanation_sets: tuple[tuple[str, ...], ...]
    why_not: dict[str, tuple[str, ...]]
    abstained: bool


def build_framework(
    arguments: Iterable[Argument], attacks: Iterable[Attack]
) -> tuple[Framework, tuple[Attack, ...]]:
    """A framework in which rivals exclude each other and no decision attacks a belief.

    Args:
        arguments: Decisions and beliefs.
        attacks: As they were made.

    Returns:
        The framework, and the attacks that were deleted: by a decision on a belief, or between
        two decisions for the same option.
    """
    arguments = tuple(arguments)
    option = {a.id: a.option for a in arguments}
    kept: list[Attack] = []
    dropped: list[Attack] = []
    for a, b in _once(attacks):
        wrong = option.get(a) and (not option.get(b) or option[a] == option[b])
        (dropped if wrong else kept).append((a, b))
    decisions = [a for a in arguments if a.option]
    kept += [(a.id, b.id) for a in decisions for b in decisions if a.option != b.option]
    return Framework(arguments, _once(kept)), tuple(dropped)


def resolve(framework: Framework) -> Reasoning:
    """Solve a framework as it stands; after a change, solve it again the same way.

    Nothing is added here: a decision that a user adds excludes its rivals through attacks that are
    given with it, or through :func:`build_framework`.

    Raises:
        MissingExtra: The solver is not installed.
    """
    sets = preferred(framework)
    label = labels(framework)
    decisions = [a for a in framework.arguments if a.option]
    alive = {a.id for a in decisions if any(a.id in s for s in sets)}
    optional = tuple(dict.fromkeys(a.option for a in decisions if a.id in alive))
    why_not: dict[str, list[str]] = {a.option: [] for a in decisions if a.option not in optional}
    for a in decisions:
        if a.option in why_not:
            why_not[a.option] += undefeated_attackers(framework, a.id, label)

    def in_order(found: frozenset[str]) -> tuple[str, ...]:
        return tuple(i for i in framework.ids if i in found)

    return Reasoning(
        preferred=tuple(in_order(s) for s in sets),
        grounded=in_order(grounded(framework)),
        labels=label,
        optional=optional,
        explanation_sets=tuple(in_order(s) for s in sets if len(s & alive) == 1),
        why_not={option: tuple(dict.fromkeys(chain)) for option, chain in why_not.items()},
        abstained=not optional,
    )


# -- drawing -------------------------------------------------------------------------------------


def draw_text(framework: Framework, label: Mapping[str, Label] | None = None) -> str:
    """Draw a framework as text: every argument once, its attackers indented below it.

    Decisions come first. An argument that was already shown is named again without its text.
    """
    label = labels(framework) if label is None else label
    by_id = {a.id: a for a in framework.arguments}
    shown: set[str] = set()
    lines: list[str] = []

    def show(name: str, depth: int) -> None:
        argument = by_id[name]
        lead = "  " * depth + ("<- " if depth else "")
        head = f"{lead}{name} [{label[name]}]"
        if name in shown:
            lines.append(f"{head} (shown elsewhere)")
            return
        shown.add(name)
        kind = f"decision {argument.option}" if argument.option else "belief"
        said = " ".join(argument.text.split())
        lines.append(f"{head} {kind}: {said}" if said else f"{head} {kind}")
        for attacker in attackers(framework, name):
            show(attacker, depth + 1)

    decisions = [a.id for a in framework.arguments if a.option]
    # Rivals attack each other: shown inside one another they would hide what attacks each.
    shown.update(decisions)
    for name in decisions:
        shown.discard(name)
        show(name, 0)
    for name in framework.ids:
        if name not in shown:
            show(name, 0)
    return "\n".join(lines)
