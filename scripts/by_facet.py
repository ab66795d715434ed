"""The page that compares the papers facet by facet; made from the catalog and from results."""

from __future__ import annotations

from facts import table

from collegium.bench.leaderboard import reports_below
from collegium.bench.taxonomy import counts, profiles
from collegium.bench.taxonomy.measured import measured
from collegium.catalog import Facet, Paper, facets, paper, papers, results_folder
from collegium.catalog.surveys import collaboration_survey

CROSSED = (("type", "structure"), ("strategy", "coordination"))
"""Pairs of dimensions that are counted against each other."""


def facet_page() -> str:
    """Every facet with its values and the papers that have them, and what nobody has."""
    parts = [
        "# Compare by facet",
        "Every facet of the catalog, the meaning of its values, and the papers that have them. "
        "A paper may have several values on one facet. The same from the command line: "
        "`collegium papers --facet structure=hierarchical`, and for teams "
        "`collegium taxonomy list`.",
    ]
    for facet in facets().values():
        parts += facet_section(facet)
    parts += measured_part()
    parts += ["## Teams, crossed", "How many teams of the catalog have both values."]
    for rows, columns in CROSSED:
        counted = counts(rows, columns)
        heads = list(next(iter(counted.values())))
        body = [(value, *(n or "gap" for n in held.values())) for value, held in counted.items()]
        parts.append(table((f"{rows} / {columns}", *heads), body))
    parts += [
        "## Systems that the collaboration survey places",
        "Those that the catalog does not have. Where the survey contradicts itself, both values "
        "stand.",
        table(("system", "dimension", "value", "source", "doubt"), placed()),
    ]
    return "\n\n".join(parts) + "\n"


def measured_part() -> list[str]:
    """What comparisons among the results say of each kind of system."""
    folder = results_folder()
    cells = measured(reports_below(folder)) if folder else []
    said = (
        "Every system of a paper that was measured, beside the strongest baseline of its own "
        "comparison: the same questions, model and budget. *Better* and *worse* are differences "
        "that are told apart from chance (p below 0.05, corrected for all systems of the "
        "comparison). One system that stands under two values counts for both. Made from "
        "`results/`; the same from the command line: `collegium taxonomy measured`."
    )
    if not cells:
        return ["## Measured, by facet", said, "Nothing yet."]
    head = ("facet", "value", "systems", "better", "not told apart", "worse", "mean difference")
    rows = [
        (
            cell.facet,
            cell.value,
            ", ".join(f"`{h.system}` on {h.benchmark} ({h.model})" for h in cell.held),
            cell.count("better"),
            cell.count("not told apart"),
            cell.count("worse"),
            f"{100 * cell.mean_difference:+.1f} points",
        )
        for cell in cells
    ]
    return ["## Measured, by facet", said, table(head, rows)]


def facet_section(facet: Facet) -> list[str]:
    """One facet: its definition, where it comes from, and a row per value."""
    filed = [p for p in papers() if facet.name in p.facets]
    rows = [(v, meaning, links(facet, v, filed)) for v, meaning in facet.values.items()]
    source = paper(facet.source)
    said = f"{facet.definition} From [{source.name}](papers/{source.slug}.md); "
    said += f"{len(filed)} of {len(papers())} papers are filed under it."
    return [f"## {facet.name.capitalize()}", said, table(("value", "meaning", "papers"), rows)]


def links(facet: Facet, value: str, filed: list[Paper]) -> str:
    """The papers that have exactly this value."""
    found = [p for p in filed if value in p.facets[facet.name]]
    return ", ".join(f"[{p.name}](papers/{p.slug}.md)" for p in found) or "none: a gap"


def placed() -> list[tuple[str, ...]]:
    """The survey's placements of systems outside the catalog."""
    outside = {p.name for p in profiles() if not p.paper}
    return [
        (p.system, p.dimension, p.value, p.source, p.doubt or "–")
        for p in collaboration_survey().placements
        if p.system in outside
    ]
