"""The command ``simulate``: a society from start to report, with its curves while it runs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import perf_counter

import msgspec

from collegium.commands.direct import Desk
from collegium.commands.keyboard import Keyboard
from collegium.commands.show import (
    clean,
    console,
    pairs,
    writable_folder,
)
from collegium.commands.society_screen import Screen, facts_of, print_summary
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput, missing_extra
from collegium.kernel import Kernel
from collegium.models import open_model
from collegium.society.checkpoint import current, save
from collegium.society.covid.fit import Fitted, fit_r, read_series
from collegium.society.engine import Society
from collegium.society.interaction import (
    Live,
    Seats,
    Understood,
    contrast,
    understand,
)
from collegium.society.operations import Scheduled, read_interventions
from collegium.society.output import write_parquet
from collegium.society.report import Runs, figure, html_report
from collegium.society.sharded import MOST_SHARDS, check_shards, simulate_sharded
from collegium.society.simulate import Options, arrange, resume, simulate, start, steps_of

MANY = 200_000
"""From this many agents on, one seed is run unless more are asked for."""

REPEATS = 5

FIT_SEEDS = 3


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
    live: bool,
    shards: int,
    what_if: bool,
    fit: Path | None,
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
        live: Steer the run at a prompt.
        shards: Processes that share a run; 1: this one alone.
        what_if: Run every seed without the interventions too, and compare.
        fit: File with cases by week, to which R is fitted before the run.
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
    thinks = bool(options.archetypes or options.llm_users or options.scene or say)
    if thinks:
        fetch_weights([options.model])
    if repeats is None:
        alone = thinks or live or shards > 1 or options.agents >= MANY or options.population
        repeats = 1 if alone else REPEATS
    if repeats < 1:
        raise BadInput(f"at least one seed is run, not {repeats}.")
    if live and (repeats > 1 or as_json or shards > 1):
        raise BadInput("--live steers one run: leave out --repeats, --shards and --json.")
    if what_if:
        if not interventions and not say:
            raise BadInput("--what-if compares with and without interventions; give --intervene.")
        if repeats < 2 or live:
            raise BadInput("--what-if needs two seeds or more, --repeats K, and no --live.")
    observed = read_series(fit) if fit else []
    if observed and (options.simulator != "covid" or "R" in values):
        raise BadInput("--fit finds R of covid; leave out --set R=... and other simulators.")
    if not 1 <= shards <= MOST_SHARDS:
        raise BadInput(f"a run is shared by 1 to {MOST_SHARDS} processes, not {shards}.")
    plan = _Plan(
        steps=steps,
        interventions=interventions,
        say=say,
        repeats=repeats,
        checkpoint=checkpoint,
        every=every,
        go_on=go_on,
        live=live,
        shards=shards,
        what_if=what_if,
        observed=observed,
    )
    asyncio.run(_run(options, plan, out_dir, as_json))


class _Plan(msgspec.Struct, kw_only=True):
    """How a simulator is run."""

    steps: int
    interventions: list[Scheduled]
    say: list[str]
    repeats: int
    checkpoint: Path | None
    every: int
    go_on: bool
    live: bool
    shards: int
    what_if: bool
    observed: list[float]


async def _run(options: Options, plan: _Plan, out_dir: Path, as_json: bool) -> None:
    begin = perf_counter()
    keyboard = Keyboard(sys.stdin.fileno()) if plan.say or plan.live else None
    done: list[Society] = []
    pairs: list[tuple[Society, Society]] = []
    calls = 0
    interventions, repeats, steps = plan.interventions, plan.repeats, plan.steps
    fitted = await _fitted(options, plan.observed) if plan.observed else None
    if fitted is not None:
        options = msgspec.structs.replace(options, parameters={**options.parameters, "R": fitted.r})
    for seed in range(options.seed, options.seed + repeats):
        chosen = msgspec.structs.replace(options, seed=seed)
        folder = plan.checkpoint / f"seed-{seed}" if plan.checkpoint else None
        seats = Seats() if plan.live else None
        kernel = _kernel(chosen, seats, keyboard) if chosen.model else None
        if plan.go_on and folder is not None and current(folder) is not None:
            society, chosen = resume(folder, kernel)
            _same_run(options, chosen, folder)
        else:
            society = start(chosen, kernel)
        if plan.shards > 1:
            check_shards(society, plan.shards)
        if plan.say and keyboard is not None and not done:
            interventions = interventions + await _confirmed(society, plan.say, keyboard)
        if plan.what_if and society.t:
            raise BadInput("--what-if compares whole runs; leave out --resume.")
        plain = society.branch() if plan.what_if else None
        screen = Screen(chosen, steps, repeats, len(done), quiet=as_json, still=plan.live)
        with screen:
            if plan.live:
                assert keyboard is not None
                arrange(society, interventions)
                held = Live(society, seats)
                desk = Desk(held, steps, keyboard, console(sys.stderr), screen.update)
                await desk.serve()
                society = desk.live.society
                interventions = interventions + desk.interventions()
                if folder is not None:
                    save(society, folder, msgspec.to_builtins(chosen))
            elif plan.shards > 1:
                async with _cluster(plan.shards):
                    await simulate_sharded(
                        society, steps, plan.shards, options=chosen, folder=folder,
                        every=plan.every, interventions=interventions, on_step=screen.update,
                    )  # fmt: skip
            else:
                await simulate(
                    society, steps, options=chosen, folder=folder, every=plan.every,
                    interventions=interventions, on_step=screen.update,
                )  # fmt: skip
        if plain is not None:
            pairs.append((await simulate(plain, steps), society))
        if not society.curves:
            raise BadInput("no step was taken, so there is nothing to report.")
        done.append(society)
        calls += kernel.meter.calls if kernel else 0
    seconds = perf_counter() - begin
    last = done[-1]
    written = write_parquet(last, out_dir)
    names = list(last.curves)
    differences, first = contrast(pairs) if pairs else ((), ())
    facts = facts_of(options, last, steps, repeats, seconds, calls)
    if fitted is not None:
        facts["fitted"] = (
            f"R {fitted.r:.3f} to {len(plan.observed)} weeks, error {figure(fitted.error)} cases a "
            f"week, {len(fitted.trials)} trials"
        )
    page = html_report(
        Runs(
            title=f"{options.simulator}: {len(last.agents):,} agents, {last.t} steps",
            facts=facts,
            curves={name: [s.curves[name] for s in done] for name in names},
            seeds=[s.seed for s in done],
            unit=steps_of(options.simulator),
            interventions=interventions,
            society=last,
            files=[f.name for f in written],
            differences=differences,
            first=first,
        )
    )
    report = out_dir / "report.html"
    report.write_text(page, encoding="utf-8")
    print_summary(options, done, facts, report, differences, as_json)


def _kernel(options: Options, seats: Seats | None, keyboard: Keyboard | None) -> Kernel:
    """What carries the questions to the model, and in live runs those to the person."""
    model = open_model(options.model, exact=True)
    if seats is None or keyboard is None:
        return Kernel(model, seed=options.seed)
    out = console(sys.stderr)

    async def human(question: str) -> str:
        out.print(f"{clean(question)}\nYou: ", end="", soft_wrap=True)
        return await keyboard.line() or ""

    kernel = Kernel(model, seed=options.seed, interceptors=[seats], human=human)
    seats.bind(kernel)
    return kernel


def _same_run(asked: Options, kept: Options, folder: Path) -> None:
    """A checkpoint of another run is refused: its curves would be continued by something else.

    Raises:
        BadInput: It is of another run.
    """
    before = msgspec.to_builtins(msgspec.structs.replace(kept, seed=asked.seed))
    now = msgspec.to_builtins(asked)
    # a run that asked no model may be gone on with at a prompt, which has one at hand
    spare = {"model"} if not before["model"] else set()
    other = [name for name, value in now.items() if before[name] != value and name not in spare]
    if other:
        raise BadInput(
            f"{folder} was made with another {', '.join(other)}; resume with the same options, or "
            "start anew in another folder."
        )


async def _fitted(options: Options, observed: Sequence[float]) -> Fitted:
    """R, fitted to cases by week over the first seeds of the run."""
    err = console(sys.stderr)

    def begin(seed: int, r: float) -> Society:
        chosen = msgspec.structs.replace(
            options, seed=seed, parameters={**options.parameters, "R": r}
        )
        return start(chosen, _kernel(chosen, None, None) if chosen.model else None)

    def tried(r: float, error: float) -> None:
        err.print(f"fitting: R {r:.3f}, error {figure(error)} cases a week")

    seeds = range(options.seed, options.seed + FIT_SEEDS)
    return await fit_r(begin, observed, seeds=seeds, on_trial=tried)


def _cluster(shards: int) -> AbstractAsyncContextManager[None]:
    """A Ray cluster: the one that ``RAY_ADDRESS`` names or that runs here, or a new one.

    Raises:
        MissingExtra: Ray is not installed.
    """
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
    except ImportError:
        raise missing_extra("cluster", "a run in shards over Ray") from None
    from collegium.bench.cluster import connection

    return connection(ray, "auto", shards)


async def _confirmed(
    society: Society, sentences: Sequence[str], keyboard: Keyboard
) -> list[Scheduled]:
    """What was said in plain language, understood and agreed to."""
    err = console(sys.stderr)
    agreed = []
    for sentence in sentences:
        found = await understand(society, sentence)
        if not isinstance(found, Understood):
            raise BadInput(f"{sentence!r} is not clear: {found.question}")
        err.print(f"Understood: {found.preview}\nDo it? [y/N] ", end="")
        answer = await keyboard.line() or ""
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
