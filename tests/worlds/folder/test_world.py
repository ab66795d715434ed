"""The contract of a work folder: actions, limits, snapshots, protection, the sandbox."""

from pathlib import Path
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import ScriptedModel
from collegium.tools.sandbox import sandbox_problem
from collegium.worlds import World, drivers
from collegium.worlds.folder import (
    ACTIONS,
    Closed,
    FolderTask,
    Measured,
    Refused,
    RunLimits,
    WorkFolder,
    folder_task,
    inside,
)
from collegium.worlds.world import Restore, Snapshot

confined = pytest.mark.skipif(bool(sandbox_problem()), reason=sandbox_problem() or "")

FILES = {
    "train.py": b"print('trained')\n",
    "data/given.csv": b"a,b\n1,2\n",
    "notes.txt": b"one\ntwo\nthree\n",
}


async def none(files: Any) -> Measured:
    return Measured(1.0)


def task(**facts: Any) -> FolderTask:
    return FolderTask(
        name="small", like="", problem="Do it.", metric="m", better="higher",
        files=lambda: dict(FILES), read_only=("data/given.csv",), score=none,
        **{"limits": RunLimits(seconds=20, memory=400 << 20), **facts},
    )  # fmt: skip


class Hand:
    """Uses the actions of a folder."""

    def __init__(self, **options: Any) -> None:
        self.world = WorkFolder(options.pop("task", None) or task(), **options)
        self.tools = {t.spec.name: t for t in self.world.tools}

    async def __call__(self, action: str, **given: Any) -> str:
        return await self.tools[action].run(given)


@pytest.mark.must_show("mlagentbench", 1)
async def test_every_file_action_says_what_it_should() -> None:
    do = Hand()
    world: World = do.world
    assert await world.reset() == ("Do it.\n\nThe work folder holds: data/, notes.txt, train.py.")
    assert [t.spec.name for t in world.tools] == list(ACTIONS)
    assert await do("list_files") == "data/\nnotes.txt\ntrain.py"
    assert await do("list_files", folder="data") == "given.csv"
    assert await do("list_files", folder="nowhere") == "Error: there is no folder 'nowhere'."
    assert await do("read_file", file="./data/../notes.txt") == "one\ntwo\nthree\n"
    assert await do("inspect_script_lines", file="notes.txt", first=2, last=3) == "two\nthree"
    assert "at most 100 lines" in await do(
        "inspect_script_lines", file="notes.txt", first=1, last=101
    )
    assert await do("write_file", file="sub/new.py", content="x = 1\n") == "sub/new.py was written."
    assert await do("append_file", file="sub/new.py", content="y = 2\n") == (
        "sub/new.py was written on."
    )
    assert await do("copy_file", source="sub/new.py", destination="copy.py") == (
        "sub/new.py was copied to copy.py."
    )
    assert await do("read_file", file="copy.py") == "x = 1\ny = 2\n"
    assert await do("undo_edit_script", file="sub/new.py") == (
        "The last edit of sub/new.py was undone.\nx = 1"
    )
    assert await do("undo_edit_script", file="sub/new.py") == (
        "The last edit of sub/new.py was undone."
    )
    assert await do("read_file", file="sub/new.py") == "Error: there is no file 'sub/new.py'."
    assert "no edit of 'sub/new.py' to undo" in await do("undo_edit_script", file="sub/new.py")
    assert "lies in a file" in await do("write_file", file="notes.txt/x", content="")
    assert await do("final_answer", text="done") == "Noted. The environment is closed."
    assert len(do.world.state.steps) == 16
    assert do.world.trace()["steps"][1]["arguments"] == {"folder": "data"}


@pytest.mark.must_show("mlagentbench", 1)
async def test_after_the_last_step_or_answer_or_second_it_is_closed() -> None:
    do = Hand()
    for _ in range(50):
        await do("list_files")
    with pytest.raises(Closed, match="The environment is closed"):
        await do("list_files")  # step 51
    with pytest.raises(Closed):
        await do("final_answer", text="late")
    assert do.world.state.final is None

    do = Hand()
    await do("final_answer", text="I have 99.9 %")
    with pytest.raises(Closed):
        await do("read_file", file="train.py")

    now = [0.0]
    do = Hand(seconds=60.0, clock=lambda: now[0])
    await do("list_files")
    now[0] = 60.0
    with pytest.raises(Closed):
        await do("list_files")


