"""From kernel traces to trajectories, from the kernel itself and from stored comparisons."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from collegium.cli import app
from collegium.errors import BadInput, ToolError
from collegium.kernel import Kernel, tool
from collegium.learning.capture import Trajectory, captured, split_by_task
from collegium.learning.masking import conversations, record_of
from tests.kernel.support import Scripted, inorder


class Choice(msgspec.Struct):
    """What an agent picks."""

    door: int


@tool
def look(place: str) -> str:
    """Look at a place.

    Args:
        place: Where.
    """
    if place == "attic":
        raise ToolError("There is no attic.")
    return f"a {place}, empty"


async def explored() -> Trajectory:
    """An agent looks, answers, repairs its answer; another one comments."""
    kernel = Kernel(
        Scripted(inorder("I look.", "the left one", '{"door": 2}', "Well done.")), tools=[look]
    )
    scout = kernel.agent("scout", profile="You explore.", tools=["look"])
    await scout.use("look", place="hall")
    await scout.ask("Where are you?", keep=True)
    await scout.use("look", place="cellar")
    with pytest.raises(ToolError):
        await scout.use("look", place="attic")
    reply = await scout.ask("Which door?", output=Choice, keep=True)
    assert reply.data == Choice(2)
    await kernel.agent("critic").ask("Comment.", sources=[reply.call])
    return captured("run", "doors", kernel.trace.events, system="mine", reward=1.0)


async def test_prompts_replies_results_and_tokens_are_captured() -> None:
    run = await explored()
    assert (run.name, run.task, run.system, run.reward) == ("run", "doors", "mine", 1.0)
    assert [(s.agent, s.reply.text) for s in run.steps] == [
        ("scout", "I look."),
        ("scout", "the left one"),
        ("scout", '{"door": 2}'),
        ("critic", "Well done."),
    ]
    assert [m.role for m in run.steps[0].prompt] == ["system", "user"]
    assert [(r.tool, r.arguments, r.value) for r in run.opening] == [
        ("look", {"place": "hall"}, "a hall, empty")
    ]
    cellar, attic = run.steps[0].results
    assert (cellar.value, cellar.error) == ("a cellar, empty", "")
    assert attic.value is None and "no attic" in attic.error
    assert [(s.tokens_prompt, s.tokens_reply) for s in run.steps] == [(10, 5)] * 4
    assert run.tokens == 60
    assert len({s.call for s in run.steps}) == 4


async def test_a_repaired_turn_is_a_bad_step() -> None:
    run = await explored()
    assert [s.bad for s in run.steps] == [False, True, False, False]
    whole, _ = conversations(run)
    assert [(s.kind, s.bad) for s in whole.segments] == [
        ("prompt", False), ("prompt", False), ("agent", False), ("observation", False),
        ("agent", True), ("observation", False), ("agent", False),
    ]  # fmt: skip
    record = record_of(run, masking=True)
    kept = [m.content for m, on in zip(record.messages, record.loss, strict=True) if on]
    assert kept == ["I look.", '{"door": 2}', "Well done."]


async def test_of_several_samples_only_the_repaired_one_is_bad() -> None:
    said = iter(['{"door": 1}', "left", '{"door": 3}', '{"door": 2}'])
    kernel = Kernel(Scripted(lambda request, i: next(said)))
    replies = await kernel.agent("scout").ask("Which door?", output=Choice, n=3)
    assert [r.data for r in replies] == [Choice(1), Choice(2), Choice(3)]
    run = captured("run", "doors", kernel.trace.events)
    assert [(s.reply.text, s.bad) for s in run.steps] == [
        ('{"door": 1}', False), ("left", True), ('{"door": 3}', False), ('{"door": 2}', False),
    ]  # fmt: skip
    assert run.reward is None
    assert len(conversations(run)) == 3


async def test_calls_that_nobody_answered_are_passed_over() -> None:
    kernel = Kernel(Scripted(inorder(BadInput("no"), "yes")))
    agent = kernel.agent("a")
    with pytest.raises(BadInput):
        await agent.ask("One?")
    await agent.ask("Two?")
    run = captured("run", "t", reversed(kernel.trace.events))
    assert [s.reply.text for s in run.steps] == ["yes"]


# -- the split ----------------------------------------------------------------------------------


def runs(tasks: int, systems: int = 3) -> list[Trajectory]:
    return [
        Trajectory(name=f"s{s}/{t}", task=f"task-{t}") for t in range(tasks) for s in range(systems)
    ]


def test_no_task_is_on_both_sides() -> None:
    train, test = split_by_task(runs(10), test=0.3)
    assert {t.task for t in train}.isdisjoint({t.task for t in test})
    assert len({t.task for t in test}) == 3
    assert (len(train), len(test)) == (21, 9)
    assert sorted(t.name for t in (*train, *test)) == sorted(t.name for t in runs(10))


def test_the_split_depends_on_tasks_and_seed_alone() -> None:
    tasks = {t.task for t in split_by_task(runs(20), seed=3)[1]}
    assert tasks == {t.task for t in split_by_task(runs(20, 1)[::-1], seed=3)[1]}
    assert any(tasks != {t.task for t in split_by_task(runs(20), seed=s)[1]} for s in range(5))


@pytest.mark.parametrize(("tasks", "share", "tested"), [(2, 0.1, 1), (2, 0.9, 1), (1, 0.5, 0)])
def test_both_sides_have_a_task_where_that_is_possible(tasks, share, tested) -> None:
    assert len({t.task for t in split_by_task(runs(tasks), test=share)[1]}) == tested


def test_shares_are_shares() -> None:
    assert split_by_task(runs(4), test=0)[1] == []
    assert split_by_task(runs(4), test=1)[0] == []
    with pytest.raises(BadInput, match="between 0 and 1"):
        split_by_task(runs(4), test=1.5)


# -- stored comparisons -------------------------------------------------------------------------

QUESTIONS = "question,answer\nWhat is 2+3?,5\nWhat is 4+4?,8\nWhat is 1+1?,2\nWhat is 3+3?,6\n"
MODEL = '''
def said(request):
    """Wrong on the first question; on the second, wrong whenever several samples are asked for."""
    text = request.messages[-1].text
    answers = {"2+3": 4, "4+4": 9 if request.n > 1 else 8, "1+1": 2, "3+3": 6}
    known = [a for q, a in answers.items() if q in text]
    return f"So.\\nAnswer: {known[0] if known else 0}"
'''


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "questions.csv").write_text(QUESTIONS)

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, words, env={"COLLEGIUM_HOME": str(tmp_path / "home")})
        if "--json" in words and done.exit_code == 0:
            return json.loads(done.stdout)
        return done

    return run


@pytest.fixture
def compared(command, tmp_path):
    model = f"script:{tmp_path / 'model.py'}:said"
    done = command(
        "compare",
        "cot",
        "self-consistency:samples=2",
        "--on",
        "questions.csv",
        "-m",
        model,
        "--curve",
    )
    assert done.exit_code == 0, done.output
    return command


def test_a_stored_comparison_becomes_data(compared, tmp_path) -> None:
    words = ("optimise", "data", "last", "--test", "0", "--out", "made", "--use", "contrastive")
    made = compared(*words, "--json")
    assert made["filters"] == [
        {"name": "environment", "source": "environment", "came": 8, "kept": 5, "dropped": 3}
    ]
    assert made["counts"] == {"kept": 5, "used though dropped": 1, "not used": 2}
    records = [json.loads(line) for line in (tmp_path / "made/records.jsonl").open()]
    assert len(records) == made["records"] == 5
    assert sorted(r["name"].partition("/")[0] for r in records) == [
        *["cot"] * 3, *["self-consistency:samples=2"] * 2
    ]  # fmt: skip
    assert all("Answer: " in m["content"] for r in records for m in [r["messages"][-1]])
    # Both fail on the first question; on the second one is right.
    (pair,) = [json.loads(line) for line in (tmp_path / "made/pairs.jsonl").open()]
    assert pair["chosen"]["messages"][-1]["content"].endswith("Answer: 8")
    assert pair["rejected"]["messages"][-1]["content"].endswith("Answer: 9")
    assert made["files"] == ["made/records.jsonl", "made/pairs.jsonl"]
    printed = compared(*words).stdout
    assert "8 runs to train on, 0 held out by task." in printed
    assert "contrastive: 5 kept, 1 used though dropped, 2 not used." in printed


def test_tasks_are_held_out(compared, tmp_path) -> None:
    made = compared("optimise", "data", "last", "--test", "0.25", "--out", "made", "--json")
    assert (made["train"], made["test"], len(made["test_tasks"])) == (6, 2, 1)
    records = [json.loads(line) for line in (tmp_path / "made/records.jsonl").open()]
    assert records
    assert {r["name"].partition("/")[2] for r in records}.isdisjoint(made["test_tasks"])


def test_routes_can_be_chosen_by_a_stored_run(compared) -> None:
    found = compared("optimise", "routes", "--run", "last", "--json")
    assert found["situation"]["trajectories"] == 8
    assert found["situation"]["reward"] is True
    assert found["situation"]["pairs"] == 1  # both systems put the same prompt
    assert found["open"][0]["route"] == "experience"


def test_what_does_not_exist_is_said(command) -> None:
    for words in (("data", "none"), ("routes", "--run", "none")):
        done = command("optimise", *words)
        assert done.exit_code == 2 and "unknown run" in done.stderr
    done = command("optimise", "data", "none", "--use", "correction")
    assert done.exit_code == 2 and "correction needs" in done.stderr
