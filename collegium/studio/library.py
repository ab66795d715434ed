"""The papers as the front page lists them: facts, status, figures, and what runs them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from collegium.catalog import (
    Measured,
    Paper,
    Status,
    check_facet,
    check_kind,
    facets,
    find,
    implementing_modules,
    measured_figures,
    papers,
    results_folder,
    status_of,
)
from collegium.errors import unknown_name
from collegium.studio.meaning import Meaning, by_meaning
from collegium.systems.system import System, systems

ORDER: tuple[Status, ...] = ("measured", "faithful", "runs", "missing")
WORDS: dict[Status, str] = {
    "measured": "measured",
    "faithful": "faithful",
    "runs": "runs",
    "missing": "not yet",
}
MEANS: dict[Status, str] = {
    "measured": "Every numbered check of the paper passes, and there are measured results.",
    "faithful": "Every numbered check of the paper passes.",
    "runs": "It is implemented.",
    "missing": "Nothing implements it yet.",
}
DOCS = Path(__file__).parents[2] / "docs" / "papers"
"""The written pages of papers, where the project is checked out."""


class Card(msgspec.Struct, frozen=True):
    """A paper with what is known of its implementation.

    Attributes:
        systems: The systems that run it.
        modules: Where else it is implemented.
    """

    paper: Paper
    status: Status
    systems: tuple[System, ...]
    modules: tuple[str, ...]
    measured: tuple[Measured, ...]


class Query(msgspec.Struct, frozen=True):
    """What the front page is asked for, as its address says it.

    Attributes:
        q: What to look for, in words.
        kind: A kind of paper; "" for all.
        status: A status; "" for all.
        facets: Values by facet.
    """

    q: str = ""
    kind: str = ""
    status: str = ""
    facets: dict[str, str] = {}

    @property
    def address(self) -> str:
        """The address that asks for this."""
        parts = {"q": self.q, "kind": self.kind, "status": self.status, **self.facets}
        asked = urlencode({k: v for k, v in parts.items() if v})
        return f"/?{asked}" if asked else "/"


def read_query(parameters: Mapping[str, str]) -> Query:
    """Read the address of the front page; parameters of another name are left out.

    Raises:
        UnknownName: A kind, status or facet's value does not exist.
    """
    known = facets()
    kind, status = parameters.get("kind", ""), parameters.get("status", "")
    if status and status not in ORDER:
        raise unknown_name("status", status, ORDER)
    return Query(
        q=parameters.get("q", "")[:300],
        kind=check_kind(kind) if kind else "",
        status=status,
        facets=dict(check_facet(k, v) for k, v in parameters.items() if k in known and v),
    )


@cache
def cards() -> dict[str, Card]:
    """Every paper by slug: those that run first, then the newest."""
    results = results_folder()
    built = implementing_modules()
    by_paper: dict[str, list[System]] = {}
    for system in systems().values():
        by_paper.setdefault(system.paper or "", []).append(system)
    registered = {*by_paper, *built}
    made = [
        Card(
            p,
            status_of(p.slug, registered=registered, results=results),
            tuple(by_paper.get(p.slug, ())),
            built.get(p.slug, ()),
            tuple(measured_figures(p.slug, results)),
        )
        for p in papers()
    ]
    made.sort(key=lambda c: (not c.systems, ORDER.index(c.status), -c.paper.year, c.paper.name))
    return {c.paper.slug: c for c in made}


async def search(query: Query, meaning: Meaning) -> tuple[list[Card], str]:
    """The papers that a query finds, and a remark for readers, "" for none.

    Raises:
        UnknownName: A kind or a facet's value does not exist.
    """
    known = cards()
    kind = query.kind or None
    kept = [
        p
        for p in find("", kind=kind, facets=query.facets)
        if not query.status or known[p.slug].status == query.status
    ]
    if not query.q.strip():
        order = {slug: i for i, slug in enumerate(known)}
        return [known[p.slug] for p in sorted(kept, key=lambda p: order[p.slug])], ""
    slugs = {p.slug for p in kept}
    words = [p for p in find(query.q, kind=kind, facets=query.facets) if p.slug in slugs]
    found, remark = await by_meaning(meaning, query.q, kept, words)
    return [known[p.slug] for p in found], remark


def best_figure(card: Card) -> Measured | None:
    """The measured figure that a card shows: of the run on most questions."""
    return max(card.measured, key=lambda m: (m.n, m.accuracy), default=None)


def text_of(card: Card) -> str:
    """What is written about a paper's implementation, as Markdown.

    Its page of the documentation where that is at hand, else the docstring of its module.
    """
    file = DOCS / f"{card.paper.slug}.md"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    if not card.systems:
        return ""
    return inspect.getdoc(sys.modules[card.systems[0].solve.__module__]) or ""
