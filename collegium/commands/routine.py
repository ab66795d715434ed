"""The commands ``routine``: make a Routine of an expert's draft, and check a library of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

routines = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Routines: have one planned from a draft, check those you have.",
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Tools = Annotated[
    str,
    typer.Option(
        "--tools",
        metavar="FILE|WORLD|builtin",
        help="What steps may use: a JSON list of tools, the tools of a world such as hr, or those "
        "built in.",
    ),
]


@routines.command()
def plan(
    draft: Annotated[
        str, typer.Argument(metavar="FILE", help="The draft as text; - for standard input.")
    ],
    tools: Tools,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="As for collegium run.")
    ] = "local",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the Routine here, as JSON.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(metavar="N", help="Cap on a reply.")] = 2048,
    as_json: Json = False,
) -> None:
    """Make a Routine of an expert's draft: steps, tools, branches, and where values come from.

    Exits with 2 where two attempts are not valid, and says what is wrong, step by step.
    """
    from collegium.commands.routine_print import plan_routine

    plan_routine(draft, tools, model, out, max_tokens, as_json)


@routines.command()
def check(
    library: Annotated[
        Path, typer.Argument(metavar="PATH", help="A JSON file, or a folder of them.")
    ],
    tools: Tools,
    as_json: Json = False,
) -> None:
    """Check Routines against the tools there are; exits with 1 where one does not fit."""
    from collegium.commands.routine_print import check_library

    check_library(library, tools, as_json)
