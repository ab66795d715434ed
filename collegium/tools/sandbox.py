"""Runs programs that nobody has read, in a sandbox: no network, no home, no secrets, hard limits.

`run_python` and `run_command` use bubblewrap: new namespaces, a read-only system, a private disk,
a system-call filter and resource limits. Where bubblewrap can't work they refuse with
`SandboxUnavailable`; nothing ever runs unconfined. When a run ends, for whatever reason, its whole
process namespace is killed and gone before the call returns.

Limits of the protection: it is as strong as the Linux kernel, whose own bugs it can't cover. The
common memory limit is kept by looking every few milliseconds, so it may be exceeded for a moment.
What the kernel itself spends on a program (buffers of pipes and sockets, names of empty files) is
not counted; it is bounded by the number of open files and the time limit, and ends with the run.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal
from weakref import WeakKeyDictionary

import msgspec

from collegium.tools.sandbox_confinement import SandboxLimits
from collegium.tools.sandbox_launch import (
    Running,
    SandboxUnavailable,
    Stream,
    not_set_up,
    pull,
    sandbox_problem,
    start,
)

Status = Literal["ok", "error", "timeout", "killed", "output-limit", "memory-limit"]

_LOOK_SECONDS = 0.02
_SLOTS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class SandboxResult(msgspec.Struct, frozen=True):
    """How a sandboxed run ended.

    Args:
        status: "ok" (exit code 0), "error" (another exit code), "timeout" (wall-clock or processor
            time), "output-limit", "memory-limit", or "killed" (ended by any other signal).
        exit_code: The program's exit code, 128 + signal number when a signal ended it, or None
            when the sandbox stopped it.
        stdout: Standard output; bytes that are not UTF-8 appear as U+FFFD.
        stderr: Standard error, likewise.
        seconds: Wall-clock time of the program, in seconds.
        truncated: Whether output was cut off at the output limit.
    """

    status: Status
    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float
    truncated: bool


async def run_python(
    code: str,
    *,
    stdin: str = "",
    files: Mapping[str, bytes | str] | None = None,
    limits: SandboxLimits = SandboxLimits(),
    python: Path | None = None,
) -> SandboxResult:
    """Run a Python program in a sandbox.

    Args:
        code: The program; it becomes `main.py` in the working folder.
        stdin: What the program reads from standard input.
        files: Path below the working folder -> content.
        limits: What the run may spend.
        python: The interpreter, with its environment; by default the one that runs us.

    Returns:
        How the run ended. A failing program is a result, not an exception.

    Raises:
        SandboxUnavailable: This machine can't confine a program.
        ValueError: A file's path leads out of the working folder, is `main.py`, or the files are
            larger than the disk.
    """
    given = dict(files or {})
    if any(PurePosixPath(name) == PurePosixPath("main.py") for name in given):
        raise ValueError("main.py is the program itself and can't be among the files")
    interpreter = _absolute(python)
    command = [str(interpreter), "-s", "main.py"]
    return await _run(command, stdin, {**given, "main.py": code}, limits, interpreter)


async def run_command(
    argv: Sequence[str],
    *,
    stdin: str = "",
    files: Mapping[str, bytes | str] | None = None,
    limits: SandboxLimits = SandboxLimits(),
    python: Path | None = None,
    hidden: Sequence[Path] = (),
) -> SandboxResult:
    """Run any command in a sandbox; for a shell line, ["sh", "-c", line].

    Args:
        argv: The program and its arguments. Programs are found in the Python environment, in
            /usr/local/bin and in /usr/bin.
        stdin: What the program reads from standard input.
        files: Path below the working folder -> content; they are executable.
        limits: What the run may spend.
        python: The interpreter whose environment the command sees; by default the one that runs us.
        hidden: Folders of that environment that the command must not see (data that holds the
            answers); they are empty for it.

    Returns:
        How the run ended. A failing or unknown program is a result, not an exception.

    Raises:
        SandboxUnavailable: This machine can't confine a program.
        ValueError: The command is empty or contains a NUL character, a file's path leads out of
            the working folder, or the files are larger than the disk.
    """
    if not argv or any("\0" in argument for argument in argv):
        raise ValueError("the command is empty or contains a NUL character")
    return await _run(list(argv), stdin, dict(files or {}), limits, _absolute(python), hidden)


async def _run(
    command: list[str],
    stdin: str,
    files: dict[str, bytes | str],
    limits: SandboxLimits,
    python: Path,
    hidden: Sequence[Path] = (),
) -> SandboxResult:
    content = {name: _bytes(data) for name, data in files.items()}
    _check_files(content, limits)
    problem = await asyncio.to_thread(sandbox_problem)
    if problem is not None:
        raise SandboxUnavailable(problem)
    async with _slots():
        with contextlib.ExitStack() as stack:
            running = start(stack, command, _bytes(stdin), content, limits, python, hidden)
            return await _supervise(running, limits)


def _slots() -> asyncio.Semaphore:
    """Return what keeps this event loop from running more programs at once than it has processors.

    More would not end sooner, but run out of time by no fault of their own.
    """
    loop = asyncio.get_running_loop()
    if loop not in _SLOTS:
        _SLOTS[loop] = asyncio.Semaphore(max(2, len(os.sched_getaffinity(0))))
    return _SLOTS[loop]


async def _supervise(running: Running, limits: SandboxLimits) -> SandboxResult:
    """Let the program go, wait for its end or a limit, and kill whatever is left of it."""
    loop = asyncio.get_running_loop()
    verdict: asyncio.Future[Status | None] = loop.create_future()
    streams = (running.status, *running.outputs)

    def conclude(outcome: Status | None) -> None:
        if not verdict.done():
            verdict.set_result(outcome)

    def follow(stream: Stream) -> None:
        pull(stream)
        if stream.ended or stream.truncated:
            loop.remove_reader(stream.descriptor)
        if stream.truncated:
            conclude("output-limit")
        elif stream.ended and stream is running.status:
            conclude(None)

    async def watch_memory() -> None:
        while True:
            if _memory(running.first, limits.memory_bytes) > limits.memory_bytes:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    started = time.monotonic()
    watcher = loop.create_task(watch_memory())
    try:
        for stream in streams:
            loop.add_reader(stream.descriptor, follow, stream)
        os.write(running.release, b"x")
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait({verdict, watcher}, timeout=limits.seconds, return_when=first)
        if watcher.done():
            watcher.result()
            conclude("memory-limit")
        conclude("timeout")
    finally:
        watcher.cancel()
        for stream in streams:
            loop.remove_reader(stream.descriptor)
        # Killing the first process of a namespace makes the kernel kill all the others.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(running.namespace, signal.SIGKILL)
        running.process.kill()
        running.process.wait()
        await _ended(running.namespace)
        # Its parent is gone. If we are the machine's first process, as in a container, it is ours.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, running.namespace, os.WEXITED | os.WNOHANG)  # noqa: ASYNC222
    seconds = time.monotonic() - started
    for stream in streams:
        while not stream.truncated and pull(stream):
            pass
    return _result(verdict.result(), running, seconds)


def _result(verdict: Status | None, running: Running, seconds: float) -> SandboxResult:
    exit_code: int | None = None
    truncated = any(stream.truncated for stream in running.outputs)
    stdout, stderr = (stream.data.decode(errors="replace") for stream in running.outputs)
    if verdict is None:
        # Bubblewrap reports an exit code only if it got as far as starting the program.
        for line in running.status.data.splitlines():
            exit_code = json.loads(line).get("exit-code", exit_code)
        if exit_code is None and stderr.startswith("bwrap: "):
            raise SandboxUnavailable(not_set_up(running.outputs[1]))
        verdict = "output-limit" if truncated else _status(exit_code)
    return SandboxResult(verdict, exit_code, stdout, stderr, seconds, truncated)


def _status(exit_code: int | None) -> Status:
    if exit_code == 0:
        return "ok"
    if exit_code == 128 + signal.SIGXCPU:
        return "timeout"
    if exit_code is None or 128 < exit_code <= 128 + signal.SIGRTMAX:
        return "killed"
    return "error"


async def _ended(process: int) -> None:
    """Wait until the process of a pidfd has ended; for a first process, its namespace with it."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(process, lambda: ended.done() or ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(process)


