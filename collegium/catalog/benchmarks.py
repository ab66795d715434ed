"""The registry of benchmarks: what measures what, what runs here, and where nothing does.

After "From LLM Reasoning to Autonomous AI Agents" (arXiv 2504.19678): its eight categories, its
comparison of benchmarks, its frameworks, eleven fields of application, three protocols and open
problems, as rows that can be searched. The evaluation desk that belongs to it is
:mod:`collegium.bench.leaderboard`, the diagnosis of failures :mod:`collegium.bench.diagnosis`.

Paper vs code vs ours: there is no code. The review files a benchmark under one category, though
BFCL is about code and about tools; here a row has one category and others besides. Its
tables disagree on years with each other and with the publications (MMLU, FACTS Grounding, SimpleQA,
GAIA); a row has the year of the publication, and the review's own where it differs. It puts tests
of models beside tests of agents; here the interaction of every row tells them apart. The figure
with its assignment to categories could not be read, so the assignment is ours. Rows that nobody
compared with their publisher's release say so, and can be listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from collegium.catalog.entries import papers
from collegium.catalog.surveys.reading import damage, known_only, read_survey
from collegium.errors import unknown_name

PAPER = "agents-review"

REGISTRY_FILE = Path(__file__).parent / "surveys" / "agents-review.toml"

CATEGORIES = (
    "general & academic knowledge reasoning",
    "mathematical problem solving",
    "code generation & software engineering",
    "factual grounding & retrieval",
    "domain-specific evaluation",
    "multimodal & embodied tasks",
    "task selection/orchestration",
    "agentic & interactive assessment",
)
"""The eight categories of the review, by their names there."""

FIELDS = (
    "materials science",
    "biomedical research",
    "academic ideation",
    "software engineering",
    "synthetic data generation",
    "chemical reasoning",
    "mathematical problem solving",
    "geographic information systems",
    "multimedia",
    "healthcare",
    "finance",
)
"""The eleven fields of application."""

Modality = Literal["text", "code", "image", "table", "audio", "video"]
Interaction = Literal["static", "tool", "multi-turn", "environment"]
Answer = Literal["text", "number", "choice", "latex", "code", "actions", "file", "video"]
Level = Literal["low", "medium", "high"]


class _Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is read from a file has the fields it should have, and no others."""


class Reviewed(_Read, frozen=True, kw_only=True, omit_defaults=True):
    """What the review's comparison says of a benchmark; name and year where they differ there."""

    multimodal: bool
    reasoning: Literal["low", "medium", "moderate", "high"]
    agentic: bool
    name: str = ""
    year: int | None = None


class Published(_Read, frozen=True, kw_only=True):
    """A published score: by which model or people, and when. It is no more than that old."""

    score: str
    by: str
    date: str


class BenchmarkRow(_Read, frozen=True, kw_only=True):
    """One benchmark.

    Attributes:
        name: Its name.
        year: Of its first publication.
        category: The one of the eight it belongs to first.
        measures: What it asks for, in a sentence.
        skills: What it takes to do well; names of the registry's list of skills.
        modality: What goes in and out.
        interaction: Whether a system answers once, calls tools, talks, or acts in a world.
        answer: What is judged.
        metric: How.
        contamination: How likely models have seen its answers: high for public answers older than
            2023, low where questions change, are held back or are played and not read.
        also: Other categories it belongs to.
        size: Tasks in its test part; None: not known, or made anew.
        size_note: What the size leaves open.
        licence: Of the data; "" where it was not looked up.
        verified: Year, size and licence were compared with the publisher's release.
        source: With what the row was compared; "" for nothing.
        review: What the review's comparison says; None for benchmarks that are not in it.
        reported: A published score.
        human: A published score of people.
        runs_as: Its name on the command line here; "" where it does not run.
        adapter: The module that reads it.
        paper: Slug of the paper of the catalog that presents it.
    """

    name: str
    year: int
    category: str
    measures: str
    skills: tuple[str, ...]
    modality: tuple[Modality, ...]
    interaction: Interaction
    answer: Answer
    metric: str
    contamination: Level
    also: tuple[str, ...] = ()
    size: int | None = None
    size_note: str = ""
    licence: str = ""
    verified: bool = False
    source: str = ""
    review: Reviewed | None = None
    reported: Published | None = None
    human: Published | None = None
    runs_as: str = ""
    adapter: str = ""
    paper: str = ""

    @property
    def offline(self) -> bool:
        """Whether it runs here without the network, once its data are on the disk."""
        return bool(self.runs_as)

    @property
    def categories(self) -> tuple[str, ...]:
        """The first category and the others."""
        return (self.category, *self.also)


