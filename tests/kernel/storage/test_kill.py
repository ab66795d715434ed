"""A process killed in the middle of writing leaves whole files and an index that agrees."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collegium.kernel import ListFiles
from tests.kernel.storage.support import ROOT, check_agreement, kernel_on
from tests.kernel.storage.victim import PATHS, POINTS, text_of

KEPT = 3
COMMITTED = ("version committed", "before older versions go", "put aside and forgotten")
RENAMED = ("before the rename", "after the rename")

VICTIM = Path(__file__).with_name("victim.py")


def start(folder: Path, log: Path, seed: int, *point: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(VICTIM), str(folder), str(log), str(seed), *point]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})


def lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


Versions = dict[str, list[str]]
"""The texts of the versions of each file, oldest first."""


def applied(files: Versions, kind: str, path: str, number: str) -> Versions:
    """What the versions are after a call."""
    texts = files.get(path, [])
    if kind == "store":
        texts = [*texts, text_of(path, int(number))]
    elif kind == "rollback" and len(texts) > 1:
        texts = [*texts, texts[-2]]
    elif kind == "delete":
        texts = []
    after = {**files, path: texts[-KEPT:]}
    return {path: texts for path, texts in after.items() if texts}


def versions_in(folder: Path) -> Versions:
    """What the database holds."""
    database = sqlite3.connect(folder / ".collegium" / "index.db")
    rows = database.execute(
        "SELECT path, body FROM files JOIN versions ON file = id "
        "WHERE number > current - ? ORDER BY path, number",
        (KEPT,),
    ).fetchall()
    database.close()
    found: Versions = {}
    for path, body in rows:
        found.setdefault(path, []).append(body.decode())
    return found


async def check(folder: Path, log: Path) -> str:
    """All is as after the last answered call ("before") or as after the one in flight ("after")."""
    entries = lines(log)
    before: Versions = {}
    for mark, *call in entries[1:]:
        if mark == "!":
            before = applied(before, *call)
    after = applied(before, *entries[-1][1:]) if entries[-1][0] == "?" else before
    kernel = kernel_on(folder, versions=KEPT)
    listed = await kernel.call(ListFiles(agent="ann"))
    found = {path.removeprefix("ann/"): text for path, text in check_agreement(folder).items()}
    assert listed == tuple(sorted(found))
    kept = versions_in(folder)
    assert found == {path: texts[-1] for path, texts in kept.items()}
    assert kept in (before, after)
    agent = kernel.agent("ann")  # and work goes on
    for path in PATHS:
        if path in found:
            assert await agent.load(path) == found[path]
        await agent.store(path, "new")
        assert await agent.load(path) == "new"
    return "same" if before == after else "before" if kept == before else "after"


@pytest.mark.parametrize("point", POINTS)
async def test_death_between_any_two_steps(tmp_path: Path, point: str) -> None:
    folder, log = tmp_path / "files", tmp_path / "log"
    process = start(folder, log, 1, point)
    assert process.wait(60) == -signal.SIGKILL
    mark, kind, *_ = lines(log)[-1]
    assert mark == "?"
    # What was committed counts, and nothing else.
    committed = point in COMMITTED or (point in RENAMED and kind != "delete")
    assert await check(folder, log) == ("after" if committed else "before")


@pytest.mark.parametrize("seed", range(12))
async def test_death_at_any_moment(tmp_path: Path, seed: int) -> None:
    folder, log = tmp_path / "files", tmp_path / "log"
    process = start(folder, log, seed)
    until = time.monotonic() + 60
    while len(lines(log)) < 4:
        assert process.poll() is None
        assert time.monotonic() < until
        await asyncio.sleep(0.001)
    await asyncio.sleep(random.Random(seed).uniform(0, 0.5))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    await check(folder, log)
