"""Programs of a work folder run in the sandbox, and nowhere else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path

import msgspec

import collegium
from collegium.tools.sandbox import run_command
from collegium.tools.sandbox_confinement import SandboxLimits

MIB = 1024 * 1024


class RunLimits(msgspec.Struct, frozen=True):
    """What a program may spend.

    Attributes:
        seconds: Of the clock.
        memory: Bytes, of all its processes together.
        processes: How many at once, threads included.
    """

    seconds: float = 180.0
    memory: int = 2048 * MIB
    processes: int = 48


class Ran(msgspec.Struct, frozen=True):
    """How a program ended.

    Attributes:
        code: Its exit code; None when it was stopped.
        out: What it printed, the middle left out if it is long.
        err: The same of its errors.
        files: All files there were at its end; None when they are lost with the sandbox.
        problem: Why it was stopped, "" when it was not.
        skipped: What lies in the folder and is no file (links, devices).
        seconds: How long it took on the clock, by our watch and not by its own.
    """

    code: int | None
    out: str
    err: str
    files: dict[str, bytes] | None
    problem: str
    skipped: tuple[str, ...]
    seconds: float


class _Said(msgspec.Struct):
    code: int | None
    out: str
    err: str
    files: dict[str, str]
    skipped: list[str]


async def run_in(
    files: Mapping[str, bytes],
    command: Sequence[str],
    *,
    limits: RunLimits = RunLimits(),
    hidden: Sequence[Path] = (),
) -> Ran:
    """Run a command in a copy of a folder.

    Args:
        files: The folder.
        command: The program and its arguments.
        limits: What it may spend.
        hidden: Folders of the Python installation that it must not see, besides this package.

    Raises:
        SandboxUnavailable: This machine cannot confine a program.
    """
    given: dict[str, bytes | str] = {f"work/{name}": data for name, data in files.items()}
    given["run.py"] = resources("collegium.worlds.folder").joinpath("runner.py").read_bytes()
    if not files:
        given["work/.keep"] = b""  # so that there is a folder to run in
    result = await run_command(
        ["python", "-s", "run.py", f"{limits.seconds:g}", *command],
        files=given,
        limits=SandboxLimits(
            seconds=limits.seconds + 20,
            cpu_seconds=max(1, round(limits.seconds)),
            memory_bytes=limits.memory,
            processes=limits.processes,
            file_bytes=24 * MIB,
            disk_bytes=128 * MIB,
            output_bytes=64 * MIB,
        ),
        hidden=[Path(collegium.__file__).parent, *hidden],
    )
    try:
        said = msgspec.json.decode(result.stdout, type=_Said)
    except msgspec.DecodeError:
        why = {"timeout": "it ran out of time", "memory-limit": "it used up its memory"}
        problem = why.get(result.status, f"it took the sandbox down ({result.status})")
        lost = (None, "", result.stderr[-2000:], None, problem, ())
        return Ran(*lost, result.seconds)
    read = {name: base64.b64decode(data) for name, data in said.files.items() if name != ".keep"}
    problem = "" if said.code is not None else f"it ran for more than {limits.seconds:g} seconds"
    return Ran(said.code, said.out, said.err, read, problem, tuple(said.skipped), result.seconds)
