"""What the commands ``routine`` do and print."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import typer
from rich.text import Text

from collegium.agents.routine import plan, problems, read_library, text_of
from collegium.agents.routine.plan import PROFILE
from collegium.commands.guard_print import tool_specs
from collegium.commands.show import clean, console, print_json, writable_file
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput
from collegium.kernel import Kernel, ToolSpec, atomic
from collegium.worlds.text import kinds, text_world


def plan_routine(
    draft: str, tools: str, model: str, out: Path | None, max_tokens: int, as_json: bool
) -> None:
    """Have a Routine planned and show it.

    Raises:
        BadInput: Something is wrong, or no valid Routine came of the draft.
    """
    text = read_draft(draft)
    specs = specs_of(tools)
    if max_tokens < 1:
        raise BadInput(f"--max-tokens must be 1 or more, not {max_tokens}.")
    if out is not None:
        writable_file(out)
    fetch_weights([model])
    from collegium.models import open_model

    kernel = Kernel(open_model(model), seed=0)
    planner = kernel.agent("planner", profile=PROFILE)
    made = asyncio.run(plan(planner, text, tools=specs, max_tokens=max_tokens))
    data = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
    if as_json:
        print_json(made)
    else:
        console().print(Text(clean(text_of(made))), soft_wrap=True)
    if out is not None:
        try:
            atomic.replace(out, data)
        except OSError as error:
            raise BadInput(f"cannot write {out}: {error.strerror or error}.") from None


def check_library(library: Path, tools: str, as_json: bool) -> None:
    """Check Routines against the tools there are.

    Raises:
        BadInput: They cannot be read.
    """
    specs = {spec.name: spec for spec in specs_of(tools)}
    found = {one.id: problems(one, specs) for one in read_library(library.expanduser())}
    if as_json:
        print_json({"routines": len(found), "faults": {k: v for k, v in found.items() if v}})
    else:
        out = console()
        for name, faults in found.items():
            out.print(Text(f"{name}: {'does not fit' if faults else 'fits the tools'}"))
            for fault in faults:
                out.print(Text(clean(f"  {fault}"), style="yellow"), soft_wrap=True)
    if any(found.values()):
        raise typer.Exit(1)


def read_draft(source: str) -> str:
    """The text of a draft.

    Raises:
        BadInput: It cannot be read, or holds nothing.
    """
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).expanduser().read_bytes()
        text = raw.decode().strip()
    except OSError as error:
        raise BadInput(f"cannot read the draft {source}: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"the draft {source} is not text in UTF-8.") from None
    if not text:
        raise BadInput(f"the draft {source} is empty; write the procedure in a few lines.")
    return text


def specs_of(source: str) -> list[ToolSpec]:
    """The tools of a world, of a file, or those that are built in.

    Raises:
        BadInput: There are none to be had.
    """
    if source in kinds():
        return [tool.spec for tool in text_world(source, "train", 0).tools]
    return tool_specs(source)
