"""A temporal guard: specifications of the order in which kernel calls may come.

Every call is an event. Propositions are given to events by matchers (``D`` is a call of any tool
whose name begins with ``delete_``). An event that matches none is ignored, or holds none of them.
A call that would leave no way to satisfy a formula is refused before it is made.

A call that is still running, or that failed on the way, may or may not have had its effect. The
monitor therefore keeps the set of states that are possible, and allows a call only if it is allowed
in every one of them. So an approval counts once it has been given, and a deletion from the moment
it is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import combinations
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput, Blocked, Denied, LimitReached, ModelError
from collegium.guard.ltl.automaton import DEAD, Automaton, build
from collegium.guard.ltl.parsing import parse
from collegium.kernel.calls import Call, UseTool
from collegium.kernel.kernel import Proceed

MOST_LABELS = 8
"""Propositions of one specification; every set of them is a letter of its automaton."""

States = frozenset[int]


class Matcher(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls a proposition stands for: those that meet every condition given.

    Attributes:
        call: Kind of call ("use-tool", "generate", "send" ...); "" any, and tool calls where
            ``tool`` is given.
        tool: Pattern for the tool's name, such as ``delete_*``.
        agent: Pattern for the calling agent's name.
        arguments: By argument, a pattern for its text, or a value that it must equal.
    """

    call: str = ""
    tool: str = ""
    agent: str = ""
    arguments: dict[str, Any] = {}

    def matches(self, call: Call) -> bool:
        """Whether a call meets the conditions."""
        if isinstance(call, UseTool):
            if self.tool and not _like(call.tool, self.tool):
                return False
        elif self.tool or self.arguments:
            return False
        if self.call and call.__struct_config__.tag != self.call:
            return False
        if self.agent and not _like(call.agent, self.agent):
            return False
        for name, wanted in self.arguments.items():
            if name not in call.arguments or not _meets(call.arguments[name], wanted):  # type: ignore[attr-defined]
                return False
        return True


_like = lru_cache(maxsize=4096)(fnmatchcase)
"""Names of tools and agents are few, so each is compared with a pattern once."""


