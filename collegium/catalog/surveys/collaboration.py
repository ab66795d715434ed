"""The survey of how agents collaborate: dimensions, placements, lessons, as read from its file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from collegium.catalog.entries import papers
from collegium.catalog.surveys.reading import damage, known_only, read_survey
from collegium.catalog.taxonomy import facets

SURVEY_FILE = Path(__file__).with_name("collaboration-survey.toml")


class _Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is read from a file has the fields it should have, and no others."""


class Frame(_Read, frozen=True, kw_only=True):
    """One definition of the formal frame."""

    symbol: str
    meaning: str
    section: str


class Value(_Read, frozen=True, kw_only=True):
    """What the survey says about one value: for, against, where it fits, by which means."""

    strengths: tuple[str, ...] = ()
    weaknesses: tuple[str, ...] = ()
    suits: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    shape: str = ""


class Dimension(_Read, frozen=True, kw_only=True):
    """One dimension. Its values are those of ``facet``; "" for the actors, which are named."""

    name: str
    question: str
    section: str
    facet: str = ""
    values: dict[str, Value] = {}
    combined: dict[str, str] = {}
    doubt: str = ""


class Form(_Read, frozen=True, kw_only=True):
    """A form of messages and the shape they travel over."""

    name: str
    shape: str


class Application(_Read, frozen=True, kw_only=True):
    """A field of application, and the domains of the catalog that belong to it."""

    name: str
    meaning: str
    section: str
    domains: tuple[str, ...]


class Said(_Read, frozen=True, kw_only=True):
    """A lesson or an open problem."""

    name: str
    text: str


class Failure(_Read, frozen=True, kw_only=True):
    """A way to fail together, and what finds it here ("" for a gap)."""

    name: str
    meaning: str
    found_by: str
    modes: tuple[str, ...] = ()


class Placement(_Read, frozen=True, kw_only=True):
    """Where the survey puts a system on one dimension, and what speaks against that."""

    system: str
    dimension: str
    value: str
    source: str
    paper: str = ""
    doubt: str = ""


class Recommendation(_Read, frozen=True, kw_only=True):
    """What a feature of a task asks for."""

    feature: str
    value: str
    question: str
    dimension: str
    choose: str


class CollaborationSurvey(_Read, frozen=True, kw_only=True):
    """The whole survey, each list in the order of the file."""

    paper: str
    frame: tuple[Frame, ...]
    dimensions: tuple[Dimension, ...]
    forms: tuple[Form, ...]
    applications: tuple[Application, ...]
    lessons: tuple[Said, ...]
    open_problems: tuple[Said, ...]
    failures: tuple[Failure, ...]
    placements: tuple[Placement, ...]
    recommendations: tuple[Recommendation, ...]

    def dimension(self, name: str) -> Dimension:
        """The dimension of a name that exists."""
        return next(d for d in self.dimensions if d.name == name)

    def allowed(self) -> dict[str, tuple[str, ...]]:
        """The closed list of every dimension that has one, and of the applications."""
        lists = {d.name: tuple(d.values) for d in self.dimensions if d.values}
        return {**lists, "application": tuple(a.name for a in self.applications)}

    def application_of(self, domain: str) -> str:
        """The application a domain belongs to; "" when it is outside the survey's three."""
        return next((a.name for a in self.applications if domain in a.domains), "")


def read_collaboration(file: Path) -> CollaborationSurvey:
    """Read and check the file.

    Raises:
        CatalogDamaged: It cannot be read, or uses a name that does not exist.
    """
    survey = read_survey(file, CollaborationSurvey)
    known = facets()
    lists = {d.name: list(d.values) for d in survey.dimensions}
    for d in survey.dimensions:
        if d.facet:
            known_only(file, "facet", [d.facet], known)
            known_only(file, f"value of {d.facet}", d.values, known[d.facet].values)
            if missing := known[d.facet].values.keys() - d.values.keys():
                raise damage(file, f"dimension {d.name!r} lacks {', '.join(sorted(missing))}")
    slugs = [p.slug for p in papers()]
    for p in survey.placements:
        known_only(file, "dimension", [p.dimension], lists)
        known_only(file, f"value of {p.dimension}", [p.value], lists[p.dimension])
        known_only(file, "paper", filter(None, [p.paper]), slugs)
    for r in survey.recommendations:
        known_only(file, "dimension", [r.dimension], lists)
        known_only(file, f"value of {r.dimension}", [r.choose], lists[r.dimension])
    for a in survey.applications:
        known_only(file, "domain", a.domains, known["domain"].values)
    return survey


@cache
def collaboration_survey() -> CollaborationSurvey:
    """The survey shipped with the package, read once.

    Raises:
        CatalogDamaged: The file cannot be used.
    """
    return read_collaboration(SURVEY_FILE)
