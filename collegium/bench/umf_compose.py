"""Two agents composed in every way LLM-Agent-UMF names, on the same questions and budget.

A calculator and an agent with its memory in SQL are put together as uniform multi-passive, as one
active over many passive, and as uniform multi-active, with and without a leader. Each question has
two parts: put a delivery into the table, once, and work out a sum with the amount that is then in
it. A question is solved when the answer is right and the table is too. A conflict is a side effect
that follows another core-agent's with the same authority. Run it with
``python -m collegium.bench.umf_compose``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import msgspec

from collegium.agents.umf import (
    Architecture,
    Measured,
    Solution,
    assess,
    compose,
    conflicts,
    coordination,
    guards,
    measure,
)
from collegium.agents.umf.office import Sleep
from collegium.agents.umf.parts import CALCULATOR, DATABASE, RULES, Stock, stock_tools
from collegium.bench.machine import machine
from collegium.bench.statistics import mcnemar_exact, wilson
from collegium.errors import BadInput, LimitReached
from collegium.kernel import Kernel, Limits, gather
from collegium.models import Model, open_model

SEED = 7
QUESTIONS = 20
TOKENS = 6000
ITEMS = ("plums", "bolts", "lamps", "chairs", "maps", "ropes", "tiles", "bells")

ARMS: tuple[tuple[str, Architecture, bool], ...] = (
    ("uniform multi-passive", "uniform multi-passive", True),
    ("one-active-many-passive", "one-active-many-passive", True),
    ("uniform multi-active, leader elected", "uniform multi-active", True),
    ("uniform multi-active, no election", "uniform multi-active", False),
)
"""Name, architecture, and whether active core-agents elect a leader."""


class Question(msgspec.Struct, frozen=True):
    """A two-part question.

    Attributes:
        text: What is asked.
        before: The table at the start.
        after: The table as it has to be at the end.
        answer: The right answer.
        item: What arrives.
        arrived: How many of it.
        price: What one of it brings in.
    """

    text: str
    before: dict[str, int]
    after: dict[str, int]
    answer: float
    item: str
    arrived: int
    price: int


class Run(msgspec.Struct, frozen=True):
    """One question with one composed agent."""

    solved: bool
    answer_right: bool
    table_right: bool
    effects: int
    conflicts: int
    limited: bool
    measured: Measured
    seconds: float


class Finished(msgspec.Struct, frozen=True):
    """A line of the journal: which composed agent, which question, and what came of it."""

    arm: str
    question: int
    run: Run


def finished(journal: Path | None) -> dict[tuple[str, int], Run]:
    """The runs a journal holds; a line cut off by the end of a process is left out."""
    if journal is None or not journal.exists():
        return {}
    runs: dict[tuple[str, int], Run] = {}
    for line in journal.read_bytes().splitlines():
        with suppress(msgspec.DecodeError):
            one = msgspec.json.decode(line, type=Finished)
            runs[one.arm, one.question] = one.run
    return runs


class Row(msgspec.Struct, frozen=True):
    """One composed agent over all questions.

    Attributes:
        name: Which.
        n: Questions.
        solved: Answer and table right, with the ends of the 95 % Wilson interval of its share.
        answers_right: Answer right.
        tables_right: Table right.
        llm_calls: Generations, all questions together.
        tokens: Prompt and completion tokens.
        coordination: Calls for agreement.
        effects: Side effects carried out; each question needs one.
        conflicts: Side effects that follow another core-agent's with the same authority.
        limited: Questions that ran out of budget.
        seconds: Time.
        quality: Weighted mean of the six attributes, 0 to 3, all weights 1.
    """

    name: str
    n: int
    solved: int
    ci_low: float
    ci_high: float
    answers_right: int
    tables_right: int
    llm_calls: int
    tokens: int
    coordination: int
    effects: int
    conflicts: int
    limited: int
    seconds: float
    quality: float


def questions(n: int, seed: int) -> list[Question]:
    """Two-part questions, the same for the same seed.

    Raises:
        BadInput: ``n`` is below 1.
    """
    if n < 1:
        raise BadInput(f"the study needs at least one question, not {n}.")
    draw = random.Random(seed)
    made: list[Question] = []
    for _ in range(n):
        items = draw.sample(ITEMS, 3)
        before = {item: draw.randint(11, 89) for item in items}
        item, arrived, price = items[0], draw.randint(3, 40), draw.randint(2, 9)
        after = before | {item: before[item] + arrived}
        text = (
            f"{arrived} more {item} have arrived. First put that into the table stock: add "
            f"{arrived} to the amount of {item}. Then look up how many {item} there are now. All "
            f"of these are sold at {price} each: how much do they bring in?"
        )
        answer = float(after[item] * price)
        made.append(Question(text, before, after, answer, item, arrived, price))
    return made


async def solve(
    question: Question,
    model: Model,
    architecture: Architecture,
    *,
    elect: bool,
    tokens: int,
    seed: int,
    clock: Callable[[], float] = monotonic,
    sleep: Sleep = asyncio.sleep,
) -> Run:
    """Put one question to one composed agent.

    Args:
        question: The question.
        model: Answers all core-agents.
        architecture: How the two agents are put together.
        elect: Whether active core-agents elect a leader.
        tokens: The budget, prompt and completion tokens together.
        seed: Seed of the run.
        clock: Seconds, for leases.
        sleep: Waits on that clock.
    """
    stock = Stock(question.before)
    kernel = Kernel(
        model,
        tools=[*stock_tools(stock), *coordination(stock.ledger)],
        limits=Limits(tokens=tokens),
        drivers=guards(RULES),
        seed=seed,
    )
    hybrid = compose([CALCULATOR, DATABASE], architecture, elect=elect, clock=clock, sleep=sleep)
    solution, limited = Solution(None), False
    begin = perf_counter()
    try:
        solution = await hybrid.run(question.text, kernel, float)
    except LimitReached:
        limited = True
    finally:
        await kernel.aclose()
    right = isinstance(solution.answer, float) and abs(solution.answer - question.answer) < 1e-6
    table = stock.amounts() == question.after
    done = stock.ledger.effects()
    return Run(
        solved=right and table,
        answer_right=right,
        table_right=table,
        effects=len(done),
        conflicts=conflicts(done),
        limited=limited or any("limit of" in reason for reason in solution.lost.values()),
        measured=measure([kernel.trace.events]),
        seconds=perf_counter() - begin,
    )


def row(name: str, runs: Sequence[Run], quality: float) -> Row:
    """Sum up the runs of one composed agent."""
    solved = sum(r.solved for r in runs)
    low, high = wilson(solved, len(runs))
    return Row(
        name=name,
        n=len(runs),
        solved=solved,
        ci_low=round(low, 4),
        ci_high=round(high, 4),
        answers_right=sum(r.answer_right for r in runs),
        tables_right=sum(r.table_right for r in runs),
        llm_calls=sum(r.measured.llm_calls for r in runs),
        tokens=sum(r.measured.tokens for r in runs),
        coordination=sum(r.measured.coordination for r in runs),
        effects=sum(r.effects for r in runs),
        conflicts=sum(r.conflicts for r in runs),
        limited=sum(r.limited for r in runs),
        seconds=round(sum(r.seconds for r in runs), 1),
        quality=round(quality, 2),
    )


async def study(
    model: Model,
    *,
    n: int,
    seed: int,
    tokens: int,
    workers: int = 1,
    journal: Path | None = None,
    clock: Callable[[], float] = monotonic,
    sleep: Sleep = asyncio.sleep,
) -> dict[str, Any]:
    """Run every composed agent on the same questions; returns rows and paired tests.

    Args:
        model: Answers all core-agents.
        n: How many questions.
        seed: Draws the questions, and seeds every run.
        tokens: The budget of each question.
        workers: Questions worked on at the same time.
        journal: Finished runs, a line each; those it holds are not run again.
        clock: Seconds, for leases.
        sleep: Waits on that clock.
    """
    done = finished(journal)
    room = asyncio.Semaphore(workers)
    runs: dict[str, list[Run]] = {}
    rows: list[Row] = []
    asked = questions(n, seed)
    for name, architecture, elect in ARMS:

        async def one(
            at: int,
            question: Question,
            arm: str = name,
            made: Architecture = architecture,
            vote: bool = elect,
        ) -> Run:
            if (arm, at) in done:
                return done[arm, at]
            async with room:
                run = await solve(
                    question,
                    model,
                    made,
                    elect=vote,
                    tokens=tokens,
                    seed=seed,
                    clock=clock,
                    sleep=sleep,
                )
            if journal is not None:
                with journal.open("ab") as lines:
                    lines.write(msgspec.json.encode(Finished(arm, at, run)) + b"\n")
            return run

        runs[name] = await gather(*(one(at, question) for at, question in enumerate(asked)))
        drawing = compose([CALCULATOR, DATABASE], architecture, elect=elect).blueprint
        rows.append(row(name, runs[name], assess(drawing).mean))
    pairs = [
        {
            "a": a,
            "b": b,
            "only_a": sum(x.solved > y.solved for x, y in zip(runs[a], runs[b], strict=True)),
            "only_b": sum(x.solved < y.solved for x, y in zip(runs[a], runs[b], strict=True)),
        }
        for a, b in combinations(runs, 2)
    ]
    for pair in pairs:
        pair |= {"test": "exact McNemar", "p": mcnemar_exact(pair["only_a"], pair["only_b"])}
    return {"rows": rows, "pairs": pairs}


def write(found: dict[str, Any], path: Path, **about: Any) -> None:
    """Write a report, whole or not at all."""
    report = about | found
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    draft.replace(path)


async def _measured(
    name: str, *, n: int, seed: int, tokens: int, workers: int, journal: Path | None
) -> dict[str, Any]:
    model = open_model(name, exact=workers == 1)
    try:
        return await study(model, n=n, seed=seed, tokens=tokens, workers=workers, journal=journal)
    finally:
        await model.aclose()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and write its results."""
    parser = argparse.ArgumentParser(description="Compose two agents in every architecture.")
    parser.add_argument("--model", default="local")
    parser.add_argument("--n", type=int, default=QUESTIONS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="budget per question")
    parser.add_argument(
        "--workers", type=int, default=1, help="questions at the same time; 1 is repeatable"
    )
    parser.add_argument("--out", type=Path, default=Path("results/umf/compose.json"))
    parser.add_argument(
        "--journal", type=Path, help="write finished runs here; taken up again when it is there"
    )
    given = parser.parse_args(arguments)
    settings = {
        "n": given.n,
        "seed": given.seed,
        "tokens": given.tokens,
        "workers": given.workers,
    }
    found = asyncio.run(_measured(given.model, journal=given.journal, **settings))
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    write(
        found,
        given.out,
        command=f"python -m collegium.bench.umf_compose --model {given.model} {options}",
        machine=machine(),
        model=given.model,
        **settings,
    )
    for r in found["rows"]:
        print(
            f"{r.name:37} {r.solved:2}/{r.n} [{r.ci_low:.2f}, {r.ci_high:.2f}]  "
            f"{r.llm_calls:4} calls  {r.tokens:7,} tokens  {r.conflicts:3} conflicts"
        )
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
