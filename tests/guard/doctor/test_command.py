"""The command, and the doctor's look at this package."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collegium.cli import app
from collegium.guard.doctor import scan

PACKAGE = Path(__file__).parents[3] / "collegium"


def run(*words: str):
    return CliRunner().invoke(app, ["doctor", *words])


@pytest.mark.must_show("agentable", 5)
def test_this_package_has_no_unexplained_finding():
    report = scan(PACKAGE)
    assert [(f.type, f.file, f.symbol) for f in report.unexplained] == []
    assert all(len(f.waived) > 20 for f in report.findings)
    assert len(report.roles.tools) > 5
    assert report.files > 250


def test_findings_end_with_1(seed: Path, tmp_path: Path):
    out = tmp_path / "found.sarif"
    done = run(str(seed), "--no-model", "--sarif", str(out))
    assert done.exit_code == 1
    assert (
        "MNFT missing necessary fault tolerance  llm_agents/agent.py:75  Agent.run" in done.stdout
    )
    assert "5 tools, 1 agent, 1 LLM class." in done.stdout
    assert json.loads(out.read_text())["version"] == "2.1.0"


def test_a_clean_project_ends_with_0(desk, written):
    done = run(str(written(desk)), "--no-model")
    assert done.exit_code == 0
    assert "0 unexplained findings" in done.stdout


def test_json(seed: Path):
    done = run(str(seed), "--no-model", "--json")
    data = json.loads(done.stdout)
    assert data["roles"]["agents"] == ["Agent"]
    assert {f["type"] for f in data["findings"]} == {"IETI", "LOPE", "MNFT", "LARD", "EPDD"}
    assert all(f["evidence"] for f in data["findings"])


def test_a_wrong_path_ends_with_2(tmp_path: Path):
    done = run(str(tmp_path / "absent"), "--no-model")
    assert done.exit_code == 2


def test_a_model_judges(desk, written, tmp_path: Path):
    script = tmp_path / "judge.py"
    script.write_text(
        'def reply(request):\n    return \'{"reason": "it fits", "verdict": "yes"}\'\n'
    )
    done = run(str(written(desk)), "--model", f"script:{script}:reply")
    assert done.exit_code == 0, done.stdout
    assert "stayed open" not in done.stdout
