"""What the command ``app run`` does: run an app, or show what it would do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import msgspec
from rich.text import Text

from collegium.agents.context import tokens
from collegium.apps import run as running
from collegium.apps.manifest import Manifest, Memory, Selection
from collegium.apps.package import default_home, find_app, installed_tools
from collegium.apps.run import AppResult, DryRun
from collegium.apps.tools import app_tools
from collegium.commands.show import (
    clean,
    console,
    excerpt,
    pairs,
    print_indented,
    print_json,
    writable_file,
)
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput, unknown_name
from collegium.kernel import Event, Generate, Kernel, Trace, UseTool
from collegium.models import open_model


def run_app(
    app: str,
    inputs: list[str],
    *,
    folder: Path,
    model: str,
    dry: bool,
    window: int | None,
    selection: str | None,
    seed: int,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Run an app and print its outputs.

    Raises:
        CollegiumError: Something is wrong with the app, its inputs or the model.
    """
    manifest = with_memory(find_app(app), window, selection)
    values = pairs(inputs, "an input", "NAME=VALUE")
    if trace is not None:
        writable_file(trace)
    if dry:
        done = asyncio.run(running.dry_run(manifest, values, folder, installed_tools()))
    else:
        fetch_weights([model])
        done = asyncio.run(_run(manifest, values, folder, model, seed, trace))
    if trace is not None and dry:
        _save(done.events, trace)
    if as_json:
        print_json(_data(manifest, done, dry))
    else:
        _print(manifest, done, dry)


def with_memory(manifest: Manifest, window: int | None, selection: str | None) -> Manifest:
    """An app with another context window or selection than it asks for.

    Raises:
        BadInput: There is no such selection, or nothing to select from.
    """
    if selection is not None and selection not in get_args(Selection):
        raise unknown_name("selection", selection, get_args(Selection))
    if selection is not None and not (window or manifest.memory.window):
        raise BadInput("a selection needs a window to select for: add --window TOKENS.")
    memory = manifest.memory
    chosen = Memory(
        memory.keeps,
        memory.window if window is None else window,
        selection or memory.selection,  # type: ignore[arg-type]
    )
    return msgspec.structs.replace(manifest, memory=chosen)


async def _run(
    manifest: Manifest,
    values: dict[str, str],
    folder: Path,
    model: str,
    seed: int,
    trace: Path | None,
) -> DryRun:
    drivers = None
    if manifest.memory.keeps == "lasting":
        from collegium.kernel.lasting import resources

        drivers = resources(default_home().with_name("app-state") / manifest.id)
    kernel = Kernel(
        open_model(model),
        tools=app_tools(manifest, folder, installed_tools()),
        limits=manifest.limits,
        seed=seed,
        drivers=drivers,
        name=manifest.id,
    )
    try:
        result = await running.run_app(manifest, kernel, values)
    finally:
        if trace is not None and kernel.trace.events:
            kernel.trace.save(trace)
    return DryRun(result, tuple(kernel.trace.events))


def _save(events: tuple[Event, ...], file: Path) -> None:
    made = Trace()
    made.events = list(events)
    made.save(file)


def _data(manifest: Manifest, done: DryRun, dry: bool) -> dict[str, object]:
    result: AppResult = done.result
    return {
        "app": manifest.id,
        "version": manifest.version,
        "dry_run": dry,
        "outputs": result.outputs,
        "path": result.path,
        "calls": [{"kind": e.kind, "what": _what(e), "context": _context(e)} for e in done.events],
    }


def _print(manifest: Manifest, done: DryRun, dry: bool) -> None:
    out = console()
    head = "would do" if dry else "did"
    out.print(Text.assemble((manifest.id, "bold cyan"), f" {manifest.version} {head}:"))
    for number, event in enumerate(done.events, 1):
        line = Text(f"{number:4}  {event.kind:9} {_what(event)}")
        if isinstance(event.call, Generate):
            of = f" of {manifest.memory.window}" if manifest.memory.window else ""
            line.append(f"  [context: {_context(event)}{of} tokens]", style="dim")
        out.print(line, soft_wrap=True)
    for name, text in done.result.outputs.items():
        out.print()
        out.print(Text(name, style="bold green"))
        print_indented(clean(text), out)


def _what(event: Event) -> str:
    """A call in a few words."""
    call = event.call
    if isinstance(call, Generate):
        return excerpt(call.messages[-1].text)
    if isinstance(call, UseTool):
        given = ", ".join(f"{k}={excerpt(str(v), 40)}" for k, v in call.arguments.items())
        return f"{call.tool}({given})"
    return excerpt(getattr(call, "text", "") or getattr(call, "query", ""))


def _context(event: Event) -> int | None:
    """How full the context was: what a gauge shows."""
    return tokens(event.call.messages) if isinstance(event.call, Generate) else None
