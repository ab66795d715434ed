"""Reading a project as text: nothing in it is ever imported or run."""

from __future__ import annotations

import ast
import io
import os
import stat
import tokenize
import warnings
from collections.abc import Mapping
from pathlib import Path

import msgspec

from collegium.errors import BadInput
from collegium.guard.doctor.findings import Skipped

LARGEST = 1_000_000
"""Bytes of a source file; larger ones are generated, or data."""

PRUNED = frozenset(
    [
        "docs",
        "doc",
        "venv",
        ".venv",
        "env",
        "virtualenv",
        "site-packages",
        "node_modules",
        "__pycache__",
        "build",
        "dist",
        "tests",
        "test",
        "testing",
        ".git",
        ".tox",
        ".nox",
        ".eggs",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
    ]
)
"""Folders that are not the project itself (step 1 of the paper, and tests)."""

MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "METADATA")
LOCKS = ("poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock", "requirements.lock")
WAIVERS = "doctor.toml"


class Project(msgspec.Struct, frozen=True):
    """A project as text.

    Attributes:
        name: Name of its folder.
        sources: Text of every Python file, by path inside the project.
        manifests: Text of the files that declare dependencies, by path.
        locked: Whether there is a lock file beside them.
        waivers: Text of the file of waivers.
        skipped: What was left out.
    """

    name: str
    sources: Mapping[str, str]
    manifests: Mapping[str, str] = {}
    locked: bool = False
    waivers: str = ""
    skipped: tuple[Skipped, ...] = ()


def read_project(root: Path) -> Project:
    """Read the Python files and manifests of a folder, or one Python file.

    A package folder whose manifest stands beside it (``project/package`` with
    ``project/pyproject.toml``) is read with that manifest and that file of waivers.

    Args:
        root: The folder or file.

    Returns:
        Its text. A file that cannot be read as Python source is listed as skipped.

    Raises:
        BadInput: There is nothing at that path, or no Python file in it.
    """
    if not root.exists():
        raise BadInput(f"there is no folder or file {root}.")
    sources: dict[str, str] = {}
    other: dict[str, str] = {}
    skipped: list[Skipped] = []
    base = root.resolve()
    package = base.name if (base / "__init__.py").is_file() else ""
    if base.is_file():
        _read(base, base.name, sources, skipped)
    else:
        for folder, below, names in os.walk(base):
            for name in sorted(below):
                if (Path(folder) / name).is_symlink():
                    path = (Path(folder) / name).relative_to(base)
                    skipped.append(Skipped(path.as_posix(), "a symbolic link"))
            below[:] = sorted(
                d
                for d in below
                if d not in PRUNED
                and not d.endswith(".egg-info")
                and not (Path(folder) / d).is_symlink()
            )
            for name in sorted(names):
                file = Path(folder) / name
                path = (Path(package) / file.relative_to(base)).as_posix()
                if name in LOCKS:
                    other[path] = ""
                elif _declares(name, folder == str(base)):
                    _read(file, path, other, skipped)
                elif name.endswith(".py"):
                    _read(file, path, sources, skipped)
        if package:
            for file in sorted(base.parent.iterdir()):
                if file.name in LOCKS:
                    other[file.name] = ""
                elif _declares(file.name, True) and file.is_file():
                    _read(file, file.name, other, skipped)
    if not sources and not skipped:
        raise BadInput(f"there is no Python file in {root}; give the folder of a project.")
    locks = [path for path in other if Path(path).name in LOCKS]
    waivers = [text for path, text in other.items() if Path(path).name == WAIVERS]
    manifests = {
        path: text for path, text in other.items() if Path(path).name not in (*LOCKS, WAIVERS)
    }
    return Project(base.name, sources, manifests, bool(locks), "\n".join(waivers), tuple(skipped))


def _declares(name: str, at_top: bool) -> bool:
    """Whether a file says something about dependencies or waivers."""
    if name.startswith("requirements") and name.endswith(".txt"):
        return True
    return name == "METADATA" or (at_top and (name in MANIFESTS or name == WAIVERS))


def _read(file: Path, path: str, into: dict[str, str], skipped: list[Skipped]) -> None:
    """Read one file as text, or note why not."""
    try:
        found = file.lstat()
        if stat.S_ISLNK(found.st_mode):
            reason = "a symbolic link"
        elif not stat.S_ISREG(found.st_mode):
            reason = "not a regular file"
        elif found.st_size > LARGEST:
            reason = f"{found.st_size / 1e6:.1f} MB: larger than {LARGEST / 1e6:.0f} MB"
        else:
            raw = file.read_bytes()
            encoding = "utf-8-sig"
            if file.suffix == ".py":
                encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
            into[path] = raw.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
            return
    except (UnicodeDecodeError, SyntaxError, LookupError):
        reason = "not text in UTF-8 or in the encoding that it declares"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    skipped.append(Skipped(path, reason))


def parse(path: str, text: str) -> ast.Module | Skipped:
    """Parse a source file; one that is no Python is a reason, not an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, filename=path)
    except SyntaxError as error:
        return Skipped(path, f"syntax error in line {error.lineno}: {error.msg}")
    except ValueError as error:
        return Skipped(path, f"not Python source: {error}")
    except (RecursionError, MemoryError):
        return Skipped(path, "nested too deeply to be parsed")
