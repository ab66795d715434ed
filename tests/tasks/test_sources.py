import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from collegium.errors import BadInput, UnknownName
from collegium.tasks import load


def test_a_language_of_mgsm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mgsm").mkdir()
    (tmp_path / "mgsm" / "mgsm_de.tsv").write_text('Wie "viele"?\t1,234\nUnd nun?\t5\n', "utf-8")
    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    items = load("mgsm:de", split="all", seed=None).items
    assert [(i.task.prompt, i.reference) for i in items] == [
        ('Wie "viele"?', "1234"),
        ("Und nun?", "5"),
    ]
    with pytest.raises(UnknownName, match="unknown mgsm language 'xx'"):
        load("mgsm:xx")


def test_data_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name, file in (
        ("gsm8k", "gsm8k/test.jsonl"),
        ("math500", "math500/test.jsonl"),
        ("mmlu:virology", "mmlu/test/virology_test.csv"),
        ("mmlu-medical", "mmlu/test/anatomy_test.csv"),
        ("pubmedqa", "pubmedqa/ori_pqal.json"),
        ("mbpp", "mbpp/test.jsonl"),
        ("mgsm:de", "mgsm/mgsm_de.tsv"),
    ):
        with pytest.raises(BadInput, match=f"{name} is not here: it was looked for at") as caught:
            load(name)
        assert str(tmp_path / file) in str(caught.value)
        assert "\n" not in str(caught.value)
    monkeypatch.delenv("COLLEGIUM_DATA")
    with pytest.raises(
        BadInput, match=r"at \$COLLEGIUM_DATA/gsm8k/test.jsonl, but COLLEGIUM_DATA is not"
    ):
        load("gsm8k")


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        (
            "gsm8k",
            "gsm8k/test.jsonl",
            '{"question": "x?", "answer": "#### 1"}\n{"a"',
            "line 2: expected a JSON object",
        ),
        (
            "gsm8k",
            "gsm8k/test.jsonl",
            '{"question": "x?", "answer": "one"}',
            "line 1: expected a number as the answer",
        ),
        ("gsm8k", "gsm8k/test.jsonl", '{"answer": "#### 1"}', "line 1: 'question' is missing"),
        ("gsm8k", "gsm8k/test.jsonl", "", "gsm8k has no questions in its split 'test'"),
        (
            "mmlu:virology",
            "mmlu/test/virology_test.csv",
            "q,a,b,c,d,A\nq,a,b\n",
            "line 2: expected 6 cells",
        ),
        (
            "mmlu:virology",
            "mmlu/test/virology_test.csv",
            "q,a,b,c,d,E\n",
            "line 1: expected A, B, C or D",
        ),
        (
            "mbpp",
            "mbpp/test.jsonl",
            '{"prompt": "x", "code": "y"}',
            "line 1: 'test_list' must be a list",
        ),
        ("mgsm:de", "mgsm/mgsm_de.tsv", "Wie viele?\tviele\n", "line 1: expected a number"),
    ],
)
def test_broken_data(
    name: str,
    file: str,
    content: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(content, "utf-8")
    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    with pytest.raises(BadInput, match=re.escape(message)):
        load(name)


HUB = {
    ("openai/gsm8k", "main", "test"): [{"question": "1+1?", "answer": "#### 2"}],
    ("HuggingFaceH4/MATH-500", "default", "test"): [
        {"problem": "x?", "solution": "\\boxed{2}", "answer": "2", "subject": "Algebra", "level": 2}
    ],
    ("cais/mmlu", "all", "test"): [
        {"question": "x?", "subject": "virology", "choices": ["a", "b", "c", "d"], "answer": 2},
        {"question": "y?", "subject": "anatomy", "choices": ["a", "b", "c", "d"], "answer": 0},
    ],
    ("juletxara/mgsm", "de", "test"): [
        {"question": "Wie?", "answer": None, "answer_number": 7, "equation_solution": None}
    ],
}


def test_the_data_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load_dataset(name: str, config: str, *, split: str) -> list[dict[str, object]]:
        if (name, config, split) not in HUB:
            raise ConnectionError("no network\nreally")
        return HUB[name, config, split]

    monkeypatch.setenv("COLLEGIUM_DATA", str(tmp_path))
    hub = SimpleNamespace(load_dataset=load_dataset, __spec__=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "datasets", hub)
    assert load("gsm8k").items[0].reference == "2"
    assert load("math500").items[0].task.stratum == "level 2"
    assert [i.reference for i in load("mmlu:virology").items] == ["C"]
    assert len(load("mmlu").items) == 2
    assert load("mgsm:de", split="all").items[0].reference == "7"
    with pytest.raises(
        BadInput, match=r"mbpp/test.jsonl, and the data hub did not give it \(no network\); put"
    ):
        load("mbpp")
