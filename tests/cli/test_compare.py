"""compare: shape, repeatability, resuming, and what it leaves behind."""

import io
import json
import re
import signal
import time
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from collegium.bench.compare import plan
from collegium.bench.records import Outcome
from collegium.commands.live import Board
from tests.cli.shell import script

SYSTEMS = ["direct", "self-consistency:samples=3", "mad:agents=2"]
ROW = {
    "name", "n", "correct", "accuracy", "ci_low", "ci_high", "tokens_prompt", "tokens_cached",
    "tokens_completion", "calls", "seconds", "unparsed", "limited",
}  # fmt: skip


@pytest.fixture
def compare(shell, questions):
    args = ["compare", *SYSTEMS, "--on", questions, "--model", script(), "--seed", 7]

    def run(*more, **env):
        return shell.json(*args, *more, **env)

    run.args = args
    return run


def totals(report):
    """All that must not depend on how often a comparison was interrupted."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in report["systems"]]


def answers(report):
    """Every single outcome, without its times."""
    whole = json.loads(Path(report["files"]["data"]).read_text())
    return [{k: v for k, v in o.items() if k != "seconds"} for o in whole["outcomes"]]


def test_json(compare, questions):
    report = compare()
    assert [row["name"] for row in report["systems"]] == SYSTEMS
    for row in report["systems"]:
        assert row.keys() >= ROW
        assert row["n"] == 4
        assert 0 <= row["ci_low"] <= row["accuracy"] <= row["ci_high"] <= 1
    assert [(p["a"], p["b"]) for p in report["pairs"]] == [
        (SYSTEMS[0], SYSTEMS[1]), (SYSTEMS[0], SYSTEMS[2]), (SYSTEMS[1], SYSTEMS[2]),
    ]  # fmt: skip
    assert all(p["test"] == "exact McNemar" and 0 <= p["p"] <= 1 for p in report["pairs"])
    assert report["model"] == script()
    assert report["benchmark"] == str(questions)
    assert report["seed"] == 7
    assert report["run"]
    assert "outcomes" not in report


def test_files(shell, compare, tmp_path):
    report = compare("--out", tmp_path / "a" / "b")
    folder = tmp_path / "a" / "b"
    assert {p.name for p in folder.iterdir()} == {"report.html", "report.json", "trace.jsonl"}
    assert report["files"]["report"] == str(folder / "report.html")
    assert "<html" in (folder / "report.html").read_text()
    assert len(json.loads((folder / "report.json").read_text())["outcomes"]) == 12
    read = shell("trace", folder / "trace.jsonl", "--system", "mad", "--task", "line-2")
    assert read.stdout.count("debater-1 ") > 1
    default = compare()
    assert default["files"]["report"] == str(
        shell.home / "reports" / default["run"] / "report.html"
    )


def test_same_seed_twice_is_identical_and_another_is_not(compare):
    first, second = compare(real=True), compare(real=True)
    assert first["run"] != second["run"]
    assert answers(first) == answers(second)
    assert answers(compare("--seed", 8)) != answers(first)


def test_four_workers_find_the_same_scores(compare):
    assert answers(compare()) == answers(compare("--workers", 4))


def test_resume_of_a_finished_run_asks_no_model(shell, compare):
    first = compare()
    calls = shell.calls
    assert calls == 4 * (1 + 1 + 4)
    again = compare("--resume", real=True)
    assert shell.calls == calls
    assert again["run"] == first["run"]
    assert again["systems"] == first["systems"]
    assert again["pairs"] == first["pairs"]


def test_resume_without_a_run_says_so(shell, compare):
    done = shell(*compare.args, "--resume")
    assert done.returncode == 0
    assert "no such run to resume" in done.stderr


def interrupt(shell, args, how, after):
    """Start a comparison and end it once the model has had some requests."""
    process = shell.start(*args, PAUSE="0.05")
    deadline = time.monotonic() + 30
    while shell.calls < after and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_kill_in_the_middle_then_resume(shell, compare):
    whole = compare()
    calls = shell.calls
    code, _, _ = interrupt(shell, compare.args, signal.SIGKILL, calls + 9)
    assert code == -signal.SIGKILL
    resumed = compare("--resume", real=True)
    assert resumed["run"] != whole["run"]
    assert totals(resumed) == totals(whole)
    assert answers(resumed) == answers(whole)
    assert resumed["pairs"] == whole["pairs"]
    # Of what was in hand when it was killed, at most the open requests are asked again.
    assert 2 * calls <= shell.calls <= 2 * calls + 2


def test_interrupt_keeps_what_is_there(shell, compare):
    code, out, err = interrupt(shell, compare.args, signal.SIGINT, 5)
    assert code == 130
    assert out == ""
    assert err.splitlines()[-1] == "interrupted; go on with --resume"
    assert "Traceback" not in err
    assert shell.json("trace")[0]["status"] == "interrupted"
    assert totals(compare("--resume")) == totals(compare())


def test_table_and_verdict_for_people(shell, compare):
    done = shell(*compare.args, "--curve", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    for words in ("right", "95% interval", "tokens/task", "mad:agents=2", "report.html", "trace"):
        assert words in done.stdout
    assert "…" not in done.stdout
    assert "12/12 done" in done.stderr
    assert max(map(len, done.stdout.splitlines()[:10])) <= 80


def test_budget_marks_limited_runs(shell, compare):
    rows = {row["name"]: row for row in compare("--budget", 120)["systems"]}
    assert rows["mad:agents=2"]["limited"] == 4
    assert rows["direct"]["limited"] == 0
    text = shell(*compare.args, "--budget", 120, "--resume").stdout
    assert "\nmad:agents=2: 4 ended by a limit\n" in text


def test_unlike_numbers_of_generations_can_be_refused(shell, compare):
    done = shell(*compare.args, "--equal-generations")
    assert done.returncode == 2
    assert "generations" in done.stderr


def test_a_scheduler_says_what_it_did(shell, compare):
    done = compare("--scheduler", "fair:lanes=2", "--fast", "--workers", 2)
    schedule = done["schedule"]
    assert schedule["policy"] == "fair"
    assert 12 < schedule["jobs"] <= sum(s["calls"] for s in done["systems"])
    assert schedule["errors"] == 0
    for wrong, words in (
        (("--scheduler", "fare", "--fast"), "did you mean 'fair'"),
        (("--scheduler", "fair"), "--fast"),
        (("--scheduler", "rr", "--fast"), "quantum"),
    ):
        refused = shell(*compare.args, *wrong)
        assert refused.returncode == 2
        assert words in refused.stderr


def test_a_role_that_nobody_has_is_told(shell, compare):
    done = shell(*compare.args, "--role", f"debator={script()}", "--limit", 1)
    assert done.returncode == 0
    assert "no agent had the role 'debator'" in done.stderr
    assert "debater" in done.stderr


def test_cache_serves_repeated_requests(shell, compare):
    first = compare("--cache")
    calls = shell.calls
    assert totals(compare("--cache")) == totals(first)
    assert shell.calls == calls


def test_a_server_that_goes_down_keeps_what_is_finished(shell, questions):
    args = ["compare", "direct", "--on", questions, "--seed", 7, "--limit", 4]
    shell.calls_file.write_text("x\n" * 4)
    done = shell(*args, "--model", script("gone_later"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("What is finished is kept: go on with --resume.")
    shell.calls_file.unlink()
    resumed = shell.json(*args, "--model", script("gone_later"), "--resume")
    assert resumed["systems"][0]["n"] == 4
    assert shell.calls == 2


def test_nothing_but_failures_is_no_result(shell, questions):
    done = shell("compare", "direct", "--on", questions, "--model", script("broken"))
    assert done.returncode == 1
    assert re.search(r"^direct: 4 failed$", done.stdout, re.MULTILINE)
    assert "Runs failed" in done.stdout
    assert "the model fell over." in shell("trace", "last").stdout
    alone = shell("run", "direct", "x", "--model", script("broken"))
    assert (alone.returncode, alone.stderr) == (2, "error: the model fell over.\n")


@pytest.mark.parametrize("width", [80, 120])
def test_live_table(shell, questions, width):
    planned = plan(SYSTEMS, on=str(questions))
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    board = Board(planned, 2, screen)
    screen.print(board)
    for kept in (True, False, False, False):
        for name in SYSTEMS:
            outcome = Outcome(system=name, task="t", tokens_prompt=90, tokens_completion=10)
            board.add(msgspec.structs.replace(outcome, seconds=2.0, correct=kept), kept)
        screen.print(board)
    text = screen.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert all(name in text for name in SYSTEMS)
    for words in ("0/4", "1/4", "100.0% [21, 100]", "25.0% [5, 70]", "400", "3.0 s", "done",
                  "about 9.0 s left", "3 kept from before"):  # fmt: skip
        assert words in text
