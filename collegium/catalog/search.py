"""Find papers by words, kind and facets."""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing

from collegium.catalog.entries import Paper, papers
from collegium.catalog.taxonomy import check_facet, check_kind, holds, taxonomy

# How much a match counts, in the order of the columns slug, name, title, kind, facets, summary.
WEIGHTS = (10.0, 10.0, 6.0, 3.0, 2.0, 2.0)


def find(
    query: str = "", *, kind: str | None = None, facets: Mapping[str, str] = {}
) -> list[Paper]:
    """Find papers, best match first.

    Every word of the query may be the beginning of a longer word, and a plural also finds the
    singular. Papers holding all words are returned; if there are none, papers holding at least
    one. A paper whose slug or name is the query comes first.

    Args:
        query: words to look for in slug, name, title, kind, facet values and summary; without
            words every paper matches, sorted by slug.
        kind: keep only papers that are mainly or also of this kind.
        facets: keep only papers with this value, or one within it, on each named facet.

    Returns:
        The matching papers; an empty list when nothing matches.

    Raises:
        UnknownName: the kind, a facet or a facet's value does not exist.
    """
    wanted = None if kind is None else check_kind(kind)
    filters = [check_facet(name, value) for name, value in facets.items()]
    kept = [
        entry
        for entry in papers()
        if (wanted is None or wanted in entry.kinds)
        and all(holds(name, value, entry.facets.get(name, ())) for name, value in filters)
    ]
    words = re.findall(r"[^\W_]+", query)
    if not words:
        return kept if not query.strip() else []
    exact = query.strip().casefold()
    return sorted(
        _rank(words, kept), key=lambda entry: exact not in (entry.slug, entry.name.casefold())
    )


def _rank(words: Iterable[str], entries: list[Paper]) -> list[Paper]:
    by_slug = {entry.slug: entry for entry in entries}
    terms = [f'"{word.removesuffix("s") if len(word) > 3 else word}"*' for word in words]
    with closing(sqlite3.connect(":memory:")) as store:
        store.execute(
            "CREATE VIRTUAL TABLE page USING fts5"
            "(slug, name, title, kind, facets, summary, tokenize='unicode61')"
        )
        store.executemany("INSERT INTO page VALUES (?, ?, ?, ?, ?, ?)", map(_page, entries))
        order = f"bm25(page, {', '.join(map(str, WEIGHTS))}), slug"
        for joined in (" AND ".join(terms), " OR ".join(terms)):
            rows = store.execute(
                f"SELECT slug FROM page WHERE page MATCH ? ORDER BY {order}", [joined]
            ).fetchall()
            if rows:
                return [by_slug[slug] for (slug,) in rows]
    return []


def _page(entry: Paper) -> tuple[str, ...]:
    known = taxonomy().facets
    values = (
        " ".join(known[name].ancestry(value))
        for name, held in entry.facets.items()
        for value in held
    )
    kind = " ".join(entry.kinds)
    return (entry.slug, entry.name, entry.title, kind, " ".join(values), entry.summary)
