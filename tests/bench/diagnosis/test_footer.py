"""The footer of runs and reports, and the command ``diagnose``."""

import json
import re
from pathlib import Path

import msgspec
import pytest

import collegium
from collegium.bench.diagnosis import Finding
from collegium.bench.diagnosis.words import cited, counted
from collegium.bench.html import render
from collegium.bench.records import Outcome, SystemRow
from collegium.bench.summary import system_row
from collegium.kernel import RunStore
from tests.cli.shell import Shell

SAME = "Nine cars carry twelve people a car, and so I multiply nine by twelve to get the sum."
SCRIPT = f'''
def stubborn(request):
    """Says the same whatever it is asked; 42 is the answer to everything."""
    return "{SAME}\\nAnswer: 42"

def hostile(request):
    """A claim that would steer a terminal and a page."""
    return "I ran the code \\x1b[2J<script>alert(1)</script> [red]of it[/red]. Answer: 42"
'''


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(SCRIPT)
    (tmp_path / "questions.csv").write_text(
        "question,answer\\nWhat is 6 times 7?,42\\nWhat is 1 times 1?,1\\n".replace("\\n", "\n")
    )
    return Shell(tmp_path)


STUBBORN = "script:model.py:stubborn"


def found(code="1.3", calls=(0, 1), **fields):
    """A finding."""
    about = {"evidence": "the words", "says": "It says so.", "rule": "r", "confidence": 0.9}
    return Finding(code=code, calls=calls, **{**about, **fields})


# -- run -------------------------------------------------------------------------------------


def test_a_run_ends_with_its_findings(shell):
    done = shell("run", "self-refine:turns=3", "How many?", "--model", STUBBORN)
    assert done.returncode == 0, done.stderr
    footer = done.stdout[done.stdout.index("Diagnosis") :]
    assert footer.startswith("Diagnosis  1 finding\n  1.3 step repetition  #0, #1, #2\n")
    assert "gives the same reply 3 times" in footer
    assert f"“{SAME}" in footer


def test_a_clean_run_says_so(shell):
    done = shell("run", "cot", "How many?", "--model", STUBBORN)
    assert done.stdout.endswith("Diagnosis: the rules found no failure mode\n")
    assert shell.json("run", "cot", "How many?", "--model", STUBBORN)["findings"] == []


def test_findings_as_json(shell):
    done = shell.json("run", "self-refine:turns=3", "How many?", "--model", STUBBORN)
    (finding,) = done["findings"]
    assert (finding["code"], finding["calls"]) == ("1.3", [0, 1, 2])
    assert finding["name"] == "step repetition"
    assert finding.keys() == {"code", "calls", "evidence", "says", "rule", "confidence", "name"}


def test_evidence_cannot_steer_the_terminal(shell):
    done = shell("run", "cot", "How many?", "--model", "script:model.py:hostile")
    assert "2.6 reasoning-action mismatch" in done.stdout
    assert "\x1b" not in done.stdout
    assert "[red]of it[/red]" in done.stdout


# -- diagnose --------------------------------------------------------------------------------


def test_diagnose_a_comparison(shell):
    shell("compare", "cot", "self-refine:turns=2", "--on", "questions.csv", "--model", STUBBORN)
    text = shell("diagnose", "last").stdout
    assert re.search(r"^self-refine:turns=2 on line-\d  ✓ 42$", text, re.MULTILINE)
    assert text.count("1.3 step repetition  #0, #1") == 2
    assert re.search(r"^cot +2 *$", text, re.MULTILINE)
    assert re.search(r"^self-refine:turns=2 +2 +2$", text, re.MULTILINE)
    data = shell.json("diagnose", "last")
    assert data["systems"] == {
        "cot": {"runs": 2, "modes": {}},
        "self-refine:turns=2": {"runs": 2, "modes": {"1.3": 2}},
    }
    by_place = {(r["system"], r["correct"]): r["findings"] for r in data["runs"]}
    assert by_place["cot", True] == []
    assert by_place["self-refine:turns=2", False][0]["calls"] == [0, 1]


def test_diagnose_a_trace_file_and_a_single_run(shell):
    shell("run", "self-refine:turns=2", "x", "--model", STUBBORN, "--trace", "t.jsonl")
    of_file, of_run = shell.json("diagnose", "t.jsonl"), shell.json("diagnose", "last")
    assert of_file["runs"][0]["findings"] == of_run["runs"][0]["findings"] != []
    assert of_file["runs"][0]["correct"] is None
    assert "(trace)" in shell("diagnose", "t.jsonl").stdout


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("20200101", "unknown run '20200101'"),
        ("last", "unknown run 'last'"),
        ("missing.jsonl", "cannot read the trace missing.jsonl"),
        ("questions.csv", "line 1"),
    ],
)
def test_what_is_no_run_is_refused(shell, run, says):
    done = shell.real("diagnose", run)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_a_run_without_calls_is_refused(shell):
    store = RunStore(shell.home / "runs.db")
    store.begin("compare", "k", {})
    store.close()
    done = shell.real("diagnose", "last")
    assert done.returncode == 2
    assert "no calls" in done.stderr


