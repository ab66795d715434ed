"""run and trace: what agents said, the answer, the bill, and reading it again."""

import json
import re
import signal
import time

from collegium.kernel import read_trace
from tests.cli.shell import script


def test_shows_every_agent_the_answer_and_the_bill(shell):
    done = shell("run", "mad", "2 + 2 [bold]?", "--model", script(), "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for name in ("debater-1", "debater-2", "debater-3"):
        assert len(re.findall(f"^{name}$", done.stdout, re.MULTILINE)) == 2
    assert "  First this,\n  then that.\n  Answer: " in done.stdout
    assert re.search(r"^Answer  (42|391|7)$", done.stdout, re.MULTILINE)
    assert re.search(r"^6 calls · [\d,]+ tokens \(", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    assert "{" not in done.stdout


def test_json(shell):
    done = shell.json("run", "mad:agents=2", "2 + 2?", "--model", script(), "--seed", 3,
                      "--set", "rounds=1", "--answer", "number")  # fmt: skip
    assert done["answer"] in (42, 391, 7)
    assert done["limited"] == ""
    assert done["usage"].keys() >= {"prompt", "cached", "completion", "money"}
    assert done["calls"] == 2
    assert done["model"] == script()
    assert (done["system"], done["seed"]) == ("mad:agents=2", 3)
    assert done["run"]


def test_same_seed_same_answer(shell):
    def answer(seed):
        done = shell.json("run", "cot", "How many?", "--model", script(), "--seed", seed)
        return done["answer"]

    assert answer(5) == answer(5)


def test_task_from_standard_input_and_from_a_file(shell):
    (shell.folder / "task.txt").write_text("What is in the file?\n")
    shell("run", "direct", "@task.txt", "--model", script())
    assert "asked: What is in the file?" in shell("trace", "last").stdout
    shell("run", "direct", "-", "--model", script(), stdin="What comes from outside?")
    assert "asked: What comes from outside?" in shell("trace", "last").stdout


def test_choices(shell):
    shell("run", "direct", "Which?", "--choice", "red", "--choice", "blue", "--model", script())
    assert "B. blue" in shell("trace", "last").stdout


def test_text_of_a_model_cannot_steer_the_terminal(shell):
    done = shell("run", "direct", "x", "--model", script("hostile"))
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "[red]red[/red]" in done.stdout
    assert "Answer  [2Jgone" in done.stdout
    assert "\x1b" not in shell("trace", "last").stdout


def test_trace_file_is_read_like_the_run(shell):
    file = shell.folder / "t.jsonl"
    shell("run", "mad", "x", "--model", script(), "--trace", file)
    events = read_trace(file)
    assert len(events) == 6 + 6 + 3  # answers, messages, looks into the mailbox
    assert len(shell.json("trace", "last")) == len(events)
    assert len(shell.json("trace", file)) == len(events)
    body = shell("trace", "last").stdout.split("\n\n", 2)[2]
    assert body == shell("trace", file).stdout


def test_filters(shell):
    shell("run", "mad", "x", "--model", script())
    run = shell.json("trace")[0]["id"]
    of_agent = shell.json("trace", run[:-1], "--agent", "debater-2")
    assert {e["call"]["agent"] for e in of_agent} == {"debater-2"}
    sent = shell.json("trace", "last", "--kind", "send")
    assert len(sent) == 6
    assert {e["call"]["type"] for e in sent} == {"send"}
    text = shell("trace", "last", "--kind", "send", "--agent", "debater-1").stdout
    assert "debater-1 → debater-2" in text
    assert "debater-1 → debater-3" in text
    assert "profile:" not in text


def test_transcript_tells_every_prompt_once(shell):
    shell("run", "self-refine", "What is asked once?", "--model", script(), "--set", "turns=3")
    text = shell("trace", "last").stdout
    assert text.count("asked: What is asked once?") == 1
    assert text.count("asked: Check your last answer") == 1
    assert text.count("reply:") == 3
    assert all(line == line.rstrip() for line in text.splitlines())


def test_transcript_of_a_comparison_tells_how_it_was_judged(shell, questions):
    shell("compare", "direct", "--on", questions, "--model", script())
    text = shell("trace", "last").stdout
    assert len(re.findall(r"^direct on line-\d  (✓|✗) (42|391|7)", text, re.MULTILINE)) == 4
    listed = shell("trace").stdout
    assert "compare" in listed
    assert "direct on" in listed


def test_a_role_that_nobody_has_is_told(shell):
    done = shell("run", "direct", "x", "--model", script(), "--role", f"slover={script()}")
    assert done.returncode == 0
    assert "no agent had the role 'slover'; there were: solver." in done.stderr


def test_interrupted_run_writes_the_trace_there_is(shell):
    file = shell.folder / "t.jsonl"
    process = shell.start("run", "direct", "x", "--model", script("slow"), "--trace", file)
    deadline = time.monotonic() + 30
    while not shell.calls and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "interrupted\n"
    assert "Answer" not in out
    assert [e.outcome for e in read_trace(file)] == ["error"]


def test_trying_a_model(shell):
    done = shell("models", "try", script(), "hello")
    assert done.returncode == 0, done.stderr
    assert "Answer: " in done.stdout
    data = json.loads(shell("models", "try", script(), "hello", "--json").stdout)
    assert data["text"].startswith("First this,")


def test_a_run_shows_itself_in_a_notebook(shell, monkeypatch):
    import collegium

    monkeypatch.setenv("CALLS", str(shell.calls_file))
    done = collegium.run("direct", "<b>x</b>?", model=script(), store=shell.folder / "runs.db")
    html = done._repr_html_()
    assert "Answer: " in html
    assert done.id in html


MAKER = """
from collegium.kernel import Delete
from collegium.systems import Result, system


@system("maker", paper=None, needs=lambda t: "" if t.answer == "text" else "a task for text")
async def maker(task, kernel):
    agent = kernel.agent("maker")
    await agent.remember(task.prompt)
    before = [n.text for n in await agent.recall(task.prompt)]
    await agent.store("last.txt", task.prompt)
    if len(before) > 1:
        await kernel.call(Delete(agent="maker", path="last.txt"))
    await agent.ask(task.prompt)
    files = {"made/a.txt": "one", "../outside.txt": "two", "/tmp/outside.txt": "three"}
    return Result("done", notes={"before": before}, account="It made\\nthree files.", files=files)
"""


def test_the_account_and_the_files_of_a_system(shell):
    (shell.folder / "sitecustomize.py").write_text(MAKER)
    path = f"{shell.folder}:{shell.env['PYTHONPATH']}"
    done = shell.real(
        "run", "maker", "first", "--model", script(), "--out", "made", PYTHONPATH=path
    )
    assert done.returncode == 0, done.stderr
    assert "  It made\n  three files.\n" in done.stdout
    assert (shell.folder / "made/made/a.txt").read_text() == "one"
    assert "../outside.txt" in done.stderr and "/tmp/outside.txt" in done.stderr
    assert not (shell.folder / "outside.txt").exists()
    done = shell.real("run", "maker", "first", "--model", script(), "--json", PYTHONPATH=path)
    told = json.loads(done.stdout)
    assert told["account"] == "It made\nthree files."
    (file,) = told["files"]
    assert file.startswith(str(shell.home / "files" / told["run"]))


def test_what_agents_keep_in_a_folder_is_there_in_the_next_run(shell):
    (shell.folder / "sitecustomize.py").write_text(MAKER)
    path = f"{shell.folder}:{shell.env['PYTHONPATH']}"
    options = ("--model", script(), "--state", "team", "--json")
    told = []
    for task in ("apples are red", "apples are green"):
        done = shell.real("run", "maker", task, *options, PYTHONPATH=path)
        told.append(done)
    assert json.loads(told[0].stdout)["notes"]["before"] == ["apples are red"]
    # The second one remembers the first. Deleting cannot be undone, and nobody permits it.
    assert done.returncode == 2
    assert "delete" in done.stderr and "Traceback" not in done.stderr
    assert (shell.folder / "team/memory.db").exists()


def test_a_task_that_the_system_cannot_solve(shell):
    (shell.folder / "sitecustomize.py").write_text(MAKER)
    path = f"{shell.folder}:{shell.env['PYTHONPATH']}"
    done = shell.real("run", "maker", "x", "--answer", "number", "--model", script(),
                      PYTHONPATH=path)  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().endswith("maker cannot solve task 'task': it needs a task for text.")


def test_argmed_draws_its_graph_and_abstains_when_no_decision_survives(shell):
    done = shell("run", "argmed", "An attack of gout, and an open ulcer. What helps?",
                 "--choice", "ibuprofen", "--choice", "aspirin", "--model", script("torn"),
                 "--out", "graph")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "No answer (the system abstained)" in done.stdout
    assert "Optional decisions: none." in done.stdout
    assert re.search(r"a1 \[out\] decision A", done.stdout)
    assert re.search(r"<- a2 \[in\] belief: Side effect of A \(ibuprofen\): bleeding", done.stdout)
    picture = (shell.folder / "graph/argument-graph.svg").read_text()
    assert picture.startswith("<svg") and "ibuprofen" in picture
