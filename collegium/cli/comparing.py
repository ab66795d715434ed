"""The commands that try systems: ``run`` and ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collegium.cli.options import Cache, Fast, Json, Model, PolicyFile, Roles, Sampling, Servers


def run(
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help="A system, such as mad or mad:agents=4,rounds=2."),
    ],
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            show_default=False,
            help="The task; - reads standard input, @FILE a file. Left out with --world.",
        ),
    ] = "",
    world: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:ITEM]",
            help="Act in a world instead, such as maze:3; the benchmarks command lists them.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Where the world's task is from.")
    ] = "test",
    model: Model = "local",
    role: Roles = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the system; repeatable."),
    ] = None,
    answer: Annotated[
        str, typer.Option(metavar="KIND", help="text, number, choice, latex or code.")
    ] = "text",
    choice: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="One of the choices; repeatable.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens it may spend.")
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option(metavar="N", help="Model calls it may make.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds it may take.")
    ] = None,
    max_money: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="US dollars it may spend.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Makes the run repeatable.")] = None,
    cache: Cache = False,
    fast: Fast = False,
    screens: Annotated[
        bool,
        typer.Option(
            "--screens",
            metavar="",
            help="Keep a picture of the browser after every move; the studio shows them.",
        ),
    ] = False,
    policy: PolicyFile = None,
    tools: Servers = None,
    allow_sampling: Sampling = False,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the trace to this file.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep what agents remember and store here, for later runs."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where files that the system makes go.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run one system on one task; see what its agents say, the answer and the bill."""
    from typing import cast, get_args

    from collegium.commands.run import run
    from collegium.errors import unknown_name
    from collegium.kernel import Limits
    from collegium.tasks.task import AnswerKind

    if answer not in get_args(AnswerKind):
        raise unknown_name("kind of answer", answer, get_args(AnswerKind))
    run(
        system,
        task,
        world=world,
        split=split,
        model=model,
        roles=role or [],
        settings=settings or [],
        answer=cast(AnswerKind, answer),
        choices=choice or [],
        limits=Limits(max_tokens, max_calls, max_seconds, max_money),
        seed=seed,
        cache=cache,
        fast=fast,
        screens=screens,
        policy=policy,
        servers=tools or [],
        sampling=allow_sampling,
        trace=trace,
        state=state,
        out_dir=out,
        as_json=as_json,
    )


def compare(
    *,
    systems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYSTEM", help="Systems, with parameters if wished: mad:agents=4,rounds=2."
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="BENCHMARK|FILE",
            help="A benchmark, or a .jsonl or .csv of your own: question, answer, "
            "optional choices, tests.",
        ),
    ],
    model: Model = "local",
    role: Roles = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="How many questions; all if not given.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="test, validation or train.")
    ] = "test",
    seed: Annotated[
        int, typer.Option(metavar="N", help="Fixes questions, sampling and statistics.")
    ] = 0,
    budget: Annotated[
        int | None, typer.Option(metavar="TOKENS", help="Tokens per question and system.")
    ] = None,
    generations: Annotated[
        int | None,
        typer.Option(
            metavar="B",
            help="Should I debate? All debates of B generations against sampling and refinement.",
        ),
    ] = None,
    equal_generations: Annotated[
        bool,
        typer.Option(
            "--equal-generations", metavar="", help="Refuse unlike numbers of generations."
        ),
    ] = False,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", metavar="", help="Rank by accuracy against cost, whatever the spends."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the report and the trace go.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", metavar="", help="Go on with the last run of the same comparison."
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Questions worked on at the same time.")
    ] = 1,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS|auto", help="Spread over a Ray cluster.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY", help="Whose call comes next, with --fast: fair, las, rr:quantum=32."
        ),
    ] = None,
    cache: Cache = False,
    fast: Fast = False,
    policy: PolicyFile = None,
    tools: Servers = None,
    as_json: Json = False,
) -> None:
    """Compare systems on the same questions with the same model, seed and budget."""
    from collegium.commands.compare import compare

    measured = compare(
        systems or [],
        on=on,
        model=model,
        roles=role or [],
        limit=limit,
        split=split,
        seed=seed,
        budget=budget,
        generations=generations,
        equal_generations=equal_generations,
        curve=curve,
        out=out,
        resume=resume,
        workers=workers,
        ray=ray,
        scheduler=scheduler,
        cache=cache,
        fast=fast,
        policy=policy,
        servers=tools or [],
        as_json=as_json,
    )
    if not measured:
        raise typer.Exit(1)
