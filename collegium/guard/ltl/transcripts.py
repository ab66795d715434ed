"""What a run of a specification comes to: the transcript, and what the model chose in it."""

from __future__ import annotations

import msgspec

from collegium.guard.ltl.reading import Segment, Verdict
from collegium.guard.ltl.spec import Spec


class Choice(msgspec.Struct, frozen=True):
    """A position at which the model chose: what was open, what was masked, what it took."""

    position: int
    allowed: tuple[str, ...]
    masked: tuple[str, ...]
    chosen: str


class Transcript(msgspec.Struct, frozen=True):
    """What a run came to.

    Attributes:
        segments: The transcript.
        verdict: The automaton's word on it.
        choices: Where the model chose.
        forced: Cues that were set without asking the model.
        corrected: Texts that were set or finished in place of the model.
        thrown_away: Tokens it wrote that were not kept, in proportion to the characters.
        calls: Trace ids of its generations.
    """

    segments: tuple[Segment, ...] = ()
    verdict: Verdict = Verdict("incomplete", 0)
    choices: tuple[Choice, ...] = ()
    forced: int = 0
    corrected: int = 0
    thrown_away: int = 0
    calls: tuple[int, ...] = ()

    def text_of(self, state: str) -> str | None:
        """The last text of a state; None when it was not visited."""
        return next((s.text for s in reversed(self.segments) if s.state == state), None)


def without_tail(spec: Spec, text: str) -> str:
    """A text without the beginning of a cue that it breaks off in (of three signs or more)."""
    for cue in spec.cues:
        for size in range(len(cue) - 1, 2, -1):
            if text.endswith(cue[:size]):
                return text[:-size].rstrip()
    return text


def ink(text: str) -> int:
    """How many characters of a text are not blank."""
    return len("".join(text.split()))
