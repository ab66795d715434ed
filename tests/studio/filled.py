"""Run stores that are filled for tests: short runs, hostile ones, one of ten thousand calls."""

from __future__ import annotations

import random
from pathlib import Path

from collegium.kernel import (
    Event,
    Generate,
    Message,
    Receive,
    Reply,
    RunStore,
    Send,
    Usage,
    UseTool,
)
from collegium.kernel.store import Totals
from tests.studio.scripted import HOSTILE

WORDS = [
    "the", "ulcer", "is", "open", "so", "the", "toe", "must", "wait", "until", "colchicine", "has",
    "been", "given", "and", "the", "stomach", "is", "spared", "of", "any", "further", "bleeding",
]  # fmt: skip


def event(number: int, text: str, *, kind: int = 0, agent: str = "debater-1") -> Event:
    """A call: of a model, of a tool, or a message."""
    if kind == 1:
        call = UseTool(agent=agent, tool="calculator", arguments={"expression": text})
        return Event(id=number, call=call, value=text)
    if kind == 2:
        return Event(id=number, call=Send(agent=agent, to="judge", text=text))
    if kind == 3:
        return Event(id=number, call=Receive(agent=agent), value=[{"sender": text, "text": text}])
    messages = (Message("system", "You argue."), Message("user", f"Go on. {text}"))
    call = Generate(agent=agent, role="debater", messages=messages)
    usage = Usage(100, 20, 30)
    return Event(
        id=number, call=call, model="local", replies=(Reply(text, usage=usage),), usage=usage
    )


def long_run(path: Path, events: int = 10_000) -> str:
    """A run of many calls, ``needle-N`` in the reply of the N-th; gives its id."""
    rng = random.Random(7)
    store = RunStore(path)
    run = store.begin("run", "", {"system": "mad", "task": "A long debate", "model": "local"})
    keep = store.sink(run, "mad", "task")
    for n in range(events):
        text = " ".join(rng.choices(WORDS, k=rng.choice((5, 40, 220))))
        keep(event(n, f"needle-{n} {text}", kind=rng.choice((0, 0, 0, 1, 2)), agent=f"d{n % 4}"))
    store.finish(run, "done", Totals("42", "", events, Usage(900_000, 5, 80_000), 61.0))
    store.close()
    return run


def hostile_run(path: Path) -> str:
    """A run in which everything that can be text is an attack; gives its id."""
    store = RunStore(path)
    spec = {
        "system": f"mad:x={HOSTILE}", "task": HOSTILE, "model": HOSTILE,
        "parameters": {HOSTILE: HOSTILE}, "roles": {HOSTILE: HOSTILE}, "seed": 3,
    }  # fmt: skip
    run = store.begin("run", "", spec)
    keep = store.sink(run, HOSTILE, HOSTILE)
    for n, kind in enumerate((0, 1, 2, 3)):
        keep(event(n, f"{HOSTILE} {'y' * 5_000}", kind=kind, agent=HOSTILE))
    broken = event(4, HOSTILE)
    keep(Event(id=4, call=broken.call, outcome="error", error=HOSTILE, failure="ModelError"))
    store.finish(run, "failed", Totals(HOSTILE, HOSTILE, 5, Usage(10, 0, 5), 1.0))
    store.close()
    return run


def short_run(path: Path, task: str, *, agents: int = 2, answer: str = "42", **more: object) -> str:
    """A debate of a few calls; gives its id."""
    store = RunStore(path)
    spec = {"system": "mad", "task": task, "model": "local", "parameters": {"agents": agents}}
    run = store.begin("run", "", {**spec, **more})
    keep = store.sink(run, "mad", "task")
    keep(event(0, "Let us see."))
    for n in range(agents):
        keep(event(n + 1, f"I say {answer}.", agent=f"debater-{n + 1}"))
    store.finish(run, "done", Totals(answer, "", agents + 1, Usage(300, 0, 90), 2.5))
    store.close()
    return run