class Category(_Read, frozen=True, kw_only=True):
    """One of the eight categories, and the papers of the catalog whose systems work in it."""

    name: str
    meaning: str
    papers: tuple[str, ...] = ()


class Framework(_Read, frozen=True, kw_only=True):
    """A framework for agents; every cell in a few words."""

    name: str
    year: int
    idea: str
    planning: str
    memory: str
    tools: str
    multi_agent: str
    human: str
    local: str


class Demo(_Read, frozen=True, kw_only=True):
    """A system that runs here, and a task of a field for it."""

    system: str
    task: str
    answer: Literal["text", "number", "choice", "latex", "code"] = "text"


class Application(_Read, frozen=True, kw_only=True):
    """A field of application, the papers that work in it, and what can be tried."""

    name: str
    meaning: str
    papers: tuple[str, ...] = ()
    demos: tuple[Demo, ...] = ()


class Protocol(_Read, frozen=True, kw_only=True):
    """A protocol, and the paper of the catalog it belongs to."""

    name: str
    title: str
    year: int
    by: str
    connects: str
    carries: str
    paper: str


class Problem(_Read, frozen=True, kw_only=True):
    """An open problem, and the papers of the catalog that work on it."""

    name: str
    meaning: str
    papers: tuple[str, ...] = ()


class Registry(_Read, frozen=True, kw_only=True):
    """The whole registry, each list in the order of the file."""

    paper: str
    categories: tuple[Category, ...]
    skills: dict[str, str]
    benchmarks: tuple[BenchmarkRow, ...]
    frameworks: tuple[Framework, ...]
    applications: tuple[Application, ...]
    protocols: tuple[Protocol, ...]
    problems: tuple[Problem, ...]

    def row(self, name: str) -> BenchmarkRow:
        """The benchmark of a name, in any case, or of its name on the command line.

        Raises:
            UnknownName: There is none.
        """
        for row in self.benchmarks:
            if name.casefold() in (row.name.casefold(), row.runs_as):
                return row
        raise unknown_name("benchmark of the registry", name, [r.name for r in self.benchmarks])

    def fields_of(self, paper: str) -> tuple[str, ...]:
        """The fields of application a paper of the catalog works in."""
        return tuple(a.name for a in self.applications if paper in a.papers)


class Gaps(msgspec.Struct, frozen=True):
    """Where nothing runs.

    Attributes:
        without_benchmark: Categories of which no benchmark runs here.
        without_system: Categories in which no paper with a system here works.
        without_demo: Fields of application in which nothing can be tried.
        without_work: Open problems on which no paper here works.
    """

    without_benchmark: tuple[str, ...]
    without_system: tuple[str, ...]
    without_demo: tuple[str, ...]
    without_work: tuple[str, ...]


def read_registry(file: Path) -> Registry:
    """Read and check a registry.

    Raises:
        CatalogDamaged: It cannot be read, lacks or repeats something, or uses an unknown name.
    """
    read = read_survey(file, Registry)
    for what, names, wanted in (
        ("categories", [c.name for c in read.categories], CATEGORIES),
        ("applications", [a.name for a in read.applications], FIELDS),
    ):
        if tuple(names) != wanted:
            raise damage(file, f"its {what} must be exactly: {', '.join(wanted)}")
    slugs = [p.slug for p in papers()]
    seen: set[str] = set()
    for row in read.benchmarks:
        if row.name.casefold() in seen:
            raise damage(file, f"{row.name!r} is in it twice")
        seen.add(row.name.casefold())
        known_only(file, "category", row.categories, CATEGORIES)
        known_only(file, "skill", row.skills, read.skills)
        known_only(file, "paper", filter(None, [row.paper]), slugs)
        if fault := _fault(row):
            raise damage(file, f"{row.name!r} {fault}")
    for one in (*read.categories, *read.applications, *read.problems):
        known_only(file, "paper", one.papers, slugs)
    known_only(file, "paper", (p.paper for p in read.protocols), slugs)
    return read


