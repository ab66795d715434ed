"""Run diagnosis: which failure modes a trace shows, each with the calls that show it.

:func:`diagnose` runs the rules over a trace. Four modes are matters of judgement: for these
:func:`candidates` picks the passages worth a look and :func:`judge` asks a model, whose quotation
must stand in the passage. :data:`MODES` are the 14 modes.
"""

from collegium.bench.diagnosis.candidates import Candidate, candidates
from collegium.bench.diagnosis.diagnose import count_modes, diagnose
from collegium.bench.diagnosis.findings import Finding
from collegium.bench.diagnosis.judge import judge
from collegium.bench.diagnosis.modes import MODES, Mode, mode

__all__ = [
    "MODES",
    "Candidate",
    "Finding",
    "Mode",
    "candidates",
    "count_modes",
    "diagnose",
    "judge",
    "mode",
]
