"""A picture of an argumentation framework: rows of boxes, arrows for attacks, colours for labels.

Decisions stand in the bottom row; above it, row by row, what attacks them, what attacks that, and
so on, so that most arrows point down. Arguments that reach no decision stand in the top row.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from html import escape

import msgspec

from collegium.agents.argumentation import Argument, Framework, Label, labels

COLOURS: dict[Label, tuple[str, str]] = {
    "in": ("#d9f2dd", "#1b7a35"),
    "out": ("#fbdcdc", "#b3261e"),
    "undec": ("#fdf1cc", "#8a6100"),
}
"""Fill and border by label."""

MEANING: dict[Label, str] = {
    "in": "in: survives in every preferred set",
    "out": "out: defeated in every preferred set",
    "undec": "undecided: depends on the set",
}

WIDTH, GAP_X, GAP_Y, MARGIN = 210, 46, 84, 24
LINE, PADDING, CHARACTERS, LINES = 15, 10, 32, 5
SAG = 40
"""Pixels by which an arrow between boxes of one row bends below it, per box it passes."""


class Box(msgspec.Struct, frozen=True):
    """A placed argument: its top left corner and size in pixels, its row, and its lines."""

    x: float
    y: float
    height: float
    row: int
    lines: tuple[str, ...]

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + WIDTH / 2, self.y + self.height / 2


def draw_svg(framework: Framework, label: Mapping[str, Label] | None = None) -> str:
    """Draw a framework as a picture in the SVG format.

    Args:
        framework: What to draw.
        label: Labels of all arguments; None works them out.

    Returns:
        A whole SVG document. All texts are escaped; the full text of an argument is its tooltip.
    """
    label = labels(framework) if label is None else label
    boxes = place(framework)
    below = max((b.y + b.height for b in boxes.values()), default=MARGIN)
    legend_y = below + GAP_Y + SAG
    right = max((b.x + WIDTH for b in boxes.values()), default=0)
    width, height = max(right + MARGIN, 330), legend_y + len(COLOURS) * 22 + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="12">',
        "<title>Argument graph</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse">'
        '<path d="M0,0 L10,5 L0,10 z" fill="#444"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    drawn: set[tuple[str, str]] = set()
    for a, b in framework.attacks:
        if (b, a) not in drawn:  # a mutual attack is one line with two heads
            both = a != b and (b, a) in framework.attacks
            parts.append(_arrow(a, b, boxes, both=both))
        drawn.add((a, b))
    parts += [_box(a, boxes[a.id], label[a.id]) for a in framework.arguments]
    parts += _legend(legend_y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def place(framework: Framework) -> dict[str, Box]:
    """Where each argument goes: rows by distance to a decision, few crossings within a row."""
    rows = _rows(framework)
    made: dict[str, Box] = {}
    if not rows:
        return made
    wide = max(len(row) for row in rows) * (WIDTH + GAP_X) - GAP_X
    texts = {a.id: _wrapped(a) for a in framework.arguments}
    y = float(MARGIN)
    for number in range(len(rows) - 1, -1, -1):  # the highest number is the top row
        row = rows[number]
        x = MARGIN + (wide - (len(row) * (WIDTH + GAP_X) - GAP_X)) / 2
        tallest = 0.0
        for name in row:
            height = len(texts[name]) * LINE + 2 * PADDING
            made[name] = Box(x, y, height, number, texts[name])
            x += WIDTH + GAP_X
            tallest = max(tallest, height)
        y += tallest + GAP_Y
    return made


def _rows(framework: Framework) -> list[list[str]]:
    """Ids by row, the decisions first; each row ordered by what its members attack."""
    row = [a.id for a in framework.arguments if a.option]
    rows: list[list[str]] = [row] if row else []
    placed = set(row)
    while row:
        attacked = {
            a: [row.index(y) for x, y in framework.attacks if x == a and y in row]
            for a in framework.ids
            if a not in placed
        }
        means = {a: sum(at) / len(at) for a, at in attacked.items() if at}
        row = sorted(means, key=lambda a: means[a])  # ties keep the order of arguments
        placed.update(row)
        if row:
            rows.append(row)
    apart = [i for i in framework.ids if i not in placed]
    return [*rows, apart] if apart else rows


def _wrapped(argument: Argument) -> tuple[str, ...]:
    """The first lines of an argument, as many as a box shows."""
    head = f"{argument.id}: {argument.option}" if argument.option else argument.id
    lines = textwrap.wrap(" ".join(argument.text.split()), CHARACTERS)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1][: CHARACTERS - 1] + "…"]
    return (textwrap.shorten(head, CHARACTERS, placeholder="…"), *lines)


def _box(argument: Argument, box: Box, label: Label) -> str:
    fill, border = COLOURS[label]
    round_ = 4 if argument.option else 16  # decisions have corners, beliefs are round
    stroke = 2.5 if argument.option else 1.5
    full = f"{argument.id} [{label}] {argument.option} {argument.text}"
    lines = [
        f'<text x="{box.x + PADDING:g}" y="{box.y + PADDING + LINE * (i + 0.75):g}" '
        f'font-weight="{"normal" if i else "bold"}">{escape(line)}</text>'
        for i, line in enumerate(box.lines)
    ]
    tag = (
        f'<text x="{box.x + WIDTH - PADDING:g}" y="{box.y + PADDING + LINE * 0.75:g}" '
        f'text-anchor="end" fill="{border}">{label}</text>'
    )
    return "\n".join(
        [
            f'<g id="argument-{escape(argument.id)}"><title>{escape(full)}</title>',
            f'<rect x="{box.x:g}" y="{box.y:g}" width="{WIDTH}" height="{box.height:g}" '
            f'rx="{round_}" fill="{fill}" stroke="{border}" stroke-width="{stroke}"/>',
            *lines,
            tag,
            "</g>",
        ]
    )


def _arrow(a: str, b: str, boxes: Mapping[str, Box], *, both: bool) -> str:
    """The path of an attack from the border of one box to that of the other."""
    start, end = boxes[a], boxes[b]
    if a == b:  # a loop at the right side
        x, y = start.x + WIDTH, start.middle[1]
        shape = f"M{x:g},{y - 10:g} c34,-24 34,44 0,20"
    elif start.row == end.row:
        shape = _sideways(start, end)
    else:
        x1, y1 = _edge(start, end)
        x2, y2 = _edge(end, start)
        shape = f"M{x1:g},{y1:g} L{x2:g},{y2:g}"
        if abs(start.row - end.row) > 1:  # bend round the rows between
            side = max(abs(x1 - x2), WIDTH * 0.75) * (1 if x1 >= x2 else -1)
            shape = f"M{x1:g},{y1:g} Q{x1 + side:g},{(y1 + y2) / 2:g} {x2:g},{y2:g}"
    heads = ' marker-start="url(#head)"' if both else ""
    said = f"{a} and {b} attack each other" if both else f"{a} attacks {b}"
    return (
        f'<path d="{shape}" fill="none" stroke="#444" stroke-width="1.4"{heads} '
        f'marker-end="url(#head)"><title>{escape(said)}</title></path>'
    )


def _sideways(start: Box, end: Box) -> str:
    """An arrow within a row: straight to a neighbour, below the boxes to any other."""
    steps = round(abs(start.x - end.x) / (WIDTH + GAP_X))
    right = end.x > start.x
    if steps == 1:
        y = start.y + min(start.height, end.height) / 2
        x1 = start.x + (WIDTH if right else 0)
        x2 = end.x + (0 if right else WIDTH)
        return f"M{x1:g},{y:g} L{x2:g},{y:g}"
    lean = WIDTH / 6 if right else -WIDTH / 6
    x1, x2 = start.middle[0] + lean, end.middle[0] - lean
    y1, y2 = start.y + start.height, end.y + end.height
    deep = max(y1, y2) + SAG * min(steps, 3)
    return f"M{x1:g},{y1:g} C{x1:g},{deep:g} {x2:g},{deep:g} {x2:g},{y2:g}"


def _edge(box: Box, other: Box) -> tuple[float, float]:
    """Where an arrow to a box of another row meets this one: its facing edge, a little aside.

    So the arrow stays in the gap between the rows, and those of several boxes do not meet.
    """
    aside = (other.middle[0] - box.middle[0]) * 0.15
    aside = max(-WIDTH * 0.4, min(WIDTH * 0.4, aside))
    return box.middle[0] + aside, box.y if other.row > box.row else box.y + box.height


def _legend(y: float) -> list[str]:
    parts = []
    for i, (label, (fill, border)) in enumerate(COLOURS.items()):
        top = y + i * 22
        parts.append(
            f'<rect x="{MARGIN}" y="{top:g}" width="26" height="15" rx="3" fill="{fill}" '
            f'stroke="{border}"/><text x="{MARGIN + 36}" y="{top + 12:g}">'
            f"{escape(MEANING[label])}</text>"
        )
    parts.append(
        f'<text x="{MARGIN}" y="{y - 12:g}" fill="#444">Square corners: decision. '
        "Round: belief. Arrow: attacks.</text>"
    )
    return parts
