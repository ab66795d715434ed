"""A task file, scripted models, and the package as it is when it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

ROOT = Path(__file__).parents[3]

TASKS = '''
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import (
    Score, accuracy, answer, choice, exact, f1, includes, match, model_graded_qa, pattern,
    perplexity, scorer,
)
from inspect_ai.solver import prompt_template, generate, system_message

SUMS = [
    Sample(input="What is 5 + 7?", target="12", id="five"),
    Sample(input="What is 6 * 7?", target="42", id="six"),
    Sample(input="What is 50 - 1?", target="49", id="fifty"),
]
CAPITALS = [
    Sample(input="The capital of France?", choices=["Bonn", "Paris"], target="B", id="france"),
    Sample(input="The capital of Italy?", choices=["Rome", "Oslo"], target="A", id="italy"),
]
WORDS = [Sample(input="Say it: gamma beta", target=["BETA GAMMA", "beta, gamma"], id="words")]


@task
def sums():
    """The solver of the task asks in its own words; another solver takes its place."""
    return Task(
        dataset=SUMS, scorer=match(numeric=True),
        solver=[prompt_template("{prompt} End with ANSWER: and the number."), generate()],
    )


@task
def capitals():
    return Task(dataset=CAPITALS, scorer=choice())


@task
def lettered():
    return Task(dataset=CAPITALS, scorer=answer("letter"))


@task
def both_right():
    return Task(dataset=[Sample(input="Which?", choices=["a", "b"], target=["A", "B"])],
                scorer=choice())


@task
def words():
    return Task(dataset=WORDS, scorer=[includes(), exact(), f1(), answer("line"),
                                       pattern(r"(?i)answer: (.*)"), pattern(r"^(\\w+ \\w+)$")])


@task
def graded():
    return Task(dataset=WORDS, scorer=model_graded_qa())


@scorer(metrics=[accuracy()])
def asks():
    """A scorer of somebody's own that asks whatever model is evaluated."""
    async def score(state, target):
        from inspect_ai.model import get_model
        said = await get_model().generate("is it " + state.output.completion)
        return Score(value="C" if "GRADE: C" in said.completion else "I")
    return score


@task
def asking():
    return Task(dataset=WORDS, scorer=asks())


@task
def talk():
    return Task(dataset=[Sample(id="talk", target="x", input=[
        ChatMessageSystem(content="Be brief."),
        ChatMessageUser(content="Hello."),
        ChatMessageAssistant(content="Hello, what is it?"),
        ChatMessageUser(content="Say x."),
    ])], scorer=match())


@task
def boxed():
    return Task(dataset=SUMS, scorer=match(), sandbox="local")


@task
def prepared():
    return Task(dataset=SUMS, scorer=match(), setup=system_message("Be kind."))


@task
def unscored():
    return Task(dataset=SUMS)


@task
def likely():
    return Task(dataset=WORDS, scorer=perplexity())
'''

MODELS = '''
import json
import re

from collegium.kernel import Reply, ToolCall


def solver(request):
    """Works out sums, knows capitals, says words backwards; grades what it is asked to grade."""
    text = "\\n".join(m.text for m in request.messages if m.role != "system")
    if "[BEGIN DATA]" in text:
        return "GRADE: C" if "[Submission]: BETA GAMMA" in text else "GRADE: I"
    if text.startswith("is it"):
        return "GRADE: C" if "BETA GAMMA" in text else "GRADE: I"
    sums = re.findall(r"What is (\\d+) ([-+*]) (\\d+)", text)
    if sums:
        a, sign, b = sums[-1]
        found = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign]
    elif "capital" in text:
        found = "B" if "France" in text else "A"
    else:
        said = text.split("\\n")[0].rpartition(": ")[2]
        found = " ".join(reversed(said.upper().split()))
    if request.schema and "answer" in request.schema.get("properties", {}):
        return json.dumps({"answer": found})
    worked = any("Answer:" in m.text for m in request.messages)
    return f"Let me see.\\nAnswer: {found}" if worked else str(found)


def wrong(request):
    """Answers everything with one."""
    if request.schema and "answer" in request.schema.get("properties", {}):
        return json.dumps({"answer": 1})
    return "Answer: 1"


def caller(request):
    """Asks the calculator once, then says what it gave."""
    told = [m for m in request.messages if m.role == "tool"]
    if told:
        return f"Answer: {told[-1].text}"
    return Reply("", tool_calls=(ToolCall("c1", "calculator", {"expression": "6 * 7"}),))
'''


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of tasks and a file of models."""
    made = tmp_path_factory.mktemp("inspect")
    (made / "some_tasks.py").write_text(TASKS)
    (made / "some_models.py").write_text(MODELS)
    return made


@pytest.fixture
def model(folder: Path) -> Any:
    """Names a scripted model: ``model("solver")``."""
    return lambda name: f"script:{folder / 'some_models.py'}:{name}"


@pytest.fixture
def task(folder: Path) -> Any:
    """Names a task: ``task("sums")``."""
    return lambda name: f"{folder / 'some_tasks.py'}@{name}"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which the package is installed from its wheel."""
    pytest.importorskip("hatchling")
    made = tmp_path_factory.mktemp("installed")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(made / "site-packages")
    return {**os.environ, "PYTHONPATH": str(made / "site-packages"), "COLUMNS": "200"}
