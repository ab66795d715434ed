"""Pictures of a society for its report: a piece of its network, and a map of known places."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from markupsafe import Markup

from collegium.society.engine import Society
from collegium.society.state import Array

SIDE = 420
MOST_NODES = 160
CELLS = 40
ROUNDS = 120

PLACES = (("lon", "lat"), ("longitude", "latitude"), ("x", "y"))
"""Columns that say where agents are."""


class Picture(msgspec.Struct, frozen=True):
    """A drawing and what it shows."""

    picture: Markup
    said: str


def network_plot(society: Society) -> Picture | None:
    """The contacts around one agent, as many as can be seen; None where there are no contacts.

    The agent is the one with most contacts or followers; the others are reached from it step by
    step along contacts, nearest first.
    """
    found = _neighbourhood(society)
    if found is None:
        return None
    nodes, edges, kinds = found
    place = _layout(len(nodes), edges)
    marked = _marked(society, nodes)
    lines = [
        f'<line class="edge layer{kind % 4}" x1="{place[a, 0]:.1f}" y1="{place[a, 1]:.1f}" '
        f'x2="{place[b, 0]:.1f}" y2="{place[b, 1]:.1f}"/>'
        for (a, b), kind in zip(edges.tolist(), kinds, strict=True)
    ]
    dots = [
        f'<circle class="{"touched" if mark else "node"}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        for (x, y), mark in zip(place.tolist(), marked.tolist(), strict=True)
    ]
    agent = int(nodes[0])
    what, means = _words(society)
    said = f"Agent {agent} and {len(nodes) - 1} others around it, joined by {what}.{means}"
    return Picture(
        Markup(
            f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="network">'
            f"{''.join(lines)}{''.join(dots)}</svg>"
        ),
        said,
    )


def _words(society: Society) -> tuple[str, str]:
    layers = [name for name, layer in society.state.layers.items() if layer.edges]
    means = ""
    if "stage" in society.agents and "day" in society.agents:
        means = " Filled in the second colour: those who ever caught the disease."
    elif "follow" in society.state.tables:
        means = " Filled in the second colour: core users."
    return (", ".join(layers) if layers else "who follows whom"), means


def _marked(society: Society, nodes: Array) -> Array:
    agents = society.agents
    if "stage" in agents and "day" in agents:
        return (agents["stage"][nodes] > 0) & (agents["stage"][nodes] < 5)
    if "core" in agents:
        return agents["core"][nodes] == 1
    return np.zeros(len(nodes), bool)


def _neighbourhood(society: Society) -> tuple[Array, Array, list[int]] | None:
    """Nodes around the agent with most contacts, edges among them, and the layer of each edge."""
    state = society.state
    layers = [layer for layer in state.layers.values() if layer.edges]
    follow = state.tables.get("follow")
    if layers:
        first = int(np.argmax(sum(np.diff(layer.starts).astype(np.int64) for layer in layers)))
        pairs = None
    elif follow is not None and len(follow):
        kept = follow["value"] > 0
        pairs = np.stack([follow["left"][kept], follow["right"][kept]], axis=1)
        if not len(pairs):
            return None
        first = int(np.bincount(pairs[:, 1]).argmax())
    else:
        return None
    place = {first: 0}
    front = [first]
    while front and len(place) < MOST_NODES:
        reached: list[int] = []
        for node in front:
            near = _contacts(layers, pairs, node)
            for other in near[: max(4, MOST_NODES // 4)].tolist():
                if other not in place and len(place) < MOST_NODES:
                    place[other] = len(place)
                    reached.append(other)
        front = reached
    edges: list[tuple[int, int]] = []
    kinds: list[int] = []
    if pairs is not None:
        inside = np.isin(pairs, list(place)).all(1)
        edges = [(place[a], place[b]) for a, b in pairs[inside].tolist()]
        kinds = [0] * len(edges)
    for kind, layer in enumerate(layers):
        for node, at in place.items():
            for other in layer.row(node).tolist():
                if other in place and at < place[other]:
                    edges.append((at, place[other]))
                    kinds.append(kind)
    if not edges:
        return None
    return np.array(list(place)), np.array(edges), kinds


def _contacts(layers: list[Any], pairs: Array | None, node: int) -> Array:
    if pairs is not None:
        near = np.concatenate([pairs[pairs[:, 1] == node, 0], pairs[pairs[:, 0] == node, 1]])
    else:
        near = np.concatenate([layer.row(node) for layer in layers])
    _, first = np.unique(near, return_index=True)
    return near[np.sort(first)]


def _layout(count: int, edges: Array) -> Array:
    """Places by springs along edges and repulsion (Fruchterman and Reingold, 1991)."""
    angle = 2 * np.pi * np.arange(count) * 0.381966  # a golden spiral spreads any number evenly
    place = (
        np.stack([np.cos(angle), np.sin(angle)], 1)
        * np.sqrt((np.arange(count) + 1) / count)[:, None]
    )
    k = 1.0 / np.sqrt(count)
    for turn in range(ROUNDS):
        apart = place[:, None] - place[None]
        distance = np.maximum(np.sqrt((apart**2).sum(2)), 1e-3)
        push = (apart * (k * k / distance**2)[..., None]).sum(1)
        along = place[edges[:, 0]] - place[edges[:, 1]]
        pull = along * (np.sqrt((along**2).sum(1)) / k)[:, None]
        np.add.at(push, edges[:, 0], -pull)
        np.add.at(push, edges[:, 1], pull)
        size = np.maximum(np.sqrt((push**2).sum(1)), 1e-9)
        step = 0.1 * (1 - turn / ROUNDS)
        place += push / size[:, None] * np.minimum(size, step)[:, None]
    place -= place.min(0)
    return 12 + place / max(float(place.max()), 1e-9) * (SIDE - 24)


def map_plot(society: Society) -> Picture | None:
    """Where agents are, in cells; None where places are not known.

    A cell is shaded by how many of its people ever caught the disease, or else by how many people
    are in it.
    """
    agents = society.agents
    named = next((pair for pair in PLACES if all(c in agents for c in pair)), None)
    if named is None:
        return None
    x, y = (agents[c].astype(float) for c in named)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return None
    ill = "stage" in agents and "day" in agents
    mark = ((agents["stage"] > 0) & (agents["stage"] < 5)) if ill else np.ones(len(x), bool)
    x, y, mark = x[known], y[known], mark[known]
    size = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    column = np.minimum((x - x.min()) / size * CELLS, CELLS - 1).astype(int)
    row = np.minimum((y - y.min()) / size * CELLS, CELLS - 1).astype(int)
    cell = row * CELLS + column
    people = np.bincount(cell, minlength=CELLS * CELLS)
    share = np.bincount(cell, weights=mark, minlength=CELLS * CELLS)
    shade = share / np.maximum(people, 1) if ill else people / people.max()
    width = SIDE / CELLS
    rows = int(row.max()) + 1
    boxes = [
        f'<rect class="cell" x="{c % CELLS * width:.1f}" y="{(rows - 1 - c // CELLS) * width:.1f}" '
        f'width="{width:.1f}" height="{width:.1f}" fill-opacity="{0.08 + 0.92 * shade[c]:.2f}"/>'
        for c in np.flatnonzero(people).tolist()
    ]
    what = "the share of people who ever caught the disease" if ill else "the number of people"
    return Picture(
        Markup(
            f'<svg viewBox="0 0 {SIDE} {rows * width:.0f}" role="img" aria-label="map">'
            f"{''.join(boxes)}</svg>"
        ),
        f"By {named[0]} and {named[1]}, north up: the darker, the larger {what}; "
        f"from {100 * float(shade[people > 0].min()):.0f}% to "
        f"{100 * float(shade[people > 0].max()):.0f}%.",
    )
