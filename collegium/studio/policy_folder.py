"""The one folder that policies are opened from and saved to.

A name is the name of a file in that folder and nothing else. Links are neither followed nor
written through, so nothing outside the folder can be read or changed by way of it.
"""

from __future__ import annotations

import os
import re
import stat
from hashlib import sha256
from pathlib import Path

from collegium.errors import BadInput, PolicyError
from collegium.kernel.atomic import folder as opened_folder
from collegium.kernel.atomic import replace
from collegium.studio.checking import MOST_BYTES

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._-]{0,99}\.(?:yaml|yml|json)")


class PolicyFolder:
    """A folder of policies.

    Args:
        path: The folder.

    Raises:
        BadInput: There is no such folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        if not self.path.is_dir():
            raise BadInput(f"there is no folder of policies {path}.")

    def names(self) -> list[str]:
        """The policies there are."""
        try:
            return sorted(
                entry.name
                for entry in os.scandir(self.path)
                if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            )
        except OSError as error:
            raise BadInput(f"cannot read the folder of policies: {error.strerror}.") from None

    def read(self, name: str) -> tuple[str, str]:
        """A policy's text, and the digest of what is in the file.

        Raises:
            BadInput: It is no name of a policy, or cannot be read.
        """
        raw = self._bytes(self._name(name))
        try:
            return raw.decode("utf-8"), _digest(raw)
        except UnicodeDecodeError:
            raise BadInput(f"cannot read {name}: it is not UTF-8 text.") from None

    def write(self, name: str, text: str, known: str = "") -> str:
        """Save a policy: whole, or not at all.

        Args:
            name: The file.
            text: The policy.
            known: The digest of what was last read from it or written to it; "" when it is to be
                a new one. What somebody else has written since is not lost.

        Returns:
            The digest of what is in the file now.

        Raises:
            BadInput: It is no name of a policy, somebody else changed the file, or it cannot be
                written.
            PolicyError: The text is no policy.
        """
        from collegium.guard import parse_policy

        name = self._name(name)
        raw = text.encode("utf-8", "replace")
        if len(raw) > MOST_BYTES:
            raise BadInput(f"a policy that is saved here has at most {MOST_BYTES:,} bytes.")
        try:
            parse_policy(text, name)
        except PolicyError as error:
            raise PolicyError(f"only policies are saved, and this is none yet: {error}") from None
        there = self.path / name
        if os.path.lexists(there):
            if not known:
                raise BadInput(
                    f"there is a file {name} already; open it first, or take a new name."
                )
            if _digest(self._bytes(name)) != known:
                raise BadInput(f"{name} was changed by somebody else since it was opened here; "
                               "open it again, or save under another name.")  # fmt: skip
        try:
            replace(there, raw)
        except OSError as error:
            raise BadInput(f"cannot write {name}: {error.strerror or error}.") from None
        return _digest(raw)

    def _name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise BadInput(
                f"{name[:80]!r} is no name of a policy; expected one such as bills.yaml, of "
                "letters, digits, spaces and . _ -"
            )
        return name

    def _bytes(self, name: str) -> bytes:
        """What is in a file of the folder; never what a link leads to.

        Raises:
            BadInput: It cannot be read.
        """
        try:
            with opened_folder(self.path) as place:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                with open(os.open(name, flags, dir_fd=place), "rb") as file:
                    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        raise BadInput(f"cannot read {name}: it is no file.")
                    raw = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise BadInput(f"cannot read {name}: {error.strerror or error}.") from None
        if len(raw) > MOST_BYTES:
            raise BadInput(f"{name} is too large; at most {MOST_BYTES:,} bytes are opened here.")
        return raw


def _digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()
