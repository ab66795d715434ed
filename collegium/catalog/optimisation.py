"""Where every paper of the catalog stands in the survey of how agents are made better.

After "A Survey on the Optimization of Large Language Model-based Agents" (arXiv 2503.12434). The
nine dimensions, their values and the labels of all papers are one file,
``surveys/optimization-survey.toml``; this module reads it, checks it and answers questions about
it. A label is a pair of dimension and value, written ``route=hybrid``.

A paper has a *set* of values on a dimension. Asking for a broader value also finds the narrower
ones: ``parameter-free=feedback-based`` finds self-reflection. Dimensions that do not apply to a
paper are named as such, and so are those of which its sources say nothing.

Paper vs code vs ours
---------------------
* The survey's repository is a reading list: it has no fields that a program could read, and names
  fourteen methods in several sections. Here every paper is one entry with sets of labels.
* The survey labels the methods it lists. Of the catalog's papers it lists six by method; all
  other labels are our reading of the papers.
* Hybrid is a third route of the survey. A hybrid stands here under the two others as well, as the
  survey itself lists AgentGym.
* Rejection sampling has no place among the survey's algorithms: it is fine-tuning on self-explored
  data that the environment or a model filters, and a reward where the paper calls it one.
* Value-based and offline learning share one value, as in the survey.
* Data that is gathered and filtered without training (examples for a prompt) keeps its labels for
  acquisition and filter; the survey asks for them under fine-tuning only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from collegium.catalog.entries import Paper, papers
from collegium.catalog.surveys.reading import damage, known_only, read_survey
from collegium.catalog.taxonomy import facets
from collegium.errors import BadInput, unknown_name

PAPER = "optimization-survey"
SURVEY_FILE = Path(__file__).with_name("surveys") / "optimization-survey.toml"

Label = tuple[str, str]
"""A dimension and one of its values."""


class _Read(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"):
    """What is read from the file has the fields it should have, and no others."""


class Dimension(_Read, frozen=True, kw_only=True):
    """One dimension.

    Attributes:
        name: As labels write it.
        question: What it asks.
        values: Definition of every value.
        within: The broader value that a value belongs to.
        needs: The label without which the dimension does not apply; "" for none.
        facets: Facets of the catalog that file the same values.
    """

    name: str
    question: str
    values: dict[str, str]
    within: dict[str, str] = {}
    needs: str = ""
    facets: tuple[str, ...] = ()

    @property
    def leaves(self) -> tuple[str, ...]:
        """The values that have no narrower ones."""
        return tuple(v for v in self.values if v not in self.within.values())

    def ancestry(self, value: str) -> tuple[str, ...]:
        """A value and its broader one, where it has one."""
        return (value, self.within[value]) if value in self.within else (value,)


class Labels(_Read, frozen=True, kw_only=True):
    """Where one paper stands.

    Attributes:
        on: Its values by dimension.
        not_applicable: Dimensions that do not apply to it.
        not_stated: Dimensions that apply, but of which its sources say nothing.
        listed: Where the survey's own list puts it.
        reason: Why it stands there, in one line.
        code: What does the improving here, as ``module:name``; "" for nothing.
    """

    reason: str
    on: dict[str, tuple[str, ...]] = {}
    not_applicable: tuple[str, ...] = ()
    not_stated: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    code: str = ""


class Count(_Read, frozen=True, kw_only=True):
    """How many entries a section of the survey's list has, and the label it stands for."""

    section: str
    entries: int
    label: str = ""


class Several(_Read, frozen=True, kw_only=True):
    """A method that the survey's list names in several sections."""

    method: str
    places: tuple[str, ...]


class Scope(_Read, frozen=True, kw_only=True):
    """What else the survey orders: data, applications, facts of a method, open problems."""

    evaluation: tuple[str, ...]
    applications: tuple[str, ...]
    facts: tuple[str, ...]
    open_problems: tuple[str, ...]


class OptimisationSurvey(_Read, frozen=True, kw_only=True):
    """The whole file, each list in its order."""

    paper: str
    dimensions: tuple[Dimension, ...]
    counts: tuple[Count, ...]
    several: tuple[Several, ...]
    scope: Scope
    labels: dict[str, Labels]

    def dimension(self, name: str) -> Dimension:
        """The dimension of a name.

        Raises:
            UnknownName: There is none.
        """
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        raise unknown_name("dimension", name, [d.name for d in self.dimensions])