@pytest.mark.must_show("mlagentbench", 1)
async def test_any_step_comes_back_byte_by_byte_and_can_be_gone_on_from() -> None:
    do = Hand()
    await do.world.reset()
    folders = [dict(do.world.folder.files)]
    odd = "".join(map(chr, range(0x2FF)))
    for number in range(4):
        await do("write_file", file=f"f{number % 2}.bin", content=odd * number)
        folders.append(dict(do.world.folder.files))
    assert [do.world.files_after(n) for n in range(5)] == folders
    whole = await do.world.snapshot()
    await do.world.resume(2)
    assert do.world.folder.files == folders[2]
    assert len(do.world.state.steps) == 2
    await do("append_file", file="f1.bin", content="!")
    assert do.world.files_after(3) == {**folders[2], "f1.bin": folders[2]["f1.bin"] + b"!"}
    with pytest.raises(Refused, match="steps 1 to 3"):
        await do.world.resume(4)
    # A snapshot is the state: it goes into another world of the same task.
    other = Hand()
    await other.world.restore(whole)
    assert other.world.folder.files == folders[4]
    assert [other.world.files_after(n) for n in range(5)] == folders
    assert other.world.snapshots == "state"


async def test_agents_reach_it_through_the_kernel_and_can_go_back() -> None:
    do = Hand()
    kernel = Kernel(ScriptedModel(lambda r: ""), tools=do.world.tools, drivers=drivers(do.world))
    agent = kernel.agent("researcher", tools=list(ACTIONS))
    before = await kernel.call(Snapshot(agent="researcher"))
    await agent.use("write_file", file="a", content="a")
    await kernel.call(Restore(agent="researcher", snapshot=before))
    assert "a" not in do.world.folder.files
    with pytest.raises(BadInput):
        await agent.use("write_file", file="a")


@pytest.mark.must_show("mlagentbench", 4)
@pytest.mark.parametrize(
    "spelling",
    [
        "data/given.csv", "./data/given.csv", "data//given.csv", "data/./given.csv",
        "data/../data/given.csv", "x/../data/given.csv", "./x/.././data/given.csv/.",
    ],
)  # fmt: skip
async def test_a_read_only_file_is_never_written_by_any_spelling(spelling: str) -> None:
    do = Hand()
    await do("write_file", file="mine", content="mine")
    for action, given in (
        ("write_file", {"file": spelling, "content": "changed"}),
        ("append_file", {"file": spelling, "content": "changed"}),
        ("copy_file", {"source": "mine", "destination": spelling}),
    ):
        assert "data/given.csv is read-only" in await do(action, **given)
    assert do.world.folder.files["data/given.csv"] == FILES["data/given.csv"]


@pytest.mark.must_show("mlagentbench", 4)
@pytest.mark.parametrize(
    "path",
    ["../x", "data/../../x", "../work-2/x", "/etc/passwd", "~/x", "a/../../work/x", "..", "a\0b"],
)
async def test_what_lies_outside_is_refused(path: str) -> None:
    do = Hand()
    for action, given in (
        ("read_file", {"file": path}),
        ("write_file", {"file": path, "content": ""}),
        ("copy_file", {"source": "notes.txt", "destination": path}),
        ("copy_file", {"source": path, "destination": "here"}),
        ("list_files", {"folder": path}),
        ("execute_script", {"script": path}),
    ):
        assert (await do(action, **given)).startswith("Error: "), action
    assert do.world.folder.files == FILES
    with pytest.raises(Refused):
        inside(path)


@pytest.mark.must_show("mlagentbench", 4)
@confined
@pytest.mark.parametrize(
    "script",
    [
        "open('data/given.csv', 'w').write('changed')",
        "import os; os.remove('data/given.csv')",
        "import os; os.symlink('data/given.csv', 'link'); open('link', 'w').write('changed')",
        "import os; os.link('data/given.csv', 'hard'); open('hard', 'w').write('changed')",
        "import os; os.rename('data', 'other')",
        "import shutil; shutil.rmtree('data'); open('data', 'w').write('changed')",
        "import os; os.symlink('/etc/passwd', 'x'); os.replace('x', 'data/given.csv')",
    ],
)
async def test_what_a_script_does_to_a_read_only_file_is_undone_and_told(script: str) -> None:
    do = Hand()
    await do("write_file", file="bad.py", content=f"{script}\nopen('good', 'w').write('kept')\n")
    seen = await do("execute_script", script="bad.py")
    assert "data/given.csv is read-only: the change was undone." in seen
    assert do.world.folder.files["data/given.csv"] == FILES["data/given.csv"]
    assert do.world.folder.files["good"] == b"kept"
    assert "link" not in do.world.folder.files
    if "symlink" in script and "link'" in script:
        assert "link is no plain file" in seen


