"""A run that everything goes wrong in; run by the tests as a program of its own.

Every question is paid for once with a tool that changes the world (it writes a line to a ledger).
Some questions use a tool that hangs, some one that raises. ``python survivor.py QUESTIONS STORE``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from collegium import acompare
from collegium.errors import CollegiumError, ToolError
from collegium.kernel import Kernel, tool
from collegium.models import LocalModel, open_model
from collegium.systems import Result, system
from collegium.tasks.task import Task

LEDGER = Path(os.environ["LEDGER"])
SLOW_FROM = int(os.environ.get("SLOW_FROM", "1000"))
finished = {"questions": 0}


def pay(item: str) -> str:
    """Note a payment in the ledger: it must happen once."""
    time.sleep(0.05)
    with LEDGER.open("a") as ledger:
        ledger.write(f"{item}\n")
        ledger.flush()
        os.fsync(ledger.fileno())
    return f"paid {item}"


def hang() -> str:
    """Never ends."""
    while True:
        time.sleep(1)


def explode() -> str:
    """Always fails."""
    raise RuntimeError("boom")


@system("survivor", paper=None)
async def survivor(task: Task, kernel: Kernel, *, words: int = 4) -> Result:
    """Ask, pay, and stumble over tools."""
    for made in (tool(pay), tool(hang, seconds=0.2), tool(explode)):
        kernel.tools.add(made)
    if finished["questions"] >= SLOW_FROM:  # whoever watches has time to act in the middle
        await asyncio.sleep(0.4)
    agent = kernel.agent("worker", tools=["pay", "hang", "explode"])
    number = int(task.text.split()[-1])
    reply = await agent.ask(task.text, max_tokens=words, temperature=0.0)
    receipt = await agent.use("pay", item=str(number))
    stumbled = []
    for name in ("hang",) * (number % 10 == 3) + ("explode",) * (number % 10 == 7):
        try:
            await agent.use(name)
        except ToolError as error:
            stumbled.append(str(error))
    return Result(receipt, candidates=(reply,), notes={"stumbled": stumbled})


async def main() -> None:
    """Compare the one system on the questions, going on where the last attempt ended."""
    model = open_model("local-tiny", exact=False)
    assert isinstance(model, LocalModel)
    print("engine", (await model.engine()).pid, flush=True)

    def told(outcome: object, kept: bool) -> None:
        finished["questions"] += not kept
        print("done", finished["questions"], flush=True)

    report = await acompare(
        ["survivor"],
        on=sys.argv[1],
        model="local-tiny",
        exact=False,
        workers=8,
        resume=True,
        store=Path(sys.argv[2]),
        on_outcome=told,
    )
    row = report.systems[0]
    print("report", row.n, row.correct, row.errors, report.run, flush=True)


if __name__ == "__main__":
    # a shell that starts its commands in the background lets them ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(main())
    except CollegiumError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
