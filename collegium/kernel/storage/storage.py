"""The storage of agents: the drivers of its calls, with access checked and searches fused.

AIOS (section 3.6, storage manager): a real directory, versions with rollback, a lock per file, a
search by meaning of contents, sharing by privilege group.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from collegium.errors import BadInput
from collegium.kernel.access import Access, Right
from collegium.kernel.atomic import Busy
from collegium.kernel.calls import Call
from collegium.kernel.memory.fusion import fuse
from collegium.kernel.resources import (
    Delete,
    Find,
    Found,
    ListFiles,
    Load,
    Rollback,
    Store,
    Version,
)
from collegium.kernel.storage.files import Files
from collegium.kernel.storage.index import Hit
from collegium.kernel.storage.passages import words

if TYPE_CHECKING:
    from collegium.models.embeddings import Embedder

T = TypeVar("T")
LOOK_AGAIN = 0.02
"""Seconds until a file that another process holds is tried again."""

DEPTH = 100
"""Files that each way of searching contributes to a fused ranking, at least."""

EMBEDDED_AT_ONCE = 64
"""Passages handed to the embedder together."""


class Storage:
    """Files of agents: one folder per owner, versions of each file, search over contents.

    A write keeps what it replaces as an older version, so it can be undone and asks nobody; only
    where no older version is kept (``versions=1``) does overwriting ask for permission, as
    deleting always does.

    Calls run one at a time in order of arrival (AIOS, section 3.3), in a thread of their own.
    Several processes may work on one folder; files may be read and changed there by hand.

    Args:
        folder: Where the files lie; made when missing. None: a private one that is made with the
            first call and removed with this object.
        embed: Gives passages their vectors, once each, when a search first needs them; None:
            files are found by words alone.
        access: Says who may do what.
        versions: How many versions of a file are kept, the newest included.
        lock_seconds: How long to wait for a file that another process is writing.

    Raises:
        BadInput: The folder cannot be used, or ``versions`` is below 1.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        embed: Embedder | None = None,
        access: Access,
        versions: int = 20,
        lock_seconds: float = 5.0,
    ) -> None:
        if versions < 1:
            raise BadInput(f"a storage keeps at least 1 version of a file, not {versions}.")
        self._folder, self._embed, self.access = folder, embed, access
        self._versions, self._lock_seconds = versions, lock_seconds
        self._files: Files | None = None
        self._closed = False
        self._worker = ThreadPoolExecutor(1, "storage")
        if folder is not None:
            self._told(f"cannot use {folder} as a storage", self._open)

    @property
    def drivers(self) -> dict[type[Call], Callable[[Any], Awaitable[Any]]]:
        """The drivers of storage calls (and of sharing), for a kernel."""
        return {
            Store: self._store,
            Load: self._load,
            Find: self._find,
            ListFiles: self._list,
            Rollback: self._roll_back,
            Delete: self._delete,
            **self.access.drivers,
        }

    def close(self) -> None:
        """Wait for the call in hand, close the index, remove a private folder."""
        self._closed = True
        self._worker.shutdown(wait=True, cancel_futures=True)
        if self._files is not None:
            self._files.close()
            if self._folder is None:
                shutil.rmtree(self._files.folder, ignore_errors=True)

    # -- drivers ------------------------------------------------------------------------

    async def _store(self, call: Store) -> Version:
        owner = self._owner(call.agent, call.owner, "write", f"file {call.path}")
        what = f"cannot write {owner}/{call.path}"
        if self._versions == 1 and await self._run(
            what, lambda files: files.exists(owner, call.path)
        ):
            await self.access.permit(call.agent, "overwrite", f"{owner}/{call.path}")
        return await self._run(what, lambda files: files.write(owner, call.path, call.text))

    async def _load(self, call: Load) -> str:
        owner = self._owner(call.agent, call.owner, "read", f"file {call.path}")
        return await self._run(
            f"cannot read {owner}/{call.path}",
            lambda files: files.read(owner, call.path, call.version),
        )

    async def _list(self, call: ListFiles) -> tuple[str, ...]:
        owner = self._owner(call.agent, call.owner, "read", "list of files")
        return await self._run(
            f"cannot list the files of {owner}", lambda files: files.paths(owner, call.folder)
        )

    async def _roll_back(self, call: Rollback) -> Version:
        owner = self._owner(call.agent, call.owner, "write", f"file {call.path}")
        return await self._run(
            f"cannot roll back {owner}/{call.path}",
            lambda files: files.roll_back(owner, call.path, call.steps, call.time),
        )

    async def _delete(self, call: Delete) -> bool:
        owner = self._owner(call.agent, call.owner, "write", f"file {call.path}")
        what = f"cannot delete {owner}/{call.path}"
        if not await self._run(what, lambda files: files.exists(owner, call.path)):
            return False
        await self.access.permit(call.agent, "delete", f"{owner}/{call.path}")
        return await self._run(what, lambda files: files.remove(owner, call.path))

    async def _find(self, call: Find) -> tuple[Found, ...]:
        owner = self._owner(call.agent, call.owner, "read", "files")
        if call.k < 1 or not words(call.query):
            raise BadInput(
                f"a search needs at least one word and k of at least 1, not {call.query!r} and "
                f"k={call.k}."
            )
        if call.method == "vector" and self._embed is None:
            raise BadInput(
                "this storage has no embedder, so files cannot be found by meaning; "
                "search by 'text', or give it one with Storage(embed=...)."
            )
        what = f"cannot search the files of {owner}"
        await self._run(what, lambda files: files.refresh(owner))
        depth = call.k if call.method != "hybrid" else max(call.k, DEPTH)
        by_words: Sequence[Hit] = ()
        by_meaning: Sequence[Hit] = ()
        if call.method != "vector":
            by_words = await self._run(
                what, lambda files: files.index.by_words(owner, call.query, depth)
            )
        if call.method != "text" and self._embed is not None:
            by_meaning = await self._by_meaning(self._embed, what, owner, call.query, depth)
        if call.method == "vector":
            hits = [(file, passage, cosine(score)) for file, passage, score in by_meaning]
        elif call.method == "text" or self._embed is None:
            hits = share_of_best(by_words)
        else:
            hits = fused(by_words, by_meaning)
        found = await self._run(
            what, lambda files: [files.index.found(hit) for hit in hits[: call.k]]
        )
        return tuple(f for f in found if f is not None)

    async def _by_meaning(
        self, embed: Embedder, what: str, owner: str, query: str, most: int
    ) -> list[Hit]:
        """Search by vectors; passages that have none yet are embedded first."""
        waiting = await self._run(what, lambda f: f.index.without_vector(owner, embed.name))
        for i in range(0, len(waiting), EMBEDDED_AT_ONCE):
            some = waiting[i : i + EMBEDDED_AT_ONCE]
            vectors = await embed.embed([text for _, text in some])
            passages = [passage for passage, _ in some]
            await self._run(
                what,
                lambda f, p=passages, v=vectors: f.index.put_vectors(embed.name, p, v),
            )
        (vector,) = await embed.embed([query])
        return await self._run(what, lambda f: f.index.by_meaning(owner, embed.name, vector, most))

    # -- how ----------------------------------------------------------------------------

    def _owner(self, agent: str, owner: str, right: Right, what: str) -> str:
        """Whose folder is meant, once access is checked."""
        owner = owner or agent
        self.access.check(agent, owner, right, what)
        return owner

    async def _run(self, what: str, job: Callable[[Files], T]) -> T:
        """Do something with the files in the storage's thread; a held file is tried again.

        A job takes its lock and gives it back itself, so a cancelled caller leaves nothing held.

        Raises:
            BadInput: It cannot be done; ``what`` begins the sentence.
        """
        until = time.monotonic() + self._lock_seconds
        loop = asyncio.get_running_loop()
        while True:
            if self._closed:
                raise BadInput(f"{what}: the storage is closed.")
            try:
                return await loop.run_in_executor(
                    self._worker, self._told, what, lambda: job(self._open())
                )
            except Busy:
                if time.monotonic() >= until:
                    raise BadInput(
                        f"{what}: another process has been writing it for "
                        f"{self._lock_seconds:g} s; try again."
                    ) from None
            await asyncio.sleep(LOOK_AGAIN)

    def _open(self) -> Files:
        """The files, opened with the first call."""
        if self._files is None:
            folder = self._folder
            if folder is None:
                folder = Path(tempfile.mkdtemp(prefix="collegium-"))
                weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._files = Files(
                folder,
                versions=self._versions,
                durable=self._folder is not None,
                seconds=self._lock_seconds,
            )
        return self._files

    @staticmethod
    def _told(what: str, job: Callable[[], T]) -> T:
        """Run a job; what the disk refuses becomes one sentence."""
        try:
            return job()
        except OSError as error:
            raise BadInput(f"{what}: {error.strerror or error}.") from None
        except sqlite3.Error as error:
            raise BadInput(f"{what}: {error}.") from None


def cosine(score: float) -> float:
    """A cosine as a score from 0 to 1; what points away has nothing in common."""
    return min(1.0, max(0.0, score))


def share_of_best(hits: Sequence[Hit]) -> list[Hit]:
    """BM25 has no upper bound: each score as a share of the best one."""
    best = hits[0][2] if hits else 0.0
    return [(file, passage, score / best if best > 0 else 1.0) for file, passage, score in hits]


def fused(*rankings: Sequence[Hit]) -> list[Hit]:
    """Reciprocal rank fusion; a file shows its passage of the first ranking that has it."""
    passages: dict[int, int] = {}
    for ranking in rankings:
        for file, passage, _ in ranking:
            passages.setdefault(file, passage)
    ranks = fuse(*([(file, score) for file, _, score in ranking] for ranking in rankings))
    return [(file, passages[file], score) for file, score in ranks]
