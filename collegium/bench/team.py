"""Choose a team of roles by what they were worth on trial questions, without labels.

The team optimisation of DyLAN (arXiv 2310.02170): run all candidate roles on some trial questions,
average each role's importance over them, and keep the k best. Importance comes from the ratings
that agents gave each other, so nobody has to know a right answer.

``python -m collegium.bench.team --on mmlu:anatomy --trials 20 --k 3`` prints the ranking. With
``--held-out 20 --seeds 3`` it also measures what that is worth: the chosen team beside k roles
drawn at random and beside all of them, on other questions of the same set.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.agents.importance import mean_totals, relative
from collegium.bench.jobs import Entry, run_job, task_seed
from collegium.bench.machine import machine
from collegium.bench.records import Outcome
from collegium.bench.statistics import mcnemar_exact, wilson
from collegium.errors import BadInput, CollegiumError
from collegium.kernel import Kernel
from collegium.models import open_model
from collegium.models.model import Model
from collegium.systems import get_system
from collegium.systems.dylan import default_roles
from collegium.systems.solve import solve
from collegium.tasks import load
from collegium.tasks.task import Benchmark, Task


class Team(msgspec.Struct, frozen=True):
    """Roles ranked by their mean importance over trial questions.

    Attributes:
        ranked: Role, mean importance, and how far above or below the mean of all roles that is, as
            a share of it; the most important first.
        chosen: The k first.
        trials: How many trial questions were run.
        empty: How many of them gave nobody any importance, since no reply could be read.
    """

    ranked: tuple[tuple[str, float, float], ...]
    chosen: tuple[str, ...]
    trials: int
    empty: int = 0


async def optimise_team(
    tasks: Sequence[Task],
    models: Model | Mapping[str, Model],
    *,
    k: int = 3,
    roles: Sequence[str] = (),
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    on_trial: Callable[[int], None] | None = None,
) -> Team:
    """Rank roles by their mean importance over trial questions, and keep the k best.

    Args:
        tasks: The trial questions, all of one kind. A task holds no right answer.
        models: The model of every role, or a mapping from role to model where "" is the default.
        k: How many roles to keep.
        roles: The candidates, each once; empty for those of the paper for such tasks.
        seed: Fixes all runs.
        parameters: Further parameters of the system ``dylan``.
        on_trial: Called with the number of questions done.

    Returns:
        The ranking and the team. Ties stay in the order of the candidates.

    Raises:
        BadInput: There is no trial question, k or the candidates are wrong, or a parameter is.
        ModelError: The model could not answer.
    """
    if not tasks:
        raise BadInput("a team is chosen on trial questions: give at least one.")
    names = tuple(roles) or default_roles(tasks[0])
    if len(set(names)) != len(names):
        raise BadInput("every candidate role counts once; leave out the repetitions.")
    if not 1 <= k <= len(names):
        raise BadInput(f"of {len(names)} candidate roles, k must be 1 to {len(names)}, not {k}.")
    system = get_system("dylan")
    bound = system.bind({**(parameters or {}), "roles": list(names)})
    totals: list[list[float]] = []
    for done, task in enumerate(tasks, 1):
        kernel = Kernel(models, seed=task_seed(seed, task.id), name=f"trial/{task.id}")
        notes = (await solve(system, task, kernel, bound)).result.notes
        totals.append(list(notes["scores"].values()))
        if on_trial:
            on_trial(done)
    means = mean_totals(totals)
    ranked = sorted(zip(names, means, relative(means), strict=True), key=lambda row: -row[1])
    return Team(
        ranked=tuple(ranked),
        chosen=tuple(name for name, _, _ in ranked[:k]),
        trials=len(tasks),
        empty=sum(not any(row) for row in totals),
    )


# -- the measurement


class Held(msgspec.Struct, frozen=True):
    """How one team did on the questions kept back.

    Attributes:
        kind: "chosen", "random" or "all".
        roles: Who is in it.
        correct: By question, in the order of the questions.
        calls: Generations over all questions.
        tokens: Prompt and completion tokens over all questions.
        cached: Those of the prompt that were not read again.
    """

    kind: str
    roles: tuple[str, ...]
    correct: tuple[bool, ...]
    calls: int
    tokens: int
    cached: int


class Trial(msgspec.Struct, frozen=True):
    """One seed of the measurement: its ranking, and the teams on the questions kept back."""

    seed: int
    team: Team
    held: tuple[Held, ...]


async def measure(
    benchmark: Benchmark,
    models: Mapping[str, Model],
    *,
    trials: int,
    k: int,
    seed: int,
    parameters: Mapping[str, Any],
    say: Callable[[str], None],
) -> Trial:
    """Choose a team on the first questions, and try it and its controls on the others.

    Args:
        benchmark: All questions of this seed.
        models: Model by role.
        trials: How many of the questions choose the team; the labels of these are not read.
        k: Size of the team.
        seed: Seed of the runs and of the random team.
        parameters: Further parameters of the system ``dylan``.
        say: Called with a line on how far it is.
    """
    items = benchmark.items
    if trials > len(items):
        raise BadInput(f"{benchmark.name} has {len(items)} questions, fewer than {trials} trials.")
    tasks = [item.task for item in items[:trials]]
    team = await optimise_team(
        tasks,
        models,
        k=k,
        seed=seed,
        parameters=parameters,
        on_trial=lambda done: say(f"seed {seed}: trial {done} of {trials}"),
    )
    names = default_roles(tasks[0])
    drawn = tuple(random.Random(seed).sample(names, k))
    teams = {"chosen": team.chosen, "random": drawn, "all": names}
    held = []
    for kind, roles in teams.items() if items[trials:] else ():
        system = get_system("dylan")
        entry = Entry(kind, system, system.bind({**parameters, "roles": list(roles)}))
        outcomes: list[Outcome] = []
        for item in items[trials:]:
            outcomes.append(await run_job(entry, item, models, seed=seed, budget=None))
            say(f"seed {seed}: {kind} team, question {len(outcomes)} of {len(items) - trials}")
        held.append(
            Held(
                kind=kind,
                roles=roles,
                correct=tuple(o.correct for o in outcomes),
                calls=sum(o.calls for o in outcomes),
                tokens=sum(o.tokens_prompt + o.tokens_completion for o in outcomes),
                cached=sum(o.tokens_cached for o in outcomes),
            )
        )
    return Trial(seed, team, tuple(held))


def summary(trials: Sequence[Trial]) -> list[str]:
    """The lines of the report: rankings, then all seeds together with intervals and a test."""
    lines = []
    for trial in trials:
        lines.append(f"Seed {trial.seed}, {trial.team.trials} trial questions:")
        for name, score, share in trial.team.ranked:
            mark = "*" if name in trial.team.chosen else " "
            lines.append(f"  {mark} {name:<20} {score:.4f}  {share:+.1%}")
        if trial.team.empty:
            lines.append(f"  {trial.team.empty} questions gave nobody any importance.")
    kinds = [held.kind for held in trials[0].held] if trials else []
    right: dict[str, list[bool]] = {}
    for place, kind in enumerate(kinds):
        of_kind = [trial.held[place] for trial in trials]
        right[kind] = [c for held in of_kind for c in held.correct]
        n, correct = len(right[kind]), sum(right[kind])
        low, high = wilson(correct, n)
        lines.append(
            f"{kind:<7} {correct}/{n} right ({low:.1%} to {high:.1%}), "
            f"{sum(h.calls for h in of_kind) / n:.1f} calls and "
            f"{sum(h.tokens for h in of_kind) / n:,.0f} tokens a question"
        )
    if {"chosen", "random"} <= set(right):
        pairs = list(zip(right["chosen"], right["random"], strict=True))
        ours, theirs = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
        lines.append(
            f"chosen alone right {ours}, random alone {theirs}; "
            f"exact McNemar p = {mcnemar_exact(ours, theirs):.3f}"
        )
    return lines


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m collegium.bench.team", description=__doc__)
    found.add_argument("--on", required=True, help="a benchmark, such as mmlu:anatomy, or a file")
    found.add_argument("--split", default="test")
    found.add_argument("--trials", type=int, default=20, help="questions that choose the team")
    found.add_argument("--k", type=int, default=3, help="size of the team")
    found.add_argument("--held-out", type=int, default=0, help="questions to measure it on")
    found.add_argument("--seeds", type=int, default=1, help="repetitions with other questions")
    found.add_argument("--model", default="local")
    found.add_argument("--exact", action="store_true", help="bit-identical on the embedded engine")
    found.add_argument("--max-tokens", type=int, default=None, help="cap per generation")
    found.add_argument("--out", type=Path, default=None, help="write the result as JSON")
    return found


async def run(options: argparse.Namespace, say: Callable[[str], None]) -> list[Trial]:
    """Measure with every seed.

    Raises:
        BadInput: A number is wrong, or there are too few questions.
    """
    if min(options.trials, options.k, options.seeds) < 1 or options.held_out < 0:
        raise BadInput("--trials, --k and --seeds must be at least 1, --held-out at least 0.")
    models = {"": open_model(options.model, exact=options.exact)}
    found = []
    for seed in range(options.seeds):
        benchmark = load(
            options.on, split=options.split, limit=options.trials + options.held_out, seed=seed
        )
        found.append(
            await measure(
                benchmark,
                models,
                trials=options.trials,
                k=options.k,
                seed=seed,
                parameters={"max_tokens": options.max_tokens},
                say=say,
            )
        )
    return found


def main() -> None:
    """Run the command."""
    options = parser().parse_args()
    try:
        trials = asyncio.run(run(options, lambda line: print(line, file=sys.stderr)))
    except CollegiumError as error:
        sys.exit(f"error: {error}")
    print("\n".join(summary(trials)))
    if options.out:
        report = {
            "command": shlex.join(["python", "-m", "collegium.bench.team", *sys.argv[1:]]),
            "machine": machine(),
            "on": options.on,
            "model": options.model,
            "trials": trials,
        }
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
        print(f"written to {options.out}")


if __name__ == "__main__":
    main()
