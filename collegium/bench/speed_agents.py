"""Measure how many agents a process holds, and what scheduling costs when a thousand are runnable.

No language model takes part: an instant one answers, so that all that is seen is ours. Run it with
``python -m collegium.bench.speed_agents`` on a quiet machine.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from collegium.bench.machine import machine
from collegium.kernel import Agent, Generate, Kernel, Reply, Scheduler, Usage, gather
from collegium.kernel.policies import POLICIES

IDLE, RUNNABLE, CALLS, LANES, REPEATS = 10_000, 1_000, 10, 8, 5


class Instant:
    """A model that answers at once."""

    name, fingerprint, context = "instant", "instant-1", 0

    async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply[Any], ...]:
        """The same answer, always."""
        return (Reply("yes", usage=Usage(10, 0, 5)),)

    async def aclose(self) -> None:
        """Nothing to release."""


class Overhead(msgspec.Struct, frozen=True):
    """What a call costs with so many runnable agents.

    Attributes:
        policy: The scheduling policy; "none": no scheduler.
        runnable: Agents that want to call at the same time.
        microseconds_per_call: Of the whole call, the best of several rounds.
        overhead: Microseconds more than without a scheduler.
    """

    policy: str
    runnable: int
    microseconds_per_call: float
    overhead: float


def resident() -> int:
    """Bytes of memory this process has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def idle_bytes() -> int:
    """Memory of agents that have a profile, made one call, and keep its turns."""
    gc.collect()
    before = resident()
    kernel = Kernel(Instant())
    agents = [
        kernel.agent(f"citizen-{n}", profile=f"You are citizen number {n} of a large town.")
        for n in range(IDLE)
    ]
    await gather(*(a.ask(f"Good morning, number {n}!", keep=True) for n, a in enumerate(agents)))
    gc.collect()
    return resident() - before


async def one_round(policy: str) -> float:
    """Microseconds per call when every agent makes its calls one after the other."""
    scheduler = None if policy == "none" else Scheduler(policy, lanes=LANES, quantum=64)
    kernel = Kernel(Instant(), scheduler=scheduler, name="round")
    agents = [kernel.agent(f"worker-{n}") for n in range(RUNNABLE)]

    async def work(agent: Agent) -> None:
        for _ in range(CALLS):
            await agent.ask("Are you there?")

    begin = perf_counter()
    await gather(*(work(a) for a in agents))
    return (perf_counter() - begin) / (RUNNABLE * CALLS) * 1e6


async def overheads() -> list[Overhead]:
    """Every policy, in turns so that the machine treats them alike; the best round counts."""
    names = ("none", *POLICIES)
    rounds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(REPEATS):
        for name in names:
            gc.collect()
            rounds[name].append(await one_round(name))
    bare = min(rounds["none"])
    return [
        Overhead(name, RUNNABLE, round(min(took), 2), round(min(took) - bare, 2))
        for name, took in rounds.items()
    ]


def main() -> None:
    """Measure and write ``results/bench/agents.json``."""
    rows = asyncio.run(overheads())
    held = asyncio.run(idle_bytes())
    report = {
        "command": "python -m collegium.bench.speed_agents",
        "machine": machine(),
        "n": f"{RUNNABLE} agents of {CALLS} calls, best of {REPEATS} rounds, {LANES} lanes; "
        f"{IDLE} idle agents",
        "rows": rows,
        "idle": {"agents": IDLE, "megabytes": round(held / 1e6, 1)},
    }
    path = Path("results/bench/agents.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for row in rows:
        print(f"{row.policy:9} {row.microseconds_per_call:7.1f} us a call, {row.overhead:+.1f}")
    print(f"{IDLE} idle agents: {held / 1e6:.0f} MB")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
