"""A maze of 10 by 13 cells, told in words: where one is, where the goal is, which sides are walls.

Paper vs code vs ours
---------------------
* Size, rewards (0 at the goal, -4 for a move into a wall, -1 for any other) and the end after 50
  moves are those of the suite that the authors took the game from; they play 15 rounds of it. The
  mazes are ours, one for each split, so that nobody is tested where it was trained.
* A task is a cell to begin at, no further from the goal than 15 moves.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import Any

import msgspec

from collegium.tasks.task import Score
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import Kind, Stateful, mixed

CAP = 50
ROUNDS = 15

MAZES = {
    "train": """
#############
#...#...#...#
#.#.#.#.#.#.#
#.#...#...#.#
#.#########.#
#.....G.....#
#.###.#.###.#
#.#...#...#.#
#...#...#...#
#############""",
    "validation": """
#############
#.....#.....#
#.###.#.###.#
#.#.......#.#
#.#.##.##.#.#
#...#...#...#
###.#.#.#.###
#...#.#G#...#
#.#...#...#.#
#############""",
    "test": """
#############
#G..#.......#
#.#.#.#####.#
#.#...#...#.#
#.#####.#.#.#
#.......#...#
#.###.#####.#
#...#.#...#.#
###...#.#...#
#############""",
}

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}

RULES = """You walk through a maze. A move is one of: move up, move down, move left, move right.
Positions are row, column, from the upper left. Reach the goal."""

Cell = tuple[int, int]


class State(msgspec.Struct):
    """Where one is, and after how many moves."""

    at: Cell
    moves: int = 0


class Maze(Stateful[State]):
    """Walk to the goal.

    Args:
        drawing: The maze: ``#`` wall, ``.`` floor, ``G`` the goal.
        start: Where to begin.
    """

    def __init__(self, drawing: str, start: Cell) -> None:
        self.floor, self.goal = read_maze(drawing)
        self.start, self.state = start, State(start)

    def begin(self, seed: int | None) -> str:
        """At the start."""
        self.state = State(self.start)
        return self._seen()

    def step(self, action: str) -> Turn:
        """Move one cell."""
        state = self.state
        delta = MOVES.get(action.lower().removeprefix("move ").strip())
        state.moves += 1
        over = state.moves >= CAP
        if delta is None:
            return Turn(f"That is no move. {self._seen()}", -1.0, over)
        ahead = (state.at[0] + delta[0], state.at[1] + delta[1])
        if ahead not in self.floor:
            return Turn(f"There is a wall. {self._seen()}", -4.0, over)
        state.at = ahead
        if ahead == self.goal:
            return Turn("You are at the goal.", 0.0, True)
        return Turn(self._seen(), -1.0, over)

    def actions(self) -> list[str]:
        """The four moves, into walls too."""
        return [f"move {name}" for name in MOVES]

    def judge(self, answer: Any) -> Score:
        """Right when one is at the goal."""
        there = self.state.at == self.goal
        return Score(float(there), there, facts={"moves": float(self.state.moves)})

    def _seen(self) -> str:
        row, column = self.state.at
        walls = [n for n, (r, c) in MOVES.items() if (row + r, column + c) not in self.floor]
        sides = f"Walls: {', '.join(walls)}." if walls else "There are no walls around you."
        return f"The goal is at {self.goal[0]}, {self.goal[1]}. You are at {row}, {column}. {sides}"


def read_maze(drawing: str) -> tuple[frozenset[Cell], Cell]:
    """The cells that are no wall, and the goal."""
    rows = drawing.strip().splitlines()
    cells = {(r, c): sign for r, row in enumerate(rows) for c, sign in enumerate(row)}
    floor = frozenset(cell for cell, sign in cells.items() if sign != "#")
    return floor, next(cell for cell, sign in cells.items() if sign == "G")


def distances(floor: frozenset[Cell], goal: Cell) -> dict[Cell, int]:
    """How many moves every cell is from the goal; cells from which there is no way are left out."""
    found, waiting = {goal: 0}, deque([goal])
    while waiting:
        row, column = waiting.popleft()
        for r, c in MOVES.values():
            near = (row + r, column + c)
            if near in floor and near not in found:
                found[near] = found[row, column] + 1
                waiting.append(near)
    return found


@functools.cache
def starts(split: str) -> list[Cell]:
    """Where the tasks of a split begin, in an order that says nothing of how far it is."""
    far = distances(*read_maze(MAZES[split]))
    able = [cell for cell, moves in far.items() if 0 < moves <= ROUNDS]
    return sorted(able, key=lambda cell: mixed(split, cell))


KINDS = (
    Kind(
        name="maze",
        description="walk to the goal of a maze told in words",
        rules=RULES,
        rounds=ROUNDS,
        size=lambda split: len(starts(split)),
        make=lambda split, number: Maze(MAZES[split], starts(split)[number]),
        source="mazes of ours",
        licence="Apache-2.0",
        letters=True,
    ),
)
