"""A disk without room: a sentence, and nothing lost."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.kernel import Delete, Find
from collegium.kernel.storage.index import Index
from tests.kernel.storage.support import check_agreement, kernel_on


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    (small_disk / "other").write_bytes(bytes(2**20))
    kernel = kernel_on(small_disk / "files", versions=3)
    agent = kernel.agent("ann")
    written: dict[str, str] = {}
    refusals: list[str] = []
    for i in range(60):
        path, text = f"{i % 10}.md", f"text{i} " * (15_000 + 1000 * i)
        try:
            await agent.store(path, text)
            written[path] = text
        except BadInput as error:
            refusals.append(str(error))
        if path in written:
            assert await agent.load(path) == written[path]
    assert len(refusals) > 20
    for said in refusals:
        assert said.startswith("cannot write ann/")
        assert "No space left" in said or "full" in said
    assert len(written) > 3
    assert check_agreement(small_disk / "files") == {f"ann/{p}": t for p, t in written.items()}
    # reopened on the full disk
    kernel = kernel_on(small_disk / "files", versions=3)
    agent = kernel.agent("ann")
    for path, text in written.items():
        assert await agent.load(path) == text
    first = next(iter(written))
    word = written[first].split()[0]
    assert [f.path for f in await kernel.call(Find(agent="ann", query=word))] == [first]
    # and it goes on once there is some room
    (small_disk / "other").unlink()
    for path in list(written)[1:]:
        await kernel.call(Delete(agent="ann", path=path))
    await agent.store("small", "fits again")
    found = check_agreement(small_disk / "files")
    assert found == {f"ann/{first}": written[first], "ann/small": "fits again"}


@pytest.mark.parametrize("known", [False, True])
async def test_a_rename_that_fails_takes_the_version_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    kernel = kernel_on(tmp_path, versions=2)
    agent = kernel.agent("ann")
    await agent.store("b", "other")
    if known:
        for text in ("one", "two", "three"):
            await agent.store("a", text)

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(BadInput, match="cannot write ann/a: No space left on device"):
            await agent.store("a", "lost")
    before = {"ann/a": "three", "ann/b": "other"} if known else {"ann/b": "other"}
    assert check_agreement(tmp_path) == before
    if known:
        assert await agent.load("a", version=2) == "two"
    assert (await agent.store("a", "again")).number == (4 if known else 1)


async def test_older_versions_that_cannot_be_let_go_of_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    agent = kernel_on(tmp_path, versions=2).agent("ann")

    def full(*args: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Index, "prune", full)
        for text in ("one", "two", "three"):
            await agent.store("a", text)
    with pytest.raises(BadInput, match="versions 2 to 3 are kept"):
        await agent.load("a", version=1)
    await agent.store("a", "four")
    check_agreement(tmp_path)
    database = sqlite3.connect(tmp_path / ".collegium" / "index.db")
    assert database.execute("SELECT number FROM versions").fetchall() == [(3,), (4,)]
