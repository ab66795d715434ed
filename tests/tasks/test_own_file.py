import json
import re
from pathlib import Path

import pytest

from collegium.errors import BadInput
from collegium.tasks import Benchmark, load


def written(folder: Path, name: str, content: str | list[object]) -> Path:
    path = folder / name
    if isinstance(content, list):
        content = "\n".join(json.dumps(record) for record in content)
    path.write_text(content, "utf-8")
    return path


def loaded(folder: Path, name: str, content: str | list[object], split: str = "test") -> Benchmark:
    return load(written(folder, name, content), seed=None, split=split)


async def test_numbers_from_csv(tmp_path: Path) -> None:
    text = (
        'question,answer,id,level\n"How many, if\n1 and 1?",2,first,easy\nAnd now?,"$1,234.50",,\n'
    )
    numbers = loaded(tmp_path, "my.csv", text)
    first, second = (item.task for item in numbers.items)
    assert (first.id, first.prompt, first.answer) == ("first", "How many, if\n1 and 1?", "number")
    assert (first.stratum, second.stratum) == ("easy", "")
    assert second.id == "line-4"
    assert (await numbers.items[1].score(1234.5)).correct
    assert numbers.source == str(tmp_path / "my.csv")


async def test_jsonl(tmp_path: Path) -> None:
    mixed = loaded(
        tmp_path,
        "my.jsonl",
        [
            {"prompt": "Capital of France?", "answer": "Paris", "stratum": "geography"},
            {"question": "Sum?", "choices": ["3", "4", "5"], "answer": 4},
            {"question": "Say yes.", "choices": '["yes", "no"]', "answer": "a"},
            {"question": "Say no.", "choices": "yes|no", "answer": "No"},
            {"question": "Write f.", "tests": "assert f(1) == 2"},
            {"question": "Write g.", "tests": ["assert g(1)", "assert g(2)"], "entry_point": "g"},
            {"question": "Is it?", "answer": True},
            {"question": "Half?", "answer": 0.5, "kind": "number"},
            {"question": "x?", "answer": "2k+2", "kind": "latex"},
        ],
    )
    kinds = [item.task.answer for item in mixed.items]
    assert kinds == ["text", *["choice"] * 3, "code", "code", "text", "number", "latex"]
    references = [item.reference for item in mixed.items]
    assert references == ["Paris", "B", "A", "B", "", "", "true", "0.5", "2k+2"]
    assert (await mixed.items[0].score("paris.")).correct
    assert (await mixed.items[1].score("4")).correct
    assert mixed.items[1].task.choices == ("3", "4", "5")
    assert mixed.items[5].task.entry_point == "g"
    assert len({item.task.id for item in mixed.items}) == 9


async def test_options_in_columns(tmp_path: Path) -> None:
    table = "Question,A,B,C,D,answer\nx?,1,2,3,4,C\ny?,yes,no,,,no\n"
    first, second = loaded(tmp_path, "my.csv", table).items
    assert first.task.choices == ("1", "2", "3", "4")
    assert second.task.choices == ("yes", "no")
    assert (first.reference, second.reference) == ("C", "B")


def test_latex_is_recognised(tmp_path: Path) -> None:
    records: list[object] = [
        {"question": "x?", "answer": "\\frac{1}{x}"},
        {"question": "y?", "answer": "x"},
    ]
    assert {i.task.answer for i in loaded(tmp_path, "my.jsonl", records).items} == {"latex"}


@pytest.mark.usefixtures("sandbox")
async def test_code_is_judged_by_its_tests(tmp_path: Path) -> None:
    item = loaded(
        tmp_path, "my.jsonl", [{"question": "Write f.", "tests": "assert f(1) == 2"}]
    ).items[0]
    assert (await item.score("```python\ndef f(x):\n    return x + 1\n```")).correct
    assert not (await item.score("def f(x): return x")).correct


def test_a_column_for_the_split(tmp_path: Path) -> None:
    table = "question,answer,split\na?,1,test\nb?,2,validation\nc?,3,\n"
    assert [i.reference for i in loaded(tmp_path, "my.csv", table).items] == ["1", "3"]
    assert [i.reference for i in loaded(tmp_path, "my.csv", table, "validation").items] == ["2"]
    with pytest.raises(BadInput, match="no questions in its split 'train'"):
        loaded(tmp_path, "my.csv", table, "train")


def test_selection_and_a_mark_at_the_start_of_the_file(tmp_path: Path) -> None:
    table = "\ufeffquestion,answer\r\n" + "\r\n".join(f"{n}?,{n}" for n in range(30))
    path = written(tmp_path, "my.csv", table)
    ids = [i.task.id for i in load(path, limit=5, seed=3).items]
    assert ids == [i.task.id for i in load(path, limit=9, seed=3).items][:5]
    assert ids != [i.task.id for i in load(path, limit=5, seed=4).items]


