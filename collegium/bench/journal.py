"""Measurements that can be cut off and taken up again: what is done is kept line by line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput


class Line(msgspec.Struct, frozen=True):
    """One thing that was measured."""

    key: str
    value: Any


class Journal:
    """What a measurement has done, by key.

    Args:
        file: Where it is kept; None: nowhere. A line that was cut off is left out.
        settings: What was measured with; a file of other settings is refused.

    Raises:
        BadInput: The file is of other settings.
    """

    def __init__(self, file: Path | None, settings: dict[str, Any]) -> None:
        self._file = file
        self._done: dict[str, Any] = {}
        if file is None:
            return
        if file.exists():
            for line in file.read_bytes().splitlines():
                with suppress(msgspec.DecodeError):
                    one = msgspec.json.decode(line, type=Line)
                    self._done[one.key] = one.value
            if self._done.pop("settings", None) != _plain(settings):
                raise BadInput(f"{file} was begun with other settings; name another --journal.")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._write("settings", settings)

    def __contains__(self, key: str) -> bool:
        return key in self._done

    def __getitem__(self, key: str) -> Any:
        return self._done[key]

    def keep(self, key: str, value: Any) -> Any:
        """Write down what was measured; returns it as it will be read again."""
        value = _plain(value)
        self._done[key] = value
        self._write(key, value)
        return value

    def _write(self, key: str, value: Any) -> None:
        if self._file is not None:
            with self._file.open("ab") as lines:
                lines.write(msgspec.json.encode(Line(key, value)) + b"\n")


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report, whole or not at all.

    Raises:
        BadInput: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}.") from None
