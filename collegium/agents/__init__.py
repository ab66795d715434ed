"""Building blocks that systems share: asking for worked answers, and voting."""

from collegium.agents.solving import (
    ANSWER_HINT,
    answer_of,
    answer_type,
    bare_type,
    closing,
    vote,
    worked_type,
)
from collegium.agents.voting import Vote, majority

__all__ = [
    "ANSWER_HINT",
    "Vote",
    "answer_of",
    "answer_type",
    "bare_type",
    "closing",
    "majority",
    "vote",
    "worked_type",
]