def test_controls_of_few_answers(tmp_path: Path) -> None:
    answers = ["yes", "Yes", "no", "yes."] * 3
    records: list[object] = [{"question": f"{n}?", "answer": a} for n, a in enumerate(answers)]
    assert loaded(tmp_path, "my.jsonl", records).controls == {"majority": 0.75}


EXPECTED = "expected the columns question (or prompt) and answer"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "question,reply\nx?,1\n", f"a.csv, line 2: no answer; {EXPECTED}"),
        ("a.csv", "text,answer\nx?,1\n", f"a.csv, line 2: no question; {EXPECTED}"),
        (
            "a.csv",
            "question,answer\nx?,1\ny?\n",
            "a.csv, line 3: expected 2 cells (question, answer), found 1.",
        ),
        (
            "a.csv",
            "question,answer\nx?,1,2\n",
            "a.csv, line 2: expected 2 cells (question, answer), found 3.",
        ),
        (
            "a.csv",
            'question,answer\n"x?,1\n',
            "a.csv, line 2: not a CSV record; unexpected end of data.",
        ),
        ("a.csv", "question,answer\n", f"a.csv has no questions; {EXPECTED}"),
        ("a.csv", "", "a.csv has no questions"),
        ("a.csv", "question,A,C,answer\nx?,1,2,A\n", None),
        (
            "a.csv",
            "question,A,B,D,answer\nx?,1,2,3,A\n",
            "line 2: the options must fill columns A, B, C",
        ),
        (
            "a.csv",
            "question,A,B,answer\nx?,1,2,D\n",
            "line 2: the answer 'D' must be the letter or the text of an option (1 / 2).",
        ),
        ("a.csv", "question,answer,id\nx?,1,q\ny?,2,q\n", "line 3: the id 'q' is taken by line 2."),
        (
            "a.csv",
            "question,answer,split\nx?,1,dev\n",
            "line 2: 'split' must be one of test, validation, train.",
        ),
        (
            "a.jsonl",
            '{"question": "x?", "answer": 1}\n{"question": ',
            "a.jsonl, line 2: expected a JSON object; Input data was truncated.",
        ),
        ("a.jsonl", "[1, 2]", "a.jsonl, line 1: expected a JSON object such as {...}."),
        ("a.jsonl", '\n{"question": "x?"}', f"a.jsonl, line 2: no answer; {EXPECTED}"),
        ("a.jsonl", '{"question": "x?", "answer": null}', "a.jsonl, line 1: no answer"),
        (
            "a.jsonl",
            '{"question": "x?", "answer": [1]}',
            "line 1: the answer must be a text or a number.",
        ),
        ("a.jsonl", '{"question": 5, "answer": 1}', "line 1: the question must be a text."),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "a", "choices": ["a"]}',
            "line 1: a question needs 2 to 26 choices, found 1.",
        ),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "a", "choices": 5}',
            "line 1: 'choices' must be a list of texts.",
        ),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "a", "choices": "[1,"}',
            "line 1: 'choices' starts like a JSON list;",
        ),
        ("a.jsonl", '{"question": "x?", "tests": "assert ("}', "line 1: 'tests' is not Python;"),
        ("a.jsonl", '{"question": "x?", "tests": 5}', "line 1: 'tests' must be Python code."),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "y", "kind": "code"}',
            "line 1: code needs 'tests' (Python).",
        ),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "y", "kind": "essay"}',
            "line 1: 'kind' must be one of text, number",
        ),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "y", "kind": "number"}',
            "line 1: the answer 'y' is not a number.",
        ),
        (
            "a.jsonl",
            '{"question": "x?", "answer": "y", "kind": "choice"}',
            "line 1: the answer 'y' must be the letter",
        ),
        ("a.txt", "x", "a.txt: a file of questions must end in .jsonl or .csv."),
    ],
)
def test_broken_files(name: str, content: str, message: str | None, tmp_path: Path) -> None:
    if message is None:
        # A single letter may be an ordinary column.
        assert loaded(tmp_path, name, content).items[0].task.answer == "text"
        return
    with pytest.raises(BadInput, match=re.escape(message)) as caught:
        loaded(tmp_path, name, content)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such file: .*nowhere\.csv"):
        load(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadInput, match="no such file"):
        load(tmp_path / "folder.csv")
    (tmp_path / "latin.csv").write_bytes(b"question,answer\nx?,1\ncaf\xe9?,2\n")
    with pytest.raises(BadInput, match=r"latin\.csv, line 3: expected text in UTF-8"):
        load(tmp_path / "latin.csv")
    path = written(tmp_path, "my.csv", "question,answer\nx?,1\n")
    with pytest.raises(BadInput, match="no split 'validation': without a column 'split' all of it"):
        load(path, split="validation")
    with pytest.raises(BadInput, match="limit must be at least 1, not 0"):
        load(path, limit=0)
