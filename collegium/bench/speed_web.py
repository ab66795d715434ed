"""Measure worlds in the browser: an action with its observation, contexts at once, and leaks.

What is played are pages of MiniWoB++, or those of a site below an address. The time of a step is
that of the action, of waiting until the page has come to rest, and of the observation; no model is
asked. A leak would show as memory of the browser and of this process that grows from the first
episodes to the last. Run it with ``python -m collegium.bench.speed_web`` on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import msgspec

from collegium.bench.machine import machine
from collegium.errors import BadInput
from collegium.worlds.web import WebWorld
from collegium.worlds.web.acting import BrowserWorld
from collegium.worlds.web.miniwob import MiniwobWorld, tasks
from collegium.worlds.web.task import read_task

STEPS, EPISODES, TOGETHER = 200, 500, 4
SETTLED = 50
"""Episodes after which memory is taken for the first time."""

Make = Callable[[int], BrowserWorld]


class Row(msgspec.Struct, frozen=True):
    """What was measured of one mode.

    Attributes:
        mode: Of the world.
        steps: How many steps.
        median_ms: Of a step, in milliseconds.
        p90_ms: What nine of ten stay below.
        alone_per_second: Steps per second of one context.
        together: How many contexts there were at once.
        together_per_second: Steps per second of them together.
    """

    mode: str
    steps: int
    median_ms: float
    p90_ms: float
    alone_per_second: float
    together: int
    together_per_second: float


class Leak(msgspec.Struct, frozen=True):
    """Memory over many episodes.

    Attributes:
        episodes: How many.
        first_mb: Of the browser's processes and this one after the first few, in megabytes.
        last_mb: After the last.
        processes_first: How many processes there were.
        processes_last: How many there were in the end.
    """

    episodes: int
    first_mb: float
    last_mb: float
    processes_first: int
    processes_last: int


def maker(address: str, mode: str) -> Make:
    """Makes worlds: of MiniWoB++, or of the site at an address."""
    rounds = 10**6
    if not address:
        names = tasks()
        return lambda n: MiniwobWorld(
            names[n % len(names)], n, "compat" if mode == "compat" else "fixed", rounds=rounds
        )
    record = {
        "task_id": "speed",
        "sites": ["shop"],
        "intent": "",
        "start_url": "__SHOP__",
        "eval": {"eval_types": ["url_match"], "reference_url": "__SHOP__"},
    }
    task = read_task(record)
    return lambda n: WebWorld(
        task,
        {"shop": address},
        "compat" if mode == "compat" else "fixed",
        rounds=rounds,
        stops=False,
    )


async def play(make: Make, number: int, steps: int) -> list[float]:
    """Seconds of each step of clicks drawn by the number; a play that is over begins anew."""
    draw = random.Random(number)
    world = make(number)
    took: list[float] = []
    try:
        await world.reset(number)
        if world.problem:
            raise BadInput(world.problem)
        while len(took) < steps:
            if world.last.done or len(took) % 20 == 19:
                await world.reset(number)
            action = draw.choice(world.actions())
            begin = perf_counter()
            await world.step(action)
            took.append(perf_counter() - begin)
    finally:
        await world.close()
    return took


async def measure(address: str, steps: int, together: int) -> list[Row]:
    """Both modes, alone and together."""
    rows = []
    for mode in ("fixed", "compat"):
        make = maker(address, mode)
        await play(make, 0, 20)  # the browser has started then
        begin = perf_counter()
        alone = await play(make, 1, steps)
        seconds = perf_counter() - begin
        begin = perf_counter()
        each = max(steps // together, 1)
        await asyncio.gather(*(play(make, n, each) for n in range(together)))
        rows.append(
            Row(
                mode=mode,
                steps=steps,
                median_ms=round(median(alone) * 1000, 1),
                p90_ms=round(quantiles(alone, n=10)[-1] * 1000, 1),
                alone_per_second=round(steps / seconds, 1),
                together=together,
                together_per_second=round(each * together / (perf_counter() - begin), 1),
            )
        )
    return rows


async def leak(address: str, episodes: int) -> Leak:
    """Memory at the beginning and at the end of many episodes of a few steps."""
    make = maker(address, "fixed")
    settled = min(SETTLED, max(episodes // 4, 1))
    first = (0.0, 0)
    for number in range(episodes):
        await play(make, number, 2)
        if number + 1 == settled:
            first = memory(os.getpid())
    last = memory(os.getpid())
    return Leak(episodes, first[0], last[0], first[1], last[1])


def memory(root: int) -> tuple[float, int]:
    """Megabytes that a process and all below it hold for themselves, and how many they are."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                after = (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(after[1])
    family = {root}
    while more := {pid for pid, above in parents.items() if above in family} - family:
        family |= more
    held = 0
    for pid in family:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        held += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(held / 1024, 1), len(family)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="", help="of a site; without, MiniWoB++")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--together", type=int, default=TOGETHER)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--out", type=Path, default=Path("results/bench/web.json"))
    given = parser.parse_args(arguments)
    rows = asyncio.run(measure(given.address, given.steps, given.together))
    grown = asyncio.run(leak(given.address, given.episodes)) if given.episodes else None
    report = {
        "command": f"python -m collegium.bench.speed_web --steps {given.steps} "
        f"--together {given.together} --episodes {given.episodes}"
        + (" --address ..." if given.address else ""),
        "machine": machine(),
        "n": f"{given.steps} steps of random clicks on "
        + ("a local site" if given.address else "pages of MiniWoB++"),
        "rows": rows,
        "leak": grown,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for row in rows:
        print(
            f"{row.mode:8} median {row.median_ms} ms, 90% below {row.p90_ms} ms; "
            f"{row.alone_per_second} steps a second alone, {row.together_per_second} with "
            f"{row.together} at once"
        )
    if grown:
        print(
            f"{grown.episodes} episodes: {grown.first_mb} to {grown.last_mb} MB, "
            f"{grown.processes_first} to {grown.processes_last} processes"
        )
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
