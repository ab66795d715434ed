"""The taxonomy of AI agents and agentic AI: tables, challenges, remedies, as read from its file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from collegium.catalog.entries import papers
from collegium.catalog.surveys.reading import known_only, read_survey
from collegium.catalog.taxonomy import facets

TAXONOMY_FILE = Path(__file__).with_name("agentic-taxonomy.toml")


class _Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is read from a file has the fields it should have, and no others."""


class Column(_Read, frozen=True, kw_only=True):
    """A paradigm as a column of the tables; ``inferred`` where the paper itself infers it."""

    id: str
    name: str
    paradigm: str
    inferred: bool = False


class Row(_Read, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a table: a cell for every paradigm the paper compares there."""

    name: str
    GA: str = ""
    AA: str = ""
    AG: str = ""
    part: str = msgspec.field(default="", name="gA")

    def cell(self, column: str) -> str:
        """The cell of a column."""
        return {"GA": self.GA, "AA": self.AA, "AG": self.AG, "gA": self.part}[column]


class ComparisonTable(_Read, frozen=True, kw_only=True):
    """One table; ``recalled`` where its cells were not compared with the paper's text again."""

    name: str
    rows: tuple[Row, ...]
    recalled: bool = False


class Criterion(_Read, frozen=True, kw_only=True):
    """One mark of agentic AI."""

    id: str
    name: str
    meaning: str


class Point(_Read, frozen=True, kw_only=True):
    """A trait, component, application or point of the road map, of one paradigm."""

    of: str
    name: str


class Challenge(_Read, frozen=True, kw_only=True):
    """A fault of a paradigm."""

    id: str
    of: str
    name: str


class Remedy(_Read, frozen=True, kw_only=True):
    """A remedy, what implements it here as ``module:name`` ("" for a gap), and who uses it."""

    id: str
    name: str
    addresses: tuple[str, ...]
    feature: str
    here: str
    papers: tuple[str, ...]


class Work(_Read, frozen=True, kw_only=True):
    """A kind of work, and how words for it begin."""

    name: str
    words: tuple[str, ...]


class Sign(_Read, frozen=True, kw_only=True):
    """Words of a task that ask for a paradigm, and the row of a table that says why."""

    paradigm: str
    name: str
    table: str
    dimension: str
    words: tuple[str, ...]


class AgenticSurvey(_Read, frozen=True, kw_only=True):
    """The whole taxonomy, each list in the order of the file."""

    paper: str
    columns: tuple[Column, ...]
    tables: tuple[ComparisonTable, ...]
    criteria: tuple[Criterion, ...]
    traits: tuple[Point, ...]
    components: tuple[Point, ...]
    applications: tuple[Point, ...]
    challenges: tuple[Challenge, ...]
    remedies: tuple[Remedy, ...]
    roadmap: tuple[Point, ...]
    work: tuple[Work, ...]
    signs: tuple[Sign, ...]

    def column(self, paradigm: str) -> str:
        """The column that stands for a paradigm; a collective stands under agentic AI."""
        return next((c.id for c in self.columns if c.paradigm == paradigm), "AG")

    def row(self, table: str, name: str) -> Row:
        """A row that exists."""
        rows = next(t.rows for t in self.tables if t.name == table)
        return next(r for r in rows if r.name == name)


def read_agentic(file: Path) -> AgenticSurvey:
    """Read and check the file.

    Raises:
        CatalogDamaged: It cannot be read, or uses a name that does not exist.
    """
    survey = read_survey(file, AgenticSurvey)
    columns = [c.id for c in survey.columns]
    known_only(file, "paradigm", (c.paradigm for c in survey.columns), facets()["paradigm"].values)
    points = (*survey.traits, *survey.components, *survey.applications, *survey.roadmap)
    known_only(file, "column", (p.of for p in (*points, *survey.challenges)), columns)
    slugs = [p.slug for p in papers()]
    for remedy in survey.remedies:
        known_only(file, "challenge", remedy.addresses, [c.id for c in survey.challenges])
        known_only(file, "paper", remedy.papers, slugs)
    for sign in survey.signs:
        known_only(file, "paradigm", [sign.paradigm], [c.paradigm for c in survey.columns])
        known_only(file, "table", [sign.table], [t.name for t in survey.tables])
        rows = next(t.rows for t in survey.tables if t.name == sign.table)
        known_only(file, f"row of {sign.table}", [sign.dimension], [r.name for r in rows])
    return survey


@cache
def agentic_survey() -> AgenticSurvey:
    """The taxonomy shipped with the package, read once.

    Raises:
        CatalogDamaged: The file cannot be used.
    """
    return read_agentic(TAXONOMY_FILE)
