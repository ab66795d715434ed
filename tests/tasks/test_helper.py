import asyncio
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collegium.errors import MissingExtra
from collegium.tasks.helper import MATH, Helper, HelperError, HelperTimeoutError
from collegium.tasks.math_equal import math_equal
from collegium.tasks.worker import harmless

pytestmark = pytest.mark.usefixtures("math_verify")

EQUAL = {"do": "same", "answer": "2(k+1)", "reference": "2k+2"}


@pytest.mark.parametrize("monster", ["9^{9^{9^{9}}}", "10000000!!!", "(" * 1500])
def test_a_runaway_request_ends_and_the_next_is_answered(monster: str) -> None:
    assert MATH.ask(EQUAL, seconds=20) is True
    started = time.monotonic()
    with pytest.raises(HelperError):
        MATH.ask({"do": "same", "answer": monster, "reference": "2k+2"}, seconds=1)
    assert time.monotonic() - started < 10
    assert MATH.ask(EQUAL, seconds=20) is True


def test_the_time_limit_is_kept() -> None:
    MATH.ask(EQUAL, seconds=20)
    started = time.monotonic()
    with pytest.raises(HelperTimeoutError):
        MATH.ask({"do": "same", "answer": "9^{9^{9^{9}}}", "reference": "1+k"}, seconds=0.5)
    assert time.monotonic() - started < 2


def test_a_failing_request_is_an_error_with_its_reason() -> None:
    with pytest.raises(HelperError, match="KeyError: 'nonsense'"):
        MATH.ask({"do": "nonsense"}, seconds=5)


def test_threads_may_ask_at_the_same_time() -> None:
    def ask(k: int) -> bool:
        request = {"do": "same", "answer": f"{k}(k+1)", "reference": f"{k}k+{k if k % 2 else 0}"}
        return MATH.ask(request, seconds=20)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(1, 25))) == [k % 2 == 1 for k in range(1, 25)]


async def test_the_event_loop_goes_on_meanwhile() -> None:
    await math_equal("2(k+1)", "2k+2", seconds=20)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticker = asyncio.create_task(tick())
    with pytest.raises(HelperTimeoutError):
        await math_equal("9^{9^{9^{9}}}", "k+1", seconds=0.5)
    ticker.cancel()
    assert ticks > 20


def test_a_closed_helper_starts_again() -> None:
    helper = Helper("math")
    assert helper.ask(EQUAL, seconds=20) is True
    helper.close()
    helper.close()
    assert helper.ask(EQUAL, seconds=20) is True
    helper.close()


def test_a_process_that_was_killed_is_replaced() -> None:
    helper = Helper("math")
    assert helper.ask(EQUAL, seconds=20) is True
    assert helper._process is not None
    helper._process.kill()
    helper._process.wait()
    assert helper.ask(EQUAL, seconds=20) is True
    helper.close()


def test_after_an_interruption_the_next_answer_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def readline(self) -> bytes:
            raise KeyboardInterrupt

        def close(self) -> None:
            pass

    helper = Helper("math")
    assert helper.ask(EQUAL, seconds=20) is True
    with monkeypatch.context() as patch:
        patch.setattr(helper._process, "stdout", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            helper.ask(EQUAL, seconds=20)
    assert helper.ask({**EQUAL, "answer": "k"}, seconds=20) is False
    helper.close()


def test_the_process_is_gone_when_its_program_ends() -> None:
    program = (
        "from collegium.tasks.helper import MATH\n"
        f"MATH.ask({EQUAL!r}, seconds=20)\n"
        "print(MATH._process.pid)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    alive = subprocess.run(["kill", "-0", ran.stdout.strip()], capture_output=True, check=False)
    assert alive.returncode != 0


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # A Python without any of the libraries.
    monkeypatch.setattr(sys, "executable", sys._base_executable)  # pyright: ignore[reportAttributeAccessIssue]
    ran = subprocess.run(
        [sys.executable, "-c", "import math_verify"], capture_output=True, check=False
    )
    if ran.returncode == 0:
        pytest.skip("this environment is not a virtual one")
    with pytest.raises(MissingExtra, match=r"math_verify.*collegium\[tasks\]"):
        Helper("math").ask(EQUAL, seconds=5)


@pytest.mark.parametrize(
    "expression",
    [
        "40*(94 - 90) + 83 - 74",
        "x*asin(3*x) + sqrt(1 - 9*x**2)/3 + C",
        "1.5*x",
        "-x**9 + 7*X",
        "5!",
    ],
)
def test_formulas_are_harmless(expression: str) -> None:
    assert harmless(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('id')",
        "().__class__",
        "open('/etc/passwd')",
        "chr(111)",
        "x.__class__",
        "_",
        "[1][0]",
        "lambda: 1",
        "exec(x)",
        "ｅｘｅｃ(x)",
        "1;2",
        "x:=1",
        "1" * 3000,
    ],
)
def test_what_could_reach_more_is_not_harmless(expression: str) -> None:
    assert not harmless(expression)
