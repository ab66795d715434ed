"""The commands about models: list them, fetch their weights, try one, build a faster engine."""

from __future__ import annotations

import asyncio
import sys

from rich.text import Text

from collegium.commands.show import (
    clean,
    clock,
    console,
    excerpt,
    megabytes,
    print_json,
    print_table,
    table,
)
from collegium.commands.stream import Floor
from collegium.commands.weights import fetch, fetch_weights
from collegium.kernel import Kernel, Reply
from collegium.models import known_models, open_model
from collegium.models import tune as tune_engine
from collegium.models import untune as untune_engine
from collegium.models.weights import find_weights


def list_models(as_json: bool) -> None:
    """Print what can be written after ``--model``."""
    known = known_models()
    if as_json:
        print_json(known)
        return
    out = console()
    made = table("model", "size", "ready", "what it is", right=("size",))
    made.columns[0].no_wrap = True
    made.columns[0].style = "bold cyan"
    for m in known:
        ready = {True: Text("yes", style="green"), False: Text("no", style="yellow"), None: Text()}
        size = megabytes(m.size) if m.size else ""
        made.add_row(m.name, size, ready[m.present], m.description)
    print_table(made, out)
    if out.is_terminal:
        out.print()
        engine = "built for this machine" if known[0].engine == "native" else "as installed"
        hint = "" if known[0].engine == "native" else "; a faster one: collegium models tune"
        out.print(Text(f"Engine of embedded models: {engine}{hint}", style="dim"))


def pull(name: str, force: bool) -> None:
    """Fetch an embedded model's weights.

    Raises:
        UnknownName: There is no such embedded model.
        CollegiumError: They cannot be fetched.
    """
    path = fetch(name, force=force)
    console().print(f"{name} is ready: {path}", soft_wrap=True)


def try_model(name: str, prompt: str, max_tokens: int, temperature: float, as_json: bool) -> None:
    """Ask a model something and tell how fast it was.

    Raises:
        CollegiumError: The model cannot answer.
    """
    model = open_model(name)
    fetch_weights([name])
    out = console()
    floor = Floor(out)

    async def ask() -> tuple[Reply[str], float]:
        kernel = Kernel(
            model,
            on_text=None if as_json else floor.on_text,
            sinks=() if as_json else (floor.on_event,),
        )
        try:
            agent = kernel.agent(name)
            reply = await agent.ask(prompt, max_tokens=max_tokens, temperature=temperature)
        finally:
            await kernel.aclose()
        return reply, kernel.trace.events[-1].seconds

    try:
        reply, seconds = asyncio.run(ask())
    finally:
        floor.close()
    usage = reply.usage
    if as_json:
        print_json({"model": name, "text": reply.text, "usage": usage, "seconds": seconds})
        return
    rate = f", {usage.completion / seconds:,.0f} tokens a second" if seconds else ""
    said = f"{usage.prompt:,} tokens read, {usage.completion:,} written in {clock(seconds)}{rate}"
    out.print()
    out.print(Text(said, style="dim"))


def tune(model: str | None, as_json: bool) -> None:
    """Build the engine for this machine and say what it gained.

    Raises:
        CollegiumError: It cannot be built or measured.
    """
    if model is not None:
        find_weights(model)
        fetch_weights([model])
    err = console(sys.stderr)
    with err.status("preparing") as status:

        def on_line(line: str) -> None:
            if err.is_terminal:
                status.update(Text(excerpt(line, err.width - 4)))
            else:
                err.print(clean(line))

        report = tune_engine(on_line=on_line, model=model)
    if as_json:
        print_json(report)
        return
    out = console()
    numbers = ("reads", "writes", "writes four at once")
    made = table("tokens a second", *numbers, right=numbers)
    for name, speed in (("installed engine", report.wheel), ("built here", report.native)):
        made.add_row(name, *(f"{x:,.0f}" for x in (speed.read, speed.write, speed.write_four)))
    print_table(made, out)
    out.print()
    kept = "it is used from now on" if report.installed else "the installed engine stays"
    out.print(f"The engine built here is {report.gain:.2f} times as fast: {kept}.")


def untune() -> None:
    """Go back to the installed engine."""
    there = untune_engine()
    console().print("Back to the installed engine." if there else "There was nothing to undo.")
