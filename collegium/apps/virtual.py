"""Several kernels on one machine, each a process of its own with a state directory of its own.

Modes 1, 2 and 4 of the paper's deployment: a local kernel, one that other programs call, and
several virtual ones side by side. They run on one machine and speak over a socket in their state
directory. Nothing is shared: no memory, no files, no process. What stops an agent from reaching
another kernel is code: names lead nowhere outside the state directory, and an address of another
kernel is refused and recorded.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput, CollegiumError, Denied, ModelError, UnknownName, unknown_name
from collegium.kernel import Call, Event, Kernel, Send
from collegium.kernel.atomic import Busy, locked
from collegium.kernel.calls import call_types
from collegium.kernel.kernel import Proceed
from collegium.kernel.store import default_path
from collegium.kernel.trace import encode_event, plain

SOCKET, LOCK, PID, TRACE, LOG, STATE = "socket", "lock", "pid", "trace.jsonl", "log", "state"
LARGEST = 16 * 1024 * 1024
"""Bytes of the largest request or answer."""

START_SECONDS = 30.0
STOP_SECONDS = 10.0

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_ADDRESS = re.compile(r"([a-z0-9][a-z0-9-]{0,40})/.+", re.DOTALL)


class Status(msgspec.Struct, frozen=True):
    """A kernel of this machine: its name, whether it runs, its process, and its state directory."""

    name: str
    running: bool
    pid: int | None
    folder: Path


class Answer(msgspec.Struct, frozen=True):
    """What a kernel answers: a value, or the error by kind and sentence."""

    value: Any = None
    error: str = ""
    kind: str = ""


def kernels_folder() -> Path:
    """Where the state directories are: ``kernels`` in the folder of the run store."""
    return default_path().parent / "kernels"


def state_of(name: str, home: Path | None = None) -> Path:
    """The state directory of a kernel.

    Raises:
        BadInput: The name cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name of a kernel: lower-case letters, digits, hyphens.")
    return (home or kernels_folder()) / name


# -- from outside ------------------------------------------------------------------------


def start(name: str, *, model: str = "", home: Path | None = None) -> Status:
    """Start a kernel in a process of its own, and wait until it answers.

    Args:
        name: Its name; its state directory is made when missing, and kept when it stops.
        model: The model of its agents; "" starts it without one.
        home: Where the state directories are; None: this user's.

    Raises:
        BadInput: It runs already, or did not come up.
    """
    folder = state_of(name, home)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(folder, 0o700)
    except OSError as error:
        raise BadInput(f"cannot make the state directory {folder}: {error.strerror}.") from None
    if _runs(folder):
        raise BadInput(
            f"the kernel {name!r} runs already; stop it with: collegium kernel stop {name}"
        )
    command = [sys.executable, "-m", "collegium.apps.virtual", str(folder), model]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it goes on when this program or its terminal ends
        )
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with suppress(CollegiumError, OSError):
            asyncio.run(_request(folder, None))
            return status(name, home)
        time.sleep(0.05)
    process.kill()
    process.wait()
    said = (folder / LOG).read_text(errors="replace").strip().rpartition("\n")[2]
    raise BadInput(f"the kernel {name!r} did not start: {said or 'it gave no reason'}")


def stop(name: str, home: Path | None = None) -> None:
    """Stop a kernel; its state stays.

    Raises:
        UnknownName: There is no such kernel.
        BadInput: It does not run, or would not end.
    """
    known = kernels(home)
    if name not in {k.name for k in known}:
        raise unknown_name("kernel", name, [k.name for k in known])
    now = status(name, home)
    if not now.running or now.pid is None:
        raise BadInput(f"the kernel {name!r} does not run.")
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(now.pid, sign)
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            if not _runs(now.folder):
                return
            time.sleep(0.02)
    raise BadInput(f"the kernel {name!r} (process {now.pid}) does not end.")


def status(name: str, home: Path | None = None) -> Status:
    """How one kernel is."""
    folder = state_of(name, home)
    running, pid = _runs(folder), None
    if running:
        with suppress(OSError, ValueError):
            pid = int((folder / PID).read_text())
    return Status(name, running, pid, folder)


def kernels(home: Path | None = None) -> list[Status]:
    """Every kernel that has a state directory, by name."""
    folders = sorted((home or kernels_folder()).glob("*/"))
    return [status(f.name, home) for f in folders if _NAME.fullmatch(f.name)]


async def call(name: str, request: Call, home: Path | None = None) -> Any:
    """Let a running kernel do a call.

    Args:
        name: The kernel.
        request: The typed call.
        home: Where the state directories are.

    Returns:
        What the call gave, as plain data.

    Raises:
        BadInput: It does not run, or the call is wrong.
        Denied: The agent may not do it.
    """
    folder = state_of(name, home)
    if not _runs(folder):
        raise BadInput(f"the kernel {name!r} does not run; start it: collegium kernel start {name}")
    answer = await _request(folder, request)
    if answer.error:
        kinds: dict[str, type[CollegiumError]] = {"Denied": Denied, "UnknownName": UnknownName}
        raise kinds.get(answer.kind, BadInput)(answer.error)
    return answer.value


