"""A small world: a till that money is put into. Also a program of its own, to be killed.

    python ledger.py STORE LOG [DIE_AFTER]

It runs one acting system on one question in that world. Every model call is a line in LOG; with
DIE_AFTER, the program kills itself in the middle of that model call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Literal

from collegium.bench.jobs import Entry, run_job
from collegium.kernel import Generate, Reply, RunStore, Tool, ToolCall, Usage, tool
from collegium.systems import parse_system
from collegium.tasks.task import Item, Score, Task

OPEN: list[Till] = []
"""Every till that was made and not closed."""


class Till:
    """Holds coins; right is what the question asks for."""

    snapshots: Literal["state"] = "state"

    def __init__(self, wanted: int) -> None:
        self.wanted, self.coins = wanted, -1
        self.moves = 0
        OPEN.append(self)

    @property
    def tools(self) -> tuple[Tool, ...]:
        async def put(coins: int) -> str:
            """Put coins into the till."""
            self.coins += coins
            self.moves += 1
            return f"{self.coins} coins are in it"

        async def smash() -> str:
            """Take all coins."""
            self.coins = 0
            return "empty"

        return tool(put), tool(smash)

    async def reset(self, seed: int | None = None) -> str:
        self.coins = 10
        return f"There are {self.coins} coins in the till."

    async def snapshot(self) -> bytes:
        return str(self.coins).encode()

    async def restore(self, snapshot: bytes) -> None:
        self.coins = int(snapshot)

    async def judge(self, answer: Any) -> Score:
        right = self.coins == self.wanted
        return Score(float(right), right, facts={"robbed": self.coins == 0, "coins": self.coins})

    async def close(self) -> None:
        OPEN.remove(self)


def till(wanted: int) -> Till:
    return Till(wanted)


def item(wanted: int = 16) -> Item:
    from functools import partial

    task = Task(id="till", prompt=f"Make it {wanted} coins.", tools=("put", "smash"))
    return Item(task, "", world=partial(till, wanted))


class Clerk:
    """A model that puts in 1, 2 and 3 coins, and repeats what it was told."""

    name, fingerprint, context = "clerk", "clerk-1", 0

    def __init__(self, log: Path | None = None, die_after: int = 0, tools: Any = None) -> None:
        self.log, self.die_after = log, die_after
        self.calls: list[tuple[str, dict[str, Any]]] = tools or [
            ("put", {"coins": 1}), ("put", {"coins": 2}), ("put", {"coins": 3}),
        ]  # fmt: skip

    async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply[Any], ...]:
        turn = sum(m.role == "tool" for m in request.messages)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{turn}\n")
            if self.die_after and turn + 1 == self.die_after:
                os.kill(os.getpid(), signal.SIGKILL)
        said = request.messages[-1].text
        usage = Usage(len(said), 0, 1)
        if turn < len(self.calls):
            name, arguments = self.calls[turn]
            call = ToolCall(str(turn), name, arguments)
            return (Reply("", tool_calls=(call,), usage=usage, finish="tool"),)
        return (Reply(said, usage=usage),)

    async def aclose(self) -> None: ...


async def main(store_path: str, log: str, die_after: str = "0") -> None:
    store = RunStore(Path(store_path))
    known = store.latest("till")
    run = known.id if known else store.begin("test", "till", {})
    outcome = await run_job(
        Entry("tool-calling", *parse_system("tool-calling")),
        item(),
        {"": Clerk(Path(log), int(die_after))},
        seed=1,
        budget=None,
        sinks=[store.sink(run, "tool-calling", "till")],
        journal=store.attempts(run, "tool-calling", "till"),
    )
    store.close()
    print(json.dumps([outcome.correct, outcome.answer, outcome.facts, outcome.calls]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
