"""Where a formula is tried out: random points, a walk along each input from each, and corners."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from collegium.errors import BadInput

Range = tuple[float, float] | Sequence[Any]
"""Lowest and highest value of a number, or all values an input may have (one value: fixed)."""

STEP = 1e-3
"""The small step along an input, as a share of its range."""

CORNERS = 64
"""Most corners of the box of all ranges that are tried."""

REPEATS = 8
"""How many points are evaluated twice."""


class Input(msgspec.Struct, frozen=True):
    """One input of a formula.

    Attributes:
        name: Its parameter.
        low: Lowest value, for a number.
        high: Highest value, for a number.
        whole: Whether only whole numbers will do.
        choices: All its values, if it is not a number in a range.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def fixed(self) -> bool:
        """Whether it always has the same value."""
        return len(self.choices) == 1

    @property
    def ends(self) -> tuple[Any, ...]:
        """Its boundary values."""
        if self.choices:
            return tuple(dict.fromkeys((self.choices[0], self.choices[-1])))
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def draw(self, rng: random.Random) -> Any:
        """A random value."""
        if self.choices:
            return rng.choice(self.choices)
        if self.whole:
            return rng.randint(int(self.low), int(self.high))
        return rng.uniform(self.low, self.high)

    def walk(self, start: Any, rng: random.Random) -> list[Any]:
        """Values along the input, in order: a start, a small step from it, both ends, 0, one more.

        The small step finds what is wrong locally, the others what is wrong in the large.
        """
        if self.choices:
            return list(self.choices)
        small = 1 if self.whole else (self.high - self.low) * STEP
        near = start + small if start + small <= self.high else start - small
        values = {*self.ends, start, near, self.draw(rng)}
        if self.low <= 0 <= self.high:
            values.add(0 if self.whole else 0.0)
        return sorted(values)


class Plan(msgspec.Struct, frozen=True):
    """What to evaluate.

    Attributes:
        points: Arguments by name; each different point once, then some a second time.
        walks: Per input, sequences of points that differ in that input alone, in its order.
        repeats: Pairs of points that are the same.
    """

    points: tuple[dict[str, Any], ...]
    walks: dict[str, list[list[int]]]
    repeats: tuple[tuple[int, int], ...]


def inputs_of(ranges: Mapping[str, Range], whole: Collection[str]) -> list[Input]:
    """Read the ranges of inputs.

    Args:
        ranges: By parameter.
        whole: Parameters that take whole numbers only.

    Raises:
        BadInput: There are none, or one is not a range.
    """
    if not ranges:
        raise BadInput("an audit needs the range of every input, as {'weight': (30.0, 200.0)}.")
    found: list[Input] = []
    for name, values in ranges.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise BadInput(
                f"the range of {name!r} must be (lowest, highest) or all its values, "
                f"not {values!r}."
            )
        if len(values) != 2 or not all(map(_number, values)):
            found.append(Input(name, choices=tuple(values)))
            continue
        low, high = values
        finite = math.isfinite(low) and math.isfinite(high)
        if finite and name in whole:
            low, high = math.ceil(low), math.floor(high)
        if not finite or not low < high:
            kind = "whole numbers" if name in whole else "finite numbers"
            raise BadInput(
                f"the range of {name!r} must go up from one to another of {kind}, not {values!r}."
            )
        found.append(Input(name, float(low), float(high), name in whole))
    return found


def plan_of(inputs: Sequence[Input], samples: int, seed: int) -> Plan:
    """Choose the points, by seed.

    Args:
        inputs: The inputs of the formula.
        samples: How many random points to start from.
        seed: Decides all that is random.

    Raises:
        BadInput: ``samples`` is below 1.
    """
    if samples < 1:
        raise BadInput(f"an audit needs at least 1 sample, not {samples}.")
    rng = random.Random(seed)
    points: list[dict[str, Any]] = []
    number: dict[tuple[Any, ...], int] = {}

    def put(point: dict[str, Any]) -> int:
        key = tuple((type(v), repr(v)) for v in point.values())
        if key not in number:
            number[key] = len(points)
            points.append(point)
        return number[key]

    for corner in _corners(inputs, rng):
        put(corner)
    walks: dict[str, list[list[int]]] = {i.name: [] for i in inputs if not i.fixed}
    for _ in range(samples):
        base = {i.name: i.draw(rng) for i in inputs}
        for one in inputs:
            if not one.fixed:
                values = one.walk(base[one.name], rng)
                walks[one.name].append([put({**base, one.name: v}) for v in values])
    again = rng.sample(range(len(points)), min(REPEATS, len(points)))
    repeats = tuple((first, len(points) + i) for i, first in enumerate(again))
    return Plan((*points, *(points[i] for i in again)), walks, repeats)


def _corners(inputs: Sequence[Input], rng: random.Random) -> list[dict[str, Any]]:
    """All corners of the box of ranges, or some of them where there are too many."""
    names, ends = [i.name for i in inputs], [i.ends for i in inputs]
    if math.prod(map(len, ends)) <= CORNERS:
        return [dict(zip(names, c, strict=True)) for c in itertools.product(*ends)]
    first, last = [e[0] for e in ends], [e[-1] for e in ends]
    drawn = [[rng.choice(e) for e in ends] for _ in range(CORNERS - 2)]
    return [dict(zip(names, c, strict=True)) for c in (first, last, *drawn)]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
