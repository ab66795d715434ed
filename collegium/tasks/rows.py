"""Reads files of records, and says in which line one is broken."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput


class Row(msgspec.Struct, frozen=True):
    """One record of a file.

    Attributes:
        where: The file and line it comes from, for messages.
        line: Its line in the file, counted from 1.
        fields: Its values by column.
    """

    where: str
    line: int
    fields: Mapping[str, Any]

    def text(self, *columns: str) -> str:
        """Return the first of some columns that is there, as text.

        Raises:
            BadInput: None of them is there, or it is empty or no text.
        """
        for column in columns:
            value = self.fields.get(column)
            if value is None:
                continue
            if not isinstance(value, str) or not value.strip():
                raise BadInput(f"{self.where}: {column!r} must be a text that is not empty.")
            return value
        names = " or ".join(map(repr, columns))
        raise BadInput(f"{self.where}: {names} is missing.")


def read_jsonl(path: Path) -> list[Row]:
    """Read a file with one JSON object a line, plain or packed with gzip; blank lines don't count.

    Raises:
        BadInput: The file can't be read, or a line is not a JSON object.
    """
    rows = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            fields = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as problem:
            raise BadInput(f"{where}: expected a JSON object; {problem}.") from problem
        if not isinstance(fields, dict):
            raise BadInput(f"{where}: expected a JSON object such as {{...}}.")
        rows.append(Row(where, number, fields))
    return rows


def read_json(path: Path) -> Any:
    """Read a file that is one JSON value.

    Raises:
        BadInput: The file can't be read, or is not JSON.
    """
    try:
        return msgspec.json.decode(_text(path))
    except (msgspec.DecodeError, RecursionError) as problem:
        raise BadInput(f"{path}: expected JSON; {problem}.") from problem


def read_csv(path: Path, columns: tuple[str, ...] = (), *, delimiter: str = ",") -> list[Row]:
    """Read a table.

    Args:
        path: The file.
        columns: The names of its columns, if its first line is not the header.
        delimiter: What separates cells; with a tab, quotes are ordinary characters.

    Raises:
        BadInput: The file can't be read, or a line has more or fewer cells than there are columns.
    """
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(
        io.StringIO(_text(path), newline=""), delimiter=delimiter, quoting=quoting, strict=True
    )
    rows: list[Row] = []
    names = list(columns)
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                continue
            where = f"{path}, line {line}"
            if len(cells) != len(names):
                expected = f"expected {len(names)} cells ({', '.join(names)})"
                raise BadInput(f"{where}: {expected}, found {len(cells)}.")
            rows.append(Row(where, line, dict(zip(names, cells, strict=True))))
    except csv.Error as problem:
        raise BadInput(f"{path}, line {start}: not a CSV record; {problem}.") from problem
    return rows


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise BadInput(f"{path} can't be read: {reason}.") from problem
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise BadInput(f"{path}, line {line}: expected text in UTF-8.") from problem
