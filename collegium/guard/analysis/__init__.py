r"""What policies mean, proved: which calls they let through, and which changes let more through.

The analysis of Progent (arXiv 2504.11703) with an SMT solver (Z3). A condition becomes a formula
over an unknown JSON value (:mod:`~collegium.guard.analysis.encode`), a pattern the language of the
texts in which a search finds it (:mod:`~collegium.guard.analysis.search`). Everything else asks one
question, :func:`satisfiable`:

* :func:`subset`, :func:`subset_policy`: does a change let more through? With a call that shows it.
* :func:`overlaps`: rules of a tool that speak of the same calls.
* :func:`unreachable`: rules that never decide.
* :func:`typecheck`: a policy against the tools it is for.
* :func:`diff`: all of it about a change, and :func:`described` in words.

A witness passed the enforcement code before it is shown. What cannot be expressed or decided is
unknown, and the unknown counts against the policy.

Paper vs code vs ours
---------------------
* The authors' encoder gives up on ``^``, ``$`` and ``\b``; the exception, like a time-out, is
  taken for "no counterexample", so an update with any anchored pattern may widen the policy. Here
  anchors are expressed, wherever they stand, and what is not (``\b``) refuses the update.
* Their analysis matches whole texts, while enforcement searches. Here both search.
* They compare argument by argument. Here the calls are compared that the rules let through in their
  order, with arguments left out, and after what rules install.
* In their code ``true`` and 1 are one value of an enumeration, and ``oneOf`` is a sum the solver
  cannot take. Here both are as in enforcement.
* The paper states ``items`` as a "for all" with a bound. Here as many items stand for all as can
  tell the conditions apart, which is exact.
"""

from collegium.guard.analysis.anchoring import Unanchored, unanchored
from collegium.guard.analysis.diff import PolicyDiff, RuleChange, described, diff
from collegium.guard.analysis.rules import Overlap, Unreachable, overlaps, unreachable
from collegium.guard.analysis.solve import (
    Satisfiable,
    Unknown,
    Unsatisfiable,
    Verdict,
    satisfiable,
)
from collegium.guard.analysis.subset import (
    Difference,
    Inclusion,
    PolicyVerdict,
    ToolCall,
    subset,
    subset_policy,
)
from collegium.guard.analysis.typecheck import PolicyWarning, typecheck

__all__ = [
    "Difference",
    "Inclusion",
    "Overlap",
    "PolicyDiff",
    "PolicyVerdict",
    "PolicyWarning",
    "RuleChange",
    "Satisfiable",
    "ToolCall",
    "Unanchored",
    "Unknown",
    "Unreachable",
    "Unsatisfiable",
    "Verdict",
    "described",
    "diff",
    "overlaps",
    "satisfiable",
    "subset",
    "subset_policy",
    "typecheck",
    "unanchored",
    "unreachable",
]
