"""BabyAI in words (Chevalier-Boisvert et al., 2019): go to, pick up and open things in a grid.

The levels are those of the package ``minigrid``. What the agent sees in its view of 7 by 7 cells is
told in words, from where it stands.

Paper vs code vs ours
---------------------
* The authors of AgentGym have moves that walk to a thing by themselves. Here a move turns, walks so
  many steps, picks up, drops or opens; so what is in the way is the player's business.
* The reward is the package's, which is less the more steps were made. Solved is any reward above 0.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind, mixed

LEVELS = ("GoToRedBallGrey", "GoToRedBall", "GoToObj", "GoToLocal", "PickupLoc", "OpenDoor")
COUNTS = {"train": 240, "validation": 60, "test": 90}
ROUNDS = 20

RULES = """You stand in a room and are told what you see from where you stand. A move is one of:
turn left, turn right, move forward N, pick up, drop, toggle (opens a door in front of you).
To pick up, drop or toggle, face the thing or the cell, one step away. Carry out the mission."""

_PRIMITIVE = {"turn left": 0, "turn right": 1, "pick up": 3, "drop": 4, "toggle": 5}
_FORWARD = re.compile(r"(?:move )?forward(?: (\d{1,2}))?")
FORWARD = 2


class BabyAI:
    """One mission in one room.

    Args:
        level: Name of the level.
        seed: Of the room and the mission.
    """

    def __init__(self, level: str, seed: int) -> None:
        import gymnasium
        import minigrid

        if f"BabyAI-{level}-v0" not in gymnasium.registry:
            minigrid.register_minigrid_envs()
        self.env: Any = gymnasium.make(f"BabyAI-{level}-v0").unwrapped
        self.seed, self.reward = seed, 0.0

    def begin(self, seed: int | None) -> str:
        """The room; the task fixes it, whatever the seed of the play."""
        self.env.reset(seed=self.seed)
        self.reward = 0.0
        return f"Mission: {self.env.mission}.\n{self._seen()}"

    def step(self, action: str) -> Turn:
        """Make a move."""
        action = " ".join(action.lower().split())
        if match := _FORWARD.fullmatch(action):
            return self._act([FORWARD] * max(1, int(match[1] or 1)))
        if action not in _PRIMITIVE:
            return Turn(f"That is no move. {self._seen()}")
        return self._act([_PRIMITIVE[action]])

    def actions(self) -> list[str]:
        """All moves, of walks the one step and the longest that is free."""
        free = self._free()
        walks = [f"move forward {n}" for n in dict.fromkeys((1, free)) if n]
        return [*_PRIMITIVE, *walks]

    def judge(self, answer: Any) -> Score:
        """Right when the mission was carried out."""
        done = self.reward > 0
        return Score(float(done), done, facts={"reward": self.reward})

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _act(self, primitive: list[int]) -> Turn:
        over = False
        for one in primitive:
            _, reward, terminated, truncated, _ = self.env.step(one)
            over = bool(terminated or truncated)
            self.reward = float(reward)
            if over:
                break
        return Turn(self._seen(), self.reward, over)

    def _seen(self) -> str:
        """What is in view, nearest first."""
        grid, visible = self.env.gen_obs_grid()
        size = self.env.agent_view_size
        middle, last = size // 2, size - 1
        found: list[tuple[int, str]] = []
        for column in range(size):
            for row in range(size):
                thing = grid.get(column, row)
                ahead, aside = last - row, column - middle
                if thing is None or thing.type in ("wall", "floor") or not visible[column, row]:
                    continue
                if ahead or aside:  # what is carried is shown where one stands
                    found.append((ahead + abs(aside), f"{_named(thing)} {_placed(ahead, aside)}"))
        things = [text for _, text in sorted(found)]
        lines = [f"You see: {'; '.join(things) or 'nothing but walls'}."]
        free = self._free()
        lines.append(f"Free cells in front of you: {free}.")
        if self.env.carrying is not None:
            lines.append(f"You carry {_named(self.env.carrying)}.")
        return "\n".join(lines)

    def _free(self) -> int:
        """How many steps can be made straight on, as far as one sees."""
        position, direction, free = self.env.agent_pos, self.env.dir_vec, 0
        while free < self.env.agent_view_size - 1:
            position = position + direction
            cell = self.env.grid.get(*position)
            if cell is not None and not cell.can_overlap():
                break
            free += 1
        return free


def _named(thing: Any) -> str:
    state = ""
    if thing.type == "door":
        state = "open " if thing.is_open else "locked " if thing.is_locked else "closed "
    return f"a {state}{thing.color} {thing.type}"


def _placed(ahead: int, aside: int) -> str:
    where = [f"{ahead} ahead"] if ahead else []
    if aside:
        where.append(f"{abs(aside)} to the {'right' if aside > 0 else 'left'}")
    return " and ".join(where)


def _make(split: str, number: int) -> BabyAI:
    return BabyAI(LEVELS[number % len(LEVELS)], mixed("babyai", split, number))


KINDS = (
    Kind(
        name="babyai",
        description="missions in a small grid, told in words",
        rules=RULES,
        rounds=ROUNDS,
        size=COUNTS.__getitem__,
        make=_make,
        source="levels of the package minigrid (Apache-2.0), words ours",
        licence="Apache-2.0",
        missing=lambda: "" if find_spec("minigrid") else "minigrid: collegium[worlds]",
        letters=True,
        stratum=lambda split, number: LEVELS[number % len(LEVELS)],
    ),
)
