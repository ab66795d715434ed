"""A real rumour, simulated: which recommender makes it spread as it did.

The users around one real cascade, with whom they follow, see its first post on the platform; who
reposts is up to archetypes of a language model, or to each user's own (``--users thinking``). The
same users, seeds and questions meet three feeds: X's recommender, a random one, and none. Scale,
depth and breadth over 150 minutes are compared with the real curves by root mean squared error over
the real maximum. It reads the data of a checkout of camel-ai/oasis:
``python -m collegium.bench.social_cascade --data oasis/data``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collegium.bench.journal import Journal, write_report
from collegium.bench.machine import machine
from collegium.bench.oasis_data import CASCADE, Rumour, rumour
from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import Model, open_embedder, open_model
from collegium.society.engine import Society
from collegium.society.social import Platform, cascade_of, over_time, social_model
from collegium.society.social.build import social_archetypes
from collegium.society.social.cascades import normalised_rmse
from collegium.society.social.tables import empty_state
from collegium.society.social.users import TOPICS
from collegium.society.state import Array, State

RECOMMENDERS = ("x", "random", "none")
SEEDS = 5
STEPS, MINUTES = 50, 3
ACTIVITY = 0.1
"""How likely a user wakes up in three minutes."""


async def nearest_topic(texts: Sequence[str], embedder: Any) -> Array:
    """The topic that each text is most like."""
    named = await embedder.embed([f"Interested in {topic}." for topic in TOPICS])
    given = await embedder.embed(list(texts))
    return np.argmax(np.asarray(given) @ np.asarray(named).T, axis=1)


def platform_of(data: Rumour, topics: Array, about: int, activity: float) -> State:
    """The users, whom they follow, and the first post.

    Args:
        data: The rumour.
        topics: The topic of each user.
        about: The topic of the post.
        activity: How likely a user wakes up in a step.
    """
    state = empty_state()
    state.values["activity"] = [[activity] * 24]
    state.texts["bio"] = list(dict.fromkeys(data.bios))
    bio = np.array([state.texts["bio"].index(b) for b in data.bios], np.int32)
    made = Platform(state)
    made.sign_up(len(data.bios), topic=topics.astype(np.uint16), bio=bio)
    pairs = np.array(data.follows, np.int64).reshape(-1, 2)
    made.follow(pairs[:, 0], pairs[:, 1])
    made.create_post(np.array([data.source]), np.array([made.text(data.text)]), about)
    return state


async def spread(
    data: Rumour,
    recommender: str,
    seed: int,
    model: Model,
    *,
    thinking: bool,
    activity: float,
    steps: int,
    embedder: str,
) -> dict[str, Any]:
    """One run: the curves of the cascade, step by step, and the questions that were asked."""
    topics = await nearest_topic([*data.bios, data.text], open_embedder(embedder))
    state = platform_of(data, topics[:-1], int(topics[-1]), activity)
    if thinking:
        state.agents["thinks"][:] = 1
    groups = None if thinking else social_archetypes(("topic",))
    kernel = Kernel(model, seed=seed)
    made = Society(
        social_model(recommender, archetypes=groups, embedder=embedder),  # type: ignore[arg-type]
        state, seed=seed, kernel=kernel,
    )  # fmt: skip
    await made.run(steps)
    return {"curves": over_time(cascade_of(state, 0), steps), "calls": kernel.meter.calls}


async def study(
    data: Rumour,
    model: Model,
    journal: Journal,
    *,
    seeds: int,
    thinking: bool = False,
    activity: float = ACTIVITY,
    steps: int = STEPS,
    embedder: str = "minilm",
) -> dict[str, Any]:
    """All recommenders and seeds; what the journal holds is not run again.

    Args:
        data: The rumour.
        model: Speaks for the users.
        journal: What is done.
        seeds: How many runs of each.
        thinking: Whether every user thinks by itself.
        activity: How likely a user wakes up in a step.
        steps: Of three minutes.
        embedder: Turns texts into vectors.
    """
    if min(map(len, data.real.values())) <= steps * MINUTES:
        raise BadInput(f"the real curves end before minute {steps * MINUTES}.")
    real = {n: [v[t * MINUTES] for t in range(steps + 1)] for n, v in data.real.items()}
    rows = []
    for recommender in RECOMMENDERS:
        made = []
        for seed in range(seeds):
            key = f"{recommender} {seed}"
            if key not in journal:
                one = await spread(
                    data, recommender, seed, model, thinking=thinking, activity=activity,
                    steps=steps, embedder=embedder,
                )  # fmt: skip
                journal.keep(key, one)
            made.append(journal[key])
        row: dict[str, Any] = {"recommender": recommender, "seeds": seeds}
        for name, curve in real.items():
            errors = [normalised_rmse(m["curves"][name], curve) for m in made]
            row[name] = {
                "rmse": round(statistics.mean(errors), 4),
                "lowest": round(min(errors), 4),
                "highest": round(max(errors), 4),
                "last": round(statistics.mean(m["curves"][name][-1] for m in made), 2),
            }
        row["calls"] = sum(m["calls"] for m in made)
        rows.append(row)
    return {"rows": rows, "real_last": {name: curve[-1] for name, curve in real.items()}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data of a checkout of oasis")
    parser.add_argument("--model", default="local-small")
    parser.add_argument("--users", choices=("archetypes", "thinking"), default="archetypes")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--activity", type=float, default=ACTIVITY)
    parser.add_argument("--journal", type=Path, help="kept run by run, and taken up again")
    parser.add_argument("--out", type=Path, default=Path("results/society/cascade.json"))
    given = parser.parse_args(arguments)
    settings = {"seeds": given.seeds, "activity": given.activity}
    about = {"model": given.model, "users": given.users, "cascade": CASCADE}
    journal = Journal(given.journal, about | settings)
    data = rumour(given.data)

    async def measured() -> dict[str, Any]:
        model = open_model(given.model, exact=True)
        try:
            return await study(data, model, journal, thinking=given.users == "thinking", **settings)
        finally:
            await model.aclose()

    found = asyncio.run(measured())
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    command = f"python -m collegium.bench.social_cascade --data DATA --model {given.model}"
    facts = {"command": f"{command} --users {given.users} {options}", "machine": machine()}
    write_report(given.out, facts | about | settings | found)
    for r in found["rows"]:
        print(
            f"{r['recommender']:7} RMSE scale {r['scale']['rmse']:.3f} depth "
            f"{r['depth']['rmse']:.3f} breadth {r['breadth']['rmse']:.3f}  {r['calls']} calls"
        )
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
