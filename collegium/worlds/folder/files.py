"""The files of a work folder, in memory: paths, protection, and snapshots that are byte-exact.

The folder is a mapping from path to content and no folder of this machine. So a path has one
spelling, there are no links that could lead elsewhere, and a snapshot is a copy of the mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from collegium.errors import Denied

FILES = 150
"""Files a folder may hold."""
BYTES = 24 * 1024 * 1024
"""Bytes they may have together."""


class Refused(Denied):
    """A path or a change that the work folder does not allow; the sentence says why."""


def inside(path: str) -> str:
    """The one spelling of a path in the folder; "" is the folder itself.

    Args:
        path: As an agent wrote it: relative, with ``.`` and ``..`` as it likes.

    Raises:
        Refused: It is absolute, leads out of the folder, or holds what no path holds.
    """
    if "\0" in path:
        raise Refused("a path holds no NUL character.")
    if path.startswith(("/", "~", "\\")) or PurePosixPath(path).is_absolute():
        raise Refused(f"{path!r} is not in the work folder; write paths relative to it.")
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                raise Refused(f"{path!r} leads out of the work folder.")
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


class Folder:
    """The files, of which some cannot be changed.

    Args:
        files: What it holds at first.
        read_only: The paths that cannot be changed.
    """

    def __init__(self, files: Mapping[str, bytes], read_only: Iterable[str] = ()) -> None:
        self.files = {inside(name): content for name, content in files.items()}
        self.read_only = frozenset(map(inside, read_only))

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            Refused: It is not there, or not in the folder.
        """
        name = inside(path)
        if name not in self.files:
            raise Refused(f"there is no file {path!r}.")
        return self.files[name]

    def write(self, path: str, content: bytes) -> None:
        """Put a file there, in place of one that is there.

        Raises:
            Refused: It cannot be changed, it is not in the folder, or the folder is full.
        """
        name = inside(path)
        if not name:
            raise Refused("the work folder itself is no file.")
        if name in self.read_only:
            raise Refused(f"{name} is read-only and was not changed.")
        if self._collides(name):
            raise Refused(f"{path!r} is a folder, or lies in a file.")
        after = {**self.files, name: content}
        if len(after) > FILES or sum(map(len, after.values())) > BYTES:
            raise Refused(f"the work folder holds at most {FILES} files and {BYTES >> 20} MB.")
        self.files = after

    def listed(self, path: str) -> list[str]:
        """What a folder holds, folders with a slash.

        Raises:
            Refused: It is not there, or not in the work folder.
        """
        name = inside(path)
        head = f"{name}/" if name else ""
        below = [f.removeprefix(head) for f in self.files if f.startswith(head)]
        if not below and name:
            raise Refused(f"there is no folder {path!r}.")
        return sorted({b.partition("/")[0] + ("/" if "/" in b else "") for b in below})

    def take(self, found: Mapping[str, bytes]) -> list[str]:
        """Take over what a program left, and undo what it did to files that cannot be changed.

        Args:
            found: Every file that was there when it ended.

        Returns:
            What was undone or left out, one sentence each.
        """
        notes: list[str] = []
        kept = {name: self.files[name] for name in self.read_only if name in self.files}
        for name in sorted(kept):
            if found.get(name) != kept[name]:
                notes.append(f"{name} is read-only: the change was undone.")
        before, self.files = self.files, kept
        try:
            for name in sorted(found):
                if name not in self.read_only:
                    try:
                        self.write(name, found[name])
                    except Refused as refusal:
                        notes.append(f"{name} was not kept: {refusal}")
        except BaseException:
            self.files = before
            raise
        return notes

    def _collides(self, name: str) -> bool:
        """Whether a file of this name would be a folder as well, or lie in a file."""
        parents = {str(p) for p in PurePosixPath(name).parents}
        return any(f in parents or f.startswith(f"{name}/") for f in self.files)
