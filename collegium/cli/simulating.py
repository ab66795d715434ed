"""The command that simulates societies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collegium.cli.options import Json, Model


def simulate(
    *,
    simulator: Annotated[
        str,
        typer.Argument(metavar="SIMULATOR", help="covid, social, market, scene, or a file."),
    ],
    agents: Annotated[
        int, typer.Option(metavar="N", help="How many, unless they come from a file.")
    ] = 10_000,
    steps: Annotated[int, typer.Option(metavar="T", help="Steps to take.")] = 60,
    population: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The agents, one a row; or marginals; or astoria."),
    ] = None,
    contacts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who is in contact with whom: CSV or Parquet."),
    ] = None,
    archetypes: Annotated[
        str,
        typer.Option(metavar="COLUMNS", help="Ask the model once per group of these, as age,sex."),
    ] = "",
    behaviour: Annotated[
        str, typer.Option(metavar="KIND", help="covid, unasked: constant, heuristic or none.")
    ] = "constant",
    infected: Annotated[
        float, typer.Option(metavar="SHARE", help="covid: infected at first.")
    ] = 0.001,
    labour: Annotated[
        bool, typer.Option("--labour", metavar="", help="covid: with a labour market.")
    ] = False,
    recommender: Annotated[
        str, typer.Option(metavar="KIND", help="social: x, reddit, random or trace.")
    ] = "x",
    thinking: Annotated[
        int, typer.Option(metavar="N", help="social: users who think with the model themselves.")
    ] = 0,
    scene: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Players who talk: alone, or inside a society."),
    ] = None,
    model: Model = "local",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    intervene: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What happens when: TOML or JSON.")
    ] = None,
    say: Annotated[
        list[str] | None,
        typer.Option(metavar="SENTENCE", help="The same in words, to be confirmed; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Fixes every random choice.")] = 0,
    repeats: Annotated[
        int | None, typer.Option(metavar="K", help="Seeds to run, for bands in the report.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep checkpoints here.")
    ] = None,
    every: Annotated[int, typer.Option(metavar="N", help="Steps between checkpoints.")] = 5,
    resume: Annotated[
        bool, typer.Option("--resume", metavar="", help="Go on from the checkpoints.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", metavar="", help="Steer the run at a prompt.")
    ] = False,
    fit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="covid: fit R to these cases by week.")
    ] = None,
    what_if: Annotated[
        bool,
        typer.Option("--what-if", metavar="", help="Run without the interventions too; compare."),
    ] = False,
    shards: Annotated[
        int, typer.Option(metavar="N", help="covid: processes that share a run, over Ray.")
    ] = 1,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="covid: compute with torch on cpu, cuda or auto.")
    ] = "",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the report and the tables go.")
    ] = Path("simulation"),
    as_json: Json = False,
) -> None:
    """Simulate a society of up to millions of agents; see its curves, get a report and tables."""
    from collegium.commands.simulate import run_simulation
    from collegium.society.simulate import Options

    if scene is None and Path(simulator).suffix in (".toml", ".json"):
        scene, simulator = Path(simulator), "scene"
    columns = tuple(filter(None, (c.strip() for c in archetypes.split(","))))
    run_simulation(
        Options(
            simulator=simulator,
            agents=agents,
            seed=seed,
            population=str(population or ""),
            contacts=str(contacts or ""),
            archetypes=columns,
            behaviour=behaviour,
            infected=infected,
            labour=labour,
            recommender=recommender,
            llm_users=thinking,
            scene=str(scene or ""),
            device=device,
            model=model if columns or thinking or say or scene or live else "",
        ),
        steps=steps,
        settings=settings or [],
        intervene=intervene,
        say=say or [],
        repeats=repeats,
        checkpoint=checkpoint,
        every=every,
        go_on=resume,
        out_dir=out,
        live=live,
        shards=shards,
        what_if=what_if,
        fit=fit,
        as_json=as_json,
    )