def _meets(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and isinstance(value, str):
        return fnmatchcase(value, wanted)
    return value == wanted


Label = Matcher | Callable[[Call], bool]


class CallSpec(msgspec.Struct, frozen=True):
    """A specification over kernel calls.

    Attributes:
        name: What messages call it.
        formula: Over the labels.
        labels: By proposition, the calls it holds at: a :class:`Matcher`, or a function.
        others: What happens to calls that no label matches: "ignore" leaves them out of the trace,
            "count" makes each a position at which no proposition holds.
    """

    name: str
    formula: str
    labels: Mapping[str, Label]
    others: Literal["ignore", "count"] = "ignore"


class Obligation(msgspec.Struct, frozen=True):
    """How a specification stands at the end of a run.

    Attributes:
        name: Of the specification.
        formula: As it was written.
        satisfied: Whether the run may end here, in every state that is possible.
        needs: One shortest sequence of propositions that would satisfy it; empty when satisfied.
    """

    name: str
    formula: str
    satisfied: bool
    needs: tuple[str, ...] = ()


def read_specs(data: Mapping[str, Any]) -> tuple[CallSpec, ...]:
    """Specifications from plain data, such as a TOML or YAML file holds.

    Args:
        data: By name, a table with ``formula``, ``labels`` and, if wished, ``others``.

    Raises:
        BadInput: A table has another form; it is named.
    """

    class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        formula: str
        labels: dict[str, Matcher]
        others: Literal["ignore", "count"] = "ignore"

    made: list[CallSpec] = []
    for name, table in data.items():
        try:
            read = msgspec.convert(table, Table)
        except msgspec.ValidationError as error:
            raise BadInput(f"temporal spec {name!r}: {error}.") from None
        made.append(CallSpec(name, read.formula, read.labels, read.others))
    return tuple(made)


class Machine:
    """One specification while a run goes on; its step is two look-ups in tables.

    Args:
        spec: The specification.

    Raises:
        BadInput: The formula cannot be read or satisfied, or there are too many labels.
    """

    def __init__(self, spec: CallSpec) -> None:
        if not spec.labels or len(spec.labels) > MOST_LABELS:
            raise BadInput(
                f"temporal spec {spec.name!r} needs 1 to {MOST_LABELS} labels, "
                f"not {len(spec.labels)}."
            )
        try:
            formula = parse(spec.formula, spec.labels)
        except BadInput as error:
            raise type(error)(f"temporal spec {spec.name!r}: {error}") from None
        names = sorted(spec.labels)
        sets = [frozenset(c) for n in range(len(names) + 1) for c in combinations(names, n)]
        letters = {_name(s): s for s in sets}
        self.spec = spec
        self.automaton: Automaton = build(
            formula, letters, named=f"the formula of temporal spec {spec.name!r}"
        )
        self._index = {s: self.automaton.letters.index(_name(s)) for s in sets}
        bits = {name: 1 << i for i, name in enumerate(names)}
        self._letters: list[int | None] = [None] * len(sets)
        for held, index in self._index.items():
            self._letters[sum(bits[name] for name in held)] = index
        if spec.others == "ignore":
            self._letters[0] = None
        self._labels = [
            (bits[name], label.matches if isinstance(label, Matcher) else label)
            for name, label in spec.labels.items()
        ]
        self._after: dict[tuple[States, int], States] = {}
        self.settled: States = frozenset((0,))
        self.running: list[list[int]] = []

    def letter(self, call: Call) -> int | None:
        """The letter of a call; None when it is ignored."""
        held = 0
        for bit, matches in self._labels:
            if matches(call):
                held |= bit
        return self._letters[held]

    def step(self, states: States, letter: int) -> States:
        """Where a letter leads from a set of states; the sink is in it when some state refuses."""
        key = states, letter
        after = self._after.get(key)
        if after is None:
            table = self.automaton.table
            after = frozenset(table[q][letter] if q != DEAD else DEAD for q in states)
            self._after[key] = after
        return after

    def possible(self) -> States:
        """The states that are possible now, whatever becomes of the calls that are running."""
        states = self.settled
        for letter, outcome in self.running:
            done = self.step(states, letter)
            states = done if outcome == _DONE else states | done
        return states

    def refuses(self, letter: int) -> bool:
        """Whether a call with this letter must not be made now."""
        states = self.settled if not self.running else self.possible()
        return DEAD in self.step(states, letter)

    def begin(self, letter: int) -> list[int]:
        """Note that a call begins; returns the entry to end it with."""
        entry = [letter, _RUNNING]
        self.running.append(entry)
        return entry

    def end(self, entry: list[int], outcome: int) -> None:
        """Note how a call ended, and settle what no running call comes before."""
        entry[1] = outcome
        running = self.running
        while running and running[0][1] != _RUNNING:
            letter, outcome = running.pop(0)
            if outcome == _DONE:
                self.settled = self.step(self.settled, letter)
            elif outcome == _PERHAPS:
                self.settled |= self.step(self.settled, letter)
        if running and outcome == _NEVER:
            self.running = [e for e in running if e[1] != _NEVER]

    def allowed(self) -> tuple[str, ...]:
        """The letters that are allowed now, in words."""
        index = self._index
        open_ = [s for s, i in index.items() if len(s) <= 1 and not self.refuses(i)]
        return tuple(_name(s) for s in open_ if s or self.spec.others == "count")

    def obligation(self) -> Obligation:
        """How the specification stands if the run ends now."""
        automaton = self.automaton
        open_ = [q for q in self.possible() if q == DEAD or not automaton.accepting[q]]
        if not open_:
            return Obligation(self.spec.name, self.spec.formula, True)
        q = open_[0]
        needs: list[str] = []
        while q != DEAD and not automaton.accepting[q]:
            letter, q = min(
                (
                    (name, goal)
                    for name, goal in zip(automaton.letters, automaton.table[q], strict=True)
                    if goal != DEAD
                ),
                key=lambda way: (automaton.distance[way[1]], len(way[0])),
            )
            needs.append(letter)
        return Obligation(self.spec.name, self.spec.formula, False, tuple(needs))


_RUNNING, _DONE, _NEVER, _PERHAPS = range(4)
"""What became of a call: it runs; it was made; it was not made; it failed on the way."""


def _name(held: frozenset[str]) -> str:
    return " & ".join(sorted(held)) or "other"


class SpecGuard:
    """Interceptor that refuses calls which would break a specification; one for each run.

    Made by :func:`spec_guard`.
    """

    def __init__(self, specs: Sequence[CallSpec]) -> None:
        self.machines = tuple(Machine(s) for s in specs)
        self._proceed: Proceed | None = None

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Refuse a call, or make it and note how it ended.

        Raises:
            Blocked: No way to satisfy a formula would be left; it is named.
            BadInput: Two kernels share the guard.
        """
        if self._proceed is not proceed:
            if self._proceed is not None:
                raise BadInput("a temporal guard follows one run; make one for each kernel.")
            self._proceed = proceed
        # No other task runs between the check and the entry: there is no await here.
        letters = [(m, letter) for m in self.machines if (letter := m.letter(call)) is not None]
        for machine, letter in letters:
            if machine.refuses(letter):
                raise Blocked(_refusal(machine, letter, call))
        begun = [(m, m.begin(letter)) for m, letter in letters]
        outcome = _PERHAPS
        try:
            result = await proceed(call)
            outcome = _DONE
            return result
        except (BadInput, Denied, LimitReached, ModelError):
            outcome = _NEVER
            raise
        finally:
            for machine, entry in begun:
                machine.end(entry, outcome)

    def obligations(self) -> tuple[Obligation, ...]:
        """How every specification stands if the run ends now."""
        return tuple(m.obligation() for m in self.machines)


def _refusal(machine: Machine, letter: int, call: Call) -> str:
    what = f"tool {call.tool!r}" if isinstance(call, UseTool) else f"a {type(call).__name__} call"
    allowed = machine.allowed()
    return (
        f"{what} ({machine.automaton.letters[letter]}) may not be used now: the temporal spec "
        f"{machine.spec.name!r} demands {machine.spec.formula}; allowed now: "
        f"{', '.join(allowed) if allowed else 'none of its events'}."
    )


def spec_guard(specs: Sequence[CallSpec]) -> SpecGuard:
    """A guard for one run: give it to the kernel as an interceptor.

    Args:
        specs: What to hold the run to; a call must be allowed by each.

    Raises:
        BadInput: A formula cannot be read or satisfied.
    """
    return SpecGuard(specs)
