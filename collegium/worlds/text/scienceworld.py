"""ScienceWorld (Wang et al., 2022): experiments of a primary school, in words.

The engine is the package ``scienceworld``, which runs in Java. Every world that is open has a Java
machine of its own; one that is closed leaves it to the next, since a start takes seconds. Splits
are the package's own variations of its thirty tasks.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import Any

from collegium.errors import BadInput
from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind

ROUNDS = 30
TASKS = 30
COUNTS = {"train": 60, "validation": 30, "test": 30}
RULES = """You do an experiment in a house with several rooms. A move is a sentence such as: look
around, go to kitchen, open cupboard, pick up metal pot, use thermometer on water, focus on water,
activate stove, pour A into B, wait, inventory. Do what the task says, step by step."""

_idle: list[Any] = []
"""Engines that no world uses now."""

SIMPLE = "easy"
"""The package's simplification: doors are open, and one can go straight to any room."""


class ScienceWorld:
    """One variation of one task.

    Args:
        split: Which variations.
        number: The task, and among its variations of the split which.
    """

    def __init__(self, split: str, number: int) -> None:
        from scienceworld import ScienceWorldEnv

        self._env: Any = _idle.pop() if _idle else ScienceWorldEnv("", envStepLimit=1000)
        self._task = sorted(self._env.get_task_names())[number % TASKS]
        self._env.load(self._task, 0, SIMPLE)
        named = {"train": "train", "validation": "dev", "test": "test"}[split]
        variations = list(getattr(self._env, f"get_variations_{named}")())
        if not variations:
            raise BadInput(f"scienceworld has no {split} variation of {self._task}.")
        self._variation = variations[(number // TASKS) % len(variations)]
        self._score = 0.0

    def begin(self, seed: int | None) -> str:
        """The task and the room."""
        self._env.load(self._task, self._variation, SIMPLE)
        seen, _ = self._env.reset()
        self._score = 0.0
        return f"{self._env.get_task_description()}\n{seen}"

    def step(self, action: str) -> Turn:
        """Make a move."""
        seen, _, done, info = self._env.step(action)
        self._score = max(0.0, float(info["score"])) / 100
        return Turn(seen, self._score, bool(done))

    def actions(self) -> list[str]:
        """Moves that are possible, of which there are hundreds."""
        return sorted(self._env.get_valid_action_object_combinations())

    def judge(self, answer: Any) -> Score:
        """The engine's score; right when it is all there is to get."""
        return Score(self._score, self._score >= 1.0)

    def close(self) -> None:
        """Leave the engine to the next world."""
        if self._env is not None:
            _idle.append(self._env)
        self._env = None


def _missing() -> str:
    if find_spec("scienceworld") is None:
        return "scienceworld: collegium[worlds]"
    return "" if shutil.which("java") else "Java (such as default-jre-headless)"


KINDS = (
    Kind(
        name="scienceworld",
        description="experiments of a primary school, in words",
        rules=RULES,
        rounds=ROUNDS,
        size=COUNTS.__getitem__,
        make=ScienceWorld,
        source="tasks and engine of the package scienceworld (Apache-2.0)",
        licence="Apache-2.0",
        missing=_missing,
        quick=False,
    ),
)
