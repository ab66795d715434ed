"""How a simulation shows itself while it runs: curves, and what happens in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from collegium.commands.show import clean, clock, console, table
from collegium.society.engine import Society
from collegium.society.report import figure
from collegium.society.simulate import Options

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
    chosen = [values[(i + 1) * len(values) // columns - 1] for i in range(columns)]
    low, high = min(0.0, *chosen), max(chosen)
    span = (high - low) or 1.0
    return "".join(BARS[int((v - low) / span * (len(BARS) - 1))] for v in chosen)
