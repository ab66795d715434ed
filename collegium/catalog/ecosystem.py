"""The mapping of operating systems to agents, with what makes each row true here.

The four levels and ten rows are those of "LLM as OS, Agents as Apps" (arXiv 2312.03815, table 1);
the last columns are ours: a module and a command for every row. The five axes of application types
(section 5) are facets of the catalog; here they are counted.
"""

from __future__ import annotations

import shlex
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import msgspec

from collegium.catalog.entries import papers
from collegium.catalog.taxonomy import CatalogDamaged, facets

ECOSYSTEM_FILE = Path(__file__).with_name("ecosystem.toml")
AXES = ("population", "environment", "interaction", "human-role", "artefact")
"""The facets that classify applications; every paper has one value on each."""


class _Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is true here, the module that makes it so, and a command that shows it."""

    here: str
    module: str
    command: str

    @property
    def words(self) -> list[str]:
        """The command without the program's name, as a list of words."""
        return shlex.split(self.command)[1:]


class Level(_Shown, frozen=True, kw_only=True):
    """One of the four levels: what it is in an operating system, and with agents."""

    name: str
    os: str
    agent: str


class Row(_Shown, frozen=True, kw_only=True):
    """One of the ten rows: a notion of operating systems, and the notion of agents beside it."""

    os: str
    agent: str


class Capability(_Shown, frozen=True, kw_only=True):
    """A point of the road map, and the era of operating systems it belongs to."""

    era: str
    name: str


class Mode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way to deploy, and whether it exists here."""

    number: str
    name: str
    exists: bool
    here: str


class Axis(msgspec.Struct, frozen=True):
    """One axis of application types.

    Attributes:
        name: The facet.
        values: How many papers have each value.
        filled: Share of the papers that have a value and a reason for it.
    """

    name: str
    values: dict[str, int]
    filled: float


class Ecosystem(msgspec.Struct, frozen=True):
    """Levels, mapping, road map and modes as the file holds them, and the axes counted."""

    levels: tuple[Level, ...]
    mapping: tuple[Row, ...]
    roadmap: tuple[Capability, ...]
    modes: tuple[Mode, ...]
    axes: tuple[Axis, ...]

    @property
    def shown(self) -> tuple[Level | Row | Capability, ...]:
        """Everything that names a module and a command."""
        return (*self.levels, *self.mapping, *self.roadmap)


@cache
def ecosystem() -> Ecosystem:
    """The mapping and the counted axes; the file is read once.

    Raises:
        CatalogDamaged: The file cannot be used.
    """
    try:
        raw = tomllib.loads(ECOSYSTEM_FILE.read_text(encoding="utf-8"))
        return msgspec.convert({**raw, "axes": msgspec.to_builtins(axes())}, Ecosystem)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise CatalogDamaged(
            f"The mapping {ECOSYSTEM_FILE.name} cannot be read: {error}."
        ) from error


def axes() -> tuple[Axis, ...]:
    """How the papers lie along each axis."""
    known, every = facets(), papers()
    counted = []
    for name in AXES:
        held = Counter(value for entry in every for value in entry.facets.get(name, ()))
        reasons = sum(name in entry.facets and name in entry.facet_notes for entry in every)
        values = {value: held[value] for value in known[name].values}
        counted.append(Axis(name, values, reasons / len(every)))
    return tuple(counted)
