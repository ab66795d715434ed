"""Starts bubblewrap: checks that it works here, opens what it reads from, and holds what we need
to stop it again.
"""

import contextlib
import functools
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which

import msgspec

from collegium.errors import CollegiumError
from collegium.tools.sandbox_confinement import (
    SandboxLimits,
    confined,
    needs_own_user,
    sandbox_user,
)
from collegium.tools.sandbox_syscalls import machine_supported, syscall_filter

_START_SECONDS = 10
_CHUNK = 64 * 1024
_INSTALL = "install it, for example with `apt install {0}` or `dnf install {0}`"


class SandboxUnavailable(CollegiumError):
    """The program was not run, since this machine can't confine it; the message says why."""


class Stream(msgspec.Struct):
    """Our end of a pipe, and what was read from it, up to a limit in bytes."""

    descriptor: int
    limit: int
    data: bytearray = msgspec.field(default_factory=bytearray)
    ended: bool = False
    truncated: bool = False


class Running(msgspec.Struct, frozen=True):
    """A sandbox that was set up and waits for a byte in `release` to start its program.

    `first` is the number of the first process in its process namespace, and `namespace` a
    descriptor of that process (a pidfd).
    """

    process: subprocess.Popen[bytes]
    first: int
    namespace: int
    release: int
    status: Stream
    outputs: tuple[Stream, Stream]


@functools.cache
def sandbox_problem() -> str | None:
    """Say why programs can't be confined on this machine.

    The answer is found once per process, by a trial run of a few dozen milliseconds.

    Returns:
        One sentence with what is missing and how to get it, or None if the sandbox works.
    """
    if not sys.platform.startswith("linux") or not machine_supported():
        return "The sandbox needs Linux on an x86_64 or aarch64 processor."
    needed = {"bwrap": "bubblewrap", "prlimit": "util-linux"}
    if needs_own_user():
        needed["setpriv"] = "util-linux"
    for program, package in needed.items():
        if which(program) is None:
            return f"The sandbox needs `{program}` ({package}): {_INSTALL.format(package)}."
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return "The sandbox needs a kernel that lists child processes (CONFIG_PROC_CHILDREN)."
    python = Path(os.path.abspath(sys.executable))
    try:
        with contextlib.ExitStack() as stack:
            argv, inherited = _prepare(
                stack,
                [str(python), "-s", "-c", "import os"],
                {},
                SandboxLimits(),
                python,
                sandbox_user(),
            )
            trial = subprocess.run(
                argv,
                pass_fds=inherited,
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as failure:
        return f"The sandbox's trial run failed: {failure}."
    if trial.returncode == 0:
        return None
    reason = (trial.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    if "nknown option" in reason:
        return f"The sandbox needs a newer bubblewrap, such as 0.8 ({reason})."
    return (
        f"The sandbox's trial run failed ({reason}); bubblewrap must be allowed to create"
        " namespaces (in a container: privileged or with CAP_SYS_ADMIN; on Ubuntu: an AppArmor"
        " profile for bwrap)."
    )


def start(
    stack: contextlib.ExitStack,
    command: list[str],
    stdin: bytes,
    files: dict[str, bytes],
    limits: SandboxLimits,
    python: Path,
    hidden: Sequence[Path] = (),
) -> Running:
    """Start bubblewrap and hold it just before it starts the program.

    This blocks for 2 or 3 ms, on purpose: if the task could be cancelled before we hold the
    namespace's first process, nothing would kill that process.

    Args:
        stack: Closes the descriptors that stay with us.
        command: The program and its arguments, as seen inside.
        stdin: What the program reads from standard input.
        files: Path below the working folder -> content.
        limits: What the run may spend.
        python: The interpreter whose installation the program may read.
        hidden: Folders of it that it may not.

    Returns:
        The sandbox, waiting for a byte in `release`.

    Raises:
        SandboxUnavailable: Bubblewrap gave up.
    """
    with contextlib.ExitStack() as theirs:
        user = sandbox_user()
        argv, inherited = _prepare(theirs, command, files, limits, python, user, hidden)
        status, status_writer = _pipe(stack, theirs)
        stdout, stdout_writer = _pipe(stack, theirs)
        stderr, stderr_writer = _pipe(stack, theirs)
        gate, release = os.pipe()
        theirs.callback(os.close, gate)
        stack.callback(os.close, release)
        if user is not None:
            # So that the program may reopen its own output as /dev/stdout and /dev/stderr.
            os.fchown(stdout_writer, user, user)
            os.fchown(stderr_writer, user, user)
        argv[1:1] = ["--json-status-fd", str(status_writer), "--block-fd", str(gate)]
        process = subprocess.Popen(
            argv,
            stdin=_memory_file(theirs, stdin),
            stdout=stdout_writer,
            stderr=stderr_writer,
            pass_fds=[*inherited, status_writer, gate],
            # The sandbox clears the environment too, but /proc shows the one bubblewrap had.
            env={},
            cwd="/",
            start_new_session=True,
        )
    outputs = (Stream(stdout, limits.output_bytes), Stream(stderr, limits.output_bytes))
    report = Stream(status, _CHUNK)
    poll = select.poll()
    poll.register(status, select.POLLIN)
    while b"\n" not in report.data:
        if not poll.poll(_START_SECONDS * 1000) or not pull(report):
            process.kill()
            process.wait()
            while pull(outputs[1]):
                pass
            raise SandboxUnavailable(not_set_up(outputs[1]))
    first = json.loads(report.data.splitlines()[0])["child-pid"]
    namespace = os.pidfd_open(first)
    stack.callback(os.close, namespace)
    return Running(process, first, namespace, release, report, outputs)


def _prepare(
    stack: contextlib.ExitStack,
    command: list[str],
    files: Mapping[str, bytes],
    limits: SandboxLimits,
    python: Path,
    user: int | None,
    hidden: Sequence[Path] = (),
) -> tuple[list[str], list[int]]:
    """Write the bubblewrap command, and open the descriptors that it names."""
    filter_fd = _memory_file(stack, syscall_filter())
    contents = {name: _memory_file(stack, data) for name, data in files.items()}
    argv = confined(
        command, python, limits, user=user, files=contents, filter_fd=filter_fd, hidden=hidden
    )
    return argv, [filter_fd, *contents.values()]


def pull(stream: Stream) -> bool:
    """Read what a pipe holds; return False at its end or if it is empty."""
    try:
        chunk = os.read(stream.descriptor, _CHUNK)
    except BlockingIOError:
        return False
    stream.ended = not chunk
    stream.truncated = len(stream.data) + len(chunk) > stream.limit
    stream.data += chunk[: stream.limit - len(stream.data)]
    return not stream.ended


def not_set_up(stderr: Stream) -> str:
    """Write the message for a sandbox whose set-up failed, from what bubblewrap said."""
    message = stderr.data.decode(errors="replace").strip() or "no message"
    return f"The sandbox could not be set up: {message}"


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    """Open a pipe for the sandbox to write to: our end, which never blocks, and its end."""
    reader, writer = os.pipe()
    ours.callback(os.close, reader)
    theirs.callback(os.close, writer)
    os.set_blocking(reader, False)
    return reader, writer


def _memory_file(stack: contextlib.ExitStack, data: bytes) -> int:
    """Open a file that exists in memory only, holding `data`, for reading from its start."""
    descriptor = os.memfd_create("sandbox")
    stack.callback(os.close, descriptor)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
