"""Whatever a user gets wrong: exit code 2, one clear line, nothing half-written."""

import json

import pytest

from collegium.kernel import RunStore
from tests.cli.shell import REFUSED, script

OFFLINE = {
    "PIP_RETRIES": "0",
    "PIP_INDEX_URL": f"{REFUSED}/simple",
    "UV_INDEX_URL": f"{REFUSED}/simple",
    "HF_ENDPOINT": REFUSED,
    "HTTP_PROXY": REFUSED,
    "HTTPS_PROXY": REFUSED,
    "NO_PROXY": "",
}


def refused(shell, *args, says, **env):
    """Run a command that must be refused with all of these words; nothing may come of it."""
    before = shell.files
    done = shell.real(*args, **env)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    for words in says:
        assert words in line
    made = {p for p in shell.files - before if p.parts[0] not in ("home", "cache")}
    assert not made
    assert not list(shell.home.rglob("report.*"))
    return line


@pytest.mark.parametrize("command", [["run", "selfconsistency", "x"], ["show", "selfconsistency"]])
def test_unknown_system(shell, command):
    refused(shell, *command, says=["'selfconsistency'", "did you mean 'self-consistency'?"])


def test_unknown_system_among_others(shell, questions):
    refused(shell, "compare", "direct", "maad", "--on", questions, says=["did you mean 'mad'?"])


def test_unknown_benchmark(shell):
    refused(
        shell, "compare", "direct", "--on", "gsm-symbolc", says=["did you mean 'gsm-symbolic'?"]
    )


@pytest.mark.parametrize("command", ["run", "compare"])
def test_unknown_model(shell, questions, command):
    args = ["direct", "x"] if command == "run" else ["direct", "--on", questions]
    line = refused(
        shell, command, *args, "--model", "locl-small", says=["'locl-small'", "'local-small'"]
    )
    assert "did you mean" in line


def test_no_empty_run_is_left_behind(shell, questions):
    shell("compare", "direct", "--on", questions, "--model", "locl")
    assert shell.json("trace") == []


def test_unknown_parameter_names_the_valid_ones(shell):
    refused(
        shell, "run", "mad", "x", "--set", "agnts=3",
        says=["'agnts'", "agents=3", "rounds=2", "personas=()"],
    )  # fmt: skip


def test_ill_typed_parameter(shell):
    refused(shell, "run", "mad", "x", "--set", "agents=many", says=["'agents'", "int", "'many'"])


def test_ill_typed_parameter_in_a_comparison(shell, questions):
    refused(shell, "compare", "mad:agents=many", "--on", questions, says=["'agents'", "int"])


@pytest.mark.parametrize("bad", ["agents", "=3", "agents="])
def test_form_of_a_parameter(shell, bad):
    refused(shell, "run", "mad", "x", "--set", bad, says=["name=value", repr(bad)])


@pytest.mark.parametrize("bad", ["verifier", "=local", "verifier="])
def test_form_of_a_role(shell, bad):
    refused(shell, "run", "mad", "x", "--role", bad, says=["ROLE=MODEL", repr(bad)])


def test_missing_column(shell):
    file = shell.folder / "mine.csv"
    file.write_text("question,solution\nWhat?,42\n")
    refused(shell, "compare", "direct", "--on", file, says=["line 2", "no answer"])


def test_broken_line(shell):
    file = shell.folder / "mine.jsonl"
    file.write_text('{"question": "What?", "answer": 42}\n{"question": "Who?", "answer"\n')
    refused(shell, "compare", "direct", "--on", file, says=["mine.jsonl", "line 2"])


def test_no_such_file(shell):
    refused(shell, "compare", "direct", "--on", "mine.csv", says=["mine.csv"])


@pytest.mark.parametrize("command", ["compare", "pull"])
def test_no_weights_and_no_network(shell, questions, command):
    args = {
        "compare": ["compare", "direct", "--on", questions, "--model", "local-tiny"],
        "pull": ["models", "pull", "local-tiny"],
    }[command]
    says = ["'local-tiny'", "not on this machine", "could not be fetched"]
    refused(shell, *args, says=says, **OFFLINE)


