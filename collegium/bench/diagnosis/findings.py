"""A finding: a failure mode, and the calls of the trace that show it."""

from __future__ import annotations

import msgspec

from collegium.bench.diagnosis.modes import mode

EVIDENCE = 160
"""Most characters of evidence that a finding quotes."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One failure mode found in a trace.

    Attributes:
        code: The mode's code ("1.3").
        calls: Ids of the trace events that show it, in order.
        evidence: What the trace says there, quoted and short.
        says: What is wrong, in one short sentence.
        rule: What found it: the name of a rule, or "judge".
        confidence: How sure that is, 0 to 1: about the share of such findings that a reader
            would confirm. It is a setting of each rule, not a measurement of this finding.
    """

    code: str
    calls: tuple[int, ...]
    evidence: str
    says: str
    rule: str
    confidence: float

    @property
    def name(self) -> str:
        """The mode's name."""
        return mode(self.code).name


def quote(*parts: str, limit: int = EVIDENCE) -> str:
    """Passages on one line, shortened evenly to ``limit`` characters."""
    lines = [" ".join(p.split()) for p in parts if p.strip()]
    room = max(20, (limit - 5 * (len(lines) - 1)) // max(1, len(lines)))
    return " ... ".join(s if len(s) <= room else f"{s[: room - 1]}…" for s in lines)
