"""Measure memory: recall and insertion, beside Concordia's associative memory, in one run.

Both banks get the same texts and vectors of 384 numbers, looked up rather than computed, so what
is measured is the memory alone. Ours is on disk, with everything it promises: committed before the
id comes back, words indexed too. Vectors are indexed in a thread, which a search waits for; so
insertion is measured until the id comes back, and until that thread has done its work too.
Concordia's is a table in memory. They take turns. Then ours goes
on to its full size. Run it with ``python -m collegium.bench.speed_memory`` on a quiet machine;
``--concordia PYTHON`` names an interpreter that has gdm-concordia where this one has not.

The vectors are made up, in the likeness of sentence embeddings: many small groups in 40 of the 384
dimensions, and noise in all. How many of the true nearest notes are found is measured with them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.bench import concordia_memory
from collegium.bench.machine import machine
from collegium.errors import BadInput, missing_extra
from collegium.kernel import Kernel
from collegium.kernel.memory import Memory
from collegium.kernel.resources import Method, Recall, Remember
from collegium.models import ScriptedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DIMENSIONS, LATENT, GROUP, NOISE = 384, 40, 100, 0.3
TOP = 10
TOGETHER = 256
ROUNDS = 5
SEED = 7
AGENT = "bench"


class Row(msgspec.Struct, frozen=True):
    """One kind of operation at one size.

    Attributes:
        name: Whose memory, and what it did.
        notes: How many notes it held.
        median: Milliseconds of one operation.
        p90: Milliseconds that nine of ten stay below; None where operations go together.
        found: Share of the true ten nearest notes that were found.
    """

    name: str
    notes: int
    median: float
    p90: float | None = None
    found: float | None = None


def make_vectors(count: int, seed: int = SEED) -> Vectors:
    """Unit vectors in the likeness of sentence embeddings: groups of about 100 that are alike."""
    import numpy as np

    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((LATENT, DIMENSIONS), np.float32)
    groups = rng.standard_normal((max(1, count // GROUP), LATENT), np.float32)
    rows = np.empty((count, DIMENSIONS), np.float32)
    for start in range(0, count, 50_000):
        part = rows[start : start + 50_000]
        latent = groups[rng.integers(0, len(groups), len(part))]
        latent = latent + 0.6 * rng.standard_normal(latent.shape, np.float32)
        noise = rng.standard_normal(part.shape, np.float32)
        part[:] = latent @ mix + NOISE * LATENT**0.5 * noise
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def text_of(i: int) -> str:
    """Text number ``i``: its number, then 12 words, some common and most rare."""
    state, words = i * 2654435761 % 2**32, []
    for _ in range(12):
        state = (1664525 * state + 1013904223) % 2**32
        words.append(f"word{int(20_000 ** (state / 2**32))}")
    return f"{i} {' '.join(words)}"


class Known:
    """An embedder that looks vectors up by the number a text begins with."""

    name, dimensions = "known", DIMENSIONS

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of these texts."""
        return self._vectors[[int(t.partition(" ")[0]) for t in texts]]


class Ours:
    """Our memory on disk.

    Args:
        folder: Where it lies.
        vectors: Of all notes, and of the queries after them.
        queries: How many of the vectors are queries.
    """

    def __init__(self, folder: Path, vectors: Vectors, queries: int) -> None:
        self.memory = Memory(folder / "memory.db", embed=Known(vectors))
        kernel = Kernel(ScriptedModel(lambda request: ""), drivers=self.memory.drivers)
        self.agent = kernel.agent(AGENT)
        self.vectors, self.queries, self.notes = vectors, queries, 0

    async def insert(self, count: int, together: int = TOGETHER) -> list[float]:
        """Remember more notes, so many at the same time; seconds per note of each such group."""
        keep = self.memory.drivers[Remember]
        times, end = [], self.notes + count
        while self.notes < end:
            some = range(self.notes, min(self.notes + together, end))
            calls = [Remember(agent=AGENT, text=text_of(i)) for i in some]
            begin = perf_counter()
            await asyncio.gather(*(keep(call) for call in calls))
            times.append((perf_counter() - begin) / len(some))
            self.notes += len(some)
        return times

    async def indexed(self) -> None:
        """Wait until what was inserted is in the index of vectors too."""
        bank = self.memory.bank(AGENT)
        assert bank is not None
        assert bank.index is not None
        await bank.index.indexed()

    async def recall(self, count: int, method: Method) -> list[float]:
        """Search for the queries, one after another; seconds of each."""
        find, times = self.memory.drivers[Recall], []
        for i in range(count):
            call = Recall(agent=AGENT, query=self.query(i), k=TOP, method=method)
            begin = perf_counter()
            await find(call)
            times.append(perf_counter() - begin)
        return times

    async def recall_by_agent(self, count: int) -> list[float]:
        """The same as an agent does it: through the kernel, checked and traced."""
        times = []
        for i in range(count):
            begin = perf_counter()
            await self.agent.recall(self.query(i), k=TOP, method="vector")
            times.append(perf_counter() - begin)
        return times

    async def found(self, count: int) -> float:
        """Share of the true nearest notes among those that a search by meaning gives."""
        import numpy as np

        hits = 0
        for i in range(count):
            notes = await self.agent.recall(self.query(i), k=TOP, method="vector")
            cosines = self.vectors[: self.notes] @ self.vectors[len(self.vectors) - 1 - i]
            best = set(np.argpartition(-cosines, TOP)[:TOP].tolist())
            hits += len(best & {int(n.text.partition(" ")[0]) for n in notes})
        return hits / (TOP * count)

    def query(self, i: int) -> str:
        """Query number ``i``: the last texts, which are never remembered, from the end."""
        return text_of(len(self.vectors) - 1 - i)


