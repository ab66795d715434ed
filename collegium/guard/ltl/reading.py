"""Reads transcripts: splits them at cues, runs the automaton over them, checks examples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from collegium.errors import BadInput
from collegium.guard.ltl.automaton import DEAD
from collegium.guard.ltl.content import ToolInput
from collegium.guard.ltl.spec import Spec, State, normal_text


class Segment(msgspec.Struct, frozen=True):
    """One segment of a transcript.

    Attributes:
        state: Name of its state.
        text: Without the cue.
        call: Trace id of the model call that wrote it, or -1.
    """

    state: str
    text: str
    call: int = -1


class Verdict(msgspec.Struct, frozen=True):
    """Whether a transcript satisfies its specification.

    Attributes:
        outcome: "accepted"; "rejected" when a state came where it may not; "content" when a text
            is not what its state wants; "incomplete" when it may not end where it does.
        position: Of the first fault, counted from 1; where it ends when there is none.
        state: The state seen there; "" at the end.
        allowed: The states that were allowed there.
        problem: The fault in words; "" when there is none.
    """

    outcome: Literal["accepted", "rejected", "incomplete", "content"]
    position: int
    state: str = ""
    allowed: tuple[str, ...] = ()
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is accepted."""
        return self.outcome == "accepted"


class Found(msgspec.Struct, frozen=True):
    """A cue in a text: where it begins and ends, and the state it opens."""

    start: int
    end: int
    state: str


@lru_cache(maxsize=256)
def _pattern(cues: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(cues, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))


def next_cue(spec: Spec, text: str, start: int = 0) -> Found | None:
    """The first cue of any state in a text; None when there is none."""
    found = _pattern(spec.cues).search(text, start)
    if found is None:
        return None
    name = next(s.name for s in spec.states if s.cue == found[0])
    return Found(found.start(), found.end(), name)


def split(spec: Spec, text: str) -> tuple[Segment, ...]:
    """A transcript's segments, in order.

    Raises:
        BadInput: It does not begin with a cue.
    """
    segments: list[Segment] = []
    cue = next_cue(spec, text)
    if cue is None or text[: cue.start].strip():
        raise BadInput(
            f"a transcript of {spec.name!r} begins with one of {', '.join(spec.cues)}, "
            f"not with {text.strip()[:40]!r}."
        )
    while cue is not None:
        after = next_cue(spec, text, cue.end)
        body = text[cue.end : after.start if after else len(text)]
        segments.append(Segment(cue.state, body.strip()))
        cue = after
    return tuple(segments)


def joined(spec: Spec, segments: Sequence[Segment]) -> str:
    """Segments as a transcript; splitting it gives them back."""
    return "\n".join(f"{spec.state(s.state).cue} {s.text}".rstrip() for s in segments)


def escape(spec: Spec, text: str) -> str:
    """A text from outside in which no cue is left: each gets a backslash after its first sign.

    What a tool returns is data. A cue inside it would otherwise steer the automaton.
    """
    while (cue := next_cue(spec, text)) is not None:
        text = f"{text[: cue.start + 1]}\\{text[cue.start + 1 :]}"
    return text


def named_for(state: State, segments: Sequence[Segment]) -> str:
    """The tool whose arguments a state holds: the one last named; "" for other contents."""
    if not isinstance(state.content, ToolInput):
        return ""
    of = state.content.of
    return next((s.text for s in reversed(segments) if s.state == of), "")


def judge(spec: Spec, segments: Sequence[Segment]) -> Verdict:
    """Run a whole transcript through the automaton, contents included."""
    automaton = spec.automaton
    q = 0
    for position, segment in enumerate(segments, 1):
        state = spec.state(segment.state)
        allowed = automaton.allowed(q)
        q = automaton.step(q, segment.state)
        if q == DEAD:
            options = ", ".join(allowed) if allowed else "nothing more"
            problem = f"position {position} is {segment.state}, but {options} may come there"
            return Verdict("rejected", position, segment.state, allowed, problem)
        named = named_for(state, segments[: position - 1])
        text = normal_text(state, segment.text, named)
        if fault := spec.fits(state, text, named):
            problem = f"position {position} ({segment.state}): {fault}"
            return Verdict("content", position, segment.state, allowed, problem)
    allowed = automaton.allowed(q)
    if automaton.accepting[q]:
        return Verdict("accepted", len(segments), allowed=allowed)
    problem = f"it ends after position {len(segments)}, where {', '.join(allowed)} must follow"
    return Verdict("incomplete", len(segments), allowed=allowed, problem=problem)


def validate(spec: Spec, example: str) -> Verdict:
    """Check an example transcript, such as one that a prompt shows.

    Args:
        spec: The specification.
        example: A transcript with cues.

    Raises:
        BadInput: It does not begin with a cue.
    """
    return judge(spec, split(spec, example))
