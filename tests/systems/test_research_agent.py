"""The research agent: replies read strictly, turns, log, and work in a folder."""

import json
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, Unparsed
from collegium.models import ScriptedModel
from collegium.systems.research_agent import FORMS, research_agent
from collegium.systems.research_agent.reply import (
    ATTEMPTS,
    FIELDS,
    Fields,
    History,
    Unreadable,
    by_names,
    read_input,
    read_reply,
    sanitised,
)
from collegium.tasks.task import Task
from collegium.worlds.folder import ACTIONS, FolderTask, Measured, WorkFolder

PARTS = {
    "Reflection": "The script ran.",
    "Research Plan and Status": "1. read (done)\n2. **edit**",
    "Fact Check": "Accuracy 0.6 was printed.",
    "Thought": "Look at it.",
    "Action": "read_file",
    "Action Input": '{"file": "train.py"}',
}


def reply(**changed: str | None) -> str:
    parts = {**PARTS, **{k.replace("_", " "): v for k, v in changed.items()}}
    return "\n".join(f"{name}: {text}" for name, text in parts.items() if text is not None)


@pytest.mark.must_show("mlagentbench", 3)
def test_all_six_fields_are_read() -> None:
    read = read_reply(reply())
    assert read == Fields(PARTS, "read_file", {"file": "train.py"})


@pytest.mark.must_show("mlagentbench", 3)
@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_asked_for(field: str) -> None:
    lines = [f"{name}: {text}" for name, text in PARTS.items() if name != field]
    read = read_reply("\n".join(lines))
    assert isinstance(read, Unreadable)
    assert read.retry.startswith(f"Your reply lacks {field}.")
    assert all(f"{name}: ..." in read.retry for name in FIELDS)


@pytest.mark.must_show("mlagentbench", 3)
def test_fields_in_another_order_are_not_read() -> None:
    swapped = {k: PARTS[k] for k in ("Thought", *[f for f in FIELDS if f != "Thought"])}
    read = read_reply("\n".join(f"{name}: {text}" for name, text in swapped.items()))
    assert isinstance(read, Unreadable)
    assert "Thought" in read.retry


@pytest.mark.must_show("mlagentbench", 3)
def test_line_breaks_inside_strings_are_mended() -> None:
    broken = '{"file": "a.py", "content": "x = 1\n\ty = \\"2\\"\nprint(x)"}'
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    assert read_input(broken) == {"file": "a.py", "content": 'x = 1\n\ty = "2"\nprint(x)'}
    whole = '{\n  "a": "b",\n  "c": [1]\n}'
    assert sanitised(whole) == whole  # between strings nothing is touched


@pytest.mark.must_show("mlagentbench", 3)
def test_quotes_inside_two_arguments_are_read_by_their_names() -> None:
    broken = '{"file": "a.py", "content": "print("hello", end="")\\nx = 1"}'
    assert read_input(broken) is None
    expected = {"file": "a.py", "content": 'print("hello", end="")\nx = 1'}
    assert read_input(broken, ("file", "content")) == expected
    assert by_names(broken, ("content", "file")) is None
    unreadable = read_reply(reply(Action_Input="{file: a.py}"), {"read_file": ("file",)})
    assert unreadable == Unreadable(
        'The Action Input is no JSON object: write {"file": "..."}.', fields=True
    )


@pytest.mark.must_show("mlagentbench", 3)
def test_five_unreadable_replies_stop_the_agent() -> None:
    history = History()
    for number in range(ATTEMPTS):
        assert not history.stopped
        history.add(f"bad {number}", "retry", readable=False)
    assert history.stopped


@pytest.mark.must_show("mlagentbench", 3)
def test_unreadable_turns_are_gone_after_a_readable_one() -> None:
    history = History(kept=3)
    history.add("good 1", "seen 1", readable=True)
    history.add("bad", "retry", readable=False)
    history.add("bad", "retry", readable=False)
    assert ("bad", "retry") in history.shown()
    history.add("good 2", "seen 2", readable=True)
    assert history.shown() == [("good 1", "seen 1"), ("good 2", "seen 2")]
    assert not history.stopped
    for number in range(3, 6):
        history.add(f"good {number}", "", readable=True)
    assert [r for r, _ in history.shown()] == ["good 3", "good 4", "good 5"]


def step(action: str, form: str = "full", **given: Any) -> str:
    said = {**PARTS, "Action": action, "Action Input": json.dumps(given)}
    return "\n".join(f"{name}: {said[name]}" for name in FORMS[form])  # type: ignore[index]


