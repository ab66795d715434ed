"""The populations of the agent-torch package, read from where the user has installed it.

Nothing of that package is imported or copied. Its pickled columns are opened by a reader that knows
how to make numpy arrays and nothing else: whatever else a file names becomes an empty shell.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.society.frames import polars, read_frame
from collegium.society.network import Layer, from_edges
from collegium.society.population import AGES, Categories, read_edges, smallest
from collegium.society.state import Array, Table

WEEK_COLUMN = "cases_week"


class Place(msgspec.Struct, frozen=True):
    """A packaged population.

    Attributes:
        people: Age, gender, ethnicity, area of everyone.
        layers: Its contact networks; none where none is packaged.
        infected: Whether each person is infected at first.
        categories: What the values of the columns are called.
    """

    people: Table
    layers: dict[str, Layer]
    infected: Array
    categories: tuple[Categories, ...]


def package_folder() -> Path:
    """Where agent-torch is installed.

    Raises:
        BadInput: It is not.
    """
    found = importlib.util.find_spec("agent_torch")
    if found is None or not found.submodule_search_locations:
        raise BadInput(
            "the packaged populations need agent-torch: pip install --no-deps agent-torch==0.6.0"
        )
    return Path(next(iter(found.submodule_search_locations)))


def astoria() -> Place:
    """Astoria, 37,518 people with a network of contacts.

    Raises:
        BadInput: The package is missing or differs.
    """
    folder = package_folder() / "populations" / "astoria"
    people, categories = _people(folder, ".parquet")
    ends = read_edges_of(folder / "mobility_networks" / "0.csv")
    stages = read_frame(folder / "disease_stages.csv").to_series(0).to_numpy()
    layer = from_edges(len(people), *ends)
    return Place(people, {"mobility": layer}, (stages > 0).astype(np.uint8), categories)


def brooklyn() -> Place:
    """2.7 million people of Brooklyn, without contacts.

    Its columns of households and counties hold fewer rows and are left out.

    Raises:
        BadInput: The package is missing or differs.
    """
    people, categories = _people(package_folder() / "populations" / "NYC", ".pickle")
    return Place(people, {}, np.zeros(len(people), np.uint8), categories)


def weekly_cases(neighbourhood: str = "Astoria") -> list[float]:
    """The cases that were counted there, week by week from August 2020 on.

    Raises:
        BadInput: The package is missing, or there is no such neighbourhood.
    """
    pl = polars()
    frame = read_frame(package_folder() / "models" / "covid" / "data" / "county_data.csv")
    chosen = frame.filter(pl.col("neighborhood") == neighbourhood)
    if not chosen.height:
        known = ", ".join(sorted(frame["neighborhood"].unique().to_list()))
        raise BadInput(f"no cases are known of {neighbourhood!r}, only of {known}.")
    return chosen.sort("date")[WEEK_COLUMN].cast(pl.Float64).fill_null(0.0).to_list()


def read_edges_of(file: Path) -> tuple[Array, Array]:
    """The two ends of edges in a file without a heading."""
    first, second = read_edges(file)
    heading = read_frame(file).columns[:2]
    return (
        np.concatenate([[int(heading[0])], first]),
        np.concatenate([[int(heading[1])], second]),
    )


def _people(folder: Path, suffix: str) -> tuple[Table, tuple[Categories, ...]]:
    columns: dict[str, Array] = {}
    categories = []
    try:
        names = msgspec.json.decode((folder / "mapping.json").read_bytes())
        for column in ("age", "gender", "ethnicity", "area"):
            file = folder / f"{column}{suffix}"
            pickled = suffix == ".pickle"
            values = read_pickled(file) if pickled else read_frame(file).to_series(0).to_numpy()
            known = tuple(names[column])
            if column == "age":  # their order of ages is not that of time
                values = np.array([AGES.index(name) for name in known])[values]
                known = AGES
            columns[column] = smallest(values)
            categories.append(Categories(column, known))
    except (OSError, KeyError, ValueError, msgspec.DecodeError) as error:
        raise BadInput(f"{folder} does not hold what agent-torch 0.6.0 does: {error}.") from None
    return Table(columns), tuple(categories)


class _Shell:
    """Stands for any class a file names; keeps what it is given and does nothing with it."""

    def __init__(self, *given: Any, **more: Any) -> None:
        self.held: list[Any] = [*given, *more.values()]

    def __setstate__(self, state: Any) -> None:
        self.held = [*getattr(self, "held", []), state]


def _array(buffer: Any, dtype: Any, shape: Any, order: str) -> Array:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]


class _Arrays(pickle.Unpickler):
    """Opens arrays alone."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.partition(".")[0], name) == ("numpy", "dtype"):
            return np.dtype
        if (module.partition(".")[0], name) == ("numpy", "_frombuffer"):
            return _array
        return _Shell


def read_pickled(file: Path) -> Array:
    """The longest array in a pickled column.

    Raises:
        BadInput: There is none, or the file cannot be read.
    """
    try:
        kept = _Arrays(io.BytesIO(file.read_bytes())).load()
    except (OSError, pickle.UnpicklingError, EOFError, TypeError, ValueError) as error:
        raise BadInput(f"{file} is not a pickled column: {error}.") from None
    arrays = list(_arrays(kept, 0))
    if not arrays:
        raise BadInput(f"{file} holds no numbers.")
    return max(arrays, key=len)


def _arrays(value: Any, depth: int) -> Any:
    if isinstance(value, np.ndarray):
        yield value.ravel()
    elif depth < 12:
        if isinstance(value, _Shell):
            yield from _arrays(value.held, depth + 1)
        elif isinstance(value, dict):
            yield from _arrays(list(value.values()), depth + 1)
        elif isinstance(value, list | tuple):
            for part in value:
                yield from _arrays(part, depth + 1)
