"""How the command line prints: consoles, tables, JSON, and small formats all commands share."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import IO, Any, get_args

import msgspec
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from collegium.errors import BadInput

UNBROKEN = 100_000
"""Width of a console that is no terminal: lines are for other programs, so none is broken."""

STATUS_STYLE = {"missing": "dim", "runs": "yellow", "faithful": "green", "measured": "bold green"}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(stream: IO[str] | None = None) -> Console:
    """A console that prints strings as they are; lines are broken on terminals alone.

    Args:
        stream: Where to print; None: standard output.
    """
    file: IO[str] = stream or sys.stdout
    broken = file.isatty() or "COLUMNS" in os.environ
    return Console(
        file=file,
        width=None if broken else UNBROKEN,
        markup=False,
        emoji=False,
        highlight=False,
    )


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house style.

    Args:
        columns: Headings.
        right: Those whose cells are numbers.
    """
    made = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for name in columns:
        numeric = name in right
        made.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
    return made


def print_table(made: Table, out: Console) -> None:
    """Print a table; without the padding at line ends where no terminal reads it."""
    if out.width < UNBROKEN:
        out.print(made)
        return
    with out.capture() as captured:
        out.print(made)
    lines = captured.get().splitlines()
    out.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def print_json(value: object) -> None:
    """Print a value as one JSON document."""
    encoded = msgspec.json.format(msgspec.json.encode(value, enc_hook=plain), indent=2)
    sys.stdout.write(f"{encoded.decode()}\n")


def plain(value: object) -> Any:
    """What JSON has no form for: a path as text, anything else as Python shows it."""
    return str(value) if isinstance(value, Path) else repr(value)


def clean(text: str) -> str:
    """Text from a model without the control characters that would steer the terminal."""
    return _CONTROL.sub("", text)


def heading(text: str) -> Text:
    """A line that begins a section."""
    return Text(text, style="bold")


def print_indented(text: str, out: Console, style: str = "", by: int = 2) -> None:
    """Print a text some columns to the right."""
    if out.width < UNBROKEN:
        out.print(Padding.indent(Text(text, style=style), by))
    else:  # padding would fill every line up to the longest
        out.print(Text(indent(text, " " * by), style=style))


def label(name: str, width: int) -> str:
    """A system's name on lines of about this width, broken where its parameters begin."""
    lines = [""]
    for part in re.split(r"(?<=[:,])", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append(f" {part}")
        else:
            lines[-1] += part
    return "\n".join(lines)


def pairs(options: list[str], what: str, example: str) -> dict[str, str]:
    """Read options written ``name=value``.

    Args:
        options: As the user wrote them.
        what: What they are, for the error.
        example: A right one.

    Raises:
        BadInput: One has no ``=``, or nothing on one side of it.
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, value = (part.strip() for part in option.partition("="))
        if not (equals and name and value):
            raise BadInput(f"{what} is written {example}, not {option!r}.")
        found[name] = value
    return found


def type_name(kind: Any) -> str:
    """A parameter's type as one writes it in Python."""
    return str(kind).replace("typing.", "") if get_args(kind) else getattr(kind, "__name__", "any")


def parameters_table(parameters: Mapping[str, tuple[Any, Any]]) -> Table:
    """The hyper-parameters of a system with their types and defaults."""
    made = table("parameter", "type", "default")
    for name, (kind, default) in parameters.items():
        made.add_row(name, type_name(kind), repr(default))
    return made


def clock(seconds: float) -> str:
    """A duration as people read it: "4.2 s", "3:05", "1:02:03"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def dollars(money: float) -> str:
    """US dollars; small amounts keep two significant digits."""
    return "$0" if not money else f"${money:.2f}" if money >= 1 else f"${money:.2g}"


def megabytes(size: int) -> str:
    """A file size."""
    return f"{size / 1e6:,.0f} MB"


def excerpt(text: str, limit: int = 60) -> str:
    """The beginning of a text on one line, at most ``limit`` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def writable_folder(folder: Path) -> None:
    """Make sure, without making it, that a folder can be made and written.

    Raises:
        BadInput: It cannot.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise BadInput(f"cannot write to {folder}: {there} is not a folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"cannot write to {folder}: no permission to write in {there}.")


def writable_file(file: Path) -> None:
    """Make sure, without touching it, that a file can be written.

    Raises:
        BadInput: It is a folder, its folder is missing, or permission is.
    """
    if file.is_dir():
        raise BadInput(f"cannot write {file}: it is a folder.")
    if not file.absolute().parent.is_dir():
        raise BadInput(f"cannot write {file}: there is no folder {file.parent}.")
    writable_folder(file.parent)
    if file.exists() and not os.access(file, os.W_OK):
        raise BadInput(f"cannot write {file}: no permission.")
