"""The memory and storage that a kernel makes for the length of its run, and those that stay."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collegium.errors import BadInput, Denied, UnknownName
from collegium.kernel import (
    Access,
    Delete,
    Find,
    Forget,
    Kernel,
    ListFiles,
    Note,
    Recall,
    Rollback,
    Share,
    Store,
)
from collegium.kernel.access import always
from collegium.kernel.lasting import resources
from collegium.kernel.resources import RESOURCE_CALLS
from collegium.kernel.temporary import temporary_drivers
from tests.kernel.support import Scripted


async def test_a_kernel_that_was_given_nothing_has_all_of_it() -> None:
    kernel = Kernel(Scripted("?"))
    ann, bob = kernel.agent("ann"), kernel.agent("bob")
    note = await ann.remember("The gate opens at nine.")
    assert [n.id for n in await ann.recall("gate")] == [note]
    await ann.store("plan.md", "one")
    await ann.store("plan.md", "two")
    await kernel.call(Rollback(agent="ann", path="plan.md"))
    assert await ann.load("plan.md") == "one"
    assert (await kernel.call(Find(agent="ann", query="one")))[0].path == "plan.md"
    for attempt in (bob.recall("gate", bank="ann"), bob.load("plan.md", owner="ann")):
        with pytest.raises(Denied):
            await attempt
    # one access stands behind all of them, and it permits everything
    await kernel.call(Share(agent="ann", group="everyone"))
    assert [n.id for n in await bob.recall("gate", bank="ann")] == [note]
    assert await bob.load("plan.md", owner="ann") == "one"
    assert await kernel.call(Forget(agent="ann", note=note)) is True
    assert await kernel.call(Delete(agent="ann", path="plan.md")) is True


def test_every_resource_call_has_a_driver(tmp_path: Path) -> None:
    assert set(temporary_drivers()[0]) == set(resources(tmp_path)) == RESOURCE_CALLS


async def test_kernels_do_not_see_one_another() -> None:
    one, two = Kernel(Scripted("?")), Kernel(Scripted("?"))
    await one.agent("ann").remember("a secret")
    await one._agents["ann"].store("a", "a secret")
    agent = two.agent("ann")
    assert await agent.recall("secret") == ()
    with pytest.raises(UnknownName):
        await agent.load("a")


async def test_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kernel = Kernel(Scripted("?"))
    agent = kernel.agent("ann")
    await agent.remember("a secret")
    assert os.listdir(tmp_path) == []
    await agent.store("a", "a secret")
    assert len(os.listdir(tmp_path)) == 1
    del kernel, agent
    gc.collect()
    assert os.listdir(tmp_path) == []


def test_nothing_stays_when_the_program_ends(tmp_path: Path) -> None:
    program = (
        "import asyncio\nfrom collegium.kernel import Kernel\n"
        "kernel = Kernel({'': None})\nagent = kernel.agent('ann')\n"
        "asyncio.run(agent.store('a', 'x'))\n"
        "import os, tempfile\nprint(len(os.listdir(tempfile.gettempdir())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert os.listdir(tmp_path) == []


async def test_a_driver_that_was_given_is_the_one_used() -> None:
    given: list[Store] = []

    async def store(call: Store) -> str:
        given.append(call)
        return "given"

    kernel = Kernel(Scripted("?"), drivers={Store: store})
    agent = kernel.agent("ann")
    await agent.remember("the rest is made")
    assert await kernel.call(Store(agent="ann", path="a", text="x")) == "given"
    assert await kernel.call(ListFiles(agent="ann")) == ()
    assert len(given) == 1


async def test_what_lies_in_a_folder_stays(tmp_path: Path) -> None:
    team = tmp_path / "team"
    kernel = Kernel(Scripted("?"), drivers=resources(team))
    ann = kernel.agent("ann")
    note = await ann.remember("The gate opens at nine.")
    await ann.store("plan.md", "one")
    assert (team / "files" / "ann" / "plan.md").read_text() == "one"
    for refused in (
        Forget(agent="ann", note=note),
        Delete(agent="ann", path="plan.md"),
        Share(agent="ann", group="everyone"),
    ):
        with pytest.raises(Denied, match="nobody to permit it"):
            await kernel.call(refused)
    access = Access({"bob": ["team"]}, ask=always, path=team / "access.json")
    kernel = Kernel(Scripted("?"), drivers=resources(team, access=access))
    await kernel.call(Share(agent="ann", group="team"))
    # another run: what was kept, and who may see it
    kernel = Kernel(Scripted("?"), drivers=resources(team))
    bob = kernel.agent("bob")
    assert await bob.load("plan.md", owner="ann") == "one"
    (found,) = await bob.recall("when does the gate open", bank="ann")
    assert isinstance(found, Note)
    assert (found.id, found.text) == (note, "The gate opens at nine.")
    with pytest.raises(Denied):
        await kernel.call(Recall(agent="eve", query="gate", bank="ann"))


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput):
        resources(tmp_path / "file" / "team")


def test_neither_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, collegium.kernel, collegium.kernel.temporary, collegium.kernel.lasting\n"
        "print([m for m in sys.modules if m.startswith("
        "('collegium.kernel.storage', 'collegium.kernel.memory'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"
