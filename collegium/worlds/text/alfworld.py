"""ALFWorld (Shridhar et al., 2021): household tasks in words, played by TextWorld.

The games are files in the folder of data; the engine is the package ``textworld``. Their objects
have names of a simulator ("apple_bar__minus_00_dot_39"); they are told as "apple 1".

Paper vs code vs ours
---------------------
* The games of ALFWorld's three parts are the three splits: those to train on, those to validate
  with in rooms that were seen in training, and those in rooms that were not.
* Games whose goal the engine finds out of reach from the start cannot be loaded by it. Those that
  are known are left out (:data:`OUT_OF_REACH`); another one says so when it is opened.
* Numbers of objects follow the order of their names in the game's file.
"""

from __future__ import annotations

import functools
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.tasks.sources import VARIABLE
from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind

FOLDER = "alfworld"
PARTS = {"train": "valid_train", "validation": "valid_seen", "test": "valid_unseen"}
RULES = """You are in a house and have a household task. A move is a sentence such as: go to
fridge 1, open fridge 1, take apple 1 from countertop 2, put apple 1 in/on fridge 1, heat apple 1
with microwave 1, clean, cool, slice, use desklamp 1, look, inventory, examine apple 1."""

OUT_OF_REACH = frozenset(
    {
        "trial_T20190909_031040_889814",
        "trial_T20190907_161235_786153",
        "trial_T20190908_044113_026049",
        "trial_T20190909_103526_341991",
        "trial_T20190909_032721_511027",
        "trial_T20190906_213926_964767",
    }
)
"""Games that textworld 1.7 cannot load, by the name of their folder."""

_OBJECT = re.compile(r"\b([a-z]+)_bar_\w+")


class AlfWorld:
    """One game.

    Args:
        file: The game.

    Raises:
        BadInput: The engine cannot load it.
    """

    def __init__(self, file: Path) -> None:
        import textworld

        wanted = textworld.EnvInfos(won=True, admissible_commands=True, feedback=True)
        try:
            self._env: Any = textworld.start(str(file), wanted)
        except KeyError:  # what its planner calls a goal that is out of reach is no object
            raise BadInput(
                f"alfworld cannot play the game in {file.parent.name}: its goal is out of reach."
            ) from None
        self._told = names(file)
        self._meant = {told: name for name, told in self._told.items()}
        self._state: Any = None

    def begin(self, seed: int | None) -> str:
        """The house at first, and the task."""
        self._state = self._env.reset()
        text = self._tell(self._state["feedback"])
        return text.partition("-=")[0].strip() + text.rpartition("=-")[2].strip()

    def step(self, action: str) -> Turn:
        """Make a move."""
        known = {self._tell(c): c for c in self._state["admissible_commands"]}
        command = known.get(" ".join(action.lower().split()))
        if command is None:
            return Turn("Nothing happens.")
        self._state, _, done = self._env.step(command)
        won = bool(self._state["won"])
        return Turn(self._tell(self._state["feedback"]).strip(), float(won), bool(done) or won)

    def actions(self) -> list[str]:
        """The game's own list of moves."""
        return sorted({self._tell(c) for c in self._state["admissible_commands"]} - {"help"})

    def judge(self, answer: Any) -> Score:
        """Right when the game says that the task is done."""
        won = bool(self._state is not None and self._state["won"])
        return Score(float(won), won)

    def close(self) -> None:
        """End the game."""
        self._env.close()

    def _tell(self, text: str) -> str:
        return _OBJECT.sub(lambda match: self._told.get(match[0], match[1]), text)


@functools.lru_cache(maxsize=64)
def names(file: Path) -> dict[str, str]:
    """What objects are called, by their names in a game's file."""
    problem = msgspec.json.decode(file.read_bytes())["pddl_problem"].lower()  # as the engine does
    found = sorted({match[0] for match in _OBJECT.finditer(problem)})
    numbers: dict[str, int] = {}
    told: dict[str, str] = {}
    for name in found:
        kind = name.partition("_bar_")[0]
        numbers[kind] = numbers.get(kind, 0) + 1
        told[name] = f"{kind} {numbers[kind]}"
    return told


@functools.lru_cache(maxsize=8)
def _games(root: str, split: str) -> tuple[Path, ...]:
    found = Path(root, FOLDER, PARTS[split]).expanduser().glob("*/*/game.tw-pddl")
    return tuple(sorted(file for file in found if file.parent.name not in OUT_OF_REACH))


def games(split: str) -> tuple[Path, ...]:
    """The files of a split, in the order of their names."""
    root = os.environ.get(VARIABLE)
    return _games(root, split) if root else ()


def _missing() -> str:
    if find_spec("textworld") is None or find_spec("fast_downward") is None:
        return "textworld with its planner: collegium[alfworld]"
    return "" if games("test") else f"{FOLDER} in the folder of data"


KINDS = (
    Kind(
        name="alfworld",
        description="household tasks in words",
        rules=RULES,
        rounds=30,
        size=lambda split: len(games(split)),
        make=lambda split, number: AlfWorld(games(split)[number]),
        source="games of ALFWorld (MIT) played by TextWorld (MIT)",
        licence="MIT",
        missing=_missing,
        quick=False,
        stratum=lambda split, number: games(split)[number].parts[-3].partition("-")[0],
    ),
)
