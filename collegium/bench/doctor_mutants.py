"""How well the doctor finds seeded defects, beside a linter and a model that reads whole files.

Run it with::

    python -m collegium.bench.doctor_mutants                  # rules and pylint
    python -m collegium.bench.doctor_mutants --model local    # and the two with a model

Two sets are reported apart: mutants of the bases that the rules were developed on, and mutants of
a base that was held out. The edits are the same kinds in both. Where they can be made is found with
the doctor's own graph, so a tool call that it cannot see is in neither set.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from collegium.bench.doctor_baselines import by_model_alone, by_pylint
from collegium.bench.doctor_projects import BASES, HELD_OUT, labelled
from collegium.bench.machine import machine
from collegium.bench.statistics import wilson
from collegium.guard.doctor import KINDS, Report, scan_project
from collegium.guard.doctor.evaluate import Claim, Counts, count, total
from collegium.guard.doctor.findings import Kind
from collegium.guard.doctor.judge import Judge, decide
from collegium.guard.doctor.mutate import Mutant
from collegium.kernel import Kernel

if TYPE_CHECKING:
    from collegium.models.model import Model

PATH = Path("results/guard/doctor.json")
RESAMPLES = 2_000

Counted = list[dict[Kind, Counts]]


class Rate(msgspec.Struct, frozen=True):
    """A share with its Wilson interval; None where there was nothing to count."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int


class Row(msgspec.Struct, frozen=True):
    """One checker on one type, or on all together ("all")."""

    type: str
    right: int
    wrong: int
    missed: int
    precision: Rate
    recall: Rate
    f1: float | None


class Checker(msgspec.Struct, frozen=True):
    """One checker on one set of projects.

    Attributes:
        name: Which.
        set: Which projects.
        projects: How many; ``clean`` of them without a defect.
        clean: How many have none.
        clean_with_claims: Clean ones of which it says something.
        f1: Over all types.
        f1_low: Lower end of its bootstrap interval over projects.
        f1_high: Upper end.
        macro_f1: Mean over the types.
        tokens: Tokens spent for each project.
        rows: By type, then all together.
        missed: Which edits it did not see, with how often.
    """

    name: str
    set: str
    projects: int
    clean: int
    clean_with_claims: int
    f1: float
    f1_low: float
    f1_high: float
    macro_f1: float
    tokens: float
    rows: tuple[Row, ...]
    missed: dict[str, int]


def by_rules(mutant: Mutant) -> list[Claim]:
    """What the rules alone say."""
    return claims(scan_project(mutant.project))


def claims(report: Report) -> list[Claim]:
    """The findings of a report as claims."""
    return [Claim(f.type, f.symbol) for f in report.findings]


async def by_rules_and_model(mutant: Mutant, model: Model) -> tuple[list[Claim], int]:
    """What rules and a judge say, and the tokens spent."""
    kernel = Kernel(model, seed=0)
    try:
        report = await decide(scan_project(mutant.project), Judge(kernel))
    finally:
        await kernel.aclose()
    return claims(report), kernel.meter.usage.tokens


def checker(
    name: str,
    where: str,
    mutants: Sequence[Mutant],
    said: Sequence[list[Claim]],
    tokens: Sequence[int] = (),
) -> Checker:
    """Count what a checker said about every project."""
    counted = [count(s, m.label) for s, m in zip(said, mutants, strict=True)]
    whole = total(counted)
    rows = [row(kind, whole.get(kind, Counts())) for kind in KINDS]
    overall = sum(whole.values(), Counts())
    low, high = bootstrap(counted)
    missed: dict[str, int] = {}
    for mutant, counts in zip(mutants, counted, strict=True):
        if mutant.label is not None and counts[mutant.label.type].missed:
            edit = f"{mutant.label.type}: {mutant.edit}"
            missed[edit] = missed.get(edit, 0) + 1
    scores = [r.f1 for r in rows if r.f1 is not None and r.recall.n]
    clean = [s for s, m in zip(said, mutants, strict=True) if m.label is None]
    return Checker(
        name=name,
        set=where,
        projects=len(mutants),
        clean=len(clean),
        clean_with_claims=sum(bool(s) for s in clean),
        f1=round(overall.f1 or 0.0, 4),
        f1_low=low,
        f1_high=high,
        macro_f1=round(sum(scores) / len(scores), 4) if scores else 0.0,
        tokens=round(sum(tokens) / len(mutants), 1),
        rows=(*rows, row("all", overall)),
        missed=dict(sorted(missed.items())),
    )


