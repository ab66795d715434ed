"""How findings are worded in reports and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collegium.bench.diagnosis.modes import mode

SCOPE = (
    "Found by rules over the trace; a rule misses what it cannot see, so no finding does not mean "
    "no failure."
)
"""What a count of findings says, and what it does not."""


def counted(modes: Mapping[str, int], runs: int) -> str:
    """How often each mode was found: "1.3 step repetition in 4 of 50 runs, ..."."""
    if not modes:
        return f"nothing found in {runs:,} run{'s' * (runs != 1)}"
    each = [f"{code} {mode(code).name} {number:,}" for code, number in modes.items()]
    return f"{', '.join(each)} (of {runs:,} run{'s' * (runs != 1)})"


def cited(calls: Sequence[int], most: int = 6) -> str:
    """Ids of calls as transcripts write them: "#0, #3"."""
    shown = ", ".join(f"#{c}" for c in calls[:most])
    return f"{shown} and {len(calls) - most} more" if len(calls) > most else shown
