"""Measure what sharing the embedded engine saves: a debate at once, against the same calls alone.

Three debaters argue for three rounds. First all of it as users run it in fast mode: the debaters'
calls are computed together and shared beginnings are read once. Then the very same requests one by
one with caching off. Both for the wheel's engine and, where ``collegium models tune`` installed
one, for the engine built for this machine; and the first once more while another process keeps a
core busy, and with weights left as they are packed. A network of DyLAN, whose agents read one
another's replies too, is run once in fast mode for the share of its prompts that comes from the
cache. Run it with ``python -m collegium.bench.speed_engine`` on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import msgspec

from collegium.bench.machine import machine
from collegium.kernel import Generate, Kernel, Usage
from collegium.models import LocalModel
from collegium.models.native import find_native
from collegium.models.weights import EMBEDDED, weights_path
from collegium.systems.dylan import dylan
from collegium.systems.mad import mad
from collegium.tasks import load
from collegium.tasks.task import Task

AGENTS = ROUNDS = 3
MAX_TOKENS = 160
SEED = 7
PACKED = "together, weights left packed"
Engine = Literal["wheel", "native"]


class Row(msgspec.Struct, frozen=True):
    """One way of serving the debate.

    Attributes:
        name: The way.
        engine: Which engine.
        seconds: Time of all calls.
        tokens_prompt: Prompt tokens of all calls.
        tokens_cached: Those served from the engine's cache.
        tokens_completion: Tokens written.
        cached_share: Share of prompt tokens served from the cache.
        tokens_per_second: Tokens written per second of the whole.
    """

    name: str
    engine: str
    seconds: float
    tokens_prompt: int
    tokens_cached: int
    tokens_completion: int
    cached_share: float
    tokens_per_second: float


def row(name: str, engine: str, seconds: float, usage: Usage) -> Row:
    """Put a measurement into a row."""
    return Row(
        name=name,
        engine=engine,
        seconds=round(seconds, 2),
        tokens_prompt=usage.prompt,
        tokens_cached=usage.cached,
        tokens_completion=usage.completion,
        cached_share=round(usage.cached / max(1, usage.prompt), 4),
        tokens_per_second=round(usage.completion / seconds, 2),
    )


async def debate(model: LocalModel, task: Task) -> tuple[float, Usage, list[Generate]]:
    """Hold the debate; returns its time, its usage and its requests in order."""
    kernel = Kernel(model, seed=SEED)
    begin = perf_counter()
    await mad(task, kernel, agents=AGENTS, rounds=ROUNDS, max_tokens=MAX_TOKENS)
    seconds = perf_counter() - begin
    events = sorted(kernel.trace.events, key=lambda e: e.id)
    requests = [e.call for e in events if isinstance(e.call, Generate)]
    return seconds, kernel.meter.usage, requests


async def one_by_one(model: LocalModel, requests: list[Generate]) -> tuple[float, Usage]:
    """Send the same requests alone, without any reuse."""
    usage = Usage()
    begin = perf_counter()
    for request in requests:
        for reply in await model.generate(request):
            usage = usage + reply.usage
    return perf_counter() - begin, usage


async def measure(name: str, engine: Engine) -> list[Row]:
    """All ways of one engine."""
    (item,) = load("gsm-symbolic", split="validation", limit=1, seed=SEED).items
    # Models of equal settings share one engine, so both ways use the very same process. A slot for
    # each debater: what one of them has read stays there, and busy slots lie side by side.
    fast = LocalModel(name, exact=False, slots=AGENTS, engine=engine)
    alone = LocalModel(name, exact=True, slots=AGENTS, engine=engine)
    await fast.count_tokens("start the engine before the clock")
    seconds, usage, requests = await debate(fast, item.task)
    rows = [row("together, prefixes reused", engine, seconds, usage)]
    rows.append(row("one by one, no reuse", engine, *await one_by_one(alone, requests)))
    await fast.aclose()
    await alone.aclose()
    busy = LocalModel(name, exact=False, slots=AGENTS, engine=engine)
    await busy.count_tokens("start the engine before the clock")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    try:
        seconds, usage, _ = await debate(busy, item.task)
    finally:
        other.kill()
        await other.wait()
    rows.append(row("together, beside a busy process", engine, seconds, usage))
    await busy.aclose()
    if name in EMBEDDED and EMBEDDED[name].unpacked:
        # under its path the file is taken as it is
        path = f"gguf:{weights_path(name)}"
        packed = LocalModel(path, exact=False, slots=AGENTS, engine=engine)
        await packed.count_tokens("start the engine before the clock")
        seconds, usage, _ = await debate(packed, item.task)
        rows.append(row(PACKED, engine, seconds, usage))
        await packed.aclose()
    return rows


async def measure_network(name: str) -> Row:
    """A whole network of DyLAN in fast mode: no early stop, four agents, then the two best."""
    (item,) = load("gsm-symbolic", split="validation", limit=1, seed=SEED).items
    model = LocalModel(name, exact=False)
    await model.count_tokens("start the engine before the clock")
    kernel = Kernel(model, seed=SEED)
    begin = perf_counter()
    await dylan(item.task, kernel, early_stop=False)
    made = row(
        "dylan, no early stop", model.engine_kind, perf_counter() - begin, kernel.meter.usage
    )
    await model.aclose()
    return made


def ratios(rows: list[Row]) -> dict[str, Any]:
    """What the rows say: per engine, and of the engines to each other."""
    found: dict[str, Any] = {}
    for engine in dict.fromkeys(r.engine for r in rows):
        together, alone, busy, *packed = [r for r in rows if r.engine == engine]
        # Sums differ in their last bits between the two ways, so texts and lengths differ a
        # little; time per token written is what can be compared.
        gain = together.tokens_per_second / alone.tokens_per_second
        found[f"{engine}: one by one / together, time per token"] = round(gain, 3)
        found[f"{engine}: cached share of prompt tokens"] = together.cached_share
        slower = together.tokens_per_second / busy.tokens_per_second
        found[f"{engine}: beside a busy process / alone, time per token"] = round(slower, 3)
        for other in packed:
            gain = together.tokens_per_second / other.tokens_per_second
            found[f"{engine}: packed / unpacked weights, time per token"] = round(gain, 3)
    wheel, native = (next((r for r in rows if r.engine == e), None) for e in ("wheel", "native"))
    if wheel and native:
        gain = native.tokens_per_second / wheel.tokens_per_second
        found["wheel / native, time per token together"] = round(gain, 3)
    return found


def main() -> None:
    """Measure and write ``results/bench/engine.json``."""
    parser = argparse.ArgumentParser(description="Measure what sharing the embedded engine saves.")
    parser.add_argument("--model", default="local-small")
    model: str = parser.parse_args().model
    engines: list[Engine] = ["wheel", "native"] if find_native() else ["wheel"]
    rows = [r for engine in engines for r in asyncio.run(measure(model, engine))]
    network = asyncio.run(measure_network(model))
    report = {
        "command": f"python -m collegium.bench.speed_engine --model {model}",
        "machine": machine(),
        "model": model,
        "seed": SEED,
        "n": f"{AGENTS} debaters, {ROUNDS} rounds, {MAX_TOKENS} tokens each, one question",
        "rows": rows,
        "ratios": ratios(rows),
        "networks": [network],
    }
    path = Path("results/bench/engine.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for r in [*rows, network]:
        print(
            f"{r.engine:7} {r.name:32} {r.seconds:7.1f} s  "
            f"{r.tokens_per_second:6.1f} tokens/s  {r.cached_share:4.0%} cached"
        )
    for name, value in report["ratios"].items():
        print(f"{name}: {value}")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
