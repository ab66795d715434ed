"""Measure a proposer and an evaluator (arXiv 2412.13194) on text worlds.

The evaluator is asked about attempts at a world's own tasks, where the true reward is at hand: its
precision is the share of its successes that are real, its recall the share of real ones that it
sees. Beside it stands whoever always says yes, whose precision is the agent's success rate. Of the
proposer, it is counted how many of its lines are tasks, with and without a demonstration.

``python -m collegium.bench.pae --model local --limit 20`` writes ``results/pae/<model>.json``.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.agents.react import react
from collegium.bench.machine import machine
from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.learning.pae.evaluator import PROFILE as EVALUATOR
from collegium.learning.pae.evaluator import Agreement, agreement, evaluate
from collegium.learning.pae.practice import answer_of, demonstrated, site_of
from collegium.learning.pae.proposer import PROFILE as PROPOSER
from collegium.learning.pae.proposer import fingerprint, propose
from collegium.models import Model, open_model
from collegium.models.embeddings import Embedder, open_embedder
from collegium.tasks.text_worlds import text_item
from collegium.worlds.text import kind, mixed, text_world
from collegium.worlds.world import opened

WORLDS = ("todo", "maze", "textcraft-small")
STEPS = 10


async def judged(model: Model, name: str, number: int, seed: int) -> tuple[bool, bool]:
    """One attempt at a world's own task: what the evaluator says, and what the world says."""
    of = kind(name)
    item = text_item(of, "test", number)
    assert item.world is not None
    async with opened(item.world, mixed("pae", name, number, seed)) as (world, first):
        kernel = Kernel(model, tools=world.tools, seed=seed + number)
        actor = kernel.agent(
            "actor", profile="You are a helpful assistant who acts with tools.", tools=of.tools
        )
        path = await react(actor, f"{of.rules}\n\n{first}", form="typed", steps=STEPS)
        answer = answer_of(path)
        seen = (first, *(step.observation for step in path.steps))
        judge = kernel.agent("evaluator", profile=EVALUATOR)
        task = f"{of.rules}\n\n{first}"
        verdict = await evaluate(judge, task, answer, seen, place=name)
        return bool(verdict.reward), (await world.judge(answer)).correct


async def evaluator_row(model: Model, name: str, limit: int, seed: int) -> dict[str, Any]:
    """The evaluator beside the true reward, on one world."""
    numbers = range(min(limit, kind(name).size("test")))
    found = agreement([await judged(model, name, number, seed) for number in numbers])
    return {"n": len(numbers), **shares(found)}


def shares(found: Agreement) -> dict[str, Any]:
    """An agreement as plain data, with whoever always says yes beside it."""
    total = found.both + found.evaluator + found.truth + found.neither
    return {
        **msgspec.to_builtins(found),
        "precision": found.precision,
        "recall": found.recall,
        "accuracy": found.accuracy,
        "always_yes_precision": (found.both + found.truth) / total if total else None,
    }


async def proposer_row(
    model: Model, name: str, count: int, embedder: Embedder, *, demonstration: bool, seed: int
) -> dict[str, Any]:
    """What becomes of a proposer's lines, on one world."""
    held: list[str] = []
    for number in range(min(50, kind(name).size("test"))):
        world = text_world(name, "test", number)
        held.append(fingerprint(await world.reset(0)))
        await world.close()
    site = site_of(name, await demonstrated(name) if demonstration else "")
    kernel = Kernel(model, seed=seed)
    agent = kernel.agent("proposer", profile=PROPOSER)
    found = await propose(agent, site, count, embedder=embedder, held_out=held)
    return {"asked_for": count, **msgspec.to_builtins(found), "kept": len(found.tasks)}


async def measure(
    model: Model, worlds: Sequence[str], *, limit: int, count: int, embedder: str, seed: int
) -> dict[str, Any]:
    """Measure both on some worlds.

    Args:
        model: Proposer, agent and evaluator.
        worlds: The kinds of worlds.
        limit: Attempts a world.
        count: Tasks asked for a world and context.
        embedder: Compares tasks: "minilm" or "hash".
        seed: Of everything that is drawn.

    Raises:
        BadInput: A number is below 1, or there is no such world.
    """
    if limit < 1 or count < 1:
        raise BadInput(f"attempts and tasks must be 1 or more, not {limit} and {count}.")
    by = open_embedder(embedder)
    return {
        "evaluator": {name: await evaluator_row(model, name, limit, seed) for name in worlds},
        "proposer": {
            name: {
                label: await proposer_row(model, name, count, by, demonstration=shown, seed=seed)
                for label, shown in (("name alone", False), ("with a demonstration", True))
            }
            for name in worlds
        },
    }


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="local")
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS))
    parser.add_argument("--limit", type=int, default=20, help="attempts a world")
    parser.add_argument("--tasks", type=int, default=25, help="tasks asked for")
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    out = given.out or Path(f"results/pae/{given.model.replace(':', '-')}.json")
    work = measure(
        open_model(given.model), given.worlds, limit=given.limit, count=given.tasks,
        embedder=given.embedder, seed=given.seed,
    )  # fmt: skip
    report = {
        "command": f"python -m collegium.bench.pae --model {given.model} --worlds "
        f"{' '.join(given.worlds)} --limit {given.limit} --tasks {given.tasks} "
        f"--embedder {given.embedder} --seed {given.seed}",
        "machine": machine(),
        "model": given.model,
        "seed": given.seed,
        **asyncio.run(work),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for name, row in report["evaluator"].items():
        said = {k: "none" if row[k] is None else f"{row[k]:.1%}" for k in ("precision", "recall")}
        print(f"{name}: evaluator's precision {said['precision']}, recall {said['recall']}")
    for name, contexts in report["proposer"].items():
        for label, row in contexts.items():
            print(f"{name}, {label}: {row['kept']} of {row['asked_for']} tasks kept")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
