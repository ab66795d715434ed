"""People and simulations: interactions as records, and the operations that make them true."""

from collegium.society.interaction.commands import AskBack, Understood, understand
from collegium.society.interaction.compare import Comparison, Difference, Shift, compare, contrast
from collegium.society.interaction.live import Live
from collegium.society.interaction.records import Record, coverage, find, records
from collegium.society.interaction.seats import Seats

__all__ = [
    "AskBack",
    "Comparison",
    "Difference",
    "Live",
    "Record",
    "Seats",
    "Shift",
    "Understood",
    "compare",
    "contrast",
    "coverage",
    "find",
    "records",
    "understand",
]
