"""The state of a society: tables of columns, layers of edges, texts and plain values.

Everything a step may read or change lies here. So a state can be copied, compared by its digest,
and written to a folder, without knowing which simulator it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from collegium.errors import BadInput, unknown_name
from collegium.society.network import Layer

Array = NDArray[Any]


class Table:
    """Rows as columns of equal length, which grow together.

    Args:
        columns: The columns; the first axis is the row.

    Raises:
        BadInput: They have different lengths.
    """

    def __init__(self, columns: Mapping[str, Array]) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise BadInput(f"columns of one table must have one length, not {lengths}.")
        self._data = dict(columns)
        self._rows = next(iter(lengths.values()), 0)

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __getitem__(self, name: str) -> Array:
        if name not in self._data:
            raise unknown_name("column", name, self._data)
        return self._data[name][: self._rows]

    def __setitem__(self, name: str, values: Array) -> None:
        if self._data and len(values) != self._rows:
            raise BadInput(
                f"column {name!r} has {len(values)} values; the table has {self._rows} rows."
            )
        self._data[name] = values
        self._rows = len(values)

    def append(self, rows: int, **values: Any) -> slice:
        """Add rows; a column that is not named is filled with zeros.

        Args:
            rows: How many.
            values: By column: one value for all rows, or one per row.

        Returns:
            Where they are.

        Raises:
            UnknownName: There is no such column.
        """
        for name in values:
            if name not in self._data:
                raise unknown_name("column", name, self._data)
        first, last = self._rows, self._rows + rows
        for name, column in self._data.items():
            if last > len(column):
                room = max(last, len(column) + len(column) // 2, 16)
                grown = np.zeros((room, *column.shape[1:]), column.dtype)
                grown[:first] = column[:first]
                self._data[name] = column = grown
            column[first:last] = values.get(name, 0)
        self._rows = last
        return slice(first, last)

    def shorten(self, rows: int) -> None:
        """Drop the rows from this number on."""
        self._rows = min(self._rows, rows)

    def copy(self) -> Table:
        """The same rows in memory of their own."""
        return Table({name: self[name].copy() for name in self._data})


class State:
    """What a society is at one moment.

    Attributes:
        tables: By name; "agent" holds one row per agent.
        layers: The contact networks by name. Edges never change in place: a changed layer is a
            new one, so copies of a state share them.
        texts: Lists of texts that columns point into.
        values: Anything else, as plain data (numbers, texts, lists, mappings).
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        layers: Mapping[str, Layer] | None = None,
        texts: Mapping[str, list[str]] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        if "agent" not in tables:
            raise BadInput("a state needs a table 'agent'.")
        self.tables = dict(tables)
        self.layers = dict(layers or {})
        self.texts = dict(texts or {})
        self.values: dict[str, Any] = dict(values or {})
        for name, layer in self.layers.items():
            if layer.agents != len(self.agents):
                raise BadInput(
                    f"layer {name!r} is of {layer.agents} agents; there are {len(self.agents)}."
                )

    @property
    def agents(self) -> Table:
        """The table of agents."""
        return self.tables["agent"]

    def copy(self) -> State:
        """The same state in memory of its own (edges are shared, they never change)."""
        return State(
            {name: table.copy() for name, table in self.tables.items()},
            dict(self.layers),
            {name: list(texts) for name, texts in self.texts.items()},
            msgspec.json.decode(msgspec.json.encode(self.values)),
        )

    def digest(self) -> str:
        """A fingerprint of everything: equal states have equal digests."""
        hasher = blake2b(digest_size=16)
        for name, table in sorted(self.tables.items()):
            for column in sorted(table):
                values = table[column]
                hasher.update(f"{name}.{column} {values.dtype} {values.shape}".encode())
                hasher.update(np.ascontiguousarray(values).view(np.uint8).data)
        for name, layer in sorted(self.layers.items()):
            hasher.update(f"{name} {layer.fingerprint} {layer.factor}".encode())
        hasher.update(msgspec.json.encode([self.texts, self.values], order="deterministic"))
        return hasher.hexdigest()
