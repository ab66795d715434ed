"""Groups, sharing and permission: what holds, what is kept, and who decides."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collegium.errors import BadInput, Denied, UnknownName
from collegium.kernel import Access, Kernel, Permission, Share
from collegium.kernel.access import always, by_rules
from tests.kernel.support import Scripted

ROOT = Path(__file__).parents[2]


def test_an_agent_reaches_its_own_and_what_its_groups_were_let_into() -> None:
    access = Access({"bob": ["team"], "eve": ["others"]})
    assert access.allows("ann", "ann", "write")
    assert not access.allows("bob", "ann", "read")
    access.share("ann", "team")
    assert [access.allows(a, "ann", "read") for a in ("bob", "eve", "new")] == [True, False, False]
    assert not access.allows("bob", "ann", "write")
    access.share("ann", "team", write=True)
    assert access.allows("bob", "ann", "write")
    access.leave("bob", "team")
    assert not access.allows("bob", "ann", "read")
    access.join("new", "team")
    assert access.allows("new", "ann", "write")
    access.unshare("ann", "team")
    assert not access.allows("new", "ann", "read")


def test_everyone_is_in_one_group_and_a_group_owns_what_bears_its_name() -> None:
    access = Access({"bob": ["team"]})
    access.share("ann", "everyone")
    assert access.allows("whoever", "ann", "read")
    assert access.groups("bob") == {"team", "everyone"}
    assert access.known_groups() == {"team", "everyone"}
    assert [access.allows(a, "@team", "write") for a in ("bob", "ann", "@team")] == [
        True, False, False,
    ]  # fmt: skip


def test_a_refusal_says_who_what_and_why() -> None:
    access = Access({"bob": ["team"]})
    access.share("ann", "team")
    access.check("bob", "ann", "read", "memory")
    for agent, owner, says in (
        ("eve", "ann", "agent 'eve' may not write the memory of 'ann': 'ann' shares it with no "
                       "group that 'eve' belongs to."),
        ("bob", "ann", "agent 'bob' may not write the memory of 'ann': 'ann' shares it with "
                       "'bob' for reading alone."),
        ("eve", "@team", "agent 'eve' may not write the memory of '@team': it is not a member "
                         "of the group 'team'."),
    ):  # fmt: skip
        with pytest.raises(Denied) as denied:
            access.check(agent, owner, "write", "memory")
        assert str(denied.value) == says


async def test_permission_is_asked_of_who_was_named() -> None:
    asked: list[str] = []

    async def person(permission: Permission) -> bool:
        asked.append(str(permission))
        return permission.action == "forget"

    await Access(ask=person).permit("ann", "forget", "note 7")
    with pytest.raises(Denied, match=r"agent 'ann' wants to delete a\.md: permission was refused"):
        await Access(ask=person).permit("ann", "delete", "a.md")
    with pytest.raises(Denied, match=r"there is nobody to permit it; give Access\(ask=\.\.\.\)"):
        await Access().permit("ann", "delete", "a.md")
    await Access(ask=always).permit("ann", "anything", "at all")
    assert asked == ["agent 'ann' wants to forget note 7", "agent 'ann' wants to delete a.md"]


@pytest.mark.parametrize(
    ("rules", "action", "target", "permitted"),
    [
        (["delete"], "delete", "ann/a.md", True),
        (["delete"], "overwrite", "ann/a.md", False),
        (["delete ann/drafts/*"], "delete", "ann/drafts/a.md", True),
        (["delete ann/drafts/*"], "delete", "ann/a.md", False),
        (["delete ann/drafts/*"], "delete", "bob/ann/drafts/a.md", False),
        (["delete ann/drafts/*"], "forget", "ann/drafts/a.md", False),
        (["forget", "share @team"], "share", "@team", True),
        (["share @team"], "share", "@everyone", False),
        (["share"], "share-for-writing", "@team", False),
        (["delete ann/my file.md"], "delete", "ann/my file.md", True),
        ([], "delete", "a", False),
    ],
)
async def test_rules(rules: list[str], action: str, target: str, permitted: bool) -> None:
    assert await by_rules(rules)(Permission("ann", action, target)) is permitted


@pytest.mark.parametrize("rules", ["delete", [""], ["delete", "  "]])
def test_rules_that_are_none(rules: list[str]) -> None:
    with pytest.raises(BadInput, match="expected a list such as"):
        by_rules(rules)


async def test_sharing_is_a_call_and_membership_is_not() -> None:
    access = Access({"bob": ["team"]}, ask=by_rules(["share"]))
    kernel = Kernel(Scripted("?"), drivers=access.drivers)
    await kernel.call(Share(agent="ann", group="team"))
    assert access.allows("bob", "ann", "read")
    with pytest.raises(UnknownName, match="unknown group 'mine'; known: everyone, team"):
        await kernel.call(Share(agent="eve", group="mine"))
    with pytest.raises(Denied):
        await kernel.call(Share(agent="eve", group="team", write=True))
    assert [(e.kind, e.outcome) for e in kernel.trace.events] == [
        ("share", "observation"),
        ("share", "error"),
        ("share", "error"),
    ]
    assert not access.allows("bob", "eve", "read")
    # no call of an agent changes who belongs to a group
    assert set(access.drivers) == {Share}


def test_what_is_kept_holds_in_every_process_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "access.json"
    one = Access({"bob": ["team"]}, path=path)
    two = Access(path=path)
    assert two.groups("bob") == {"team", "everyone"}
    one.share("ann", "team")
    assert two.allows("bob", "ann", "read")
    two.unshare("ann", "team")
    assert not one.allows("bob", "ann", "read")
    two.share("ann", "team", write=True)
    one.join("eve", "team")
    assert [a.allows("eve", "ann", "write") for a in (one, two, Access(path=path))] == [True] * 3
    assert json.loads(path.read_text()) == {
        "groups": {"bob": ["team"], "eve": ["team"]},
        "shared": {"ann": {"team": True}},
    }
    # groups that are given are the ones that hold
    assert not Access({}, path=path).allows("bob", "ann", "read")
    assert not one.allows("bob", "ann", "read")


def test_a_person_may_edit_the_file(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    access = Access({"bob": ["team"]}, path=path)
    path.write_text('{"groups": {"eve": ["team"]}, "shared": {"ann": {"team": false}}}')
    assert [access.allows(a, "ann", "read") for a in ("bob", "eve")] == [False, True]
    path.unlink()
    assert not access.allows("eve", "ann", "read")
    access.share("ann", "everyone")
    assert Access(path=path).allows("eve", "ann", "read")


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    access = Access({"bob": ["team"]}, path=path)
    access.share("ann", "team")
    for damage in ('{"groups": {"bob"', '{"groups": 1}', "[]"):
        path.write_text(damage)
        for attempt in (lambda: access.allows("bob", "ann", "read"), lambda: Access(path=path)):
            with pytest.raises(BadInput, match=r"access\.json does not say who may do what: "):
                attempt()
        with pytest.raises(BadInput):
            access.share("ann", "everyone")
        assert path.read_text() == damage


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"cannot read .*access\.json: Not a directory"):
        Access(path=tmp_path / "file" / "access.json")
    with pytest.raises(BadInput, match=r"cannot read .*: Is a directory"):
        Access(path=tmp_path)


SHARER = """
import sys
from pathlib import Path
from collegium.kernel import Access
access = Access(path=Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    access.share(f"{sys.argv[2]}-{i}", "team")
    print(i, flush=True)
"""


def sharer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SHARER, str(path), name, str(count)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_do_not_overwrite_one_another(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    access = Access({"bob": ["team"]}, path=path)
    processes = [sharer(path, name, 25) for name in ("one", "two", "three")]
    for process in processes:
        process.communicate(timeout=60)
    assert [p.returncode for p in processes] == [0, 0, 0]
    owners = [f"{name}-{i}" for name in ("one", "two", "three") for i in range(25)]
    assert all(access.allows("bob", owner, "read") for owner in owners)
    assert len(json.loads(path.read_text())["shared"]) == 75


@pytest.mark.parametrize("pause", [0.0, 0.004, 0.011, 0.023])
def test_what_was_shared_survives_a_killed_process(tmp_path: Path, pause: float) -> None:
    path = tmp_path / "access.json"
    Access({"bob": ["team"]}, path=path)
    process = sharer(path, "x", 100_000)
    assert process.stdout is not None
    for _ in range(5):
        assert process.stdout.readline()
    time.sleep(pause)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    last = max([4, *map(int, process.stdout.read().split())])
    access = Access(path=path)
    assert all(access.allows("bob", f"x-{i}", "read") for i in range(last + 1))
    # the one in flight was shared or not
    assert len(json.loads(path.read_text())["shared"]) in (last + 1, last + 2)
    access.share("ann", "team")
    assert Access(path=path).allows("bob", "ann", "read")


async def test_checks_go_on_while_another_shares() -> None:
    access = Access({"bob": ["team"]}, ask=always)
    kernel = Kernel(Scripted("?"), drivers=access.drivers)
    calls = [kernel.call(Share(agent=f"a{i}", group="team")) for i in range(50)]
    sharing = asyncio.gather(*calls)
    while not sharing.done():
        access.allows("bob", "a0", "read")
        await asyncio.sleep(0)
    await sharing
    # threads share at the same time; none undoes what another did
    assert all(access.allows("bob", f"a{i}", "read") for i in range(50))
