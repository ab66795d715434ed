"""The engine built for this machine's own processor, when there is one: its record in the cache."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec

from collegium.errors import BadInput, unknown_name
from collegium.models.weights import cache_folder, file_digest


class Native(msgspec.Struct, frozen=True):
    """A ``llama-server`` that was built here and found faster than the wheel's engine.

    Attributes:
        server: File name of the program, in the record's folder.
        version: Release of xllamacpp whose llama.cpp source it was built from.
        build: Identifies the build (part of every fingerprint).
        processor: Identifies the processor it was built for.
    """

    server: str
    version: str
    build: str
    processor: str


def native_folder() -> Path:
    """Where the native engine and its record live."""
    return cache_folder() / "engines" / "native"


def find_native() -> tuple[Native, Path] | None:
    """The native engine's record and program, if one is installed and made for this processor."""
    folder = native_folder()
    try:
        record = msgspec.json.decode((folder / "engine.json").read_bytes(), type=Native)
    except (OSError, msgspec.MsgspecError):
        return None
    server = folder / record.server
    if record.processor != processor_id() or not server.is_file():
        return None  # a home folder shared between machines: its instructions may not exist here
    return record, server


@cache
def processor_id() -> str:
    """Identifies the processor by what it can do (its model and instruction sets)."""
    lines = [platform.machine()]
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "flags", "Features", "CPU part")):
                lines.append(line)
            elif not line.strip():
                break  # the first processor speaks for all
    except OSError:
        lines.append(platform.processor())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def choose_engine(engine: str | Path) -> tuple[str, str] | None:
    """The native engine as (build, path), or None for the wheel's.

    Args:
        engine: "wheel", "native", "auto", or the path of a ``llama-server`` program.

    Raises:
        BadInput: There is no such engine here.
    """
    if isinstance(engine, Path):
        if not engine.is_file():
            raise BadInput(f"there is no engine at {engine}.")
        return f"file-{file_digest(engine)[:16]}", str(engine)
    if engine not in ("auto", "wheel", "native"):
        raise unknown_name("engine", engine, ("auto", "wheel", "native"))
    if engine == "wheel":
        return None
    found = find_native()
    if found is None:
        if engine == "native":
            raise BadInput("there is no native engine here; build one with: collegium models tune")
        return None
    record, server = found
    return record.build, str(server)


def wheel_version() -> str:
    """Release of the wheel that is installed, or "none"."""
    try:
        return metadata.version("xllamacpp")
    except metadata.PackageNotFoundError:
        return "none"
