"""The words papers are filed under: kinds, rooms and facets with their allowed values."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from collegium.errors import BadInput, CollegiumError, unknown_name

TAXONOMY_FILE = Path(__file__).with_name("taxonomy.toml")


class CatalogDamaged(CollegiumError):
    """A file of the catalog cannot be used; the message names the file and the fault."""


class BadFacet(BadInput):
    """A facet filter is not written as ``name=value``."""


class Facet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One axis along which papers are filed.

    ``values`` maps each allowed value to its definition, ``within`` maps a value to the broader
    value it belongs to, and ``source`` is the slug of the paper the axis comes from. Where ``one``
    is set, a paper that is filed along the axis has one value on it, and a note with the reason.
    """

    name: str
    definition: str
    source: str
    values: dict[str, str]
    within: dict[str, str] = {}
    one: bool = False

    def ancestry(self, value: str) -> tuple[str, ...]:
        """Return ``value`` followed by its broader values, narrowest first."""
        line = [value]
        while (broader := self.within.get(line[-1])) is not None and broader not in line:
            line.append(broader)
        return tuple(line)


class Taxonomy(msgspec.Struct, frozen=True):
    """All kinds, rooms and facets, each in the order of the file."""

    kinds: dict[str, str]
    rooms: dict[str, str]
    facets: dict[str, Facet]


def read_taxonomy(file: Path) -> Taxonomy:
    """Read and check a taxonomy file.

    Args:
        file: a TOML file with the tables ``kinds``, ``rooms`` and ``facets``.

    Returns:
        The taxonomy it holds.

    Raises:
        CatalogDamaged: the file is missing, is not TOML, or refers to a value it does not define.
    """
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        for name, facet in raw.get("facets", {}).items():
            facet["name"] = name
        taxonomy = msgspec.convert(raw, Taxonomy)
    except (OSError, ValueError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise CatalogDamaged(f"The taxonomy {file.name} cannot be read: {error}.") from error
    for facet in taxonomy.facets.values():
        for value in {*facet.within, *facet.within.values()} - facet.values.keys():
            raise CatalogDamaged(
                f"The taxonomy {file.name} uses {value!r} in facet {facet.name!r} undefined."
            )
    return taxonomy


@cache
def taxonomy() -> Taxonomy:
    """Return the taxonomy shipped with the package, read once.

    Raises:
        CatalogDamaged: the shipped file cannot be used.
    """
    return read_taxonomy(TAXONOMY_FILE)


def kinds() -> dict[str, str]:
    """Return every kind of paper with its one-line definition."""
    return dict(taxonomy().kinds)


def rooms() -> dict[str, str]:
    """Return every room of the house with its one-line definition."""
    return dict(taxonomy().rooms)


def facets() -> dict[str, Facet]:
    """Return every facet by name."""
    return dict(taxonomy().facets)


def check_kind(kind: str) -> str:
    """Return ``kind`` as the catalog writes it.

    Args:
        kind: a kind in any case, with spaces, hyphens or underscores.

    Raises:
        UnknownName: no such kind; the message suggests the nearest one.
    """
    wanted = " ".join(kind.lower().replace("-", " ").replace("_", " ").split())
    if wanted not in taxonomy().kinds:
        raise unknown_name("kind", kind, taxonomy().kinds)
    return wanted


def check_facet(name: str, value: str) -> tuple[str, str]:
    """Return a facet's name and value as the catalog writes them.

    Case, underscores and the spellings in ``-ize`` are accepted.

    Args:
        name: the facet's name.
        value: one of its values.

    Raises:
        UnknownName: no such facet, or the facet has no such value; the message suggests one.
    """
    known = taxonomy().facets
    facet = known.get(found := _plain(name, known))
    if facet is None:
        raise unknown_name("facet", name, known)
    if (chosen := _plain(value, facet.values)) not in facet.values:
        raise unknown_name(f"value of facet {found}", value, facet.values)
    return found, chosen


def parse_facet(text: str) -> tuple[str, str]:
    """Read a facet filter written as ``name=value``.

    Args:
        text: for example ``"structure=hierarchical"``.

    Returns:
        The checked name and value.

    Raises:
        BadFacet: the text has no ``=``, or nothing on one side of it.
        UnknownName: no such facet, or the facet has no such value.
    """
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise BadFacet(f"A facet is written name=value, such as domain=medicine, not {text!r}.")
    return check_facet(name, value)


def holds(facet: str, wanted: str, values: Iterable[str]) -> bool:
    """Say whether one of ``values`` is ``wanted`` or lies within it.

    Args:
        facet: the facet's name.
        wanted: the value asked for.
        values: the values a paper has on that facet.
    """
    known = taxonomy().facets[facet]
    return any(wanted in known.ancestry(value) for value in values)


def _plain(word: str, known: Mapping[str, object]) -> str:
    """Bring a word into the catalog's spelling, keeping it if that makes it no better known."""
    plain = "-".join(word.lower().replace("_", " ").split())
    british = plain.replace("iz", "is")
    return british if plain not in known and british in known else plain
