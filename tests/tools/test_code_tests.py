"""Judging programs by their tests, and programs that try to look as if they passed."""

import asyncio

import pytest

from collegium.tools.code_tests import TestOutcome, passes_tests
from collegium.tools.sandbox import SandboxLimits, sandbox_problem

pytestmark = pytest.mark.skipif(sandbox_problem() is not None, reason=str(sandbox_problem()))

TESTS = "assert add(1, 2) == 3\nassert add(-1, 1) == 0\n"


def judge(program: str, tests: str = TESTS) -> TestOutcome:
    return asyncio.run(passes_tests(program, tests, limits=SandboxLimits(seconds=3)))


@pytest.mark.parametrize(
    "program",
    [
        "def add(a, b): return a + b",
        "def add(a, b):\n    print('talkative' * 100000)\n    return a + b",
        "def add(a, b): return a + b\nif __name__ == '__main__': raise SystemExit(1)",
        "import atexit, os; atexit.register(os._exit, 3)\ndef add(a, b): return a + b",
        "import os\nos.fork()\ndef add(a, b): return a + b",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n"
        "def add(a, b): return a + b",
        "from __future__ import annotations\ndef add(a: int, b: Unknown) -> int: return a + b",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: 'int'\n"
        "def add(a, b): return P(a + b).x",
    ],
)
def test_a_right_program_passes(program: str) -> None:
    assert judge(program) == TestOutcome(True, "passed")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def add(a, b): return a - b", "assertion failed: assert add(1, 2) == 3"),
        ("def add(a, b): return 3", "assertion failed: assert add(-1, 1) == 0"),
        ("def add(a, b) return", "SyntaxError: "),
        ("def plus(a, b): return a + b", "NameError: name 'add' is not defined"),
        ("def add(a, b): return a / 0", "ZeroDivisionError: division by zero"),
        ("def add(a, b): return add(a, b)", "RecursionError: "),
        ("while True: pass", "timed out"),
        ("import os; os.kill(os.getpid(), 9)", "ended before the tests completed (exit code 137)"),
        ("x = bytearray(1 << 40)", "MemoryError"),
        ("print(input())", "EOFError: "),
        ("", "NameError: "),
        ("\0", ""),
        ("raise Exception('x' * 10**6)", "Exception: xxx"),
    ],
)
def test_a_wrong_program_fails_with_its_reason(program: str, reason: str) -> None:
    outcome = judge(program)
    assert not outcome.passed
    assert outcome.reason.startswith(reason)
    assert len(outcome.reason) <= 300


def test_a_message_of_the_tests_is_the_reason() -> None:
    outcome = judge("def add(a, b): return 0", "assert add(1, 1) == 2, 'one and one'")
    assert outcome == TestOutcome(False, "assertion failed: one and one")


def test_a_failure_inside_a_function_of_the_tests_shows_its_line() -> None:
    tests = "def check(candidate):\n    assert candidate(1, 2) == 3\ncheck(add)\n"
    outcome = judge("def add(a, b): return 0", tests)
    assert outcome == TestOutcome(False, "assertion failed: assert candidate(1, 2) == 3")


HOSTILE = "class E(Exception):\n    def __str__(self): raise self\nraise E"


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "raise SystemExit",
        "import sys\ndef add(a, b): sys.exit(0)",
        "import os\ndef add(a, b): os._exit(0)",
        "print('passed'); print('null'); print('OK'); import os; os._exit(0)",
        "import os\nfor d in range(3): os.write(d, b'null\\n')\nos._exit(0)",
        "import os, sys\nos.execvp(sys.executable, [sys.executable, '-c', 'print(0)'])",
        "import os\nif os.fork(): os._exit(0)\nos._exit(0)",
        "import atexit, os, sys; atexit.register(os._exit, 0); sys.exit(1)",
        "import signal, os\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.01)\nwhile True: pass",
        "import threading, os\nthreading.Thread(target=os._exit, args=(0,)).start()\n"
        "while True: pass",
        "import builtins\nbuiltins.AssertionError = ValueError\ndef add(a, b): return 0",
        HOSTILE,
        # Reading the nonce again from where the harness got it.
        "import os, sys\nsys.__stdin__ = open('/proc/1/fd/0')\n"
        "os.lseek(0, 0, 0); print(sys.stdin.read(), os.read(0, 9999)); os._exit(0)",
    ],
)
def test_a_program_that_only_looks_like_passing_fails(program: str) -> None:
    assert not judge(program).passed


def test_the_nonce_is_gone_from_standard_input_and_from_every_object() -> None:
    # The nonce is the only text of 32 hexadecimal digits.
    program = """
import gc, glob, os, re, sys
found = []
pattern = re.compile(rb'[0-9a-f]{32}')
for path in glob.glob('/proc/[0-9]*/fd/0') + glob.glob('/proc/[0-9]*/cmdline'):
    try:
        found += pattern.findall(open(path, 'rb').read())
    except OSError:
        pass
frame = sys._getframe()
while frame:
    found += pattern.findall(repr(frame.f_locals).encode())
    frame = frame.f_back
raise Exception(found)
"""
    assert judge(program).reason == "Exception: []"
