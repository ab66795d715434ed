"""Cascades: the tree of reposts and quotes that grew from a post (OASIS, section 3.1)."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from collegium.society.compiled import compiled
from collegium.society.state import Array, State


class Cascade(msgspec.Struct, frozen=True):
    """A tree of posts.

    Attributes:
        post: The first post.
        scale: Number of posts.
        depth: Longest path from the first.
        breadth: Most posts at one depth.
        virality: Structural virality: the mean distance of two posts in the tree.
        parents: Of each node its parent's place, -1 for the first; parents come first.
        depths: Of each node.
        steps: When each was posted.
    """

    post: int
    scale: int
    depth: int
    breadth: int
    virality: float
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    steps: tuple[int, ...]


@compiled
def _roots(parent: Any, roots: Any) -> None:
    for i in range(len(parent)):
        roots[i] = i if parent[i] < 0 else roots[parent[i]]


def roots_of(state: State) -> Array:
    """The first post of the tree that each post belongs to."""
    parent = state.tables["post"]["parent"]
    roots = np.empty(len(parent), np.int32)
    _roots(parent, roots)
    return roots


def cascade_of(state: State, post: int, roots: Array | None = None) -> Cascade:
    """The cascade that a post began.

    Args:
        state: The platform.
        post: The first post.
        roots: As :func:`roots_of` gives them, where they are known.
    """
    posts = state.tables["post"]
    members = np.flatnonzero((roots_of(state) if roots is None else roots) == post)
    place = {int(p): i for i, p in enumerate(members)}
    parents = [place.get(int(p), -1) for p in posts["parent"][members]]
    depths = [0] * len(parents)
    for i, parent in enumerate(parents):
        depths[i] = depths[parent] + 1 if parent >= 0 else 0
    return Cascade(
        post,
        len(members),
        max(depths),
        int(np.bincount(depths).max()),
        structural_virality(parents),
        tuple(parents),
        tuple(depths),
        tuple(posts["step"][members].tolist()),
    )


def structural_virality(parents: list[int]) -> float:
    """Mean distance between two nodes of a tree (Goel et al., 2016).

    An edge lies on the paths between the nodes below it and all others; so its share of the sum
    follows from how many are below, and the tree is walked through once.

    Args:
        parents: Of each node its parent, -1 for the root; parents come first.
    """
    count = len(parents)
    if count < 2:
        return 0.0
    below = [1] * count
    for i in range(count - 1, 0, -1):
        if parents[i] >= 0:
            below[parents[i]] += below[i]
    total = sum(below[i] * (count - below[i]) for i in range(count) if parents[i] >= 0)
    return 2 * total / (count * (count - 1))


def largest(state: State, count: int) -> list[Cascade]:
    """The largest cascades, of two posts or more."""
    roots = roots_of(state)
    sizes = np.bincount(roots, minlength=1)
    best = np.argsort(-sizes, kind="stable")[:count]
    return [cascade_of(state, int(p), roots) for p in best if sizes[p] > 1]


def over_time(cascade: Cascade, steps: int) -> dict[str, list[int]]:
    """scale(t), depth(t) and breadth(t) for t steps after the first post.

    Args:
        cascade: The cascade.
        steps: Last t.
    """
    when = np.array(cascade.steps) - cascade.steps[0]
    depths = np.array(cascade.depths)
    curves: dict[str, list[int]] = {"scale": [], "depth": [], "breadth": []}
    for t in range(steps + 1):
        there = depths[when <= t]
        curves["scale"].append(len(there))
        curves["depth"].append(int(there.max()))
        curves["breadth"].append(int(np.bincount(there).max()))
    return curves


def normalised_rmse(simulated: list[int], real: list[int]) -> float:
    """Root mean squared error of a curve, over the largest value of the real one."""
    a, b = np.array(simulated, float), np.array(real, float)
    return float(np.sqrt(np.mean((a - b) ** 2)) / max(1.0, b.max()))
