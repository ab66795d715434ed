"""A running copy of a site: started, reset, saved, put back, stopped.

A server holds a lock on a file of its folder while it lives. That a copy runs is read from that
lock and from nothing else: it goes away with the process, however that ends, so that a number which
another process was given in the meantime is never mistaken for a server.

A tethered server also ends when the process that started it ends, even when that one is killed: it
reads from a pipe whose other end closes then.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.worlds.sites.install import environment_variables, python_of
from collegium.worlds.sites.site import PROGRAMS, Site
from collegium.worlds.sites.state import copy_all, copy_state, pack, unpack

START_SECONDS = 90.0
STOP_SECONDS = 5.0


class SiteServer(msgspec.Struct, frozen=True):
    """A copy of a site that runs.

    Attributes:
        site: Which.
        folder: Of its state.
        port: On the loopback.
        pid: Its process.
        tether: The process as its parent holds it; None for one that outlives its parent.
    """

    site: Site
    folder: Path
    port: int
    pid: int
    tether: Any = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Back to the first state; the server goes on."""
        copy_state(self.site, self.site.home / "seed", self.folder)

    def snapshot(self) -> bytes:
        """The present state."""
        return pack(self.site, self.folder)

    def restore(self, state: bytes) -> None:
        """Back to a state that :meth:`snapshot` gave.

        Raises:
            ValueError: These bytes are not a state of this site.
        """
        unpack(self.site, self.folder, state)

    def cookies(self, account: str = "") -> list[dict[str, Any]]:
        """The cookies of someone who has signed in, as a browser takes them.

        Args:
            account: Who; without, the account that tasks act as.

        Raises:
            UnknownName: There is no such account.
        """
        session = self.site.account(account).session
        return [{"name": self.site.cookie, "value": session, "url": self.url}]

    def stop(self) -> None:
        """End it, and remove its folder."""
        if self.tether is not None:
            self.tether.stdin.close()
            try:
                self.tether.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.tether.kill()
                self.tether.wait()
        else:
            _end(self.folder, self.pid)
        shutil.rmtree(self.folder, ignore_errors=True)


def start(site: Site, folder: Path, *, port: int = 0, tethered: bool = True) -> SiteServer:
    """Start a copy of a site that was made.

    Args:
        site: Which.
        folder: Of its state; filled with the first state when it is not there.
        port: Where to listen; 0 or a taken one: any free port.
        tethered: Whether it ends with this process.

    Raises:
        BadInput: It did not come up.
    """
    if not folder.exists():
        copy_all(site, site.home / "seed", folder)
    (folder / "ready.json").unlink(missing_ok=True)
    if port and not _is_free(port):
        port = 0
    command = [str(python_of(site)), str(PROGRAMS / "serve.py"), str(port)]
    env = environment_variables(site, folder)
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "tethered"] if tethered else command,
            stdin=subprocess.PIPE if tethered else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=folder,
            start_new_session=True,
        )
    end = time.monotonic() + START_SECONDS
    while not (folder / "ready.json").is_file():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            said = (folder / "server.log").read_text(errors="replace").strip().splitlines()
            raise BadInput(
                f"the site {site.name} did not start ({said[-1][:300] if said else 'no word'}); "
                f"its log is {folder / 'log'}."
            )
        time.sleep(0.02)
    found = json.loads((folder / "ready.json").read_text())
    return SiteServer(site, folder, found["port"], found["pid"], process if tethered else None)


def running(site: Site, folder: Path) -> SiteServer | None:
    """The server of a folder, if there is one."""
    if not is_alive(folder):
        return None
    try:
        found = json.loads((folder / "ready.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return SiteServer(site, folder, found["port"], found["pid"])


def is_alive(folder: Path) -> bool:
    """Whether a server holds the lock of a folder."""
    try:
        held = (folder / "lock").open("r+")
    except FileNotFoundError:
        return False
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end(folder: Path, pid: int) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + STOP_SECONDS
        while is_alive(folder) and time.monotonic() < end:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
