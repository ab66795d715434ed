"""Contact networks as compressed sparse rows, one per layer (household, school, work ...).

Row i lists the agents that i is in contact with. Rows are sorted, so that sums over neighbours
are made in one order everywhere.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collegium.errors import BadInput
from collegium.society.compiled import compiled, spread

Array = NDArray[Any]


class Layer:
    """The contacts of one kind.

    Attributes:
        starts: Where the row of each agent begins, and one more: where the last ends.
        others: The agents in contact, row after row.
        factor: How strongly contacts of this layer count (B of the epidemic); 0 closes it.
    """

    def __init__(self, starts: Array, others: Array, factor: float = 1.0) -> None:
        self.starts, self.others, self.factor = starts, others, factor

    @property
    def agents(self) -> int:
        """Number of agents."""
        return len(self.starts) - 1

    @property
    def edges(self) -> int:
        """Number of directed edges."""
        return len(self.others)

    @cached_property
    def fingerprint(self) -> str:
        """Tells layers with other edges apart."""
        hasher = blake2b(digest_size=12)
        hasher.update(np.ascontiguousarray(self.starts).view(np.uint8).data)
        hasher.update(np.ascontiguousarray(self.others).view(np.uint8).data)
        return hasher.hexdigest()

    def with_factor(self, factor: float) -> Layer:
        """The same contacts, counting differently."""
        layer = Layer(self.starts, self.others, factor)
        if "fingerprint" in self.__dict__:
            layer.__dict__["fingerprint"] = self.fingerprint
        return layer

    def row(self, agent: int) -> Array:
        """The contacts of one agent."""
        return self.others[self.starts[agent] : self.starts[agent + 1]]


def index_type(largest: int) -> type[np.int32] | type[np.int64]:
    """The smallest integer type that holds a number: half the bytes, half the memory traffic."""
    return np.int32 if largest < 2**31 else np.int64


@compiled
def _count(source: Any, starts: Any) -> None:
    for e in range(len(source)):
        starts[source[e] + 1] += 1


@compiled
def _place(source: Any, target: Any, at: Any, others: Any) -> None:
    for e in range(len(source)):
        others[at[source[e]]] = target[e]
        at[source[e]] += 1


@compiled
def _sort_rows(first: int, last: int, starts: Any, others: Any) -> None:
    for i in range(first, last):
        for e in range(starts[i] + 1, starts[i + 1]):
            value, at = others[e], e
            while at > starts[i] and others[at - 1] > value:
                others[at] = others[at - 1]
                at -= 1
            others[at] = value


def from_edges(
    agents: int, source: Array, target: Array, *, both_ways: bool = True, factor: float = 1.0
) -> Layer:
    """A layer from a list of edges.

    Args:
        agents: Number of agents.
        source: One end of each edge.
        target: The other.
        both_ways: Whether an edge is a contact for both ends.
        factor: How strongly its contacts count.

    Raises:
        BadInput: The lists have different lengths, or an edge leads to an agent there is not.
    """
    if len(source) != len(target):
        raise BadInput(f"an edge has two ends; here are {len(source)} and {len(target)}.")
    for ends in (source, target):
        if len(ends) and not (ends.min() >= 0 and ends.max() < agents):
            wrong = int(np.flatnonzero((ends < 0) | (ends >= agents))[0])
            raise BadInput(
                f"edge {wrong} leads to agent {int(ends[wrong])}, who is missing: "
                f"there are the agents 0 to {agents - 1}."
            )
    if both_ways:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
    starts = np.zeros(agents + 1, index_type(len(source)))
    _count(source, starts)
    np.cumsum(starts, out=starts)
    others = np.empty(len(source), index_type(agents))
    _place(source, target, starts[:-1].copy(), others)
    spread(_sort_rows, agents, starts, others)
    return Layer(starts, others, factor)


@compiled
def _link(first: int, last: int, order: Any, degree: int, column: int, out: Any) -> None:
    """One circle more: its two contacts go into columns ``column`` and ``column + 1``."""
    size = len(order)
    for place in range(first, last):
        person = order[place]
        out[person * degree + column] = order[(place + 1) % size]
        out[person * degree + column + 1] = order[place - 1]


def shuffled_rings(
    agents: int, degree: int, random: np.random.Generator, *, factor: float = 1.0
) -> Layer:
    """A random network in which everyone has the same even number of contacts.

    It is the union of ``degree / 2`` circles through all agents in random order, built row by row
    without a list of edges: 67 million edges take 0.3 GB.

    Args:
        agents: Number of agents.
        degree: Contacts of each.
        random: Draws the orders.
        factor: How strongly contacts count.

    Raises:
        BadInput: The degree is odd, or there are too few agents for it.
    """
    if degree % 2 or degree < 2:
        raise BadInput(f"a random layer needs an even number of contacts, 2 or more, not {degree}.")
    if agents <= degree:
        raise BadInput(f"{agents} agents cannot have {degree} contacts each.")
    others = np.empty(agents * degree, index_type(agents))
    order = np.arange(agents, dtype=index_type(agents))
    for column in range(0, degree, 2):
        random.shuffle(order)
        spread(_link, agents, order, degree, column, others)
    starts = np.arange(0, len(others) + 1, degree).astype(index_type(len(others)))
    spread(_sort_rows, agents, starts, others)
    return Layer(starts, others, factor)


@compiled
def _clique_degree(first: int, last: int, sizes: Any, group: Any, starts: Any) -> None:
    for i in range(first, last):
        starts[i + 1] = sizes[group[i]] - 1 if group[i] >= 0 else 0


@compiled
def _clique(
    first: int, last: int, group: Any, begin: Any, members: Any, starts: Any, others: Any
) -> None:
    for i in range(first, last):
        if group[i] < 0:
            continue
        at = starts[i]
        for m in range(begin[group[i]], begin[group[i] + 1]):
            if members[m] != i:
                others[at] = members[m]
                at += 1


def cliques(group: Array, *, factor: float = 1.0) -> Layer:
    """Everyone in contact with all others of the same group, as in a household.

    Args:
        group: Number of each agent's group; below 0: of none.
        factor: How strongly contacts count.
    """
    agents = len(group)
    there = np.flatnonzero(group >= 0).astype(index_type(agents))
    sizes = np.bincount(group[there]) if len(there) else np.zeros(1, np.int64)
    begin = np.concatenate([[0], np.cumsum(sizes)]).astype(index_type(agents))
    members = there[np.argsort(group[there], kind="stable")]
    degrees = np.zeros(agents + 1, np.int64)
    spread(_clique_degree, agents, sizes, group, degrees)
    np.cumsum(degrees, out=degrees)
    starts = degrees.astype(index_type(int(degrees[-1])))
    others = np.empty(int(starts[-1]), index_type(agents))
    spread(_clique, agents, group, begin, members, starts, others)
    return Layer(starts, others, factor)


def group_rings(
    group: Array, degree: int, random: np.random.Generator, *, factor: float = 1.0
) -> Layer:
    """Everyone in contact with some others of the same group, as in a school or at work.

    Each group stands in a circle in random order; contact reaches ``degree / 2`` both ways. Groups
    of at most ``degree + 1`` are cliques.

    Args:
        group: Number of each agent's group; below 0: of none.
        degree: Contacts of each, in groups that are large enough; even.
        random: Draws the order within groups.
        factor: How strongly contacts count.

    Raises:
        BadInput: The degree is odd.
    """
    if degree % 2 or degree < 2:
        raise BadInput(f"a group layer needs an even number of contacts, 2 or more, not {degree}.")
    sizes = np.bincount(group[group >= 0]) if (group >= 0).any() else np.zeros(1, np.int64)
    small = np.where((group >= 0) & (sizes[group] <= degree + 1), group, -1)
    large = np.flatnonzero((group >= 0) & (sizes[group] > degree + 1))
    inside = cliques(small, factor=factor)
    if not len(large):
        return inside
    mixed = random.permutation(large)
    order = mixed[np.argsort(group[mixed], kind="stable")]
    run = sizes[group[order]]
    firsts = np.flatnonzero(np.diff(group[order], prepend=-1))
    begins = np.repeat(firsts, np.diff(np.append(firsts, len(order))))
    degrees = np.diff(inside.starts).astype(np.int64)
    degrees[large] = degree
    starts = np.concatenate([[0], np.cumsum(degrees)])
    others = np.empty(int(starts[-1]), index_type(len(group)))
    spread(_copy_rows, len(group), inside.starts, inside.others, starts, others)
    spread(_ring_rows, len(order), order, begins, begins + run, degree // 2, starts, others)
    starts = starts.astype(index_type(len(others)))
    spread(_sort_rows, len(group), starts, others)
    return Layer(starts, others, factor)


@compiled
def _copy_rows(first: int, last: int, old: Any, source: Any, new: Any, target: Any) -> None:
    for i in range(first, last):
        for k in range(old[i + 1] - old[i]):
            target[new[i] + k] = source[old[i] + k]


@compiled
def _ring_rows(
    first: int, last: int, order: Any, begins: Any, ends: Any, reach: int, starts: Any, out: Any
) -> None:
    for place in range(first, last):
        begin, size = begins[place], ends[place] - begins[place]
        at = starts[order[place]]
        for k in range(1, reach + 1):
            out[at] = order[begin + (place - begin + k) % size]
            out[at + 1] = order[begin + (place - begin - k) % size]
            at += 2


def extended(layer: Layer, agents: int, source: Array, target: Array) -> Layer:
    """A layer with more agents at its end, and more contacts.

    Args:
        layer: As it was.
        agents: Number of agents there are now.
        source: One end of each new contact.
        target: The other.

    Raises:
        BadInput: A contact leads to an agent there is not.
    """
    ends = np.full(agents - layer.agents, layer.edges, layer.starts.dtype)
    grown = Layer(np.concatenate([layer.starts, ends]), layer.others, layer.factor)
    if not len(source):
        return grown
    old = np.repeat(np.arange(agents), np.diff(grown.starts))
    return from_edges(
        agents,
        np.concatenate([old, source, target]),
        np.concatenate([layer.others, target, source]),
        both_ways=False,
        factor=layer.factor,
    )
