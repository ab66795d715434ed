"""How errors end a command: in one line and an exit code."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from collegium.errors import CollegiumError

USER_ERROR = 2
INTERRUPTED = 130


class Commands(TyperGroup):
    """Turns the errors that a user can act on into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except CollegiumError as error:
            _say(f"error: {' '.join(str(error).split())}", "red")
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt:
            resume = "; go on with --resume" if ctx.invoked_subcommand == "compare" else ""
            _say(f"interrupted{resume}", "yellow")
            raise typer.Exit(INTERRUPTED) from None


def _say(line: str, style: str) -> None:
    """Print one line on standard error."""
    from rich.text import Text

    from collegium.commands.show import clean, console

    head, space, rest = clean(line).partition(" ")
    text = Text.assemble((head, f"bold {style}"), space, rest)
    console(sys.stderr).print(text, soft_wrap=True)
