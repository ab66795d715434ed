"""Random numbers that belong to an agent, a step and a purpose, not to an order of drawing.

Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) turns a counter
and a key into four words that look random. The counter here is (agent, step, number of the draw)
and the key (seed, purpose). So agent 7 draws the same number on day 30 for "infect" whether one
thread or eight do the work, whether the run was interrupted, and whatever else was changed in a
branch: that is what common random numbers are.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from collegium.society.compiled import compiled, spread

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_UP, _DOWN = np.uint64(21), np.uint64(11)
_UNIT = 2.0**-53


@compiled
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four words from a counter of four words and a key of two (all held in 64 bits)."""
    for _ in range(10):
        first = _M0 * c0
        second = _M1 * c2
        c0, c1, c2, c3 = (
            (second >> _HALF) ^ c1 ^ k0,
            second & _LOW,
            (first >> _HALF) ^ c3 ^ k1,
            first & _LOW,
        )
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@compiled
def uniform(key: Any, step: int, agent: int, number: int = 0) -> float:
    """A number in [0, 1) with 53 random bits.

    Args:
        key: Two words (see :func:`key_of`) as an array of 64-bit words.
        step: Which step.
        agent: Which agent.
        number: Which of its draws for this purpose in this step.
    """
    a, b, _, _ = philox(
        np.uint64(agent) & _LOW,
        np.uint64(agent) >> _HALF,
        np.uint64(step) & _LOW,
        np.uint64(number) & _LOW,
        key[0],
        key[1],
    )
    return float(np.int64((a << _UP) ^ (b >> _DOWN))) * _UNIT


@cache
def _key(seed: int, purpose: str) -> tuple[int, int]:
    # The purpose's number is mixed in by the generator itself: keys of near seeds are strangers.
    return seed & 0xFFFFFFFF, crc32(purpose.encode()) ^ ((seed >> 32) & 0xFFFFFFFF)


def key_of(seed: int, purpose: str) -> NDArray[np.uint64]:
    """The key of a seed and a purpose such as "infect"."""
    return np.array(_key(seed, purpose), np.uint64)


@compiled
def _fill(first: int, last: int, key: Any, step: int, number: int, out: Any) -> None:
    for i in range(first, last):
        out[i] = uniform(key, step, i, number)


@compiled
def _fill_some(
    first: int, last: int, key: Any, step: int, number: int, agents: Any, out: Any
) -> None:
    for i in range(first, last):
        out[i] = uniform(key, step, agents[i], number)


def uniforms(
    seed: int,
    purpose: str,
    step: int,
    agents: int | NDArray[Any],
    number: int = 0,
) -> NDArray[np.float64]:
    """Numbers in [0, 1), one per agent.

    Args:
        seed: Seed of the run.
        purpose: What they are for.
        step: Which step.
        agents: How many agents (0, 1, ...), or which.
        number: Which draw for this purpose.
    """
    key = key_of(seed, purpose)
    if isinstance(agents, int):
        out = np.empty(agents)
        spread(_fill, agents, key, step, number, out)
    else:
        out = np.empty(len(agents))
        spread(_fill_some, len(agents), key, step, number, agents, out)
    return out


def generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A stream of numbers for what is drawn once by one hand, such as a network.

    Args:
        seed: Seed of the run.
        purpose: What it is for.
        step: Which step.
    """
    low, high = _key(seed, purpose)
    return np.random.Generator(np.random.Philox(key=[(high << 32) | low, step]))
