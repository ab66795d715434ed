"""Files that are whole or absent, and locks between processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

LOOK_AGAIN = 0.01
"""Seconds between two tries to get a lock."""


class Busy(Exception):
    """Somebody else holds the lock."""


def write_new(path: Path, data: bytes, *, durable: bool = True) -> os.stat_result:
    """Write a file that does not count yet; on failure nothing is left of it.

    Args:
        path: Where to; what is there is replaced.
        data: The content.
        durable: Whether to wait until the disk has it.

    Returns:
        What the file system says of it.

    Raises:
        OSError: It cannot be written, as when the disk is full.
    """
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            return os.fstat(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def replace(path: Path, data: bytes) -> None:
    """Put a content in the place of a file's; whoever reads sees the old one or the new one.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    new = path.with_name(f".{path.name[:40]}.{token_hex(4)}.part")
    write_new(new, data)
    try:
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    with folder(path.parent) as opened:
        os.fsync(opened)


@contextmanager
def folder(path: Path) -> Iterator[int]:
    """A folder as a file descriptor."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def locked(path: Path, seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock that one holder in all processes can have; it ends with its process.

    Args:
        path: The lock file; made when missing, and left there.
        seconds: How long to wait for another holder.

    Raises:
        Busy: Another one still holds it.
        OSError: The file cannot be opened.
    """
    import fcntl

    until = time.monotonic() + seconds
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Busy from None
            time.sleep(LOOK_AGAIN)
        yield
