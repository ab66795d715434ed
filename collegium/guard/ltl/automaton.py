"""The automaton of a formula: progressed formulas as states, minimal, without dead ends.

States are formulas in normal form, closed under progression by every letter. Equivalent ones are
merged by partition refinement. From the others, those that reach no accepting state are taken out:
a formula that is not plainly false may still have no way to the end, and an agent must not walk
into it one step early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from collegium.errors import BadInput
from collegium.guard.ltl.formula import Formula
from collegium.guard.ltl.progression import (
    YES,
    Cases,
    accepts_end,
    normal_form,
    progress,
    readable,
)

DEAD = -1
"""Where a move leads that no accepted trace contains: the sink."""

FAR = 1 << 30
MOST_STATES = 20_000


class Automaton(msgspec.Struct, frozen=True):
    """A minimal deterministic automaton; state 0 is the start, :data:`DEAD` the sink.

    Attributes:
        letters: Names of what a position can be, in order.
        table: By state and letter, the next state.
        accepting: By state, whether a trace may end there.
        distance: By state, how many positions the shortest way to an accepting state takes.
        formulas: By state, what must still hold.
    """

    letters: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    accepting: tuple[bool, ...]
    distance: tuple[int, ...]
    formulas: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of states, the sink included where a move leads to it."""
        return len(self.table) + any(DEAD in row for row in self.table)

    def step(self, state: int, letter: str) -> int:
        """The next state; the sink has no way out."""
        return DEAD if state == DEAD else self.table[state][self.letters.index(letter)]

    def allowed(self, state: int, remaining: int | None = None) -> tuple[str, ...]:
        """The letters that leave an accepted end within reach.

        Args:
            state: The present state.
            remaining: How many positions are left; None: any number.
        """
        if state == DEAD:
            return ()
        most = FAR if remaining is None else remaining
        row = self.table[state]
        return tuple(
            letter
            for letter, goal in zip(self.letters, row, strict=True)
            if goal != DEAD and self.distance[goal] < most
        )

    def accepts(self, word: Sequence[str]) -> bool:
        """Whether a whole trace is accepted."""
        state = 0
        for letter in word:
            state = self.step(state, letter)
        return state != DEAD and self.accepting[state]


def build(
    formula: Formula, letters: Mapping[str, frozenset[str]], *, named: str = "the formula"
) -> Automaton:
    """Make the automaton of a formula.

    Args:
        formula: What traces must satisfy.
        letters: What a position can be: by name, the propositions that hold there. With one letter
            per state of an agent, exactly one of the states holds at every position.
        named: What errors call it.

    Raises:
        BadInput: No trace satisfies it, or the automaton would be too large.
    """
    start = normal_form(formula)
    number: dict[Cases, int] = {start: 0}
    rows: list[list[int]] = []
    waiting = deque([start])
    while waiting:
        cases = waiting.popleft()
        row: list[int] = []
        for letter in letters.values():
            goal = progress(cases, letter)
            if goal not in number:
                if len(number) == MOST_STATES:
                    raise BadInput(f"{named} needs more than {MOST_STATES} states; simplify it.")
                number[goal] = len(number)
                waiting.append(goal)
            row.append(number[goal])
        rows.append(row)
    accepting = [accepts_end(cases) for cases in number]
    blocks = _refined(rows, accepting)
    return _pruned(tuple(letters), rows, accepting, blocks, [*number], named=f"{named} ({formula})")


def _refined(rows: list[list[int]], accepting: list[bool]) -> list[int]:
    """Partition refinement: by state, the class of states that accept the same words (Moore)."""
    blocks = [int(a) for a in accepting]
    count = len(set(blocks))
    while True:
        seen: dict[tuple[int, ...], int] = {}
        blocks = [
            seen.setdefault((blocks[i], *(blocks[goal] for goal in row)), len(seen))
            for i, row in enumerate(rows)
        ]
        if len(seen) == count:
            return blocks
        count = len(seen)


def _pruned(
    letters: tuple[str, ...],
    rows: list[list[int]],
    accepting: list[bool],
    blocks: list[int],
    cases: list[Cases],
    *,
    named: str,
) -> Automaton:
    """The classes that are reachable and reach acceptance, numbered as a search finds them."""
    members: dict[int, list[int]] = {}
    for i, block in enumerate(blocks):
        members.setdefault(block, []).append(i)
    moves = {b: [blocks[goal] for goal in rows[m[0]]] for b, m in members.items()}
    ends = {b: accepting[m[0]] for b, m in members.items()}
    distance = _distances(moves, ends)
    if blocks[0] not in distance:
        raise BadInput(f"{named} cannot be satisfied: no sequence of states is accepted by it.")
    order = {blocks[0]: 0}
    waiting = deque(order)
    while waiting:
        for goal in moves[waiting.popleft()]:
            if goal in distance and goal not in order:
                order[goal] = len(order)
                waiting.append(goal)
    simplest = {b: min((readable(cases[i]) for i in members[b]), key=_length) for b in order}
    return Automaton(
        letters=letters,
        table=tuple(tuple(order.get(goal, DEAD) for goal in moves[b]) for b in order),
        accepting=tuple(ends[b] for b in order),
        distance=tuple(distance[b] for b in order),
        formulas=tuple(str(simplest[b]) for b in order),
    )


def _length(formula: Formula) -> tuple[int, str]:
    text = str(formula)
    return len(text), text


def _distances(moves: Mapping[int, Sequence[int]], ends: Mapping[int, bool]) -> dict[int, int]:
    """Shortest distance to an accepting class, of those that have one (co-reachability)."""
    before: dict[int, set[int]] = {}
    for source, goals in moves.items():
        for goal in goals:
            before.setdefault(goal, set()).add(source)
    distance = {b: 0 for b, end in ends.items() if end}
    waiting = deque(distance)
    while waiting:
        goal = waiting.popleft()
        for source in before.get(goal, ()):
            if source not in distance:
                distance[source] = distance[goal] + 1
                waiting.append(source)
    return distance


def difference(one: Automaton, other: Automaton) -> tuple[str, ...] | None:
    """The shortest non-empty word on which two automata disagree; None when they are equivalent.

    The product of both is searched. The empty word is left out: a trace has a position.

    Raises:
        BadInput: They have other letters.
    """
    if set(one.letters) != set(other.letters):
        raise BadInput("automata over different letters cannot be compared.")
    seen = {(0, 0)}
    waiting: deque[tuple[int, int, tuple[str, ...]]] = deque([(0, 0, ())])

    def ends(automaton: Automaton, state: int) -> bool:
        return state != DEAD and automaton.accepting[state]

    while waiting:
        a, b, word = waiting.popleft()
        for letter in one.letters:
            pair = one.step(a, letter), other.step(b, letter)
            longer = (*word, letter)
            if ends(one, pair[0]) != ends(other, pair[1]):
                return longer
            if pair not in seen:
                seen.add(pair)
                waiting.append((*pair, longer))
    return None


def tautology(automaton: Automaton) -> bool:
    """Whether the automaton accepts every trace, so that its formula forbids nothing."""
    return automaton.formulas == (str(readable(YES)),)
