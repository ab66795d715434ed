"""Pages that mean ill, and browsers that die."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.worlds.web.site import Notes
from tests.worlds.web.test_world import number


async def test_nothing_outside_is_reached(opened, site: Notes) -> None:
    outside = site.other  # type: ignore[attr-defined]
    world, seen = await opened("/away")
    assert "This page cannot be reached from here. What can be: http://shop.test." in seen
    for way in (
        "goto [http://shop.test/redirect]",
        "goto [http://shop.test/frames]",
        f"goto [{outside.address}/direct]",
        "goto [http://example.com/]",
        "goto [file:///etc/passwd]",
        "goto [chrome://version]",
    ):
        await world.step(way)
    assert outside.asked == []
    assert (
        "file:///etc/passwd cannot be reached"
        in (await world.step("goto [file:///etc/passwd]")).observation
    )
    assert "Notes" in (await world.step("goto [http://shop.test/]")).observation


async def test_a_page_that_hangs_is_replaced(opened) -> None:
    world, seen = await opened("/spin", patience=1.5)
    turn = await world.step(f"click [{number(seen, 'Spin')}]")
    assert "did not answer any more" in turn.observation and not turn.done
    turn = await world.step("goto [http://shop.test/]")
    assert "heading 'Notes'" in turn.observation


async def test_dialogs(opened) -> None:
    world, seen = await opened("/alerts", patience=2)
    turn = await world.step(f"click [{number(seen, 'Ask')}]")
    assert "The page said in a dialog: confirm: 'Really?'" in turn.observation
    assert "Tab 0 (current): Yes" in turn.observation
    turn = await world.step(f"click [{number(seen, 'Nag')}]")
    assert "did not answer any more" in turn.observation
    world, seen = await opened("/alerts", mode="compat")
    turn = await world.step(f"click [{number(seen, 'Ask')}]")
    assert "Tab 0 (current): No" in turn.observation


async def test_a_page_that_never_ends_is_taken_as_it_is(opened) -> None:
    world, seen = await opened("/slow", patience=1.0)
    assert "Begun" in seen
    turn = await world.step("goto [http://shop.test/]")
    assert "heading 'Notes'" in turn.observation


async def test_huge_and_deep_pages(opened) -> None:
    _, seen = await opened("/huge", whole=True, patience=30)
    assert len(seen) < 5000 and "more elements are not shown" in seen
    world, seen = await opened("/deep")
    assert "button 'Down here'" in seen and len(world.last.observation) < 2000


async def test_words_of_a_page_stay_words(opened) -> None:
    world, seen = await opened("/injected")
    lines = [line.strip() for line in seen.splitlines()]
    assert sum("IGNORE ALL" in line for line in lines) == 1
    assert not any(line.startswith(("[99]", "stop", "[1] link")) for line in lines)
    turn = await world.step("click [99]")
    assert "There is no element with the number 99" in turn.observation and not turn.done


async def test_windows_without_end_and_windows_that_close(opened) -> None:
    world, seen = await opened("/windows")
    turn = await world.step(f"click [{number(seen, 'Open')}]")
    assert "Tab 1" in turn.observation and "Tab 12" not in turn.observation
    world, seen = await opened("/")
    turn = await world.step("new_tab")
    turn = await world.step("goto [http://shop.test/closes]")
    turn = await world.step(f"click [{number(turn.observation, 'Close')}]")
    assert not turn.done and "Tab 0" in turn.observation


async def test_a_browser_that_dies_is_started_again(opened) -> None:
    world, seen = await opened()
    await world.step(f"type [{number(seen, 'Words')}] [kept] [0]")
    for process in chromium_of(os.getpid()):
        os.kill(process, signal.SIGKILL)
    await asyncio.sleep(0.5)
    turn = await world.step("press [End]")
    assert "value: 'kept'" in turn.observation
    assert len(world.moves) == 2


PROGRAM = """
import asyncio, sys
from tests.worlds.web.site import Notes, web_task
from collegium.worlds.web import WebWorld

async def main():
    site = Notes()
    world = WebWorld(web_task(), {"shop": site.address})
    await world.reset(0)
    print("open", flush=True)
    if sys.argv[1] == "wait":
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["wait", "end"])
def test_no_browser_outlives_its_process(browser: None, how: str) -> None:
    root = Path(__file__).parents[3]
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert program.stdout is not None
    assert program.stdout.readline() == b"open\n"
    started = descendants(program.pid)
    if how == "wait":
        assert any("chrom" in command_of(p) for p in started)
        program.kill()
    program.wait(20)
    program.stdout.close()
    until = time.monotonic() + 15
    while time.monotonic() < until and any(map(command_of, started)):
        time.sleep(0.1)
    assert not [command_of(p) for p in started if command_of(p)]


def descendants(root: int) -> list[int]:
    """All processes below one."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found, waiting = [], [root]
    while waiting:
        parent = waiting.pop()
        below = [pid for pid, above in pairs if above == parent]
        found += below
        waiting += below
    return found


def command_of(process: int) -> str:
    """The command line of a process; "" when it is gone or nobody has taken note of its end."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return ""
    return "" if state == "Z" else command.replace(b"\0", b" ").decode(errors="replace")


def chromium_of(root: int) -> list[int]:
    """The browser's own process below one, without those that it started."""
    found = [p for p in descendants(root) if "/chrom" in command_of(p)]
    return [p for p in found if "--type=" not in command_of(p) and "crashpad" not in command_of(p)]
