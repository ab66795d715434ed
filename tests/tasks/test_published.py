import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from collegium.tasks import Benchmark, load
from collegium.tasks.number import final_number
from collegium.tasks.programs import human_eval_file
from collegium.tasks.published import PUBLISHED
from collegium.tasks.scorers import score_number

SETS = [
    "gsm8k",
    "math500",
    "mmlu",
    "mmlu:anatomy",
    "mmlu-medical",
    "pubmedqa",
    "humaneval",
    "mbpp",
    "mgsm",
]

pytestmark = pytest.mark.usefixtures("data")


def whole(name: str) -> Benchmark:
    splits = PUBLISHED[name.partition(":")[0]].splits
    return load(name, split="all" if "all" in splits else "test")


def lines(path: Path) -> int:
    return len([line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()])


def test_counts_are_those_of_the_files(data: Path) -> None:
    for name in ("gsm8k", "math500", "mbpp", "mgsm"):
        assert len(whole(name).items) == lines(data / name / "test.jsonl")
    assert len(load("gsm8k", split="train").items) + len(
        load("gsm8k", split="validation").items
    ) == lines(data / "gsm8k" / "train.jsonl")
    anatomy = (data / "mmlu" / "test" / "anatomy_test.csv").read_text(encoding="utf-8")
    assert len(whole("mmlu:anatomy").items) == anatomy.count("\n")
    assert len(whole("humaneval").items) == 164
    truth = json.loads((data / "pubmedqa" / "test_ground_truth.json").read_text(encoding="utf-8"))
    records = json.loads((data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    assert len(whole("pubmedqa").items) == len(set(truth) & set(records))


@pytest.mark.parametrize("name", SETS)
def test_splits_are_disjoint_and_their_ids_unique(name: str) -> None:
    splits = [s for s in PUBLISHED[name.partition(":")[0]].splits if s != "all"]
    seen: Counter[tuple[str, tuple[str, ...]]] = Counter()
    ids: list[str] = []
    for split in splits:
        items = load(name, split=split).items
        seen.update({(item.task.prompt, item.task.choices) for item in items})
        ids += [item.task.id for item in items]
    assert max(seen.values()) == 1
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ["humaneval", "mbpp", "mgsm"])
def test_a_fixed_fifth_is_for_validation(name: str) -> None:
    test, validation, everything = (
        load(name, split=s).items for s in ("test", "validation", "all")
    )
    assert len(test) + len(validation) == len(everything)
    assert 0.1 < len(validation) / len(everything) < 0.3


@pytest.mark.parametrize("name", SETS)
def test_selection(name: str) -> None:
    ten, twenty, again = (load(name, limit=n, seed=7) for n in (10, 20, 10))
    assert [i.task.id for i in ten.items] == [i.task.id for i in twenty.items[:10]]
    assert ten.fingerprint == again.fingerprint != twenty.fingerprint
    assert [i.task.id for i in load(name, limit=10, seed=8).items] != [i.task.id for i in ten.items]
    in_order = [i.task.id for i in load(name, seed=None).items]
    assert sorted(in_order) == sorted(i.task.id for i in load(name, seed=7).items)
    assert load(name, limit=3, seed=None).items[0].task.id == in_order[0]


@pytest.mark.parametrize("name", ["gsm8k", "math500", "mmlu", "pubmedqa", "mgsm"])
async def test_every_reference_is_judged_correct_and_another_wrong(name: str) -> None:
    items = whole(name).items
    for item, following in zip(items, items[1:] + items[:1], strict=True):
        assert (await item.score(item.reference)).correct, item
        if item.task.answer == "choice":
            other = next(k for k in item.task.letters if k != item.reference)
            assert not (await item.score(other)).correct
            text = item.task.choices[item.task.letters.index(item.reference)]
            # An option "B" that is not the second can not be named by its text.
            if item.task.choices.count(text) == 1 and text not in item.task.letters:
                assert (await item.score(text)).correct, item
        elif item.task.answer == "number":
            for other in (float(item.reference) + 1, f"-{item.reference}1", "no idea"):
                assert not (await item.score(other)).correct
        elif following.reference != item.reference and "_" not in item.reference:
            assert not (await item.score("z_{17} + 1")).correct


@pytest.mark.usefixtures("math_verify")
async def test_references_of_math500_in_other_notation() -> None:
    for item in whole("math500").items:
        plain = re.sub(r"\\frac\{(\w+)\}\{(\w+)\}", r"\1/\2", item.reference)
        for written in (
            f"\\boxed{{{item.reference}}}",
            f"The answer is ${item.reference}$.",
            plain,
        ):
            assert (await item.score(written)).correct, (written, item.reference)


def test_gsm8k_graded_solutions_agree_with_the_number_scorer(
    data: Path, record_property: Callable[[str, object], None]
) -> None:
    graded = data / "gsm8k" / "example_model_solutions.jsonl"
    if not graded.is_file():
        pytest.skip("no graded solutions here")
    agree: Counter[bool] = Counter()
    for line in graded.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        expected = final_number(record["ground_truth"])
        for solution in (v for v in record.values() if isinstance(v, dict)):
            answer = solution["solution"].rpartition("A:")[2]
            judged = score_sync(answer, str(expected))
            agree[judged == solution["is_correct"]] += 1
    record_property("agreement", f"{agree[True]} of {agree.total()}")
    print(f"agreement with the published grades: {agree[True]} of {agree.total()}")
    assert agree[True] / agree.total() > 0.995


def score_sync(answer: str, reference: str) -> bool:
    coroutine = score_number(answer, reference=reference)
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value.correct
    raise AssertionError("the number scorer waited for something")


def test_what_a_system_is_given() -> None:
    item = load("pubmedqa", limit=1).items[0]
    assert item.task.answer == "choice"
    assert item.task.choices == ("yes", "no", "maybe")
    assert "\n\nQuestion: " in item.task.prompt
    item = load("mmlu:anatomy", limit=1, seed=None).items[0]
    assert item.task.text.count("\nA. ") == item.task.text.count("\nD. ") == 1
    assert item.task.stratum == "anatomy"
    item = load("math500", limit=1).items[0]
    assert re.fullmatch(r"level [1-5]", item.task.stratum)
    item = load("humaneval", limit=1, seed=None, split="all").items[0]
    assert item.task.entry_point == "has_close_elements"
    assert "def has_close_elements(" in item.task.prompt
    assert "METADATA" not in item.task.prompt
    for item in load("mbpp", split="all").items:
        assert f"{item.task.entry_point}(" in item.task.prompt
        assert item.task.entry_point
        assert item.task.prompt.count("assert ") == 1


def test_controls_and_source() -> None:
    pubmedqa = load("pubmedqa")
    verdicts = Counter(item.reference for item in pubmedqa.items)
    assert pubmedqa.controls["majority"] == max(verdicts.values()) / len(pubmedqa.items)
    assert pubmedqa.controls["chance"] == pytest.approx(1 / 3)
    gsm8k = load("gsm8k")
    numbers = Counter(item.reference for item in gsm8k.items)
    assert gsm8k.controls == {"constant": max(numbers.values()) / len(gsm8k.items)}
    assert load("humaneval").controls == {}
    if len(gsm8k.items) < 1319:
        assert f"{len(gsm8k.items)} of 1319 questions are here" in gsm8k.source


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("number", [0, 32, 38, 50, 163])
async def test_humaneval_judges_the_published_solutions(number: int) -> None:
    import gzip

    path = human_eval_file()
    assert path is not None
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    record = json.loads(text.splitlines()[number])
    items = {item.task.id: item for item in load("humaneval", split="all").items}
    item = items[record["task_id"]]
    assert (await item.score(record["canonical_solution"])).correct
    whole_function = record["prompt"] + record["canonical_solution"]
    assert (await item.score(f"Here it is:\n```python\n{whole_function}```")).correct
    assert not (await item.score("    return None")).correct
    assert not (await item.score(f"def {item.task.entry_point}(*_): return 0")).correct


@pytest.mark.usefixtures("sandbox")
async def test_mbpp_judges_the_published_solutions(data: Path) -> None:
    records = (data / "mbpp" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    for item in load("mbpp", split="all", limit=5).items:
        record = json.loads(records[int(item.task.id.rpartition("/")[2])])
        assert (await item.score(f"```python\n{record['code']}\n```")).correct
        assert not (await item.score(f"def {item.task.entry_point}(*_): return 'x'")).correct


def test_humaneval_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    from_package = load("humaneval", split="all")
    monkeypatch.setattr("collegium.tasks.programs.find_spec", lambda name: None)
    assert load("humaneval", split="all").fingerprint == from_package.fingerprint
