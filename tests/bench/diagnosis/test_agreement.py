"""Agreement of rules and labels: the formula by hand, the format, and runs of the store."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import collegium as co
from collegium.bench.diagnosis.agreement import (
    RULED,
    Label,
    agreements,
    draw,
    found_by_rules,
    kappa,
    main,
    read_labels,
)
from collegium.errors import BadInput, UnknownName
from collegium.kernel import RunStore
from collegium.kernel.store import default_path

SCRIPT = """
def same(request):
    return "So.\\nAnswer: 4"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A store of its own with three runs of two systems."""
    monkeypatch.setenv("COLLEGIUM_HOME", str(tmp_path / "home"))
    script = tmp_path / "answers.py"
    script.write_text(SCRIPT)
    task = co.Task(id="sum", prompt="What is 2 + 2?", answer="number")
    runs = [co.run(s, task, model=f"script:{script}:same") for s in ("mad", "cot", "cot")]
    return tmp_path, [r.id for r in runs]


def test_kappa_by_hand() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: seen 0.7, by chance 0.5.
    assert kappa(20, 5, 10, 15) == pytest.approx(0.4)
    assert kappa(3, 0, 0, 4) == 1
    assert kappa(0, 2, 2, 0) == -1
    assert kappa(0, 0, 0, 9) is None
    assert kappa(9, 0, 0, 0) is None
    assert kappa(0, 1, 0, 9) == 0
    with pytest.raises(BadInput):
        kappa(0, 0, 0, 0)


@given(*[st.integers(0, 20)] * 4)
def test_kappa_lies_between_minus_one_and_one(a, b, c, d) -> None:
    if a + b + c + d:
        found = kappa(a, b, c, d)
        assert found is None or -1 <= found <= 1
        assert found == kappa(a, c, b, d) == kappa(d, b, c, a)


def test_agreements_by_mode_and_together() -> None:
    labels = [Label(run=str(i), codes=codes) for i, codes in
              enumerate([("1.3",), ("1.3", "2.4"), (), ("2.3",)])]  # fmt: skip
    made = {a.code: a for a in agreements(labels, [["1.3"], ["2.4"], ["1.3"], []])}
    assert list(made) == [*RULED, ""]
    one = made["1.3"]
    assert (one.both, one.only_rules, one.only_hand, one.neither, one.kappa) == (1, 1, 1, 1, 0)
    assert made["2.4"].kappa == 1
    assert made["3.1"].kappa is None
    # 2.3 is a matter of judgement: it says nothing about the rules.
    assert "2.3" not in made
    total = made[""]
    assert (total.both, total.only_rules, total.only_hand) == (2, 1, 1)
    assert total.neither == 4 * len(RULED) - 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no labels"),
        ("nonsense", "line 1 is no label"),
        ('{"run": "a"}', "line 1 is no label"),
        ('{"run": "a", "codes": null}', "waits for its label"),
        ('{"run": "a", "codes": []}\n\n{"run": "a", "codes": ["1.3"]}', "line 3 labels a run"),
    ],
)
def test_bad_files_are_refused(tmp_path, text, says) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_labels(file)


def test_unknown_modes_and_missing_files_are_refused(tmp_path) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text('{"run": "a", "codes": ["4.1"]}')
    with pytest.raises(UnknownName, match="failure mode"):
        read_labels(file)
    with pytest.raises(BadInput, match="cannot read the labels"):
        read_labels(tmp_path / "none")


def test_runs_of_the_store_are_drawn_labelled_and_compared(home, capsys) -> None:
    folder, runs = home
    store = RunStore(default_path())
    try:
        drawn = draw(store, 2, seed=0)
        assert {label.system.partition(":")[0] or "" for label in drawn} <= {"", "mad", "cot"}
        assert len({(d.run, d.system, d.task) for d in draw(store, 9, seed=0)}) == 3
        assert draw(store, 9, seed=0) == draw(store, 9, seed=0)
        assert all(d.codes is None and d.run in runs for d in drawn)
        rules = found_by_rules(drawn[0], store)
        with pytest.raises(BadInput, match="has nothing of 'x'"):
            found_by_rules(Label(run=runs[0], system="x", codes=()), store)
    finally:
        store.close()
    assert main(["--draw", "3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3 and all(line["codes"] is None for line in lines)
    file = folder / "labels.jsonl"
    file.write_text("\n".join(json.dumps(line | {"codes": []}) for line in lines))
    assert main([str(file)]) == 0
    out = capsys.readouterr().out
    assert "3 runs labelled by hand" in out and "kappa" in out
    assert main([str(file), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert [a["code"] for a in made] == [*RULED, ""]
    assert all(a["both"] == a["only_hand"] == 0 for a in made)
    assert sum(a["only_rules"] for a in made[:-1]) >= len(rules)
    file.write_text(file.read_text().replace(lines[0]["run"], "nowhere"))
    assert main([str(file)]) == 2
    assert "error: unknown run" in capsys.readouterr().err
