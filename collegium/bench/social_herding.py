"""Herding: whether a first vote on a comment moves those that follow.

Each comment of OASIS's set has a post, and a first vote that was set: up, down, or none. Personas
read post, comment and its score, and like it, dislike it, or leave it. Every comment is rated by
the same number of personas, one after the other, each seeing the score that the others left. The
final score, and what was added to the first vote, are compared between groups with a bootstrap
interval. With ``--paired`` every comment gets each of the three first votes, and differences are
within comments. It reads the data of a checkout of camel-ai/oasis:
``python -m collegium.bench.social_herding --data oasis/data``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from collegium.bench.journal import Journal, write_report
from collegium.bench.machine import machine
from collegium.bench.oasis_data import Rated, rated
from collegium.errors import BadInput
from collegium.kernel import Agent, Kernel, Unparsed
from collegium.models import Model, open_model

FIRST = {"up": 1, "control": 0, "down": -1}
RATERS = 6
SEED = 7
RESAMPLES = 5000

Vote = Literal["like", "dislike", "nothing"]
WORTH = {"like": 1, "dislike": -1, "nothing": 0}


async def rate(
    item: Rated, first: int, personas: Sequence[str], model: Model, *, raters: int, seed: int,
    number: int,
) -> dict[str, Any]:  # fmt: skip
    """Let some personas rate a comment, one after the other.

    Args:
        item: The comment.
        first: The first vote, which is there already.
        personas: Who may rate.
        model: Speaks for them.
        raters: How many do.
        seed: Of the run.
        number: Of the comment: who rates it does not depend on its first vote.
    """
    kernel = Kernel(model, seed=seed)
    who = random.Random(f"{seed} {number}").sample(range(len(personas)), raters)
    score, unreadable = first, 0
    for turn, user in enumerate(who):
        agent = Agent(kernel, f"rater-{turn}@{number}", role="user", profile=personas[user])
        reply = await agent.ask(
            f"A post: {item.post}\n\nA comment on it: {item.comment}\n"
            f"The comment has a score of {score} (likes minus dislikes).\n\n"
            "What do you do with the comment?",
            output=Vote,  # type: ignore[arg-type]
            temperature=0.7,
            max_tokens=24,
        )
        vote: Any = reply.data
        if isinstance(vote, Unparsed):
            unreadable += 1
        else:
            score += WORTH[vote]
    return {"final": score, "added": score - first, "unreadable": unreadable}


async def study(
    items: Sequence[Rated],
    personas: Sequence[str],
    model: Model,
    journal: Journal,
    *,
    raters: int = RATERS,
    seed: int = SEED,
    paired: bool = False,
) -> dict[str, Any]:
    """All comments; what the journal holds is not asked again.

    Args:
        items: The comments.
        personas: Who may rate.
        model: Speaks for them.
        journal: What is done.
        raters: Personas that rate each comment.
        seed: Of the run.
        paired: Whether each comment gets each of the first votes.

    Raises:
        BadInput: There are fewer personas than raters.
    """
    if not 1 <= raters <= len(personas):
        raise BadInput(f"between 1 and {len(personas)} personas rate a comment, not {raters}.")
    for number, item in enumerate(items):
        for group in FIRST if paired else (item.group,):
            key = f"{number} {group}"
            if key not in journal:
                one = await rate(
                    item, FIRST[group], personas, model, raters=raters, seed=seed, number=number
                )
                journal.keep(key, one)
    found: dict[str, dict[int, dict[str, Any]]] = {
        group: {n: journal[f"{n} {group}"] for n in range(len(items)) if f"{n} {group}" in journal}
        for group in FIRST
    }
    rows = [
        {
            "group": group,
            "n": len(made),
            "final": round(statistics.mean(m["final"] for m in made.values()), 4),
            "added": round(statistics.mean(m["added"] for m in made.values()), 4),
            "unreadable": sum(m["unreadable"] for m in made.values()),
        }
        for group, made in found.items()
        if made
    ]
    differences = [
        difference(found[group], found["control"], what, seed, paired)
        | {"group": group, "against": "control", "what": what}
        for group in ("up", "down")
        for what in ("final", "added")
        if found[group] and found["control"]
    ]
    return {"rows": rows, "differences": differences}


def difference(
    a: dict[int, dict[str, Any]], b: dict[int, dict[str, Any]], what: str, seed: int, paired: bool
) -> dict[str, float]:
    """Mean of a group minus that of another, with a 95 % bootstrap interval over comments."""
    draw = random.Random(seed)
    ours, theirs = [m[what] for m in a.values()], [m[what] for m in b.values()]
    if paired:
        within = [a[n][what] - b[n][what] for n in a]
        samples = [statistics.fmean(draw.choices(within, k=len(within))) for _ in range(RESAMPLES)]
        mean = statistics.fmean(within)
    else:
        samples = [
            statistics.fmean(draw.choices(ours, k=len(ours)))
            - statistics.fmean(draw.choices(theirs, k=len(theirs)))
            for _ in range(RESAMPLES)
        ]
        mean = statistics.fmean(ours) - statistics.fmean(theirs)
    samples.sort()
    low, high = samples[int(0.025 * RESAMPLES)], samples[int(0.975 * RESAMPLES) - 1]
    return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data of a checkout of oasis")
    parser.add_argument("--model", default="local-small")
    parser.add_argument("--raters", type=int, default=RATERS, help="personas per comment")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--limit", type=int, default=0, help="comments; 0: all")
    parser.add_argument("--paired", action="store_true", help="each comment with each first vote")
    parser.add_argument("--journal", type=Path, help="kept line by line, and taken up again")
    parser.add_argument("--out", type=Path, default=Path("results/society/herding.json"))
    given = parser.parse_args(arguments)
    settings = {"raters": given.raters, "seed": given.seed, "paired": given.paired}
    about = {"model": given.model, "limit": given.limit}
    journal = Journal(given.journal, about | settings)
    items, personas = rated(given.data)
    items = items[: given.limit] if given.limit else items

    async def measured() -> dict[str, Any]:
        model = open_model(given.model, exact=True)
        try:
            return await study(items, personas, model, journal, **settings)
        finally:
            await model.aclose()

    found = asyncio.run(measured())
    command = f"python -m collegium.bench.social_herding --data DATA --model {given.model}"
    options = f"--raters {given.raters} --seed {given.seed} --limit {given.limit}"
    facts = {
        "command": f"{command} {options}{' --paired' if given.paired else ''}",
        "machine": machine(),
    }
    write_report(given.out, facts | about | settings | found)
    for r in found["rows"]:
        print(f"{r['group']:8} n {r['n']:3}  final {r['final']:+.2f}  added {r['added']:+.2f}")
    for d in found["differences"]:
        print(f"{d['group']} - control, {d['what']}: {d['mean']:+.2f} [{d['low']}, {d['high']}]")
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
