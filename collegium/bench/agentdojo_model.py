"""Measure four guards on AgentDojo with a real model as the agent.

The same pairs of user task and injection, the same agent and the same budget: without a guard, with
the hand-written policies, with rules that the model writes itself and changes after results, and
with the same held to narrowing. What everybody may do (reading) is the setting of the hand-written
policies in all three. Tokens of the writer count as the run's, so guarding is not free.

    python -m collegium.bench.agentdojo_model --model local --pairs 60

writes ``results/guard/agentdojo-<model>.json``.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.agentdojo import SuitePolicy, read_policies, share
from collegium.bench.jobs import Entry, run_job
from collegium.bench.machine import machine
from collegium.bench.records import Outcome
from collegium.errors import BadInput
from collegium.guard import Policy
from collegium.guard.policy import Writing
from collegium.models import Model, open_model
from collegium.systems import parse_system
from collegium.tasks import load
from collegium.tasks.question import hashed
from collegium.tasks.task import Item

SUITES = ("banking", "slack")
SYSTEM = "tool-calling"
ATTACK = "important_instructions"
PAIRS = 60
BUDGET = 120_000

Guards = dict[str, Callable[[SuitePolicy, str], Policy | None]]


def _written(mode: Any) -> Callable[[SuitePolicy, str], Policy]:
    def policy(of: SuitePolicy, user_task: str) -> Policy:
        return msgspec.structs.replace(of.setting, written=Writing(update=mode))

    return policy


GUARDS: Guards = {
    "none": lambda of, user_task: None,
    "manual": lambda of, user_task: of.policy(user_task),
    "generated": _written("default"),
    "generated, narrow-only": _written("narrow-only"),
}
"""By name: the policy of a run, from those of the suite and the user's task."""


def sample(suites: Sequence[str], attack: str, pairs: int, seed: int) -> tuple[list[Item], int]:
    """Pairs drawn from all of some suites, and after them each of their user tasks alone.

    Args:
        suites: Which suites.
        attack: How injections are planted.
        pairs: How many.
        seed: Of the draw.

    Returns:
        The items, and how many of them are pairs.

    Raises:
        BadInput: Fewer than one pair is asked for.
        MissingExtra: AgentDojo is not installed.
    """
    if pairs < 1:
        raise BadInput(f"at least 1 pair has to be run, not {pairs}.")
    planted = [i for s in suites for i in load(f"agentdojo:{s}:{attack}", seed=None).items]
    drawn = sorted(planted, key=lambda item: hashed(str(seed), item.task.id))[:pairs]
    users = {item.task.id.rpartition("/")[0] for item in drawn}
    alone = [i for s in suites for i in load(f"agentdojo:{s}", seed=None).items]
    return [*drawn, *(i for i in alone if i.task.id in users)], len(drawn)


async def measure(
    model: Model,
    policies: dict[str, SuitePolicy],
    *,
    pairs: int,
    seed: int,
    attack: str = ATTACK,
    budget: int = BUDGET,
    system: str = SYSTEM,
    guards: Guards = GUARDS,
) -> dict[str, Any]:
    """Run every guard on the same pairs and user tasks.

    Args:
        model: The agent and, where rules are written, their writer.
        policies: The hand-written policies, by suite.
        pairs: Pairs of user task and injection.
        seed: Of their draw and of the runs.
        attack: How injections are planted.
        budget: Tokens a run may spend, the writer's included.
        system: The agent's system.
        guards: The guards.

    Raises:
        BadInput: Fewer than one pair is asked for.
    """
    items, count = sample([*policies], attack, pairs, seed)
    entry = Entry(system, *parse_system(system))
    rows: dict[str, Any] = {}
    for name, guard in guards.items():
        outcomes: list[Outcome] = []
        for item in items:
            suite, user_task = item.task.id.split("/")[:2]
            policy = guard(policies[suite], user_task)
            outcomes.append(
                await run_job(entry, item, {"": model}, seed=seed, budget=budget, policy=policy)
            )
        rows[name] = row(outcomes[:count], outcomes[count:])
    return {
        "pairs": count,
        "user_tasks": len(items) - count,
        "attack": attack,
        "system": system,
        "budget": budget,
        "rows": rows,
    }


def row(attacked: Sequence[Outcome], alone: Sequence[Outcome]) -> dict[str, Any]:
    """What one guard came to."""
    both = [*attacked, *alone]
    return {
        "attack_success": share([bool(o.facts.get("attack_success")) for o in attacked]),
        "utility_under_attack": share([o.correct for o in attacked]),
        "utility": share([o.correct for o in alone]),
        "blocked": sum(sum(o.blocked.values()) for o in both),
        "limited": sum(o.limited for o in both),
        "tokens": sum(o.tokens_prompt + o.tokens_completion for o in both),
        "seconds": round(sum(o.seconds for o in both), 1),
    }


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="local")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--budget", type=int, default=BUDGET, help="tokens a run may spend")
    parser.add_argument("--policies", type=Path, default=Path("examples/policies/agentdojo"))
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    out = given.out or Path(f"results/guard/agentdojo-{given.model.replace(':', '-')}.json")
    policies = read_policies(given.policies, SUITES)
    work = measure(
        open_model(given.model), policies, pairs=given.pairs, seed=given.seed, budget=given.budget
    )
    report = {
        "command": f"python -m collegium.bench.agentdojo_model --model {given.model} --pairs "
        f"{given.pairs} --seed {given.seed} --budget {given.budget}",
        "machine": machine(),
        "model": given.model,
        "seed": given.seed,
        "paper": "progent",
        **asyncio.run(work),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for name, found in report["rows"].items():
        said = (
            f"{key} {found[key].yes}/{found[key].n}"
            for key in ("attack_success", "utility_under_attack", "utility")
        )
        print(f"{name:24} {'  '.join(said)}")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
