"""The command ``ecosystem``: how operating systems map to agents, and what shows it here."""

from __future__ import annotations

from typing import Annotated

import typer


def ecosystem(
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")] = False,
) -> None:
    """Show how notions of operating systems map to agents, each with a module and a command."""
    from rich.text import Text

    from collegium.catalog.ecosystem import ecosystem
    from collegium.commands.show import console, heading, print_json, print_table, table

    known = ecosystem()
    if as_json:
        print_json(known)
        return
    out = console()
    for title, rows in (("Levels", known.levels), ("Mapping", known.mapping)):
        made = table("operating system", "agents", "here", "module")
        for row in rows:
            made.add_row(row.os, row.agent, row.here, Text(row.module, style="cyan"))
        out.print(heading(title))
        print_table(made, out)
        out.print()
    made = table("era", "capability", "here", "module")
    for one in known.roadmap:
        made.add_row(one.era, one.name, one.here, Text(one.module, style="cyan"))
    out.print(heading("Road map"))
    print_table(made, out)
    out.print()
    made = table("mode", "what it is", "exists", "here")
    for mode in known.modes:
        made.add_row(mode.number, mode.name, "yes" if mode.exists else "no", mode.here)
    out.print(heading("Ways to deploy"))
    print_table(made, out)
    out.print()
    made = table("axis", "papers", "filled", right=("filled",))
    for axis in known.axes:
        counts = ", ".join(f"{value} {number}" for value, number in axis.values.items())
        made.add_row(axis.name, counts, f"{axis.filled:.0%}")
    out.print(heading("Types of applications"))
    print_table(made, out)
    out.print()
    out.print("Commands of every row: collegium ecosystem --json")
