"""The commands that read what happened: ``trace`` and ``diagnose``; and ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collegium.cli.options import Json, Model


def trace(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|FILE", help="A run's id or its beginning, 'last', or a trace file."
        ),
    ] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Only this agent.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="generate, use-tool, send, receive or ask-human."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Only this system of a comparison.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Only this question of a comparison.")
    ] = None,
    diff: Annotated[
        str | None, typer.Option(metavar="RUN|FILE", help="What this second run did differently.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the run as one page to share.")
    ] = None,
    inspect: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as a log of Inspect AI (.eval) instead."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read what a run did, call by call; without a run, list the last ones."""
    from collegium.commands.trace import Filters, list_runs, trace, write_inspect

    if inspect is not None:
        write_inspect(run or "last", Filters(agent, kind, system, task), inspect, as_json)
    elif diff is not None or html is not None:
        from collegium.commands.trace_more import print_diff, save_page

        filters = Filters(agent, kind, system, task)
        if diff is not None:
            print_diff(run, diff, filters, as_json)
        if html is not None:
            save_page(run, html)
    elif run is None:
        list_runs(as_json)
    else:
        trace(run, Filters(agent, kind, system, task), as_json)


def diagnose(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE", help="A run's id or its beginning, 'last', or a trace file."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Name the failure modes that a run's trace shows, with the calls that show them."""
    from collegium.commands.diagnose import diagnose_run

    diagnose_run(run, as_json)


def doctor(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The folder of an agent project, or one file.")
    ],
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF 2.1.0.")
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", metavar="", help="Use the rules alone.")
    ] = False,
    model: Model = "local",
    as_json: Json = False,
) -> None:
    """Find defects in the code of an agent project, without running it."""
    from collegium.commands.doctor import doctor

    chosen = None if no_model else model
    if not doctor(path, model=chosen, sarif_file=sarif, as_json=as_json):
        raise typer.Exit(1)
