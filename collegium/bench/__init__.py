"""Honest comparison: runs that resume, equal budgets, intervals, paired tests and reports.

:func:`plan` checks what is to be compared, :func:`compare` runs it, :func:`write_html` shows it.
"""

from collegium.bench.compare import compare, plan, traces_of
from collegium.bench.records import Outcome, Pair, Report, SystemRow

__all__ = ["Outcome", "Pair", "Report", "SystemRow", "compare", "plan", "traces_of"]
