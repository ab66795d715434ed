"""Packages: numeric versions, hashes that are checked, and no code before it is used."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from collegium.apps.manifest import Step, write_manifest
from collegium.apps.package import (
    digest,
    find_app,
    install,
    installed,
    installed_tools,
    newest,
    pack,
    publish,
    read_index,
)
from collegium.apps.run import run_app
from collegium.apps.tools import app_tools, known_tools
from collegium.apps.version import SemanticVersion
from collegium.errors import BadInput, UnknownName
from collegium.kernel import Kernel
from collegium.tools import sandbox_problem
from tests.apps.support import app, ask, changed
from tests.kernel.support import Scripted

TOOL = """
name = "word-count"
author = "ana"
version = "1.0.0"
description = "Count the words of a text."
licence = "MIT"
build = { module = "count.py", entry = "count" }
arguments = { text = "string" }
"""


@pytest.fixture
def hub(tmp_path):
    return tmp_path / "hub"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def app_folder(folder: Path, version: str = "0.1.0", **fields) -> Path:
    write_manifest(changed(app(ask("a")), version=version, **fields), folder / "app.toml")
    return folder


def tool_folder(folder: Path, code: str = "def count(text):\n    return len(text.split())\n"):
    folder.mkdir(parents=True)
    (folder / "tool.toml").write_text(TOOL)
    (folder / "count.py").write_text(code)
    return folder


def needs_tool(folder: Path) -> Path:
    step = Step(id="n", do="use", tool="ana/word-count", arguments={"text": "one two three"})
    write_manifest(app(step, tools=["ana/word-count"], outputs={"n": "{n}"}), folder / "app.toml")
    return folder


@pytest.mark.must_show("aios-ecosystem", 5)
def test_the_newest_version_is_the_highest_number(tmp_path, hub, home):
    for version in ("0.9.0", "0.10.0", "0.2.9"):
        publish(app_folder(tmp_path / version, version), hub)
    assert newest(read_index(hub)["tests/small"]) == "0.10.0"
    assert install("tests/small", hub, home).version == "0.10.0"
    assert install("tests/small@0.9.0", hub, home).version == "0.9.0"
    assert installed(home)["tests/small"].version == "0.10.0"
    assert {p.name for p in (home / "tests/small").iterdir()} == {"0.10.0", "0.9.0"}


def test_versions_are_ordered_as_semver_says():
    order = ["0.2.9", "0.9.0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1",
             "1.0.0-beta", "1.0.0", "1.0.1", "1.10.0", "2.0.0"]  # fmt: skip
    backwards = order[::-1]
    assert sorted(backwards, key=SemanticVersion.parse) == order
    for bad in ("1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", ""):
        with pytest.raises(BadInput, match="three numbers"):
            SemanticVersion.parse(bad)


@pytest.mark.must_show("aios-ecosystem", 5)
@pytest.mark.parametrize("damage", ["changed", "added", "removed", "renamed"])
def test_a_package_that_differs_from_the_index_is_refused(tmp_path, hub, home, damage):
    folder = tool_folder(tmp_path / "tool")
    (folder / "more.txt").write_text("more")
    code = publish(folder, hub).folder / "count.py"
    match damage:
        case "changed":
            code.write_text(code.read_text() + "# changed\n")
        case "added":
            (code.parent / "extra.py").write_text("")
        case "removed":
            (code.parent / "more.txt").unlink()
        case "renamed":
            (code.parent / "more.txt").rename(code.parent / "less.txt")
    with pytest.raises(BadInput, match="not what its index says"):
        install("ana/word-count", hub, home)
    assert installed(home) == {}
    assert list(home.iterdir()) == []  # nothing half-installed


@pytest.mark.must_show("aios-ecosystem", 5)
async def test_a_tool_that_is_not_installed_is_an_error_before_the_start(tmp_path, hub, home):
    publish(needs_tool(tmp_path / "app"), hub)
    with pytest.raises(BadInput, match="needs ana/word-count, not installed; first: collegium app"):
        install("tests/small", hub, home)
    manifest = find_app(str(tmp_path / "app"))
    kernel = Kernel(Scripted("x"), tools=app_tools(manifest, tmp_path, installed_tools(home)))
    with pytest.raises(BadInput, match="collegium app install ana/word-count"):
        await run_app(manifest, kernel, {})
    assert kernel.trace.events == []


@pytest.mark.skipif(sandbox_problem() is not None, reason="there is no sandbox here")
async def test_an_installed_tool_runs_in_the_sandbox_when_it_is_used(tmp_path, hub, home):
    mark = tmp_path / "mark"
    code = (
        f"try:\n    open({str(mark)!r}, 'w').write('ran')\nexcept OSError:\n    pass\n"
        "def count(text):\n    print('talks')\n    return len(text.split())\n"
    )
    publish(tool_folder(tmp_path / "tool", code), hub)
    install("ana/word-count", hub, home)
    publish(needs_tool(tmp_path / "app"), hub)
    install("tests/small", hub, home)
    tools = installed_tools(home)
    assert not mark.exists()
    manifest = find_app("tests/small", home)
    kernel = Kernel(Scripted("x"), tools=app_tools(manifest, tmp_path, tools))
    assert (await run_app(manifest, kernel, {})).outputs == {"n": "3"}
    assert not mark.exists()  # the sandbox has no such folder
    assert "ana/word-count" in known_tools(tools)


@pytest.mark.skipif(sandbox_problem() is not None, reason="there is no sandbox here")
async def test_a_tool_that_fails_says_so(tmp_path, hub, home):
    publish(tool_folder(tmp_path / "tool", "def count(text):\n    raise ValueError('odd')\n"), hub)
    install("ana/word-count", hub, home)
    tool = installed_tools(home)["ana/word-count"]
    with pytest.raises(BadInput, match=r"failed .*odd"):
        await tool.run({"text": "x"})
    with pytest.raises(BadInput, match="text"):
        await tool.run({})


def test_no_code_runs_at_install(tmp_path, hub, home):
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').write('ran')\ndef count(text): return 0\n"
    folder = tool_folder(tmp_path / "tool", code)
    publish(folder, hub)
    package = install("ana/word-count", hub, home)
    known_tools(installed_tools(home))
    assert not mark.exists()
    assert not (package.folder / "count.py").stat().st_mode & 0o111
    assert package.sha256 == digest(folder) == pack(folder).sha256


def test_a_published_version_never_changes(tmp_path, hub):
    folder = app_folder(tmp_path / "a")
    publish(folder, hub)
    publish(folder, hub)  # the same again is no harm
    app_folder(folder, role="You do something else.")
    with pytest.raises(BadInput, match="raise the number"):
        publish(folder, hub)
    assert list(read_index(hub)["tests/small"]) == ["0.1.0"]


def test_installing_again_mends_a_damaged_copy(tmp_path, hub, home):
    publish(app_folder(tmp_path / "a"), hub)
    package = install("tests/small", hub, home)
    (package.folder / "app.toml").write_text("broken")
    install("tests/small", hub, home)
    assert installed(home)["tests/small"].sha256 == package.sha256


def test_what_is_not_there_is_suggested(tmp_path, hub, home):
    publish(app_folder(tmp_path / "a"), hub)
    with pytest.raises(UnknownName, match="did you mean 'tests/small'"):
        install("tests/smal", hub, home)
    with pytest.raises(UnknownName, match=r"0\.1\.0"):
        install("tests/small@0.2.0", hub, home)
    with pytest.raises(UnknownName, match="did you mean 'collegium/notes-index'"):
        find_app("collegium/note-index", home)
    for path in ("../small", "@1.0.0", "a/b/c"):
        with pytest.raises(UnknownName):
            find_app(path, home)


def test_a_link_is_no_part_of_a_package(tmp_path, hub):
    folder = app_folder(tmp_path / "a")
    (folder / "secret").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="plain files alone"):
        publish(folder, hub)
    with pytest.raises(BadInput, match="either"):
        pack(tmp_path)


def test_an_index_cannot_lead_outside(tmp_path, hub, home):
    publish(app_folder(tmp_path / "a"), hub)
    text = (hub / "index.json").read_text()
    (hub / "index.json").write_text(text.replace("tests/small", "../../out"))
    with pytest.raises(BadInput, match="author/name"):
        install("../../out", hub, home)
    (hub / "index.json").write_text(text.replace('"0.1.0"', '"../../../x"'))
    with pytest.raises(BadInput, match="no version"):
        install("tests/small", hub, home)
    (hub / "index.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        install("tests/small", hub, home)


def test_publishing_at_the_same_time_loses_nothing(tmp_path, hub):
    context = multiprocessing.get_context("spawn")
    folders = [app_folder(tmp_path / str(i), f"0.{i}.0") for i in range(4)]
    started = [context.Process(target=publish, args=(folder, hub)) for folder in folders]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(read_index(hub)["tests/small"]) == [f"0.{i}.0" for i in range(4)]
