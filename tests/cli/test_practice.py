"""``world practise`` and ``routine``: what they print, write and refuse."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Shell

PAE = """
import json

def turn(tool, **more):
    return json.dumps({"thought": "so", "action": {"tool": tool, **more}})

def all_of_it(request):
    text = request.messages[-1].text
    if request.agent == "proposer":
        tasks = ["Name a list.", "Sign in and name a list.", "Count what is on the first list."]
        lines = [json.dumps({"web_name": "todo", "id": q[:1], "ques": q}) for q in tasks]
        return "Lists.\\nOutput:\\n" + "\\n".join(lines)
    if request.agent == "evaluator":
        return "SUCCESS" if "Name a list." in text else "NOT SUCCESS"
    if "Observation:" in text:
        return turn("finish", answer="garden")
    return turn("lists", arguments={})
"""

ROUTINE = {
    "id": "look",
    "name": "Look somebody up",
    "description": "Look up an employee.",
    "steps": [
        {"number": "1", "name": "Find", "description": "Find the employee.",
         "tool": "find_employee", "inputs": {"name": "user"}, "outputs": ["employee"]},
        {"number": "2", "name": "End", "description": "Say who it is.", "type": "end"},
    ],
}  # fmt: skip

PLANNER = f"""
import json
ROUTINE = json.loads({json.dumps(json.dumps(ROUTINE))})

def good(request):
    return json.dumps(ROUTINE)

def bad(request):
    first, last = ROUTINE["steps"]
    return json.dumps(dict(ROUTINE, steps=[dict(first, tool="hire_employee"), last]))
"""


def test_practise(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "pae.py").write_text(PAE)
    words = ("world", "practise", "todo", "--tasks", 3, "--model", "script:pae.py:all_of_it",
             "--embedder", "hash")  # fmt: skip
    done = shell(*words, "--out", "attempts.jsonl")
    assert done.returncode == 0, done.stderr
    assert "success  Name a list." in done.stdout
    assert "no       Count what is on the first list." in done.stdout
    assert "with a sign-in" in done.stdout
    assert "calls 1 of 2 attempts a success; 1 tasks were never solved" in done.stdout
    written = [json.loads(x) for x in (tmp_path / "attempts.jsonl").read_text().splitlines()]
    assert [w["trajectory"]["reward"] for w in written] == [1.0, 0.0]
    data = shell.json(*words, "--only-propose")
    assert data["attempts"] == []
    assert [t["ques"] for t in data["proposed"]["tasks"]] == [w["task"]["ques"] for w in written]


def test_practise_refuses_what_it_cannot_do(shell: Shell) -> None:
    for words, said in (
        (("todos",), "did you mean 'todo'"),
        (("todo", "--tasks", 0), "--tasks and --steps must be 1 or more"),
        (("todo", "--role", "judge=local"), "unknown role 'judge'"),
        (("todo", "--embedder", "word2vec"), "word2vec"),
        (("todo", "--out", "no/where.jsonl"), "there is no folder"),
    ):
        done = shell("world", "practise", *words, "--model", "script:none.py:f")
        assert done.returncode == 2, (words, done.stdout)
        assert said in done.stderr or "none.py" in done.stderr


def test_routine_plan(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "planner.py").write_text(PLANNER)
    (tmp_path / "draft.txt").write_text("Find the person and say who it is.\n")
    words = ("routine", "plan", "draft.txt", "--tools", "hr", "--model", "script:planner.py:good")
    done = shell(*words, "--out", "look.json")
    assert done.returncode == 0, done.stderr
    assert "Look somebody up" in done.stdout and "Step 1. Find" in done.stdout
    assert json.loads((tmp_path / "look.json").read_text())["id"] == "look"
    assert shell.json(*words)["steps"][0]["tool"] == "find_employee"
    typed = shell("routine", "plan", "-", "--tools", "hr", "--model", "script:planner.py:good",
                  stdin="Find the person.\n")  # fmt: skip
    assert typed.returncode == 0, typed.stderr
    assert shell("routine", "check", "look.json", "--tools", "hr").returncode == 0
    wrong = shell("routine", "plan", "draft.txt", "--tools", "hr", "--model",
                  "script:planner.py:bad", "--out", "bad.json")  # fmt: skip
    assert wrong.returncode == 2 and not (tmp_path / "bad.json").exists()
    assert "no valid Routine came of the draft" in wrong.stderr and "hire_employee" in wrong.stderr


def test_routine_check_names_what_does_not_fit(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "look.json").write_text(json.dumps(ROUTINE))
    done = shell("routine", "check", "look.json", "--tools", "builtin")
    assert done.returncode == 1
    assert "look: does not fit" in done.stdout and "find_employee" in done.stdout


def test_routine_refuses_drafts_and_tools_that_are_none(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "noise.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "draft.txt").write_text("Do it.")
    for draft, tools, said in (
        ("none.txt", "hr", "cannot read the draft"),
        ("empty.txt", "hr", "is empty"),
        ("noise.txt", "hr", "not text in UTF-8"),
        ("draft.txt", "hrr", "cannot read the tools"),
        ("draft.txt", "draft.txt", "is no list of tools"),
    ):
        done = shell("routine", "plan", draft, "--tools", tools, "--model", "script:x.py:f")
        assert done.returncode == 2 and said in done.stderr, (draft, done.stderr)
