"""Measure the kernel's own cost per call, beside LangGraph and pydantic-ai, in one run.

Every contestant answers from an instant scripted model, so what is measured is the frame around
the call. Ours runs with limits, trace and response cache on (and once more with the run store and
the cache on disk); the others have no such thing switched on. Run it with
``python -m collegium.bench.speed_kernel``.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from collegium import __version__
from collegium.bench.machine import machine
from collegium.errors import missing_extra
from collegium.kernel import Generate, Kernel, Limits, MemoryReplies, Reply, RunStore, Usage

STEPS = 400
REPEATS = 5
Steps = Callable[[int], Awaitable[None]]
"""Take that many steps, one after another, as one agent."""


class Row(msgspec.Struct, frozen=True):
    """Median time of one step, over the repeats."""

    name: str
    concurrency: int
    microseconds_per_step: float


class Instant:
    """A model that answers at once and costs one token each way."""

    name = fingerprint = "instant"
    context = 0
    _reply = (Reply(text="ok", usage=Usage(prompt=1, completion=1)),)

    async def generate(self, request: Generate, on_text: object = None) -> tuple[Reply[Any], ...]:
        """The same reply to everything."""
        return self._reply

    async def aclose(self) -> None:
        """Nothing to close."""


def collegium_agents(store: RunStore | None = None) -> Callable[[int], Steps]:
    """Agents of one kernel with limits, trace and cache on; every prompt is new to the cache.

    Args:
        store: A run store on disk that trace and cache are written to; None: both stay in memory.
    """
    kernel = Kernel(
        Instant(),
        limits=Limits(tokens=10**12, calls=10**9),
        seed=1,
        sinks=[store.sink(store.begin("bench", "", {}), "bench", "task")] if store else (),
        cache=store or MemoryReplies(),
    )
    made = iter(range(10**9))

    def make(_: int) -> Steps:
        name = f"agent-{next(made)}"
        agent = kernel.agent(name)

        async def steps(count: int) -> None:
            for i in range(count):
                await agent.ask(f"{name} {next(made)} {i}")

        return steps

    return make


def langgraph_agents() -> Callable[[int], Steps]:
    """A graph of one node that loops to itself, as agents are built there."""
    try:
        from langgraph.graph import END, START, StateGraph
    except ImportError:
        raise missing_extra("bench", "the comparison with LangGraph") from None
    from typing import TypedDict

    class State(TypedDict):
        left: int
        text: str

    async def node(state: Any) -> dict[str, Any]:
        return {"left": state["left"] - 1, "text": "ok"}

    graph = StateGraph(State)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.add_conditional_edges("node", lambda s: "node" if s["left"] > 0 else END)
    compiled = graph.compile()

    def make(_: int) -> Steps:
        async def steps(count: int) -> None:
            state: Any = {"left": count, "text": ""}
            await compiled.ainvoke(state, {"recursion_limit": count + 5})

        return steps

    return make


def pydantic_agents() -> Callable[[int], Steps]:
    """``direct.model_request`` on a function model: the least that library can do."""
    try:
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart
        from pydantic_ai.models.function import FunctionModel
    except ImportError:
        raise missing_extra("bench", "the comparison with pydantic-ai") from None
    model = FunctionModel(lambda messages, info: ModelResponse(parts=[TextPart("ok")]))

    def make(_: int) -> Steps:
        async def steps(count: int) -> None:
            for i in range(count):
                await model_request(model, [ModelRequest.user_text_prompt(f"question {i}")])

        return steps

    return make


async def microseconds(make: Callable[[int], Steps], concurrency: int) -> float:
    """Microseconds per step of one round, all agents together."""
    each = max(1, STEPS // concurrency)
    agents = [make(i) for i in range(concurrency)]
    begin = perf_counter()
    await asyncio.gather(*(steps(each) for steps in agents))
    return (perf_counter() - begin) * 1e6 / (each * concurrency)


async def measure() -> list[Row]:
    """All contestants, taking turns so that a busy moment hits none of them alone."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder) / "runs.db")
        contestants = {
            f"collegium {__version__} (limits, trace, cache)": collegium_agents(),
            f"langgraph {version('langgraph')} (one-node loop)": langgraph_agents(),
            f"pydantic-ai {version('pydantic-ai-slim')} (direct.model_request)": pydantic_agents(),
            f"collegium {__version__} (the same, all on disk)": collegium_agents(store),
        }
        for concurrency in (1, 100):
            times: dict[str, list[float]] = {name: [] for name in contestants}
            for repeat in range(REPEATS + 1):
                for name, make in contestants.items():
                    taken = await microseconds(make, concurrency)
                    if repeat:  # the first round warms up
                        times[name].append(taken)
            rows += [Row(n, concurrency, round(statistics.median(t), 2)) for n, t in times.items()]
        store.close()
    return rows


def main() -> None:
    """Measure and write ``results/bench/kernel.json``."""
    rows = asyncio.run(measure())
    ratios = {}
    for concurrency in (1, 100):
        ours, *others = [r for r in rows if r.concurrency == concurrency]
        for other in others[:2]:
            ratio = ours.microseconds_per_step / other.microseconds_per_step
            ratios[f"{other.name.split()[0]}, {concurrency} agents"] = round(ratio, 4)
    report = {
        "command": "python -m collegium.bench.speed_kernel",
        "machine": machine(),
        "python": sys.version.split()[0],
        "rows": rows,
        "ratios": ratios,
        "reading": "ratios are our time per step over theirs: below 1 is faster",
    }
    path = Path("results/bench/kernel.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for row in rows:
        print(f"{row.name:55} {row.concurrency:4} agents {row.microseconds_per_step:9.1f} µs")
    for name, ratio in ratios.items():
        print(f"ours / {name}: {ratio:.3f}")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
