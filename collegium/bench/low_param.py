"""Measure a plan, a judge and other branches on unseen games, each beside an agent without.

The claims of arXiv 2403.19962 at inference: decomposition and backtracking help a small model. Same
model, same games, same budget of tokens. Besides success there are the faults that the paper is
about (format errors, invalid actions, repetitions), counted in the state in which each action was
made; and how right the judge was: whether a run that it calls done is one.

``python -m collegium.bench.low_param --model local --limit 50`` writes
``results/low-param/<world>-<model>.json``. A tuned model is measured with another ``--model``.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.actions import Audit, audit
from collegium.bench.jobs import Entry, run_job, task_seed
from collegium.bench.machine import machine
from collegium.bench.records import Outcome
from collegium.bench.statistics import wilson
from collegium.errors import BadInput
from collegium.kernel import Event
from collegium.models import Model, open_model
from collegium.systems import parse_system
from collegium.tasks import load
from collegium.worlds.text import text_world

VARIANTS = {
    "plain": "tool-calling:form=typed,steps=30,max_tokens=192",
    "decomposition": "low-param:backtracks=0",
    "decomposition and backtracking": "low-param",
}
BUDGET = 60_000

CLOSED = frozenset(("textworld", "alfworld", "maze", "babyai"))
"""Worlds whose list of moves is complete, so that a move outside it is invalid."""


async def measure(
    model: Model, *, world: str, limit: int, seed: int, split: str = "test", budget: int = BUDGET
) -> dict[str, Any]:
    """Run all variants on the same games.

    Args:
        model: Who plays, plans and judges.
        world: The kind of world.
        limit: Games.
        seed: Of their choice and of the runs.
        split: Of which split.
        budget: Tokens a run may spend.

    Raises:
        BadInput: The limit is below 1, or there is no such world.
    """
    if limit < 1:
        raise BadInput(f"the limit must be 1 or more, not {limit}.")
    benchmark = load(world, split=split, seed=seed, limit=limit)
    rows: dict[str, Any] = {}
    for label, name in VARIANTS.items():
        entry = Entry(name, *parse_system(name))
        outcomes: list[Outcome] = []
        audits: list[Audit] = []
        for item in benchmark.items:
            events: list[Event] = []
            done = await run_job(
                entry, item, {"": model}, seed=seed, budget=budget, sinks=[events.append]
            )
            outcomes.append(done)
            number = int(item.task.id.rpartition("/")[2])
            again = text_world(world, split, number)
            await again.reset(task_seed(seed, item.task.id))
            audits.append(await audit(events, again, closed=world in CLOSED))
            await again.close()
        rows[label] = row(name, outcomes, audits)
    return {
        "world": world,
        "n": len(benchmark.items),
        "split": split,
        "fingerprint": benchmark.fingerprint,
        "budget": budget,
        "rows": rows,
    }


def row(name: str, outcomes: list[Outcome], audits: list[Audit]) -> dict[str, Any]:
    """What one variant came to."""
    total = Audit(*(sum(getattr(a, field) for a in audits) for field in Audit.__struct_fields__))
    solved = sum(o.correct for o in outcomes)
    low, high = wilson(solved, len(outcomes))
    return {
        "system": name,
        "solved": solved,
        "interval": [round(low, 4), round(high, 4)],
        "mean_score": round(sum(o.value for o in outcomes) / len(outcomes), 4),
        "format_error_rate": round(total.format_error_rate, 4),
        "invalid_action_rate": round(total.invalid_action_rate, 4),
        "repeat_rate": round(total.repeat_rate, 4),
        "counts": msgspec.to_builtins(total),
        "judge": judged(outcomes),
        "limited": sum(o.limited for o in outcomes),
        "tokens": sum(o.tokens_prompt + o.tokens_completion for o in outcomes),
        "seconds": round(sum(o.seconds for o in outcomes), 1),
    }


def judged(outcomes: list[Outcome]) -> dict[str, int] | None:
    """How often a run that the judge calls done is one; None where nobody judged."""
    ended = [(o.notes["ended"], o.correct) for o in outcomes if "ended" in o.notes]
    if not any("verdicts" in o.notes for o in outcomes):
        return None
    called = [correct for how, correct in ended if how == "done"]
    return {
        "called_done": len(called),
        "of_these_solved": sum(called),
        "solved_but_not_called_done": sum(c for how, c in ended if how != "done"),
    }


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="local")
    parser.add_argument("--world", default="textworld")
    parser.add_argument("--limit", type=int, default=50, help="games")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--budget", type=int, default=BUDGET, help="tokens a run may spend")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    file = f"{given.world}-{given.model.replace(':', '-')}.json"
    out = given.out or Path("results/low-param") / file
    work = measure(
        open_model(given.model),
        world=given.world,
        limit=given.limit,
        seed=given.seed,
        budget=given.budget,
    )
    report = {
        "command": f"python -m collegium.bench.low_param --model {given.model} --world "
        f"{given.world} --limit {given.limit} --seed {given.seed} --budget {given.budget}",
        "machine": machine(),
        "model": given.model,
        "seed": given.seed,
        **asyncio.run(work),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for label, found in report["rows"].items():
        print(
            f"{label:32} {found['solved']} of {report['n']} solved, mean score "
            f"{found['mean_score']:.2f}; format errors {found['format_error_rate']:.1%}, invalid "
            f"{found['invalid_action_rate']:.1%}, repeated {found['repeat_rate']:.1%}"
        )
    print(f"written to {out}")


if __name__ == "__main__":
    main()
