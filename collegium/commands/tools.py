"""The commands ``tools``: what a server of tools says of itself, and approving it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

tools = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Tools of other servers: read what they say of themselves, approve them.",
)

Server = Annotated[
    str, typer.Argument(metavar="SERVER", help="mcp:COMMAND ... or mcp:http://ADDRESS.")
]


@tools.command(name="list")
def list_tools(
    server: Server,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")] = False,
) -> None:
    """Show the tools of a server, and which of them are approved."""
    from rich.table import Table

    from collegium.commands.show import clean, console, print_json

    rows = asyncio.run(_states(server, None))
    if as_json:
        print_json(rows)
        return
    table = Table("tool", "state", "description", box=None, header_style="bold")
    for row in rows:
        table.add_row(clean(row["tool"]), row["state"], clean(row["description"]))
    console().print(table)


@tools.command()
def approve(server: Server) -> None:
    """Approve the tools of a server as they are now."""
    from collegium.commands.show import console

    rows = asyncio.run(_states(server, None, approve=True))
    console().print(f"approved: {', '.join(row['tool'] for row in rows)}", markup=False)


async def _states(name: str, path: Path | None, approve: bool = False) -> list[dict[str, str]]:
    from collegium.tools.mcp import mcp_told
    from collegium.tools.pins import Pins
    from collegium.tools.servers import server_of

    server = server_of(name)
    pins = Pins(path)
    told = await mcp_told(server)
    if approve:
        pins.approve(server, told)
    blocked = pins.check(server, told)
    return [
        {
            "tool": t.name,
            "state": "waits for approval" if t.name in blocked else "approved",
            "description": t.description or t.title or "",
            "reason": blocked.get(t.name, ""),
        }
        for t in told
    ]
