"""The commands ``taxonomy`` that run something: what breaks without whom, and the ladder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast, get_args

from rich.text import Text

from collegium.commands.run import read_task
from collegium.commands.show import clean, console, excerpt, print_json, print_table, table
from collegium.commands.weights import fetch_weights
from collegium.errors import unknown_name
from collegium.models import open_model
from collegium.systems.system import parse_system
from collegium.tasks.task import AnswerKind


def breaks(
    system: str,
    task: str,
    model: str,
    answer: str,
    choices: list[str],
    seed: int | None,
    as_json: bool,
) -> None:
    """Run a system whole and without each of its agents; print what became of each run.

    Raises:
        CollegiumError: Something is wrong, or the model could not answer the whole team.
    """
    from collegium.bench.taxonomy import removals

    if answer not in get_args(AnswerKind):
        raise unknown_name("kind of answer", answer, get_args(AnswerKind))
    chosen, parameters = parse_system(system)
    asked = read_task(task, cast(AnswerKind, answer), choices)
    fetch_weights([model])

    async def play():
        opened = open_model(model)
        try:
            return await removals(chosen, asked, opened, parameters, seed=seed)
        finally:
            await opened.aclose()

    found = asyncio.run(play())
    if as_json:
        print_json(found)
        return
    made = table("without", "in messages", "answer", "fails by", right=("in messages",))
    for one in found:
        share = f"{one.share:.0%}" if one.agent else ""
        failed = Text(one.failure or "-", style="bold red" if one.failure else "green")
        shown = excerpt(clean(str(one.answer))) if not one.failure else clean(one.why)
        made.add_row(one.agent or "nobody", share, shown, failed)
    print_table(made, console())


def ladder(document: str, model: str, tokens: int, seed: int, as_json: bool) -> None:
    """Make one article three ways; print quality and cost of each.

    Raises:
        CollegiumError: The file cannot be used, or the model could not answer.
    """
    from collegium.bench.taxonomy.ladder import climb

    fetch_weights([model])

    async def play():
        opened = open_model(model)
        try:
            return await climb(Path(document), opened, tokens=tokens, seed=seed)
        finally:
            await opened.aclose()

    found = asyncio.run(play())
    if as_json:
        print_json(found)
        return
    heads = ("true to it", "facts kept", "calls", "tokens", "seconds")
    made = table("paradigm", "seen as", *heads, "failed", right=heads)
    out = console()
    for rung in found:
        quality = [f"{q:.0%}" if q is not None else "-" for q in (rung.supported, rung.kept)]
        cost = [str(rung.calls), f"{rung.tokens:,}", f"{rung.seconds:.1f}"]
        made.add_row(rung.paradigm, rung.seen, *quality, *cost, rung.failure or "no")
    print_table(made, out)
    for rung in found:
        if rung.article:
            out.print()
            out.print(Text(rung.paradigm, style="bold"))
            out.print(clean(rung.article), soft_wrap=True)


__all__ = ["breaks", "ladder"]
