"""The commands of the registry: tables, JSON, and refusals in one line."""

import json

import msgspec
import pytest
from typer.testing import CliRunner

from collegium.catalog import results_folder
from collegium.catalog.benchmarks import CATEGORIES, registry
from collegium.cli import app


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run ``collegium registry ...`` with a home of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0):
        env = {"COLLEGIUM_HOME": str(tmp_path / "home"), "COLUMNS": "160"}
        done = CliRunner().invoke(app, ["registry", *map(str, words)], env=env)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.output

    return run


@pytest.fixture
def reports():
    """The reports of the results folder."""
    folder = results_folder()
    assert folder is not None
    return folder / "gsm-symbolic"


def test_list(command) -> None:
    everything = json.loads(command("list", "--json"))
    assert len(everything) == len(registry().benchmarks)
    here = json.loads(command("list", "--here", "--json"))
    assert here and all(row["offline"] and row["adapter"] for row in here)
    unchecked = json.loads(command("list", "--unverified", "--json"))
    assert unchecked and not any(row.get("verified", False) for row in unchecked)
    mathematics = json.loads(command("list", "--category", "mathematical", "--json"))
    assert {CATEGORIES[1]} <= {row["category"] for row in mathematics}
    shown = command("list", "--skill", "forecasting")
    assert "MIRAI *" in shown and "not checked" in shown
    assert "No benchmark matches." in command("list", "nothing of the kind")
    assert "unknown skill" in command("list", "--skill", "cooking", code=2)


def test_show(command) -> None:
    assert json.loads(command("show", "gaia", "--json"))["human"]["score"] == "92%"
    shown = command("show", "gsm8k-twin")
    assert "collegium.tasks.twin" in shown
    for name in ("applications", "categories", "problems", "protocols", "skills"):
        assert command("show", name).strip()
        assert json.loads(command("show", name, "--json"))
    assert "did you mean" in command("show", "GAIAA", code=2)


def test_gaps(command) -> None:
    found = json.loads(command("gaps", "--json"))
    assert set(found) == {"without_benchmark", "without_system", "without_demo", "without_work"}
    shown = command("gaps")
    assert all(name in shown for name in found["without_demo"])


def test_frameworks_and_the_systems_of_a_run(command, tmp_path) -> None:
    names = [row["name"] for row in json.loads(command("frameworks", "--json"))]
    assert names == [f.name for f in registry().frameworks]
    script = tmp_path / "s.py"
    script.write_text('def say(request):\n    return "So.\\nAnswer: 4"\n')
    model = f"script:{script}:say"
    env = {"COLLEGIUM_HOME": str(tmp_path / "home")}
    words = ["run", "mad", "What is 2 + 2?", "--answer", "number", "--model", model, "--json"]
    assert CliRunner().invoke(app, words, env=env).exit_code == 0
    rows = json.loads(command("frameworks", "last", "--json"))
    assert rows[-1]["name"] == "mad"
    assert rows[-1]["multi_agent"].startswith("3 agents")
    assert "3 agents" in command("frameworks", "last")
    assert "unknown run" in command("frameworks", "nowhere", code=2)


def test_leaderboard(command, reports) -> None:
    boards = json.loads(command("leaderboard", "--json"))
    assert len(boards) >= 2
    one = json.loads(command("leaderboard", reports / "local.json", "--baseline", "cot", "--json"))
    assert one["benchmark"] == "gsm-symbolic"
    assert {p["system"] for p in one["places"]} >= {"cot", "direct"}
    shown = command("leaderboard", reports / "local.json", "--baseline", "cot")
    assert "tokens/solved" in shown and "No ranking" in shown and "measured 20" in shown
    refused = command("leaderboard", reports / "local.json", reports / "local-small.json", code=2)
    assert "different models: local and local-small" in refused


def test_drop(command, reports, tmp_path) -> None:
    refused = command("drop", reports / "local.json", reports / "local.json", code=2)
    assert "needs every outcome" in refused
    assert "cannot read" in command("drop", "a.json", "b.json", code=2)
    file = tmp_path / "questions.csv"
    file.write_text("question,answer\nWhat is 1 + 1?,2\nWhat is 2 + 2?,4\n")
    script = tmp_path / "s.py"
    script.write_text('def say(request):\n    return "So.\\nAnswer: 4"\n')
    words = ["compare", "cot", "--on", str(file), "--model", f"script:{script}:say"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")],
                              env={"COLLEGIUM_HOME": str(tmp_path / "home")})  # fmt: skip
    assert done.exit_code == 0, done.output
    report = tmp_path / "out" / "report.json"
    (found,) = json.loads(command("drop", report, report, "--json"))
    assert (found["pairs"], found["original"], found["difference"]["difference"]) == (2, 0.5, 0.0)
    shown = command("drop", report, report)
    assert "50.0%" in shown and "+0.0" in shown
    assert msgspec.json.decode(report.read_bytes())["outcomes"]
