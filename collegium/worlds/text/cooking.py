"""Generated house games of TextWorld (Côté et al., 2018): find the food, put it on the stove.

The games are the engine's own challenge ``tw-simple`` with dense scores and a detailed goal. Each
seed is another game, and comes with an expert's moves, a score and the list of possible moves, so
trajectories that solve it need no teacher. The engine writes a game as source text and compiles it
with the Inform 7 inside its package, which takes some seconds; a compiled game is kept for later.

Paper vs code vs ours
---------------------
* The engine's test games swap in foods that its training games do not have. Here all splits draw
  from the same foods, and a split is a range of seeds: what differs is the game, not its words.
* Eating the wanted food loses the game, as in the engine. It is a dead end that cannot be mended.
"""

from __future__ import annotations

import functools
import os
import platform
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from collegium.errors import BadInput
from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind

COUNTS = {"test": 100, "validation": 100, "train": 1000}
FIRST = {"test": 0, "validation": 100, "train": 1000}
"""The first seed of a split."""

ROUNDS = 40
RULES = """You are in a house and have a task. A move is a short command such as: open fridge, take
apple from fridge, go east, unlock door with key, put apple on stove, examine note, look,
inventory."""

SETTINGS = {"rewards": "dense", "goal": "detailed", "test": False}


class Cooking:
    """One game.

    Args:
        seed: Which.

    Raises:
        BadInput: The engine could not make it.
    """

    def __init__(self, seed: int) -> None:
        import textworld

        wanted = textworld.EnvInfos(
            feedback=True, description=True, inventory=True, objective=True, score=True,
            max_score=True, won=True, lost=True, admissible_commands=True, extras=["walkthrough"],
        )  # fmt: skip
        self._env: Any = textworld.start(str(game_file(seed)), wanted)
        self._state: Any = None

    def begin(self, seed: int | None) -> str:
        """The goal and the room; every game begins in one way."""
        self._state = self._env.reset()
        return f"{self._state['objective'].strip()}\n\n{self._state['description'].strip()}"

    def step(self, action: str) -> Turn:
        """Make a move; its reward is the share of the points there are."""
        self._state, _, _ = self._env.step(action)
        over = bool(self._state["won"] or self._state["lost"])
        return Turn(self._state["feedback"].strip(), self.score / self.points, over)

    def actions(self) -> list[str]:
        """The engine's own list of moves."""
        return list(self._state["admissible_commands"])

    def expert(self) -> list[str]:
        """Moves that solve the game from its beginning.

        Raises:
            BadInput: The game was not begun.
        """
        if self._state is None:
            raise BadInput("begin the game before asking for its expert's moves.")
        return list(self._state["extra.walkthrough"])

    @property
    def score(self) -> int:
        """Points so far."""
        return int(self._state["score"] or 0)

    @property
    def points(self) -> int:
        """All points there are."""
        return int(self._state["max_score"])

    @property
    def inventory(self) -> str:
        """What the player carries, in the game's words."""
        return str(self._state["inventory"]).strip()

    def judge(self, answer: Any) -> Score:
        """The share of the points; right when the game is won."""
        if self._state is None:
            return Score(0.0, False)
        return Score(self.score / self.points, bool(self._state["won"]))

    def close(self) -> None:
        """End the game."""
        self._env.close()


def game_file(seed: int) -> Path:
    """The compiled game of a seed; it is made when it is not there.

    Raises:
        BadInput: The engine could not make it.
    """
    import textworld
    from textworld.challenges.tw_simple import simple
    from textworld.generator import CouldNotCompileGameError, compile_game

    folder = _folder() / f"textworld-{textworld.__version__}"
    done = folder / f"simple-{seed}.z8"
    if done.is_file():
        return done
    folder.mkdir(parents=True, exist_ok=True)
    # In a folder of its own, then moved: two processes may make the same game at once.
    with tempfile.TemporaryDirectory(dir=folder) as making:
        options: Any = textworld.GameOptions()
        options.seeds, options.path = seed, str(Path(making) / done.name)
        try:
            compile_game(simple.make(SETTINGS, options), options)
        except (OSError, CouldNotCompileGameError) as error:
            raise BadInput(f"textworld could not make game {seed}: {error}.") from None
        for suffix in (".json", ".z8"):  # the game last: where it is, the other is too
            (Path(making) / done.name).with_suffix(suffix).replace(done.with_suffix(suffix))
    return done


def _folder() -> Path:
    """Where compiled games are kept."""
    if chosen := os.environ.get("COLLEGIUM_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "collegium"


@functools.cache
def _missing() -> str:
    if find_spec("textworld") is None:
        return "textworld: collegium[alfworld]"
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        return "Linux on x86-64, for which the package textworld brings its compiler"
    return ""


def _make(split: str, number: int) -> Cooking:
    return Cooking(FIRST[split] + number)


KINDS = (
    Kind(
        name="textworld",
        description="generated house games: find the food and put it on the stove",
        rules=RULES,
        rounds=ROUNDS,
        size=COUNTS.__getitem__,
        make=_make,
        source="games generated by the package textworld (MIT)",
        licence="MIT",
        missing=_missing,
        quick=False,
    ),
)

__all__ = ["KINDS", "Cooking", "game_file"]