async def run(script: list[str], **options: Any) -> tuple[Any, Any, list[Generate]]:
    """The agent at work in a folder; its replies come one after another."""
    asked: list[Generate] = []

    def say(request: Generate) -> str:
        asked.append(request)
        if request.agent == "reader":
            return f"summary {len(asked)}"
        return script[sum(r.agent == "researcher" for r in asked) - 1]

    task = FolderTask(
        name="small", like="", problem="Do it.", metric="m", better="higher",
        files=lambda: {"notes.txt": b"x" * 12_000, "a.txt": b"hello\n"}, read_only=("a.txt",),
        score=nothing,
    )  # fmt: skip
    world = WorkFolder(task)
    kernel = Kernel(ScriptedModel(say), tools=world.tools)
    seen = await world.reset()
    result = await research_agent(Task(id="t", prompt=seen, tools=ACTIONS), kernel, **options)
    return result, world, asked


async def nothing(files: Any) -> Measured:
    return Measured(1.0)


async def test_it_works_in_a_folder_until_its_final_answer() -> None:
    result, world, asked = await run(
        [
            step("read_file", file="a.txt"),
            step("write_file", file="b.txt", content="new"),
            step("write_file", file="a.txt", content="new"),
            step("dance"),
            step("final_answer", text="it is done"),
        ]
    )
    assert result.answer == "it is done"
    assert result.notes == {"steps": 5, "ended": "answer", "unreadable": 0}
    assert world.folder.files["b.txt"] == b"new"
    assert world.folder.files["a.txt"] == b"hello\n"
    last = asked[-1].messages[-1].text
    assert "Do it." in last and "- read_file {" in last
    assert "Observation: hello" not in last  # the last three steps alone are shown
    assert "Observation: b.txt was written." in last
    assert "a.txt is read-only" in last
    assert "There is no tool 'dance'; there are list_files, " in last


@pytest.mark.must_show("mlagentbench", 3)
async def test_it_asks_again_and_stops_after_five_unreadable_replies() -> None:
    good = step("list_files")
    result, world, asked = await run(["what?", "Action: x", good, *["?"] * 5, good])
    assert result.notes == {"steps": 1, "ended": "unreadable", "unreadable": 7}
    assert isinstance(result.answer, Unparsed)
    assert len(asked) == 8
    assert len(world.state.steps) == 1
    prompts = [r.messages[-1].text for r in asked]
    assert "Your reply lacks Reflection" in prompts[1]
    assert "Your reply lacks" not in prompts[3]  # gone after a readable one


async def test_what_is_long_is_summarised_window_by_window() -> None:
    result, _, asked = await run(
        [step("read_file", file="notes.txt"), step("final_answer", text="x")]
    )
    reads = [r.messages[-1].text for r in asked if r.agent == "reader"]
    assert [r.splitlines()[0][:30] for r in reads] == [
        "Summarise part 1 of 2 of what ", "Summarise part 2 of 2 of what ",
    ]  # fmt: skip
    assert [r.count("x" * 1000) for r in reads] == [10, 2]
    assert "Observation: Summary: summary 2\nsummary 3" in asked[-1].messages[-1].text
    assert result.files == {}


async def test_with_a_log_every_step_is_noted_and_looked_up() -> None:
    moves = [step("list_files"), step("read_file", file="a.txt"), step("final_answer", text="x")]
    result, _, asked = await run(moves, log=True)
    assert [r.agent for r in asked] == [
        "researcher", "reader", "reader", "researcher", "reader", "reader", "researcher", "reader",
    ]  # fmt: skip
    assert "Step 1: summary 2" in asked[2].messages[-1].text
    assert "From your research log:\nsummary 3" in asked[3].messages[-1].text
    assert result.files["research_log.txt"] == "summary 2\n\nsummary 5\n\nsummary 8"


@pytest.mark.parametrize("form", ["react", "act"])
async def test_the_shorter_forms_of_the_baselines(form: str) -> None:
    result, _, asked = await run(
        [step("list_files", form), step("final_answer", form, text="x")], form=form
    )
    assert result.notes["ended"] == "answer"
    assert "Fact Check:" not in asked[0].messages[-1].text


async def test_it_ends_where_its_world_is_closed_and_after_its_steps() -> None:
    looks = [step("list_files")] * 60
    result, world, _ = await run(looks, steps=60)
    assert (result.notes["ended"], len(world.state.steps)) == ("closed", 50)
    result, _, _ = await run(looks, steps=2)
    assert result.notes == {"steps": 2, "ended": "steps", "unreadable": 0}
    with pytest.raises(BadInput, match="from 1, not 0"):
        await run(looks, steps=0)
