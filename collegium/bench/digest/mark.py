"""What was told already: a small file beside the run store, replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from collegium.errors import BadInput
from collegium.kernel.atomic import Busy, locked, replace

LOCK_SECONDS = 5.0
"""How long a digest waits for another one."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far the digests have come.

    Attributes:
        told: When the last digest was delivered; "" before the first.
        until: Runs that began before this have been looked at, as written in the run store.
        recent: Ids of the runs looked at that began shortly before ``until`` or later. A run may
            appear in the store a moment after one that began later.
        open: Runs that were looked at and may still change, with the status they had.
        results: Digest of the content of every results file that was told of.
    """

    told: str = ""
    until: str = ""
    recent: tuple[str, ...] = ()
    open: dict[str, str] = {}
    results: dict[str, str] = {}


def mark_path(store: Path) -> Path:
    """Where the mark of a run store lies: beside it."""
    return store.with_name(f"{store.stem}.digest.json")


def read_mark(path: Path) -> Mark:
    """Read a mark; before the first digest there is none, and an empty one comes back.

    Raises:
        BadInput: The file cannot be read. It is not passed over: everything would be told again.
    """
    try:
        mark = msgspec.json.decode(path.read_bytes(), type=Mark)
        for moment in filter(None, (mark.told, mark.until)):
            datetime.fromisoformat(moment)
        return mark
    except FileNotFoundError:
        return Mark()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot read what was told last, {path}: {reason}.") from None
    except (msgspec.MsgspecError, ValueError):
        raise BadInput(
            f"{path} does not say what was told last; remove it, and the next digest tells all."
        ) from None


def write_mark(path: Path, mark: Mark) -> None:
    """Put a mark in the place of the last one: whole, or not at all.

    Raises:
        BadInput: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, msgspec.json.format(msgspec.json.encode(mark), indent=1))
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot remember what was told, {path}: {reason}.") from None


@contextmanager
def remembering(path: Path) -> Iterator[None]:
    """Hold the mark while a digest is made and delivered: two at a time would tell things twice.

    Raises:
        BadInput: Another process makes a digest, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock"), LOCK_SECONDS):
            yield
    except Busy:
        raise BadInput("another digest is being delivered; try again when it is done.") from None
