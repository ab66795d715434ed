"""File tools that reach permitted folders alone: list, read and write.

The guarantee is made here, in code, and holds whatever a model asks for: a path is resolved, links
included, before it is compared with the permitted folders, and nothing is opened outside them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Literal

from collegium.errors import BadInput, Denied, UnknownName
from collegium.kernel import atomic
from collegium.kernel.tool import Tool, tool

LARGEST = 1_000_000
"""Bytes of the largest file that is read or written."""

MOST_FILES = 10_000
"""How many files one listing may name."""

FileNeed = Literal["read", "write"]

FILE_NEEDS: dict[str, FileNeed] = {
    "list_files": "read",
    "read_file": "read",
    "write_file": "write",
}
"""The file tools, and what each needs of a folder."""

FOLDER_ARGUMENT = {"list_files": "folder", "read_file": "path", "write_file": "path"}
"""The argument of each file tool that says where."""


def file_tools(root: Path, *, read: Iterable[str] = (), write: Iterable[str] = ()) -> list[Tool]:
    """Make the file tools of one folder.

    Args:
        root: The folder that all paths are relative to.
        read: Folders below it that may be read; "." is the root itself.
        write: Folders below it that may be read and written.

    Returns:
        ``list_files``, ``read_file`` and ``write_file``.

    Raises:
        BadInput: The root is no folder, or a permitted folder lies outside it.
    """
    base = root.resolve()
    if not base.is_dir():
        raise BadInput(f"{root} is not a folder; name one that exists.")
    writable = [_below(base, folder) for folder in write]
    readable = [*(_below(base, folder) for folder in read), *writable]

    def place(path: str, folders: list[Path], verb: str) -> Path:
        """The permitted place of a path.

        Raises:
            Denied: It lies outside the permitted folders.
        """
        target = _resolved(base, path)
        if any(target == folder or folder in target.parents for folder in folders):
            return target
        shown = ", ".join(_name(base, f) for f in folders) or "none"
        raise Denied(f"{path!r} may not be {verb}; permitted folders: {shown}.")

    def list_files(folder: str = ".", pattern: str = "*", skip: str = "") -> list[str]:
        """List the files of a folder and of those below it, sorted, as paths for read_file.

        ``pattern`` keeps the file names that match it ("*.txt"); ``skip`` leaves one name out.
        """
        start = place(folder, readable, "listed")
        if not start.is_dir():
            raise UnknownName(f"there is no folder {folder!r}; list '.' to see what there is.")
        found = [
            _name(base, file)
            for file in _files(start)
            if fnmatchcase(file.name, pattern) and file.name != skip
        ]
        if len(found) > MOST_FILES:
            raise BadInput(f"{folder!r} holds {len(found)} files; the most is {MOST_FILES}.")
        return sorted(found)

    def read_file(path: str) -> str:
        """Read a text file."""
        file = place(path, readable, "read")
        try:
            with _open(file) as opened:
                data = opened.read(LARGEST + 1)
        except (FileNotFoundError, IsADirectoryError):
            raise UnknownName(
                f"there is no file {path!r}; list_files says what there is."
            ) from None
        except OSError as error:
            raise BadInput(f"cannot read {path!r}: {error.strerror}.") from None
        if len(data) > LARGEST:
            raise BadInput(f"{path!r} is larger than {LARGEST:,} bytes, the most that is read.")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise BadInput(f"{path!r} is not UTF-8 text.") from None

    def write_file(path: str, text: str) -> str:
        """Write a text file, in place of one of that name; returns its path."""
        file = place(path, writable, "written")
        data = text.encode()
        if len(data) > LARGEST:
            raise BadInput(f"{path!r} would be larger than {LARGEST:,} bytes, the most there is.")
        if file.is_dir():
            raise BadInput(f"cannot write {path!r}: it is a folder; name a file in it.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic.replace(file, data)
        except OSError as error:
            raise BadInput(f"cannot write {path!r}: {error.strerror}.") from None
        return _name(base, file)

    return [tool(list_files), tool(read_file), tool(write_file)]


def inside(folder: str, path: str) -> bool:
    """Whether a relative path lies in a relative folder, as far as their text tells."""
    outer, inner = _parts(folder), _parts(path)
    return ".." not in inner and not path.startswith("/") and inner[: len(outer)] == outer


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _resolved(base: Path, path: str) -> Path:
    """Where a path leads, links followed.

    Raises:
        BadInput: It is no path.
    """
    try:
        return (base / path).resolve()
    except (OSError, ValueError, RuntimeError):
        raise BadInput(f"{path!r} is not a path.") from None


def _below(base: Path, folder: str) -> Path:
    """A permitted folder.

    Raises:
        BadInput: It is not below the base.
    """
    found = _resolved(base, folder)
    if Path(folder).is_absolute() or not (found == base or base in found.parents):
        raise BadInput(f"the permitted folder {folder!r} must lie below {base}.")
    return found


def _name(base: Path, file: Path) -> str:
    return file.relative_to(base).as_posix()


def _files(folder: Path) -> Iterator[Path]:
    """Plain files below a folder; hidden ones and links are left out."""
    for where, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in names:
            file = Path(where, name)
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield file


def _open(file: Path) -> BinaryIO:
    """Open a file whose path is resolved; a link put there meanwhile is refused by the system.

    Raises:
        OSError: It cannot be opened, or is a folder, a pipe or a device.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError
    return os.fdopen(descriptor, "rb")
