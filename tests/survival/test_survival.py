"""A run of 200 questions through hanging and failing tools, a dead engine, Ctrl-C and a full disk.

Nothing is lost, nothing that changes the world is done twice, and the record says what happened.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from collegium.kernel import RunStore
from tests.models.conftest import need

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
QUESTIONS = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


class Program:
    """The program under test, from one start to its end."""

    def __init__(self, folder: Path, disk: Path, slow_from: int = 1000) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.survival.survivor", str(folder / "q.csv"),
             str(disk / "runs.db")],
            cwd=ROOT,
            env={**os.environ, "LEDGER": str(folder / "ledger"), "SLOW_FROM": str(slow_from)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.engine = int(self.line("engine")[1])

    def line(self, word: str, at_least: int = 0) -> list[str]:
        """The next line that begins with a word, and has a number of at least so much."""
        assert self.process.stdout
        for text in self.process.stdout:
            words = text.split()
            if words and words[0] == word and int(words[1]) >= at_least:
                return words
        assert self.process.stderr
        raise AssertionError(f"it ended before {word!r}: {self.process.stderr.read()}")

    def end(self) -> tuple[int, str]:
        """Wait for the end; returns the exit status and what it said last."""
        _, told = self.process.communicate(timeout=120)
        return self.process.returncode, told


def test_a_run_survives(tmp_path: Path, small_disk: Path) -> None:
    need("local-tiny")
    lines = [f"Say the number {n},paid {n}" for n in range(QUESTIONS)]
    (tmp_path / "q.csv").write_text("question,answer\n" + "\n".join(lines) + "\n")

    # The engine dies, and comes back by itself; then the user loses patience, twice.
    first = Program(tmp_path, small_disk, slow_from=60)
    first.line("done", 20)
    os.kill(first.engine, signal.SIGKILL)
    first.line("done", 60)
    first.process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    first.process.send_signal(signal.SIGINT)
    status, _ = first.end()
    assert status != 0

    # The disk fills up in the middle.
    second = Program(tmp_path, small_disk, slow_from=20)
    second.line("done", 20)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    status, told = second.end()
    assert status == 2
    assert "the disk is full" in told
    assert "--resume" in told

    # There is room again: the run goes on and ends.
    filler.unlink()
    third = Program(tmp_path, small_disk)
    _, n, correct, errors, run = third.line("report")
    assert third.end()[0] == 0
    assert (int(n), int(correct), int(errors)) == (QUESTIONS, QUESTIONS, 0)

    # Nothing lost, nothing done twice.
    paid = Counter((tmp_path / "ledger").read_text().split())
    assert paid == Counter(str(n) for n in range(QUESTIONS))

    # And the record says what happened.
    store = RunStore(small_disk / "runs.db")
    assert store.run(run).status == "done"
    events = [event for _, _, event in store.events(run)]
    failures = Counter(e.failure for e in events if e.error)
    hung = [e for e in events if "ran over its time-out" in e.error]
    burst = [e for e in events if "boom" in e.error]
    store.close()
    assert (len(hung), len(burst)) == (20, 20)
    assert failures["ToolError"] == 40
