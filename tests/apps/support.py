"""What the tests of apps share: a small app, and folders to run it in."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from collegium.apps.library import library_apps
from collegium.apps.manifest import Manifest, Permissions, Step
from collegium.apps.tools import app_tools
from collegium.kernel import Kernel

T = TypeVar("T", bound=msgspec.Struct)

NOTES = {"a.txt": "Buy milk.", "b.txt": "The boiler man comes on Monday.", "c.txt": "Call Ada."}


def app(*steps: Step, **fields) -> Manifest:
    """A small app of these steps, permitted to use all tools it names."""
    tools = tuple(fields.pop("tools", ()))
    fields.setdefault("permissions", Permissions(tools=tools))
    return Manifest(
        name="small",
        author="tests",
        version="0.1.0",
        role="You help.",
        steps=steps,
        tools=tools,
        **fields,
    )


def ask(id_: str, text: str = "Say something.", **fields) -> Step:
    return Step(id=id_, do="ask", text=text, **fields)


def changed(part: T, **fields) -> T:
    """A manifest or a step with other fields."""
    return msgspec.structs.replace(part, **fields)


def own(name: str) -> Manifest:
    """One of the apps that come with the package."""
    return library_apps()[f"collegium/{name}"]


def notes(folder: Path) -> Path:
    """A folder with three notes."""
    for name, text in NOTES.items():
        file = folder / "notes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def kernel_for(manifest: Manifest, root: Path, model, **fields) -> Kernel:
    """The kernel a user's command would give an app."""
    tools = app_tools(manifest, root)
    return Kernel(model, tools=tools, limits=manifest.limits, seed=1, **fields)
