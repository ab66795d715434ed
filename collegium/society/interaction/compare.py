"""What if: two runs that differ in one thing and draw the same random numbers, compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.society.engine import Society
from collegium.society.operations import Operation, schedule


class Shift(msgspec.Struct, frozen=True):
    """A difference over seeds, changed minus unchanged.

    Attributes:
        mean: Its mean.
        low: Lower end of the 95% interval of the mean.
        high: Upper end.
        by_seed: The difference of each seed.
    """

    mean: float
    low: float
    high: float
    by_seed: tuple[float, ...]


class Difference(msgspec.Struct, frozen=True):
    """What a change did to one curve.

    Attributes:
        curve: Which.
        end: Of its last value: what counts where the curve says how many there are.
        sum: Of its sum over all steps: what counts where it says how many there were in a step.
    """

    curve: str
    end: Shift
    sum: Shift


class Comparison(msgspec.Struct, frozen=True):
    """A change and what came of it.

    Attributes:
        at: When it was made.
        operation: What was changed.
        differences: By curve.
        first: By seed the first step whose measures differ; -1: none did.
    """

    at: int
    operation: Operation
    differences: tuple[Difference, ...]
    first: tuple[int, ...]


async def compare(
    begin: Callable[[int], Society],
    at: int,
    operation: Operation,
    *,
    steps: int,
    seeds: Sequence[int],
    curves: Sequence[str] = (),
    common: bool = True,
) -> Comparison:
    """Run with and without a change, seed by seed.

    Args:
        begin: Makes the society of a seed at its first step.
        at: Step before which the change is made.
        operation: The change.
        steps: Length of a run.
        seeds: Of the unchanged runs.
        curves: Which to compare; all if none are named.
        common: Whether both draw the same random numbers; otherwise the changed run has a seed of
            its own, as in two studies that know nothing of each other.

    Returns:
        Differences with intervals over seeds.

    Raises:
        BadInput: There are fewer than two seeds, or the change is impossible.
    """
    if len(seeds) < 2:
        raise BadInput(f"an interval needs two seeds or more, not {len(seeds)}.")
    pairs = []
    for number, seed in enumerate(seeds):
        plain = begin(seed)
        changed = plain.branch() if common else begin(max(seeds) + 1 + number)
        schedule(changed, at, operation)
        await plain.run(steps)
        await changed.run(steps)
        pairs.append((plain, changed))
    differences, first = contrast(pairs, curves)
    return Comparison(at, operation, differences, first)


def contrast(
    pairs: Sequence[tuple[Society, Society]], curves: Sequence[str] = ()
) -> tuple[tuple[Difference, ...], tuple[int, ...]]:
    """What a change did to every curve, from pairs of runs without and with it.

    Args:
        pairs: One pair per seed; two or more.
        curves: Which to compare; all if none are named.

    Returns:
        The differences of each curve with intervals over pairs, and by pair the first step whose
        measures differ (-1: none).

    Raises:
        BadInput: There are fewer than two pairs.
    """
    if len(pairs) < 2:
        raise BadInput(f"an interval needs two seeds or more, not {len(pairs)}.")
    found = tuple(
        Difference(
            curve,
            end=_shift([b.curves[curve][-1] - a.curves[curve][-1] for a, b in pairs]),
            sum=_shift([sum(b.curves[curve]) - sum(a.curves[curve]) for a, b in pairs]),
        )
        for curve in curves or pairs[0][0].curves
    )
    return found, tuple(first_difference(plain, changed) for plain, changed in pairs)


def first_difference(a: Society, b: Society) -> int:
    """Number of the first step after which two runs measured different things; -1: none."""
    for t in range(min(a.t, b.t)):
        if any(a.curves[c][t] != b.curves[c][t] for c in a.curves):
            return t
    return -1


def _shift(values: Sequence[float]) -> Shift:
    from scipy.stats import t as student

    array = np.array(values)
    error = array.std(ddof=1) / np.sqrt(len(array))
    reach = float(student.ppf(0.975, len(array) - 1) * error)
    mean = float(array.mean())
    return Shift(mean, mean - reach, mean + reach, tuple(values))
