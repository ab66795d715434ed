"""Runs of systems with a model that fills in whatever form it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from collegium.kernel import Event, Generate, Kernel
from collegium.models.scripted import ScriptedModel
from collegium.systems.solve import solve
from collegium.systems.system import Result, get_system
from collegium.tasks.task import Task

NUMBER = Task(id="number", prompt="What is 5 + 7?", answer="number")
CHOICE = Task(
    id="choice",
    prompt="A man of 60 has chest pain that moves to his back. What is most likely?",
    answer="choice",
    choices=("Aortic dissection", "Gastritis", "Shingles"),
)
PROGRAM = Task(id="program", prompt="A program that keeps the score of a game.", answer="text")

Say = Callable[[Generate], str | None]


def filled(
    schema: Any,
    prefer: Mapping[str, Any],
    name: str = "",
    whole: Any = None,
    says: str = "words on",
) -> Any:
    """A value that fits a JSON schema; properties that are named take what is preferred."""
    whole = schema if whole is None else whole
    if name in prefer:
        return prefer[name]
    if "$ref" in schema:
        return filled(whole["$defs"][schema["$ref"].split("/")[-1]], prefer, name, whole, says)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return filled(schema[key][0], prefer, name, whole, says)
    match schema.get("type"):
        case "object":
            return {
                k: filled(v, prefer, k, whole, says)
                for k, v in schema.get("properties", {}).items()
            }
        case "array":
            number = max(schema.get("minItems", 1), 1)
            return [filled(schema.get("items", {}), prefer, "", whole, says) for _ in range(number)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "null":
            return None
    if "pattern" in schema:
        return "Board"
    return f"{says} the {name or 'point'}"[: schema.get("maxLength", 100)]


def form_filler(say: Say = lambda request: None, **prefer: Any) -> ScriptedModel:
    """A model: ``say`` first, then the form with what is preferred, else a worked answer."""

    def answer(request: Generate) -> str:
        said = say(request)
        if said is not None:
            return said
        if request.schema is None:
            return "Because it is so.\nAnswer: 12"
        form = filled(request.schema, prefer, says=f"{request.agent} on")
        return msgspec.json.encode(form).decode()

    return ScriptedModel(answer)


async def run(
    name: str, task: Task, model: ScriptedModel, **parameters: Any
) -> tuple[list[Event], Result]:
    """The events and the result of a registered system; fails loudly where there is none."""
    system = get_system(name)
    kernel = Kernel(model, seed=7)
    done = await solve(system, task, kernel, system.bind(parameters))
    return kernel.trace.events, done.result


def last_prompt(request: Generate) -> str:
    """The last user message."""
    return next(m.text for m in reversed(request.messages) if m.role == "user")


# -- one run of each system -----------------------------------------------------------------------


async def mad_run() -> list[Event]:
    """Three debaters, two rounds."""
    return (await run("mad", NUMBER, form_filler()))[0]


async def dylan_run() -> list[Event]:
    """Four roles that never agree, so that the ranker has to choose in the third layer."""
    numbers = {"mathematician": 1, "algebraist": 2, "geometer": 3, "combinatorialist": 4}

    def say(request: Generate) -> str | None:
        if request.schema is None:
            return f"I am {request.agent}.\nAnswer: {numbers.get(request.agent, 5)}"
        if request.agent not in numbers:
            return None
        told = {"answer": numbers[request.agent], "reasoning": f"As {request.agent} I think so."}
        form = filled(request.schema, told)
        return msgspec.json.encode(form).decode()

    model = form_filler(say, best=[1, 3])
    return (await run("dylan", NUMBER, model))[0]


PANEL = [
    {"role": "Cardiologist", "expertise": "the heart", "hierarchy": "Independent"},
    {"role": "Aortic surgeon", "expertise": "the aorta", "hierarchy": "Independent"},
    {"role": "Radiologist", "expertise": "images", "hierarchy": "Independent"},
]


async def mdagents_run() -> list[Event]:
    """A panel of three that does not agree, talks, and is reviewed by its moderator."""

    def say(request: Generate) -> str | None:
        text = repr(request.schema)
        if request.schema is None:
            letter = "B" if request.agent.endswith("3") else "A"
            return f"It seems so.\nAnswer: {letter}"
        if "expertise" in text:
            return msgspec.json.encode({"answer": PANEL}).decode()
        return None

    model = form_filler(say, complexity="moderate", talk=False, messages=[])
    return (await run("mdagents", CHOICE, model))[0]


BOARD = """class Board:
    def __init__(self):
        self.score = 0

    def add(self, n):
        self.score += n
"""
WRONG = BOARD.replace("+= n", "-= n")
MAIN = """from board import Board


def main():
    board = Board()
    board.add(1)
    return board.score
"""
TEST = """import unittest
from {module} import {what}


class Works(unittest.TestCase):
    def test_it(self):
        self.assertEqual({value}, 1)
"""


async def metagpt_run() -> list[Event]:
    """Two files; the first has a mistake that its test finds and the engineer mends."""

    def block(code: str) -> str:
        return f"```python\n{code}```"

    def say(request: Generate) -> str | None:
        if request.schema is not None:
            return None
        text = last_prompt(request)
        if "You are the QA Engineer" in text:
            if "Write tests for main.py" in text:
                return block(TEST.format(module="main", what="main", value="main()"))
            test = "import unittest\nfrom board import Board\n\n\nclass Works(unittest.TestCase):\n"
            test += "    def test_it(self):\n        board = Board()\n        board.add(1)\n"
            return block(test + "        self.assertEqual(board.score, 1)\n")
        if "Rewrite the file" in text:
            return block(BOARD)
        return block(MAIN if "Write the file main.py" in text else WRONG)

    files = ["board.py", "main.py"]
    prefer: dict[str, Any] = {
        "Project Name": "score_keeper",
        "File list": files,
        "Task list": files,
        "Required packages": [],
        "User Stories": ["As a player, I want to see the score of the game"],
        "Send To": "Engineer",
        "Status": "FAIL",
        "File To Rewrite": "board.py",
        "Code Review Result": "LGTM",
        "Actions": [],
    }
    return (await run("metagpt", PROGRAM, form_filler(say, **prefer)))[0]