@pytest.mark.must_show("mlagentbench", 1)
@confined
async def test_scripts_and_commands_run_in_the_sandbox() -> None:
    do = Hand()
    assert await do("execute_script", script="train.py") == "trained"
    await do(
        "write_file", file="fails.py", content="import sys\nprint('so far')\nsys.exit('bad')\n"
    )
    assert await do("execute_script", script="fails.py") == "bad"  # the errors, as it failed
    await do("write_file", file="warns.py", content="import sys\nprint('hm', file=sys.stderr)\n")
    assert await do("execute_script", script="warns.py") == "hm"  # nothing was printed
    assert await do("execute_script", script="gone.py") == "Error: there is no file 'gone.py'."
    assert (
        await do("python_repl", command="open('made', 'wb').write(bytes(range(256)))\nprint(7)")
        == "7"
    )
    assert do.world.folder.files["made"] == bytes(range(256))
    where = f"import os\nprint(os.path.exists({str(Path(__file__))!r}), sorted(os.listdir('..')))"
    assert await do("python_repl", command=where) == "False ['run.py', 'work']"


@pytest.mark.must_show("mlagentbench", 8)
@confined
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("while True: pass", "it ran for more than 2 seconds"),
        ("import time; time.sleep(1e6)", "it ran for more than 2 seconds"),
        ("for _ in range(100): print('x' * 1_000_000)", "File too large"),
        ("for _ in range(3): print('x' * 1_000_000)", "bytes left out"),
        ("import os\nwhile True: os.fork()", "Error"),
        ("x = bytearray(10**12)", "MemoryError"),
        ("x = []\nwhile True: x.append(bytearray(10**7))", "MemoryError"),
        ("open('big', 'wb').truncate(10**9)", "Error"),
    ],
)
async def test_scripts_that_take_too_much_end_and_the_world_goes_on(script: str, told: str) -> None:
    # Where memory ends it, a busy machine may take a while to get there.
    seconds = 20 if told == "MemoryError" else 2
    do = Hand(task=task(limits=RunLimits(seconds=seconds, memory=400 << 20)))
    await do("write_file", file="bad.py", content=script)
    seen = await do("execute_script", script="bad.py")
    assert told in seen
    assert len(seen) < 100_000
    assert await do("execute_script", script="train.py") == "trained"


@pytest.mark.must_show("mlagentbench", 5)
@confined
async def test_answers_and_the_scorer_cannot_be_read_from_the_sandbox() -> None:
    digits = folder_task("digits-variant")
    if digits.missing():
        pytest.skip(digits.missing())
    do = Hand(task=digits)
    code = """
import glob, os, sklearn.datasets
try:
    print(sklearn.datasets.load_digits())
except FileNotFoundError:
    print("no digits")
try:
    import collegium.worlds.folder.tasks.tables
except ModuleNotFoundError:
    print("no scorer")
root = os.path.dirname(sklearn.__file__)
print(glob.glob(root + "/**/digits.csv*", recursive=True))
"""
    assert await do("python_repl", command=code) == "no digits\nno scorer\n[]"
    # Nor do the files hold them: the test has one column less than what is learnt from.
    held = {n: c.decode().splitlines() for n, c in do.world.folder.files.items()}
    assert len(held["train.csv"][1].split(",")) == 65
    assert len(held["test.csv"][1].split(",")) == 64


@pytest.mark.must_show("mlagentbench", 5)
@confined
async def test_what_an_agent_says_of_its_score_is_not_believed() -> None:
    if folder_task("vectorization-variant").missing():
        pytest.skip("numpy is not installed")
    do = Hand(task=folder_task("vectorization-variant"))
    await do("write_file", file="submission.csv", content="seconds\n0.000001\n")
    await do("final_answer", text="0.000001 seconds")
    said = await do.world.judge("0.000001 seconds")
    assert said.facts["valid"]
    assert said.facts["seconds"] > 0.02  # measured, five times, from outside
    assert not said.correct or said.facts["improvement"] < 0.5

    for broken, why in (
        (
            "import numpy as np\ndef convolve(i, f, s):\n    return np.zeros((6, 15, 15, 8))",
            "else than",
        ),
        ("def convolve(i, f, s):\n    return 1/0", "the convolution failed"),
        (
            "import numpy as np\nfrom old import convolve as c\n"
            "def convolve(i, f, s):\n    return c(i, f, s) + 2e-6",
            "something else than the reference",
        ),
    ):
        do = Hand(task=folder_task("vectorization-variant"))
        await do("copy_file", source="convolution.py", destination="old.py")
        await do("write_file", file="convolution.py", content=broken)
        measured = await do.world.task.score(do.world.folder.files)
        assert measured.value is None
        assert why in measured.problem
