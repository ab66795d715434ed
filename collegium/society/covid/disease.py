"""The disease of AgentTorch's epidemic model (arXiv 2409.10568): stages, infectivity, and kernels.

Symbols: stages S, E, I, R, M are 0 to 4. On day t, agent j infects its contact i at the rate

    lambda_ij = R * S_age(i) * A_stage(j) * B * G(t - t_inf(j)) / I_mean(i)

and i catches the disease with P = 1 - exp(-sum_j lambda_ij), times (1 - isolate_i) if i isolates.
R is the reproduction number, S_age susceptibility, A infectivity, B the factor of the contact's
layer, G the share of infectivity that falls on a day since infection, I_mean the mean number of
contacts.

Paper vs code vs ours
---------------------
* S_age is given for nine age groups of ten years; the populations have six. The code takes group k
  of six as group k of nine. Here each of the six gets the mean over the years that it covers.
* I_mean depends on age (child 2, adult 3, elderly 4). The code looks it up by the number of the
  edge's type, so that every edge gets one and the same value; here the age of the one at risk says.
* Deaths are M times those who leave stage I. Each of them dies with probability M, so that numbers
  stay whole; the differentiable form keeps the expectation.
* Isolation is drawn by each agent every day. The code's heuristic mode multiplies by a fraction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from collegium.society.chance import uniform
from collegium.society.compiled import compiled
from collegium.society.state import Array

S, E, I, R, M, ABSENT = range(6)  # noqa: E741 (the paper's symbols)
"""Stages; ABSENT is for those who have left the society."""

STAGES = ("S", "E", "I", "R", "M")

S_AGE_DECADES = (0.35, 0.69, 1.03, 1.03, 1.03, 1.03, 1.27, 1.52, 1.52)
"""Susceptibility of the ages 0-9, 10-19, ... 80 and older."""

S_AGE = (
    (0.35 + 0.69) / 2,  # up to 19
    1.03,
    1.03,
    1.03,
    (10 * 1.03 + 5 * 1.27) / 15,  # 50 to 64
    (5 * 1.27 + 20 * 1.52) / 25,  # 65 and older, up to 89
)
"""The same for the six age groups of the populations here."""

A_STAGE = (0.0, 0.33, 0.72, 0.0, 0.0, 0.0)
"""Infectivity of the stages."""

I_MEAN = (2.0, 3.0, 3.0, 3.0, 3.0, 4.0)
"""Mean contacts of the six age groups: children, adults, elderly."""

SCALE, RATE = 5.5, 2.4
"""Mean and standard deviation, in days, of the time from infection to infecting."""

DAYS = 127
"""Longest time since infection that is told apart."""

_INFECTED = 128  # codes from here on are of stage I


def infectivity_by_day(scale: float = SCALE, rate: float = RATE) -> Array:
    """G(d): how much of all infectivity falls on day d since infection, for d = 0 ... 127.

    The gamma distribution has shape scale^2/rate^2 and scale rate^2/scale.
    """
    from scipy.stats import gamma

    cdf = gamma.cdf(np.arange(-1, DAYS + 1), a=scale**2 / rate**2, scale=rate**2 / scale)
    return np.diff(cdf)


def rate(
    r: float, susceptibility: float, infectivity: float, b: float, g: float, i: float
) -> float:
    """lambda_ij of one contact on one day; arguments in the order of the formula."""
    return r * susceptibility * infectivity * b * g / i


def probability(total: float) -> float:
    """P of catching the disease from the sum of lambda_ij."""
    return float(-np.expm1(-total))


def infectivity_by_code(by_day: Array) -> Array:
    """A_stage * G for every code of a stage and a day (see :func:`advance`)."""
    table = np.zeros(256)
    table[1:_INFECTED] = A_STAGE[E] * by_day[:DAYS]
    table[_INFECTED:] = A_STAGE[I] * by_day[: DAYS + 1]
    return table


@compiled
def advance(
    first: int,
    last: int,
    stage: Any,
    day: Any,
    code: Any,
    exposed_days: float,
    infected_days: float,
    fatality: float,
    key: Any,
    step: int,
    ids: Any,
) -> Any:
    """One day of illness: E to I, I to R or M; and what each agent can infect with, as one byte.

    The byte is 0 for those who infect nobody, the day since infection and 1 in stage E, 128 and the
    day in stage I. A million agents fit the cache of a processor that way, and reading contacts at
    random costs little.

    Returns:
        How many became infectious, how many left stage I, how many of those died.
    """
    became, left, died = 0, 0, 0
    for i in range(first, last):
        now = stage[i]
        if now != 1 and now != 2:
            code[i] = 0
            continue
        if day[i] < 126:
            day[i] += 1
        if now == 1 and day[i] >= exposed_days:
            stage[i] = now = 2
            became += 1
        if now == 2 and day[i] >= exposed_days + infected_days:
            left += 1
            code[i] = 0
            if uniform(key, step, ids[i]) < fatality:
                stage[i] = 4
                died += 1
            else:
                stage[i] = 3
        else:
            code[i] = day[i] + (1 if now == 1 else 128)
    return became, left, died


@compiled
def gather(
    first: int,
    last: int,
    starts: Any,
    others: Any,
    factor: float,
    code: Any,
    table: Any,
    stage: Any,
    pressure: Any,
) -> None:
    """Add the infectivity of a layer's contacts to the pressure on those who can catch it."""
    for i in range(first, last):
        if stage[i] == 0:
            total = 0.0
            for e in range(starts[i], starts[i + 1]):
                total += table[code[others[e]]]
            pressure[i] += factor * total


@compiled
def infect(
    first: int,
    last: int,
    stage: Any,
    day: Any,
    pressure: Any,
    age: Any,
    susceptibility: Any,
    isolates: Any,
    effect: float,
    imported: float,
    key: Any,
    step: int,
    ids: Any,
) -> int:
    """Draw who catches the disease.

    Returns:
        How many did.
    """
    caught = 0
    for i in range(first, last):
        total = pressure[i]
        pressure[i] = 0.0
        if stage[i] != 0 or (total == 0.0 and imported == 0.0):
            continue
        p = 1.0 - np.exp(-susceptibility[age[i]] * total)
        p *= 1.0 - effect * isolates[i]
        p = 1.0 - (1.0 - p) * (1.0 - imported)
        if uniform(key, step, ids[i]) < p:
            stage[i] = 1
            day[i] = 0
            caught += 1
    return caught


@compiled
def count(first: int, last: int, stage: Any, totals: Any, part: int) -> None:
    """Count the agents of each stage into a row of ``totals``."""
    for i in range(first, last):
        totals[part, stage[i]] += 1


@compiled
def draw_by_group(
    first: int,
    last: int,
    key: Any,
    step: int,
    ids: Any,
    group: Any,
    probability: Any,
    age: Any,
    scale: Any,
    shift: Any,
    out: Any,
) -> int:
    """Each agent draws its action from its group's probability, aligned for its age.

    p' = scale * p + shift, within 0 and 1.

    Returns:
        How many drew a 1.
    """
    ones = 0
    for i in range(first, last):
        p = scale[age[i]] * probability[group[i]] + shift[age[i]]
        drawn = 1 if uniform(key, step, ids[i]) < p else 0
        out[i] = drawn
        ones += drawn
    return ones
