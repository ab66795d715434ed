"""Polarisation: whether opinions become more extreme where people read each other.

A writer may give up safe success for a risky novel. Users of OASIS's group say from what chance of
success on, 1 to 9 in 10, they would advise to dare it. An opinion is the mean of what the model
could have said, by its log-probabilities: a single answer is one of nine numbers, and small changes
would not show in it. Between rounds they think and act on the
platform: *together*, with feeds of what the others post; *alone*, with feeds that are empty. The
opinions are numbers, so nobody has to judge which of two texts is more extreme: extremity is the
distance from the middle, 5. What changed from the first round to the last is compared between the
two with a bootstrap interval over users. It reads the data of a checkout of camel-ai/oasis:
``python -m collegium.bench.social_polarisation --data oasis/data``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collegium.bench.journal import Journal, write_report
from collegium.bench.machine import machine
from collegium.bench.oasis_data import Group, group
from collegium.kernel import Agent, Kernel, gather
from collegium.models import Model, open_model
from collegium.society import checkpoint
from collegium.society.archetypes import ALTERNATIVES, read_distribution
from collegium.society.engine import Society
from collegium.society.social import Platform, social_model
from collegium.society.social.behaviour import MEMORY
from collegium.society.social.feeds import in_network
from collegium.society.social.tables import empty_state
from collegium.society.state import State

SEED = 7
USERS, ROUNDS, STEPS = 40, 4, 10
ACTIVITY = 0.3
MIDDLE = 5.0
RESAMPLES = 5000

ARMS = ("together", "alone")

DILEMMA = (
    "A writer lives well on light novels that sell. She has the idea for a serious novel: it could "
    "be her great work, or cost her years and bring in nothing. What should she do?"
)

CHANCES = tuple("123456789")


def platform_of(people: Group, arm: str) -> State:
    """The users, whom they follow, and the dilemma as a first post by the most followed.

    Args:
        people: Who takes part.
        arm: "alone" leaves the follows out, so that feeds are empty.
    """
    state = empty_state()
    state.values["activity"] = [[ACTIVITY] * 24]
    state.texts["bio"] = list(people.personas)
    count = len(people.personas)
    made = Platform(state)
    made.sign_up(count, bio=np.arange(count, dtype=np.int32), thinks=1)
    if arm == "together" and people.follows:
        pairs = np.array(people.follows, np.int64)
        made.follow(pairs[:, 0], pairs[:, 1])
        first = int(np.argmax(state.agents["followers"]))
        made.create_post(np.array([first]), np.array([made.text(DILEMMA)]))
    return state


async def opinions(society: Society, people: Group, number: int) -> list[float | None]:
    """What every user thinks now; None where no number could be read. It changes nothing."""
    kernel, platform = society.kernel, Platform(society.state)
    assert kernel is not None
    everybody = np.arange(len(people.personas))
    feed = in_network(platform, everybody)
    texts, table = society.state.texts["text"], platform.posts

    async def one(user: int) -> float | None:
        said = society.state.values.get("memory", {}).get(str(user), [])[-MEMORY:]
        read = [texts[int(table["text"][p])] for p in feed[user].tolist() if p >= 0]
        about = "\n".join([*(f"You read: {text}" for text in read), *said])
        agent = Agent(
            kernel, f"opinion-{user}@{number}", role="user", profile=people.personas[user]
        )
        reply = await agent.ask(
            f"{about}\n\n{DILEMMA}\nShe should dare it if the chance of success is at least how "
            "many in 10? 1 means: dare it even then. 9 means: only if it is nearly certain. Answer "
            "with one number from 1 to 9.",
            max_tokens=4,
            logprobs=ALTERNATIVES,
        )
        found = read_distribution(reply, CHANCES)
        return None if found is None else round(float(found @ np.arange(1, 10)), 4)

    return await gather(*(one(user) for user in everybody.tolist()))


async def arm_of(
    people: Group, arm: str, model: Model, journal: Journal, folder: Path | None, *, rounds: int,
    steps: int, seed: int,
) -> list[list[float | None]]:  # fmt: skip
    """The opinions of one arm, round by round; taken up where it was cut off."""
    kernel = Kernel(model, seed=seed)
    states = folder / arm if folder is not None else None
    state, t, curves = platform_of(people, arm), 0, None
    if states is not None and checkpoint.current(states) is not None:
        saved, state = checkpoint.load(states)
        t, curves = saved.t, saved.curves
    recommender = "none"  # feeds hold what followees post
    society = Society(
        social_model(recommender), state, seed=seed, kernel=kernel, t=t, curves=curves
    )
    found = []
    for number in range(rounds + 1):
        key = f"{arm} {number}"
        if key not in journal:
            if society.t < number * steps:
                await society.run(number * steps - society.t)
                if states is not None:
                    checkpoint.save(society, states)
            journal.keep(key, await opinions(society, people, number))
        found.append(journal[key])
    return found


async def study(
    people: Group, model: Model, journal: Journal, folder: Path | None = None, *, rounds: int,
    steps: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Both arms.

    Args:
        people: Who takes part.
        model: Thinks for them.
        journal: What is done.
        folder: Where the platforms are kept between rounds; None: nowhere.
        rounds: How often opinions are asked for after the first time.
        steps: Steps of the platform between rounds.
        seed: Of the run.
    """
    made = {
        arm: await arm_of(
            people, arm, model, journal, folder, rounds=rounds, steps=steps, seed=seed
        )
        for arm in ARMS
    }
    rows = []
    for arm, asked in made.items():
        for number, answers in enumerate(asked):
            read = [a for a in answers if a is not None]
            rows.append(
                {
                    "arm": arm,
                    "round": number,
                    "n": len(read),
                    "unreadable": len(answers) - len(read),
                    "mean": round(statistics.fmean(read), 3) if read else None,
                    "extremity": round(statistics.fmean(abs(a - MIDDLE) for a in read), 3)
                    if read
                    else None,
                    "deviation": round(statistics.pstdev(read), 3) if read else None,
                }
            )
    changes = {arm: _changes(asked) for arm, asked in made.items()}
    both = sorted(set(changes["together"]) & set(changes["alone"]))
    extra = [changes["together"][u] - changes["alone"][u] for u in both]
    return {
        "rows": rows,
        "change": {arm: interval(list(c.values()), seed) for arm, c in changes.items()},
        "together_minus_alone": interval(extra, seed),
    }


