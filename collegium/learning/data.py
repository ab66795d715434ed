"""From trajectories to training data: filters in order, pairs, and what becomes of bad samples.

Step 3 of the pipeline of arXiv 2503.12434 as it is put to use here. Filters are the survey's three
(environment, rule or human, model) and run in the order given; every filter says how many came and
how many it kept. What they drop is used in one of the survey's four ways: *discard*, *contrastive*
(the worse half of a pair), *error correction* (repaired elsewhere, then through the same filters)
and *masking* (learnt from, without its bad steps). Nothing here calls a model.

Paper vs code vs ours
---------------------
* A filter whose signal is missing does not guess: it names the trajectory and what it lacks.
* Every dropped sample of a task is paired with every kept one. A pair of different prompts, as two
  systems have, is marked: a preference loss needs one prompt.
* Masking is open to dropped samples only if some of their steps are marked bad and some are not;
  the survey does not say what should be learnt of a failure in which no step is known to be bad.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.kernel.atomic import replace
from collegium.learning.capture import Trajectory
from collegium.learning.masking import record_of
from collegium.learning.traces import Record, write_records

Source = Literal["environment", "rule", "model"]
Use = Literal["discard", "contrastive", "correction", "masking"]


class Filter(msgspec.Struct, frozen=True):
    """What decides whether a trajectory is kept.

    Attributes:
        name: What it is called in counts.
        source: Who decides, by the survey's words.
        keep: The decision.
    """

    name: str
    source: Source
    keep: Callable[[Trajectory], bool]


class Sieved(msgspec.Struct, frozen=True):
    """What one filter did."""

    name: str
    source: Source
    came: int
    kept: int
    dropped: int


class Dropped(msgspec.Struct, frozen=True):
    """A trajectory that was dropped, and the first filter that did."""

    trajectory: Trajectory
    by: str


class Filtered(msgspec.Struct, frozen=True):
    """What filters made of some trajectories, each list in the order given."""

    kept: tuple[Trajectory, ...]
    dropped: tuple[Dropped, ...]
    counts: tuple[Sieved, ...]
    filters: tuple[Filter, ...]


class Pair(msgspec.Struct, frozen=True):
    """Better and worse behaviour on one task.

    Attributes:
        task: The task.
        chosen: The kept trajectory.
        rejected: The dropped one.
        by: The filter that dropped it.
        same_prompt: Both began with the same prompt, as a preference loss needs.
    """

    task: str
    chosen: Trajectory
    rejected: Trajectory
    by: str
    same_prompt: bool


class Built(msgspec.Struct, frozen=True):
    """Data to train on.

    Attributes:
        uses: What became of the dropped samples.
        records: What to learn by likelihood.
        pairs: What to learn by preference.
        counts: How many trajectories were kept, how many were used though dropped, and how many
            were not used.
    """

    uses: tuple[Use, ...]
    records: tuple[Record, ...]
    pairs: tuple[Pair, ...]
    counts: dict[str, int]


def environment(at_least: float = 1.0) -> Filter:
    """Keep what earned at least this reward."""
    return Filter("environment", "environment", lambda t: _signal(t, "reward") >= at_least)


def rule(name: str = "rule", test: Callable[[Trajectory], bool] | None = None) -> Filter:
    """Keep what a rule or a person accepts; without a test, the verdict it carries decides."""
    return Filter(name, "rule", test or (lambda t: bool(_signal(t, "rule_ok"))))


def unrepaired() -> Filter:
    """Keep runs in which no turn had to be repaired or was marked as bad."""
    return rule("no bad turn", lambda t: not any(step.bad for step in t.steps))


def judge(at_least: float = 0.5) -> Filter:
    """Keep what a judging model gave at least this score."""
    return Filter("judge", "model", lambda t: _signal(t, "judge") >= at_least)


def _signal(trajectory: Trajectory, name: str) -> float:
    value = getattr(trajectory, name)
    if value is None:
        raise BadInput(
            f"{trajectory.name!r} has no {name}: have it judged, or leave out the filter."
        )
    return value


def run_filters(trajectories: Iterable[Trajectory], filters: Sequence[Filter]) -> Filtered:
    """Run filters one after the other; each sees what those before it kept.

    Args:
        trajectories: What to filter; their names differ.
        filters: In the order in which they run; their names differ.

    Raises:
        BadInput: Two trajectories or two filters share a name, or a filter's signal is missing.
    """
    left = list(trajectories)
    _distinct("trajectories", (t.name for t in left))
    _distinct("filters", (f.name for f in filters))
    order = {t.name: place for place, t in enumerate(left)}
    dropped: list[Dropped] = []
    counts: list[Sieved] = []
    for sieve in filters:
        verdicts = [(t, sieve.keep(t)) for t in left]
        kept = [t for t, good in verdicts if good]
        dropped += [Dropped(t, sieve.name) for t, good in verdicts if not good]
        counts.append(Sieved(sieve.name, sieve.source, len(left), len(kept), len(left) - len(kept)))
        left = kept
    dropped.sort(key=lambda d: order[d.trajectory.name])
    return Filtered(tuple(left), tuple(dropped), tuple(counts), tuple(filters))


def _distinct(what: str, names: Iterable[str]) -> None:
    again = [name for name, number in Counter(names).items() if number > 1]
    if again:
        raise BadInput(f"two {what} are called {again[0]!r}; give each a name of its own.")


def same_task_pairs(filtered: Filtered, *, by: Collection[str] | None = None) -> tuple[Pair, ...]:
    """Pair what was kept with what was dropped on the same task.

    Two trajectories whose replies are the same, word for word, make no pair.

    Args:
        filtered: What filters made.
        by: Only what these filters dropped; None: all.

    Raises:
        UnknownName: No such filter ran.
    """
    names = [f.name for f in filtered.filters]
    for name in by or ():
        if name not in names:
            raise unknown_name("filter", name, names)
    return tuple(
        Pair(good.task, good, bad.trajectory, bad.by, _opening(good) == _opening(bad.trajectory))
        for bad in filtered.dropped
        if by is None or bad.by in by
        for good in filtered.kept
        if good.task == bad.trajectory.task
        and (not good.steps or _replies(good) != _replies(bad.trajectory))
    )


def _replies(trajectory: Trajectory) -> list[object]:
    return [step.reply for step in trajectory.steps]


def _opening(trajectory: Trajectory) -> object:
    return trajectory.steps[0].prompt if trajectory.steps else ()


def build(filtered: Filtered, *uses: Use, repairs: Mapping[str, Trajectory] = {}) -> Built:
    """Make data to train on.

    Args:
        filtered: What filters made.
        uses: What becomes of the dropped samples; several go together, as correction and masking
            do. None: they are discarded.
        repairs: In correction, what became of dropped trajectories after reflection, by the name of
            the dropped one. They pass the same filters; those that fail are not used.

    Raises:
        UnknownName: There is no such use, or a repair is of nothing that was dropped.
        BadInput: A repair is of another task, or repairs are given without correction.
    """
    asked: tuple[Use, ...] = uses or ("discard",)
    for use in asked:
        if use not in get_args(Use):
            raise unknown_name("use of low-quality samples", use, get_args(Use))
    if repairs and "correction" not in asked:
        raise BadInput(f"repairs are for correction; they have no part in {', '.join(asked)}.")
    masking = "masking" in asked
    mended = _corrected(filtered, repairs)
    used = set(mended)
    more = list(mended.values())
    if masking:
        half_good = [
            d.trajectory
            for d in filtered.dropped
            if d.trajectory.name not in mended and _maskable(d.trajectory)
        ]
        more += half_good
        used |= {t.name for t in half_good}
    pairs = same_task_pairs(filtered) if "contrastive" in asked else ()
    used |= {p.rejected.name for p in pairs}
    learnt = [
        t for t in (*filtered.kept, *more) if any(not (masking and step.bad) for step in t.steps)
    ]
    return Built(
        uses=asked,
        records=tuple(record_of(t, masking=masking) for t in learnt),
        pairs=pairs,
        counts={
            "kept": len(filtered.kept),
            "used though dropped": len(used),
            "not used": len(filtered.dropped) - len(used),
        },
    )


def _corrected(filtered: Filtered, repairs: Mapping[str, Trajectory]) -> dict[str, Trajectory]:
    """The repairs that pass the filters, by the name of what they repair."""
    dropped = {d.trajectory.name: d.trajectory for d in filtered.dropped}
    for name, repaired in repairs.items():
        if name not in dropped:
            raise unknown_name("dropped trajectory", name, dropped)
        if repaired.task != dropped[name].task:
            raise BadInput(
                f"the repair of {name!r} is of task {repaired.task!r}, "
                f"not of {dropped[name].task!r}."
            )
    passed = {t.name for t in run_filters(repairs.values(), filtered.filters).kept}
    return {name: repaired for name, repaired in repairs.items() if repaired.name in passed}


def _maskable(trajectory: Trajectory) -> bool:
    """Some of its steps are known to be bad, and some are not."""
    return len({step.bad for step in trajectory.steps}) == 2


def write_built(built: Built, folder: Path) -> list[Path]:
    """Write data as JSON lines: ``records.jsonl``, and ``pairs.jsonl`` where there are pairs.

    Args:
        built: The data.
        folder: Where to; it is made.

    Returns:
        The files written.

    Raises:
        BadInput: They cannot be written.
    """
    files = [folder / "records.jsonl"]
    lines = b"".join(
        msgspec.json.encode(
            {
                "task": pair.task,
                "by": pair.by,
                "same_prompt": pair.same_prompt,
                "chosen": record_of(pair.chosen),
                "rejected": record_of(pair.rejected),
            }
        )
        + b"\n"
        for pair in built.pairs
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_records(built.records, files[0])
        if built.pairs:
            files.append(folder / "pairs.jsonl")
            replace(files[1], lines)
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error.strerror or error}.") from None
    return files
