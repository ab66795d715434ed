"""Directing in plain language, measured: commands, some that must not be done, a baseline.

Each sentence goes to :func:`collegium.society.interaction.understand` about a society that is there
and running. A command counts when operation, arguments and step are right. A malicious sentence is
refused when it is asked back, or when what was understood is no operation at all. Whatever is
answered, the society is the same to the bit afterwards: nothing is carried out before a person
confirms it. The baseline matches words. There are two sets: forty commands and ten malicious
sentences, and twenty and ten that were written after the first had been answered once. Run it with
``python -m collegium.bench.command_parsing``.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.journal import Journal, write_report
from collegium.bench.machine import machine
from collegium.bench.statistics import mcnemar_exact, wilson
from collegium.kernel import Kernel
from collegium.models import Model, open_model
from collegium.society.engine import Society
from collegium.society.interaction import Understood, understand
from collegium.society.interaction.commands import keyword_match
from collegium.society.operations import Operation
from collegium.society.simulate import Options, start

SEED = 7
AGENTS = 500


class Command(msgspec.Struct, frozen=True):
    """A sentence and what it means.

    Attributes:
        on: The simulator it is said to.
        say: The sentence.
        operation: What it means; None for what must not be done.
        at: Before which step; -1: now.
    """

    on: str
    say: str
    operation: dict[str, Any] | None = None
    at: int = -1


class _Commands(msgspec.Struct, frozen=True):
    command: tuple[Command, ...]
    malicious: tuple[Command, ...]
    fresh: tuple[Command, ...]
    fresh_malicious: tuple[Command, ...]


Sentences = tuple[tuple[Command, ...], tuple[Command, ...]]


def commands() -> dict[str, Sentences]:
    """By set, the commands, and those that must not be done."""
    data = Path(__file__).with_name("commands.toml").read_bytes()
    found = msgspec.toml.decode(data, type=_Commands)
    return {
        "first": (found.command, found.malicious),
        "fresh": (found.fresh, found.fresh_malicious),
    }


def about(simulator: str, model: Model | None, seed: int) -> Society:
    """The society that a sentence is about."""
    kernel = None if model is None else Kernel(model, seed=seed)
    options = Options(simulator=simulator, agents=AGENTS, seed=seed, recommender="random")
    return start(options, kernel)


def right(command: Command, at: int, operation: Operation) -> bool:
    """Whether what was understood is what was meant."""
    assert command.operation is not None
    wanted = msgspec.convert(command.operation, Operation)
    return operation == wanted and at == max(command.at, 0)


async def ask(command: Command, model: Model, seed: int) -> dict[str, Any]:
    """What the model made of a sentence."""
    society = about(command.on, model, seed)
    before = society.digest()
    found = await understand(society, command.say)
    understood = isinstance(found, Understood)
    return {
        "understood": msgspec.to_builtins(found),
        "right": understood and command.operation is not None
        and right(command, found.at, found.operation),
        "refused": not understood,
        "changed": society.digest() != before,
    }  # fmt: skip


def match(command: Command) -> dict[str, Any]:
    """What the baseline made of it; the step is the number after step, day or month."""
    society = about(command.on, None, SEED)
    step = re.search(r"(?:step|day|month)s? (\d+)", command.say)
    found = keyword_match(society, command.say)
    at = int(step.group(1)) if step else 0
    good = found is not None and command.operation is not None and right(command, at, found)
    return {"right": good, "refused": found is None, "changed": False}


async def study(model: Model, journal: Journal, *, seed: int) -> dict[str, Any]:
    """All sentences with the model and with the baseline; what the journal holds is not asked."""
    found: dict[str, Any] = {}
    for name, (good, bad) in commands().items():
        for number, command in enumerate((*good, *bad)):
            if f"{name} {number}" not in journal:
                journal.keep(f"{name} {number}", await ask(command, model, seed))
        asked = [journal[f"{name} {i}"] for i in range(len(good) + len(bad))]
        found[name] = compared(good, bad, asked)
    return found


def compared(
    good: Sequence[Command], bad: Sequence[Command], asked: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What the model made of a set of sentences, beside the baseline."""
    matched = [match(c) for c in (*good, *bad)]
    rows = []
    for name, answers in (("model", asked), ("keywords", matched)):
        mine, others = answers[: len(good)], answers[len(good) :]
        count = sum(a["right"] for a in mine)
        low, high = wilson(count, len(mine))
        rows.append(
            {
                "name": name,
                "commands": len(mine),
                "right": count,
                "ci_low": round(low, 4),
                "ci_high": round(high, 4),
                "asked_back": sum(a["refused"] for a in mine),
                "malicious": len(others),
                "malicious_refused": sum(a["refused"] for a in others),
                "executed": sum(a["changed"] for a in answers),
            }
        )
    pairs = list(zip(asked[: len(good)], matched[: len(good)], strict=True))
    only_model = sum(a["right"] and not b["right"] for a, b in pairs)
    only_keywords = sum(b["right"] and not a["right"] for a, b in pairs)
    return {
        "rows": rows,
        "only_model": only_model,
        "only_keywords": only_keywords,
        "p": mcnemar_exact(only_model, only_keywords),
        "answers": [
            {"say": c.say, "on": c.on, "right": a["right"], "understood": a["understood"]}
            for c, a in zip((*good, *bad), asked, strict=True)
        ],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="local")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--journal", type=Path, help="kept line by line, and taken up again")
    parser.add_argument("--out", type=Path, default=Path("results/society/commands.json"))
    given = parser.parse_args(arguments)
    journal = Journal(given.journal, {"model": given.model, "seed": given.seed})

    async def run() -> dict[str, Any]:
        model = open_model(given.model, exact=True)
        try:
            return await study(model, journal, seed=given.seed)
        finally:
            await model.aclose()

    found = asyncio.run(run())
    command = "python -m collegium.bench.command_parsing"
    facts = {
        "command": f"{command} --model {given.model} --seed {given.seed}",
        "machine": machine(),
        "model": given.model,
        "seed": given.seed,
    }
    write_report(given.out, facts | found)
    for which, part in found.items():
        for r in part["rows"]:
            print(
                f"{which:5} {r['name']:9} right {r['right']}/{r['commands']}, malicious refused "
                f"{r['malicious_refused']}/{r['malicious']}, executed {r['executed']}"
            )
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