def _changes(asked: Sequence[Sequence[float | None]]) -> dict[int, float]:
    """By user, how much more extreme the last opinion is than the first."""
    found = {}
    for user, (first, last) in enumerate(zip(asked[0], asked[-1], strict=True)):
        if first is not None and last is not None:
            found[user] = abs(last - MIDDLE) - abs(first - MIDDLE)
    return found


def interval(values: Sequence[float], seed: int) -> dict[str, float] | None:
    """Mean with a 95 % bootstrap interval; None where nothing could be read."""
    if not values:
        return None
    draw = random.Random(seed)
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return {
        "n": len(values),
        "mean": round(statistics.fmean(values), 4),
        "low": round(means[int(0.025 * RESAMPLES)], 4),
        "high": round(means[int(0.975 * RESAMPLES) - 1], 4),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data of a checkout of oasis")
    parser.add_argument("--model", default="local-small")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--steps", type=int, default=STEPS, help="between rounds")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--journal", type=Path, help="kept round by round, and taken up again")
    parser.add_argument("--out", type=Path, default=Path("results/society/polarisation.json"))
    given = parser.parse_args(arguments)
    settings = {"rounds": given.rounds, "steps": given.steps, "seed": given.seed}
    about = {"model": given.model, "users": given.users}
    journal = Journal(given.journal, about | settings)
    folder = given.journal.with_suffix(".states") if given.journal else None
    people = group(given.data, given.users)

    async def measured() -> dict[str, Any]:
        model = open_model(given.model, exact=True)
        try:
            return await study(people, model, journal, folder, **settings)
        finally:
            await model.aclose()

    found = asyncio.run(measured())
    command = f"python -m collegium.bench.social_polarisation --data DATA --model {given.model}"
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    facts = {"command": f"{command} --users {given.users} {options}", "machine": machine()}
    write_report(given.out, facts | about | settings | found)
    for r in found["rows"]:
        print(f"{r['arm']:9} round {r['round']}  mean {r['mean']}  extremity {r['extremity']}")
    print(f"together minus alone: {found['together_minus_alone']}")
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
