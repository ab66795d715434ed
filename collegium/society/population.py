"""Populations: made from marginals, or read from a file.

Iterative proportional fitting (Deming and Stephan, 1940) finds the joint table that keeps the
interactions of a seed table and has the marginals that are known. It is a few lines here: the
packages for it on the index are not kept up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from collegium.errors import BadInput, unknown_name
from collegium.society.chance import generator
from collegium.society.frames import polars, read_frame
from collegium.society.state import Array, Table

AGES = ("U19", "20t29", "30t39", "40t49", "50t64", "65A")
"""Age groups of the populations here, by number."""

SEXES = ("female", "male")


class Categories(msgspec.Struct, frozen=True):
    """What the numbers of a column stand for.

    Attributes:
        column: Name of the column.
        names: Name of each value, from 0.
    """

    column: str
    names: tuple[str, ...]


def fit(
    seed: Array,
    marginals: Mapping[tuple[int, ...], Array],
    *,
    tolerance: float = 1e-9,
    rounds: int = 1000,
) -> Array:
    """Fit a table to marginals (iterative proportional fitting).

    Args:
        seed: The table to begin with; its zeros stay zeros.
        marginals: Wanted sums by the axes they keep: ``{(0,): ages, (1, 2): sex by area}``.
        tolerance: Largest relative error of a marginal that is good enough.
        rounds: Most rounds over all marginals.

    Returns:
        The fitted table.

    Raises:
        BadInput: The marginals have other shapes than the table, contradict each other, or need
            cells that the seed rules out.
    """
    table = np.array(seed, float)
    totals = {axes: float(np.sum(wanted)) for axes, wanted in marginals.items()}
    if not totals or (table < 0).any():
        raise BadInput("fitting needs a table without negative cells, and at least one marginal.")
    if max(totals.values()) - min(totals.values()) > 1e-6 * max(totals.values()):
        shown = ", ".join(f"{total:g}" for total in totals.values())
        raise BadInput(f"the marginals contradict each other: they sum to {shown}.")
    for axes, wanted in marginals.items():
        shape = tuple(table.shape[a] for a in axes)
        if np.shape(wanted) != shape:
            raise BadInput(f"the marginal of axes {axes} must have shape {shape}.")
        if ((_sum(table, axes) == 0) & (np.asarray(wanted) > 0)).any():
            raise BadInput(f"the marginal of axes {axes} needs cells that are zero in the table.")
    worst = np.inf
    for _ in range(rounds):
        worst = 0.0
        for axes, wanted in marginals.items():
            have = _sum(table, axes)
            ratio = np.divide(wanted, have, out=np.ones_like(have), where=have > 0)
            worst = max(worst, float(np.abs(ratio - 1)[np.asarray(wanted) > 0].max(initial=0)))
            missing = [a for a in range(table.ndim) if a not in axes]
            # the axes of a ratio come in the marginal's order, those of the table in its own
            table *= np.expand_dims(np.transpose(ratio, np.argsort(axes)), tuple(missing))
        if worst <= tolerance:
            return table
    raise BadInput(
        f"the marginals cannot be met together: after {rounds} rounds one is still {worst:.2g} off."
    )


def _sum(table: Array, axes: tuple[int, ...]) -> Array:
    """The marginal over these axes, in their order."""
    rest = tuple(a for a in range(table.ndim) if a not in axes)
    summed = table.sum(axis=rest)
    return np.transpose(summed, np.argsort(np.argsort(axes)))


def whole_numbers(table: Array, total: int, random: np.random.Generator) -> Array:
    """Whole numbers that follow a table and sum to ``total`` (largest remainders, ties by lot)."""
    exact = table / table.sum() * total
    counts = np.floor(exact).astype(np.int64)
    rest = (exact - counts).ravel()
    order = np.lexsort((random.random(rest.size), -rest))
    flat = counts.ravel()
    flat[order[: total - int(flat.sum())]] += 1
    return flat.reshape(table.shape)


def synthesise(
    agents: int,
    categories: Sequence[Categories],
    marginals: Mapping[tuple[str, ...], Array],
    *,
    seed: int = 0,
    joint: Array | None = None,
) -> dict[str, Array]:
    """Make a population whose marginals are as given.

    Args:
        agents: How many.
        categories: The columns and their values.
        marginals: Shares or counts by the columns they are of: ``{("age",): ..., ("sex",): ...}``.
        seed: Draws the order of people.
        joint: A sample's joint table, whose interactions are kept; None: independent.

    Returns:
        The columns, in random order of people.

    Raises:
        BadInput: The marginals contradict each other or the columns.
        UnknownName: A marginal is of a column that there is not.
    """
    names = [c.column for c in categories]
    shape = tuple(len(c.names) for c in categories)
    by_axes: dict[tuple[int, ...], Array] = {}
    for columns, wanted in marginals.items():
        for column in columns:
            if column not in names:
                raise unknown_name("column", column, names)
        values = np.asarray(wanted, float)
        by_axes[tuple(names.index(c) for c in columns)] = values / values.sum()
    table = fit(np.ones(shape) if joint is None else joint, by_axes)
    random = generator(seed, "population")
    counts = whole_numbers(table, agents, random)
    cells = np.repeat(np.arange(counts.size, dtype=np.int32), counts.ravel())
    random.shuffle(cells)
    split = np.unravel_index(cells, shape)
    return {name: values.astype(np.uint8) for name, values in zip(names, split, strict=True)}


CITY_AGES = np.array([0.23, 0.15, 0.15, 0.12, 0.19, 0.16])
"""Shares of the six age groups in a large city, in round numbers."""

HOUSEHOLDS = np.array([0.32, 0.28, 0.16, 0.13, 0.07, 0.04])
"""Shares of households with 1 to 6 people, in round numbers."""


def city(agents: int, *, areas: int = 5, seed: int = 0) -> Table:
    """A population like that of a large city: age, sex, area and household of everyone.

    Args:
        agents: How many people.
        areas: How many areas of equal size it has.
        seed: Fixes it.

    Raises:
        BadInput: There are no people, or more areas than can be numbered.
    """
    if agents < 1 or not 1 <= areas <= 255:
        raise BadInput(f"a city needs at least 1 person and 1 to 255 areas, not {agents}, {areas}.")
    columns = synthesise(
        agents,
        (
            Categories("age", AGES),
            Categories("sex", SEXES),
            Categories("area", tuple(f"area {i + 1}" for i in range(areas))),
        ),
        {("age",): CITY_AGES, ("sex",): np.array([0.52, 0.48]), ("area",): np.ones(areas)},
        seed=seed,
    )
    columns["household"] = households(columns["area"], seed=seed)
    return Table(columns)


def households(area: Array, *, seed: int = 0) -> Array:
    """Put people of the same area together into households of realistic sizes.

    Args:
        area: The area of each person.
        seed: Fixes it.

    Returns:
        Number of each person's household.
    """
    random = generator(seed, "households")
    agents = len(area)
    mean = float((HOUSEHOLDS * np.arange(1, 7)).sum())
    order = random.permutation(agents).astype(np.int32)
    order = order[np.argsort(area[order], kind="stable")]
    count = int(agents / mean * 1.2) + 16
    sizes = random.choice(np.arange(1, 7), size=count, p=HOUSEHOLDS / HOUSEHOLDS.sum())
    while sizes.sum() < agents:
        sizes = np.concatenate([sizes, random.choice(np.arange(1, 7), size=count, p=HOUSEHOLDS)])
    number = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[:agents]
    # A household does not lie in two areas: the area is part of what tells households apart.
    apart = np.concatenate([[0], np.cumsum(np.diff(area[order].astype(np.int32)) != 0)])
    number = number + apart.astype(np.int32)
    jumps = np.concatenate([[0], np.cumsum(np.diff(number) != 0)]).astype(np.int32)
    found = np.empty(agents, np.int32)
    found[order] = jumps
    return found


def read_population(file: Path, needed: Sequence[str]) -> tuple[Table, dict[str, tuple[str, ...]]]:
    """Read a population from a CSV or Parquet file, one person a row.

    Columns of text become numbers; which stands for what comes back beside the table.

    Args:
        file: Where it is.
        needed: Columns that must be there.

    Raises:
        BadInput: The file cannot be read, is empty, lacks a column, or has empty cells.
        MissingExtra: polars is not installed.
    """
    frame = read_frame(file)
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        raise BadInput(
            f"{file} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"it has {', '.join(frame.columns)}."
        )
    if frame.height == 0:
        raise BadInput(f"{file} holds no people.")
    columns: dict[str, Array] = {}
    names: dict[str, tuple[str, ...]] = {}
    for column in frame.columns:
        series = frame[column]
        if series.null_count():
            raise BadInput(f"column {column!r} of {file} has {series.null_count()} empty cells.")
        if series.dtype.is_integer():
            columns[column] = smallest(series.to_numpy())
        elif series.dtype.is_numeric():
            columns[column] = series.to_numpy().astype(np.float32)
        else:
            values, numbers = np.unique(
                series.cast(polars().String).to_numpy(), return_inverse=True
            )
            known = AGES if column == "age" and set(values) <= set(AGES) else tuple(values.tolist())
            order = np.array([known.index(v) for v in values.tolist()])
            names[column] = tuple(known)
            columns[column] = smallest(order[numbers])
    return Table(columns), names


def smallest(values: Array) -> Array:
    """Whole numbers in the smallest type that holds them."""
    for kind in (np.uint8, np.int16, np.int32):
        info = np.iinfo(kind)
        if len(values) and info.min <= values.min() and values.max() <= info.max:
            return values.astype(kind)
    return values.astype(np.int64)


def read_edges(file: Path) -> tuple[Array, Array]:
    """Read the ends of edges from the first two columns of a CSV or Parquet file.

    Raises:
        BadInput: The file cannot be read, has one column alone, or an end is no whole number.
    """
    frame = read_frame(file)
    if len(frame.columns) < 2:
        raise BadInput(f"{file} needs two columns: the two ends of each edge.")
    ends = []
    for column in frame.columns[:2]:
        if not frame[column].dtype.is_integer():
            raise BadInput(f"column {column!r} of {file} must hold numbers of agents.")
        ends.append(frame[column].to_numpy())
    return ends[0], ends[1]
