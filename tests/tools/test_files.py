"""File tools stay in their folders, whatever they are asked for."""

from __future__ import annotations

import os

import pytest

from collegium.errors import BadInput, Denied, UnknownName
from collegium.tools import files
from collegium.tools.files import file_tools


@pytest.fixture
def place(tmp_path):
    root = tmp_path / "root"
    for name, text in {"notes/a.txt": "A", "notes/deep/b.md": "B", "secret/c.txt": "C"}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "outside.txt").write_text("O")
    return root


def tools(root, **permissions):
    return {t.spec.name: t for t in file_tools(root, **permissions)}


async def run(made, name, **arguments):
    return await made[name].run(arguments)


async def test_list_read_and_write(place):
    made = tools(place, write=["notes"])
    assert await run(made, "list_files", folder="notes") == ["notes/a.txt", "notes/deep/b.md"]
    assert await run(made, "list_files", folder="notes", pattern="*.md") == ["notes/deep/b.md"]
    assert await run(made, "list_files", folder="notes", skip="a.txt") == ["notes/deep/b.md"]
    assert await run(made, "read_file", path="notes/a.txt") == "A"
    assert await run(made, "write_file", path="notes/new/x.txt", text="ü") == "notes/new/x.txt"
    assert (place / "notes/new/x.txt").read_text() == "ü"


@pytest.mark.parametrize(
    "path",
    [
        "secret/c.txt",
        "notes/../secret/c.txt",
        "../outside.txt",
        "/etc/passwd",
        "notes/link",
        "notes/door/outside.txt",
        "notesx/a.txt",
    ],
)
async def test_nothing_outside_is_read_or_written(place, tmp_path, path):
    (place / "notes/link").symlink_to(place / "secret/c.txt")
    (place / "notes/door").symlink_to(tmp_path, target_is_directory=True)
    made = tools(place, write=["notes"])
    with pytest.raises(Denied, match="permitted folders: notes"):
        await run(made, "read_file", path=path)
    with pytest.raises(Denied):
        await run(made, "write_file", path=path, text="broken")
    assert (place / "secret/c.txt").read_text() == "C"
    assert (tmp_path / "outside.txt").read_text() == "O"


async def test_reading_is_not_writing(place):
    made = tools(place, read=["notes"])
    assert await run(made, "read_file", path="notes/a.txt") == "A"
    with pytest.raises(Denied, match="permitted folders: none"):
        await run(made, "write_file", path="notes/a.txt", text="x")
    with pytest.raises(Denied):
        await run(made, "list_files", folder=".")


async def test_a_link_that_appears_after_the_check_is_not_followed(place, monkeypatch):
    made = tools(place, read=["notes"])
    real = os.open

    def swap(path, flags, *more):
        file = place / "notes/a.txt"
        if str(path) == str(file) and not file.is_symlink():
            file.unlink()
            file.symlink_to(place / "secret/c.txt")
        return real(path, flags, *more)

    monkeypatch.setattr(files.os, "open", swap)
    with pytest.raises(BadInput, match="cannot read"):
        await run(made, "read_file", path="notes/a.txt")


async def test_links_and_hidden_files_are_not_listed(place):
    (place / "notes/link").symlink_to(place / "secret/c.txt")
    (place / "notes/.hidden").write_text("H")
    listed = await run(tools(place, read=["."]), "list_files")
    assert listed == ["notes/a.txt", "notes/deep/b.md", "secret/c.txt"]


async def test_what_is_not_there_is_said(place):
    made = tools(place, write=["."])
    os.mkfifo(place / "notes/pipe")
    for name, arguments, fault in (
        ("read_file", {"path": "notes/z.txt"}, "no file"),
        ("read_file", {"path": "notes"}, "no file"),
        ("read_file", {"path": "notes/pipe"}, "no file"),
        ("list_files", {"folder": "nowhere"}, "no folder"),
    ):
        with pytest.raises(UnknownName, match=fault):
            await run(made, name, **arguments)
    with pytest.raises(BadInput, match="is a folder"):
        await run(made, "write_file", path="notes", text="x")
    with pytest.raises(BadInput, match="not a path"):
        await run(made, "read_file", path="a\0b")


async def test_large_files_and_other_encodings_are_refused(place, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 10)
    (place / "notes/big").write_text("x" * 11)
    (place / "notes/latin").write_bytes(b"\xff")
    made = tools(place, write=["notes"])
    with pytest.raises(BadInput, match="larger"):
        await run(made, "read_file", path="notes/big")
    with pytest.raises(BadInput, match="larger"):
        await run(made, "write_file", path="notes/y", text="x" * 11)
    with pytest.raises(BadInput, match="UTF-8"):
        await run(made, "read_file", path="notes/latin")
    assert not (place / "notes/y").exists()


async def test_a_failed_write_leaves_the_old_file(place, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(BadInput, match="No space left"):
        await run(tools(place, write=["notes"]), "write_file", path="notes/a.txt", text="new")
    assert (place / "notes/a.txt").read_text() == "A"
    assert sorted(p.name for p in (place / "notes").iterdir()) == ["a.txt", "deep"]


def test_permitted_folders_lie_below_the_root(place, tmp_path):
    for folder in ("..", "/etc", "notes/../.."):
        with pytest.raises(BadInput, match="must lie below"):
            file_tools(place, read=[folder])
    with pytest.raises(BadInput, match="not a folder"):
        file_tools(tmp_path / "none")
