"""The commands ``taxonomy``: what kind of system a run shows, and which kind a task needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

taxonomies = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="What kind of system a run shows, and which kind a task needs.",
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN|FILE|SYSTEM",
        help="A run's id or its beginning, 'last', a trace file, or a system that was run.",
    ),
]


@taxonomies.command()
def show(
    survey: Annotated[
        str, typer.Argument(metavar="SURVEY", help="collaboration-survey or agentic-taxonomy.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Print the tables of the surveys."""
    from collegium.commands.taxonomy_print import show

    show(survey, as_json)


@taxonomies.command()
def classify(run: Run, as_json: Json = False) -> None:
    """Say how agents worked together in a run, and how much agency there was, with the calls."""
    from collegium.commands.taxonomy_print import classify

    classify(run, as_json)


@taxonomies.command()
def check(
    run: Run,
    paper: Annotated[
        str, typer.Option(metavar="SLUG", help="Its paper, where a trace file does not say.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Hold what the catalog declares of a system against what a run of it shows."""
    from collegium.commands.taxonomy_print import check

    check(run, paper, as_json)


@taxonomies.command()
def advise(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task in words.")],
    as_json: Json = False,
) -> None:
    """Name the smallest kind of system that is enough for a task, and what decided."""
    from collegium.commands.taxonomy_print import advise

    advise(task, as_json)


@taxonomies.command()
def recommend(
    uncertainty: Annotated[str, typer.Option(metavar="high|low", help="Of the situation.")] = "",
    procedure: Annotated[
        str, typer.Option(metavar="fixed|open", help="Whether the way is laid down.")
    ] = "",
    roles: Annotated[
        str, typer.Option(metavar="many|one", help="How many kinds of specialists.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Recommend how agents should work together, with what speaks for and against it."""
    from collegium.commands.taxonomy_print import recommend

    given = {"uncertainty": uncertainty, "procedure": procedure, "roles": roles}
    recommend({k: v for k, v in given.items() if v}, as_json)


@taxonomies.command()
def matrix(
    rows: Annotated[
        str, typer.Option(metavar="DIMENSION", help="Count the catalog's teams by this ...")
    ] = "",
    columns: Annotated[str, typer.Option(metavar="DIMENSION", help="... and by this.")] = "",
    as_json: Json = False,
) -> None:
    """Show which remedy answers which challenge and what implements it; or count teams."""
    from collegium.commands.taxonomy_print import matrix

    matrix(rows, columns, as_json)


@taxonomies.command()
def measured(
    facet: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this facet; repeatable.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Comparisons of your own; else those that come along."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which kinds of systems did better than a plain baseline, by the comparisons there are."""
    from collegium.commands.taxonomy_measured import show_measured

    show_measured(facet or [], folder, as_json)


@taxonomies.command(name="list")
def list_(
    type_: Annotated[str, typer.Option("--type", metavar="VALUE", help="How aims relate.")] = "",
    structure: Annotated[str, typer.Option(metavar="VALUE", help="Shape of messages.")] = "",
    strategy: Annotated[str, typer.Option(metavar="VALUE", help="What decides behaviour.")] = "",
    coordination: Annotated[str, typer.Option(metavar="VALUE", help="static or dynamic.")] = "",
    stage: Annotated[str, typer.Option(metavar="VALUE", help="early, mid or late.")] = "",
    application: Annotated[str, typer.Option(metavar="VALUE", help="Field of use.")] = "",
    like: Annotated[str, typer.Option(metavar="NAME", help="Those most like this one.")] = "",
    as_json: Json = False,
) -> None:
    """List teams by how they work together, with where that was read."""
    from collegium.commands.taxonomy_print import list_profiles

    wanted = {"type": type_, "structure": structure, "strategy": strategy,
              "coordination": coordination, "stage": stage, "application": application}  # fmt: skip
    list_profiles({k: v for k, v in wanted.items() if v}, like, as_json)


@taxonomies.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="NAME", help="A paper or a system.")],
    other: Annotated[str, typer.Argument(metavar="NAME", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Put the declared profiles of two systems side by side."""
    from collegium.commands.taxonomy_print import compare

    compare(one, other, as_json)


@taxonomies.command()
def breaks(
    system: Annotated[
        str, typer.Argument(metavar="SYSTEM", help="A system, such as mad:agents=4.")
    ],
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="The task; - reads standard input, @FILE a file.")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="For all.")
    ] = "local",
    answer: Annotated[
        str, typer.Option(metavar="KIND", help="text, number, choice, latex or code.")
    ] = "text",
    choice: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="One of the choices; repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Makes it repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Run a system again without each of its agents, and see without whom it fails."""
    from collegium.commands.taxonomy_runs import breaks

    breaks(system, task, model, answer, choice or [], seed, as_json)


@taxonomies.command()
def ladder(
    document: Annotated[
        str, typer.Argument(metavar="FILE", help="A text; its folder is the corpus.")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="For all.")
    ] = "local",
    tokens: Annotated[int, typer.Option(metavar="N", help="Cap per paradigm.")] = 4000,
    seed: Annotated[int, typer.Option(metavar="N", help="Makes it repeatable.")] = 0,
    as_json: Json = False,
) -> None:
    """Make a short article with checked facts three ways: one prompt, one agent, several."""
    from collegium.commands.taxonomy_runs import ladder

    ladder(document, model, tokens, seed, as_json)
