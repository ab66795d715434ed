"""Measure how often calls are the expected ones: with a Routine, without, and with a blanked one.

The table of arXiv 2507.14447 on the open HR service: the same model, tools, requests and budget.
Every turn that was to make a call is compared with the expected one: one call, the right tool, the
right arguments. A call that was never made is wrong in everything, also where a limit ended a run.

``python -m collegium.bench.routine_calls --model local --limit 40`` writes
``results/routine/calls-<model>.json``.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.agents.routine import Made, Used, Verdict, accuracies, judged
from collegium.bench.jobs import Entry, run_job
from collegium.bench.machine import machine
from collegium.bench.records import Outcome
from collegium.bench.statistics import wilson
from collegium.errors import BadInput
from collegium.kernel import ToolSpec
from collegium.models import Model, open_model
from collegium.systems import parse_system
from collegium.tasks import load
from collegium.worlds.hr.gold import gold
from collegium.worlds.text import text_world

VARIANTS = {
    "with Routine": "routine",
    "descriptions blanked": "routine:blank=true",
    "without Routine": "routine:follow=false",
}
BUDGET = 40_000


def verdicts(
    turns: Sequence[Made], wanted: Sequence[Used], tools: Mapping[str, ToolSpec]
) -> tuple[list[Verdict], int]:
    """Judge a run by the expected calls.

    Args:
        turns: The turns that were to make a call.
        wanted: The expected calls.
        tools: What is told of the tools.

    Returns:
        A verdict on each expected call, and how many turns there were beyond the last.
    """
    made = [[Used(t.tool, t.values)] if t.tool else [] for t in turns]
    found = [judged(made[i] if i < len(made) else (), call, tools) for i, call in enumerate(wanted)]
    return found, max(0, len(made) - len(wanted))


async def measure(
    model: Model, *, limit: int, seed: int, split: str = "test", budget: int = BUDGET
) -> dict[str, Any]:
    """Run all variants on the same requests.

    Args:
        model: The executor.
        limit: Requests.
        seed: Of their choice and of the runs.
        split: Of which split.
        budget: Tokens a run may spend.

    Raises:
        BadInput: The limit is below 1.
    """
    if limit < 1:
        raise BadInput(f"the limit must be 1 or more, not {limit}.")
    benchmark = load("hr", split=split, seed=seed, limit=limit)
    specs = {tool.spec.name: tool.spec for tool in text_world("hr", split, 0).tools}
    rows: dict[str, Any] = {}
    for label, name in VARIANTS.items():
        entry = Entry(name, *parse_system(name))
        all_verdicts: list[Verdict] = []
        outcomes: list[Outcome] = []
        extra = 0
        for item in benchmark.items:
            done = await run_job(entry, item, {"": model}, seed=seed, budget=budget)
            outcomes.append(done)
            turns = msgspec.convert(done.notes.get("turns", []), list[Made])
            number = int(item.task.id.rpartition("/")[2])
            wanted = [Used(c.tool, c.arguments) for c in gold(split, number).calls]
            found, more = verdicts(turns, wanted, specs)
            all_verdicts += found
            extra += more
        shares = accuracies(all_verdicts, extra=extra)
        low, high = wilson(shares.overall.right, shares.overall.of)
        rows[label] = {
            "system": name,
            "accuracies": msgspec.to_builtins(shares),
            "overall": round(shares.overall.value, 4),
            "interval": [round(low, 4), round(high, 4)],
            "solved": sum(o.correct for o in outcomes),
            "limited": sum(o.limited for o in outcomes),
            "tokens": sum(o.tokens_prompt + o.tokens_completion for o in outcomes),
            "seconds": round(sum(o.seconds for o in outcomes), 1),
        }
    return {
        "n": len(benchmark.items),
        "split": split,
        "fingerprint": benchmark.fingerprint,
        "budget": budget,
        "rows": rows,
    }


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="local")
    parser.add_argument("--limit", type=int, default=40, help="requests")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--budget", type=int, default=BUDGET, help="tokens a run may spend")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    out = given.out or Path(f"results/routine/calls-{given.model.replace(':', '-')}.json")
    model = open_model(given.model)
    report = {
        "command": f"python -m collegium.bench.routine_calls --model {given.model} "
        f"--limit {given.limit} --seed {given.seed} --budget {given.budget}",
        "machine": machine(),
        "model": given.model,
        "seed": given.seed,
        **asyncio.run(measure(model, limit=given.limit, seed=given.seed, budget=given.budget)),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for label, row in report["rows"].items():
        low, high = row["interval"]
        print(f"{label:22} {row['overall']:.1%} [{low:.1%}, {high:.1%}] of calls", end="; ")
        print(f"{row['solved']} of {report['n']} requests, {row['tokens']:,} tokens")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
