"""Asks the person at the terminal before an agent does what cannot be undone."""

from __future__ import annotations

import asyncio
import os
import sys
import termios

from rich.text import Text

from collegium.commands.show import console
from collegium.kernel.access import Permission
from collegium.models.gate import Gate

ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}

TRIES = 3
"""How often an answer that is neither yes nor no is asked for again; then it is no."""

_one_at_a_time = Gate()


async def ask_at_terminal(permission: Permission) -> bool:
    """Ask the person at the terminal; without one, refuse.

    Several questions come one after the other. Other agents go on meanwhile, and what was typed
    before the question was there does not answer it.

    Args:
        permission: What an agent asks leave to do.

    Returns:
        True after "y" or "yes"; False after anything else, and where stdin is no terminal.
    """
    try:
        stdin = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or replaced
        return False
    if not os.isatty(stdin):
        return False
    async with _one_at_a_time.enter(alone=True):
        out = console(sys.stderr)
        termios.tcflush(stdin, termios.TCIFLUSH)
        for _ in range(TRIES):
            out.print(question(permission), end="", soft_wrap=True)
            answer = ANSWERS.get((await typed_line(stdin)).strip().lower())
            if answer is not None:
                return answer
            out.print("Please answer yes or no.")
        return False


def question(permission: Permission) -> Text:
    """The question as it is printed; an agent's words cannot steer the terminal or add lines."""
    wanted = " ".join(str(permission).split())
    shown = "".join(c for c in wanted if c.isprintable())
    return Text.assemble(
        (shown, "bold yellow"), ". It cannot be undone. Permit it? ", ("[y/N] ", "bold")
    )


async def typed_line(stdin: int) -> str:
    """A line from the terminal ("" at its end), read without blocking the event loop.

    A thread that waits for a line cannot be stopped, and would keep the program from ending.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not came.done():
            try:
                came.set_result(os.read(stdin, 4096).decode(errors="replace"))
            except OSError:  # the terminal is gone
                came.set_result("")

    loop.add_reader(stdin, read)
    try:
        return await came
    finally:
        loop.remove_reader(stdin)
