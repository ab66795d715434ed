"""The tools apps may use: the file tools, a sandboxed Python, and those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from collegium.apps.manifest import Manifest
from collegium.kernel import Tool, tool
from collegium.tools.files import FILE_NEEDS, file_tools


async def run_python(code: str) -> str:
    """Run a Python program in the sandbox; returns what it prints."""
    from collegium.errors import BadInput
    from collegium.tools.sandbox import run_python as run

    done = await run(code)
    if done.status != "ok":
        raise BadInput(f"the program ended with {done.status}: {done.stderr.strip()[-500:]}")
    return done.stdout


def known_tools(installed: Mapping[str, Tool] | None = None) -> dict[str, Tool]:
    """Every tool an app may name.

    Args:
        installed: Tools of packages, by ``author/name``.

    Returns:
        The tools by name. The file tools among them may reach nothing: they are there to be
        described and checked; :func:`app_tools` makes those an app gets.
    """
    files = {t.spec.name: t for t in file_tools(Path.cwd())}
    return {**files, "run_python": tool(run_python), **(installed or {})}


def app_tools(
    manifest: Manifest, root: Path, installed: Mapping[str, Tool] | None = None
) -> list[Tool]:
    """The tools an app gets: only those it names, files within its permitted folders alone.

    Args:
        manifest: The app.
        root: The folder it is run in.
        installed: Tools of packages, by ``author/name``.

    Raises:
        BadInput: The root is no folder.
    """
    allowed = set(manifest.tools) & set(manifest.permissions.tools)
    made = {name: t for name, t in known_tools(installed).items() if name not in FILE_NEEDS}
    permissions = manifest.permissions
    for one in file_tools(root, read=permissions.read, write=permissions.write):
        made[one.spec.name] = one
    return [made[name] for name in sorted(allowed & made.keys())]
