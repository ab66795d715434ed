"""Where a file lies: its owner's folder and a path that may not lead out of it."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collegium.errors import BadInput

_UNSAFE = re.compile(r"[/\\%:\x00-\x1f\x7f]|^\.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"[A-Za-z]:")


def folder_name(owner: str) -> str:
    """The name of an owner's folder: the owner's, with what a file system trips over as %XX.

    Two owners never share one, and none can be hidden or lead elsewhere.

    Raises:
        BadInput: The name is empty or no text.
    """
    if not owner or not writable_text(owner):
        raise BadInput(f"an owner of files needs a name, not {owner!r}.")
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", owner)


def parts_of(path: str) -> tuple[str, ...]:
    """The folders and the file name of a path within its owner's folder.

    Raises:
        BadInput: It names no file below that folder.
    """
    problem = ""
    parts = tuple(p for p in path.split("/") if p not in ("", "."))
    if path.startswith("/") or _DRIVE.match(path):
        problem = "is absolute; give one relative to the owner's folder"
    elif ".." in parts:
        problem = "leads out of a folder; '..' is not allowed"
    elif _CONTROL.search(path) or not writable_text(path):
        problem = "has a backslash or a control character; put '/' between folders"
    elif not parts or path.endswith(("/", "/.")):
        problem = "names no file"
    if problem:
        raise BadInput(f"path {path!r} {problem}.")
    return parts


def writable_text(text: str) -> bool:
    """Whether a text can be written as UTF-8 (half a surrogate pair cannot)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def opened(root: Path, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A folder below a root as a file descriptor, reached without following symbolic links.

    What is done through the descriptor stays inside, whatever others do to the path meanwhile.

    Args:
        root: Where to begin; it may be a link itself.
        folders: Names to go down by.
        make: Make folders that are missing.

    Raises:
        BadInput: A name on the way is a link or a file.
        FileNotFoundError: A folder is missing.
        OSError: It cannot be opened or made.
    """
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for depth, name in enumerate(folders):
            if make:
                try:
                    os.mkdir(name, dir_fd=here)
                    os.fsync(here)
                except FileExistsError:
                    pass
            try:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                below = os.open(name, flags, dir_fd=here)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                kind = look(here, name)
                link = kind is not None and stat.S_ISLNK(kind.st_mode)
                what = "a symbolic link" if link else "a file, not a folder"
                raise BadInput(f"{'/'.join(folders[: depth + 1])} is {what}.") from None
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def look(folder: int, name: str) -> os.stat_result | None:
    """What lies in an open folder under a name (a link itself, not where it leads), if anything."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def read_bytes(folder: int, name: str) -> bytes:
    """The content of a regular file in an open folder."""
    opened_file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    with os.fdopen(opened_file, "rb") as file:
        return file.read()


def walk(top: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every regular file below a folder whose path an agent could name; links are not followed."""
    if not top.exists():
        return
    for folder, _, names, opened_folder in os.fwalk(top, follow_symlinks=False):
        below = os.path.relpath(folder, top)
        for name in names:
            path = name if below == "." else f"{below}/{name}"
            info = look(opened_folder, name)
            if info is None or not stat.S_ISREG(info.st_mode):
                continue
            if _CONTROL.search(path) or not writable_text(path):
                continue
            yield path, info
