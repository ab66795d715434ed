"""The command line: a thin layer over the public functions.

Exit codes: 0 done; 2 when something is wrong that the user can mend (a name, an option, a file,
missing weights or keys, a server that cannot be reached), said in one line on standard error;
1 when a comparison is over but every single run of it failed, or the doctor has findings that are
not waived; 130 when interrupted. A bug keeps its traceback.
"""

from __future__ import annotations

from typing import Annotated

import typer

from collegium.cli.comparing import compare, run
from collegium.cli.looking import benchmarks, papers, show, systems
from collegium.cli.models import models
from collegium.cli.reading import diagnose, doctor, trace
from collegium.cli.serving import call, gateway, serve, studio
from collegium.cli.simulating import simulate
from collegium.commands.app import apps
from collegium.commands.digest import digest
from collegium.commands.ecosystem import ecosystem
from collegium.commands.group import Commands
from collegium.commands.guard import guards
from collegium.commands.interop import interop
from collegium.commands.kernels import kernels
from collegium.commands.registry import registries
from collegium.commands.routes import optimise
from collegium.commands.routine import routines
from collegium.commands.sites import worlds
from collegium.commands.taxonomy import taxonomies
from collegium.commands.tools import tools as tool_servers

TRY, LOOK = "Try and compare", "Look things up"

EXAMPLES = """
Examples:

  collegium run mad "What is 17 * 23?" --answer number

  collegium compare direct self-consistency mad --on gsm-symbolic --limit 20

  collegium compare direct mad:agents=4,rounds=2 --on my_questions.csv
"""


app = typer.Typer(
    name="collegium",
    cls=Commands,
    help="Published agent systems that run: try one, compare several honestly, read what they did.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(models, name="models", rich_help_panel=LOOK)
app.add_typer(apps, name="app", rich_help_panel=TRY)
app.add_typer(kernels, name="kernel", rich_help_panel=TRY)
app.add_typer(guards, name="guard", rich_help_panel=TRY)
app.add_typer(worlds, name="world", rich_help_panel=TRY)
app.add_typer(routines, name="routine", rich_help_panel=TRY)
app.add_typer(taxonomies, name="taxonomy", rich_help_panel=LOOK)
app.add_typer(tool_servers, name="tools", rich_help_panel=TRY)
app.add_typer(interop, name="interop", rich_help_panel=LOOK)
app.add_typer(registries, name="registry", rich_help_panel=LOOK)
app.add_typer(optimise, name="optimise", rich_help_panel=LOOK)


def _version(asked: bool) -> None:
    if asked:
        from collegium import __version__

        typer.echo(f"collegium {__version__}")
        raise typer.Exit


@app.callback()
def collegium(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Published agent systems that run."""


app.command(rich_help_panel=TRY)(run)
app.command(rich_help_panel=TRY)(compare)
app.command(rich_help_panel=TRY)(serve)
app.command(rich_help_panel=TRY)(studio)
app.command(rich_help_panel=TRY)(call)
app.command(rich_help_panel=TRY)(gateway)
app.command(rich_help_panel=TRY)(trace)
app.command(rich_help_panel=TRY)(diagnose)
app.command(rich_help_panel=TRY)(doctor)
app.command(rich_help_panel=TRY)(simulate)
app.command(rich_help_panel=LOOK)(papers)
app.command(rich_help_panel=LOOK)(show)
app.command(rich_help_panel=LOOK)(systems)
app.command(rich_help_panel=LOOK)(benchmarks)
app.command(rich_help_panel=LOOK)(ecosystem)
app.command(rich_help_panel=LOOK)(digest)


def main() -> None:
    """Run the command line."""
    app()
