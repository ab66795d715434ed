"""Improvement over the starter code, by hand; the starter code and expert patches, for real."""

import pytest

from collegium.errors import BadInput
from collegium.tools.sandbox import sandbox_problem
from collegium.worlds.folder import (
    FolderTask,
    Measured,
    WorkFolder,
    baseline,
    folder_task,
    folder_tasks,
    improvement,
    starter_scores,
    succeeded,
)
from collegium.worlds.folder.scoring import read_predictions
from tests.worlds.folder.experts import EXPERTS

confined = pytest.mark.skipif(bool(sandbox_problem()), reason=sandbox_problem() or "")


@pytest.mark.must_show("mlagentbench", 2)
@pytest.mark.parametrize(
    ("start", "final", "better", "gain", "success"),
    [
        (0.52, 0.60, "higher", 0.1538, True),
        (0.50, 0.47, "lower", 0.06, False),
        (20_000, 17_900, "lower", 0.105, True),
        (0.50, 0.55, "higher", 0.10, False),
        (0.60, 0.66, "higher", 0.10, False),
        (10.0, 9.0, "lower", 0.10, False),
        (0.50, 0.5501, "higher", 0.1002, True),
        (-2.0, -1.5, "higher", 0.25, True),
        (0.5, 0.4, "higher", -0.2, False),
    ],
)
def test_improvement_by_hand(start, final, better, gain, success) -> None:
    assert improvement(final, start, better) == pytest.approx(gain, abs=5e-5)
    assert succeeded(improvement(final, start, better)) is success


def test_no_share_of_nothing() -> None:
    with pytest.raises(BadInput, match="baseline of 0"):
        improvement(1.0, 0.0)


@pytest.mark.must_show("mlagentbench", 2)
@confined
async def test_the_baseline_is_the_mean_of_the_starter_codes_own_runs() -> None:
    given = iter([0.5, 0.6, 0.7])

    async def score(files) -> Measured:
        assert files["made"] == b"yes"  # the starter code has run
        return Measured(next(given))

    task = FolderTask(
        name="mean-of-three", like="", problem="", metric="m", better="higher",
        files=lambda: {"train.py": b"open('made', 'w').write('yes')"}, read_only=(), score=score,
    )  # fmt: skip
    assert await baseline(task) == pytest.approx(0.6)
    assert await starter_scores(task) == (0.5, 0.6, 0.7)  # measured once


def test_submissions_that_are_none() -> None:
    def read(text: str) -> object:
        return read_predictions({"submission.csv": text.encode()}, 2)

    assert read("a\n1\n2\n") == [1.0, 2.0]
    assert read("id,a\n0,1\n1,2\n") == [1.0, 2.0]
    assert read("a\n1\n") == "submission.csv has 1 rows where 2 are asked for"
    assert "something else than numbers" in str(read("a\n1\nx\n"))
    assert "without an end" in str(read("a\n1\nnan\n"))
    assert read_predictions({}, 2) == "there is no submission.csv"


@pytest.mark.must_show("mlagentbench", 6)
@confined
@pytest.mark.parametrize("name", sorted(folder_tasks()))
async def test_starter_code_improves_nothing_and_an_expert_succeeds(name: str) -> None:
    task = folder_task(name)
    if problem := task.missing():
        pytest.skip(problem)
    world = WorkFolder(task)
    await world.reset()
    use = {t.spec.name: t for t in world.tools}
    # The floor: run train.py and submit.
    await use["execute_script"].run({"script": "train.py"})
    floor = await world.judge("a very good result")
    assert floor.facts["valid"]
    if task.metric != "seconds":  # these are the same again; times are compared below
        assert floor.facts["improvement"] == pytest.approx(0, abs=1e-9)
        assert not floor.correct
    # A patch by hand.
    for file, content in EXPERTS[name].items():
        await use["write_file"].run({"file": file, "content": content})
    seen = await use["execute_script"].run({"script": "train.py"})
    await use["final_answer"].run({"text": ""})
    for _ in range(3 if task.metric == "seconds" else 1):  # a busy machine is timed again
        best = await world.judge("")
        if best.correct:
            break
    assert best.correct, (seen, best)
    assert best.facts["improvement"] > 0.10
