"""Fit R to counted cases with the epidemic itself: any behaviour, any number of agents.

The gradient of :mod:`collegium.society.covid.calibrate` fits a value per week; this needs no
gradient. Golden-section search tries R between two bounds; every trial runs the same seeds, so that
trials differ by R alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.society.covid.behaviour import weekly
from collegium.society.engine import Society
from collegium.society.frames import read_frame

LOW, HIGH = 0.2, 8.0
GOLDEN = (5**0.5 - 1) / 2


class Fitted(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        r: R.
        error: Root mean squared error of weekly cases, mean over seeds.
        trials: Values of R that were tried, with the error of each.
    """

    r: float
    error: float
    trials: tuple[tuple[float, float], ...]


def error(simulated: Sequence[float], observed: Sequence[float]) -> float:
    """Root mean squared error of weekly cases."""
    return float(np.sqrt(np.mean((np.array(simulated) - np.array(observed)) ** 2)))


async def golden(
    loss: Callable[[float], Awaitable[float]], trials: int, low: float = LOW, high: float = HIGH
) -> dict[float, float]:
    """The loss of the values between two bounds that golden-section search tries, in order.

    Args:
        loss: What is made small.
        trials: How many values are tried.
        low: Lower bound.
        high: Upper bound.
    """
    tried: dict[float, float] = {}

    async def at(value: float) -> float:
        if value not in tried:
            if len(tried) == trials:
                return float("inf")
            tried[value] = await loss(value)
        return tried[value]

    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    while len(tried) < trials:
        if await at(left) <= await at(right):
            high, right = right, left
            left = high - GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + GOLDEN * (high - low)
    return tried


async def fit_r(
    begin: Callable[[int, float], Society],
    observed: Sequence[float],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    trials: int = 12,
    on_trial: Callable[[float, float], None] | None = None,
) -> Fitted:
    """Find the R with which the epidemic has the weekly cases that were counted.

    Args:
        begin: Makes the society of a seed and an R at its first day.
        observed: Cases by week.
        seeds: Runs whose mean error is made small.
        trials: Values of R that are tried.
        on_trial: Called with each value and its error.

    Raises:
        BadInput: There are no weeks, no seeds or too few trials.
    """
    if not observed or not seeds or trials < 2:
        raise BadInput("a fit needs a week of cases or more, a seed, and two trials or more.")

    async def loss(r: float) -> float:
        errors = []
        for seed in seeds:
            made = await begin(seed, r).run(7 * len(observed))
            errors.append(error(weekly(made.curves["cases"]), observed))
        found = statistics.mean(errors)
        if on_trial is not None:
            on_trial(r, found)
        return found

    tried = await golden(loss, trials)
    best = min(tried, key=lambda r: tried[r])
    return Fitted(best, tried[best], tuple(tried.items()))


def read_series(file: Path) -> list[float]:
    """Cases by week from a CSV or Parquet file: column ``cases``, or the only one of numbers.

    Raises:
        BadInput: The file cannot be read, or it is not clear which column is meant.
    """
    frame = read_frame(file)
    numbers = [c for c in frame.columns if frame[c].dtype.is_numeric()]
    column = "cases" if "cases" in numbers else numbers[0] if len(numbers) == 1 else ""
    if not column:
        raise BadInput(f"{file} needs a column 'cases' with the cases of each week.")
    values = [float(v) for v in frame[column].to_list() if v is not None]
    if not values or min(values) < 0:
        raise BadInput(f"column {column!r} of {file} must hold numbers of cases, none below 0.")
    return values
