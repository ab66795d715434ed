"""A run that is killed, and killed again, goes on without paying twice."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from collegium.kernel import RunStore

VICTIM = Path(__file__).with_name("victim.py")
ROOT = VICTIM.parents[2]


def start(folder: Path, width: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        str(VICTIM),
        str(folder / "runs.db"),
        str(folder / "log"),
        str(width),
    ]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})


def calls(folder: Path) -> list[str]:
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def kill_after(folder: Path, width: int, lines: int) -> None:
    """Start it, and kill it while call number ``lines`` or a later one is in flight."""
    process = start(folder, width)
    until = time.monotonic() + 60
    while len(calls(folder)) < lines:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def outcome(folder: Path) -> tuple[dict[Any, bytes], list[Any]]:
    """Results and recorded calls of the finished run."""
    store = RunStore(folder / "runs.db")
    run = store.run("last")
    assert run.status == "done"
    events = [
        (task, e.call.agent, e.kind, [r.text for r in e.replies], e.value, e.usage)
        for _, task, e in store.events(run.id)
    ]
    results = store.results(run.id)
    store.close()
    return results, sorted(map(repr, events))


@pytest.mark.parametrize("width", [1, 3])
def test_killed_twice_it_ends_as_if_never_interrupted(tmp_path: Path, width: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    assert start(whole, width).wait() == 0
    kill_after(broken, width, 33)
    kill_after(broken, width, 71)
    assert start(broken, width).wait() == 0

    assert len(calls(whole)) == 20 * (5 + 1)
    assert outcome(broken) == outcome(whole)
    # Only what was in flight when the process died was asked for again.
    once, again = Counter(calls(whole)), Counter(calls(broken))
    assert set(again) == set(once)
    assert sum(again.values()) <= sum(once.values()) + 2 * width
    assert max(again.values()) <= 2


def test_a_finished_run_asks_nothing_more(tmp_path: Path) -> None:
    assert start(tmp_path, 3).wait() == 0
    before = calls(tmp_path)
    assert start(tmp_path, 3).wait() == 0
    assert calls(tmp_path) == before
