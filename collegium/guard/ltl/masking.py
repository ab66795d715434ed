"""Mask mode: the part of a transcript that a model may write next, as one grammar.

The automaton's moves, from the present state to the next segment of the environment, are written
out as rules: a rule for each automaton state, number of positions left, and tool last named. So one
generation writes a whole stretch (a thought, an action and its input), and no token of it can leave
the specification.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from collegium.guard.ltl.content import Choices, ToolInput, add_rule
from collegium.guard.ltl.rules import Rules
from collegium.guard.ltl.spec import Spec, State
from collegium.models.gbnf import literal

CUE_TOKENS = 8
"""Tokens that a cue is counted with."""

BREAK = '("\\n" | " ")'
"""What may stand before a cue: many models go on in the same line."""

STRETCH_POSITIONS = 12
"""Positions that one generation may write."""

STRETCH_TOKENS = 1024
"""Tokens that one generation may write; what is cut off is brought to its shortest end."""


class Stretch(msgspec.Struct, frozen=True):
    """What a model may write next: the grammar, and how many tokens that can take."""

    grammar: str
    max_tokens: int


def stretch(
    spec: Spec,
    q: int,
    remaining: int,
    opened: State | None,
    named: Mapping[str, str],
    without: frozenset[str] = frozenset(),
) -> Stretch:
    """The grammar of what a model may write next.

    Args:
        spec: The specification.
        q: The automaton's state.
        remaining: Positions left, that of ``opened`` included.
        opened: The state whose cue stands already; None: a cue comes first.
        named: By state that names tools, the tool last named.
        without: States that may not come at once.
    """
    writer = _Writer(spec, remaining, without)
    if opened is not None:
        goal = spec.automaton.step(q, opened.name)
        body, tokens = writer.segment(opened, goal, remaining - 1, dict(named))
    else:
        body, tokens = writer.cues(q, remaining, dict(named), first=True)
    return Stretch(f"root ::= {body}\n{writer.rules.text}", min(tokens, STRETCH_TOKENS))


class _Writer:
    """Writes the rules of one stretch."""

    def __init__(self, spec: Spec, remaining: int, without: frozenset[str]) -> None:
        self.spec, self.without = spec, without
        self.rules = Rules(spec.cues)
        self.least = remaining - STRETCH_POSITIONS
        self.naming = {s.content.of for s in spec.states if isinstance(s.content, ToolInput)}
        self._after: dict[tuple[int, int, tuple[tuple[str, str], ...]], tuple[str, int]] = {}

    def segment(
        self, state: State, q: int, remaining: int, named: dict[str, str]
    ) -> tuple[str, int]:
        """The text of a segment and all that follows; ``q`` is the state it leads to."""
        cost = state.max_tokens + CUE_TOKENS
        content = state.content
        if isinstance(content, Choices) and state.name in self.naming:
            ways: list[str] = []
            most = 0
            for option in content.options:
                after, tokens = self.after(state, q, remaining, {**named, state.name: option})
                ways.append(f"{literal(' ' + option)} {after}")
                most = max(most, tokens)
            return f"({' | '.join(ways)})", cost + most
        tool = named.get(content.of, "") if isinstance(content, ToolInput) else ""
        rule = add_rule(content, tool, self.rules, state.max_tokens)
        after, tokens = self.after(state, q, remaining, named)
        return f'" " {rule} {after}', cost + tokens

    def after(self, state: State, q: int, remaining: int, named: dict[str, str]) -> tuple[str, int]:
        """What follows a segment: nothing, when the decoder has to look first."""
        if state.pauses or remaining <= self.least:
            return '""', 0
        key = q, remaining, tuple(sorted(named.items()))
        if key not in self._after:
            body, tokens = self.cues(q, remaining, named)
            self._after[key] = self.rules.add("after", body), tokens
        return self._after[key]

    def cues(
        self, q: int, remaining: int, named: dict[str, str], *, first: bool = False
    ) -> tuple[str, int]:
        """The cues that may come, each with what follows it; or the end."""
        automaton = self.spec.automaton
        without = self.without if first else ()
        allowed = [s for s in automaton.allowed(q, remaining) if s not in without]
        states = [self.spec.state(name) for name in allowed]
        ends = automaton.accepting[q]
        if not states or (len(states) == 1 and states[0].source == "env" and not ends):
            return '""', 0
        ways: list[str] = []
        most = 0
        for state in states:
            cue = literal(state.cue) if first else f"{BREAK} {literal(state.cue)}"
            if state.source == "env":  # only chosen here; its text comes from elsewhere
                ways.append(cue)
                most = max(most, CUE_TOKENS)
                continue
            goal = automaton.step(q, state.name)
            body, tokens = self.segment(state, goal, remaining - 1, named)
            ways.append(f"{cue} {body}")
            most = max(most, tokens)
        if ends:
            ways.append('""')
        return f"({' | '.join(ways)})", most
