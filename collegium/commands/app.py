"""The commands ``app``: make, check, run, publish and install apps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

apps = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Apps: agents written in plain words, checked, and run within their permissions.",
)

App = Annotated[
    str, typer.Argument(metavar="APP", help="author/name[@version], or a path to an app.toml.")
]
Hub = Annotated[
    Path | None, typer.Option("--hub", metavar="DIR", help="The hub; this machine's if not given.")
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Model = Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="As for collegium run.")]


@apps.command(name="compile")
def compile_(
    description: Annotated[
        str, typer.Argument(metavar="TEXT", help="What it should do; - for standard input.")
    ],
    model: Model = "local",
    keywords: Annotated[
        bool, typer.Option("--keywords", metavar="", help="Without a model, by templates.")
    ] = False,
    author: Annotated[str, typer.Option(metavar="NAME", help="Who publishes it.")] = "me",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the manifest here, once confirmed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Turn a description into a manifest, or say exactly what is missing."""
    from collegium.commands.app_make import compile_app

    compile_app(description, "" if keywords else model, author, out, yes, as_json)


@apps.command()
def check(app: App, as_json: Json = False) -> None:
    """Check a manifest: tools, permissions, steps, bounds."""
    from collegium.commands.app_make import check_app

    check_app(app, as_json)


@apps.command()
def run(
    app: App,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="An input; repeatable."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--in", metavar="DIR", help="The folder its paths are relative to.")
    ] = Path(),
    model: Model = "local",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", metavar="", help="Show every call, on a copy and with a made-up model."
        ),
    ] = False,
    window: Annotated[
        int | None,
        typer.Option(metavar="TOKENS", help="Keep the conversation within a context this large."),
    ] = None,
    selection: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="What it keeps: last-n, summary or retrieval."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the run.")] = 0,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the trace to this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an app in a folder, within its permissions and its budget."""
    from collegium.commands.app_run import run_app

    run_app(
        app,
        inputs or [],
        folder=folder,
        model=model,
        dry=dry_run,
        window=window,
        selection=selection,
        seed=seed,
        trace=trace,
        as_json=as_json,
    )


@apps.command(name="list")
def list_(hub: Hub = None, as_json: Json = False) -> None:
    """List the apps that come with collegium, those installed, and what the hub has."""
    from collegium.commands.app_make import list_apps

    list_apps(hub, as_json)


@apps.command()
def tools(as_json: Json = False) -> None:
    """List the tools apps may use, with what each needs; --json has their schemas."""
    from collegium.commands.app_make import list_tools

    list_tools(as_json)


@apps.command()
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds app.toml or tool.toml.")],
    hub: Hub = None,
    as_json: Json = False,
) -> None:
    """Put a package into a hub; a published version never changes."""
    from collegium.commands.app_make import publish

    publish(folder, hub, as_json)


@apps.command()
def install(
    package: Annotated[str, typer.Argument(metavar="AUTHOR/NAME[@VERSION]")],
    hub: Hub = None,
    as_json: Json = False,
) -> None:
    """Install a package: copied, its hash checked; none of its code runs."""
    from collegium.commands.app_make import install

    install(package, hub, as_json)
