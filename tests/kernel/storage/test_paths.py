"""Where files may lie: nothing leads out of an owner's folder."""

import os
from pathlib import Path

import pytest

from collegium.errors import BadInput, Denied
from collegium.kernel import Delete, ListFiles, Rollback, Store
from collegium.kernel.storage.paths import folder_name, parts_of
from tests.kernel.storage.support import check_agreement, kernel_on


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("../bob/secret", "leads out of a folder; '..' is not allowed"),
        ("a/../../bob/secret", "leads out of a folder"),
        ("a/../b", "leads out of a folder"),
        ("..", "leads out of a folder"),
        ("/etc/passwd", "is absolute; give one relative to the owner's folder"),
        ("//etc/passwd", "is absolute"),
        ("C:/Windows", "is absolute"),
        ("..\\bob\\secret", "has a backslash or a control character"),
        ("a\0b", "has a backslash or a control character"),
        ("a\nb", "has a backslash or a control character"),
        ("\ud800", "has a backslash or a control character"),
        ("", "names no file"),
        (".", "names no file"),
        ("./", "names no file"),
        ("notes/", "names no file"),
        ("notes/.", "names no file"),
    ],
)
async def test_a_path_stays_in_its_owners_folder(tmp_path: Path, path: str, says: str) -> None:
    kernel = kernel_on(tmp_path / "files")
    agent = kernel.agent("ann")
    await kernel.agent("bob").store("secret", "bob's")
    for attempt in (
        agent.store(path, "x"),
        agent.load(path),
        kernel.call(Rollback(agent="ann", path=path)),
        kernel.call(Delete(agent="ann", path=path)),
    ):
        with pytest.raises(BadInput) as refused:
            await attempt
        assert says in str(refused.value)
        assert str(refused.value).count(". ") == 0
    assert check_agreement(tmp_path / "files") == {"bob/secret": "bob's"}
    assert os.listdir(tmp_path) == ["files"]


@pytest.mark.parametrize(
    ("path", "same"), [("a//b", "a/b"), ("./a/./b", "a/b"), ("~/b", "~/b"), (".env", ".env")]
)
def test_ways_to_write_the_same_path(path: str, same: str) -> None:
    assert "/".join(parts_of(path)) == same


async def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "files"
    outside.mkdir()
    (outside / "secret").write_text("not yours")
    kernel = kernel_on(folder)
    agent = kernel.agent("ann")
    await agent.store("a", "mine")
    (folder / "ann" / "out").symlink_to(outside)
    (folder / "ann" / "link").symlink_to(outside / "secret")
    (folder / "ann" / "dangling").symlink_to(outside / "new")
    (folder / "eve").symlink_to(outside)
    eve = kernel.agent("eve")
    for attempt in (
        agent.load("out/secret"),
        agent.store("out/secret", "x"),
        agent.store("out/deep/new", "x"),
        agent.load("link"),
        agent.store("link", "x"),
        agent.store("dangling", "x"),
        kernel.call(Delete(agent="ann", path="out/secret")),
        kernel.call(Delete(agent="ann", path="link")),
        eve.load("secret"),
        eve.store("secret", "x"),
    ):
        with pytest.raises(BadInput, match="is a symbolic link"):
            await attempt
    assert await kernel.call(ListFiles(agent="ann")) == ("a",)
    assert await kernel.call(ListFiles(agent="eve")) == ()
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_text() == "not yours"


async def test_a_file_that_became_a_link_is_gone(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path / "files")
    agent = kernel.agent("ann")
    await agent.store("a", "mine")
    await agent.store("deep/b", "mine")
    (tmp_path / "secret").write_text("not yours")
    os.rename(tmp_path / "files" / "ann" / "deep", tmp_path / "moved")
    (tmp_path / "files" / "ann" / "deep").symlink_to(tmp_path / "moved")
    (tmp_path / "files" / "ann" / "a").unlink()
    (tmp_path / "files" / "ann" / "a").symlink_to(tmp_path / "secret")
    assert await kernel.call(ListFiles(agent="ann")) == ()
    for path in ("a", "deep/b"):
        with pytest.raises(BadInput, match="symbolic link"):
            await agent.load(path)


async def test_a_swap_for_a_link_in_the_middle_of_a_write_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder was opened before: what takes its name afterwards does not matter."""
    outside, folder = tmp_path / "outside", tmp_path / "files"
    outside.mkdir()
    agent = kernel_on(folder).agent("ann")
    await agent.store("deep/a", "one")
    real = os.replace

    def swapped(*args: object, **options: object) -> None:
        (folder / "ann" / "deep").rename(tmp_path / "moved")
        (folder / "ann" / "deep").symlink_to(outside)
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", swapped)
    await agent.store("deep/a", "two")
    assert os.listdir(outside) == []
    assert (tmp_path / "moved" / "a").read_text() == "two"


async def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    agent = kernel_on(tmp_path).agent("ann")
    await agent.store("a", "x")
    await agent.store("b/c", "x")
    with pytest.raises(BadInput, match="ann/a is a file, not a folder"):
        await agent.store("a/b", "x")
    with pytest.raises(BadInput, match="b is a folder, not a file"):
        await agent.store("b", "x")
    with pytest.raises(BadInput, match="File name too long"):
        await agent.store("n" * 300, "x")
    assert check_agreement(tmp_path) == {"ann/a": "x", "ann/b/c": "x"}


NAMES = (
    "ann",
    "Ann",
    "..",
    ".",
    ".collegium",
    "a/b",
    "a%2Fb",
    "%",
    "a\\b",
    "ä 1",
    "C:",
    "a\nb",
    "*",
)


def test_every_name_has_a_folder_of_its_own() -> None:
    folders = [folder_name(name) for name in NAMES]
    assert len(set(folders)) == len(NAMES)
    assert folders[:6] == ["ann", "Ann", "%2E.", "%2E", "%2Ecollegium", "a%2Fb"]
    assert all("/" not in f and not f.startswith(".") for f in folders)


async def test_agents_of_any_name_keep_their_own_files(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path / "files")
    for name in NAMES:
        await kernel.agent(name).store("a", name)
    for name in NAMES:
        assert await kernel._agents[name].load("a") == name
    assert len(os.listdir(tmp_path / "files")) == len(NAMES) + 1  # and the storage's own
    assert os.listdir(tmp_path) == ["files"]


async def test_a_name_is_needed(tmp_path: Path) -> None:
    kernel = kernel_on(tmp_path)
    with pytest.raises(BadInput, match="needs a name, not ''"):
        await kernel.call(Store(agent="", path="a", text="x"))
    with pytest.raises(Denied):
        await kernel.call(Store(agent="ann", path="a", text="x", owner="@team"))
