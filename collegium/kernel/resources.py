"""The system calls on memory and storage, and what comes back from them.

Their drivers are :class:`collegium.kernel.memory.Memory` and
:class:`collegium.kernel.storage.Storage`. A kernel that is given neither makes both for the length
of its run; one that is given them works on what stays.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from collegium.kernel.calls import Call

Method = Literal["vector", "text", "hybrid"]
"""How notes and files are found: by meaning, by words, or by both."""


class Note(msgspec.Struct, frozen=True):
    """A remembered text as it comes back.

    Attributes:
        id: Names it within its bank.
        text: What was remembered.
        bank: Where it is kept; an agent's own bank bears its name.
        tags: Labels it was given.
        links: Ids of notes it is linked to.
        score: How well it fits the query (1 is best; 0 when it was not searched for).
        created: Seconds since 1970.
    """

    id: str
    text: str
    bank: str = ""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    score: float = 0.0
    created: float = 0.0


class Remember(Call, frozen=True, kw_only=True, tag="remember"):
    """Keep a text in a memory bank; the result is the note's id.

    Attributes:
        text: What to remember.
        bank: The bank; "" is the agent's own.
        note: Id of the note this text replaces; "" makes a new one.
        tags: Labels.
        links: Ids of notes to link it to.
    """

    result: ClassVar[Any] = str

    text: str
    bank: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


class Recall(Call, frozen=True, kw_only=True, tag="recall"):
    """Find notes; the result is a tuple of :class:`Note`, best first.

    Attributes:
        query: What to look for.
        k: How many at most.
        bank: The bank; "" is the agent's own.
        method: How to look.
        least: Lowest score that counts, 0 to 1.
        note: Id of one note to fetch instead of searching.
    """

    result: ClassVar[Any] = tuple[Note, ...]

    query: str = ""
    k: int = 5
    bank: str = ""
    method: Method = "hybrid"
    least: float = 0.0
    note: str = ""


class Forget(Call, frozen=True, kw_only=True, tag="forget"):
    """Remove a note for good; the result says whether it was there."""

    result: ClassVar[Any] = bool

    note: str
    bank: str = ""


class Version(msgspec.Struct, frozen=True):
    """One version of a stored file: its number (from 1), size in bytes, and when it was written."""

    number: int
    size: int
    created: float


class Found(msgspec.Struct, frozen=True):
    """A stored file that a search found, with the passage that fits and its score (1 is best)."""

    path: str
    passage: str
    score: float


class Store(Call, frozen=True, kw_only=True, tag="store"):
    """Write a file of the agent's storage; the result is the new :class:`Version`.

    Attributes:
        path: Relative to the owner's folder.
        text: The whole content.
        owner: Agent whose folder it is; "" is the caller's.
    """

    result: ClassVar[Any] = Version

    path: str
    text: str
    owner: str = ""


class Load(Call, frozen=True, kw_only=True, tag="load"):
    """Read a stored file; the result is its text (of the newest version unless one is named)."""

    result: ClassVar[Any] = str

    path: str
    version: int | None = None
    owner: str = ""


class Find(Call, frozen=True, kw_only=True, tag="find"):
    """Search stored files by content; the result is a tuple of :class:`Found`, best first."""

    result: ClassVar[Any] = tuple[Found, ...]

    query: str
    k: int = 5
    method: Method = "hybrid"
    owner: str = ""


class ListFiles(Call, frozen=True, kw_only=True, tag="list-files"):
    """List stored files; the result is a tuple of paths.

    Attributes:
        folder: Only those below it; "" is everything.
        owner: Agent whose folder it is; "" is the caller's.
    """

    result: ClassVar[Any] = tuple[str, ...]

    folder: str = ""
    owner: str = ""


class Rollback(Call, frozen=True, kw_only=True, tag="rollback"):
    """Put an earlier version of a file back on top; the result is the new :class:`Version`.

    Attributes:
        path: The file.
        steps: How many versions to go back.
        time: Instead of ``steps``: go back to the version nearest this time (seconds since 1970).
        owner: Agent whose folder it is; "" is the caller's.
    """

    result: ClassVar[Any] = Version

    path: str
    steps: int = 1
    time: float | None = None
    owner: str = ""


class Delete(Call, frozen=True, kw_only=True, tag="delete"):
    """Remove a stored file with all its versions; the result says whether it was there."""

    result: ClassVar[Any] = bool

    path: str
    owner: str = ""


class Share(Call, frozen=True, kw_only=True, tag="share"):
    """Let a privilege group read the caller's memory bank and files.

    Attributes:
        group: The group.
        write: Whether its members may write as well.
    """

    result: ClassVar[Any] = type(None)

    group: str
    write: bool = False


RESOURCE_CALLS: frozenset[type[Call]] = frozenset(
    (Remember, Recall, Forget, Store, Load, Find, ListFiles, Rollback, Delete, Share)
)
"""Every kind of call in this module."""
