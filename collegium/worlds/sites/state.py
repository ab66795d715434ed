"""The state of a copy of a site: its databases and the files it writes; copied, saved, put back.

Databases are copied with SQLite's own backup, page by page inside a transaction, so that a server
that has them open sees the old content or the new and never a mixture, and need not be started
again. What a server keeps in memory beside its database is told to be stale by ``settle``.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

from collegium.worlds.sites.site import Site


def copy_state(site: Site, source: Path, target: Path) -> None:
    """Make a copy's state that of another folder.

    Args:
        site: Which site.
        source: The folder to copy from.
        target: The folder of the copy; made when it is not there.
    """
    for name in site.databases:
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(source / name)) as old:
            _write(old, file)
        settle(site, file)
    for name in site.folders:
        shutil.rmtree(target / name, ignore_errors=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            (target / name).mkdir(parents=True)


def copy_all(site: Site, source: Path, target: Path) -> None:
    """Make a new copy: everything of a folder, also what never changes."""
    shutil.copytree(source, target, symlinks=True)
    copy_state(site, source, target)


def pack(site: Site, folder: Path) -> bytes:
    """The state of a copy as bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name in site.databases:
            with (
                closing(sqlite3.connect(folder / name, timeout=30)) as live,
                closing(sqlite3.connect(":memory:")) as still,
            ):
                live.backup(still)
                packed.writestr(name, still.serialize())
        for name in site.folders:
            for file in sorted(p for p in (folder / name).rglob("*") if p.is_file()):
                packed.writestr(str(file.relative_to(folder)), file.read_bytes())
    return held.getvalue()


def unpack(site: Site, folder: Path, state: bytes) -> None:
    """Put a state back that :func:`pack` gave, while the server runs.

    Args:
        site: Which site.
        folder: The folder of the copy.
        state: The state.

    Raises:
        ValueError: These bytes are not a state of this site.
    """
    try:
        packed = zipfile.ZipFile(io.BytesIO(state))
    except zipfile.BadZipFile:
        raise ValueError(f"these bytes are not a state of {site.name}") from None
    with packed:
        names = packed.namelist()
        if not set(site.databases) <= set(names):
            raise ValueError(f"this state is not one of {site.name}: it lacks a database")
        for name in site.databases:
            with closing(sqlite3.connect(":memory:")) as still:
                still.deserialize(packed.read(name))
                _write(still, folder / name)
            settle(site, folder / name)
        for name in site.folders:
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        for name in names:
            inside = Path(name)
            if inside.parts[0] in site.folders and ".." not in inside.parts:
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                (folder / inside).write_bytes(packed.read(name))


def settle(site: Site, database: Path) -> None:
    """Tell a server that what it remembers of its database is stale."""
    if site.name == "code":
        # Trac drops what it remembers when the generation in the database is another one; one that
        # was never used before cannot be taken for an old one.
        with closing(sqlite3.connect(database, timeout=30)) as live:
            live.execute("UPDATE cache SET generation = ?", (time.time_ns() // 1000,))
            live.commit()


def _write(source: sqlite3.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target, timeout=30)) as live:
        source.backup(live)
