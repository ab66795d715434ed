"""The command ``simulate``: a society from start to report, with its curves while it runs."""

from __future__ import annotations

import asyncio
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

from collegium.commands.permission import typed_line
from collegium.commands.show import (
    clock,
    console,
    pairs,
    print_json,
    print_table,
    table,
    writable_folder,
)
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import open_model
from collegium.society.checkpoint import current
from collegium.society.engine import Society
from collegium.society.operations import Scheduled, read_interventions
from collegium.society.output import write_parquet
from collegium.society.report import Runs, figure, html_report
from collegium.society.simulate import Options, resume, simulate, start, steps_of

BARS = "▁▂▃▄▅▆▇█"
LINES = 10
"""Lines of progress where no terminal shows the curves; of several seeds each gets one."""

MANY = 200_000
"""From this many agents on, one seed is run unless more are asked for."""

REPEATS = 5


def run_simulation(
    options: Options,
    *,
    steps: int,
    settings: list[str],
    intervene: Path | None,
    say: list[str],
    repeats: int | None,
    checkpoint: Path | None,
    every: int,
    go_on: bool,
    out_dir: Path,
    as_json: bool,
) -> None:
    """Run a simulator and write its report.

    Args:
        options: What to simulate.
        steps: How many steps.
        settings: Parameters, written NAME=VALUE.
        intervene: File with interventions.
        say: Interventions in plain language; each is shown and has to be confirmed.
        repeats: Seeds to run; None: five where there are few agents and no language model.
        checkpoint: Where checkpoints go.
        every: Steps between checkpoints.
        go_on: Go on from the checkpoints.
        out_dir: Where report and tables go.
        as_json: Print the figures as JSON.

    Raises:
        CollegiumError: Something that was given is not what it must be.
    """
    if steps < 1:
        raise BadInput(f"a simulation takes at least one step, not {steps}.")
    if go_on and checkpoint is None:
        raise BadInput("--resume needs --checkpoint DIR, the folder to go on from.")
    values = {name: _number(name, v) for name, v in pairs(settings, "a parameter", "N=V").items()}
    options = msgspec.structs.replace(options, parameters=values)
    options.check()
    writable_folder(out_dir)
    interventions = read_interventions(intervene) if intervene else []
    thinks = bool(options.archetypes or options.llm_users or say)
    if thinks:
        fetch_weights([options.model])
    if repeats is None:
        alone = thinks or options.agents >= MANY or options.population
        repeats = 1 if alone else REPEATS
    if repeats < 1:
        raise BadInput(f"at least one seed is run, not {repeats}.")
    asyncio.run(
        _run(
            options, steps, interventions, say, repeats, checkpoint, every, go_on, out_dir, as_json
        )
    )


async def _run(
    options: Options,
    steps: int,
    interventions: list[Scheduled],
    say: list[str],
    repeats: int,
    checkpoint: Path | None,
    every: int,
    go_on: bool,
    out_dir: Path,
    as_json: bool,
) -> None:
    begin = perf_counter()
    done: list[Society] = []
    calls = 0
    for seed in range(options.seed, options.seed + repeats):
        chosen = msgspec.structs.replace(options, seed=seed)
        folder = checkpoint / f"seed-{seed}" if checkpoint else None
        kernel = _kernel(chosen) if chosen.model else None
        if go_on and folder is not None and current(folder) is not None:
            society, chosen = resume(folder, kernel)
            _same_run(options, chosen, folder)
        else:
            society = start(chosen, kernel)
        if say and not done:
            interventions = interventions + await _confirmed(society, say)
        screen = Screen(chosen, steps, repeats, len(done), quiet=as_json)
        with screen:
            await simulate(
                society,
                steps,
                options=chosen,
                folder=folder,
                every=every,
                interventions=interventions,
                on_step=screen.update,
            )
        done.append(society)
        calls += kernel.meter.calls if kernel else 0
    seconds = perf_counter() - begin
    last = done[-1]
    written = write_parquet(last, out_dir)
    names = list(last.curves)
    facts = _facts(options, last, steps, repeats, seconds, calls)
    page = html_report(
        Runs(
            title=f"{options.simulator}: {len(last.agents):,} agents, {steps} steps",
            facts=facts,
            curves={name: [s.curves[name] for s in done] for name in names},
            seeds=[s.seed for s in done],
            unit=steps_of(options.simulator),
            interventions=interventions,
            society=last,
            files=[f.name for f in written],
        )
    )
    report = out_dir / "report.html"
    report.write_text(page, encoding="utf-8")
    _print(options, done, facts, report, as_json)


def _kernel(options: Options) -> Kernel:
    return Kernel(open_model(options.model, exact=True), seed=options.seed)


