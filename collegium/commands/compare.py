"""The command ``compare``: systems on the same questions, with a report."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
from rich.live import Live
from rich.text import Text

from collegium.api import read_policy
from collegium.bench.compare import Plan, open_models, plan, traces_of
from collegium.bench.compare import compare as compare_
from collegium.bench.debate import equal_generation_grid
from collegium.bench.records import Report
from collegium.commands.live import Board, print_report
from collegium.commands.run import unused
from collegium.commands.show import console, pairs, print_json, writable_folder
from collegium.commands.trace import encode_placed
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput, Unreachable
from collegium.kernel import Event, RunStore, atomic
from collegium.kernel.store import default_path

Traces = dict[tuple[str, str], list[Event]]


def compare(
    systems: Sequence[str],
    *,
    on: str,
    model: str,
    roles: list[str],
    limit: int | None,
    split: str,
    seed: int,
    budget: int | None,
    generations: int | None,
    equal_generations: bool,
    curve: bool,
    out: Path | None,
    resume: bool,
    workers: int,
    ray: str | None,
    scheduler: str | None,
    cache: bool,
    fast: bool,
    policy: Path | None,
    servers: list[str],
    as_json: bool,
) -> bool:
    """Compare systems, print the result and write the report.

    Returns:
        Whether there is a result: at least one run did not fail.

    Raises:
        CollegiumError: Something is wrong, or the model's server is gone.
    """
    if generations is not None:
        if systems:
            raise BadInput("--generations chooses the systems itself; leave out their names.")
        # Equal generations are not equal tokens; the study states both, so it ranks all the same.
        systems, equal_generations, curve = equal_generation_grid(generations), True, True
    models = pairs(roles, "a role's model", "ROLE=MODEL")
    planned = plan(
        systems,
        on=on,
        model=model,
        roles=models,
        limit=limit,
        split=split,
        seed=seed,
        budget=budget,
        exact=not fast,
        equal_generations=equal_generations,
        scheduler=scheduler,
        policy=read_policy(policy),
        servers=servers,
    )
    if workers < 1:
        raise BadInput(f"the number of workers must be at least 1, not {workers}.")
    writable_folder(out or default_path().parent)
    fetch_weights([model, *models.values()])
    store = RunStore(default_path())
    try:
        report = _run(planned, store, curve, workers, resume, cache, ray)
        traces = traces_of(store, report.run)
    finally:
        store.close()
    folder = out or default_path().parent / "reports" / report.run
    files = write_files(report, traces, folder)
    seen = {name for found in traces.values() for e in found for name in _names(e)}
    if seen:
        unused(models, seen)
    if as_json:
        print_json({**data(report), "files": files})
    else:
        screen = console()
        print_report(report, screen)
        for name, file in files.items():
            screen.print(Text.assemble((f"{name:<7}", "dim"), str(file)), soft_wrap=True)
    return any(not o.error for o in report.outcomes)


def _run(
    planned: Plan,
    store: RunStore,
    curve: bool,
    workers: int,
    resume: bool,
    cache: bool,
    ray: str | None,
) -> Report:
    """Run the comparison with the live table on standard error."""
    err = console(sys.stderr)
    board = Board(planned, workers, err)
    if resume and store.latest(planned.key) is None:
        err.print(Text("note: there is no such run to resume; starting anew.", style="yellow"))

    async def work() -> Report:
        await open_models(planned)  # a wrong name must not leave an empty run behind
        return await compare_(
            planned,
            store,
            curve=curve,
            workers=workers,
            resume=resume,
            cache=cache,
            ray=ray,
            command=shlex.join(["collegium", *sys.argv[1:]]),
            on_outcome=board.add,
        )

    live = Live(board, console=err, transient=True) if err.is_terminal else nullcontext()
    try:
        with live:
            return asyncio.run(work())
    except Unreachable as gone:
        if board.fresh + board.kept == 0:
            raise
        raise Unreachable(f"{gone} What is finished is kept: go on with --resume.") from None


def write_files(report: Report, traces: Traces, folder: Path) -> dict[str, Path]:
    """Write the report as a page and as data, and the trace.

    Raises:
        BadInput: The folder cannot be written.
    """
    from collegium.bench.html import write_html  # takes a while to import

    files = {
        "report": folder / "report.html",
        "data": folder / "report.json",
        "trace": folder / "trace.jsonl",
    }
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1)
    lines = [
        encode_placed(system, task, event)
        for (system, task), events in traces.items()
        for event in events
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.replace(files["data"], encoded)
        atomic.replace(files["trace"], b"".join(lines))
        write_html(report, files["report"], traces)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot write the report to {folder}: {reason}.") from None
    return files


def data(report: Report) -> dict[str, Any]:
    """A report as plain data, without what it holds of every single question."""
    whole = msgspec.to_builtins(report)
    del whole["outcomes"]
    return whole


def _names(event: Event) -> tuple[str, str]:
    return event.call.agent, getattr(event.call, "role", "")
