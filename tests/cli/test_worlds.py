"""Worlds on the command line: acted in by a system, played by hand, floors."""

import json
from pathlib import Path

import pytest

SCRIPT = """
from collegium.kernel import Reply, ToolCall, Usage

MOVES = ["move up", "move left", "move left"]


def walk(request):
    turn = sum(m.role == "tool" for m in request.messages)
    if turn < len(MOVES):
        call = ToolCall(str(turn), "act", {"action": MOVES[turn]})
        return Reply("Let me see.", tool_calls=(call,), usage=Usage(1, 0, 1), finish="tool")
    return Reply("I am there.", usage=Usage(1, 0, 1))
"""


@pytest.fixture
def walker(tmp_path: Path) -> str:
    file = tmp_path / "walker.py"
    file.write_text(SCRIPT)
    return f"script:{file}:walk"


def test_a_system_acts_in_a_world_and_every_step_is_shown(shell, walker) -> None:
    done = shell("run", "tool-calling", "--world", "maze:1", "--model", walker)
    assert done.returncode == 0, done.stderr
    assert 'actor uses act({"action":"move up"}): There is a wall.' in done.stdout
    assert 'actor uses act({"action":"move left"}): The goal is at 1, 1.' in done.stdout
    assert "Answer  I am there." in done.stdout
    assert "World   not solved  (0.00 of 1 · moves 3)" in done.stdout
    asked = shell("trace", "last").stdout
    assert "You walk through a maze." in asked


def test_the_judgement_is_in_the_json(shell, walker) -> None:
    done = shell.json(
        "run", "tool-calling", "--world", "maze:1", "--split", "train", "--model", walker
    )
    assert done["score"]["correct"] is False
    assert done["score"]["facts"] == {"moves": 3.0}


def test_a_comparison_states_what_trivial_players_reach(shell, walker) -> None:
    done = shell.json(
        "compare", "tool-calling", "--on", "maze", "--limit", 2, "--model", walker, "--seed", 1
    )
    assert done["controls"].keys() == {"doing nothing", "random"}
    assert done["systems"][0]["n"] == 2


def test_wrong_worlds_are_refused_in_one_line(shell) -> None:
    for words, said in (
        (["--world", "mazes"], "did you mean 'maze'?"),
        (["--world", "maze:400"], "has the tasks 0 to 38"),
        (["--world", "maze", "--split", "dev"], "no split 'dev'"),
        (["What?", "--world", "maze"], "leave TASK or --world out"),
        ([], "the task is empty"),
        (["--world", "gsm-symbolic:0"], "answered, not acted on"),
    ):
        done = shell("run", "react", *words)
        assert done.returncode == 2, words
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_played_by_hand_and_by_trivial_players(shell) -> None:
    done = shell("world", "play", "maze", "--split", "train", stdin="move up\nmove right\n")
    assert "There is a wall." in done.stdout
    assert "(reward -4)" in done.stdout
    assert done.stdout.rstrip().endswith("not solved, 0.00 of 1")
    done = shell("world", "play", "todo", stdin='lists\nfinish {"answer": 1}\n')
    assert "A move is the name of a tool" in done.stdout
    floors = json.loads(shell("world", "floors", "maze", "-n", 10, "--json").stdout)
    assert floors["tasks"] == 10
    assert floors["floors"]["doing nothing"] == 0.0
    assert shell("world", "floors", "maz").returncode == 2
    assert shell("world", "floors", "maze", "-n", 0).returncode == 2
