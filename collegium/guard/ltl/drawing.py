"""Pictures of automata: text for Graphviz, and SVG made here."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from html import escape

from collegium.guard.ltl.automaton import DEAD, Automaton

STEP_X, STEP_Y, RADIUS, MARGIN = 150, 110, 24, 60
ARC = 46
"""Pixels by which an arrow bends that passes a column or goes back, per column it passes."""

HEIGHT_OF_LETTERS = 12


def arrows(automaton: Automaton) -> dict[tuple[int, int], tuple[str, ...]]:
    """The letters by source and goal; moves into the sink are left out."""
    made: dict[tuple[int, int], list[str]] = {}
    for source, row in enumerate(automaton.table):
        for letter, goal in zip(automaton.letters, row, strict=True):
            if goal != DEAD:
                made.setdefault((source, goal), []).append(letter)
    return {pair: tuple(letters) for pair, letters in made.items()}


def draw_dot(automaton: Automaton, title: str = "automaton") -> str:
    """An automaton as text for Graphviz; the sink stands in it where a move leads there."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"digraph {quoted(title)} {{", "  rankdir=LR;", "  start [shape=point];"]
    for q, accepting in enumerate(automaton.accepting):
        shape = "doublecircle" if accepting else "circle"
        lines.append(f"  q{q} [shape={shape}, tooltip={quoted(automaton.formulas[q])}];")
    lines.append("  start -> q0;")
    for (source, goal), letters in arrows(automaton).items():
        lines.append(f"  q{source} -> q{goal} [label={quoted(', '.join(letters))}];")
    if any(DEAD in row for row in automaton.table):
        lines.append("  sink [shape=circle, style=dashed];")
        for source, row in enumerate(automaton.table):
            pairs = zip(automaton.letters, row, strict=True)
            if dead := [letter for letter, goal in pairs if goal == DEAD]:
                label = quoted(", ".join(dead))
                lines.append(f"  q{source} -> sink [label={label}, style=dashed];")
    return "\n".join([*lines, "}"]) + "\n"


def draw_svg(
    automaton: Automaton, title: str = "automaton", names: Mapping[str, str] | None = None
) -> str:
    """An automaton as a picture in the SVG format.

    Columns are distances from the start. A state where a trace may end has two rings. Moves into
    the sink are not drawn: what has no arrow is refused. The formula that must still hold in a
    state is its tooltip.

    Args:
        automaton: What to draw.
        title: Of the picture.
        names: What to write for letters; by default themselves.
    """
    names = names or {}
    places, columns, rows = _places(automaton)
    width = max(2 * MARGIN + columns * STEP_X, 420)
    heading = textwrap.wrap(title, (width - MARGIN) // 8)
    legend = [f"{letter}: {name}" for letter, name in names.items() if name != letter]
    said = [*heading, "Two rings: may end. What has no arrow is refused.", *legend]
    depth = max(
        (abs(places[a][0] - places[b][0]) // STEP_X for a, b in arrows(automaton)), default=1
    )
    below = MARGIN + rows * STEP_Y + ARC * depth
    height = below + 20 * len(said)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="#444"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    x, y = places[0]
    parts.append(_path(f"M{x - RADIUS - 30},{y} L{x - RADIUS - 2},{y}", ""))
    for (source, goal), letters in arrows(automaton).items():
        parts.append(_arrow(places[source], places[goal], source == goal, " | ".join(letters)))
    for q, (x, y) in places.items():
        ends = automaton.accepting[q]
        fill, border = ("#d9f2dd", "#1b7a35") if ends else ("#eef3fb", "#2f5d9b")
        rings = [f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="{fill}" stroke="{border}"/>']
        if ends:
            rings.append(
                f'<circle cx="{x}" cy="{y}" r="{RADIUS - 4}" fill="none" stroke="{border}"/>'
            )
        tip = escape(f"must still hold: {automaton.formulas[q]}")
        parts.append(
            f'<g id="q{q}"><title>{tip}</title>{"".join(rings)}'
            f'<text x="{x}" y="{y + 4}" text-anchor="middle">{q}</text></g>'
        )
    parts += [
        f'<text x="{MARGIN / 2:g}" y="{below + 20 * i}" fill="#444" '
        f'font-weight="{"bold" if i < len(heading) else "normal"}">{escape(line)}</text>'
        for i, line in enumerate(said)
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _places(automaton: Automaton) -> tuple[dict[int, tuple[int, int]], int, int]:
    """Where each state goes: its column is its distance from the start; and how many there are."""
    column = {0: 0}
    for q in range(len(automaton.table)):  # states are numbered in the order of a breadth search
        for goal in automaton.table[q]:
            if goal != DEAD:
                column.setdefault(goal, column[q] + 1)
    members: dict[int, list[int]] = {}
    for q, at in column.items():
        members.setdefault(at, []).append(q)
    rows = max(map(len, members.values()))
    places: dict[int, tuple[int, int]] = {}
    for at, states in members.items():
        top = MARGIN + (rows - len(states)) * STEP_Y // 2 + STEP_Y // 2
        for i, q in enumerate(states):
            places[q] = (MARGIN + RADIUS + at * STEP_X, top + i * STEP_Y)
    return places, max(members) + 1, rows


def _arrow(start: tuple[int, int], end: tuple[int, int], loop: bool, label: str) -> str:
    """An arrow: straight to the next column, in a bow otherwise (back: below; ahead: above)."""
    (x1, y1), (x2, y2) = start, end
    if loop:
        path = f"M{x1 - 10},{y1 - RADIUS + 2} C{x1 - 34},{y1 - 74} {x1 + 34},{y1 - 74} "
        return _path(f"{path}{x1 + 10},{y1 - RADIUS + 2}", label, x1, y1 - 62)
    columns = (x2 - x1) // STEP_X
    if columns == 1:
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        dx, dy = (x2 - x1) / length * RADIUS, (y2 - y1) / length * RADIUS
        path = f"M{x1 + dx:.1f},{y1 + dy:.1f} L{x2 - dx:.1f},{y2 - dy:.1f}"
        return _path(path, label, (x1 + x2) // 2, (y1 + y2) // 2 - 6)
    if columns == 0:
        down = 1 if y2 > y1 else -1
        bow = x1 + 50 * down
        path = f"M{x1 + 8 * down},{y1 + RADIUS * down} Q{bow},{(y1 + y2) // 2} "
        path += f"{x2 + 8 * down},{y2 - RADIUS * down}"
        return _path(path, label, bow, (y1 + y2) // 2)
    side = 1 if columns < 0 else -1
    bend = ARC * abs(columns) * side
    path = f"M{x1},{y1 + RADIUS * side} C{x1},{y1 + RADIUS * side + bend} "
    path += f"{x2},{y2 + RADIUS * side + bend} {x2},{y2 + RADIUS * side}"
    middle = (y1 + y2) // 2 + RADIUS * side + bend * 3 // 4
    return _path(path, label, (x1 + x2) // 2, middle + (14 if side > 0 else -6))


def _path(shape: str, label: str, x: int = 0, y: int = 0) -> str:
    text = (
        f'<text x="{x}" y="{y}" text-anchor="middle" font-size="{HEIGHT_OF_LETTERS}">'
        f"{escape(label)}</text>"
        if label
        else ""
    )
    return (
        f'<path d="{shape}" fill="none" stroke="#444" stroke-width="1.3" '
        f'marker-end="url(#head)"/>{text}'
    )