def _memory(first: int, enough: int) -> int:
    """Add up the physical memory, in bytes, of a process and all its descendants."""
    processes = _descendants(first)
    # Quick, but counts memory that processes share once for each of them.
    quick = sum(_most(threads, "status", ("RssAnon", "RssShmem")) for threads in processes)
    if quick <= enough:
        return quick
    exact = ("Pss_Anon", "Pss_Shmem")
    return sum(_most(threads, "smaps_rollup", exact) for threads in processes) or quick


def _most(threads: Sequence[str], file: str, names: Sequence[str]) -> int:
    """Add up fields of a file of /proc, in bytes, as the threads of one process show them.

    They share their memory, but one that has ended while others go on shows none.
    """
    most = 0
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{thread}/{file}", "rb") as lines:
            # Bytes, because a program may give itself a name that is not text.
            values = dict(line.split(b":", 1) for line in lines if b":" in line)
            sizes = [values.get(name.encode(), b"0 kB") for name in names]
            most = max(most, sum(1024 * int(size.split()[0]) for size in sizes))
    return most


def _descendants(first: int) -> list[list[str]]:
    """List the threads of a process, and of each of its descendants."""
    found: list[list[str]] = []
    numbers = [str(first)]
    for number in numbers:
        # A process that ends while we look has no descendants: they move up to the first.
        with contextlib.suppress(OSError):
            found.append(os.listdir(f"/proc/{number}/task"))
            for thread in found[-1]:
                with open(f"/proc/{number}/task/{thread}/children") as children:
                    numbers += children.read().split()
    return found


def _check_files(files: Mapping[str, bytes], limits: SandboxLimits) -> None:
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or not path.name or ".." in path.parts or "\0" in name:
            raise ValueError(f"not a path below the working folder: {name!r}")
    if sum(map(len, files.values())) > limits.disk_bytes:
        raise ValueError("the files are larger than the sandbox's disk")


def _bytes(text: bytes | str) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _absolute(python: Path | None) -> Path:
    return Path(os.path.abspath(python or sys.executable))
