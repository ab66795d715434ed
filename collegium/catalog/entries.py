"""The papers of the catalog, one TOML file each, read when first asked for."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from collegium.catalog.taxonomy import CatalogDamaged, taxonomy
from collegium.errors import unknown_name

PAPERS_FOLDER = Path(__file__).with_name("papers")
SOURCES = ("paper", "code", "trace")
"""What a value can be read from; a place may follow after a colon."""


class Headline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published result: what was measured, the figure as published, on which models, where."""

    setting: str
    figure: str
    source: str
    models: str = ""


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One paper: facts about it, and a summary in our own words.

    ``kind`` is what it mainly is and ``other_kinds`` what it also is; ``room`` is where its code
    lives; ``must_show`` is the number of checks its implementation has to pass; ``headline`` holds
    published results; ``facets`` maps facet names to values; ``facet_notes`` explains a contested
    value; ``facet_sources`` says where a facet's values were read, of each value where they differ.
    """

    slug: str
    title: str
    name: str
    arxiv: str
    year: int
    venue: str
    kind: str
    room: str
    summary: str
    must_show: int
    repository: str
    repository_licence: str
    headline: tuple[Headline, ...]
    facets: dict[str, tuple[str, ...]]
    other_kinds: tuple[str, ...] = ()
    facet_notes: dict[str, str] = {}
    facet_sources: dict[str, str | dict[str, str]] = {}
    see_also: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The main kind followed by the others."""
        return (self.kind, *self.other_kinds)

    def source_of(self, facet: str, value: str) -> str:
        """Where a value was read: "paper", "code" or "trace", and the place; "" if not noted."""
        held = self.facet_sources.get(facet, "")
        return held if isinstance(held, str) else held.get(value, "")


def read_papers(folder: Path) -> tuple[Paper, ...]:
    """Read and check every paper of a folder.

    Args:
        folder: holds one ``<slug>.toml`` for each paper.

    Returns:
        The papers, sorted by slug.

    Raises:
        CatalogDamaged: the folder is empty, or a file is not TOML, lacks a field, or uses a kind,
            room, facet, value or slug that does not exist.
    """
    files = sorted(folder.glob("*.toml"), key=lambda file: file.stem)
    if not files:
        raise CatalogDamaged(f"The catalog folder {folder} holds no papers.")
    read = tuple(_read_paper(file) for file in files)
    slugs = {paper.slug for paper in read}
    for paper in read:
        for other in paper.see_also:
            if other not in slugs or other == paper.slug:
                raise _damage(paper.slug, f"see_also names {other!r}, which is no other paper")
    return read


@cache
def papers() -> tuple[Paper, ...]:
    """Return every paper of the catalog, sorted by slug; the files are read once.

    Raises:
        CatalogDamaged: a shipped file cannot be used.
    """
    return read_papers(PAPERS_FOLDER)


def paper(slug: str) -> Paper:
    """Return the paper with this slug.

    Args:
        slug: the paper's short key, for example ``"dylan"``.

    Raises:
        UnknownName: no such paper; the message suggests the nearest slug.
    """
    for entry in papers():
        if entry.slug == slug:
            return entry
    raise unknown_name("paper", slug, [entry.slug for entry in papers()])


def _read_paper(file: Path) -> Paper:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        entry = msgspec.convert({**raw, "slug": file.stem}, Paper)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise _damage(file.stem, str(error)) from error
    _check(entry)
    return entry


def _check(entry: Paper) -> None:
    words = taxonomy()
    if entry.must_show < 1:
        raise _damage(entry.slug, "must_show is below 1")
    for kind in entry.kinds:
        if kind not in words.kinds:
            raise _damage(entry.slug, f"{kind!r} is no kind")
    if entry.room not in words.rooms:
        raise _damage(entry.slug, f"{entry.room!r} is no room")
    for name, values in entry.facets.items():
        if name not in words.facets:
            raise _damage(entry.slug, f"{name!r} is no facet")
        if not values or len(set(values)) < len(values):
            raise _damage(entry.slug, f"facet {name!r} is empty or repeats a value")
        for value in values:
            if value not in words.facets[name].values:
                raise _damage(entry.slug, f"{value!r} is no value of facet {name!r}")
        if words.facets[name].one and (len(values) > 1 or not entry.facet_notes.get(name)):
            raise _damage(entry.slug, f"facet {name!r} needs one value and a note with the reason")
    for name in entry.facet_notes:
        if name not in entry.facets:
            raise _damage(entry.slug, f"a note explains facet {name!r}, which the paper lacks")
    for name, held in entry.facet_sources.items():
        values = entry.facets.get(name, ())
        sources = dict.fromkeys(values, held) if isinstance(held, str) else held
        if set(sources) != set(values) or not values:
            raise _damage(entry.slug, f"sources of facet {name!r} are not those of its values")
        for source in sources.values():
            if source.partition(":")[0] not in SOURCES:
                wanted = ", ".join(SOURCES)
                raise _damage(entry.slug, f"a source begins with one of {wanted}, not {source!r}")


def _damage(slug: str, fault: str) -> CatalogDamaged:
    return CatalogDamaged(f"The catalog entry {slug}.toml is damaged: {fault}.")
