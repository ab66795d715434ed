"""Tools that come in packages: described in plain text, run in the sandbox.

What a tool takes stands in its manifest, so an app can be checked against it without running
anything. Its code never runs in the program itself: every use starts it in the sandbox, without
network, files or secrets.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Tool, ToolSpec

TOOL_FILE = "tool.toml"

_TYPES: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}

_RUNNER = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("tool", sys.path[0] + "/package/" + {module!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
asked = json.load(sys.stdin)
said, sys.stdout = sys.stdout, sys.stderr
result = getattr(module, {entry!r})(**asked)
json.dump(result, said)
"""


class Build(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the code is: a Python file of the package, and the function in it."""

    module: str
    entry: str


class ToolManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tool for apps.

    Attributes:
        name: Its name, unique per author.
        author: Who publishes it.
        version: Semantic version.
        description: What it does, as a model is told.
        build: Its code.
        arguments: Type of every argument, by name; all are needed.
        licence: Under which it may be passed on.
    """

    name: str
    author: str
    version: str
    description: str
    build: Build
    arguments: dict[str, Literal["string", "integer", "number", "boolean"]] = {}
    licence: str = ""

    @property
    def id(self) -> str:
        """``author/name``: what an app calls it."""
        return f"{self.author}/{self.name}"


def read_tool_manifest(folder: Path) -> ToolManifest:
    """Read ``tool.toml``; the code is looked for, not run.

    Raises:
        BadInput: It cannot be read, or its module is missing.
    """
    file = folder / TOOL_FILE
    try:
        manifest = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), ToolManifest)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise BadInput(f"{file} is no manifest of a tool: {error}.") from None
    module = folder / manifest.build.module
    if Path(manifest.build.module).name != manifest.build.module or not module.is_file():
        raise BadInput(f"{file}: there is no module {manifest.build.module!r} beside it.")
    if not manifest.build.entry.isidentifier():
        raise BadInput(f"{file}: {manifest.build.entry!r} is no name of a function.")
    return manifest


def packaged_tool(manifest: ToolManifest, folder: Path) -> Tool:
    """The tool of an installed package; every use of it runs in the sandbox.

    Args:
        manifest: What the package says.
        folder: Where it is installed.
    """

    async def use(**arguments: Any) -> Any:
        from collegium.tools.sandbox import run_python

        code = _RUNNER.format(module=manifest.build.module, entry=manifest.build.entry)
        files = _files(folder)
        done = await run_python(code, stdin=msgspec.json.encode(arguments).decode(), files=files)
        if done.status != "ok":
            last = done.stderr.strip().rpartition("\n")[2]
            raise BadInput(f"the tool {manifest.id} failed ({done.status}): {last}")
        try:
            return msgspec.json.decode(done.stdout)
        except msgspec.DecodeError:
            raise BadInput(f"the tool {manifest.id} returned something JSON cannot say.") from None

    properties = {name: {"type": kind} for name, kind in manifest.arguments.items()}
    spec = ToolSpec(
        name=manifest.id,
        description=manifest.description,
        parameters={
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        },
    )
    fields = [(name, _TYPES[kind]) for name, kind in manifest.arguments.items()]
    arguments = msgspec.defstruct(
        f"{manifest.name.replace('-', '_')}_arguments",
        fields,
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
    )
    return Tool(spec=spec, function=use, arguments=arguments)


def _files(folder: Path) -> dict[str, bytes]:
    """What the sandbox gets to see of a package."""
    return {
        f"package/{file.relative_to(folder).as_posix()}": file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