async def _request(folder: Path, request: Call | None) -> Answer:
    with _socket(folder) as path:
        reader, writer = await asyncio.open_unix_connection(path, limit=LARGEST)
    try:
        writer.write(msgspec.json.encode(request) + b"\n")
        await writer.drain()
        return msgspec.json.decode(await reader.readline(), type=Answer)
    except (ValueError, msgspec.DecodeError, ConnectionError):
        raise BadInput(f"the kernel {folder.name!r} ended before it answered.") from None
    finally:
        writer.close()


def _runs(folder: Path) -> bool:
    """Whether a process holds the lock of a state directory; the lock ends with the process."""
    if not (folder / LOCK).exists():
        return False
    try:
        with locked(folder / LOCK):
            return False
    except Busy:
        return True


@contextmanager
def _socket(folder: Path) -> Iterator[str]:
    """The path of the socket, short enough for the system however deep the folder lies."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{SOCKET}"
    finally:
        os.close(opened)


# -- the process itself ------------------------------------------------------------------


def at_home(name: str) -> Any:
    """The interceptor that refuses every address of another kernel.

    Args:
        name: The kernel it stands in. An address is ``KERNEL/AGENT``, as the bank of a note, the
            owner of a file, or the receiver of a message.
    """

    async def stay(call: Call, proceed: Proceed) -> Any:
        for field in ("bank", "owner", "to"):
            match = _ADDRESS.fullmatch(str(getattr(call, field, "")))
            if match and match[1] != name:
                raise Denied(
                    f"agent {call.agent!r} of kernel {name!r} may not reach {match[0]!r}: kernels "
                    "share nothing."
                )
        return await proceed(call)

    return stay


def make_kernel(folder: Path, model: str = "") -> Kernel:
    """The kernel of a state directory.

    Args:
        folder: The directory; its name is the kernel's.
        model: The model of its agents; "" for none.
    """
    from collegium.kernel.lasting import resources
    from collegium.models import open_model
    from collegium.models.scripted import ScriptedModel

    trace = (folder / TRACE).open("ab", buffering=0)

    def log(event: Event) -> None:
        trace.write(encode_event(event) + b"\n")

    none = ModelError(f"the kernel {folder.name!r} was started without a model.")
    return Kernel(
        open_model(model) if model else ScriptedModel(lambda request: none),
        drivers=resources(folder / STATE),
        interceptors=[at_home(folder.name)],
        sinks=[log],
        name=folder.name,
    )


async def serve(folder: Path, model: str = "") -> None:
    """Answer calls until told to end. Only one process serves a state directory.

    Raises:
        BadInput: Another process does already.
    """
    try:
        with locked(folder / LOCK):
            (folder / PID).write_text(str(os.getpid()))
            await _serve(folder, make_kernel(folder, model))
    except Busy:
        raise BadInput(f"another process serves {folder} already.") from None


async def _serve(folder: Path, kernel: Kernel) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, ending.set)
    known: set[str] = set()

    async def answer(line: bytes) -> Answer:
        try:
            request = _decoded(line)
            if request is None:
                return Answer(os.getpid())
            for name in (request.agent, request.to if isinstance(request, Send) else ""):
                if name and "/" not in name and name not in known:
                    kernel.agent(name)
                    known.add(name)
            return Answer(plain(await kernel.call(request)))
        except CollegiumError as error:
            return Answer(error=str(error), kind=type(error).__name__)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await answer(line)) + b"\n")
                await writer.drain()
        writer.close()

    (folder / SOCKET).unlink(missing_ok=True)  # of a process that was killed
    with _socket(folder) as path:
        os.umask(0o077)
        server = await asyncio.start_unix_server(client, path, limit=LARGEST)
    async with server:
        await ending.wait()
    await kernel.aclose()
    for name in (SOCKET, PID):
        (folder / name).unlink(missing_ok=True)


def _decoded(line: bytes) -> Call | None:
    """The call a client sent; None asks only whether the kernel is there.

    Raises:
        BadInput: It is no call.
    """
    try:
        raw = msgspec.json.decode(line)
        if raw is None:
            return None
        kinds = call_types()
        kind = raw.get("type") if isinstance(raw, dict) else None
        if kind not in kinds:
            raise BadInput(f"there is no call of the kind {kind!r}.")
        return msgspec.convert(raw, kinds[kind])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"that is no call: {error}.") from None


if __name__ == "__main__":
    try:
        asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
    except CollegiumError as problem:
        sys.exit(str(problem))
