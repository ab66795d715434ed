"""Servers as they are in use: a process of its own, started by the command line, on a socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collegium.kernel import Event, RunStore
from collegium.kernel.store import RunRow

SCRIPTS = '''
import asyncio
from collegium.kernel import Message, Reply, ToolCall


def words(request):
    """Says the last line of the question backwards, in capitals."""
    line = request.messages[-1].text.split("\\n")[0]
    return " ".join(reversed(line.upper().split()))


async def sleeper(request):
    """Thinks for half a minute about anything but ping."""
    if "ping" not in request.messages[-1].text:
        await asyncio.sleep(30)
    return "pong"


def broken(request):
    raise RuntimeError("sk-a-secret-in-a-message")
'''


class Served:
    """A server in a process of its own.

    Attributes:
        address: Where it answers.
        lines: What it printed.
        home: Where its runs are kept.
    """

    def __init__(self, home: Path, *arguments: str, command: str = "serve") -> None:
        self.home = home
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "collegium.cli", command, *arguments, "--port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLLEGIUM_HOME": str(home), "COLUMNS": "200"},
        )
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._ready.wait(60):
            self.stop()
            raise RuntimeError("the server did not start: " + "\n".join(self.lines))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.rstrip())
            if "http://" in line:
                self._ready.set()
        self._ready.set()

    @property
    def address(self) -> str:
        (first, *_) = [line for line in self.lines if "http://" in line]
        scheme, _, rest = first.split()[-1].partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def row(self, run: str) -> RunRow:
        """A run as it stands in the store."""
        store = RunStore(self.home / "runs.db")
        try:
            return store.run(run)
        finally:
            store.close()

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        store = RunStore(self.home / "runs.db")
        try:
            return store.runs(1000)
        finally:
            store.close()

    def trace(self, run: str) -> list[Event]:
        """The trace of a run."""
        store = RunStore(self.home / "runs.db")
        try:
            return [event for _, _, event in store.events(run)]
        finally:
            store.close()

    def ended(self, run: str, seconds: float = 10.0) -> RunRow:
        """A run once it no longer runs."""
        deadline = time.monotonic() + seconds
        while (row := self.row(run)).status == "running" and time.monotonic() < deadline:
            time.sleep(0.02)
        return row

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def on_a_socket(app: Any) -> Iterator[str]:
    """An application of another package, served by a thread of this process; gives its address."""
    import uvicorn

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="on", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield "http://{}:{}".format(*bound.getsockname())
    finally:
        server.should_exit = True
        thread.join(5)
        server.force_exit = True


@pytest.fixture
def peer() -> Callable[[Any], Any]:
    """Serves the application of a peer: ``with peer(app) as address``."""
    return on_a_socket


@pytest.fixture(scope="session")
def peers() -> Path:
    """The Python in which packages live that want other releases than ours: make peers."""
    root = Path(__file__).parents[2]
    python = Path(os.environ.get("COLLEGIUM_PEERS") or root / "out" / "peers" / "bin" / "python")
    if not python.exists():
        pytest.skip("no environment with acp-sdk and anp; make it with: make peers")
    return python


class Program:
    """A peer's program: prints where it answers, or what it found."""

    def __init__(self, python: Path, name: str, *arguments: str) -> None:
        file = Path(__file__).with_name("peers") / f"{name}.py"
        self.process = subprocess.Popen(
            [str(python), str(file), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": ""},
        )

    def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None and self.process.stderr is not None
        if line := self.process.stdout.readline():
            return line.strip()
        raise RuntimeError(self.process.stderr.read())

    def found(self) -> Any:
        """What it found: the JSON on its last line."""
        out, err = self.process.communicate(timeout=60)
        if self.process.returncode:
            raise RuntimeError(err)
        return json.loads(out.strip().splitlines()[-1])

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def program(peers: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs of peers."""
    started: list[Program] = []

    def start(name: str, *arguments: str) -> Program:
        started.append(Program(peers, name, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of scripted models."""
    file = tmp_path_factory.mktemp("scripts") / "models.py"
    file.write_text(SCRIPTS)
    return file


@pytest.fixture(scope="session")
def words(scripts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of all protocols whose model says the question backwards."""
    home = tmp_path_factory.mktemp("words")
    server = Served(home, "direct", "mad", "--model", f"script:{scripts}:words")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sleeper(scripts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of all protocols whose model thinks for half a minute."""
    home = tmp_path_factory.mktemp("sleeper")
    server = Served(home, "direct", "--model", f"script:{scripts}:sleeper")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def serve(
    scripts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Served]]:
    """Starts servers: ``serve("words", "direct", "--protocol", "openai")``."""
    started: list[Served] = []

    def start(script: str, *arguments: str) -> Served:
        home = tmp_path_factory.mktemp("served")
        server = Served(home, *arguments, "--model", f"script:{scripts}:{script}")
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
