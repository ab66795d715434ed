"""How much better a folder is than the one it began as.

Improvement is (final - baseline) / baseline, with the sign turned where less is better; the
baseline is the mean of the starter code's own runs; success is an improvement of more than a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.worlds.folder.run import RunLimits, run_in

THRESHOLD = 0.10
RUNS = 3
"""Runs of the starter code that make a baseline."""

Better = Literal["higher", "lower"]
Files = Mapping[str, bytes]


class Measured(msgspec.Struct, frozen=True):
    """What a folder scored; None with the reason when its submission is not valid."""

    value: float | None
    problem: str = ""


class FolderTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a work folder. What is hidden lies here, and never in the folder.

    Attributes:
        name: Of the task.
        like: The task of the paper that it is a variant of.
        problem: What is to be done.
        metric: What is measured.
        better: Whether more or less of it is better.
        files: Makes the files that are there at first; ``train.py`` is the starter code.
        read_only: The files that cannot be changed.
        score: Measures a folder; it may run programs in the sandbox.
        hidden: Folders of the Python installation that programs must not see.
        limits: What a program may spend.
        missing: What is needed and not here, "" when all is.
    """

    name: str
    like: str
    problem: str
    metric: str
    better: Better
    files: Callable[[], dict[str, bytes]]
    read_only: tuple[str, ...]
    score: Callable[[Files], Awaitable[Measured]]
    hidden: Callable[[], Sequence[Path]] = lambda: ()
    limits: RunLimits = RunLimits()
    missing: Callable[[], str] = lambda: ""


def improvement(final: float, baseline: float, better: Better = "higher") -> float:
    """By which share of the baseline a score is better.

    Raises:
        BadInput: The baseline is 0, of which there is no share.
    """
    if not baseline or not math.isfinite(baseline):
        raise BadInput(f"there is no improvement over a baseline of {baseline}.")
    gain = (final - baseline) / abs(baseline)
    return gain if better == "higher" else -gain


def succeeded(gain: float) -> bool:
    """Whether an improvement is more than a tenth; exactly a tenth is not."""
    return gain > THRESHOLD + 1e-9


_baselines: dict[str, tuple[float, ...]] = {}


async def starter_scores(task: FolderTask, runs: int = RUNS) -> tuple[float, ...]:
    """What the starter code scores, run by run; measured once for each task and process.

    Raises:
        BadInput: The starter code makes no valid submission, so that nothing can be scored.
    """
    known = _baselines.get(task.name, ())
    while len(known) < runs:
        started = task.files()
        ran = await run_in(
            started, ["python", "train.py"], limits=task.limits, hidden=task.hidden()
        )
        measured = await task.score(ran.files or {})
        if measured.value is None:
            why = ran.problem or ran.err[-300:] or measured.problem
            raise BadInput(f"the starter code of {task.name} does not work here: {why}")
        known = (*known, measured.value)
        _baselines[task.name] = known
    return known[:runs]


async def baseline(task: FolderTask, runs: int = RUNS) -> float:
    """The mean of the starter code's runs."""
    return fmean(await starter_scores(task, runs))


def read_table(content: bytes | None, name: str) -> list[list[str]] | str:
    """The rows of a CSV file without its header, or what is wrong with it."""
    if content is None:
        return f"there is no {name}"
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        return f"{name} is not text"
    return [line.split(",") for line in lines[1:] if line.strip()]


def read_predictions(files: Files, count: int, name: str = "submission.csv") -> list[float] | str:
    """The last column of a submission as numbers, or what is wrong with it."""
    rows = read_table(files.get(name), name)
    if isinstance(rows, str):
        return rows
    if len(rows) != count:
        return f"{name} has {len(rows)} rows where {count} are asked for"
    try:
        values = [float(row[-1]) for row in rows]
    except ValueError as error:
        return f"{name} holds something else than numbers ({error})"
    return values if all(map(math.isfinite, values)) else f"{name} holds numbers without an end"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A CSV file."""
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()
