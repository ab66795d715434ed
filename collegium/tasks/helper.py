"""Runs what may hang, swell or be slow to import in a process of its own.

Symbolic algebra on what a model wrote can take for ever, and no thread can be stopped. So the
libraries for it (math-verify, reasoning-gym) live in a helper process, which ends itself when a
request takes too long, and which is then started anew. The program itself stays small and quick.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import CollegiumError, missing_extra


class HelperError(CollegiumError):
    """The helper process could not answer; the message says why."""


class HelperTimeoutError(HelperError):
    """A request took longer than it may."""


class Helper:
    """A helper process that answers one request at a time, started when it is first needed.

    Safe to use from several threads.

    Args:
        purpose: What the process is for: "math" or "generate"; see :mod:`collegium.tasks.worker`.
    """

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, request: dict[str, Any], *, seconds: float) -> Any:
        """Send a request and wait for its answer.

        Args:
            request: JSON-able; "do" names the work.
            seconds: How long the work may take; starting the process does not count.

        Returns:
            What the work returned.

        Raises:
            HelperTimeoutError: The work took too long.
            HelperError: It failed, or the process ended.
            MissingExtra: The library for it is not installed.
        """
        line = msgspec.json.encode({**request, "seconds": seconds}) + b"\n"
        with self._lock:
            process = self._running()
            answer = self._exchange(process, line)
        if "error" in answer:
            raise HelperError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the process; the next request starts another."""
        with self._lock:
            if self._process is not None and self._owner == os.getpid():
                self._process.kill()
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        # After a fork the process belongs to the parent, and its pipes must not be shared.
        if self._process is not None and self._owner == os.getpid():
            if self._process.poll() is None:
                return self._process
            self._end()
        # By its path, so that it is found wherever this package was imported from; -P keeps the
        # folder of the script, which has common names in it, off the import path.
        script = str(Path(__file__).with_name("worker.py"))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", script, self._purpose],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for us; the helper ends when its input does.
            start_new_session=True,
        )
        self._owner = os.getpid()
        atexit.register(self.close)
        greeting = self._exchange(self._process, b"")
        if "missing" in greeting:
            self._end()
            raise missing_extra("tasks", f"the library {greeting['missing']!r}")
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        reply = b""
        try:
            process.stdin.write(line)
            process.stdin.flush()
            reply = process.stdout.readline()
        except BrokenPipeError:
            pass
        except BaseException:
            # Interrupted while waiting: a late reply must not answer the next request.
            process.kill()
            self._end()
            raise
        if reply.endswith(b"\n"):
            return msgspec.json.decode(reply)
        code = self._end()
        if code == -signal.SIGALRM:
            raise HelperTimeoutError("it took too long")
        raise HelperError(f"the helper process ended (exit code {code})")

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            code = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return code


MATH = Helper("math")
"""Symbolic algebra."""

GENERATOR = Helper("generate")
"""Generated questions and their verifiers."""
