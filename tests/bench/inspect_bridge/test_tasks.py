"""Tasks of Inspect as benchmarks: what is asked, how it is judged, what is refused."""

import asyncio
import json
import pickle

import pytest
from typer.testing import CliRunner

pytest.importorskip("inspect_ai")

from collegium.cli import app
from collegium.errors import BadInput
from collegium.kernel import Unparsed
from collegium.tasks import load


def judge(item, answer):
    return asyncio.run(item.score(answer))


def test_numbers_are_asked_for_where_the_scorer_compares_them(task) -> None:
    found = load(f"inspect:{task('sums')}", split="all", seed=None)
    assert [i.task.id for i in found.items] == ["five", "six", "fifty"]
    assert {i.task.answer for i in found.items} == {"number"}
    first = found.items[0]
    assert first.task.prompt == "What is 5 + 7?" and first.reference == "12"
    assert judge(first, 12.0).correct and judge(first, "12").correct
    assert not judge(first, 13).correct
    for nothing in (None, Unparsed()):
        score = judge(first, nothing)
        assert (score.value, score.correct, score.reason) == (0.0, False, "no_response")


def test_splits_and_seeds_are_those_of_other_files(task) -> None:
    name = f"inspect:{task('sums')}"
    every = {i.task.id for i in load(name, split="all").items}
    assert every == {"five", "six", "fifty"}
    assert len(load(name, split="all", limit=2).items) == 2
    assert load(name, split="all").fingerprint == load(name, split="all").fingerprint
    with pytest.raises(BadInput, match="no split 'train'"):
        load(name, split="train")


def test_options_are_letters_for_every_scorer(task) -> None:
    for name in ("capitals", "lettered"):
        found = load(f"inspect:{task(name)}", split="all", seed=None)
        france = found.items[0]
        assert france.task.choices == ("Bonn", "Paris") and france.reference == "B"
        assert judge(france, "B").correct and judge(france, "Paris").correct
        assert not judge(france, "A").correct
        assert not judge(france, None).correct
        assert found.controls["chance"] == 0.5


def test_every_scorer_is_shown_the_answer_in_its_form(task) -> None:
    (item,) = load(f"inspect:{task('words')}", split="all").items
    good = judge(item, "BETA GAMMA")
    assert good.correct
    assert set(good.facts) == {"exact", "f1", "answer", "pattern", "pattern-2"}
    assert all(good.facts.values())
    part = judge(item, "BETA")
    assert not part.correct and 0 < part.facts["f1"] < 1 and not part.facts["exact"]


def test_the_scorer_belongs_to_the_fingerprint(task) -> None:
    options = {"split": "all", "seed": None}
    first = load(f"inspect:{task('capitals')}", **options)
    second = load(f"inspect:{task('lettered')}", **options)
    assert first.items[0].task == second.items[0].task
    assert first.fingerprint != second.fingerprint


def test_a_grader_is_named_with_the_benchmark(task, model) -> None:
    name = f"inspect:{task('graded')}"
    with pytest.raises(BadInput, match=r"graded by a model \(model_graded_qa\); say"):
        load(name, split="all")
    (item,) = load(f"{name}:grader={model('solver')}", split="all").items
    assert judge(item, "BETA GAMMA").correct
    assert not judge(item, "GAMMA").correct


def test_a_scorer_of_ones_own_may_ask_the_grader_and_nobody_else(task, model) -> None:
    name = f"inspect:{task('asking')}"
    (item,) = load(f"{name}:grader={model('solver')}", split="all").items
    assert judge(item, "BETA GAMMA").correct
    (item,) = load(name, split="all").items
    with pytest.raises(BadInput, match="the scorer asks failed: No model"):
        judge(item, "BETA GAMMA")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("boxed", "runs in a sandbox"),
        ("prepared", "prepares every sample"),
        ("unscored", "has no scorer"),
        ("likely", "perplexity, which does not look at an answer"),
        ("both_right", "wants 2 of its options"),
        ("nowhere", "cannot load the Inspect task"),
    ],
)
def test_what_cannot_be_judged_here_is_refused(task, name, said) -> None:
    with pytest.raises(BadInput, match=said):
        load(f"inspect:{task(name)}", split="all")


def test_names_say_one_task(folder) -> None:
    with pytest.raises(BadInput, match="must be one task"):
        load(f"inspect:{folder / 'some_tasks.py'}")
    with pytest.raises(BadInput, match="names no task"):
        load("inspect:")
    with pytest.raises(BadInput, match="names no task"):
        load("inspect:x.py@y:grader=")


def test_items_can_be_sent_to_another_process(task) -> None:
    (item, *_) = load(f"inspect:{task('sums')}", split="all", seed=None).items
    assert judge(pickle.loads(pickle.dumps(item)), 12).correct


def test_systems_are_compared_on_it(tmp_path, monkeypatch, task, model) -> None:
    monkeypatch.setenv("COLLEGIUM_HOME", str(tmp_path))
    options = ["--on", f"inspect:{task('sums')}", "--split", "all", "--json"]
    done = CliRunner().invoke(
        app, ["compare", "direct", "cot", *options, "--model", model("solver")]
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [s["accuracy"] for s in report["systems"]] == [1.0, 1.0]
    assert report["benchmark"].startswith("inspect:") and "inspect-ai" in report["source"]
