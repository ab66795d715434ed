"""The embedded engine as seen by its users: a llama.cpp server in a process of its own.

A separate process keeps a crash of native code away from the program, and ends when the program
ends, however that happens. It listens on the loopback interface only and wants a random key.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import IO

import msgspec

from collegium.errors import MissingExtra, ModelError, WeightsDamaged, missing_extra
from collegium.models.gate import Gate

_LOG_LINES = 60
_SPIN_COUNT = "1000"
_MEMORY_FOR_16 = 6 << 30


class EngineSettings(msgspec.Struct, frozen=True):
    """Everything an engine is started with; two models with equal settings share one engine.

    Attributes:
        weights: Path of the GGUF file.
        context: Tokens of context per slot.
        slots: Sequences the engine works on at the same time.
        threads: Compute threads.
        poll: How eagerly idle compute threads spin for work, 0 to 100.
        cache_mib: Memory for prompts that lost their slot, in MiB.
        adapters: LoRA adapters to load, as (name, path of a GGUF file).
        native: Path of a ``llama-server`` built for this machine; None: the wheel's engine.
    """

    weights: str
    context: int = 4096
    slots: int = 8
    threads: int = 1
    poll: int = 0
    cache_mib: int = 256
    adapters: tuple[tuple[str, str], ...] = ()
    native: str | None = None


class Engine:
    """A running engine.

    Attributes:
        address: Its base URL, on the loopback interface.
        token: The key it wants as bearer token.
        gate: Who may send it requests now.
        unsettled: A request was dropped and may still occupy a slot for a moment.
        snapshots: Folder for the states of slots; nobody else may read it, and it goes with the
            engine.
    """

    def __init__(self, settings: EngineSettings) -> None:
        """Start the process and wait until the weights are loaded (blocking).

        Raises:
            MissingExtra: Neither the wheel nor a native engine is installed.
            WeightsDamaged: The engine could not load the weights.
            ModelError: It did not start for another reason.
        """
        if settings.native is None:
            require_wheel()
        self.settings = settings
        self.token = secrets.token_urlsafe(24)
        self.gate = Gate()
        self.unsettled = False
        self.snapshots = Path(tempfile.mkdtemp(prefix="collegium-states-"))
        self._owner = os.getpid()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "collegium.models.engine_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_child_environment(),
            start_new_session=True,  # a Ctrl-C at the terminal is for the program to handle
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._reader = threading.Thread(
            target=self._keep_log, args=(self._process.stderr,), daemon=True
        )
        self._reader.start()
        self.address = self._introduce(self._process.stdin, self._process.stdout)

    def _introduce(self, stdin: IO[bytes], stdout: IO[bytes]) -> str:
        """Send the settings, receive the address."""
        settings = self.settings
        message = {
            **msgspec.to_builtins(settings),
            "adapters": [path for _, path in settings.adapters],
            "token": self.token,
            "snapshots": f"{self.snapshots}/",
        }
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:
            line = b""
        answer = json.loads(line) if line else {}
        if "address" in answer:
            return answer["address"]
        self.stop()
        self._reader.join(timeout=5)
        raise self._start_error(answer.get("error", "its process ended"))

    def _start_error(self, reason: str) -> ModelError:
        log = "\n".join(self._log)
        if "error loading model" in log or "failed to load model" in log:
            return WeightsDamaged(
                f"the engine cannot load {self.settings.weights}: {self.last_words(reason)}"
            )
        return ModelError(f"the embedded engine did not start: {self.last_words(reason)}")

    def _keep_log(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._log.append(line.decode(errors="replace").rstrip())

    def last_words(self, default: str = "") -> str:
        """The last error the engine logged, else ``default``."""
        for line in reversed(self._log):
            if "error" in line.lower() or "failed" in line.lower():
                return line.strip()
        return default

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def ends_within(self, seconds: float) -> bool:
        """Wait that long for the process to end; says whether it has. Blocking."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def pid(self) -> int:
        """Id of the engine's process."""
        return self._process.pid

    def stop(self) -> None:
        """End the process (safe to call twice)."""
        if os.getpid() != self._owner:
            return  # a fork of the program that started it
        shutil.rmtree(self.snapshots, ignore_errors=True)
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def require_wheel() -> None:
    """Make sure that the engine of the ``xllamacpp`` wheel is installed.

    Raises:
        MissingExtra: It is not.
    """
    import importlib.util

    if importlib.util.find_spec("xllamacpp") is None:
        raise _no_engine()


def _no_engine() -> MissingExtra:
    return missing_extra("local", "the embedded model")


def _child_environment() -> dict[str, str]:
    """The environment of the engine's process: it must find this very package.

    Compute threads wait for each other hundreds of times per token. By default they spin; once
    another program wants a core, the one that has it spins while the other cannot run, and speed
    falls by a factor of 40. After a short spin they therefore sleep.
    """
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    path = f"{root}{os.pathsep}{known}" if known else root
    return {"GOMP_SPINCOUNT": _SPIN_COUNT, **os.environ, "PYTHONPATH": path}


def available_cores() -> int:
    """Physical cores this process may use: its CPU affinity and control-group quota, no siblings.

    Returns:
        At least 1.
    """
    try:
        cpus = os.sched_getaffinity(0)
    except AttributeError:  # not Linux
        return max(1, (os.cpu_count() or 2) // 2)
    cores = {_siblings(cpu) for cpu in cpus}
    return max(1, min(len(cores), _cpu_quota()))


def fast_slots() -> int:
    """Slots for requests that are computed together: 16, or 8 where memory is short.

    The more sequences share each weight that is read, the better a core is used, as long as all
    slots are busy: the engine computes neighbouring slots at once, and a gap between busy ones
    costs another pass over the weights. A slot's context takes memory (110 MiB with the 1.5B).
    """
    return 16 if _memory() >= _MEMORY_FOR_16 else 8


def _memory() -> int:
    """Bytes of memory this machine or control group has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total


def _siblings(cpu: int) -> str:
    """The hardware threads that share a core with this one, as the system writes them."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(cpu)


def _cpu_quota() -> int:
    """Whole processors that the control group grants (a large number when unlimited)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return 1 << 20


_engines: dict[EngineSettings, Engine] = {}
_users: dict[EngineSettings, set[int]] = {}
_lock = threading.Lock()


def borrow(settings: EngineSettings, user: int) -> Engine:
    """The process-wide engine of these settings, started (again) when it does not run. Blocking.

    Args:
        settings: What it must have been started with.
        user: Identifies the borrower, who gives it back with :func:`give_back`.
    """
    with _lock:
        engine = _engines.get(settings)
        if engine is None or not engine.alive:
            if engine is not None:
                engine.stop()
            engine = _engines[settings] = Engine(settings)
        _users.setdefault(settings, set()).add(user)
        return engine


def give_back(settings: EngineSettings, user: int) -> None:
    """Say that a borrower no longer needs the engine; the last one to do so ends it. Blocking."""
    with _lock:
        users = _users.get(settings, set())
        users.discard(user)
        if not users and (engine := _engines.pop(settings, None)):
            engine.stop()


@atexit.register
def stop_all() -> None:
    """End every engine of this process."""
    with _lock:
        for engine in _engines.values():
            engine.stop()
        _engines.clear()
        _users.clear()
