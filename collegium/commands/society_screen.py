"""How a simulation shows itself: curves and words while it runs, a summary at its end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from collegium.commands.show import clean, clock, console, print_json, print_table, table
from collegium.society.engine import Society
from collegium.society.interaction import Difference, Shift
from collegium.society.report import figure
from collegium.society.simulate import Options, steps_of

BARS = "▁▂▃▄▅▆▇█"
LINES = 10
"""Lines of progress where no terminal shows the curves; of several seeds each gets one."""


class Screen:
    """Shows how a run goes: curves on a terminal, now and then a line elsewhere.

    Args:
        options: Of the run.
        steps: How many it takes.
        repeats: Number of seeds.
        number: Which of them this is.
        quiet: Show nothing.
        still: Draw nothing that moves: a person types beside it.
    """

    def __init__(
        self,
        options: Options,
        steps: int,
        repeats: int,
        number: int,
        *,
        quiet: bool,
        still: bool = False,
    ) -> None:
        self._options, self._steps, self._quiet = options, steps, quiet
        self._lines = 1 if repeats > 1 else LINES
        self._seed = f" · seed {number + 1} of {repeats}" if repeats > 1 else ""
        self._out: Console = console(sys.stderr)
        self._began = perf_counter()
        self._live = Live(console=self._out, refresh_per_second=8, transient=True)
        self._moving = self._out.is_terminal and not quiet and not still
        if still:
            self._lines = steps

    def __enter__(self) -> Screen:
        if self._moving:
            self._live.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        if self._moving:
            self._live.__exit__(*problem)

    def update(self, society: Society) -> None:
        """Show a step that was taken."""
        if self._quiet:
            return
        if society.model.told is not None:
            for line in society.model.told(society):
                self._out.print(clean(line), soft_wrap=True)
            if not self._moving:
                return  # the lines say how it goes
        if self._moving:
            self._live.update(self._picture(society))
        elif society.t * self._lines // self._steps > (society.t - 1) * self._lines // self._steps:
            points = ", ".join(f"{k} {figure(v[-1])}" for k, v in list(society.curves.items())[:6])
            self._out.print(f"step {society.t} of {self._steps}{self._seed}: {points}")

    def _picture(self, society: Society) -> RenderableType:
        taken = perf_counter() - self._began
        head = Text(f"{self._options.simulator} · step {society.t} of {self._steps}{self._seed}")
        head.append(f" · {clock(taken)}", style="dim")
        width = max(20, min(80, self._out.width - 34))
        rows = table("curve", " ", "now", right=("now",))
        for name, values in society.curves.items():
            rows.add_row(name, sparkline(values, width, self._steps), figure(values[-1]))
        return Group(head, rows)


def sparkline(values: Sequence[float], width: int, steps: int) -> str:
    """A curve in one line of blocks, as wide as it has come.

    Args:
        values: What to draw.
        width: Characters of a whole run.
        steps: Steps of a whole run.
    """
    columns = max(1, min(width, width * len(values) // max(1, steps)))
    # rounded up: of fewer values than columns, some stand in several
    chosen = [values[-(-(i + 1) * len(values) // columns) - 1] for i in range(columns)]
    low, high = min(0.0, *chosen), max(chosen)
    span = (high - low) or 1.0
    return "".join(BARS[int((v - low) / span * (len(BARS) - 1))] for v in chosen)


def facts_of(
    options: Options, society: Society, steps: int, repeats: int, seconds: float, calls: int
) -> dict[str, str]:
    """What a run was, for its summary and its report.

    Args:
        options: What it was started with.
        society: As it ended.
        steps: How many were wanted.
        repeats: Number of seeds.
        seconds: How long it took.
        calls: Calls to a language model.
    """
    layers = [layer for layer in society.state.layers.values() if layer.edges]
    edges = sum(layer.edges for layer in layers)
    taken = f"{society.t} of {steps}" if society.t < steps else f"{steps}"
    facts = {
        "simulator": options.simulator,
        "agents": f"{len(society.agents):,}",
        "steps": f"{taken}, each {steps_of(options.simulator)}",
        "seeds": ", ".join(str(options.seed + i) for i in range(repeats)),
    }
    if edges:
        facts["contacts"] = f"{edges:,} directed edges in {len(layers)} layers"
    if options.archetypes:
        tally = society.state.values["archetypes"]
        facts["archetypes"] = (
            f"{', '.join(options.archetypes)}: {tally['prompts']} prompts, "
            f"{tally['dropped']} answers dropped, {tally['empty']} groups empty"
        )
    if options.model:
        facts["model"] = f"{options.model}, {calls:,} calls"
    if options.scene:
        facts["scene"] = f"{options.scene}: {len(society.state.tables['happened'])} turns"
    facts["parameters"] = ", ".join(f"{k} {_shown(v)}" for k, v in society.parameters.items())
    facts["seconds"] = f"{seconds:.1f}"
    return facts


def _shown(value: float | tuple[float, ...]) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(list(value))


def print_summary(
    options: Options,
    done: Sequence[Society],
    facts: dict[str, str],
    report: Path,
    differences: Sequence[Difference],
    as_json: bool,
) -> None:
    """Print what came of a run.

    Args:
        options: What it was started with.
        done: The societies, one per seed.
        facts: As :func:`facts_of` gives them.
        report: Where the report lies.
        differences: What interventions changed.
        as_json: Print everything as one JSON document.
    """
    last = done[-1]
    if as_json:
        print_json(
            {
                "options": msgspec.to_builtins(options),
                "facts": facts,
                "curves": {name: [s.curves[name] for s in done] for name in last.curves},
                "differences": [msgspec.to_builtins(d) for d in differences],
                "report": str(report),
            }
        )
        return
    out = console()
    shown = table("curve", "", "last", "highest", right=("last", "highest"))
    for name in last.curves:
        values = [median(points) for points in zip(*(s.curves[name] for s in done), strict=False)]
        shown.add_row(
            name, sparkline(values, 40, len(values)), figure(values[-1]), figure(max(values))
        )
    print_table(shown, out)
    out.print("")
    if differences:
        changed = table(
            "with - without", "at the end", "95% interval", "sum of steps", "95% interval",
            right=("at the end", "sum of steps"),
        )  # fmt: skip
        for d in differences:
            changed.add_row(d.curve, *shown_shift(d.end), *shown_shift(d.sum))
        print_table(changed, out)
        out.print("")
    if len(done) > 1:
        out.print(f"Medians of {len(done)} seeds.")
    out.print(f"{facts['agents']} agents, steps: {facts['steps']}, {facts['seconds']} seconds")
    if "model" in facts:
        out.print(f"Model: {facts['model']}")
    if "fitted" in facts:
        out.print(f"Fitted: {facts['fitted']}")
    out.print(f"Report: {report}")


def shown_shift(shift: Shift) -> tuple[str, str]:
    """A difference, and its interval."""
    return figure(shift.mean), f"{figure(shift.low)} to {figure(shift.high)}"