@cache
def registry() -> Registry:
    """The registry shipped with the package, read once.

    Raises:
        CatalogDamaged: The file cannot be used.
    """
    return read_registry(REGISTRY_FILE)


def find_benchmarks(
    known: Registry,
    *,
    query: str = "",
    category: str = "",
    skill: str = "",
    interaction: str = "",
    offline: bool | None = None,
    verified: bool | None = None,
) -> list[BenchmarkRow]:
    """Which benchmark to use for what.

    Args:
        known: The registry.
        query: Words that must all occur in name or description.
        category: One of the eight, or the beginning of a word of its name; rows that only also
            belong to it come after those that belong to it first.
        skill: A skill it must take.
        interaction: How a system deals with it.
        offline: Only those that run here, or only those that do not.
        verified: Only rows that were checked, or only those that were not.

    Returns:
        The rows; those that run here first, then the newest.

    Raises:
        UnknownName: There is no such category, skill or interaction.
    """
    wanted = _category(category) if category else ""
    if skill and skill not in known.skills:
        raise unknown_name("skill", skill, known.skills)
    interactions = ("static", "tool", "multi-turn", "environment")
    if interaction and interaction not in interactions:
        raise unknown_name("interaction", interaction, interactions)
    words = query.casefold().split()
    found = [
        row
        for row in known.benchmarks
        if (not wanted or wanted in row.categories)
        and (not skill or skill in row.skills)
        and (not interaction or interaction == row.interaction)
        and offline in (None, row.offline)
        and verified in (None, row.verified)
        and all(word in f"{row.name} {row.measures}".casefold() for word in words)
    ]
    return sorted(
        found,
        key=lambda r: (bool(wanted) and r.category != wanted, not r.offline, -r.year, r.name),
    )


def gaps(known: Registry, implemented: Collection[str], systems: Collection[str]) -> Gaps:
    """Say where nothing runs.

    Args:
        known: The registry.
        implemented: Slugs of the papers that something here implements.
        systems: Names of the systems there are; a demo of another one is no demo.
    """
    served = {row.category for row in known.benchmarks if row.offline}
    return Gaps(
        without_benchmark=tuple(c.name for c in known.categories if c.name not in served),
        without_system=_idle(known.categories, implemented),
        without_demo=tuple(
            a.name for a in known.applications if not any(d.system in systems for d in a.demos)
        ),
        without_work=_idle(known.problems, implemented),
    )


def _idle(groups: Iterable[Category | Problem], implemented: Collection[str]) -> tuple[str, ...]:
    return tuple(g.name for g in groups if not any(p in implemented for p in g.papers))


def _category(text: str) -> str:
    """The category that is meant by its name or the beginning of a word of it."""
    plain = text.casefold().strip()
    for name in CATEGORIES:
        if plain == name or any(word.startswith(plain) for word in name.replace("/", " ").split()):
            return name
    raise unknown_name("category", text, CATEGORIES)


def _fault(row: BenchmarkRow) -> str:
    """What is wrong with a row; "" if nothing is."""
    texts = {"name": row.name, "measures": row.measures, "metric": row.metric}
    if empty := [name for name, text in texts.items() if not text.strip()]:
        return f"has an empty {empty[0]!r}"
    if not row.skills or not row.modality:
        return "needs at least one skill and one modality"
    if row.category in row.also or len(set(row.also)) < len(row.also):
        return "names a category twice"
    if row.size is not None and row.size < 1:
        return "has a size below 1"
    if row.verified and not (row.source and row.licence):
        return "is verified but does not name its source and licence"
    if bool(row.runs_as) != bool(row.adapter):
        return "needs runs_as and adapter together"
    if row.offline and not row.verified:
        return "runs here, so its row has to be verified"
    return ""
