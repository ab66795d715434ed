"""The sandbox as a tool: what goes in, what comes out, and how runs end."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from collegium.tools import sandbox_launch
from collegium.tools.sandbox import (
    SandboxLimits,
    SandboxResult,
    SandboxUnavailable,
    run_command,
    run_python,
    sandbox_problem,
)

needs_sandbox = pytest.mark.skipif(sandbox_problem() is not None, reason=str(sandbox_problem()))


def python(code: str, **options: object) -> SandboxResult:
    return asyncio.run(run_python(code, **options))  # type: ignore[arg-type]


def command(*argv: str, **options: object) -> SandboxResult:
    return asyncio.run(run_command(argv, **options))  # type: ignore[arg-type]


@needs_sandbox
def test_a_program_reads_its_input_and_writes_its_output() -> None:
    result = python(
        "import sys; print(input()); print('warn', file=sys.stderr)", stdin="grüße 🙂\n"
    )
    assert (result.status, result.exit_code) == ("ok", 0)
    assert result.stdout == "grüße 🙂\n"
    assert result.stderr == "warn\n"
    assert not result.truncated


@needs_sandbox
@pytest.mark.parametrize("code", [1, 3, 255])
def test_the_exit_code_passes_through(code: int) -> None:
    result = python(f"raise SystemExit({code})")
    assert (result.status, result.exit_code) == ("error", code)


@needs_sandbox
def test_an_exception_leaves_its_traceback() -> None:
    result = python("def f():\n    return 1 / 0\nf()")
    assert (result.status, result.exit_code) == ("error", 1)
    assert "ZeroDivisionError" in result.stderr
    assert "main.py" in result.stderr


@needs_sandbox
def test_a_signal_is_reported_as_killed() -> None:
    result = python("import os; os.kill(os.getpid(), 11)")
    assert (result.status, result.exit_code) == ("killed", 139)


@needs_sandbox
def test_files_are_in_the_working_folder_and_can_be_changed_and_imported() -> None:
    code = (
        "import os, helper\n"
        "print(helper.WORD, open('data/deep/ä.bin', 'rb').read(), sorted(os.listdir('/box')))\n"
        "open('helper.py', 'a').write('#'); open('data/new', 'w').write('x'); os.mkdir('made')\n"
        "open(os.path.expanduser('~/here'), 'w').write('x')"
    )
    files = {"helper.py": "WORD = 'hé'", "data/deep/ä.bin": b"\x00\xff"}
    result = python(code, files=files)
    assert result.stdout == "hé b'\\x00\\xff' ['data', 'helper.py', 'main.py']\n", result


@needs_sandbox
@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../out", "a/../../out", "", ".", "main.py", "a\0b"]
)
def test_a_file_outside_the_working_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"below the working folder|main\.py"):
        python("pass", files={name: "x"})


@needs_sandbox
def test_files_larger_than_the_disk_are_refused() -> None:
    with pytest.raises(ValueError, match="larger"):
        python("pass", files={"a": b"x" * 2000}, limits=SandboxLimits(disk_bytes=1000))


@needs_sandbox
def test_a_shell_line_runs() -> None:
    result = command("sh", "-c", "cat data | tr a-z A-Z > /dev/stdout; ./run.sh", files={
        "data": "abc\n", "run.sh": "#!/bin/sh\necho err > /dev/stderr\nexit 7\n",
    })  # fmt: skip
    assert (result.stdout, result.stderr, result.exit_code) == ("ABC\n", "err\n", 7)


@needs_sandbox
def test_an_unknown_command_is_a_result() -> None:
    result = command("no-such-program")
    assert result.status == "error"
    assert "no-such-program" in result.stderr


@pytest.mark.parametrize("argv", [[], ["a\0b"]])
def test_a_command_must_be_one(argv: list[str]) -> None:
    with pytest.raises(ValueError, match="command"):
        command(*argv)


def test_a_limit_can_not_be_switched_off() -> None:
    with pytest.raises(ValueError, match="greater than zero"):
        SandboxLimits(memory_bytes=-1)


@needs_sandbox
def test_output_that_is_not_text_is_decoded_with_replacement() -> None:
    result = python("import os; os.write(1, b'a\\xff\\xfeb')")
    assert result.stdout == "a\ufffd\ufffdb"


@needs_sandbox
def test_a_program_that_is_not_valid_unicode_is_an_error_of_the_program() -> None:
    assert python("print('\ud800')").status == "error"


@needs_sandbox
def test_large_input_arrives_whole() -> None:
    result = python("import sys; print(len(sys.stdin.read()))", stdin="x" * 3_000_000)
    assert result.stdout == "3000000\n"


@needs_sandbox
def test_installed_packages_can_be_imported() -> None:
    if not Path(msgspec.__file__).is_relative_to(sys.prefix):
        pytest.skip("the packages lie outside of this Python installation")
    assert python("import msgspec, sys; print(sys.prefix)").stdout.strip() == sys.prefix


@needs_sandbox
@needs_sandbox
def test_a_folder_of_the_installation_can_be_hidden() -> None:
    folder = Path(msgspec.__file__).parent
    code = f"import os; print(os.listdir({str(folder)!r})); open({str(folder / 'x')!r}, 'w')"
    result = asyncio.run(run_command(["python", "-c", code], hidden=[folder, Path("/nowhere")]))
    assert result.stdout == "[]\n"
    assert "Read-only file system" in result.stderr
    assert asyncio.run(run_command(["python", "-c", "import msgspec"])).status == "ok"


def test_another_interpreter_can_be_chosen() -> None:
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("no system Python on this machine")
    result = python("import sys; print(sys.prefix)", python=system)
    assert result.stdout == "/usr\n", result


@needs_sandbox
def test_multiprocessing_and_threads_work() -> None:
    code = (
        "import multiprocessing as m, threading\n"
        "def f(x): return x * x\n"
        "if __name__ == '__main__':\n"
        "    t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "    with m.Pool(2) as pool: print(pool.map(f, [1, 2, 3]))\n"
    )
    assert python(code).stdout == "thread\n[1, 4, 9]\n"


@needs_sandbox
def test_what_was_printed_before_a_timeout_is_kept() -> None:
    result = python("import time; print('here'); time.sleep(60)", limits=SandboxLimits(seconds=0.5))
    assert (result.status, result.exit_code, result.stdout) == ("timeout", None, "here\n")
    assert 0.4 < result.seconds < 3


@needs_sandbox
def test_runs_side_by_side_do_not_disturb_each_other() -> None:
    code = (
        "import subprocess; [subprocess.run(['true']) for _ in range(3)]; print(open('n').read())"
    )

    async def many() -> list[SandboxResult]:
        limits = SandboxLimits(processes=4)
        runs = (run_python(code, files={"n": str(n)}, limits=limits) for n in range(12))
        return await asyncio.gather(*runs)

    results = asyncio.run(many())
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(12)], results


@needs_sandbox
def test_hundreds_of_runs_can_be_asked_for_at_once() -> None:
    async def many() -> list[SandboxResult]:
        return await asyncio.gather(*(run_command(["echo", str(n)]) for n in range(150)))

    assert [result.stdout for result in asyncio.run(many())] == [f"{n}\n" for n in range(150)]


@needs_sandbox
def test_a_cancelled_task_kills_the_program(running: Callable[[str], int]) -> None:
    mark = f"mark-{os.getpid()}-{time.time_ns()}"

    async def start_and_cancel() -> None:
        task = asyncio.create_task(run_command(["sh", "-c", f"sleep 61; : {mark}"]))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if running(mark):
                break
        assert running(mark)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start_and_cancel())
    assert not running(mark)


@needs_sandbox
def test_a_task_cancelled_at_any_moment_leaves_nothing(running: Callable[[str], int]) -> None:
    mark = f"mark-{os.getpid()}-{time.time_ns()}"

    async def cancel_after(seconds: float) -> None:
        task = asyncio.create_task(run_command(["sh", "-c", f"sleep 61; : {mark}"]))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for step in range(20):
        asyncio.run(cancel_after(step * 0.001))
    assert not running(mark)


@needs_sandbox
def test_no_descriptors_are_left_open() -> None:
    python("pass")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        python("pass", files={"a": "b"})
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_bubblewrap_it_refuses_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox_launch, "which", lambda program: None)
    sandbox_problem.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match=r"bwrap.*apt install bubblewrap"):
            python("print('ran')")
    finally:
        sandbox_problem.cache_clear()


def test_where_namespaces_are_forbidden_it_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sandbox_launch, "confined", lambda *a, **k: [str(fake)])
    monkeypatch.setattr(sandbox_launch, "which", lambda program: program)
    sandbox_problem.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match="Creating new namespace failed"):
            python("print('ran')")
    finally:
        sandbox_problem.cache_clear()


@needs_sandbox
def test_a_run_works_in_a_thread_of_its_own() -> None:
    results: list[SandboxResult] = []
    thread = threading.Thread(target=lambda: results.append(python("print(1)")))
    thread.start()
    thread.join()
    assert results[0].stdout == "1\n"
