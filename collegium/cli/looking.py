"""The commands that look things up in the catalog."""

from __future__ import annotations

from typing import Annotated

import typer

from collegium.cli.options import Json


def papers(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words to look for.")] = "",
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only this kind, such as 'guard'.")
    ] = None,
    facet: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only with this facet; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the papers, and how far each is implemented."""
    from collegium.commands.catalog import list_papers

    list_papers(query, kind, facet or [], as_json)


def show(
    name: Annotated[str, typer.Argument(metavar="SLUG", help="A paper or a system.")],
    as_json: Json = False,
) -> None:
    """Show one paper or system in full: facts, parameters, published and measured figures."""
    from collegium.commands.catalog import show

    show(name, as_json)


def systems(as_json: Json = False) -> None:
    """List the systems that run, with their parameters."""
    from collegium.commands.catalog import list_systems

    list_systems(as_json)


def benchmarks(as_json: Json = False) -> None:
    """List the benchmarks, and what those that are not here need."""
    from collegium.commands.catalog import list_benchmarks

    list_benchmarks(as_json)
