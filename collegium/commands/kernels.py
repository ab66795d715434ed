"""The commands ``kernel``: isolated kernels on this machine, and calls in plain words."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

kernels = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Kernels: run several side by side, and talk to them in sentences.",
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, hyphens.")]


@kernels.command()
def start(
    name: Name,
    model: Annotated[
        str,
        typer.Option("--model", "-m", metavar="MODEL", help="For its agents; none if not given."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Start a kernel in a process and a state directory of its own."""
    from collegium.apps.virtual import start

    _show([start(name, model=model)], as_json)


@kernels.command(name="list")
def list_(as_json: Json = False) -> None:
    """List the kernels of this machine."""
    from collegium.apps.virtual import kernels

    _show(kernels(), as_json)


@kernels.command()
def stop(name: Name) -> None:
    """Stop a kernel; what its agents remember and store stays."""
    from collegium.apps.virtual import stop
    from collegium.commands.show import console

    stop(name)
    console().print(f"stopped {name}")


@kernels.command()
def say(
    sentence: Annotated[
        str,
        typer.Argument(
            metavar="SENTENCE", help='Such as "remember that the door code is 4711 for agent a".'
        ),
    ],
    on: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A running kernel; one that ends at once if not given."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Reads what the grammar cannot.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a kernel call in plain words; prints the typed call and what it gave."""
    import asyncio

    from collegium.commands.show import console, print_json
    from collegium.kernel.trace import plain

    call, value = asyncio.run(_said(sentence, on, model))
    data: Any = {"call": plain(call), "value": plain(value)}
    if as_json:
        print_json(data)
        return
    out = console()
    out.print(repr(call), soft_wrap=True)
    out.print(f"-> {data['value']!r}", soft_wrap=True)


async def _said(sentence: str, on: str | None, model: str) -> tuple[Any, Any]:
    """The call a sentence stands for, and what it gives."""
    from collegium.apps import virtual
    from collegium.apps.sentence import not_understood, parse, understand
    from collegium.commands.weights import fetch_weights
    from collegium.kernel import Kernel, Send
    from collegium.models import open_model
    from collegium.models.scripted import ScriptedModel

    call = parse(sentence)
    if call is None:
        if not model:
            raise not_understood(sentence)
        fetch_weights([model])
        reader = Kernel(open_model(model), seed=0).agent("reader")
        call = await understand(reader, sentence)
    if on is not None:
        return call, await virtual.call(on, call)
    kernel = Kernel(ScriptedModel(lambda request: ""))
    names = [call.agent, *([call.to] if isinstance(call, Send) else [])]
    for name in dict.fromkeys(names):
        kernel.agent(name)
    return call, await kernel.call(call)


def _show(found: list[Any], as_json: bool) -> None:
    from collegium.commands.show import console, print_json, print_table, table

    if as_json:
        print_json(found)
        return
    made = table("kernel", "runs", "process", "state directory")
    for one in found:
        made.add_row(one.name, "yes" if one.running else "no", str(one.pid or ""), str(one.folder))
    print_table(made, console())
