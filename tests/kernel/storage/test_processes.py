"""Several processes and many agents on the same files."""

import asyncio
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.kernel import gather
from collegium.kernel.storage.files import _key
from tests.kernel.storage.support import ROOT, check_agreement, kernel_on

WRITER = """
import asyncio, sys
from pathlib import Path
from tests.kernel.storage.support import kernel_on

async def main():
    agent = kernel_on(Path(sys.argv[1]), versions=500).agent("ann")
    sys.stdin.readline()
    for i in range(25):
        version = await agent.store("shared", f"{sys.argv[2]} {i}")
        print(version.number, flush=True)
        assert await agent.load("shared", version=version.number) == f"{sys.argv[2]} {i}"

asyncio.run(main())
"""


def test_three_processes_write_one_file(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    numbers = [[int(n) for n in w.communicate(timeout=120)[0].split()] for w in writers]
    assert [w.returncode for w in writers] == [0, 0, 0]
    assert all(n == sorted(n) for n in numbers)
    assert sorted(number for mine in numbers for number in mine) == list(range(1, 76))
    ((_, text),) = check_agreement(tmp_path).items()
    assert text in ("one 24", "two 24", "three 24")


async def test_a_file_that_another_process_holds_is_waited_for_and_then_given_up(
    tmp_path: Path,
) -> None:
    agent = kernel_on(tmp_path, lock_seconds=0.4).agent("ann")
    await agent.store("held", "one")
    lock = tmp_path / ".collegium" / "locks" / _key("ann", ("held",))[:4]
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begin = time.monotonic()
        waiting = asyncio.create_task(agent.store("held", "two"))
        await agent.store("other", "not held")  # others do not wait
        assert time.monotonic() - begin < 0.3
        assert await agent.load("held") == "one"
        with pytest.raises(
            BadInput, match=r"cannot write ann/held: another process .* for 0\.4 s; try again"
        ):
            await waiting
        assert 0.4 <= time.monotonic() - begin < 2
        waiting = asyncio.create_task(agent.store("held", "three"))
        await asyncio.sleep(0.1)
    assert (await waiting).number == 2
    assert await agent.load("held") == "three"


async def test_a_caller_that_is_cancelled_leaves_nothing_half_done(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    agent = kernel.agent("ann")
    await agent.store("a", "one")
    for _ in range(30):
        task = asyncio.create_task(agent.store("a", "two " * 100_000))
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await agent.store("a", "last")
    assert check_agreement(tmp_path) == {"ann/a": "last"}


async def test_many_agents_at_once(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    agents = [kernel.agent(f"agent-{i}") for i in range(16)]
    await gather(*(a.store(f"{j}", f"{a.name} {j}") for a in agents for j in range(5)))
    texts = await gather(*(a.load(f"{j}") for a in agents for j in range(5)))
    assert texts == [f"{a.name} {j}" for a in agents for j in range(5)]
    assert len(check_agreement(tmp_path)) == 80


async def test_the_loop_goes_on_while_the_disk_works(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    longest, running = 0.0, True

    async def beat() -> None:
        nonlocal longest
        while running:
            begin = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - begin)

    beating = asyncio.create_task(beat())
    begin = time.perf_counter()
    for _ in range(3):
        await agent.store("big", "some words of a text\n\n" * 100_000)
    whole = time.perf_counter() - begin
    running = False
    await beating
    assert longest < whole / 3
