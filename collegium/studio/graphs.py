"""Pictures of a run: who spoke to whom, what attacks what, which branches were tried.

They are drawn with elements of the page, so text in them is text like everywhere else.
"""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from collegium.agents.argumentation import Argument, Framework
from collegium.agents.argumentation_svg import MEANING, WIDTH, Box, place
from collegium.errors import BadInput
from collegium.kernel import Event, Generate
from collegium.kernel.calls import Send
from collegium.studio.safe import Tag, shown, tag

MOST_AGENTS, MOST_NODES = 24, 250

Pair = tuple[str, str]


class Drawn(msgspec.Struct, frozen=True):
    """A node of a tree: what stands in its box, all of it, how it is coloured, what is below."""

    label: str
    full: str
    mark: str = ""
    children: tuple[Drawn, ...] = ()


def picture(width: float, height: float, label: str) -> Tag:
    """An empty picture; shapes are made inside its ``with`` block."""
    made = tag(
        "svg",
        cls="picture",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
        aria_label=label,
    )
    with made, tag("defs"):
        for name in ("head", "head-soft"):
            with tag(
                "marker", id=name, viewBox="0 0 10 10", refX="9", refY="5", markerWidth="7",
                markerHeight="7", orient="auto-start-reverse", cls=name,
            ):  # fmt: skip
                tag("path", d="M0,0 L10,5 L0,10 z")
    return made


# -- who spoke to whom ------------------------------------------------------------------------


def talk(events: Iterable[Event]) -> tuple[list[str], Counter[Pair], Counter[Pair]]:
    """Who took part, who sent to whom, and who made something of what another had said.

    Returns:
        The agents in the order in which they appear, messages by (from, to), and replies of which
        a reply of another agent was a source, by (from, to).
    """
    agents: dict[str, None] = {}
    sent: Counter[Pair] = Counter()
    read: Counter[Pair] = Counter()
    author: dict[int, str] = {}
    for event in events:
        call = event.call
        if isinstance(call, Send):
            agents.setdefault(call.agent)
            agents.setdefault(call.to)
            sent[call.agent, call.to] += 1
        elif isinstance(call, Generate):
            agents.setdefault(call.agent)
            author[event.id] = call.agent
            for source in call.sources:
                other = author.get(source)
                if other is not None and other != call.agent:
                    read[other, call.agent] += 1
    return list(agents), sent, Counter({k: n for k, n in read.items() if k not in sent})


def talk_graph(events: Sequence[Event]) -> None:
    """Draw who spoke to whom."""
    agents, sent, read = talk(events)
    left_out = len(agents) - MOST_AGENTS
    agents = agents[:MOST_AGENTS]
    if not agents:
        return
    radius = 0 if len(agents) == 1 else max(78.0, 17.0 * len(agents))
    box = (116.0, 32.0)
    width, height = 2 * radius + box[0] + 44, 2 * radius + box[1] + 36
    if len(agents) == 2:  # side by side
        height = box[1] + 76
    middle = (width / 2, height / 2)
    at: dict[str, tuple[float, float]] = {}
    for i, name in enumerate(agents):
        angle = 2 * math.pi * i / len(agents) - (math.pi if len(agents) == 2 else math.pi / 2)
        at[name] = middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle)
    lines = ", ".join(f"{a} to {b} {n}" for (a, b), n in sent.items()) or "no messages"
    with picture(width, height, f"Who spoke to whom: {shown(lines, 400)}"):
        for counts, soft in ((read, True), (sent, False)):
            for (a, b), number in counts.items():
                if a in at and b in at and a != b:
                    _curve(at[a], at[b], box, number, soft=soft)
        for i, (name, (x, y)) in enumerate(at.items()):
            with tag("g", cls=f"agent agent-{i % 6 + 1}"):
                tag("title", name)
                tag("rect", x=x - box[0] / 2, y=y - box[1] / 2, width=box[0], height=box[1], rx=16)
                tag("text", _short(name, 15), x=x, y=y + 4.5, text_anchor="middle")
    if left_out > 0:
        tag("p", f"{left_out} more agents are left out.", cls="dim small")
    if read and sent:
        tag("p", "Dashed: read without a message.", cls="dim small")
    elif read:
        tag("p", "Dashed: who went on from whose reply; no messages were sent.", cls="dim small")


