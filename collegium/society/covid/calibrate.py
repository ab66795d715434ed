"""Calibration: fit parameters to an observed series by gradient descent (AgentTorch, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from collegium.errors import BadInput
from collegium.society.covid.gradient import Course, Estimator, torch

LOW, HIGH = 1.4, 4.5
"""Between which R is sought."""


class Fit(msgspec.Struct, frozen=True):
    """What a calibration found.

    Attributes:
        r: R, one number per week it was fitted for.
        loss: Mean squared error of weekly cases, by step of the optimiser.
        weekly: Weekly cases with the R that was found, mean over seeds.
    """

    r: tuple[float, ...]
    loss: tuple[float, ...]
    weekly: tuple[float, ...]


def calibrate(
    course: Course,
    observed: Sequence[float],
    *,
    start: float = 4.75,
    by_week: bool = False,
    steps: int = 400,
    rate: float = 5e-3,
    betas: tuple[float, float] = (0.5, 0.5),
    seeds: Sequence[int] = (0, 1, 2, 3),
    estimator: Estimator = "straight-through",
    on_step: Callable[[int, float], None] | None = None,
) -> Fit:
    """Find the R with which the epidemic has the weekly cases that were observed.

    Adam descends the mean squared error of weekly cases; R stays within [1.4, 4.5].

    Args:
        course: The epidemic.
        observed: Cases by week; as many weeks as the course has.
        start: R to begin with (the paper's 4.75 is first brought within the bounds).
        by_week: Whether every week has an R of its own.
        steps: Steps of the optimiser.
        rate: Its learning rate.
        betas: Its decay rates.
        seeds: Runs whose mean is compared with what was observed.
        estimator: What the gradient of a draw is.
        on_step: Called after each step with its number and the loss.

    Raises:
        BadInput: The numbers of weeks differ, or there are no seeds.
        MissingExtra: torch is not installed.
    """
    t = torch()
    weeks = course.days // 7
    if len(observed) != weeks or not weeks:
        raise BadInput(
            f"{len(observed)} weeks were observed, but the epidemic runs for {weeks} whole weeks."
        )
    if not seeds:
        raise BadInput("a calibration needs at least one seed.")
    target = t.tensor(np.asarray(observed, float))
    begin = min(max(start, LOW), HIGH)
    r = t.full((weeks if by_week else 1,), begin, dtype=t.float64, requires_grad=True)
    optimiser = t.optim.Adam([r], lr=rate, betas=betas)
    losses: list[float] = []
    # the scale of the loss is that of the cases: Adam does not mind, the reader does
    unit = float(target.pow(2).mean()) or 1.0
    for step in range(steps):
        optimiser.zero_grad()
        simulated = _mean_weekly(course, r, seeds, estimator)
        loss = (simulated - target).pow(2).mean() / unit
        loss.backward()
        optimiser.step()
        with t.no_grad():
            r.clamp_(LOW, HIGH)
        losses.append(float(loss.detach()) * unit)
        if on_step is not None:
            on_step(step, losses[-1])
    with t.no_grad():
        weekly = _mean_weekly(course, r, seeds, estimator)
    return Fit(tuple(r.detach().tolist()), tuple(losses), tuple(weekly.tolist()))


def _mean_weekly(course: Course, r: Any, seeds: Sequence[int], estimator: Estimator) -> Any:
    """Weekly cases, mean over seeds."""
    weeks = course.days // 7
    mean = course.cases(r, seeds, estimator=estimator).mean(0)
    return mean[: weeks * 7].reshape(weeks, 7).sum(1)