def _same_run(asked: Options, kept: Options, folder: Path) -> None:
    """A checkpoint of another run is refused: its curves would be continued by something else.

    Raises:
        BadInput: It is of another run.
    """
    before = msgspec.to_builtins(msgspec.structs.replace(kept, seed=asked.seed))
    now = msgspec.to_builtins(asked)
    other = [name for name, value in now.items() if before[name] != value]
    if other:
        raise BadInput(
            f"{folder} was made with another {', '.join(other)}; resume with the same options, or "
            "start anew in another folder."
        )


async def _confirmed(society: Society, sentences: Sequence[str]) -> list[Scheduled]:
    """What was said in plain language, understood and agreed to."""
    from collegium.society.interaction.commands import Understood, understand

    err = console(sys.stderr)
    agreed = []
    for sentence in sentences:
        found = await understand(society, sentence)
        if not isinstance(found, Understood):
            raise BadInput(f"{sentence!r} is not clear: {found.question}")
        err.print(f"Understood: {found.preview}\nDo it? [y/N] ", end="")
        answer = await typed_line(sys.stdin.fileno())
        if answer.strip().casefold() not in ("y", "yes"):
            err.print("Left out.")
            continue
        agreed.append(Scheduled(max(found.at, society.t), found.operation))
    return agreed


def _number(name: str, text: str) -> float | list[float]:
    """A parameter's value: a number, or a list of them in brackets.

    Raises:
        BadInput: It is neither.
    """
    try:
        return msgspec.json.decode(text, type=float | list[float])
    except msgspec.DecodeError:
        raise BadInput(
            f"parameter {name!r} must be a number, or a list such as [3,2.5], not {text!r}."
        ) from None


class Screen:
    """Shows how a run goes: curves on a terminal, now and then a line elsewhere.

    Args:
        options: Of the run.
        steps: How many it takes.
        repeats: Number of seeds.
        number: Which of them this is.
        quiet: Show nothing.
    """

    def __init__(
        self, options: Options, steps: int, repeats: int, number: int, *, quiet: bool
    ) -> None:
        self._options, self._steps, self._quiet = options, steps, quiet
        self._lines = 1 if repeats > 1 else LINES
        self._seed = f" · seed {number + 1} of {repeats}" if repeats > 1 else ""
        self._out: Console = console(sys.stderr)
        self._began = perf_counter()
        self._live = Live(console=self._out, refresh_per_second=8, transient=True)
        self._moving = self._out.is_terminal and not quiet

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


def _facts(
    options: Options, society: Society, steps: int, repeats: int, seconds: float, calls: int
) -> dict[str, str]:
    edges = sum(layer.edges for layer in society.state.layers.values())
    facts = {
        "simulator": options.simulator,
        "agents": f"{len(society.agents):,}",
        "steps": f"{steps}, each {steps_of(options.simulator)}",
        "seeds": ", ".join(str(options.seed + i) for i in range(repeats)),
    }
    if edges:
        facts["contacts"] = f"{edges:,} directed edges in {len(society.state.layers)} layers"
    if options.archetypes:
        tally = society.state.values["archetypes"]
        facts["archetypes"] = (
            f"{', '.join(options.archetypes)}: {tally['prompts']} prompts, "
            f"{tally['dropped']} answers dropped, {tally['empty']} groups empty"
        )
    if options.model:
        facts["model"] = f"{options.model}, {calls:,} calls"
    facts["parameters"] = ", ".join(f"{k} {_shown(v)}" for k, v in society.parameters.items())
    facts["seconds"] = f"{seconds:.1f}"
    return facts


def _shown(value: float | tuple[float, ...]) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(list(value))


def _print(
    options: Options, done: Sequence[Society], facts: dict[str, str], report: Path, as_json: bool
) -> None:
    last = done[-1]
    if as_json:
        print_json(
            {
                "options": msgspec.to_builtins(options),
                "facts": facts,
                "curves": {name: [s.curves[name] for s in done] for name in last.curves},
                "report": str(report),
            }
        )
        return
    out = console()
    shown = table("curve", "", "last", "highest", right=("last", "highest"))
    for name in last.curves:
        values = [median(points) for points in zip(*(s.curves[name] for s in done), strict=True)]
        shown.add_row(
            name, sparkline(values, 40, len(values)), figure(values[-1]), figure(max(values))
        )
    print_table(shown, out)
    out.print("")
    if len(done) > 1:
        out.print(f"Medians of {len(done)} seeds.")
    out.print(f"{facts['agents']} agents, steps: {facts['steps']}, {facts['seconds']} seconds")
    if "model" in facts:
        out.print(f"Model: {facts['model']}")
    out.print(f"Report: {report}")
