"""What the tests of the sandbox share."""

import asyncio
import contextlib
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collegium.tools.sandbox import SandboxLimits, SandboxResult, run_python


@pytest.fixture
def attempt() -> Callable[..., SandboxResult]:
    """Run a program under limits; whatever it tries, it must end soon."""

    def run(code: str, *, seconds: float = 5, **limits: int) -> SandboxResult:
        started = time.monotonic()
        bounds = SandboxLimits(seconds=seconds, **limits)  # pyright: ignore[reportArgumentType]
        result = asyncio.run(run_python(textwrap.dedent(code), limits=bounds))
        assert time.monotonic() - started < 10
        return result

    return run


@pytest.fixture
def running() -> Callable[[str], int]:
    """Count the sandboxed processes on this machine that have a mark on their command line."""

    def count(mark: str) -> int:
        found = 0
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                # Neither bubblewrap itself nor the process that called it.
                outside = b"--json-status-fd" in line or b"asyncio" in line
                found += mark.encode() in line and not outside
        return found

    return count
