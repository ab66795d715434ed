"""The plots of a report, as SVG to be put into a page.

Text stays text and takes the page's font; ink, grid and system colours are CSS variables
(``currentColor``, ``--grid``, ``--s1`` ... ``--s8``), so one picture serves light and dark pages.
Drawing needs matplotlib (extra ``tasks``), imported when something is drawn.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from collegium.bench.records import SystemRow
from collegium.bench.summary import pareto
from collegium.bench.words import percent, short_names
from collegium.errors import missing_extra

COLOURS = 8
"""How many colours there are for systems; further systems begin again."""

_INK, _GRID, _MUTED = "#010203", "#010204", "#010205"
"""Stand-ins that no one else uses, replaced by what the page defines."""

_WIDTH = 5.0
"""Inches at 72 points: narrow enough to be read on a phone without being scaled away."""


def accuracy_plot(rows: Sequence[SystemRow], controls: Mapping[str, float]) -> str:
    """Accuracy with its 95% interval per system, floors as dashed lines.

    Args:
        rows: The systems, drawn from top to bottom.
        controls: Floors by name, as accuracies in 0..1.

    Returns:
        An ``<svg>`` element.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure, axes = _axes(0.46 * len(rows) + (1.0 if controls else 0.75))
    for i, row in enumerate(rows):
        colour = _system_colour(i)
        axes.plot(
            [100 * row.ci_low, 100 * row.ci_high], [i, i], color=colour, lw=2.4, alpha=0.55,
            solid_capstyle="round",
        )  # fmt: skip
        axes.plot([100 * row.accuracy], [i], "o", color=colour, ms=7.5)
        at_left = row.ci_high > 0.86
        axes.annotate(
            percent(row.accuracy), (100 * (row.ci_low if at_left else row.ci_high), i),
            xytext=(-7 if at_left else 7, 0), textcoords="offset points", va="center",
            ha="right" if at_left else "left", color=_INK, fontsize=11.5,
        )  # fmt: skip
    for height, (name, share) in enumerate(sorted(controls.items(), key=lambda c: c[1])):
        axes.axvline(100 * share, color=_MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
        # Neighbouring labels take turns in height so that close floors stay readable.
        axes.annotate(
            f"{_short(name)} {percent(share)}", (100 * share, 1), textcoords="offset points",
            xycoords=("data", "axes fraction"), xytext=(3, 2 + 13 * (height % 2)),
            ha="right" if share > 0.7 else "left", color=_MUTED, fontsize=10.5, parse_math=False,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), _names(rows), parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy, %")
    axes.grid(axis="x", color=_GRID, lw=0.8)
    return _svg(figure, "accuracy", "Accuracy of each system with its 95% interval")


def cost_plot(rows: Sequence[SystemRow]) -> str:
    """Accuracy against tokens per task; the cost-accuracy front is joined by a line.

    Args:
        rows: The systems, in the order that gives them their colours.

    Returns:
        An ``<svg>`` element.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure, axes = _axes(3.5)
    on = pareto(rows)
    front = sorted((max(1.0, r.tokens_per_task), 100 * r.accuracy) for r in rows if r.name in on)
    axes.plot([x for x, _ in front], [y for _, y in front], color=_MUTED, lw=1.2, zorder=1)
    spends = [max(1.0, r.tokens_per_task) for r in rows]
    low, high = min(spends) / 1.2, max(spends) * 1.2
    for i, row in enumerate(rows):
        colour, x, y = _system_colour(i), spends[i], 100 * row.accuracy
        axes.plot([x, x], [100 * row.ci_low, 100 * row.ci_high], color=colour, lw=2, alpha=0.45)
        filled = row.name in on
        axes.plot(
            [x], [y], "o", ms=8.5, color=colour, mew=2, zorder=3,
            markerfacecolor=colour if filled else "none",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    names = _names(rows)
    # Points close together, as equal budgets make them, get their labels in a column beside the
    # picture; points far apart have room for them, towards the middle.
    crowded = len(rows) > 4 or max(spends) < 2 * min(spends)
    lift = 0 if crowded else 4  # off the line that joins the front
    heights = apart([100 * r.accuracy + lift for r in rows], gap=min(7.5, 100 / len(rows)))
    for i, x in enumerate(spends):
        colour = _system_colour(i)
        text: dict[str, Any] = {
            "color": colour,
            "fontsize": 11.5,
            "va": "center",
            "parse_math": False,
        }
        if crowded:
            line = {"arrowstyle": "-", "color": colour, "lw": 0.7, "alpha": 0.6, "shrinkB": 5}
            axes.annotate(
                names[i], (x, 100 * rows[i].accuracy), xytext=(1.04, heights[i] / 100),
                textcoords="axes fraction", ha="left", arrowprops=line, **text,
            )  # fmt: skip
        else:
            left = x > (low * high) ** 0.5
            axes.annotate(
                names[i], (x, heights[i]), xytext=(-10 if left else 10, 0),
                textcoords="offset points", ha="right" if left else "left", **text,
            )  # fmt: skip
    axes.set_ylim(0, 100)
    _plain_ticks(axes, low, high)
    axes.set_xlabel("tokens per task (log scale)")
    axes.set_ylabel("accuracy, %")
    axes.grid(axis="y", color=_GRID, lw=0.8)
    return _svg(figure, "cost", "Accuracy against tokens per task")


def strata_plot(rows: Sequence[SystemRow]) -> str:
    """Accuracy by stratum, one bar per system; "" when the questions have no strata.

    Args:
        rows: The systems, in the order that gives them their colours.

    Returns:
        An ``<svg>`` element.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    sizes = {name: of for row in rows for name, (_, of) in row.strata.items()}
    if not sizes:
        return ""
    names, step = sorted(sizes), 0.8 / len(rows)
    figure, axes = _axes((0.15 * len(rows) + 0.18) * len(names) + 0.75)
    for i, row in enumerate(rows):
        for at, name in enumerate(names):
            right, of = row.strata.get(name, (0, 0))
            share = 100 * right / of if of else 0.0
            y = at - 0.4 + (i + 0.5) * step
            axes.barh(y, share, height=0.82 * step, color=_system_colour(i))
            label = f"{right}/{of}" if of else "not run"
            axes.annotate(
                label, (share, y), xytext=(4, 0), textcoords="offset points", va="center",
                color=_MUTED, fontsize=9,
            )  # fmt: skip
    axes.set_yticks(range(len(names)), [_short(n) for n in names], parse_math=False)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlim(0, 110)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("accuracy, %")
    axes.grid(axis="x", color=_GRID, lw=0.8)
    return _svg(figure, "strata", "Accuracy by stratum")


def _axes(height: float) -> tuple[Any, Any]:
    """A figure of the standard width, ``height`` inches high, and its bare axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_extra("tasks", "drawing plots") from None
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.patch.set_visible(False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=6, labelcolor=_INK, labelsize=11.5)
    axes.xaxis.label.set(color=_MUTED, fontsize=11)
    axes.yaxis.label.set(color=_MUTED, fontsize=11)
    return figure, axes


def _plain_ticks(axes: Any, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, or evenly where that leaves too few; written out."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    ticks = [m * 10.0**e for e in range(12) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    if len(ticks) < 3:
        ticks = [t for t in MaxNLocator(3).tick_values(low, high) if low <= t <= high]
    while len(ticks) > 6:
        ticks = ticks[::2]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights on a scale of 0..100 until they are ``gap`` apart, by as little as it takes."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for _ in range(200):  # neighbours push each other away by halves until they settle
        for below, above in itertools.pairwise(order):
            push = max(0.0, gap - (placed[above] - placed[below])) / 2
            placed[below], placed[above] = placed[below] - push, placed[above] + push
        placed = [min(100.0, max(0.0, height)) for height in placed]
    return placed


def _system_colour(index: int) -> str:
    """Stand-in for the colour of a system."""
    return f"#0102{0x10 + index % COLOURS:02x}"


def _names(rows: Sequence[SystemRow]) -> list[str]:
    """The systems' labels."""
    short = short_names([r.name for r in rows])
    return [_short(short[r.name]) for r in rows]


def _short(name: str, length: int = 22) -> str:
    """A name that leaves room for the plot."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _svg(figure: Any, salt: str, label: str) -> str:
    """Render a figure; put the page's colours and font in the place of the stand-ins."""
    import matplotlib

    out = io.StringIO()
    # A fixed salt makes the ids, and so the file, the same for the same data.
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": salt}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Letters that matplotlib's font lacks are no problem: the page's font draws the text.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Several pictures share the page, so their ids must not meet.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{salt}-", svg)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)  # it would style the page
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]*; ?", "", svg)
    svg = svg.replace(_INK, "currentColor")
    svg = svg.replace(_GRID, "var(--grid)").replace(_MUTED, "var(--muted)")
    for i in range(COLOURS):
        svg = svg.replace(_system_colour(i), f"var(--s{i + 1})")
    opening, inside = svg.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    return f'<svg {box[0] if box else ""} role="img" aria-label="{label}">{inside.strip()}'
