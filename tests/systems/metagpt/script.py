"""A scripted company: replies by who is asked for what, whatever the wording around it."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from collegium.kernel import Generate, Kernel, Limits, Reply, Usage, UseTool
from collegium.systems import get_system
from collegium.systems.solve import Solved, solve
from collegium.tasks.task import Task
from tests.kernel.support import Scripted

STEPS = (
    ("review", r"You review the file (\S+?)\. "),
    ("repair", r"Rewrite the file (\S+) so that the test passes"),
    ("rewrite", r"Rewrite the file (\S+) so that the review is met"),
    ("code", r"Write the file (\S+), whole"),
    ("summary", r"Read all files and list()"),
    ("test", r"Write tests for (\S+) with"),
    ("retest", r"Its test (\S+):\n(?s:.*)Rewrite the test, whole"),
    ("report", r"Its test (\S+):\n(?s:.*)Say what is wrong"),
    ("prd", r"You are the Product Manager\.()"),
    ("design", r"You are the Architect\.()"),
    ("tasks", r"You are the Project Manager\.()"),
)
"""What a prompt asks for, by words that no other step uses; the group is the file."""


def step_of(request: Generate) -> str:
    """What a request asks for, such as "code board.py" or "prd"."""
    prompt = request.messages[-1].text
    for name, pattern in STEPS:
        if found := re.search(pattern, prompt):
            return f"{name} {found[1]}".strip()
    return "mend" if request.outcome == "fix" else "?"


class Office:
    """A script for :class:`tests.kernel.support.Scripted`: replies by step.

    A list gives its replies one after the other, and the last one again. A repair of an unreadable
    reply is asked under "mend". What is not scripted fails the test.
    """

    def __init__(self, replies: dict[str, Any], *, money: dict[str, float] | None = None) -> None:
        self.replies, self.money = replies, money or {}
        self.steps: list[str] = []
        self.prompts: list[str] = []
        self._given: Counter[str] = Counter()

    def __call__(self, request: Generate, i: int) -> Reply[Any]:
        step = step_of(request)
        self.steps.append(step)
        self.prompts.append(request.messages[-1].text)
        assert step in self.replies, f"nobody scripted {step!r}: {request.messages[-1].text[-300:]}"
        given = self.replies[step]
        if isinstance(given, list):
            given = given[min(self._given[step], len(given) - 1)]
        self._given[step] += 1
        text = given if isinstance(given, str) else json.dumps(given)
        usage = Usage(prompt=10, completion=5, money=self.money.get(step, 0.0))
        return Reply(text, usage=usage)


def block(code: str, head: str = "") -> str:
    """Code as a model hands it over."""
    return f"{head}```python\n{code.strip()}\n```\n"


TASK = Task(id="t", prompt="Make a counter that adds numbers")

PRD = {
    "Project Name": "adding_machine",
    "Product Goals": ["Add numbers rightly"],
    "User Stories": ["As a user, I want to see the sum"],
    "Requirement Pool": [{"priority": "P0", "text": "Add numbers"}],
}
DESIGN = {
    "Implementation approach": "Two small files",
    "File list": ["main.py", "machine.py"],
    "Data structures and interfaces": [
        {"name": "Machine", "members": ["+int total", "+add(x: int) None"], "uses": []}
    ],
}
TASKS = {
    "Required packages": ["json", "requests==2.0"],
    "Logic Analysis": [{"file": "machine.py", "what": "class Machine"}],
    "Task list": ["machine.py", "main.py"],
    "Shared Knowledge": "",
}
FULL_DESIGN: dict[str, Any] = {
    "Implementation approach": "small",
    "File list": ["main.py"],
    "Data structures and interfaces": "classDiagram\nclass A",
    "Program call flow": "sequenceDiagram\nA->>B: x()",
    "Anything UNCLEAR": "",
}
FULL_PRD: dict[str, Any] = {
    "Language": "en_us",
    "Programming Language": "Python",
    "Original Requirements": "x",
    "Project Name": "adding_machine",
    "Product Goals": [],
    "User Stories": ["As a user, I add"],
    "Competitive Analysis": [],
    "Competitive Quadrant Chart": "",
    "Requirement Analysis": "",
    "Requirement Pool": [["P0", "add"]],
    "UI Design draft": "",
    "Anything UNCLEAR": "",
}

MACHINE = """class Machine:
    def __init__(self):
        self.total = 0

    def add(self, x):
        self.total += x
"""
MAIN = """from machine import Machine

machine = Machine()
machine.add(2)
print(machine.total)
"""
TEST = """import unittest
from machine import Machine


class TestMachine(unittest.TestCase):
    def test_add(self):
        machine = Machine()
        machine.add(2)
        machine.add(3)
        self.assertEqual(machine.total, 5)
"""
GOOD = {
    **dict.fromkeys(
        (
            "Requirements met",
            "Logic right",
            "Follows the interfaces",
            "All functions implemented",
            "All imports there",
            "Other files reused rightly",
        ),
        "yes",
    ),
    "Actions": [],
    "Code Review Result": "LGTM",
}
BAD = {**GOOD, "Logic right": "no", "Actions": ["Add, do not store"], "Code Review Result": "LBTM"}

ALL_GOOD: dict[str, Any] = {
    "prd": PRD,
    "design": DESIGN,
    "tasks": TASKS,
    "code machine.py": block(MACHINE),
    "code main.py": block(MAIN),
    "review machine.py": GOOD,
    "review main.py": GOOD,
    "test machine.py": block(TEST),
}
"""A run in which everything goes well."""

BUILT: dict[str, Any] = {k: v for k, v in ALL_GOOD.items() if not k.startswith(("review", "test"))}
"""The same without reviews and tests; it goes with :data:`CODE_FREE`."""

CODE_FREE = {"code_review": 0, "run_tests": False}


async def build(
    office: Office,
    *,
    task: Task = TASK,
    interceptors: Any = (),
    limits: Limits = Limits(),
    **parameters: Any,
) -> tuple[Solved, Kernel]:
    """Run the company on a task with scripted replies."""
    kernel = Kernel(Scripted(office), limits=limits, interceptors=interceptors)
    system = get_system("metagpt")
    return await solve(system, task, kernel, system.bind(parameters)), kernel


def runs_of(kernel: Kernel) -> list[Any]:
    """What the sandbox answered, in order."""
    return [e.value for e in kernel.trace.events if isinstance(e.call, UseTool)]


def commands_of(kernel: Kernel) -> list[list[str]]:
    """The commands that were run, without how their environment is set."""
    used = [e.call for e in kernel.trace.events if isinstance(e.call, UseTool)]
    return [call.arguments["command"][2:] for call in used]
