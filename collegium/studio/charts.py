"""The charts of a comparison, as elements of the page: they follow its colours, and can be read.

Everything a chart shows stands in a table beside it too; whoever does not see it misses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from collegium.bench.plots import apart
from collegium.bench.records import SystemRow
from collegium.bench.summary import pareto
from collegium.bench.words import percent, short_names
from collegium.studio.safe import Tag, shown, tag

COLOURS = 6
WIDTH, NAMES, RIGHT = 460, 116, 64
ROW = 34


def colour(index: int) -> str:
    """The colour of a system, by its place in the comparison."""
    return f"var(--agent-{index % COLOURS + 1})"


def dot(index: int) -> None:
    """The colour of a system, beside its name."""
    tag("span", cls="dot", aria_hidden="true").style(f"--colour: {colour(index)}")


def accuracy_chart(rows: Sequence[SystemRow], controls: Mapping[str, float]) -> None:
    """Accuracy of each system with its 95% interval; floors as dashed lines."""
    top, width = 36 if controls else 10, WIDTH - NAMES - RIGHT
    height = top + ROW * len(rows)
    told = "; ".join(
        f"{r.name} {percent(r.accuracy)}, {percent(r.ci_low)} to {percent(r.ci_high)}" for r in rows
    )

    def x(share: float) -> float:
        return NAMES + share * width

    with _figure("Accuracy with 95% Wilson intervals"), _svg(height + 30, f"Accuracy: {told}"):
        for share in (0, 0.25, 0.5, 0.75, 1):
            _line(x(share), top - 4, x(share), height, "grid")
            _text(x(share), height + 18, f"{share:.0%}", "tick", "middle")
        for i, (name, share) in enumerate(sorted(controls.items(), key=lambda c: c[1])[:2]):
            line = _line(x(share), top - 4, x(share), height, "axis")
            line.props["stroke-dasharray"] = "4 3"
            line.props["stroke"] = "currentColor"
            at = "end" if share > 0.6 else "start"
            _text(
                x(share) + (-4 if at == "end" else 4),
                12 + 14 * i,
                f"{name} {percent(share)}",
                "tick",
                at,
            )
        names = short_names([r.name for r in rows])
        for i, row in enumerate(rows):
            y = top + ROW * (i + 0.5)
            _text(NAMES - 12, y + 4, _short(names[row.name], 16), "name", "end")
            bar = _line(x(row.ci_low), y, x(row.ci_high), y, "")
            bar.style(f"stroke: {colour(i)}; stroke-width: 5; stroke-linecap: round; opacity: 0.35")
            _circle(x(row.accuracy), y, 6, i, True)
            _text(WIDTH - RIGHT + 12, y + 4, percent(row.accuracy), "name", "start")


def cost_chart(rows: Sequence[SystemRow]) -> None:
    """Accuracy against tokens per task; the cost-accuracy front is joined by a line."""
    left, top, right, height = 44, 14, 24, 230
    spends = [max(1.0, r.tokens_per_task) for r in rows]
    low, high = math.log(min(spends) / 1.35), math.log(max(spends) * 1.35)

    def x(spend: float) -> float:
        return left + (math.log(spend) - low) / (high - low) * (WIDTH - left - right)

    def y(share: float) -> float:
        return top + (1 - share) * (height - top)

    told = "; ".join(
        f"{r.name} {percent(r.accuracy)} at {r.tokens_per_task:,.0f} tokens" for r in rows
    )
    front = pareto(rows)
    names = short_names([r.name for r in rows])
    caption = "Accuracy against cost; filled circles and the line are the cost-accuracy front"
    with _figure(caption), _svg(height + 46, f"Accuracy against tokens per task: {told}"):
        for share in (0, 0.25, 0.5, 0.75, 1):
            _line(left, y(share), WIDTH - right, y(share), "grid")
            _text(left - 8, y(share) + 4, f"{share:.0%}", "tick", "end")
        for spend in _ticks(math.exp(low), math.exp(high)):
            _text(x(spend), height + 18, f"{spend:,.0f}", "tick", "middle")
        _text(
            (left + WIDTH - right) / 2, height + 38, "tokens per task, log scale", "tick", "middle"
        )
        points = sorted(
            (x(s), y(r.accuracy)) for s, r in zip(spends, rows, strict=True) if r.name in front
        )
        path = tag("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in points), fill="none")
        path.style("stroke: var(--soft); stroke-width: 1.3")
        # Names that would meet are moved apart; heights are in hundredths of the picture.
        at = [100 * (1 - y(r.accuracy) / height) for r in rows]
        places = apart(at, gap=100 * 16 / height)
        for i, (row, spend) in enumerate(zip(rows, spends, strict=True)):
            bar = _line(x(spend), y(row.ci_low), x(spend), y(row.ci_high), "")
            bar.style(f"stroke: {colour(i)}; stroke-width: 4; stroke-linecap: round; opacity: 0.3")
            _circle(x(spend), y(row.accuracy), 6, i, row.name in front)
            at_right = x(spend) < (left + WIDTH - right) / 2
            label = _text(
                x(spend) + (12 if at_right else -12),
                height * (1 - places[i] / 100) + 4,
                _short(names[row.name], 24),
                "name",
                "start" if at_right else "end",
            )
            label.style(f"fill: {colour(i)}")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within a range, at most six."""
    ticks = [m * 10.0**e for e in range(9) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    while len(ticks) > 6:
        ticks = ticks[::2]
    return ticks or [round(math.sqrt(low * high))]


@contextmanager
def _figure(caption: str) -> Iterator[None]:
    with tag("figure", cls="chart"):
        yield
        tag("figcaption", caption)


def _svg(height: float, label: str) -> Tag:
    made = tag("svg", viewBox=f"0 0 {WIDTH} {height:.0f}", role="img")
    made.props["aria-label"] = shown(label, 2_000)
    return made


def _line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Tag:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return tag("line", cls=cls, **{name: f"{value:.1f}" for name, value in ends.items()})


def _circle(x: float, y: float, radius: float, index: int, filled: bool) -> None:
    made = tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:.1f}")
    fill = colour(index) if filled else "var(--card)"
    made.style(f"fill: {fill}; stroke: {colour(index)}; stroke-width: 2")


def _text(x: float, y: float, text: str, cls: str, anchor: str) -> Tag:
    return tag(
        "text", text, cls=cls, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="currentColor"
    )


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