def row(name: str, counts: Counts) -> Row:
    """The figures of one type."""
    f1 = counts.f1
    return Row(
        type=name,
        right=counts.right,
        wrong=counts.wrong,
        missed=counts.missed,
        precision=rate(counts.right, counts.right + counts.wrong),
        recall=rate(counts.right, counts.right + counts.missed),
        f1=None if f1 is None else round(f1, 4),
    )


def rate(hits: int, n: int) -> Rate:
    """A share with its interval."""
    if not n:
        return Rate(None, None, None, 0)
    low, high = wilson(hits, n)
    return Rate(round(hits / n, 4), round(low, 4), round(high, 4), n)


def bootstrap(counted: Counted, seed: int = 0) -> tuple[float, float]:
    """A 95 % percentile interval of F1 over all types: projects are drawn with replacement."""
    rng = random.Random(seed)
    sums = [sum(c.values(), Counts()) for c in counted]
    drawn = sorted(
        sum(rng.choices(sums, k=len(sums)), Counts()).f1 or 0.0 for _ in range(RESAMPLES)
    )
    return round(drawn[int(0.025 * RESAMPLES)], 4), round(drawn[int(0.975 * RESAMPLES) - 1], 4)


def measure(
    where: str, bases: tuple[str, ...], pylint: bool, say: Callable[[str], None]
) -> list[Checker]:
    """Measure what needs no model on one set."""
    mutants = labelled(bases)
    found = [checker("rules", where, mutants, [by_rules(m) for m in mutants])]
    say(f"{where}: rules F1 {found[-1].f1}")
    if pylint:
        found.append(checker("pylint", where, mutants, by_pylint([m.project for m in mutants])))
        say(f"{where}: pylint F1 {found[-1].f1}")
    return found


async def measure_model(
    where: str, bases: tuple[str, ...], model: Model, say: Callable[[str], None]
) -> list[Checker]:
    """Measure rules with a model, and the model alone with as many tokens on each project."""
    mutants = labelled(bases)
    both, alone = [], []
    for number, mutant in enumerate(mutants, 1):
        both.append(await by_rules_and_model(mutant, model))
        alone.append(await by_model_alone(mutant.project, model, max(1, both[-1][1])))
        if number % 10 == 0:
            say(f"{where}: {number} of {len(mutants)} projects")
    return [
        checker(name, where, mutants, [s for s, _ in said], [t for _, t in said])
        for name, said in ((f"rules and {model.name}", both), (f"{model.name} alone", alone))
    ]


def main(arguments: Iterable[str] | None = None, path: Path = PATH) -> None:
    """Measure, print, and write the report."""
    parser = argparse.ArgumentParser(description="Seeded defects: the doctor beside others.")
    parser.add_argument("--model", help="judge with this model, and measure it alone")
    parser.add_argument("--no-pylint", action="store_true", help="leave pylint out")
    given = parser.parse_args(None if arguments is None else list(arguments))
    say = partial(print, flush=True)
    sets = (("developed on", BASES), ("held out", HELD_OUT))
    rows = [c for w, b in sets for c in measure(w, b, not given.no_pylint, say)]
    if given.model:
        from collegium.models import open_model

        async def ask() -> list[Checker]:
            model = open_model(given.model)
            try:
                return [c for w, b in sets for c in await measure_model(w, b, model, say)]
            finally:
                await model.aclose()

        rows += asyncio.run(ask())
    command = "python -m collegium.bench.doctor_mutants"
    command += f" --model {given.model}" if given.model else ""
    command += " --no-pylint" if given.no_pylint else ""
    report = {
        "command": command,
        "machine": machine(),
        "model": given.model,
        "seed": 0,
        "n": sum(len(labelled(bases)) for _, bases in sets),
        "paper": "agentable",
        "published": {"precision": 0.8879, "recall": 0.9103, "projects": 78},
        "reading": "A claim is right when its type and symbol are the label's. Of pylint's "
        "messages those count that the clean base does not have. Intervals: Wilson for shares, "
        "bootstrap over projects for F1. Where an edit can be made is found with the doctor's own "
        "graph.",
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    for c in rows:
        print(
            f"{c.name:28} {c.set:13} F1 {c.f1:.3f} ({c.f1_low:.3f} to {c.f1_high:.3f}), "
            f"macro {c.macro_f1:.3f}, claims on {c.clean_with_claims}/{c.clean} clean projects"
        )
    print(f"written to {path}")


if __name__ == "__main__":
    main()