def _curve(
    a: tuple[float, float], b: tuple[float, float], box: tuple[float, float], n: int, *, soft: bool
) -> None:
    """An arrow that bends to its left, so that there and back are two."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy) or 1.0
    bend = 16.0
    control = ((a[0] + b[0]) / 2 + bend * dy / length, (a[1] + b[1]) / 2 - bend * dx / length)
    start, end = border(a, control, box), border(b, control, box)
    path = (
        f"M{start[0]:.1f},{start[1]:.1f} Q{control[0]:.1f},{control[1]:.1f} "
        f"{end[0]:.1f},{end[1]:.1f}"
    )
    tag(
        "path",
        d=path,
        cls="edge soft" if soft else "edge",
        stroke_width=f"{min(4.0, 1.2 + 0.4 * math.log2(n)):.1f}",
        marker_end=f"url(#{'head-soft' if soft else 'head'})",
    )
    x, y = (start[0] + 2 * control[0] + end[0]) / 4, (start[1] + 2 * control[1] + end[1]) / 4
    tag("text", n, x=f"{x:.1f}", y=f"{y + 4:.1f}", text_anchor="middle", cls="count")


def border(
    centre: tuple[float, float], towards: tuple[float, float], box: tuple[float, float]
) -> tuple[float, float]:
    """Where the line from the middle of a box to a point leaves the box."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    if not dx and not dy:
        return centre
    across = box[0] / 2 / abs(dx) if dx else math.inf
    down = box[1] / 2 / abs(dy) if dy else math.inf
    share = min(across, down, 1.0)
    return centre[0] + dx * share, centre[1] + dy * share


# -- arguments --------------------------------------------------------------------------------


def framework_of(notes: Mapping[str, Any]) -> tuple[Framework, dict[str, str]] | None:
    """The argumentation framework in the notes of a run, with the labels; None without one."""
    try:
        arguments = tuple(
            Argument(str(a["id"]), str(a.get("text", "")), str(a.get("option", "")))
            for a in notes["arguments"]
        )
        attacks = tuple((str(a), str(b)) for a, b in notes["attacks"])
        return Framework(arguments, attacks), dict(notes.get("labels", {}))
    except (KeyError, TypeError, ValueError, BadInput):
        return None


def argument_graph(framework: Framework, labels: Mapping[str, str]) -> None:
    """Draw arguments in rows above the decisions they bear on, with arrows for attacks."""
    boxes = place(framework)
    if not boxes:
        return
    sag = 36.0
    width = max(b.x + WIDTH for b in boxes.values()) + 24
    height = max(b.y + b.height for b in boxes.values()) + 24 + sag
    said = f"Argument graph: {len(framework.arguments)} arguments, {len(framework.attacks)} attacks"
    with tag("div", cls="wide", tabindex="0"), picture(width, height, said):
        drawn: set[Pair] = set()
        for a, b in framework.attacks:
            if (b, a) not in drawn:
                _attack(boxes[a], boxes[b], both=a != b and (b, a) in framework.attacks)
            drawn.add((a, b))
        for one in framework.arguments:
            _argument(one, boxes[one.id], labels.get(one.id, "undec"))
    with tag("ul", cls="legend small"):
        for label, meaning in MEANING.items():
            tag("li", meaning, cls=f"label-{label}")
        tag("li", "Square corners: a decision. Round: a belief. Arrow: attacks.", cls="dim")


def _argument(argument: Argument, box: Box, label: str) -> None:
    with tag("g", cls=f"argument label-{label if label in MEANING else 'undec'}"):
        tag("title", f"{argument.id} [{label}] {argument.option} {argument.text}")
        rx = 5 if argument.option else 18
        tag("rect", x=box.x, y=box.y, width=WIDTH, height=box.height, rx=rx)
        for i, line in enumerate(box.lines):
            tag("text", line, x=box.x + 12, y=box.y + 10 + 15 * (i + 0.75), cls="" if i else "bold")
        tag("text", label, x=box.x + WIDTH - 12, y=box.y + 21, text_anchor="end", cls="mark")