class Theirs:
    """Concordia's memory in a process of its own.

    Args:
        python: The interpreter that has it.
        folder: Where to put what it reads.
        vectors: Of all notes it is to hold, and then of the queries.
        numbers: Which texts these are.
    """

    def __init__(self, python: str, folder: Path, vectors: Vectors, numbers: Sequence[int]) -> None:
        import numpy as np

        np.save(folder / "vectors.npy", vectors)
        # their own numbering: text i has vector i
        lines = [f"{i} {text_of(n).partition(' ')[2]}" for i, n in enumerate(numbers)]
        (folder / "texts.txt").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [
                python,
                str(Path(concordia_memory.__file__)),
                str(folder / "vectors.npy"),
                str(folder / "texts.txt"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version: str = self._answer()

    def insert(self, count: int) -> list[float]:
        """Add notes; seconds of each."""
        return self._ask(f"insert {count}")

    def recall(self, count: int) -> list[float]:
        """Search for the queries; seconds of each."""
        return self._ask(f"recall {count} {TOP}")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, line: str) -> list[float]:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BadInput(
                f"the comparison with Concordia ended with status {self._process.wait()}; "
                "its own words stand above."
            )
        return json.loads(line)


def row(name: str, notes: int, times: Sequence[float], found: float | None = None) -> Row:
    """Put the seconds of single operations into a row."""
    p90 = statistics.quantiles(times, n=10)[-1] if len(times) > 1 else times[0]
    median = round(statistics.median(times) * 1e3, 4)
    return Row(name, notes, median, round(p90 * 1e3, 4), None if found is None else round(found, 4))


async def measure(options: argparse.Namespace, folder: Path) -> tuple[list[Row], str]:
    """All rows, and the version of Concordia that took part ("" for none)."""
    import numpy as np

    small, full, queries = options.against, options.notes, options.queries
    inserted = options.insertions * ROUNDS
    vectors = make_vectors(full + queries)
    ours = Ours(folder, vectors, queries)
    theirs = None
    if options.concordia:
        few = np.concatenate([vectors[:small], vectors[full:]])
        numbers = [*range(small), *range(full, full + queries)]
        theirs = Theirs(options.concordia, folder, few, numbers)
        theirs.insert(small - inserted)
    await ours.insert(small - inserted)

    rows: list[Row] = []
    their_inserts: list[float] = []
    our_inserts: list[float] = []
    our_indexed: list[float] = []
    await ours.indexed()
    for _ in range(ROUNDS):
        begin = perf_counter()
        our_inserts += await ours.insert(options.insertions)
        await ours.indexed()
        our_indexed.append((perf_counter() - begin) / options.insertions)
        their_inserts += theirs.insert(options.insertions) if theirs else []
    our_recalls, their_recalls = await by_turns(ours, theirs, queries)
    # how it goes on average counts: what some insertions leave for later ones is in it
    rows.append(Row(INSERT, small, round(statistics.fmean(our_inserts) * 1e3, 4)))
    rows.append(Row(INDEXED, small, round(statistics.fmean(our_indexed) * 1e3, 4)))
    rows.append(row(RECALL, small, our_recalls, await ours.found(min(queries, 100))))
    version = ""
    if theirs:
        version = theirs.version
        rows.append(Row(THEIR_INSERT, small, round(statistics.fmean(their_inserts) * 1e3, 4)))
        rows.append(row(THEIR_RECALL, small, their_recalls))
    if full > small:
        begin = perf_counter()
        await ours.insert(full - small)
        await ours.indexed()
        each = (perf_counter() - begin) / (full - small)
        rows.append(Row(INDEXED, full, round(each * 1e3, 4)))
        our_recalls, their_recalls = await by_turns(ours, theirs, queries)
        rows.append(row(RECALL, full, our_recalls, await ours.found(min(queries, 100))))
        if theirs:  # again: the machine may be busier or quieter by now
            rows.append(row(THEIR_RECALL, small, their_recalls))
        for method in ("text", "hybrid"):
            times = await ours.recall(queries, method)
            rows.append(row(f"collegium: recall by {method}", full, times))
    if theirs:
        theirs.close()
    by_agent = await ours.recall_by_agent(queries)
    rows.append(row("collegium: recall by vector, through the kernel", ours.notes, by_agent))
    begin = perf_counter()
    ours.memory.close()
    rows.append(Row("collegium: close and save", ours.notes, round((perf_counter() - begin) * 1e3)))
    begin = perf_counter()
    memory = Memory(folder / "memory.db", embed=Known(vectors))
    memory.bank(AGENT)
    rows.append(Row("collegium: open again", full, round((perf_counter() - begin) * 1e3)))
    memory.close()
    return rows, version


async def by_turns(
    ours: Ours, theirs: Theirs | None, queries: int
) -> tuple[list[float], list[float]]:
    """Seconds of every search by meaning: ours, and Concordia's, which takes a tenth as many."""
    our_recalls: list[float] = []
    their_recalls: list[float] = []
    for _ in range(ROUNDS):
        our_recalls += await ours.recall(queries, "vector")
        their_recalls += theirs.recall(max(1, queries // 10)) if theirs else []
    return our_recalls, their_recalls


INSERT = f"collegium: insert, {TOGETHER} agents at once"
RECALL = "collegium: recall by vector"
INDEXED = "collegium: insert, until indexed"
THEIR_INSERT = "concordia: insert"
THEIR_RECALL = "concordia: recall"


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """Their time over ours, where both were measured, and for recall at our full size too."""
    pairs = [
        (r, o) for n in (INSERT, INDEXED) for r in named(rows, n) for o in named(rows, THEIR_INSERT)
    ]
    # at either size against what took turns with it
    pairs += zip(named(rows, RECALL), named(rows, THEIR_RECALL), strict=False)
    return {
        f"{ours.name.partition(': ')[2]}, {theirs.notes} against {ours.notes} notes": round(
            theirs.median / ours.median, 1
        )
        for ours, theirs in pairs
    }


def named(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of this name, in their order."""
    return [r for r in rows if r.name == name]


def main() -> None:
    """Measure and write ``results/bench/memory.json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--notes", type=int, default=1_000_000)
    parser.add_argument("--against", type=int, default=100_000, help="notes of the comparison")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--insertions", type=int, default=1024, help="per round")
    parser.add_argument("--concordia", default="", metavar="PYTHON")
    parser.add_argument("--out", type=Path, default=Path("results/bench/memory.json"))
    options = parser.parse_args()
    if not find_spec("faiss"):
        raise missing_extra("memory", "measuring memory")
    if options.insertions * ROUNDS > options.against or options.against > options.notes:
        parser.error("--insertions times 5 <= --against <= --notes is needed")
    if not options.concordia and find_spec("concordia"):
        options.concordia = sys.executable
    if not options.concordia:
        print("Without Concordia: pip install gdm-concordia, or give --concordia PYTHON.")
    with tempfile.TemporaryDirectory() as folder:
        rows, version = asyncio.run(measure(options, Path(folder)))
    report = {
        "command": "python -m collegium.bench.speed_memory --concordia PYTHON",
        "machine": machine(),
        "python": sys.version.split()[0],
        "seed": SEED,
        "concordia": version,
        "rows": rows,
        "ratios": ratios(rows),
        "reading": "median and p90 are milliseconds of one operation (insertions: the mean of "
        "all); ratios are their time over ours: above 1 is faster",
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for r in rows:
        found = "" if r.found is None else f"  finds {r.found:.1%}"
        p90 = "" if r.p90 is None else f"  p90 {r.p90:9.3f}"
        print(f"{r.name:48} {r.notes:9,} notes {r.median:9.3f} ms{p90}{found}")
    for name, ratio in ratios(rows).items():
        print(f"theirs / ours: {name}: {ratio:,.1f}")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
