"""Where the people and contacts of a run come from: made up, from marginals, or from files.

A population is named by a file of people (CSV or Parquet, one a row), by a file of marginals (TOML
or JSON), or by the name of one that the user's installation of agent-torch holds.

```toml
[values]
age = ["U19", "20t29", "30t39", "40t49", "50t64", "65A"]
area = ["north", "south"]

[[marginal]]
columns = ["age"]
counts = [4100, 2900, 2800, 2300, 3600, 3100]

[[marginal]]
columns = ["area", "age"]
counts = [[2000, 1400, 1500, 1200, 1900, 1800], [2100, 1500, 1300, 1100, 1700, 1300]]
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.society.contacts import FACTORS, contact_layers
from collegium.society.frames import read_frame
from collegium.society.network import Layer, from_edges
from collegium.society.population import (
    AGES,
    SEXES,
    Categories,
    city,
    households,
    read_edges,
    read_population,
    synthesise,
)
from collegium.society.state import Array, Table

PACKAGED = ("astoria", "brooklyn")
"""Populations that are read from the user's installation of agent-torch."""


class _Marginal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    columns: tuple[str, ...]
    counts: Any


class _Marginals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    values: dict[str, tuple[str, ...]]
    marginal: tuple[_Marginal, ...]


class Source(msgspec.Struct, frozen=True):
    """The people of a run.

    Attributes:
        people: Their columns.
        categories: What the values of the columns are called.
        layers: Their contacts, where they come with the people.
        infected: Who is infected at first, where that comes with the people.
    """

    people: Table
    categories: tuple[Categories, ...]
    layers: dict[str, Layer] = {}
    infected: Array | None = None


def people_of(named: str, agents: int, seed: int, needed: Sequence[str]) -> Source:
    """The people of a run.

    Args:
        named: A file, or the name of a packaged population; "" makes up a city.
        agents: How many, where they are made up or made from marginals.
        seed: Fixes what is drawn.
        needed: Columns that they must have.

    Raises:
        BadInput: The file is not what it must be, or agent-torch is not installed.
    """
    layers: dict[str, Layer] = {}
    infected: Array | None = None
    names: Mapping[str, tuple[str, ...]] = {}
    file = Path(named)
    if not named:
        people = city(agents, seed=seed)
    elif named in PACKAGED and not file.exists():
        from collegium.society.covid import packaged

        place = packaged.astoria() if named == "astoria" else packaged.brooklyn()
        people, layers = place.people, dict(place.layers)
        infected = place.infected if place.infected.any() else None
        names = {c.column: c.names for c in place.categories}
    elif file.suffix in (".toml", ".json"):
        columns, names = from_marginals(file, agents, seed)
        people = Table(columns)
    else:
        people, names = read_population(file, needed)
    missing = [c for c in needed if c not in people]
    if missing:
        raise BadInput(
            f"{named} lacks the column {', '.join(missing)}; it has {', '.join(people)}."
        )
    if named:
        _complete(people, named, names, seed)
    return Source(people, tuple(_categories(people, names)), layers, infected)


def _complete(people: Table, named: str, names: Mapping[str, tuple[str, ...]], seed: int) -> None:
    """Check ages, and add areas and households where there are none."""
    told = tuple(names.get("age", AGES))
    highest = int(people["age"].max())
    if highest >= len(AGES) or told != AGES:
        wrong = ", ".join(told) if told != AGES else highest
        raise BadInput(
            f"column 'age' of {named} must hold the age group, 0 to {len(AGES) - 1} "
            f"({', '.join(AGES)}), not {wrong}."
        )
    if "area" not in people:
        people["area"] = np.zeros(len(people), np.uint8)
    if "household" not in people:
        people["household"] = households(people["area"], seed=seed)


def _categories(people: Table, names: Mapping[str, tuple[str, ...]]) -> list[Categories]:
    known = {"age": AGES, "sex": SEXES, **names}
    found = []
    for column in people:
        if column == "household" or people[column].dtype.kind not in "iu":
            continue
        most = int(people[column].max()) + 1
        called = tuple(known.get(column, ()))
        if len(called) < most <= 256:
            called = tuple(f"{column} {i + 1}" for i in range(most))
        if len(called) >= most:
            found.append(Categories(column, called))
    return found


def from_marginals(
    file: Path, agents: int, seed: int
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Make people from a file of marginals, by iterative proportional fitting.

    Args:
        file: TOML or JSON with ``values`` and ``marginal``.
        agents: How many people.
        seed: Draws their order.

    Returns:
        The columns, and what their values are called.

    Raises:
        BadInput: The file cannot be read, or the marginals contradict each other or the values.
    """
    try:
        decode = msgspec.json.decode if file.suffix == ".json" else msgspec.toml.decode
        made = decode(file.read_bytes(), type=_Marginals)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"{file} is not a file of marginals: {error}.") from None
    if not made.values or not made.marginal:
        raise BadInput(f"{file} needs [values] and at least one [[marginal]].")
    marginals = {}
    for marginal in made.marginal:
        try:
            counts = np.array(marginal.counts, float)
        except (TypeError, ValueError):
            raise BadInput(f"{file}: the counts of {marginal.columns} are not a table.") from None
        if counts.size == 0 or not np.isfinite(counts).all() or counts.sum() <= 0:
            raise BadInput(f"{file}: the counts of {marginal.columns} must be positive numbers.")
        marginals[marginal.columns] = counts
    categories = [Categories(c, names) for c, names in made.values.items()]
    return synthesise(agents, categories, marginals, seed=seed), dict(made.values)


def layers_of(source: Source, contacts: str, seed: int) -> dict[str, Layer]:
    """The contacts of a run's people.

    Args:
        source: The people; contacts that come with them are taken unless a file is named.
        contacts: CSV or Parquet whose first two columns are the ends of edges; a third column
            ``layer`` names the layer of each. "" makes up household, school, work and random.
        seed: Fixes what is made up.

    Raises:
        BadInput: The file is not what it must be.
    """
    if not contacts:
        return source.layers or contact_layers(source.people, seed=seed)
    file, count = Path(contacts), len(source.people)
    first, second = read_edges(file)
    frame = read_frame(file)
    if "layer" not in frame.columns[2:]:
        return {"contacts": from_edges(count, first, second)}
    names = np.array([str(name) for name in frame["layer"].to_list()])
    return {
        str(name): from_edges(
            count, first[names == name], second[names == name], factor=FACTORS.get(str(name), 1.0)
        )
        for name in np.unique(names)
    }