def _attack(start: Box, end: Box, *, both: bool) -> None:
    heads = {"marker_end": "url(#head)", **({"marker_start": "url(#head)"} if both else {})}
    size = (float(WIDTH), start.height), (float(WIDTH), end.height)
    if start is end:
        x, y = start.x + WIDTH, start.middle[1]
        path = f"M{x:.0f},{y - 10:.0f} c30,-22 30,42 0,20"
    elif start.row == end.row:
        x1, x2 = start.middle[0], end.middle[0]
        y1, y2 = start.y + start.height, end.y + end.height
        deep = max(y1, y2) + 34
        path = f"M{x1:.0f},{y1:.0f} C{x1:.0f},{deep:.0f} {x2:.0f},{deep:.0f} {x2:.0f},{y2:.0f}"
        if abs(x1 - x2) < WIDTH * 1.4:  # neighbours
            y = start.y + min(start.height, end.height) / 2
            a = border((x1, y), (x2, y), size[0])
            b = border((x2, y), (x1, y), size[1])
            path = f"M{a[0]:.0f},{y:.0f} L{b[0]:.0f},{y:.0f}"
    else:
        a, b = border(start.middle, end.middle, size[0]), border(end.middle, start.middle, size[1])
        path = f"M{a[0]:.0f},{a[1]:.0f} L{b[0]:.0f},{b[1]:.0f}"
    tag("path", d=path, cls="edge", stroke_width="1.5", **heads)


# -- trees ------------------------------------------------------------------------------------


def tree_graph(root: Drawn, label: str) -> None:
    """Draw a tree, its root at the left."""
    box, gap = (176.0, 34.0), (42.0, 12.0)
    at: list[tuple[Drawn, float, float]] = []
    lines: list[tuple[float, float, float, float]] = []
    row = 0
    deepest = 0

    def put(node: Drawn, depth: int) -> float:
        nonlocal row, deepest
        deepest = max(deepest, depth)
        x = 12 + depth * (box[0] + gap[0])
        rows = [put(c, depth + 1) for c in node.children if len(at) < MOST_NODES]
        if rows:
            y = (rows[0] + rows[-1]) / 2
        else:
            y = 12 + row * (box[1] + gap[1])
            row += 1
        at.append((node, x, y))
        lines.extend(
            (x + box[0], y + box[1] / 2, x + box[0] + gap[0], r + box[1] / 2) for r in rows
        )
        return y

    put(root, 0)
    width = 24 + (deepest + 1) * (box[0] + gap[0]) - gap[0]
    height = 24 + row * (box[1] + gap[1])
    with tag("div", cls="wide", tabindex="0"), picture(width, height, label):
        for x1, y1, x2, y2 in lines:
            bend = f"{(x1 + x2) / 2:.0f}"
            path = f"M{x1:.0f},{y1:.0f} C{bend},{y1:.0f} {bend},{y2:.0f} {x2:.0f},{y2:.0f}"
            tag("path", d=path, cls="edge", stroke_width="1.3")
        for node, x, y in at:
            with tag("g", cls=f"node {node.mark}"):
                tag("title", shown(node.full, 600))
                tag("rect", x=x, y=y, width=box[0], height=box[1], rx=8)
                tag("text", _short(node.label, 25), x=x + 10, y=y + 21)


def nested(node: Mapping[str, Any], told: Callable[[Mapping[str, Any]], Drawn]) -> Drawn:
    """A tree whose nodes hold their children, as it is drawn."""
    made = told(node)
    below = tuple(nested(c, told) for c in node.get("children", ()))
    return msgspec.structs.replace(made, children=below)


def flat(nodes: Sequence[Mapping[str, Any]], told: Callable[[Mapping[str, Any]], Drawn]) -> Drawn:
    """A tree whose nodes name their parents by number, -1 for none, as it is drawn."""
    below: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        below.setdefault(int(node.get("parent", -1)), []).append(i)

    def made(i: int) -> Drawn:
        children = tuple(made(c) for c in below.get(i, ()) if c > i)
        return msgspec.structs.replace(told(nodes[i]), children=children)

    return Drawn("start", "where it stood", children=tuple(made(i) for i in below.get(-1, ())))


def _short(text: str, most: int) -> str:
    return textwrap.shorten(" ".join(shown(text, 400).split()) or "–", most, placeholder="…")
