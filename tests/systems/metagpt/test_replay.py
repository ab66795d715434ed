"""The published transcript of a whole run, replayed: the roles run over it with no live model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.kernel import Generate, Kernel, Limits, Unparsed
from collegium.systems import get_system
from collegium.systems.metagpt.documents import PRD, Design, Tasks, tasks_for
from collegium.systems.metagpt.reading import code_blocks, content_of, report_of, verdict_of
from collegium.systems.metagpt.roles import DESIGN_FILE, PRD_FILE, TASKS_FILE
from collegium.systems.solve import solve
from collegium.tasks.task import Task
from tests.kernel.support import Scripted
from tests.systems.metagpt.script import step_of

REQUIREMENT = "Make a cli snake game"


@pytest.fixture
def published(collegium_data: Path) -> dict[str, str]:
    """All recorded prompts with their replies, in the order in which they were recorded."""
    cache = json.loads((collegium_data / "metagpt" / "rsp_cache.json").read_text())
    return {k: v for k, v in cache.items() if isinstance(v, str)}


def snake_run(published: dict[str, str]) -> dict[str, list[str]]:
    """The replies of the snake run by step, each known by what its prompt asks for.

    The cache holds several runs of this requirement. The one that is meant has the design with a
    SnakeGame; what was made from it has that design in its prompt.
    """
    steps: dict[str, list[str]] = {}
    for prompt, reply in published.items():
        asked = prompt.split("## Instruction")[-1]
        if f"['{REQUIREMENT}']" in prompt and "- User Stories:" in prompt and "P0" in reply:
            steps.setdefault("prd", []).append(reply)
        elif "- File list:" in prompt and REQUIREMENT in prompt and "SnakeGame" in reply:
            steps.setdefault("design", []).append(reply)
        elif "class SnakeGame {" not in prompt:
            continue
        elif "- Task list:" in prompt:
            steps.setdefault("tasks", []).append(reply)
        else:
            for name in ("game.py", "main.py"):
                if "# Instruction: Based on the context" in asked and f"## Code: {name}. " in asked:
                    steps.setdefault(f"code {name}", []).append(reply)
                elif f"rewrite {name} with triple quotes" in asked:
                    steps.setdefault(f"rewrite {name}", []).append(reply)
                elif f"Code to be Reviewed: {name}" in prompt and "Return only 1 file" in asked:
                    steps.setdefault(f"review {name}", []).append(reply)
    return steps


def replaying(steps: dict[str, list[str]], asked: list[str]) -> Callable[[Generate, int], str]:
    """A model that gives the recorded replies of each step in turn, the last one again."""

    def answer(request: Generate, i: int) -> str:
        step = step_of(request)
        replies = steps[step]
        reply = replies[min(asked.count(step), len(replies) - 1)]
        asked.append(step)
        return reply

    return answer


async def replay(published: dict[str, str], **parameters: Any) -> tuple[Any, list[str], Kernel]:
    asked: list[str] = []
    model = Scripted(replaying(snake_run(published), asked))
    kernel = Kernel(model)
    system = get_system("metagpt")
    bound = system.bind({"documents": "text", "run_tests": False, **parameters})
    task = Task(id="snake", prompt=REQUIREMENT)
    solved = await solve(system, task, kernel, bound)
    assert not solved.limited
    return solved.result, asked, kernel


def test_the_cache_holds_the_whole_run(published: dict[str, str]) -> None:
    steps = {name: len(replies) for name, replies in snake_run(published).items()}
    assert steps == {
        "prd": 1,
        "design": 1,
        "tasks": 1,
        "code game.py": 1,
        "review game.py": 1,
        "rewrite game.py": 2,
        "code main.py": 1,
        "review main.py": 1,
        "rewrite main.py": 2,
    }


@pytest.mark.must_show("metagpt", 1)
async def test_the_published_run_is_built_again_without_a_live_model(
    published: dict[str, str],
) -> None:
    result, asked, _ = await replay(published, code_review=1)
    assert asked == [
        "prd",
        "design",
        "tasks",
        "code game.py",
        "review game.py",
        "rewrite game.py",
        "code main.py",
        "review main.py",
        "rewrite main.py",
    ]
    prd = msgspec.json.decode(result.files[PRD_FILE], type=PRD)
    assert prd.project_name == "cli_snake_game"
    assert len(prd.user_stories) == 5
    assert [wish[0] for wish in prd.requirement_pool] == ["P0", "P0", "P0", "P1", "P1"]
    design = msgspec.json.decode(result.files[DESIGN_FILE], type=Design)
    tasks = msgspec.json.decode(result.files[TASKS_FILE], type=Tasks)
    assert (design.file_list, tasks.task_list) == (["main.py", "game.py"], ["game.py", "main.py"])
    assert set(design.file_list) == set(tasks.task_list)
    # Both reviews say LBTM, and the rewritten files are the ones that stand.
    assert [(r["file"], r["result"]) for r in result.notes["reviews"]] == [
        ("game.py", "LBTM"),
        ("main.py", "LBTM"),
    ]
    assert "new_head = Position(" in result.files["cli_snake_game/game.py"]
    assert result.files["cli_snake_game/main.py"].startswith("## main.py")
    assert "class Snake" not in result.files["cli_snake_game/main.py"]
    assert result.files["requirements.txt"].splitlines()[1] == "flask==1.1.2"
    assert sorted(result.files) == [
        "cli_snake_game/game.py",
        "cli_snake_game/main.py",
        "dependencies.json",
        "docs/prd.json",
        "docs/system_design.json",
        "docs/task.json",
        "requirements.txt",
    ]
    made_from = json.loads(result.files["dependencies.json"])
    assert made_from[DESIGN_FILE] == [PRD_FILE]
    assert made_from["cli_snake_game/game.py"] == [DESIGN_FILE, TASKS_FILE]
    assert result.notes["design"]["order"][0] == "Position"
    assert result.notes["design"]["order"][-1] == "SnakeGame"
    assert result.notes["undefined"] == []
    assert "cli_snake_game: cli_snake_game/game.py, cli_snake_game/main.py" in result.answer


@pytest.mark.must_show("metagpt", 1)
async def test_every_document_is_read_by_the_next_role(published: dict[str, str]) -> None:
    _, asked, kernel = await replay(published, code_review=1)
    requests = [e.call for e in kernel.trace.events if isinstance(e.call, Generate)]
    prompts = dict(zip(asked, [r.messages[-1].text for r in requests], strict=True))
    assert REQUIREMENT in prompts["prd"]
    assert "I want to see my score increase as I eat food" in prompts["design"]
    assert "Snake --> Position" in prompts["tasks"]
    assert "Contains the Game class" in prompts["code game.py"]
    # The second file is written with the first in view, as its review left it.
    assert "new_head = Position(" in prompts["code main.py"]
    assert "Implement the logic for each function" in prompts["rewrite game.py"]
    # What was read stands in the trace: every role but the human answers a message it received.
    by_id = {e.id: e for e in kernel.trace.events}
    for call in requests:
        if call.agent != "engineer":
            assert {by_id[s].kind for s in call.sources} == {"send"}


@pytest.mark.must_show("metagpt", 1)
async def test_two_reviews_per_file(published: dict[str, str]) -> None:
    result, asked, _ = await replay(published, code_review=2)
    assert asked[3:8] == [
        "code game.py",
        "review game.py",
        "rewrite game.py",
        "review game.py",
        "rewrite game.py",
    ]
    assert [r["turn"] for r in result.notes["reviews"]] == [1, 2, 1, 2]


def test_all_published_documents_pass_the_gate(published: dict[str, str]) -> None:
    steps = snake_run(published)
    prd, design = (
        content_of(steps[name][0], kind) for name, kind in (("prd", PRD), ("design", Design))
    )
    assert isinstance(prd, PRD)
    assert isinstance(design, Design)
    fitting = tasks_for(Tasks, tuple(design.file_list))
    assert isinstance(content_of(steps["tasks"][0], fitting), Tasks)


def test_all_published_reviews_and_reports_are_read(published: dict[str, str]) -> None:
    reviews = [v for v in published.values() if "## Code Review Result" in v]
    verdicts = [verdict_of(text) for text in reviews]
    assert len(reviews) > 20
    assert all(not isinstance(v, Unparsed) for v in verdicts)
    assert {v.result for v in verdicts if not isinstance(v, Unparsed)} == {"LGTM", "LBTM"}
    written = [v for v in published.values() if "Send To" in v and "File To Rewrite" in v]
    reports = [report_of(text) for text in written]
    assert len(reports) >= 5
    said = {(r.status, r.send_to) for r in reports if not isinstance(r, Unparsed)}
    assert said == {("PASS", "NoOne"), ("FAIL", "Engineer")}
    assert all(not isinstance(r, Unparsed) for r in reports)


def test_all_published_code_is_found(published: dict[str, str]) -> None:
    for name, replies in snake_run(published).items():
        for reply in replies:
            if name.startswith(("code", "rewrite")):
                assert name.split()[1] in code_blocks(reply)[0].splitlines()[0]


@pytest.mark.must_show("metagpt", 4)
async def test_one_round_makes_the_prd_alone(published: dict[str, str]) -> None:
    result, asked, _ = await replay(published, n_round=1)
    assert asked == ["prd"]
    assert sorted(result.files) == ["dependencies.json", PRD_FILE]
    assert result.notes["stopped"] == "All 1 rounds are used up; still to act: Architect."
    assert result.answer.startswith("No code yet; there are docs/prd.json.")


async def test_a_limit_of_the_published_run(published: dict[str, str]) -> None:
    asked: list[str] = []
    model = Scripted(replaying(snake_run(published), asked))
    kernel = Kernel(model, limits=Limits(calls=4))
    system = get_system("metagpt")
    bound = system.bind({"documents": "text", "run_tests": False})
    solved = await solve(system, Task(id="snake", prompt=REQUIREMENT), kernel, bound)
    assert (
        "No money left for the review of game.py (Engineer): 4 generations cost" in solved.limited
    )
    assert "cli_snake_game/game.py" in solved.result.files
