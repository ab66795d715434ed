"""Measure what scheduling does for agents that share the embedded engine.

*Tools*: sixteen ReAct agents with tools solve a small errand each, at temperature 0, on one engine.
They are shown two solved errands first, as in the paper: without, the 0.5B guesses prices.
First with no kernel: every agent calls the engine itself, first come, first served, and nothing of
an earlier prompt is reused. Then under every policy, eight calls at a time, prefixes reused.

*Long job*: eight agents make four short calls each, and one of them a single long call before that,
on one lane. What the short ones wait shows what a quantum is worth.

Run it with ``python -m collegium.bench.speed_scheduling`` on a quiet machine.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import operator
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from collegium.agents import demonstration, react
from collegium.bench.machine import machine
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Message, Usage, UseTool, gather, tool
from collegium.kernel.scheduler import Scheduler
from collegium.kernel.waiting import Finished, ScheduleReport, percentile, report_of
from collegium.models import LocalModel

AGENTS, LANES, QUANTUM = 16, 8, 32
PARTS = ("tools", "long job")
STEPS, MAX_TOKENS = 6, 80
PROFILE = "You run errands at a market, one step at a time. You know no prices: look up each one."
SHOWN = (
    ((3, "figs", 8), (2, "dates", 6)),
    ((1, "kale", 2), (4, "leeks", 3)),
)
"""The solved errands that agents are shown first: kilos, item and price."""
LONG_TOKENS, SHORT_TOKENS, SHORT_CALLS = 600, 20, 4
PRICES = {"apples": 3, "pears": 4, "plums": 5, "cherries": 9, "nuts": 12, "honey": 7}
POLICIES: dict[str, int | None] = {
    "fifo": None,
    "rr": QUANTUM,
    "priority": QUANTUM,
    "fair": QUANTUM,
    "las": QUANTUM,
}

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


class Row(msgspec.Struct, frozen=True):
    """One way of running the same agents.

    Attributes:
        part: "tools" or "long job".
        name: The policy, or "no kernel".
        seconds: Time of everything.
        tokens_prompt: Prompt tokens of all calls.
        tokens_cached: Those the engine did not have to read.
        tokens_completion: Tokens written.
        tool_calls: Tools used by all agents.
        same_answers: Share of agents whose answer is that of the run with no kernel.
        schedule: Waiting, turnaround, fairness and throughput of the calls.
        short_wait_p90: "long job": 90th percentile of what the short calls waited, in seconds.
    """

    part: str
    name: str
    seconds: float
    tokens_prompt: int
    tokens_cached: int
    tokens_completion: int
    tool_calls: int
    same_answers: float
    schedule: ScheduleReport
    short_wait_p90: float = 0.0


def calculate(expression: str) -> float:
    """Work out an arithmetic expression, such as 3*4+5."""
    try:
        return _value(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ZeroDivisionError) as error:
        raise BadInput(f"cannot calculate {expression!r}: {error}") from None


def _value(node: ast.AST) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.operand))
    raise BadInput(f"only numbers and + - * / can be calculated, not {ast.unparse(node)}")


def price(item: str) -> float:
    """Price of an item at the market, in euros a kilo."""
    if item.lower() not in PRICES:
        raise BadInput(f"there are no {item} at the market, only {', '.join(PRICES)}")
    return PRICES[item.lower()]


def question(a: int, first: str, b: int, second: str) -> str:
    """What an errand is put as."""
    return f"How many euros do {a} kilos of {first} and {b} kilos of {second} cost together?"


def errand(number: int) -> str:
    """What an agent is to find out."""
    items = list(PRICES)
    first, second = items[number % len(items)], items[(number // 2 + 3) % len(items)]
    return question(number % 5 + 2, first, number % 3 + 1, second)


def solved(agent: Agent) -> list[Message]:
    """The errands an agent is shown before its own."""
    turns: list[Message] = []
    for (a, first, x), (b, second, y) in SHOWN:
        steps: list[tuple[str, str, dict[str, Any], str]] = [
            (f"I need the price of {item}.", "price", {"item": item}, str(cost))
            for item, cost in ((first, x), (second, y))
        ]
        total, sum_ = {"expression": f"{a}*{x} + {b}*{y}"}, str(a * x + b * y)
        steps.append(("I work out the total.", "calculate", total, sum_))
        turns += demonstration(agent, question(a, first, b, second), steps, sum_)
    return turns


async def with_tools(
    model: LocalModel, scheduler: Scheduler | None
) -> tuple[list[str], list[Kernel]]:
    """All agents at their errands, each a run of its own; returns answers and kernels."""
    tools = [tool(calculate), tool(price)]

    async def one(number: int) -> tuple[str, Kernel]:
        kernel = Kernel(model, tools=tools, seed=0, scheduler=scheduler, name=f"errand-{number}")
        agent = kernel.agent("shopper", profile=PROFILE, tools=["price", "calculate"])
        agent.history = solved(agent)
        end = await react(
            agent, errand(number), form="text", steps=STEPS, max_tokens=MAX_TOKENS, temperature=0.0
        )
        return str(end.answer), kernel

    ended = await gather(*(one(n) for n in range(AGENTS)))
    return [answer for answer, _ in ended], [kernel for _, kernel in ended]


async def with_a_long_job(
    model: LocalModel, scheduler: Scheduler | None
) -> tuple[list[str], list[Kernel]]:
    """Short calls beside a long one, each agent a run of its own."""

    async def one(number: int) -> tuple[str, Kernel]:
        kernel = Kernel(model, seed=0, scheduler=scheduler, name=f"writer-{number}")
        agent = kernel.agent(f"writer-{number}", role="writer")
        if number == 0:
            long = "Write the story of a long voyage, in every detail."
            said = (await agent.ask(long, max_tokens=LONG_TOKENS, temperature=0.0)).text
            return said, kernel
        said = ""
        for call in range(SHORT_CALLS):
            ask = f"Say something about the number {number * 10 + call}."
            said += (await agent.ask(ask, max_tokens=SHORT_TOKENS, temperature=0.0)).text
        return said, kernel

    ended = await gather(*(one(n) for n in range(8)))
    return [answer for answer, _ in ended], [kernel for _, kernel in ended]


def finished_of(kernels: list[Kernel]) -> list[Finished]:
    """The calls of runs without a scheduler, as jobs: nobody knows how long each one waited."""
    first = min(k.meter.started for k in kernels)
    return [
        Finished(
            e.id,
            kernel.name,
            e.call.agent,
            "done",
            kernel.meter.started - first + e.started,
            kernel.meter.started - first + e.started + e.seconds,
            (),
        )
        for kernel in kernels
        for e in kernel.trace.events
        if e.replies
    ]


async def measure(
    part: str, name: str, model_name: str, expected: list[str] | None
) -> tuple[Row, list[str]]:
    """Run one part one way, on an engine that has read nothing yet."""
    none = name == "no kernel"
    lanes = LANES if part == "tools" else 1
    model = LocalModel(model_name, exact=none, slots=lanes)
    scheduler = None if none else Scheduler(name, lanes=lanes, quantum=POLICIES[name])
    await model.count_tokens("start the engine before the clock")
    work = with_tools if part == "tools" else with_a_long_job
    begin = perf_counter()
    answers, kernels = await work(model, scheduler)
    seconds = perf_counter() - begin
    await model.aclose()
    jobs = list(scheduler.finished) if scheduler else finished_of(kernels)
    schedule = scheduler.report() if scheduler else report_of(jobs, "none", None, 0, 0)
    short = sorted(j.waiting for j in jobs if j.agent != "writer-0")
    usage = sum((k.meter.usage for k in kernels), Usage())
    used = sum(isinstance(e.call, UseTool) for k in kernels for e in k.trace.events)
    expected = expected or answers
    same = sum(a == b for a, b in zip(answers, expected, strict=True)) / len(answers)
    return Row(
        part=part,
        name=name,
        seconds=round(seconds, 2),
        tokens_prompt=usage.prompt,
        tokens_cached=usage.cached,
        tokens_completion=usage.completion,
        tool_calls=used,
        same_answers=round(same, 4),
        schedule=schedule,
        short_wait_p90=round(percentile(short, 90), 3) if scheduler and lanes == 1 else 0.0,
    ), answers


def flat(row: Row) -> dict[str, Any]:
    """A row with the figures of its schedule beside its own, rounded to thousandths."""
    own = msgspec.to_builtins(row)
    schedule = own.pop("schedule")
    for name, value in schedule.items():
        own.setdefault(name, round(value, 3) if isinstance(value, float) else value)
    return own


def ratios(rows: list[Row]) -> dict[str, float]:
    """Times of no kernel over times of each policy, and what the short calls waited."""
    found: dict[str, float] = {}
    for row in rows:
        none = next(r for r in rows if r.part == row.part and r.name == "no kernel")
        if row is not none:
            found[f"{row.part}: no kernel / {row.name}"] = round(none.seconds / row.seconds, 3)
    waits = {r.name: r.short_wait_p90 for r in rows if r.part == "long job"}
    for name, wait in waits.items():
        if name not in ("no kernel", "fifo") and wait:
            found[f"long job: short calls' p90 wait, fifo / {name}"] = round(
                waits["fifo"] / wait, 3
            )
    return found


def main() -> None:
    """Measure and write ``results/bench/scheduling.json``."""
    parser = argparse.ArgumentParser(description="Measure scheduling of agents on one engine.")
    parser.add_argument("--model", default="local-small")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    options = parser.parse_args()
    model: str = options.model
    rows: list[Row] = []
    for part in options.part or PARTS:
        expected: list[str] | None = None
        for name in ("no kernel", *POLICIES):
            row, answers = asyncio.run(measure(part, name, model, expected))
            expected = expected or answers
            rows.append(row)
            s = row.schedule
            print(
                f"{part:9} {name:10} {row.seconds:7.1f} s  p90 wait {s.waiting_p90:6.1f} s  "
                f"p90 turnaround {s.turnaround_p90:6.1f} s  Jain {s.jain:.3f}  "
                f"{row.tokens_cached / max(1, row.tokens_prompt):4.0%} cached  "
                f"{row.tool_calls} tool calls, {row.same_answers:4.0%} same answers",
                flush=True,
            )
    report = {
        "command": shlex.join(["python", "-m", "collegium.bench.speed_scheduling", *sys.argv[1:]]),
        "machine": machine(),
        "model": model,
        "seed": 0,
        "n": f"tools: {AGENTS} agents, {LANES} lanes, quantum {QUANTUM}; "
        f"long job: 7 agents with {SHORT_CALLS} calls of {SHORT_TOKENS} tokens and one with "
        f"{LONG_TOKENS} tokens, one lane",
        "rows": [flat(row) for row in rows],
        "ratios": ratios(rows),
    }
    path = Path("results/bench/scheduling.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for name, value in report["ratios"].items():
        print(f"{name}: {value}")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
