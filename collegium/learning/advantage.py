"""Group-relative advantages: how much better one sample was than the others of its group.

GRPO, as reward-based methods in the survey arXiv 2503.12434 use it: of the G samples of one prompt,
A_i = (R_i - mean) / std, with the population's standard deviation (divided by G).

Paper vs code vs ours
---------------------
* Other code divides by G - 1 or adds a small constant to the deviation. Here neither: rewards
  1, 0, 0, 1 give exactly +1, -1, -1, +1.
* A group whose rewards are all equal says nothing: its advantages are 0. Rewards that differ by no
  more than rounding count as equal, lest noise be blown up to +-1.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from collegium.errors import BadInput

Group = TypeVar("Group", bound=Hashable)


def group_advantages(rewards: Sequence[float]) -> tuple[float, ...]:
    """Advantages of the samples of one group.

    Args:
        rewards: One per sample, any finite numbers.

    Returns:
        One per sample; their mean is 0 and their deviation 1, or all are 0.

    Raises:
        BadInput: A reward is not finite.
    """
    if not all(map(math.isfinite, rewards)):
        raise BadInput(f"rewards must be finite numbers, not {list(rewards)}.")
    if not rewards or math.isclose(min(rewards), max(rewards), rel_tol=1e-9, abs_tol=1e-12):
        return (0.0,) * len(rewards)
    # Scaled first: squares of very large or very small rewards leave the range of floats.
    scale = max(map(abs, rewards))
    scaled = [reward / scale for reward in rewards]
    mean = math.fsum(scaled) / len(scaled)
    centred = [reward - mean for reward in scaled]
    deviation = math.sqrt(math.fsum(c * c for c in centred) / len(centred))
    return tuple(c / deviation for c in centred)


def advantages_by_group(samples: Iterable[tuple[Group, float]]) -> list[float]:
    """Advantages of samples of several groups, each against its own group.

    Args:
        samples: Group (say, the task) and reward of each.

    Returns:
        One advantage per sample, in the order given.

    Raises:
        BadInput: A reward is not finite.
    """
    listed = list(samples)
    places: dict[Group, list[int]] = {}
    for place, (group, _) in enumerate(listed):
        places.setdefault(group, []).append(place)
    found = [0.0] * len(listed)
    for held in places.values():
        for place, advantage in zip(
            held, group_advantages([listed[p][1] for p in held]), strict=True
        ):
            found[place] = advantage
    return found
