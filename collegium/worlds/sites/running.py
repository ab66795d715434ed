"""The copies of sites that run: those that were brought up by hand, and those of this process.

What ``collegium world up`` starts goes on until ``collegium world down``, whoever started it. What
a run needs is started for this process, handed from episode to episode, and ends with the process.
"""

from __future__ import annotations

import atexit
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collegium.errors import BadInput
from collegium.worlds.sites.install import Say, make
from collegium.worlds.sites.server import SiteServer, is_alive, running, start
from collegium.worlds.sites.site import Site

YOUNG = 300.0
"""Seconds in which a folder without a server may still be on its way to getting one."""

MOST_COPIES = 16


def up(site: Site, copies: int = 1, say: Say = lambda text: None) -> list[SiteServer]:
    """Bring copies of a site up; those that run already stay as they are.

    Args:
        site: Which.
        copies: How many are to run.
        say: Is told what takes time.

    Returns:
        The copies, in order. The first listens on the site's own port if that is free.

    Raises:
        BadInput: The number is wrong, the site could not be made, or it did not start.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise BadInput(f"a site can have 1 to {MOST_COPIES} copies, not {copies}.")
    make(site, say)
    servers = []
    for number in range(1, copies + 1):
        folder = site.home / "up" / str(number)
        server = running(site, folder)
        if server is None:
            shutil.rmtree(folder, ignore_errors=True)
            port = site.port if number == 1 else 0
            server = start(site, folder, port=port, tethered=False)
        servers.append(server)
    return servers


def copies_of(site: Site) -> list[SiteServer]:
    """The copies that were brought up and run."""
    folders = sorted((site.home / "up").glob("*"), key=lambda f: (len(f.name), f.name))
    return [server for folder in folders if (server := running(site, folder))]


def down(site: Site) -> int:
    """End the copies that were brought up.

    Returns:
        How many ran.
    """
    servers = copies_of(site)
    for server in servers:
        server.stop()
    shutil.rmtree(site.home / "up", ignore_errors=True)
    return len(servers)


def sweep(site: Site) -> int:
    """Remove what runs left that were killed; their servers have ended by themselves.

    Returns:
        How many folders were removed.
    """
    removed = 0
    for folder in (site.home / "runs").glob("*"):
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if not is_alive(folder) and (age > YOUNG or (folder / "ready.json").is_file()):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def start_own(site: Site) -> SiteServer:
    """Start a copy that ends with this process.

    Raises:
        BadInput: The site could not be made, or it did not start.
    """
    make(site)
    sweep(site)
    folder: Path = site.home / "runs" / uuid.uuid4().hex[:12]
    folder.parent.mkdir(parents=True, exist_ok=True)
    return start(site, folder)


_idle: dict[str, list[SiteServer]] = {}
_lock = threading.Lock()


def take(site: Site) -> SiteServer:
    """A copy for one episode: one that is idle, else a new one. It may hold any state: reset it.

    Raises:
        BadInput: The site could not be made, or it did not start.
    """
    while True:
        with _lock:
            idle = _idle.get(site.name)
            server = idle.pop() if idle else None
        if server is None:
            return start_own(site)
        if server.folder.is_relative_to(site.home) and is_alive(server.folder):
            return server
        server.stop()


def give_back(server: SiteServer) -> None:
    """Let the next episode have a copy."""
    with _lock:
        _idle.setdefault(server.site.name, []).append(server)


@contextmanager
def borrowed(site: Site) -> Iterator[SiteServer]:
    """A copy in its first state, for as long as the block lasts.

    Raises:
        BadInput: The site could not be made, or it did not start.
    """
    server = take(site)
    try:
        server.reset()
        yield server
    finally:
        give_back(server)


@atexit.register
def stop_idle() -> None:
    """End the idle copies of this process."""
    with _lock:
        servers = [server for idle in _idle.values() for server in idle]
        _idle.clear()
    for server in servers:
        server.stop()
