"""One run shared by several processes: a shard per group of communities, boundaries exchanged.

Every shard holds the columns of its agents and the rows of their contacts. Contacts in other shards
are *ghosts*: places at the end of a column that are filled, in the middle of each step, with what
their own shard says of them. Random numbers belong to an agent's number in the whole society, and
sums over contacts are taken in its order, so a run is the same to the bit for any number of shards.

A step: the whole decides what is asked of a language model (once, not per shard); every shard takes
the first half and sends the boundary; it receives its ghosts and takes the second half; tallies are
merged into the curves. Interventions other than those on parameters and places act on the whole:
the shards' columns are collected, the operation is carried out, and the shards are cut anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from collegium.society.compiled import compiled, spread
from collegium.society.network import Layer, index_type
from collegium.society.state import Array, State

if TYPE_CHECKING:
    from collegium.society.engine import Society


class Shards(msgspec.Struct, frozen=True):
    """How a model's step is shared.

    Attributes:
        columns: Columns of agents that a step changes.
        plan: What the whole decides before a step, as data for all shards.
        send: The first half of a step in a shard, given the plan and the number of its ghosts:
            what contacts in other shards need of each agent, and anything for the second half.
        receive: The second half, given plan, ghosts, and what the first half kept: tallies.
        merge: Writes the tallies of all shards into the whole, and gives the points of the curves.
    """

    columns: tuple[str, ...]
    plan: Callable[[Society], Awaitable[dict[str, Any]]]
    send: Callable[[Society, Mapping[str, Any], int], tuple[Array, dict[str, Any]]]
    receive: Callable[[Society, Mapping[str, Any], Array, dict[str, Any]], dict[str, Any]]
    merge: Callable[[Society, Sequence[Mapping[str, Any]]], dict[str, float]]


class Piece(msgspec.Struct, frozen=True):
    """One shard: its agents, and what it exchanges with the others.

    Attributes:
        columns: Of its agents; "id" is their number in the whole.
        layers: Rows of their contacts; numbers beyond the agents are ghosts.
        ghosts: Numbers of the ghosts in the whole.
        gives: By shard the places of agents that are ghosts there.
        takes: By shard the places among the ghosts that it fills.
    """

    columns: dict[str, Array]
    layers: dict[str, Layer]
    ghosts: Array
    gives: tuple[Array, ...]
    takes: tuple[Array, ...]


def communities(state: State, count: int) -> Array:
    """The shard of each agent: areas stay together where they are known and small enough.

    Areas are laid side by side and cut into shards of equal size, within areas by household, so
    that few contacts cross a cut.

    Args:
        state: The society's.
        count: Number of shards.
    """
    agents = state.agents
    n = len(agents)
    keys = [np.arange(n)]
    for column in ("household", "area"):
        if column in agents:
            keys.append(agents[column])
    order = np.lexsort(keys)
    shard = np.empty(n, np.int32)
    shard[order] = np.arange(n) * count // n
    return shard


@compiled
def _renumber(
    first: int, last: int, own: Any, starts: Any, others: Any, place: Any, new: Any, out: Any
) -> None:
    for i in range(first, last):
        at = new[i]
        for e in range(starts[own[i]], starts[own[i] + 1]):
            out[at] = place[others[e]]
            at += 1


def cut(state: State, shard: Array, count: int) -> list[Piece]:
    """Cut a state into shards.

    Args:
        state: The society's.
        shard: The shard of each agent.
        count: Number of shards.
    """
    agents = state.agents
    kind = index_type(2 * len(agents))
    owned = [np.flatnonzero(shard == k).astype(kind) for k in range(count)]
    found = []
    for own in owned:
        place = np.full(len(agents), -1, kind)
        place[own] = np.arange(len(own))
        needed = np.zeros(len(agents), bool)
        for layer in state.layers.values():
            if layer.edges:
                needed[_targets(layer, own)] = True
        needed[own] = False
        ghosts = np.flatnonzero(needed).astype(kind)
        place[ghosts] = len(own) + np.arange(len(ghosts))
        layers = {name: _piece_of(layer, own, place) for name, layer in state.layers.items()}
        columns = {name: agents[name][own] for name in agents} | {"id": own}
        found.append((columns, layers, ghosts))
    pieces = []
    for k, (columns, layers, ghosts) in enumerate(found):
        gives = tuple(
            np.searchsorted(owned[k], _of(found[j][2] if j != k else ghosts[:0], shard, k))
            for j in range(count)
        )
        takes = tuple(np.flatnonzero(shard[ghosts] == j) for j in range(count))
        pieces.append(Piece(columns, layers, ghosts, gives, takes))
    return pieces


def _of(ghosts: Array, shard: Array, k: int) -> Array:
    """Those ghosts that are agents of shard k."""
    return ghosts[shard[ghosts] == k]


def _targets(layer: Layer, own: Array) -> Array:
    """Everybody who is in contact with some agents."""
    mask = np.zeros(layer.agents, bool)
    mask[own] = True
    return layer.others[np.repeat(mask, np.diff(layer.starts))]


def _piece_of(layer: Layer, own: Array, place: Array) -> Layer:
    """The rows of some agents, with contacts renumbered; the order in a row is the whole's."""
    degrees = np.diff(layer.starts)[own]
    starts = np.concatenate([[0], np.cumsum(degrees, dtype=np.int64)])
    others = np.empty(int(starts[-1]), place.dtype)
    spread(_renumber, len(own), own, layer.starts, layer.others, place, starts, others)
    return Layer(starts.astype(index_type(len(others))), others, layer.factor)
