"""A program to be killed: 20 tasks of 5 model calls and a tool each, resumed where they stand.

    python victim.py STORE LOG WIDTH

Every call that reaches the model or the tool is one line in LOG, written before it is answered.
"""

import asyncio
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from collegium.kernel import Generate, Kernel, Limits, Reply, RunStore, Usage, gather, tool

TASKS, KEY = 20, "the same command"


def log(line: str) -> None:
    file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


class Slow:
    """Answers with a digest of the request, after a while."""

    name, fingerprint, context = "slow", "slow-1", 0

    async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply[Any], ...]:
        prompt = request.messages[-1].text
        log(f"model {request.agent} {prompt}")
        await asyncio.sleep(0.004)
        text = sha256(f"{prompt} {request.seed}".encode()).hexdigest()[:8]
        return (Reply(text, usage=Usage(len(prompt), 1, 8, 0.01)),)

    async def aclose(self) -> None: ...


def enter(what: str) -> str:
    """Enter something into the books."""
    log(f"tool {what}")
    return f"entered {what}"


async def solve(task: int, kernel: Kernel, width: int) -> str:
    """Five model calls, at most ``width`` at a time, and one tool call in their middle."""
    agents = [kernel.agent(f"{task}-{j}", tools=["enter"]) for j in range(3)]
    if width == 1:
        first = [await a.ask("hello") for a in agents]
    else:  # the same words, at the same time
        first = await gather(*(a.ask("hello") for a in agents))
    seen = await agents[0].use("enter", what=first[0].text)
    second = await agents[1].ask(f"{seen}: {' '.join(r.text for r in first)}")
    last = await agents[1].ask(f"and {second.text}")
    return last.text


async def main() -> None:
    store = RunStore(Path(sys.argv[1]))
    known = store.latest(KEY)
    run = known.id if known else store.begin("test", KEY, {})
    done = store.results(run)
    for task in range(TASKS):
        if ("s", str(task)) in done:
            continue
        kernel = Kernel(
            Slow(),
            seed=task,
            tools=[tool(enter)],
            limits=Limits(tokens=2000),
            journal=store.attempts(run, "s", str(task)),
            sinks=[store.sink(run, "s", str(task))],
        )
        answer = await solve(task, kernel, int(sys.argv[3]))
        result = {"answer": answer, "calls": kernel.meter.calls, "usage": kernel.meter.usage}
        store.put_result(run, "s", str(task), msgspec.json.encode(result))
    store.finish(run, "done")
    store.close()


if __name__ == "__main__":
    asyncio.run(main())
