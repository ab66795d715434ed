"""Search by meaning: the papers and what is asked for as vectors of the embedded encoder."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from collegium.catalog import Paper, papers
from collegium.errors import CollegiumError
from collegium.kernel.atomic import replace
from collegium.models.embeddings import MiniLM

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

LEAST = 0.22
"""The likeness (cosine) below which a paper has nothing to do with what is asked for."""

BEHIND = 0.30
"""How far a paper may lie behind the likest one."""


class Meaning:
    """The papers by meaning; their vectors are computed once and kept in a file.

    Args:
        folder: Where to keep them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._vectors = folder, None
        self._lock = asyncio.Lock()

    async def likeness(self, query: str) -> dict[str, float]:
        """How alike each paper is to a query, by slug: the cosine of their vectors.

        Raises:
            WeightsMissing: The encoder's weights are not on this machine.
            MissingExtra: A library is not installed.
        """
        vectors = await self.prepare()
        (asked,) = await MiniLM().embed([query])
        return {p.slug: float(s) for p, s in zip(papers(), vectors @ asked, strict=True)}

    async def prepare(self) -> Vectors:
        """The vectors of all papers, from the file where they are there.

        Raises:
            CollegiumError: As :meth:`likeness`.
        """
        async with self._lock:
            if self._vectors is None:
                self._vectors = await self._kept() or await self._made()
            return self._vectors[0]

    async def _kept(self) -> tuple[Vectors] | None:
        return await asyncio.to_thread(self._read)

    def _read(self) -> tuple[Vectors] | None:
        import numpy as np

        try:
            kept = np.load(self._file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = kept.shape == (len(papers()), MiniLM.dimensions) and kept.dtype == np.float32
        return (kept,) if fits else None

    async def _made(self) -> tuple[Vectors]:
        made = await MiniLM().embed([described(p) for p in papers()])
        await asyncio.to_thread(self._write, made)
        return (made,)

    def _write(self, vectors: Vectors) -> None:
        import io

        import numpy as np

        held = io.BytesIO()
        np.save(held, vectors, allow_pickle=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            replace(self._file, held.getvalue())
        except OSError:  # then they are computed again next time
            return

    @property
    def _file(self) -> Path:
        """Its name says what the vectors are of: other texts have another file."""
        texts = "\0".join([MiniLM.name, *map(described, papers())])
        return self._folder / f"papers-{sha256(texts.encode()).hexdigest()[:16]}.npy"


def described(entry: Paper) -> str:
    """The text that stands for a paper: what it is called, what it does, what it is about."""
    about = ", ".join(v.replace("-", " ") for v in entry.facets.get("domain", ()))
    return f"{entry.name}. {entry.title}. {entry.summary} {entry.kind}; {about}"


async def by_meaning(
    meaning: Meaning, query: str, kept: list[Paper], words: list[Paper]
) -> tuple[list[Paper], str]:
    """Papers for a query, the likest first.

    Args:
        meaning: The vectors.
        query: What is asked for.
        kept: The papers that may be found.
        words: Those that hold the words of the query, best first: these are always found, and each
            is lifted a little, so that a name typed exactly comes first.

    Returns:
        The papers, and a sentence for readers when the words alone had to do ("" otherwise).
    """
    try:
        score = await meaning.likeness(query)
    except CollegiumError as error:
        return words, f"Searched by words alone: {error}"
    held = {p.slug: i for i, p in enumerate(words)}
    best = max((score[p.slug] for p in kept), default=0.0)
    floor = max(LEAST, best - BEHIND)
    found = [p for p in kept if p.slug in held or score[p.slug] >= floor]
    exact = query.strip().casefold()

    def rank(entry: Paper) -> float:
        named = exact in (entry.slug, entry.name.casefold())
        lift = 0.2 / (1 + held[entry.slug] / 4) if entry.slug in held else 0.0
        return -(score[entry.slug] + lift + 10 * named)

    return sorted(found, key=rank), ""
