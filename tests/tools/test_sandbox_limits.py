"""Programs that try to use more than they may."""

import asyncio
import secrets
import sys
from collections.abc import Callable

import pytest

from collegium.tools.sandbox import SandboxLimits, SandboxResult, run_command, sandbox_problem

pytestmark = pytest.mark.skipif(sandbox_problem() is not None, reason=str(sandbox_problem()))

Attempt = Callable[..., SandboxResult]
Running = Callable[[str], int]

MIB = 1024 * 1024


def test_a_fork_bomb_ends(running: Running) -> None:
    mark = f"bomb-{secrets.token_hex(8)}"
    code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    argv = [sys.executable, "-c", code, mark]

    async def explode() -> tuple[SandboxResult, int]:
        task = asyncio.create_task(run_command(argv, limits=SandboxLimits(seconds=2)))
        most = 0
        while not task.done():
            most = max(most, running(mark))
            await asyncio.sleep(0.1)
        return await task, most

    result, most = asyncio.run(explode())
    assert result.status in ("timeout", "memory-limit"), result
    assert 20 < most <= 32
    assert running(mark) == 0


def test_the_number_of_processes_is_limited(attempt: Attempt) -> None:
    code = """
        import os, time
        made = 0
        try:
            while made < 500:
                if os.fork() == 0:
                    time.sleep(60)
                made += 1
        except OSError as error:
            print(type(error).__name__)
        print(made)
    """
    result = attempt(code, processes=8)
    error, made = result.stdout.split()
    assert error == "BlockingIOError"
    assert 5 <= int(made) <= 7, result


def test_threads_count_as_processes(attempt: Attempt) -> None:
    code = """
        import threading, time
        threads = []
        try:
            for _ in range(500):
                threads.append(threading.Thread(target=time.sleep, args=(60,), daemon=True))
                threads[-1].start()
        except RuntimeError:
            print(len(threads))
    """
    assert int(attempt(code, processes=8).stdout) < 9


def test_the_disk_is_limited(attempt: Attempt) -> None:
    result = attempt(
        """
        import os
        written = 0
        for folder in ('/box', '/tmp', '/dev/shm'):
            try:
                for number in range(1000):
                    with open(f'{folder}/fill{number}', 'wb') as file:
                        for _ in range(8):
                            file.write(bytes(1 << 20)); file.flush()
                            written += 1
            except OSError as error:
                print(error.errno)
        print(written)
        """,
        disk_bytes=20 * MIB,
    )
    *errors, written = result.stdout.split()
    assert errors == ["28"] * 3, result
    assert int(written) <= 20


def test_one_file_is_limited(attempt: Attempt) -> None:
    result = attempt(
        """
        file = open('huge', 'wb', buffering=0)
        try:
            for _ in range(100): file.write(bytes(1 << 20))
        except OSError as error:
            print(error.errno, file.tell() >> 20)
        """,
        file_bytes=4 * MIB,
    )
    assert result.stdout == "27 4\n", result


def test_sleeping_for_ever_ends(attempt: Attempt) -> None:
    result = attempt("import time; time.sleep(1e6)", seconds=0.5)
    assert (result.status, result.exit_code) == ("timeout", None)


def test_an_endless_loop_uses_up_its_processor_time(attempt: Attempt) -> None:
    result = attempt("while True: pass", cpu_seconds=1)
    assert result.status == "timeout", result


def test_ignoring_signals_does_not_help(attempt: Attempt) -> None:
    result = attempt(
        """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True: pass
        """,
        seconds=1,
    )
    assert result.status == "timeout"


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_gigabyte_of_output_is_cut_off(descriptor: int, attempt: Attempt) -> None:
    result = attempt(f"""
        import os
        for _ in range(1024): os.write({descriptor}, b'x' * (1 << 20))
    """)
    assert (result.status, result.truncated) == ("output-limit", True)
    assert len(result.stdout) + len(result.stderr) == 64 * 1024


def test_a_memory_hog_is_stopped(attempt: Attempt) -> None:
    result = attempt("hog = []\nwhile True: hog.append(bytearray(1 << 20))", memory_bytes=128 * MIB)
    assert result.status == "error", result
    assert "MemoryError" in result.stderr


def test_memory_is_limited_for_all_processes_together(attempt: Attempt) -> None:
    result = attempt(
        """
        import os, time
        for _ in range(10):
            if os.fork() == 0:
                hog = bytearray(os.urandom(1 << 20) * 60)
                time.sleep(60)
        time.sleep(60)
        """,
        memory_bytes=150 * MIB,
    )
    assert result.status == "memory-limit", result


@pytest.mark.parametrize(
    "trick",
    [
        # A name that is not text.
        "libc.prctl(15, b'\\xff\\xfe'); hog()",
        # The first thread ends, and the process goes on without it.
        "threading.Thread(target=hog).start(); libc.syscall(leave, 0)",
    ],
)
def test_a_process_can_not_hide_its_memory(attempt: Attempt, trick: str) -> None:
    result = attempt(
        f"""
        import ctypes, os, threading, time
        libc = ctypes.CDLL(None)
        leave = 60 if os.uname().machine == 'x86_64' else 93
        def hog():
            time.sleep(0.2)
            memory = bytearray(os.urandom(1 << 20) * 60)
            time.sleep(60)
        for _ in range(4):
            if os.fork() == 0:
                {trick}
        time.sleep(60)
        """,
        memory_bytes=150 * MIB,
    )
    assert result.status == "memory-limit", result


def test_shared_memory_is_counted_once(attempt: Attempt) -> None:
    result = attempt(
        """
        import os, time
        data = bytearray(60 << 20)
        children = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                time.sleep(0.3); os._exit(0)
            children.append(child)
        for child in children: os.waitpid(child, 0)
        """,
        memory_bytes=150 * MIB,
    )
    assert result.status == "ok", result


def test_memory_can_not_be_hidden_from_the_count(attempt: Attempt) -> None:
    result = attempt("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            os.memfd_create('hidden'); print('memfd')
        except OSError as error:
            print(type(error).__name__)
        if libc.shmget(0, 1 << 20, 0o1600) >= 0: print('shm')
        if libc.msgget(0, 0o1600) >= 0: print('msg')
        if libc.semget(0, 1, 0o1600) >= 0: print('sem')
    """)
    assert (result.status, result.stdout) == ("ok", "PermissionError\n"), result
