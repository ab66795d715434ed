"""The commands ``interop``: the comparison of protocols, and who understands whom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

interop = typer.Typer(
    cls=TyperGroup, no_args_is_help=True, help="Protocols between agents: compare them, test them."
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


def comparison() -> dict[str, Any]:
    """The survey's comparison as data."""
    from importlib.resources import files

    import msgspec

    text = files("collegium.protocols").joinpath("protocols.json").read_bytes()
    return msgspec.json.decode(text)


@interop.command()
def table(as_json: Json = False) -> None:
    """Compare the four protocols of the survey, with the module that each cell is written in."""
    from rich.table import Table
    from rich.text import Text

    from collegium.commands.show import console, print_json

    found = comparison()
    if as_json:
        print_json(found)
        return
    shown = Table("", *found["order"], header_style="bold")
    for dimension in found["dimensions"]:
        cells = [dimension["cells"][p] for p in found["order"]]
        written = (Text.assemble(c["text"], "\n", (c["module"], "dim")) for c in cells)
        shown.add_row(dimension["name"], *written)
    versions = ["\n".join(found["versions"][p]) for p in found["order"]]
    shown.add_row("versions", *versions)
    console().print(shown)


@interop.command()
def matrix(
    rounds: Annotated[int, typer.Option(metavar="N", help="How often each call is made.")] = 5,
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="One more server: acp:http://host#agent; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what passed as a page, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run every client against every server, and show what passed."""
    from collegium.commands.show import console, print_json, writable_file
    from collegium.errors import BadInput
    from collegium.protocols.callers import open_caller
    from collegium.protocols.matrix import matrix as run_matrix
    from collegium.protocols.matrix_page import as_markdown, as_page

    if rounds < 1:
        raise BadInput(f"the number of rounds must be at least 1, not {rounds}.")
    for name in agent or ():
        open_caller(name)
    if out is not None:
        writable_file(out)
    found = asyncio.run(run_matrix(rounds, agent or ()))
    if out is not None:
        out.write_text(as_page(found), encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        console().print(as_markdown(found), markup=False, soft_wrap=True)
    if any(c.passed is False for row in found.rows for c in row.cells.values()):
        raise typer.Exit(1)
