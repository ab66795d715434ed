"""Measure stepping many text worlds in one process, beside Gymnasium's vector environments.

All play the same game with the same moves: worlds stepped one by one and all at once in an event
loop, through their tools as agents do, and the same game as a plain ``gymnasium.Env`` in
``SyncVectorEnv`` (one process) and ``AsyncVectorEnv`` (a process each). In every round all take
their turn, so that the machine treats them alike; what is kept are ratios of the best rounds. Run
it with ``python -m collegium.bench.speed_worlds`` on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from collegium.bench.machine import machine
from collegium.errors import missing_extra
from collegium.worlds.text import Game, kind

WORLDS, MOVES, REPEATS = 64, 60, 5
GAME = "textcraft-small"
OURS = "collegium, all at once"


class Row(msgspec.Struct, frozen=True):
    """One way to step.

    Attributes:
        name: Which.
        worlds: How many worlds.
        moves: Steps of all of them together.
        ratio: Seconds of its best round, as a multiple of those of :data:`OURS`.
    """

    name: str
    worlds: int
    moves: int
    ratio: float


def scripts(game: str, worlds: int, moves: int) -> list[list[str]]:
    """Moves for each world, drawn once from those that can be made at first."""
    of = kind(game)
    drawn = []
    for number in range(worlds):
        played = of.make("train", number % of.size("train"))
        assert isinstance(played, Game)
        played.begin(number)
        able = [m for m in played.actions() if not m.startswith("craft")]
        drawn.append(random.Random(number).choices(able, k=moves))
    return drawn


async def ours(game: str, moves: Sequence[Sequence[str]], together: bool, tools: bool) -> float:
    """Seconds of stepping worlds, all at once or one after another, plainly or by their tools."""
    of = kind(game)
    made = [of.world("train", n % of.size("train"), rounds=10**9) for n in range(len(moves))]
    for number, world in enumerate(made):
        await world.reset(number)
    begin = perf_counter()
    for turn in range(len(moves[0])):
        if tools:
            work = [w.tools[0].run({"action": m[turn]}) for w, m in zip(made, moves, strict=True)]
        else:
            work = [w.step(m[turn]) for w, m in zip(made, moves, strict=True)]
        if together:
            await asyncio.gather(*work)
        else:
            for one in work:
                await one
    return perf_counter() - begin


def plain_env(game: str, number: int) -> Any:
    """The game as somebody would write it for Gymnasium, with nothing of ours around it."""
    import gymnasium

    from collegium.worlds.gym import LONGEST, LONGEST_ACTION, shown, text_space

    of = kind(game)

    class PlainEnv(gymnasium.Env[str, str]):
        def __init__(self) -> None:
            self.observation_space = text_space(LONGEST)
            self.action_space = text_space(LONGEST_ACTION)
            played = of.make("train", number % of.size("train"))
            assert isinstance(played, Game)
            self.game = played

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            return shown(self.game.begin(number)), {}

        def step(self, action: str) -> Any:
            turn = self.game.step(action)
            return shown(turn.observation), turn.reward, turn.done, False, {}

    return PlainEnv()


def theirs(vector: Callable[..., Any], game: str, moves: Sequence[Sequence[str]]) -> float:
    """Seconds of stepping the same game in a vector environment of Gymnasium."""
    env = vector([partial(plain_env, game, n) for n in range(len(moves))])
    try:
        env.reset(seed=0)
        begin = perf_counter()
        for turn in range(len(moves[0])):
            env.step(tuple(m[turn] for m in moves))
        return perf_counter() - begin
    finally:
        env.close()


def measure(game: str, worlds: int, moves: int, repeats: int) -> list[Row]:
    """All ways in turns, the best round of each.

    Raises:
        MissingExtra: Gymnasium is not installed.
    """
    try:
        from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
    except ImportError:
        raise missing_extra("worlds", "the comparison with Gymnasium") from None
    script = scripts(game, worlds, moves)
    apart = partial(AsyncVectorEnv, shared_memory=False)
    ways: dict[str, Callable[[], float]] = {
        OURS: lambda: asyncio.run(ours(game, script, together=True, tools=False)),
        "collegium, one by one": lambda: asyncio.run(ours(game, script, False, False)),
        "collegium, by its tools": lambda: asyncio.run(ours(game, script, True, True)),
        "gymnasium SyncVectorEnv": lambda: theirs(SyncVectorEnv, game, script),
        "gymnasium AsyncVectorEnv": lambda: theirs(apart, game, script),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            took[name].append(way())
    bare = min(took[OURS])
    steps = worlds * moves
    return [Row(name, worlds, steps, round(min(t) / bare, 2)) for name, t in took.items()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--moves", type=int, default=MOVES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--out", type=Path, default=Path("results/bench/worlds.json"))
    given = parser.parse_args(arguments)
    rows = measure(GAME, given.worlds, given.moves, given.repeats)
    report = {
        "command": f"python -m collegium.bench.speed_worlds --worlds {given.worlds} "
        f"--moves {given.moves} --repeats {given.repeats}",
        "machine": machine(),
        "n": f"{given.worlds} worlds of {GAME}, {given.moves} moves each, best of {given.repeats}",
        "rows": rows,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for row in rows:
        print(f"{row.name:28} {row.ratio:6.2f} times the seconds of {OURS}")
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
