"""Packages: apps and tools as folders with versions and hashes, a hub to publish them to, install.

A hub is a folder, so it works offline: ``author/name/version/`` below it, and one index with the
hash of each. Installing copies, checks the hash of the copy, and checks that what the package needs
is there. No code of a package runs, or is imported, before an app uses it; then it runs in the
sandbox.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from collegium.apps.manifest import MANIFEST_FILE, NAME, Manifest, read_manifest
from collegium.apps.toolpack import (
    TOOL_FILE,
    ToolManifest,
    packaged_tool,
    read_tool_manifest,
)
from collegium.apps.version import SemanticVersion
from collegium.errors import BadInput, UnknownName, unknown_name
from collegium.kernel import Tool, atomic
from collegium.kernel.store import default_path

INDEX = "index.json"
LOCK = ".lock"
LOCK_SECONDS = 30.0
LARGEST = 50_000_000
"""Bytes of the largest package."""


class Entry(msgspec.Struct, frozen=True):
    """What the index of a hub says of one version: its hash, what it is, and what it needs."""

    sha256: str
    kind: Literal["app", "tool"]
    needs: tuple[str, ...] = ()


Index = dict[str, dict[str, Entry]]
"""By ``author/name``, then by version."""


class Package(msgspec.Struct, frozen=True):
    """A package in a folder.

    Attributes:
        folder: Where it lies.
        manifest: What it says of itself.
        sha256: Hash of its files and their names.
    """

    folder: Path
    manifest: Manifest | ToolManifest
    sha256: str

    @property
    def id(self) -> str:
        """``author/name``."""
        return self.manifest.id

    @property
    def version(self) -> str:
        """Its version."""
        return self.manifest.version

    @property
    def kind(self) -> Literal["app", "tool"]:
        """Whether it is an app or a tool for apps."""
        return "app" if isinstance(self.manifest, Manifest) else "tool"

    @property
    def needs(self) -> tuple[str, ...]:
        """Packages it needs, by ``author/name``."""
        if isinstance(self.manifest, ToolManifest):
            return ()
        return tuple(tool for tool in self.manifest.tools if "/" in tool)


def default_home() -> Path:
    """Where installed packages are kept: ``apps`` in the folder of the run store."""
    return default_path().parent / "apps"


def default_hub() -> Path:
    """The hub of this machine: $COLLEGIUM_HUB, else ``hub`` in the folder of the run store."""
    return Path(os.environ.get("COLLEGIUM_HUB") or default_path().parent / "hub")


def digest(folder: Path) -> str:
    """The hash of a package: over the names and contents of all its files, in order of name.

    Raises:
        BadInput: It holds a link or a special file, or is too large.
    """
    total, left = hashlib.sha256(), LARGEST
    for file in _files(folder):
        left -= file.stat().st_size
        if left < 0:
            raise BadInput(f"the package {folder.name} is larger than {LARGEST:,} bytes.")
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def pack(folder: Path) -> Package:
    """Read and check the package in a folder.

    Args:
        folder: Holds ``app.toml`` or ``tool.toml``, and for a tool its module.

    Raises:
        BadInput: It holds no manifest or both, or something a package may not hold.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}.")
    app, tool = (folder / MANIFEST_FILE).exists(), (folder / TOOL_FILE).exists()
    if app == tool:
        raise BadInput(f"{folder} must hold either {MANIFEST_FILE} or {TOOL_FILE}.")
    manifest = read_manifest(folder) if app else read_tool_manifest(folder)
    SemanticVersion.parse(manifest.version)
    for name in (manifest.author, manifest.name):
        if not NAME.fullmatch(name):
            raise BadInput(f"{name!r} must be lower-case letters, digits and hyphens.")
    return Package(folder, manifest, digest(folder))


def publish(folder: Path, hub: Path | None = None) -> Package:
    """Put a package into a hub.

    Args:
        folder: The package.
        hub: The hub's folder, made if need be; None: this machine's.

    Raises:
        BadInput: The package is damaged, or the hub has that version with other content.
    """
    hub = hub or default_hub()
    package = pack(folder)
    with _locked(hub):
        index = read_index(hub)
        versions = index.setdefault(package.id, {})
        known = versions.get(package.version)
        if known is not None and known.sha256 != package.sha256:
            raise BadInput(
                f"{package.id} {package.version} is published already and differs; a version never "
                "changes: raise the number."
            )
        goal = hub / package.id / package.version
        if known is None:
            _copy(folder, goal)
            versions[package.version] = Entry(package.sha256, package.kind, package.needs)
            text = msgspec.json.format(msgspec.json.encode(index, order="sorted"), indent=2)
            atomic.replace(hub / INDEX, text + b"\n")
    return Package(goal, package.manifest, package.sha256)


def read_index(hub: Path) -> Index:
    """What a hub offers.

    Raises:
        BadInput: Its index cannot be read.
    """
    try:
        return msgspec.json.decode((hub / INDEX).read_bytes(), type=Index)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"the index of the hub {hub} cannot be read: {error}.") from None


def newest(versions: dict[str, Entry] | list[str]) -> str:
    """The newest of some versions, by number: 0.10.0 is newer than 0.9.0."""
    return max(versions, key=SemanticVersion.parse)


