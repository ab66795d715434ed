"""The commands about apps and kernels, as a user runs them."""

from __future__ import annotations

import json

import pytest

from tests.apps.support import notes, own
from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


MODEL = """
import json
from collegium.apps.compile import EXAMPLE
import msgspec

def draft(request):
    text = msgspec.json.encode(EXAMPLE).decode()
    return text.replace("letters", "notes").replace("dutch-letters", "notes")

def upper(request):
    return request.messages[-1].text.splitlines()[-1].upper()
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    return lambda function: f"script:{tmp_path}/model.py:{function}"


def test_compile_check_and_run(shell, tmp_path, model):
    notes(tmp_path)
    text = "Translate every file in notes/ into Dutch and save it as notes/dutch.txt"
    words = ("app", "compile", text, "--model", model("draft"), "--author", "ana")
    shown = shell(*words, "--out", "own.toml", "--yes")
    assert shown.returncode == 0, shown.stderr
    assert 'author = "ana"' in shown.stdout
    assert (tmp_path / "own.toml").read_text() in shown.stdout + "\n"
    assert shell.json(*words)["permissions"]["write"] == ["notes"]
    checked = shell("app", "check", "own.toml")
    assert checked.returncode == 0 and "writes  notes" in checked.stdout
    ran = shell("app", "run", "own.toml", "--model", model("upper"), "--trace", "t.jsonl")
    assert ran.returncode == 0, ran.stderr
    assert "BUY MILK." in (tmp_path / "notes/dutch.txt").read_text()
    assert "[context: " in ran.stdout and (tmp_path / "t.jsonl").exists()
    assert shell("trace", "t.jsonl").returncode == 0


def test_nothing_is_written_unless_it_is_confirmed(shell, tmp_path, model):
    text = "Translate every file in notes/ into Dutch and save it as notes/dutch.txt"
    done = shell("app", "compile", text, "--model", model("draft"), "--out", "own.toml")
    assert done.returncode == 2 and "add --yes" in done.stderr
    assert not (tmp_path / "own.toml").exists()


def test_a_refusal_names_the_tool_and_ends_with_2(shell, model):
    text = "Summarise notes/ and send it by e-mail"
    for how in (("--model", model("draft")),):
        done = shell("app", "compile", text, *how)
        assert done.returncode == 2
        assert "a tool that is not there: send_email" in done.stderr
    plain = shell("app", "compile", "Every file in notes/, summarise it", "--keywords")
    assert plain.returncode == 0 and 'tools = [\n    "list_files",' in plain.stdout


def test_a_dry_run_needs_no_model(shell, tmp_path):
    notes(tmp_path)
    done = shell.json("app", "run", "collegium/notes-index", "--dry-run")
    kinds = [c["kind"] for c in done["calls"]]
    assert done["dry_run"] and kinds.count("generate") == 3
    assert all(c["context"] > 0 for c in done["calls"] if c["kind"] == "generate")
    assert not (tmp_path / "notes/index.md").exists()


def test_the_window_can_be_switched(shell):
    words = ("app", "run", "collegium/draft-and-check", "--input", "topic=tea", "--dry-run")
    assert " of 512 tokens]" in shell(*words, "--window", "512", "--selection", "summary").stdout
    done = shell(*words, "--selection", "retrieval")
    assert done.returncode == 2 and "add --window" in done.stderr
    done = shell(*words, "--window", "512", "--selection", "lru")
    assert done.returncode == 2 and "retrieval" in done.stderr


def test_publish_install_and_list(shell, tmp_path):
    from collegium.apps.manifest import write_manifest
    from tests.apps.support import changed

    for version in ("0.9.0", "0.10.0", "0.2.9"):
        manifest = changed(own("notes-index"), author="ana", version=version)
        write_manifest(manifest, tmp_path / version / "app.toml")
        assert shell("app", "publish", version, "--hub", "hub").returncode == 0
    got = shell.json("app", "install", "ana/notes-index", "--hub", "hub")
    assert got["version"] == "0.10.0"
    listed = shell.json("app", "list", "--hub", "hub")
    mine = {row["from"]: row["version"] for row in listed if row["app"] == "ana/notes-index"}
    assert mine == {"installed": "0.10.0", "hub": "0.10.0"}
    assert sum(row["from"] == "collegium" for row in listed) == 5
    assert shell("app", "check", "ana/notes-index@0.10.0").returncode == 0
    (tmp_path / "hub/ana/notes-index/0.9.0/app.toml").write_text("changed")
    done = shell("app", "install", "ana/notes-index@0.9.0", "--hub", "hub")
    assert done.returncode == 2 and "not what its index says" in done.stderr


def test_what_an_app_remembers_is_there_next_time(shell, model):
    words = ("app", "run", "collegium/study-partner", "--model", model("upper"))
    assert shell(*words, "--input", "question=What is a kernel?").returncode == 0
    again = shell.json(*words, "--input", "question=And why a kernel?")
    asked = next(c for c in again["calls"] if c["kind"] == "generate")
    first = shell.json(*words[:3], "--input", "question=x", "--dry-run")
    blank = next(c for c in first["calls"] if c["kind"] == "generate")
    assert asked["context"] > blank["context"] + 10  # the earlier note is in the prompt


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["app", "check", "nobody/app"], "unknown app"),
        (["app", "run", "collegium/notes-index", "--dry-run", "--in", "nowhere"], "not a folder"),
        (["app", "run", "collegium/draft-and-check", "--dry-run"], "needs the input 'topic'"),
        (["app", "run", "collegium/draft-and-check", "--dry-run", "--input", "x"], "NAME=VALUE"),
        (["app", "install", "no/such"], "unknown package"),
        (["app", "publish", "nowhere"], "no folder"),
        (["app", "compile", " ", "--keywords"], "empty"),
        (["app", "compile", "x", "--keywords", "--out", "no/such/file"], "cannot write"),
        (["kernel", "say", "boil tea"], "remember that FACT for agent A"),
        (["kernel", "say", "list the files for agent a", "--on", "none"], "does not run"),
        (["kernel", "stop", "none"], "unknown kernel"),
        (["kernel", "start", "../x"], "no name of a kernel"),
    ],
)
def test_what_a_user_does_wrong_ends_with_2_and_one_sentence(shell, words, says):
    done = shell(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_problems_of_a_manifest_are_json_too(shell, tmp_path):
    from collegium.apps.manifest import Step, write_manifest
    from tests.apps.support import app

    step = Step(id="m", do="use", tool="ana/mail")
    write_manifest(app(step, tools=["ana/mail"]), tmp_path / "app.toml")
    done = shell("app", "check", "app.toml", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["problems"][0]["missing"] == "ana/mail"


def test_kernels_start_answer_and_stop(shell):
    started = shell.json("kernel", "start", "one", real=True)
    try:
        assert started[0]["running"] and started[0]["pid"]
        say = "remember that the door code is 4711 for agent a"
        done = shell.json("kernel", "say", say, "--on", "one", real=True)
        assert done["call"]["type"] == "remember"
        done = shell.json("kernel", "say", "recall the door code for agent a", "--on", "one")
        assert done["value"][0]["text"] == "the door code is 4711"
        assert [k["name"] for k in shell.json("kernel", "list")] == ["one"]
    finally:
        assert shell.real("kernel", "stop", "one").returncode == 0
    assert shell.json("kernel", "list")[0]["running"] is False
