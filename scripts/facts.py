"""What the generators of the documentation share: facts of papers, and how to write tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from collegium.catalog import Paper, implementing_modules, results_folder, status_of
from collegium.systems import System, systems

ROOT = Path(__file__).parents[1]

STATUS = {
    "missing": "not yet",
    "runs": "runs",
    "faithful": "faithful",
    "measured": "measured",
}
"""Words for the status of a paper."""

MEANING = (
    "*not yet*: nothing implements it; *runs*: it is implemented; *faithful*: every numbered "
    "check of the paper passes; *measured*: there are measured results as well."
)


def implementations() -> dict[str, list[System]]:
    """The systems that implement each paper, by its slug."""
    found: dict[str, list[System]] = {}
    for system in systems().values():
        if system.paper is not None:
            found.setdefault(system.paper, []).append(system)
    return found


def baselines() -> list[System]:
    """The systems of this package that belong to no paper of the catalog."""
    return [
        s
        for s in systems().values()
        if s.paper is None and s.solve.__module__.startswith("collegium.")
    ]


def status(paper: Paper) -> str:
    """How far a paper is, in a word or two."""
    registered = {*implementations(), *implementing_modules()}
    return STATUS[status_of(paper.slug, registered=registered, results=results_folder())]


def address(paper: Paper) -> str:
    """Where to read the paper."""
    return f"https://arxiv.org/abs/{paper.arxiv}"


def first_sentence(text: str) -> str:
    """A text up to its first full stop."""
    found = re.match(r"(.+?[.])(\s+[A-Z]|$)", text, re.DOTALL)
    return found[1] if found else text


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are written as given, bars in cells are escaped."""

    def line(cells: Sequence[object]) -> str:
        texts = (" ".join(str(cell).split()).replace("|", r"\|") for cell in cells)
        return f"| {' | '.join(texts)} |"

    rule = f"|{'|'.join('---' for _ in head)}|"
    return "\n".join([line(head), rule, *map(line, rows)])
