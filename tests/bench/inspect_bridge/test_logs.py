"""Runs as logs of Inspect: read back by its own functions, and opened by its own viewer."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

pytest.importorskip("inspect_ai")

from inspect_ai.log import read_eval_log

import collegium
from collegium.cli import app
from collegium.kernel import RunStore, Usage
from collegium.tasks import Task
from collegium.tools.calculator import calculator


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COLLEGIUM_HOME", str(tmp_path))
    return tmp_path


def command(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def compared(task, model) -> None:
    command(
        "compare", "direct", "mad:agents=2,rounds=2", "--on", f"inspect:{task('sums')}",
        "--split", "all", "--model", model("solver"), "--json",
    )  # fmt: skip


def test_a_comparison_is_a_log_for_each_system(home, task, model) -> None:
    compared(task, model)
    files = json.loads(command("trace", "last", "--inspect", str(home / "all.eval"), "--json"))
    assert [Path(f).name for f in files] == ["all.direct.eval", "all.mad-agents=2-rounds=2.eval"]
    log = read_eval_log(files[1], resolve_attachments=True)
    assert log.status == "success" and log.eval.solver == "collegium/mad"
    assert log.eval.solver_args["agents"] == 2
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    store = RunStore(home / "runs.db")
    run = store.runs(1)[0]
    events = [(s, t, e) for s, t, e in store.events(run.id) if s.startswith("mad")]
    store.close()
    assert log.eval.run_id == run.id
    for sample in log.samples:
        ours = [e for _, t, e in events if t == sample.id]
        calls = [e for e in sample.events if e.event == "model"]
        assert len(calls) == sum(e.kind == "generate" for e in ours) >= 4
        spent = sum((e.usage for e in ours), Usage())
        (counted,) = sample.model_usage.values()
        assert (counted.total_tokens, counted.output_tokens) == (spent.tokens, spent.completion)
        assert [c.input[-1].text for c in calls] == [
            e.call.messages[-1].text
            for e in sorted(ours, key=lambda e: (e.started, e.id))
            if e.kind == "generate"
        ]
        begun = [e for e in sample.events if e.event == "span_begin"]
        ended = [e for e in sample.events if e.event == "span_end"]
        assert len(begun) == len(ended) and {e.name for e in begun} == {e.call.agent for e in ours}
        assert sample.scores["collegium"].as_float() == 1.0
        assert sample.output.completion == sample.target


def test_calls_of_tools_are_events_of_tools(home, model) -> None:
    task = Task(id="t", prompt="What is 6 * 7?", answer="number", tools=("calculator",))
    done = collegium.run("tool-calling", task, model=model("caller"), tools=[calculator])
    assert done.answer == "Answer: 42"
    (file,) = json.loads(command("trace", "--inspect", str(home / "one.eval"), "--json"))
    (sample,) = read_eval_log(file).samples
    (used,) = [e for e in sample.events if e.event == "tool"]
    assert used.function == "calculator" and used.arguments == {"expression": "6 * 7"}
    assert "42" in str(used.result) and sample.input == "What is 6 * 7?"


def test_a_trace_file_will_do(home, model) -> None:
    file = home / "t.jsonl"
    command("run", "direct", "What is 6 * 7?", "--model", model("solver"), "--trace", str(file))
    (made,) = json.loads(command("trace", str(file), "--inspect", str(home / "t.json"), "--json"))
    log = read_eval_log(made)
    assert log.eval.run_id == "t" and log.samples[0].output.completion.endswith("42")


def test_a_wrong_ending_is_said(home, model) -> None:
    command("run", "direct", "What is 6 * 7?", "--model", model("solver"))
    done = CliRunner().invoke(app, ["trace", "last", "--inspect", str(home / "x.txt")])
    assert done.exit_code == 2 and "end in .eval or .json" in done.stderr


def test_its_viewer_shows_it(home, task, model) -> None:
    api = pytest.importorskip("playwright.sync_api")
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no Chromium")
    compared(task, model)
    logs = home / "logs"
    logs.mkdir()
    command("trace", "last", "--system", "mad", "--inspect", str(logs / "mad.eval"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    program = [sys.executable, "-m", "inspect_ai", "view", "--log-dir", str(logs)]
    viewer = subprocess.Popen(
        [*program, "--port", address.rpartition(":")[2]], stdout=subprocess.DEVNULL
    )
    try:
        answering(f"{address}/api/logs")
        with api.sync_playwright() as play:
            page = play.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
            page.set_default_timeout(30_000)
            page.goto(f"{address}/#/logs/mad.eval")
            page.get_by_text("What is 5 + 7?").first.click()
            page.get_by_text("debater-1").first.wait_for()
            shown = page.inner_text("body")
            page.screenshot(path=str(home / "view.png"))
        assert {"debater-1", "debater-2", "score"} <= set(re.findall(r"[\w-]+", shown.lower()))
        assert (home / "view.png").stat().st_size > 10_000
    finally:
        viewer.kill()
        viewer.wait()


def answering(url: str) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
