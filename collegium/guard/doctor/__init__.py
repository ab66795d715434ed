"""The doctor: static checks of agent code for the eight defects of Agentable (arXiv 2412.18371).

A code property graph narrows a project to its tools, agents and LLMs and the calls between them;
rules decide on the graph, and a model, when there is one, judges what is a matter of language.

Paper vs code vs ours
---------------------
* Graph: the paper uses Joern, which needs a JVM. Ours is made with Python's ``ast``: calls resolved
  through imports, annotations and constructors, inheritance, def-use inside functions, and strings
  folded through assignments. Scanned code is never imported or run.
* Roles: the paper asks a model which class is the first tool class. Here names and structure
  decide, in the paper's order, so that a scan without a model is whole.
* TRE: the official code compares a model's "No" with a prompt that asks for "no", and reports
  constructors that return nothing. Ours follows the text; special methods, stubs and helpers whose
  result nobody uses are left alone, and pyflakes stands for the model's look for coding errors.
* ALS: the official code adds the text "None" to the usual ends of text when no stop string is set.
  A name that contains it is then reported; here only the real end marks are used.
* EPDD: the official code reports every import that a tool shares with the project. Ours reports
  what can be decided: undeclared, unsatisfiable, lacking an attribute, without an upper end.
* MNFT: handling in a caller, in a decorator or inside every tool counts as handling.
* LOPE: rules report an answer whose parsing nobody protects; tolerance before the call is a
  question for the model.
* Tests of the scanned project are left out, besides documentation and environments.
* Fix hints, waivers and SARIF are ours.
"""

from collegium.guard.doctor.findings import (
    KINDS,
    NAMES,
    Finding,
    Hop,
    Question,
    Report,
    Roles,
    Skipped,
)
from collegium.guard.doctor.sarif import sarif
from collegium.guard.doctor.scan import graph, scan, scan_project, scan_with_model
from collegium.guard.doctor.sources import Project, read_project

PAPER = "agentable"

__all__ = [
    "KINDS",
    "NAMES",
    "PAPER",
    "Finding",
    "Hop",
    "Project",
    "Question",
    "Report",
    "Roles",
    "Skipped",
    "graph",
    "read_project",
    "sarif",
    "scan",
    "scan_project",
    "scan_with_model",
]
