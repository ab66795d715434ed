"""Versions of files: writing, reading, going back, removing, and what is kept."""

import asyncio
import gc
import os
import time
from pathlib import Path

import pytest

from collegium.errors import BadInput, Denied, UnknownName
from collegium.kernel import (
    Access,
    Delete,
    Kernel,
    ListFiles,
    Permission,
    Rollback,
    Version,
)
from collegium.kernel.access import always, by_rules
from collegium.kernel.storage import Storage
from collegium.kernel.storage.files import LARGEST
from tests.kernel.storage.support import check_agreement, kernel_on


async def list_files(kernel: Kernel, agent: str, folder: str = "") -> tuple[str, ...]:
    return await kernel.call(ListFiles(agent=agent, folder=folder))


async def test_each_write_is_a_version_and_a_real_file(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    before = time.time()
    first = await agent.store("notes/plan.md", "one")
    second = await agent.store("notes/plan.md", "two, longer\r\n")
    assert (first.number, first.size, second.number, second.size) == (1, 3, 2, 13)
    assert before <= first.created <= second.created <= time.time()
    assert (tmp_path / "ann" / "notes" / "plan.md").read_bytes() == b"two, longer\r\n"
    assert await agent.load("notes/plan.md") == "two, longer\r\n"
    assert await agent.load("notes/plan.md", version=1) == "one"
    assert check_agreement(tmp_path) == {"ann/notes/plan.md": "two, longer\r\n"}


async def test_the_same_text_again_is_a_version_too(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    assert [(await agent.store("a", "same")).number for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("text", ["", "ä🙂\u2028", "a\0b", "\ufeffmark", "\r\r\n\n", "x" * 10**6])
async def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    await agent.store("a.txt", text)
    assert await agent.load("a.txt") == text
    assert (tmp_path / "ann" / "a.txt").read_bytes() == text.encode()


async def test_only_so_many_versions_are_kept(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path, versions=20).agent("ann")
    for i in range(1, 26):
        await agent.store("a", f"text {i}")
    assert await agent.load("a", version=6) == "text 6"
    assert await agent.load("a", version=25) == "text 25"
    with pytest.raises(UnknownName, match="unknown version 5 of a; versions 6 to 25 are kept"):
        await agent.load("a", version=5)
    with pytest.raises(UnknownName, match="unknown version 26 of a"):
        await agent.load("a", version=26)
    with pytest.raises(BadInput, match="a can be rolled back by 1 to 19 steps, not 20"):
        await agent.kernel.call(Rollback(agent="ann", path="a", steps=20))
    assert (await agent.kernel.call(Rollback(agent="ann", path="a", steps=19))).number == 26
    assert await agent.load("a") == "text 6"
    # the version it came from has been let go of by now
    with pytest.raises(UnknownName):
        await agent.load("a", version=6)


async def test_rolling_back_is_itself_a_version(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    for text in ("one", "two", "three"):
        await agent.store("a", text)
    back = await agent.kernel.call(Rollback(agent="ann", path="a", steps=2))
    assert (back.number, back.size) == (4, 3)
    assert await agent.load("a") == "one"
    assert await agent.load("a", version=3) == "three"
    await agent.kernel.call(Rollback(agent="ann", path="a"))  # undo it
    assert await agent.load("a") == "three"
    assert check_agreement(tmp_path) == {"ann/a": "three"}


async def test_going_back_to_the_version_nearest_a_time(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    versions: list[Version] = []
    for text in ("one", "two", "three"):
        versions.append(await agent.store("a", text))
        await asyncio.sleep(0.03)
    one, two, three = (v.created for v in versions)
    for when, text in (
        (0.0, "one"),
        (one + 0.4 * (two - one), "one"),
        (one + 0.6 * (two - one), "two"),
        (three - 0.1 * (three - two), "three"),
    ):
        await agent.kernel.call(Rollback(agent="ann", path="a", time=when))
        assert await agent.load("a") == text
    await agent.kernel.call(Rollback(agent="ann", path="a", time=time.time() + 1e9))
    assert await agent.load("a", version=8) == "three"


@pytest.mark.parametrize("steps", [0, -1])
async def test_steps_go_backwards(tmp_path: Path, steps: int) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    await agent.store("a", "one")
    await agent.store("a", "two")
    with pytest.raises(BadInput, match=f"rolled back by 1 to 1 steps, not {steps}"):
        await agent.kernel.call(Rollback(agent="ann", path="a", steps=steps))
    assert await agent.load("a") == "two"


async def test_a_first_version_has_nothing_before_it(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    await agent.store("a", "one")
    with pytest.raises(BadInput, match="a has no earlier version"):
        await agent.kernel.call(Rollback(agent="ann", path="a"))
    with pytest.raises(UnknownName, match="unknown file of 'ann' 'b'; known: a"):
        await agent.kernel.call(Rollback(agent="ann", path="b"))


async def test_a_file_that_is_not_there_is_named_with_its_neighbour(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    with pytest.raises(UnknownName, match=r"unknown file of 'ann' 'report\.md'; there are none"):
        await agent.load("report.md")
    await agent.store("reports.md", "x")
    with pytest.raises(UnknownName, match=r"'report.md'; did you mean 'reports.md'\?"):
        await agent.load("report.md")


async def test_a_removed_file_is_gone_with_all_versions(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    agent = kernel.agent("ann")
    await agent.store("a", "one")
    await agent.store("a", "two")
    await agent.store("b", "other")
    assert await kernel.call(Delete(agent="ann", path="a")) is True
    assert await kernel.call(Delete(agent="ann", path="a")) is False
    assert not (tmp_path / "ann" / "a").exists()
    with pytest.raises(UnknownName):
        await agent.load("a", version=1)
    assert check_agreement(tmp_path) == {"ann/b": "other"}
    assert (await agent.store("a", "new")).number == 1


async def test_listing_goes_by_folder(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    ann, bob = kernel.agent("ann"), kernel.agent("bob")
    for path in ("b", "a/x", "a/y/z", "ab"):
        await ann.store(path, "x")
    await bob.store("bob's", "x")
    assert await list_files(kernel, "ann") == ("a/x", "a/y/z", "ab", "b")
    assert await list_files(kernel, "ann", "a") == ("a/x", "a/y/z")
    assert await list_files(kernel, "ann", "a/y/") == ("a/y/z",)
    assert await list_files(kernel, "ann", "none") == ()
    assert await list_files(kernel, "bob", ".") == ("bob's",)
    for folder in ("..", "/", "a/../.."):
        with pytest.raises(BadInput):
            await list_files(kernel, "ann", folder)


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    storage = Storage(tmp_path, access=Access())
    agent = Kernel(kernel_on(None)._models, drivers=storage.drivers).agent("ann")
    await agent.store("a", "one")
    await agent.store("a", "two")
    storage.close()
    with pytest.raises(BadInput, match="cannot read ann/a: the storage is closed"):
        await agent.load("a")
    agent = kernel_on(tmp_path).agent("ann")
    assert await agent.load("a") == "two"
    assert await agent.load("a", version=1) == "one"
    assert (await agent.store("a", "three")).number == 3


async def test_an_overwrite_that_can_be_undone_asks_nobody(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path, Access(ask=None), versions=2).agent("ann")
    await agent.store("a", "one")
    await agent.store("a", "two")
    await agent.kernel.call(Rollback(agent="ann", path="a"))
    assert await agent.load("a") == "one"


async def test_an_overwrite_that_keeps_nothing_asks_first(tmp_path: Path) -> None:
    asked: list[Permission] = []

    async def refuse(permission: Permission) -> bool:
        asked.append(permission)
        return False

    kernel = kernel_on(tmp_path, Access(ask=refuse), versions=1)
    agent = kernel.agent("ann")
    await agent.store("a", "one")
    assert asked == []
    with pytest.raises(Denied, match="wants to overwrite ann/a: permission was refused"):
        await agent.store("a", "two")
    assert asked == [Permission("ann", "overwrite", "ann/a")]
    assert await agent.load("a") == "one"
    assert [e.outcome for e in kernel.trace.events] == ["observation", "error", "observation"]
    permitted = kernel_on(tmp_path, Access(ask=by_rules(["overwrite"])), versions=1).agent("ann")
    assert (await permitted.store("a", "two")).number == 2
    with pytest.raises(UnknownName):
        await permitted.load("a", version=1)


async def test_removing_asks_first_and_only_for_what_is_there(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path, Access(ask=None))
    await kernel.agent("ann").store("a", "one")
    with pytest.raises(Denied, match="'ann' wants to delete ann/a, which cannot be undone"):
        await kernel.call(Delete(agent="ann", path="a"))
    assert await kernel.call(Delete(agent="ann", path="b")) is False
    assert check_agreement(tmp_path) == {"ann/a": "one"}


async def test_what_a_person_does_by_hand_is_a_version(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    agent = kernel.agent("ann")
    file = tmp_path / "ann" / "a.md"
    await agent.store("a.md", "by ann")
    file.write_text("by hand")
    (tmp_path / "ann" / "new").mkdir()
    (tmp_path / "ann" / "new" / "b.md").write_text("brought")
    assert await agent.load("a.md") == "by hand"
    assert await agent.load("a.md", version=1) == "by ann"
    assert await agent.load("new/b.md") == "brought"
    file.write_text("by hand again")
    assert (await agent.store("a.md", "by ann again")).number == 4
    assert await agent.load("a.md", version=3) == "by hand again"
    file.unlink()
    assert await list_files(kernel, "ann") == ("new/b.md",)
    with pytest.raises(UnknownName):
        await agent.load("a.md")
    assert check_agreement(tmp_path) == {"ann/new/b.md": "brought"}
    # taken away by hand, so its versions are still there
    assert (await kernel.call(Rollback(agent="ann", path="a.md"))).number == 5
    assert await agent.load("a.md") == "by ann again"


async def test_a_folder_that_was_copied_is_as_it_was(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    storage = Storage(here, access=Access())
    agent = Kernel(kernel_on(None)._models, drivers=storage.drivers).agent("ann")
    await agent.store("a", "one")
    await agent.store("a", "two")
    storage.close()
    for file in here.rglob("*"):
        copy = there / file.relative_to(here)
        if file.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    kernel = kernel_on(there)
    agent = kernel.agent("ann")
    assert await list_files(kernel, "ann") == ("a",)
    assert (await agent.store("a", "three")).number == 3


async def test_what_is_no_text_is_left_alone(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    agent = kernel.agent("ann")
    await agent.store("a.txt", "x")
    picture = tmp_path / "ann" / "picture.png"
    picture.write_bytes(b"\x89PNG\xff")
    assert await list_files(kernel, "ann") == ("a.txt",)
    for attempt in (agent.load("picture.png"), agent.store("picture.png", "text")):
        with pytest.raises(BadInput, match=r"picture.png is not a UTF-8 text"):
            await attempt
    assert picture.read_bytes() == b"\x89PNG\xff"
    picture.write_text("now it is")
    assert await agent.load("picture.png") == "now it is"


async def test_texts_that_cannot_be_kept(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    with pytest.raises(BadInput, match="half a character"):
        await agent.store("a", "\ud800")
    with pytest.raises(BadInput, match=r"has 16,777,217 bytes; the most is 16,777,216"):
        await agent.store("a", "x" * (LARGEST + 1))
    assert check_agreement(tmp_path) == {}


def test_a_storage_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"cannot use .*file/here as a storage: Not a directory"):
        Storage(tmp_path / "file" / "here", access=Access())
    with pytest.raises(BadInput, match="at least 1 version of a file, not 0"):
        Storage(tmp_path / "new", access=Access(), versions=0)
    assert not (tmp_path / "new").exists()
    state = tmp_path / "damaged" / ".collegium"
    state.mkdir(parents=True)
    (state / "index.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(BadInput, match=r"cannot use .*damaged as a storage: file is not a "):
        Storage(tmp_path / "damaged", access=Access())


async def test_a_private_folder_ends_with_its_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    closed, dropped = (Storage(None, access=Access(ask=always)) for _ in range(2))
    assert os.listdir(tmp_path) == []  # not before it is needed
    for storage in (closed, dropped):
        agent = Kernel(kernel_on(None)._models, drivers=storage.drivers).agent("ann")
        await agent.store("a", "one")
        assert await agent.load("a") == "one"
        del agent
    assert len(os.listdir(tmp_path)) == 2
    closed.close()
    assert len(os.listdir(tmp_path)) == 1
    del storage, dropped
    gc.collect()
    assert os.listdir(tmp_path) == []
