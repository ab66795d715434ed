"""Files of questions that pages send: looked at, kept for as long as the program runs, then gone.

The name that came with a file never is a path here: it is shown, and nothing else.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from collegium.errors import BadInput
from collegium.tasks import load
from collegium.tasks.own_file import SUFFIXES

MOST_BYTES = 8 << 20
"""Bytes of a file."""

MOST_FILES = 50
"""Files that are kept; the oldest goes when another one comes."""


class Uploads:
    """The files that came.

    They lie in a temporary folder, each under a name of ours.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="collegium-upload-")
        self._known: dict[str, Path] = {}
        self._next = 0

    def keep(self, name: str, content: bytes) -> tuple[str, int]:
        """Keep a file of questions.

        Args:
            name: Its name, as whoever sent it says.
            content: Its bytes.

        Returns:
            The name by which it is known from now on, and how many questions it holds.

        Raises:
            BadInput: It is too large, of another kind, or broken; the message names the line.
        """
        known = safe_name(name)
        if len(content) > MOST_BYTES:
            raise BadInput(
                f"{known} has {len(content):,} bytes; a file of questions may have {MOST_BYTES:,}."
            )
        path = Path(self._folder.name) / f"{self._next}{PurePosixPath(known).suffix}"
        self._next += 1
        path.write_bytes(content)
        try:
            questions = len(load(str(path)).items)
        except BadInput as error:
            path.unlink()
            # The user knows the file by its own name.
            raise BadInput(str(error).replace(str(path), known)) from None
        except UnicodeDecodeError:
            path.unlink()
            raise BadInput(f"{known} is not a text in UTF-8.") from None
        except BaseException:
            path.unlink()
            raise
        self._known.pop(known, None)
        self._known[known] = path
        while len(self._known) > MOST_FILES:
            self._known.pop(next(iter(self._known))).unlink(missing_ok=True)
        return known, questions

    def path(self, name: str) -> Path | None:
        """Where the file known by this name lies; None when there is none."""
        return self._known.get(name)

    def names(self) -> list[str]:
        """The names of all files, the newest first."""
        return list(reversed(self._known))

    def close(self) -> None:
        """Take all files away."""
        self._folder.cleanup()


def safe_name(name: str) -> str:
    """What a file is called here: the end of its name, letters, digits, dots and dashes alone.

    Raises:
        BadInput: It does not end in .jsonl or .csv.
    """
    end = PureWindowsPath(PurePosixPath(name.replace("\0", "")).name).name
    stem, dot, suffix = end.rpartition(".")
    suffix = f".{suffix.lower()}" if dot else ""
    if suffix not in SUFFIXES:
        shown = re.sub(r"[^\w.\- ]", "?", end)[:60]
        raise BadInput(f"{shown or 'the file'}: a file of questions must end in .jsonl or .csv.")
    plain = re.sub(r"[^\w-]+", "-", stem).strip("-")[:60]
    return f"{plain or 'questions'}{suffix}"
