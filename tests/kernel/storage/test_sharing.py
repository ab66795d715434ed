"""Whose files an agent reaches: its own, and what a group of its own was let into."""

from pathlib import Path

import pytest

from collegium.errors import Denied, UnknownName
from collegium.kernel import Access, Delete, Find, Kernel, ListFiles, Load, Rollback, Share, Store
from collegium.kernel.access import always, by_rules
from collegium.kernel.storage import Storage
from tests.kernel.storage.support import kernel_on
from tests.kernel.support import Scripted

CALLS = {
    "read": [
        Load(agent="bob", path="a", owner="ann"),
        ListFiles(agent="bob", owner="ann"),
        Find(agent="bob", query="one", owner="ann"),
    ],
    "write": [
        Store(agent="bob", path="a", text="bob's", owner="ann"),
        Rollback(agent="bob", path="a", owner="ann"),
        Delete(agent="bob", path="a", owner="ann"),
    ],
}


async def attempts(kernel: Kernel, right: str) -> int:
    """How many of the calls that need a right are not denied."""
    allowed = 0
    for call in CALLS[right]:
        try:
            await kernel.call(call)
            allowed += 1
        except Denied:
            assert kernel.trace.events[-1].call == call
            assert kernel.trace.events[-1].outcome == "error"
            assert f"agent 'bob' may not {right} the" in kernel.trace.events[-1].error
    return allowed


async def anns(groups: dict[str, list[str]]) -> Kernel:
    kernel = kernel_on(None, Access(groups, ask=always))
    agent = kernel.agent("ann")
    await agent.store("a", "zero")
    await agent.store("a", "one")
    return kernel


async def test_nobody_reaches_anothers_files_unasked() -> None:
    kernel = await anns({"ann": ["team"], "bob": ["team"]})
    assert (await attempts(kernel, "read"), await attempts(kernel, "write")) == (0, 0)
    assert await kernel._agents["ann"].load("a") == "one"


async def test_a_shared_folder_is_read_and_no_more() -> None:
    kernel = await anns({"bob": ["team"]})
    await kernel.call(Share(agent="ann", group="team"))
    assert (await attempts(kernel, "read"), await attempts(kernel, "write")) == (3, 0)
    assert "shares it with 'bob' for reading alone" in kernel.trace.events[-1].error


async def test_one_shared_for_writing_is_written_too() -> None:
    kernel = await anns({"bob": ["team"]})
    await kernel.call(Share(agent="ann", group="@team", write=True))
    assert (await attempts(kernel, "read"), await attempts(kernel, "write")) == (3, 3)
    assert await kernel.call(ListFiles(agent="ann")) == ()


async def test_another_group_does_not_help() -> None:
    kernel = await anns({"bob": ["others"], "eve": ["team"]})
    await kernel.call(Share(agent="ann", group="team", write=True))
    assert (await attempts(kernel, "read"), await attempts(kernel, "write")) == (0, 0)


async def test_a_groups_own_folder_is_its_members() -> None:
    kernel = kernel_on(None, Access({"ann": ["team"], "bob": ["team"]}, ask=always))
    ann, bob, eve = (kernel.agent(name) for name in ("ann", "bob", "eve"))
    await ann.store("a", "ours", owner="@team")
    assert await bob.load("a", owner="@team") == "ours"
    with pytest.raises(Denied, match="not a member of the group 'team'"):
        await eve.load("a", owner="@team")
    impostor = kernel.agent("@team")
    with pytest.raises(Denied):
        await impostor.load("a")


async def test_what_is_denied_does_not_tell_what_is_there() -> None:
    kernel = await anns({})
    with pytest.raises(Denied) as there:
        await kernel.call(Load(agent="bob", path="a", owner="ann"))
    with pytest.raises(Denied) as missing:
        await kernel.call(Load(agent="bob", path="b", owner="ann"))
    assert str(there.value).replace("file a", "file b") == str(missing.value)


async def test_sharing_asks_first() -> None:
    kernel = kernel_on(None, Access({"bob": ["team"]}, ask=by_rules(["share @team"])))
    await kernel.agent("ann").store("a", "one")
    await kernel.call(Share(agent="ann", group="team"))
    with pytest.raises(
        Denied, match="wants to share its memory and files, for writing too, with @team: "
    ):
        await kernel.call(Share(agent="ann", group="team", write=True))
    with pytest.raises(Denied, match="share its memory and files with @everyone"):
        await kernel.call(Share(agent="ann", group="everyone"))
    with pytest.raises(UnknownName, match=r"unknown group 'tean'; did you mean 'team'\?"):
        await kernel.call(Share(agent="ann", group="tean"))
    assert [e.outcome for e in kernel.trace.events[2:]] == ["error"] * 3


async def test_sharing_stays_with_files_that_stay(tmp_path: Path) -> None:
    def reopened(groups: dict[str, list[str]] | None = None) -> Kernel:
        access = Access(groups, ask=always, path=tmp_path / "access.json")
        return Kernel(Scripted("?"), drivers=Storage(tmp_path / "files", access=access).drivers)

    kernel = reopened({"bob": ["team"]})
    await kernel.agent("ann").store("a", "one")
    await kernel.call(Share(agent="ann", group="team"))
    assert await reopened().agent("bob").load("a", owner="ann") == "one"
    with pytest.raises(Denied):
        await reopened({}).agent("bob").load("a", owner="ann")