@pytest.mark.parametrize("command", ["run", "compare"])
def test_budget_too_small_for_one_call(shell, questions, command):
    args = {
        "run": ["run", "direct", "x", "--max-tokens", 5],
        "compare": ["compare", "direct", "--on", questions, "--budget", 5],
    }[command]
    says = ["5 tokens is too small for one call", "at least"]
    refused(shell, *args, "--model", script(), says=says)
    assert shell.calls == 0


def test_a_limit_of_nothing(shell):
    refused(shell, "run", "direct", "x", "--max-calls", 0, says=["calls", "above 0"])


@pytest.mark.parametrize("option", ["--limit", "--workers"])
def test_a_number_below_one(shell, questions, option):
    refused(shell, "compare", "direct", "--on", questions, option, 0, says=["at least 1, not 0"])


def test_system_named_twice(shell, questions):
    refused(shell, "compare", "mad", "mad", "--on", questions, says=["'mad' is named twice"])


def test_trace_that_is_none(shell):
    file = shell.folder / "t.jsonl"
    file.write_text("{}\n")
    refused(shell, "trace", file, says=["t.jsonl", "line 1"])
    refused(shell, "trace", "missing.jsonl", says=["missing.jsonl", "No such file"])


def test_unknown_run(shell):
    refused(shell, "trace", "last", says=["unknown run 'last'"])


def test_filters_that_fit_nothing(shell):
    shell("run", "direct", "x", "--model", script())
    refused(shell, "trace", "last", "--kind", "generat", says=["did you mean 'generate'?"])
    refused(shell, "trace", "last", "--agent", "slover", says=["did you mean 'solver'?"])
    refused(shell, "trace", "last", "--task", "nr", says=["unknown task 'nr'"])


def test_unknown_paper_kind_and_facet(shell):
    refused(shell, "show", "dylann", says=["did you mean 'dylan'?"])
    refused(shell, "papers", "--kind", "gard", says=["did you mean 'guard'?"])
    refused(shell, "papers", "--facet", "domian=law", says=["did you mean 'domain'?"])
    refused(shell, "papers", "--facet", "domain", says=["name=value"])


def test_kind_of_answer(shell):
    refused(shell, "run", "direct", "x", "--answer", "nmber", says=["did you mean 'number'?"])
    refused(shell, "run", "direct", "x", "--answer", "choice", says=["--choice"])


def test_task_that_cannot_be_read(shell):
    refused(shell, "run", "direct", "@none.txt", says=["none.txt", "No such file"])
    refused(shell, "run", "direct", "-", says=["the task is empty"])


def test_places_that_cannot_be_written(shell, questions):
    shell("run", "direct", "x", "--model", script())
    calls = shell.calls
    trace = shell.folder / "none" / "t.jsonl"
    refused(shell, "run", "direct", "x", "--model", script(), "--trace", trace, says=["no folder"])
    refused(
        shell, "compare", "direct", "--on", questions, "--out", questions / "in",
        says=["is not a folder"],
    )  # fmt: skip
    assert shell.calls == calls


def test_script_that_is_none(shell):
    refused(shell, "run", "direct", "x", "--model", "script:none.py:f", says=["none.py"])
    refused(shell, "run", "direct", "x", "--model", script("sampld"), says=["'sampled'"])


def test_run_store_that_is_none(shell):
    shell.home.mkdir()
    (shell.home / "runs.db").write_text("This is no database, and long enough to be told so.\n" * 9)
    refused(shell, "trace", says=["run store", "runs.db"])


def test_server_that_is_gone(shell, questions):
    args = ["direct", "--on", questions, "--model", script("gone")]
    done = shell("compare", *args)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "127.0.0.1:9" in line


def test_usage_errors_are_those_of_the_parser(shell):
    done = shell("compare", "direct")
    assert done.returncode == 2
    assert "--on" in done.stderr
    assert shell("nonsense").returncode == 2


def test_a_limited_run_is_scored_and_said_so(shell):
    done = shell.json("run", "self-refine", "x", "--model", script(), "--max-calls", 2)
    assert "2 generations" in done["limited"]
    assert done["answer"] is not None
    assert done["calls"] == 2


def test_the_store_keeps_failed_runs_as_failed(shell):
    shell("run", "direct", "x", "--model", script(), "--max-tokens", 5)
    store = RunStore(shell.home / "runs.db")
    assert [r.status for r in store.runs()] == ["failed"]
    store.close()
    assert json.loads(shell("trace", "--json").stdout)[0]["status"] == "failed"
