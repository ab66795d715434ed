"""Judges a program by running its tests in the sandbox."""

import functools
import json
import secrets
from pathlib import Path

from msgspec import Struct

from collegium.tools.sandbox import SandboxLimits, SandboxResult, run_python

_STOPPED = {
    "timeout": "timed out",
    "memory-limit": "used too much memory",
    "output-limit": "wrote too much output",
}


class TestOutcome(Struct, frozen=True):
    """Whether a program passed its tests.

    Args:
        passed: Whether the tests ran to their end without an exception.
        reason: "passed", or in short what went wrong: "assertion failed: assert f(1) == 2",
            "SyntaxError: invalid syntax ...", "timed out".
    """

    __test__ = False  # pytest would collect the class for its name

    passed: bool
    reason: str


async def passes_tests(
    program: str,
    tests: str,
    *,
    limits: SandboxLimits = SandboxLimits(),
) -> TestOutcome:
    """Run a program and then its tests, in one fresh module, in the sandbox.

    The program counts as passing only if a nonce, new for each run, comes back, which the harness
    writes once the tests are over. Leaving early, printing something that looks like success, or
    reading standard input a second time gains nothing: the program never has the harness's output,
    and the nonce is gone from standard input before it starts.

    This is no proof against a program written to defeat this very harness. Program and tests share
    one interpreter: a program that knows the harness can find the descriptors in which it keeps
    the nonce and reports, and any program can change what the tests see, for example with results
    that equal everything. Only tests that compare plain values in another process would close
    that.

    Args:
        program: Python source that defines what the tests use. It is imported as the module
            `solution`, so an `if __name__ == "__main__":` block does not run.
        tests: Python source that raises an exception, such as a failed `assert`, if it disagrees.
        limits: What the run may spend.

    Returns:
        The outcome. Whatever the program does is an outcome, not an exception.

    Raises:
        SandboxUnavailable: This machine can't confine a program.
    """
    nonce = secrets.token_hex(16)
    job = json.dumps({"nonce": nonce, "program": program, "tests": tests})
    return _outcome(await run_python(_harness(), stdin=job, limits=limits), nonce)


@functools.cache
def _harness() -> str:
    return Path(__file__).with_name("harness.py").read_text(encoding="utf-8")


def _outcome(result: SandboxResult, nonce: str) -> TestOutcome:
    if result.status in _STOPPED:
        return TestOutcome(False, _STOPPED[result.status])
    if not result.stdout.startswith(nonce):
        ended = f"exit code {result.exit_code}" if result.exit_code is not None else "killed"
        return TestOutcome(False, f"ended before the tests completed ({ended})")
    reason = json.loads(result.stdout.removeprefix(nonce).splitlines()[0])
    if reason is None and result.status == "ok":
        return TestOutcome(True, "passed")
    return TestOutcome(False, reason or "failed after the tests")
