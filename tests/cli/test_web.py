"""Web worlds on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from collegium.worlds.web.browser import executable
from tests.worlds.web.site import Notes, web_task

SCRIPT = """
import re
from collegium.kernel import Reply, ToolCall, Usage

def look(request):
    turn = sum(m.role == "tool" for m in request.messages)
    found = re.search(r"\\[(\\d+)\\] link 'All notes'", request.messages[-1].text)
    if turn == 0 and found:
        call = ToolCall("1", "click", {"id": int(found[1])})
        return Reply("", tool_calls=(call,), usage=Usage(1, 0, 1), finish="tool")
    return Reply("Done.", usage=Usage(1, 0, 1))
"""


@pytest.fixture
def looker(tmp_path: Path) -> str:
    file = tmp_path / "looker.py"
    file.write_text(SCRIPT)
    return f"script:{file}:look"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "mine.json"
    made.write_text(json.dumps([msgspec.to_builtins(web_task(task_id=3))]))
    return made


@pytest.fixture
def site():
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    made = Notes()
    yield made
    made.close()


def test_a_task_of_a_file_is_acted_on(shell, site, file, looker) -> None:
    here = {"COLLEGIUM_HOST_SHOP": site.address}
    words = ("--world", f"web:{file}@3", "--model", looker)
    done = shell("run", "tool-calling", *words, **here)
    assert done.returncode == 0, done.stderr
    assert 'actor uses click({"id":' in done.stdout
    assert "Page: http://shop.test/notes" in done.stdout
    assert "World   solved  (1.00 of 1" in done.stdout
    words = ("--on", f"webarena:{file}", "--model", looker)
    done = shell.json("compare", "tool-calling", *words, **here)
    assert done["systems"][0]["accuracy"] == 1.0


def test_worlds_are_listed(shell) -> None:
    done = shell("world", "list")
    assert done.returncode == 0, done.stderr
    for name in ("maze", "agentdojo", "webarena", "miniwob"):
        assert any(line.startswith(name) for line in done.stdout.splitlines())
    listed = json.loads(shell("world", "list", "--json").stdout)
    assert {"name", "description", "size", "missing", "note"} <= set(listed[0])


def test_wrong_names_are_refused_in_one_line(shell, file) -> None:
    for words, said in (
        (["run", "react", "--world", f"web:{file}@9"], "unknown web task '9'"),
        (["run", "react", "--world", "web:/none.json"], "no such file of web tasks"),
        (["compare", "react", "--on", "miniwob:click-buton"], "click-button"),
        (["world", "floors", "miniwob", "-n", 0], "at least 1"),
    ):
        done = shell(*words)
        assert done.returncode == 2, words
        assert said in done.stderr or "collegium[web]" in done.stderr, done.stderr
