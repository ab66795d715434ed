"""The report of a run as one HTML file that needs nothing else.

Everything is drawn here as SVG: curves with a band over seeds, what happened when, cases by area,
the layers of contacts, and the largest cascades of a social platform.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import numpy as np
from markupsafe import Markup

from collegium.society.drawings import map_plot, network_plot
from collegium.society.engine import Society
from collegium.society.interaction.compare import Difference
from collegium.society.operations import Scheduled
from collegium.society.scene.stage import log_of
from collegium.society.state import Array

WIDTH, HEIGHT = 420, 150
LEFT, TOP, BOTTOM = 52, 10, 22
MOST_POINTS = 400
MOST_LINES = 500


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """What the report is about.

    Attributes:
        title: One line.
        facts: Options and figures, in order.
        curves: By name one list per seed.
        seeds: The seeds.
        unit: What one step is.
        interventions: What was done when.
        society: The last run, for its networks and cascades.
        files: What was written besides.
        differences: What the interventions changed, against the same seeds without them.
        first: By seed the first step that differs.
    """

    title: str
    facts: Mapping[str, str]
    curves: Mapping[str, Sequence[Sequence[float]]]
    seeds: Sequence[int]
    unit: str
    interventions: Sequence[Scheduled]
    society: Society
    files: Sequence[str] = ()
    differences: Sequence[Difference] = ()
    first: Sequence[int] = ()


def html_report(runs: Runs) -> str:
    """The page.

    Args:
        runs: What it is about.
    """
    marks = sorted({entry.at for entry in runs.interventions})
    plots = [(name, curve_plot(name, list(c), marks)) for name, c in runs.curves.items()]
    style = _template("style.css").render()
    society = runs.society
    return _template("report.html.j2").render(
        runs=runs,
        plots=plots,
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{_digest(style)}'",
        interventions=[
            (entry.at, msgspec.json.encode(entry.operation).decode())
            for entry in sorted(runs.interventions, key=lambda e: e.at)
        ],
        layers=[
            (name, layer.edges, layer.edges / max(1, layer.agents), layer.factor)
            for name, layer in society.state.layers.items()
            if layer.edges
        ],
        transcript=log_of(society.state)[-MOST_LINES:],
        places=len(society.state.texts.get("stage", ())) > 1,
        areas=area_bars(society),
        place_map=map_plot(society),
        network=network_plot(society),
        cascades=cascade_pictures(society),
    )


def curve_plot(name: str, runs: Sequence[Sequence[float]], marks: Sequence[int]) -> Markup:
    """One curve: the median over seeds, and a band from the lowest to the highest.

    Args:
        name: What is drawn.
        runs: One list per seed.
        marks: Steps before which something was done.
    """
    steps = min(map(len, runs))
    values = np.array([list(run)[:steps] for run in runs], float)
    keep = np.unique(np.linspace(0, steps - 1, min(steps, MOST_POINTS)).astype(int))
    low, middle, high = values.min(0)[keep], np.median(values, 0)[keep], values.max(0)[keep]
    bottom, top = min(0.0, float(low.min())), float(high.max())
    top = top if top > bottom else bottom + 1
    right = WIDTH - 8

    def x(step: Array) -> Array:
        return LEFT + (right - LEFT) * step / max(1, steps - 1)

    def y(value: Any) -> Any:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - bottom) / (top - bottom))

    def points(xs: Array, ys: Array) -> str:
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(xs, ys, strict=True))

    xs = x(keep)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_escaped(name)}">',
        f'<line class="axis" x1="{LEFT}" y1="{y(bottom):.1f}" x2="{right}" y2="{y(bottom):.1f}"/>',
    ]
    for mark in marks:
        if mark < steps:
            at = float(x(np.array(mark)))
            line = f'x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{y(bottom):.1f}"'
            parts.append(f'<line class="mark" {line}/>')
    if len(runs) > 1:
        band = points(xs, y(high)) + " " + points(xs[::-1], y(low)[::-1])
        parts.append(f'<polygon class="band" points="{band}"/>')
    parts += [
        f'<polyline class="curve" points="{points(xs, y(middle))}"/>',
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{figure(top)}</text>',
        f'<text x="{LEFT - 6}" y="{y(bottom):.1f}" text-anchor="end">{figure(bottom)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 4}">1</text>',
        f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end">{steps}</text>',
        "</svg>",
    ]
    return Markup("".join(parts))


def area_bars(society: Society) -> list[tuple[str, int, float]]:
    """Where places are known: by area the people, and the share that was ever infected."""
    agents = society.agents
    if "area" not in agents or "stage" not in agents:
        return []
    area, ever = agents["area"], (agents["stage"] > 0) & (agents["stage"] < 5)
    people = np.bincount(area)
    infected = np.bincount(area, weights=ever)
    names = society.state.values.get("categories", {}).get("area", [])
    return [
        (names[i] if i < len(names) else f"area {i + 1}", int(n), float(infected[i] / n))
        for i, n in enumerate(people.tolist())
        if n
    ][:60]


def cascade_pictures(society: Society) -> list[tuple[str, Markup]]:
    """The largest cascades of a social platform as trees, level by level."""
    if "post" not in society.state.tables:
        return []
    from collegium.society.social.cascades import largest

    pictures = []
    for cascade in largest(society.state, 3):
        said = (
            f"post {cascade.post}: {cascade.scale} posts, depth {cascade.depth}, "
            f"breadth {cascade.breadth}, structural virality {cascade.virality:.2f}"
        )
        pictures.append((said, tree_plot(cascade.parents, cascade.depths)))
    return pictures


def tree_plot(parents: Sequence[int], depths: Sequence[int]) -> Markup:
    """A tree: one row of dots per depth.

    Args:
        parents: Of each node its parent's number, -1 for the root; parents come first.
        depths: Of each node.
    """
    shown = min(len(parents), MOST_POINTS)
    rows: dict[int, list[int]] = {}
    for node in range(shown):
        rows.setdefault(depths[node], []).append(node)
    height = 30 * len(rows) + 10
    place: dict[int, tuple[float, float]] = {}
    for depth, nodes in rows.items():
        for i, node in enumerate(nodes):
            place[node] = ((i + 1) * WIDTH / (len(nodes) + 1), 15 + 30 * depth)
    lines = [
        f'<line class="edge" x1="{place[p][0]:.1f}" y1="{place[p][1]}" '
        f'x2="{place[n][0]:.1f}" y2="{place[n][1]}"/>'
        for n, p in enumerate(parents[:shown])
        if p in place
    ]
    dots = [f'<circle cx="{x:.1f}" cy="{y}" r="3"/>' for x, y in place.values()]
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="cascade">'
        f"{''.join(lines)}{''.join(dots)}</svg>"
    )


def figure(value: float) -> str:
    """A number in few characters."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scale = 1e3 if unit == "k" else size
            return f"{value / scale:.3g}{unit}"
    return f"{value:.4g}"


def _escaped(text: str) -> str:
    return str(Markup.escape(text))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["figure"] = figure
    return environment.get_template(name)