# -- reports ---------------------------------------------------------------------------------


def test_every_outcome_carries_its_findings_and_every_row_their_counts(tmp_path, shell):
    report = collegium.compare(
        ["cot", "self-refine:turns=2"], on=str(tmp_path / "questions.csv"),
        model=f"script:{tmp_path / 'model.py'}:stubborn", store=tmp_path / "runs.db",
    )  # fmt: skip
    cot, refine = report.systems
    assert (cot.diagnosed, cot.modes) == (2, {})
    assert (refine.diagnosed, refine.modes) == (2, {"1.3": 2})
    of_refine = [o for o in report.outcomes if o.system == refine.name]
    assert [[f.code for f in o.findings or ()] for o in of_refine] == [["1.3"], ["1.3"]]
    store = RunStore(tmp_path / "runs.db")
    stored = store.results(report.run)[refine.name, of_refine[0].task]
    assert msgspec.json.decode(stored, type=Outcome) == of_refine[0]
    store.close()


def test_the_closing_table_names_the_modes(shell):
    done = shell("compare", "cot", "self-refine:turns=2", "--on", "questions.csv", "-m", STUBBORN)
    assert "Failure modes of cot: nothing found in 2 runs" in done.stdout
    assert "Failure modes of self-refine:turns=2: 1.3 step repetition 2 (of 2 runs)" in done.stdout


def test_the_page_counts_modes_and_leads_to_the_calls(shell):
    done = shell.json(
        "compare", "cot", "self-refine:turns=2", "--on", "questions.csv", "--model", STUBBORN
    )
    page = Path(done["files"]["report"]).read_text()
    assert '<h2 id="modes">Failure modes</h2>' in page
    assert "1.3 step repetition" in page
    links = re.findall(r'<a href="#(q-\d+-\d+-\d+)">', page)
    assert len(links) == 4
    for target in links:
        assert page.count(f'id="{target}"') == 1
    assert len(set(re.findall(r' id="([^"]+)"', page))) == len(re.findall(r' id="([^"]+)"', page))
    assert len(re.findall(r'<details class="question[^"]* findings"', page)) == 2


def test_hostile_evidence_stays_text(shell):
    done = shell.json(
        "compare", "cot", "--on", "questions.csv", "--model", "script:model.py:hostile"
    )
    page = Path(done["files"]["report"]).read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_outcomes_of_earlier_versions_are_read_and_shown_as_not_diagnosed(tmp_path):
    old = msgspec.json.decode(b'{"system":"cot","task":"t","correct":true}', type=Outcome)
    assert old.findings is None
    row = system_row("cot", None, {}, [old])
    assert (row.diagnosed, row.modes) == (0, {})
    fields = msgspec.to_builtins(row)
    del fields["diagnosed"], fields["modes"]
    assert msgspec.convert(fields, SystemRow) == row
    mixed = system_row("cot", None, {}, [old, msgspec.structs.replace(old, findings=(found(),))])
    assert (mixed.diagnosed, mixed.modes) == (1, {"1.3": 1})


def test_a_report_without_diagnosis_has_no_section(tmp_path, shell):
    report = collegium.compare(
        ["cot"], on=str(tmp_path / "questions.csv"), store=tmp_path / "runs.db",
        model=f"script:{tmp_path / 'model.py'}:stubborn",
    )  # fmt: skip
    assert "No failure mode was found." in render(report, {})
    rows = tuple(msgspec.structs.replace(r, diagnosed=0) for r in report.systems)
    assert "Failure modes" not in render(msgspec.structs.replace(report, systems=rows), {})


def test_words():
    assert counted({}, 1) == "nothing found in 1 run"
    assert counted({"1.3": 4}, 50) == "1.3 step repetition 4 (of 50 runs)"
    assert cited((0, 3)) == "#0, #3"
    assert cited(tuple(range(9))) == "#0, #1, #2, #3, #4, #5 and 3 more"
    assert json.loads(msgspec.json.encode(found())) == {
        "code": "1.3", "calls": [0, 1], "evidence": "the words", "says": "It says so.",
        "rule": "r", "confidence": 0.9,
    }  # fmt: skip
