"""The command reference, made from the command line itself."""

from __future__ import annotations

from typing import Any

import typer.main
from facts import table


def command_reference() -> str:
    """The page: every command with its arguments and options."""
    from collegium.cli import app

    root = typer.main.get_command(app)
    parts = [
        "# Command reference",
        "Made from the command line itself. `collegium COMMAND --help` shows the same. Wrong input "
        "ends with one line that says what is wrong, and exit code 2.",
        *command("collegium", root, level=2),
    ]
    return "\n\n".join(parts) + "\n"


def command(name: str, one: Any, *, level: int) -> list[str]:
    """A command and those below it."""
    below = getattr(one, "commands", {})
    parts = [f"{'#' * level} {name}", plain(one.help)]
    parameters = [p for p in one.params if not getattr(p, "hidden", False) and p.name != "help"]
    if parameters or not below:
        parts.append(f"```\n{usage(name, one)}\n```")
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option"]
    if arguments:
        rows = [(f"`{written(p)}`", plain(p.help)) for p in arguments]
        parts.append(table(("argument", "meaning"), rows))
    if options:
        rows = [(f"`{written(p)}`", plain(p.help), default(p)) for p in options]
        parts.append(table(("option", "meaning", "default"), rows))
    for sub in below.values():
        if not sub.hidden:
            parts += command(f"{name} {sub.name}", sub, level=min(level + 1, 4))
    return [part for part in parts if part]


def usage(name: str, one: Any) -> str:
    """The line that shows how a command is called."""
    pieces = [name]
    for parameter in one.params:
        if parameter.param_type_name == "argument":
            many = "..." if parameter.nargs == -1 else ""
            text = f"{written(parameter)}{many}"
            pieces.append(text if parameter.required else f"[{text}]")
    below = " COMMAND" if getattr(one, "commands", {}) else ""
    return " ".join(pieces) + below + " [OPTIONS]"


def written(parameter: Any) -> str:
    """A parameter as it is written."""
    metavar = parameter.metavar or (parameter.name or "").upper()
    if parameter.param_type_name == "argument":
        return metavar
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag or parameter.count else f"{names} {metavar}"


def default(parameter: Any) -> str:
    """The default of an option, if it says something."""
    value = parameter.default
    if parameter.is_flag or value is None or value in ((), [], "") or callable(value):
        return ""
    return f"`{value}`"


def plain(text: str | None) -> str:
    """A help text as one paragraph."""
    return " ".join((text or "").split())