def install(reference: str, hub: Path | None = None, home: Path | None = None) -> Package:
    """Install a package from a hub: copy, check the hash of the copy, check what it needs.

    Args:
        reference: ``author/name`` for the newest version, or ``author/name@1.2.3``.
        hub: The hub; None: this machine's.
        home: Where to; None: this user's.

    Raises:
        UnknownName: The hub has no such package or version.
        BadInput: The copy differs from what the index says, or a package it needs is missing.
    """
    hub, home = hub or default_hub(), home or default_home()
    id_, _, version = reference.partition("@")
    index = read_index(hub)
    if id_ not in index:
        raise unknown_name("package", id_, index)
    version = version or newest(index[id_])
    if version not in index[id_]:
        raise unknown_name(f"version of {id_}", version, index[id_])
    SemanticVersion.parse(version)  # index entries name folders: nothing else may
    if not all(NAME.fullmatch(part) for part in id_.split("/")) or id_.count("/") != 1:
        raise BadInput(f"{id_!r} is not written author/name.")
    goal = home / id_ / version
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".install-") as name:
        copy = Path(name) / "package"
        _copy(hub / id_ / version, copy)
        if digest(copy) != index[id_][version].sha256:
            raise BadInput(
                f"{id_} {version} in the hub {hub} is not what its index says (other sha256): "
                "refused. Publish it anew, or use another hub."
            )
        package = pack(copy)
        if (package.id, package.version) != (id_, version):
            raise BadInput(f"the package calls itself {package.id} {package.version}: refused.")
        lacking = [need for need in package.needs if not _versions(home, need)]
        if lacking:
            ways = " and ".join(f"collegium app install {need}" for need in lacking)
            raise BadInput(f"{id_} needs {', '.join(lacking)}, not installed; first: {ways}")
        if goal.is_dir():
            if digest(goal) == package.sha256:
                return Package(goal, package.manifest, package.sha256)
            shutil.rmtree(goal)  # damaged since it was installed
        goal.parent.mkdir(parents=True, exist_ok=True)
        os.replace(copy, goal)
    return Package(goal, package.manifest, package.sha256)


def installed(home: Path | None = None) -> dict[str, Package]:
    """The newest installed version of every package, by ``author/name``.

    Raises:
        BadInput: One is damaged.
    """
    home = home or default_home()
    found: dict[str, Package] = {}
    for folder in sorted(home.glob("[a-z]*/[a-z]*")):
        id_ = folder.relative_to(home).as_posix()
        if versions := _versions(home, id_):
            found[id_] = pack(folder / newest(versions))
    return found


def find_app(name: str, home: Path | None = None) -> Manifest:
    """An app by a path to it, or by ``author/name`` of an installed one or one of our own.

    Raises:
        UnknownName: There is no such app.
        BadInput: Its manifest cannot be read.
    """
    from collegium.apps.library import library_apps

    path = Path(name).expanduser()
    if path.exists():
        return read_manifest(path)
    id_, _, version = name.partition("@")
    home = home or default_home()
    versions = _versions(home, id_) if NAME.fullmatch(id_.partition("/")[0]) else []
    if versions and (not version or version in versions):
        manifest = pack(home / id_ / (version or newest(versions))).manifest
        if isinstance(manifest, Manifest):
            return manifest
        raise BadInput(f"{id_} is a tool for apps, not an app.")
    own = library_apps()
    if id_ in own and version in ("", own[id_].version):
        return own[id_]
    known = {*own, *(i for i, p in installed(home).items() if p.kind == "app")}
    error = unknown_name("app", name, known)
    raise UnknownName(f"{error} A path to an app.toml does as well.")


def _versions(home: Path, id_: str) -> list[str]:
    """Installed versions of a package."""
    found = []
    for folder in (home / id_).glob("*/"):
        with suppress(BadInput):
            SemanticVersion.parse(folder.name)
            found.append(folder.name)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """The files of a package, sorted; hidden files and compiled modules are no part of it.

    Raises:
        BadInput: There is a link or a special file.
    """
    for file in sorted(folder.rglob("*"), key=lambda f: f.relative_to(folder).as_posix()):
        parts = file.relative_to(folder).parts
        if any(p.startswith(".") or p == "__pycache__" for p in parts):
            continue
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            raise BadInput(f"a package may hold plain files alone; {'/'.join(parts)} is none.")
        if file.is_file():
            yield file


def _copy(folder: Path, goal: Path) -> None:
    """Copy the files of a package, none of them executable."""
    if not folder.is_dir():
        raise BadInput(f"the folder {folder} of the package is missing.")
    partial = goal.with_name(f".{goal.name}-partial")
    shutil.rmtree(partial, ignore_errors=True)
    for file in _files(folder):
        to = partial / file.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    if goal.exists():  # left by a publication that was interrupted before it reached the index
        shutil.rmtree(goal)
    goal.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, goal)


@contextmanager
def _locked(hub: Path) -> Iterator[None]:
    """Hold the lock of a hub."""
    try:
        hub.mkdir(parents=True, exist_ok=True)
        with atomic.locked(hub / LOCK, LOCK_SECONDS):
            yield
    except atomic.Busy:
        raise BadInput(f"another program is publishing to the hub {hub}; try again.") from None
    except OSError as error:
        raise BadInput(f"cannot write to the hub {hub}: {error.strerror}.") from None


def installed_tools(home: Path | None = None) -> dict[str, Tool]:
    """The tools of installed packages, by ``author/name``.

    Raises:
        BadInput: A package is damaged.
    """
    return {
        id_: packaged_tool(package.manifest, package.folder)
        for id_, package in installed(home).items()
        if isinstance(package.manifest, ToolManifest)
    }