def read_optimisation(
    file: Path = SURVEY_FILE, entries: Sequence[Paper] | None = None
) -> OptimisationSurvey:
    """Read and check the file.

    Args:
        file: The file.
        entries: The papers that must be labelled; None: those of the catalog.

    Raises:
        CatalogDamaged: It cannot be read, uses a name that does not exist, or leaves a paper or a
            dimension of a paper without a word.
    """
    survey = read_survey(file, OptimisationSurvey)
    known_only(file, "facet", (f for d in survey.dimensions for f in d.facets), facets())
    names = [d.name for d in survey.dimensions]
    for d in survey.dimensions:
        known_only(file, f"value of {d.name}", {*d.within, *d.within.values()}, d.values)
    labels = [f"{d.name}={v}" for d in survey.dimensions for v in d.values]
    places = [place for method in survey.several for place in method.places]
    needed = [d.needs for d in survey.dimensions]
    used = [*places, *needed, *(c.label for c in survey.counts)]
    known_only(file, "label", filter(None, used), labels)
    slugs = [p.slug for p in (papers() if entries is None else entries)]
    if unlabelled := [slug for slug in slugs if slug not in survey.labels]:
        raise damage(file, f"no labels for {', '.join(unlabelled)}")
    known_only(file, "paper", survey.labels, slugs)
    for slug, held in survey.labels.items():
        known_only(file, f"label (of {slug})", held.listed, labels)
        stated = (*held.on, *held.not_applicable, *held.not_stated)
        if sorted(stated) != sorted(names):
            raise damage(file, f"{slug} must name each of {', '.join(names)} once")
        for d in survey.dimensions:
            _check(file, slug, d, held)
    return survey


def _check(file: Path, slug: str, d: Dimension, held: Labels) -> None:
    values = held.on.get(d.name, ())
    known_only(file, f"value of {d.name} (of {slug})", values, d.values)
    if d.name in held.on and (not values or len(set(values)) < len(values)):
        raise damage(file, f"{d.name} of {slug} is empty or repeats a value")
    broader = {d.within[v] for v in values if v in d.within} & {*values}
    if broader:
        raise damage(file, f"{d.name} of {slug} repeats {', '.join(broader)}, which is broader")
    if not held.reason.strip():
        raise damage(file, f"{slug} has no reason")
    if d.needs:
        on, _, value = d.needs.partition("=")
        applies = value in held.on.get(on, ())
        if applies == (d.name in held.not_applicable):
            said = "applies" if applies else "does not apply"
            raise damage(file, f"{d.name} {said} to {slug}, by {d.needs}")


@cache
def optimisation_survey() -> OptimisationSurvey:
    """The survey shipped with the package, read once.

    Raises:
        CatalogDamaged: The file cannot be used.
    """
    return read_optimisation()


def labels_of(slug: str) -> Labels:
    """Where a paper stands.

    Raises:
        UnknownName: There is no such paper.
    """
    held = optimisation_survey().labels
    if slug not in held:
        raise unknown_name("paper", slug, held)
    return held[slug]


def parse_label(text: str) -> Label:
    """Read a label written ``dimension=value``.

    A value that only one dimension has may be written alone, as ``sequential``.

    Raises:
        BadInput: It is not written so, or several dimensions have the value.
        UnknownName: There is no such dimension or value.
    """
    survey = optimisation_survey()
    name, equals, value = (part.strip().lower() for part in text.partition("="))
    if equals:
        if value not in (known := survey.dimension(name).values):
            raise unknown_name(f"value of {name}", value, known)
        return name, value
    found = [d.name for d in survey.dimensions if name in d.values]
    if not found:
        raise unknown_name("value", name, {v for d in survey.dimensions for v in d.values})
    if len(found) > 1:
        either = " or ".join(f"{dimension}={name}" for dimension in found)
        raise BadInput(f"{name!r} is a value of {len(found)} dimensions: write {either}.")
    return found[0], name


def holds(slug: str, label: Label) -> bool:
    """Whether a paper has a value on a dimension, or a narrower one.

    Raises:
        UnknownName: There is no such paper or dimension.
    """
    dimension = optimisation_survey().dimension(label[0])
    values = labels_of(slug).on.get(label[0], ())
    return any(label[1] in dimension.ancestry(value) for value in values)


def labelled(wanted: Iterable[Label]) -> list[str]:
    """The papers that have all of some labels.

    Args:
        wanted: Labels as :func:`parse_label` returns them; none: every paper.

    Returns:
        Slugs, sorted.
    """
    asked = list(wanted)
    slugs = sorted(optimisation_survey().labels)
    return [slug for slug in slugs if all(holds(slug, label) for label in asked)]


def leaf_counts() -> dict[str, dict[str, int]]:
    """How many papers stand at each leaf of each dimension.

    A paper stands at several leaves, so that the counts of one dimension may sum to more than the
    papers there are.
    """
    survey = optimisation_survey()
    return {
        d.name: {
            leaf: sum(leaf in held.on.get(d.name, ()) for held in survey.labels.values())
            for leaf in d.leaves
        }
        for d in survey.dimensions
    }
