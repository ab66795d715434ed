"""Finds the files of published data sets: in the user's folder of data, or on the data hub.

The folder is named by the environment variable ``COLLEGIUM_DATA``. The hub is only tried where
the library ``datasets`` is installed.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.tasks.rows import Row, read_csv, read_json, read_jsonl

VARIABLE = "COLLEGIUM_DATA"


class Hub(msgspec.Struct, frozen=True):
    """A data set on the hub: its name, the configurations to join, and the split."""

    name: str
    configs: tuple[str, ...]
    split: str


def data_file(relative: str) -> Path | None:
    """Return the path of a file in the folder of data, or None if it is not there."""
    root = os.environ.get(VARIABLE)
    path = Path(root).expanduser() / relative if root else None
    return path if path is not None and path.is_file() else None


def read_rows(
    benchmark: str,
    files: tuple[str, ...],
    home: str,
    *,
    hub: Hub | None = None,
    columns: tuple[str, ...] = (),
) -> list[Row]:
    """Read the records of a data set from the first of some files that is there, or the hub.

    Args:
        benchmark: The name of the set, for messages.
        files: Paths inside the folder of data, which may hold the same records.
        home: Where the set is published.
        hub: Where the hub has it, if it does.
        columns: The columns of a table without a header.

    Raises:
        BadInput: It is nowhere, or broken.
    """
    for relative in files:
        path = data_file(relative)
        if path is not None:
            return _read(path, columns)
    tried = ""
    if hub is not None and find_spec("datasets") is not None:
        try:
            return _from_hub(hub)
        except Exception as problem:
            # Whatever the library raises without a network, or for a set that has moved.
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            tried = f", and the data hub did not give it ({reason})"
    raise not_here(benchmark, files[0], home, hub=hub is not None, tried=tried)


def not_here(
    benchmark: str, relative: str, home: str, *, hub: bool = False, tried: str = ""
) -> BadInput:
    """Build the error for a data set that is not there.

    Args:
        benchmark: The name of the set.
        relative: The path inside the folder of data where it was looked for.
        home: Where the set is published.
        hub: Whether the hub has it too.
        tried: What came of asking the hub.
    """
    root = os.environ.get(VARIABLE)
    place = str(Path(root).expanduser() / relative) if root else f"${VARIABLE}/{relative}"
    unset = "" if root else f", but {VARIABLE} is not set"
    by_hub = " or install the library 'datasets' to get it from the data hub" if hub else ""
    by_hub = "" if tried else by_hub
    return BadInput(
        f"{benchmark} is not here: it was looked for at {place}{unset}{tried}; put the file there"
        f" (published at {home}) and set {VARIABLE} to the folder that holds"
        f" {relative.split('/')[0]}/{',' if by_hub else ''}{by_hub}."
    )


def _read(path: Path, columns: tuple[str, ...]) -> list[Row]:
    if path.suffix == ".csv":
        return read_csv(path, columns)
    if path.suffix == ".tsv":
        return read_csv(path, columns, delimiter="\t")
    if path.suffix == ".json":
        return _records(path, read_json(path))
    return read_jsonl(path)


def _records(path: Path, data: Any) -> list[Row]:
    if not isinstance(data, list) or not all(isinstance(record, dict) for record in data):
        raise BadInput(f"{path}: expected a list of JSON objects.")
    return [
        Row(f"{path}, record {number}", number, record)
        for number, record in enumerate(data, start=1)
    ]


def _from_hub(hub: Hub) -> list[Row]:
    import datasets  # pyright: ignore[reportMissingImports]

    rows: list[Row] = []
    for config in hub.configs:
        for record in datasets.load_dataset(hub.name, config, split=hub.split):
            number = len(rows) + 1
            rows.append(Row(f"{hub.name}, record {number}", number, dict(record)))
    return rows
