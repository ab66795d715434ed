"""What policies mean, proved: which calls they let through, and which changes let more through."""

from collegium.guard.analysis.solve import (
    Satisfiable,
    Unknown,
    Unsatisfiable,
    Verdict,
    satisfiable,
)

__all__ = [
    "Satisfiable",
    "Unknown",
    "Unsatisfiable",
    "Verdict",
    "satisfiable",
]
