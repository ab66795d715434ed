"""What exists: the papers as data, the facets they are filed under, search, and their status.

The bottom room of the house: every other room may import it, and it imports none of them. Files
are read when something is first asked for.
"""

from collegium.catalog.entries import Headline, Paper, paper, papers, read_papers
from collegium.catalog.search import find
from collegium.catalog.status import (
    Measured,
    ResultsDamaged,
    Status,
    implementing_modules,
    measured_figures,
    results_folder,
    status_of,
)
from collegium.catalog.taxonomy import (
    BadFacet,
    CatalogDamaged,
    Facet,
    check_facet,
    check_kind,
    facets,
    holds,
    kinds,
    parse_facet,
    rooms,
)

__all__ = [
    "BadFacet",
    "CatalogDamaged",
    "Facet",
    "Headline",
    "Measured",
    "Paper",
    "ResultsDamaged",
    "Status",
    "check_facet",
    "check_kind",
    "facets",
    "find",
    "holds",
    "implementing_modules",
    "kinds",
    "measured_figures",
    "paper",
    "papers",
    "parse_facet",
    "read_papers",
    "results_folder",
    "rooms",
    "status_of",
]
