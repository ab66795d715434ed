"""What the commands about apps do, but for running one: compile, check, list, publish, install."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import typer
from rich.text import Text

from collegium.apps import package
from collegium.apps.checks import check, require
from collegium.apps.compile import Refusal
from collegium.apps.compile import compile_app as compile_with
from collegium.apps.keywords import compile_by_keywords
from collegium.apps.library import library_apps
from collegium.apps.manifest import Manifest, manifest_text, write_manifest
from collegium.apps.package import Package, default_hub, find_app, installed_tools, newest
from collegium.apps.tools import known_tools
from collegium.commands.show import clean, console, print_json, print_table, table, writable_file
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import open_model
from collegium.tools.files import FILE_NEEDS


def compile_app(
    description: str, model: str, author: str, out: Path | None, yes: bool, as_json: bool
) -> None:
    """Compile a description and print the manifest; write it when it is confirmed.

    Args:
        description: What the app should do; "-" reads standard input.
        model: Who drafts it; "" for the templates.
        author: Who publishes it.
        out: Where the manifest goes.
        yes: Whether it need not be confirmed.
        as_json: Print JSON.

    Raises:
        BadInput: It was refused, or cannot be written.
    """
    sentences = sys.stdin.read() if description == "-" else description
    if out is not None:
        writable_file(out)
    if not sentences.strip():
        raise BadInput("the description of the app is empty; say in a sentence what it should do.")
    tools = known_tools(installed_tools())
    if model:
        fetch_weights([model])
        made = asyncio.run(_compiled(sentences, model, author))
    else:
        made = compile_by_keywords(sentences, tools, author=author)
    if isinstance(made, Refusal):
        raise BadInput(str(made))
    if as_json:
        print_json(made)
    else:
        console().print(Text(clean(manifest_text(made))), soft_wrap=True)
    if out is None:
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Write {out}?")):
        raise BadInput(
            f"{out} was not written: it was not confirmed. Read the app, then add --yes."
        )
    write_manifest(made, out)


async def _compiled(sentences: str, model: str, author: str) -> Manifest | Refusal:
    kernel = Kernel(open_model(model), seed=0)
    tools = known_tools(installed_tools())
    return await compile_with(kernel.agent("compiler"), sentences, tools, author=author)


def check_app(app: str, as_json: bool) -> None:
    """Check a manifest.

    Raises:
        BadInput: It has problems.
    """
    manifest, tools = find_app(app), known_tools(installed_tools())
    if as_json:
        print_json({"app": manifest.id, "problems": check(manifest, tools)})
    require(manifest, tools)
    if not as_json:
        may = manifest.permissions
        out = console()
        out.print(Text.assemble((manifest.id, "bold cyan"), f" {manifest.version} may run"))
        for what, names in (
            ("reads", may.read + may.write),
            ("writes", may.write),
            ("uses", may.tools),
        ):
            out.print(f"  {what:7} {', '.join(names) or 'nothing'}")
        out.print(f"  spends  at most {manifest.budget.calls or 'any number of'} model calls")


def list_apps(hub: Path | None, as_json: bool) -> None:
    """Print the apps there are."""
    rows = [
        {"app": m.id, "version": m.version, "kind": "app", "from": "collegium", "role": m.role}
        for m in library_apps().values()
    ]
    for one in package.installed().values():
        about = (
            one.manifest.role if isinstance(one.manifest, Manifest) else one.manifest.description
        )
        rows.append(
            {
                "app": one.id,
                "version": one.version,
                "kind": one.kind,
                "from": "installed",
                "role": about,
            }
        )
    for id_, versions in package.read_index(hub or default_hub()).items():
        last = newest(versions)
        rows.append(
            {"app": id_, "version": last, "kind": versions[last].kind, "from": "hub", "role": ""}
        )
    if as_json:
        print_json(rows)
        return
    made = table("app", "version", "kind", "from", "what it says of itself")
    made.columns[0].no_wrap, made.columns[0].style = True, "bold cyan"
    for row in rows:
        made.add_row(*(clean(value) for value in row.values()))
    print_table(made, console())


def list_tools(as_json: bool) -> None:
    """Print the tools that apps may use."""
    tools = known_tools(installed_tools())
    if as_json:
        print_json(
            [
                {
                    "tool": name,
                    "kind": one.kind,
                    "needs": FILE_NEEDS.get(name, ""),
                    "description": one.spec.description,
                    "parameters": one.spec.parameters,
                }
                for name, one in tools.items()
            ]
        )
        return
    made = table("tool", "kind", "needs", "arguments", "what it does")
    made.columns[0].no_wrap, made.columns[0].style = True, "bold cyan"
    for name, one in tools.items():
        need = f"a folder to {FILE_NEEDS[name]}" if name in FILE_NEEDS else "nothing"
        arguments = ", ".join(one.spec.parameters.get("properties", {}))
        about = one.spec.description.partition("\n")[0]
        made.add_row(name, one.kind, need, arguments, clean(about))
    print_table(made, console())


def publish(folder: Path, hub: Path | None, as_json: bool) -> None:
    """Publish a package; an app that has problems is refused."""
    packed = package.pack(folder)
    if isinstance(packed.manifest, Manifest):
        known = known_tools(installed_tools())
        found = [p for p in check(packed.manifest, known) if "/" not in p.missing]
        if found:
            raise BadInput(f"{packed.id} is not published: {' '.join(map(str, found))}")
    _say("published", package.publish(folder, hub), as_json)


def install(reference: str, hub: Path | None, as_json: bool) -> None:
    """Install a package."""
    _say("installed", package.install(reference, hub), as_json)


def _say(done: str, one: Package, as_json: bool) -> None:
    data = {"package": one.id, "version": one.version, "kind": one.kind, "sha256": one.sha256}
    if as_json:
        print_json({**data, "folder": one.folder})
        return
    console().print(f"{done} {one.id} {one.version} ({one.kind}), sha256 {one.sha256[:16]}")
