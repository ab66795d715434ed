"""The commands: on runs of the store, on trace files, and on what does not exist."""

from __future__ import annotations

import json

import pytest

from collegium.kernel.trace import Trace
from tests.bench.taxonomy.runs import dylan_run, mad_run


@pytest.fixture
def debate(command, tmp_path):
    """A debate that was run by the command line, its trace in a file."""
    script = tmp_path / "model.py"
    script.write_text("def said(request):\n    return 'So it is.\\nAnswer: 12'\n")
    words = ["run", "mad", "What is 5 + 7?", "--answer", "number", "--trace", "debate.jsonl"]
    done = command([*words, "--model", f"script:{script}:said"])
    assert done.exit_code == 0, done.output
    return tmp_path / "debate.jsonl"


@pytest.mark.parametrize("named", ["last", "mad", "debate.jsonl"])
def test_classify_a_run_a_system_and_a_file(command, debate, named: str) -> None:
    (found,) = json.loads(command(["taxonomy", "classify", named, "--json"]).stdout)
    assert found["paradigm"]["label"] == "agent-collective"
    assert found["paradigm"]["score"] == 1
    assert found["observed"]["structure"]["values"] == ["decentralised"]
    assert found["observed"]["structure"]["evidence"]
    printed = command(["taxonomy", "classify", named]).stdout
    for words in ("agent-collective", "decentralised", "rule-based", "#3", "several agents"):
        assert words in printed


def test_check_prints_both_sides(command, debate) -> None:
    (found,) = json.loads(command(["taxonomy", "check", "last", "--json"]).stdout)
    verdicts = {c["dimension"]: c["verdict"] for c in found["check"]}
    assert verdicts == {
        "type": "not observed", "strategy": "agrees", "structure": "agrees",
        "coordination": "agrees", "stage": "agrees", "paradigm": "agrees",
    }  # fmt: skip
    printed = command(["taxonomy", "check", "mad"]).stdout
    assert "cooperation (paper: sections 2 and 3)" in printed
    assert "agrees" in printed
    lost = command(["taxonomy", "check", str(debate)])
    assert lost.exit_code == 2
    assert "--paper" in lost.stderr
    assert command(["taxonomy", "check", str(debate), "--paper", "mad"]).exit_code == 0


async def test_a_mismatch_is_printed(command, tmp_path) -> None:
    trace = Trace()
    trace.events = await dylan_run()
    trace.save(tmp_path / "dylan.jsonl")
    done = command(["taxonomy", "check", str(tmp_path / "dylan.jsonl"), "--paper", "dylan"])
    (line,) = [s for s in done.stdout.splitlines() if s.startswith("structure")]
    assert "hierarchical (paper: collaboration survey, section 4.4)" in line
    assert "differs" in done.stdout


async def test_a_trace_without_agents_is_undetermined(command, tmp_path) -> None:
    trace = Trace()
    trace.events = await mad_run()
    trace.save(tmp_path / "t.jsonl")
    lines = (tmp_path / "t.jsonl").read_text().replace('"agent":"debater-', '"agent":"')
    for number in "123":
        lines = lines.replace(f'"agent":"{number}"', '"agent":""')
    (tmp_path / "t.jsonl").write_text(lines)
    (found,) = json.loads(command(["taxonomy", "classify", "t.jsonl", "--json"]).stdout)
    assert found["paradigm"]["label"] == "undetermined"
    assert found["paradigm"]["missing"] == ["call.agent"]
    assert "missing: call.agent" in command(["taxonomy", "classify", "t.jsonl"]).stdout


def test_a_system_that_was_not_run_has_no_label(command) -> None:
    done = command(["taxonomy", "classify", "mad"])
    assert done.exit_code == 2
    assert "was not run yet" in done.stderr
    assert "did you mean" in command(["taxonomy", "classify", "madd"]).stderr
    assert command(["taxonomy", "classify", "none.jsonl"]).exit_code == 2


def test_advise_and_recommend(command) -> None:
    found = json.loads(command(["taxonomy", "advise", "prioritise my inbox", "--json"]).stdout)
    assert (found["paradigm"], found["dimension"]) == ("ai-agent", "external data")
    printed = command(["taxonomy", "advise", "write a haiku"]).stdout
    assert "Generative AI" in printed and "scope" in printed
    words = ["taxonomy", "recommend", "--uncertainty", "high", "--procedure", "fixed"]
    chosen = json.loads(command([*words, "--roles", "many", "--json"]).stdout)
    assert [c["choose"] for c in chosen] == ["model-based", "rule-based", "role-based"]
    printed = command([*words, "--roles", "many"]).stdout
    for trade in ("robust under uncertainty", "expensive", "predictable", "rigid"):
        assert trade in printed
    refused = command(["taxonomy", "recommend", "--roles", "some"])
    assert refused.exit_code == 2
    assert "many" in refused.stderr
    assert command(["taxonomy", "recommend"]).exit_code == 2


def test_matrix_shows_gaps_and_counts(command) -> None:
    printed = command(["taxonomy", "matrix"]).stdout
    (line,) = [s for s in printed.splitlines() if s.startswith("S8")]
    assert "gap" in line
    assert "G8 immature foundations (no remedy here)" in printed
    words = ["taxonomy", "matrix", "--rows", "type", "--columns", "structure"]
    assert json.loads(command([*words, "--json"]).stdout)["coopetition"]["hierarchical"] == 0
    assert "gap" in command(words).stdout
    assert command(["taxonomy", "matrix", "--rows", "type"]).exit_code == 2


@pytest.mark.must_show("collaboration-survey", 2)
def test_list_finds_chatdev_under_both(command) -> None:
    for value in ("decentralized", "hierarchical"):
        assert "ChatDev" in command(["taxonomy", "list", "--structure", value]).stdout
    like = json.loads(command(["taxonomy", "list", "--like", "mad", "--json"]).stdout)
    assert 0 < len(like) <= 10 and all(p["paper"] != "mad" for p in like)


@pytest.mark.must_show("collaboration-survey", 7)
def test_list_refuses_an_unknown_value_with_the_list(command) -> None:
    done = command(["taxonomy", "list", "--type", "friendship"])
    assert done.exit_code == 2
    assert "cooperation, competition, coopetition" in done.stderr


def test_compare(command) -> None:
    printed = command(["taxonomy", "compare", "mad", "ChatDev"]).stdout
    assert "hierarchical (survey, Table 4)" in printed
    pair = json.loads(command(["taxonomy", "compare", "dylan", "progent", "--json"]).stdout)
    assert [p["paper"] for p in pair] == ["dylan", "progent"]
    assert pair[1]["apart"] in command(["taxonomy", "compare", "dylan", "progent"]).stdout
    assert command(["taxonomy", "compare", "mad", "nothing-like-it"]).exit_code == 2


def test_breaks(command, debate) -> None:
    model = f"script:{debate.with_name('model.py')}:said"
    words = ["taxonomy", "breaks", "mad", "What is 5 + 7?", "--answer", "number", "-m", model]
    found = json.loads(command([*words, "--json"]).stdout)
    assert [one["agent"] for one in found] == ["", "debater-1", "debater-2", "debater-3"]
    assert all(not one["failure"] for one in found)
    alone = command(["taxonomy", "breaks", "mad:agents=1,rounds=1", *words[3:]]).stdout
    assert "no answer" in alone
