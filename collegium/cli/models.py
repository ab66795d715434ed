"""The commands about models: list, fetch, try, speed up."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from collegium.cli.options import Json

models = typer.Typer(cls=TyperGroup, help="The models there are: list, fetch, try, speed up.")


@models.callback(invoke_without_command=True)
def list_models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the models; fetch, try or speed them up with the commands below."""
    if ctx.invoked_subcommand is None:
        from collegium.commands.models import list_models

        list_models(as_json)


@models.command()
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="local, local-small or local-tiny.")],
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Fetch again what is here.")
    ] = False,
) -> None:
    """Fetch the weights of an embedded model; a broken download goes on where it ended."""
    from collegium.commands.models import pull

    pull(name, force)


@models.command(name="try")
def try_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Any model.")],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask it.")],
    max_tokens: Annotated[int, typer.Option(metavar="N", help="Longest answer.")] = 256,
    temperature: Annotated[
        float, typer.Option(metavar="T", help="0 for the likeliest words.")
    ] = 0.7,
    as_json: Json = False,
) -> None:
    """Ask a model something, and see how fast it reads and writes."""
    from collegium.commands.models import try_model

    try_model(name, prompt, max_tokens, temperature, as_json)


@models.command()
def tune(
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Measure with this one; the largest here if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the engine for this machine's processor; kept only if it is faster."""
    from collegium.commands.models import tune

    tune(model, as_json)


@models.command()
def untune() -> None:
    """Go back to the engine that was installed."""
    from collegium.commands.models import untune

    untune()
