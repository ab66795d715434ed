"""Whether a Game Master refuses what cannot be done: the same attempts with and without one.

Thirty attempts are physically impossible, thirty of the same people are ordinary: a master that
refuses everything would be no better than none. *Game Master*: the first question of the chain,
does it succeed. *No master*: the model that speaks for the player tells what happened, and is then
asked whether in its own telling the attempt succeeded. And the cost of observations: calls with one
per distinct audience against one per player. Run it with
``python -m collegium.bench.scene_grounding``.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.journal import Journal, write_report
from collegium.bench.machine import machine
from collegium.bench.statistics import mcnemar_exact, wilson
from collegium.kernel import Generate, Kernel, Reply
from collegium.models import Model, OnText, ScriptedModel, open_embedder, open_model
from collegium.society.scene import AssociativeMemory, Scene, player
from collegium.society.scene.document import Document

SEED = 7
PLAYERS, STEPS = 50, 2

ARMS = ("game master", "no master")


class Attempt(msgspec.Struct, frozen=True):
    """What somebody tries, and whether a person could do it."""

    text: str
    possible: bool


class _Attempts(msgspec.Struct, frozen=True):
    impossible: tuple[str, ...]
    possible: tuple[str, ...]


def attempts() -> list[Attempt]:
    """The sixty attempts."""
    data = Path(__file__).with_name("attempts.toml").read_bytes()
    found = msgspec.toml.decode(data, type=_Attempts)
    return [Attempt(t, False) for t in found.impossible] + [
        Attempt(t, True) for t in found.possible
    ]


async def refused(kernel: Kernel, attempt: Attempt, arm: str, number: int) -> bool | None:
    """Whether an attempt was refused; None when no answer could be read."""
    page = Document(kernel, "gm" if arm == ARMS[0] else "Ann", number, "game-master")
    page.statement("Ann is an ordinary person in an ordinary town of today.")
    page.statement(f"Ann attempts: {attempt.text}")
    if arm == ARMS[0]:
        success = await page.yes_no("success", "Does Ann succeed in this?")
    else:
        await page.open_question("tell", "Tell in one sentence what happened.")
        success = await page.yes_no("told", "Did Ann succeed, as you told it?")
    return None if success is None else not success


class GoesOn:
    """A model whose scenes never end by themselves: a small one may end them before they began."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._no = ScriptedModel(lambda request: '{"answer": "no"}')
        self.name, self.fingerprint, self.context = model.name, model.fingerprint, model.context

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """The model's answer, but "no" to whether the scene is over."""
        ends = ".terminate@" in request.agent
        return await (self._no if ends else self._model).generate(request, on_text)

    async def aclose(self) -> None:
        """Nothing: the model is its owner's to close."""


async def observations(
    kernel: Kernel, players: int, steps: int, *, batched: bool
) -> dict[str, int]:
    """Calls for observations in a scene where all are in two rooms."""
    names = [f"P{i}" for i in range(players)]
    embedder = open_embedder("hash")
    made = {n: player(n, kernel, AssociativeMemory(embedder)) for n in names}
    scene = Scene(
        kernel,
        made,
        AssociativeMemory(embedder, distinct=False),
        premise="A guild holds its yearly dinner in two rooms.",
        places={n: "hall" if i % 2 else "garden" for i, n in enumerate(names)},
        batched=batched,
    )
    await scene.run(steps)
    asked = [e.call.agent for e in kernel.trace.events]
    return {
        "observation calls": sum(".observe-" in a for a in asked),
        "calls": len(asked),
        "actions": len(scene.log),
    }


async def study(
    model: Model, journal: Journal, *, seed: int, players: int, steps: int, limit: int = 30
) -> dict[str, Any]:
    """Both parts, taking up what the journal holds.

    Args:
        model: Answers everything.
        journal: What is done.
        seed: Of every run.
        players: In the scene that counts observations; 0 leaves it out.
        steps: Of that scene.
        limit: Attempts of each kind.
    """
    chosen = [a for a in attempts() if not a.possible][:limit]
    chosen += [a for a in attempts() if a.possible][:limit]
    for arm in ARMS:
        for number, attempt in enumerate(chosen):
            key = f"{arm} {number}"
            if key not in journal:
                kernel = Kernel(model, seed=seed)
                journal.keep(key, await refused(kernel, attempt, arm, number))
    for batched in (True, False) if players else ():
        key = f"observations batched={batched}"
        if key not in journal:
            kernel = Kernel(GoesOn(model), seed=seed)
            journal.keep(key, await observations(kernel, players, steps, batched=batched))
    rows = []
    for arm in ARMS:
        for possible in (False, True):
            mine = [journal[f"{arm} {i}"] for i, a in enumerate(chosen) if a.possible == possible]
            count = sum(r is True for r in mine)
            low, high = wilson(count, len(mine))
            rows.append(
                {
                    "arm": arm,
                    "attempts": "possible" if possible else "impossible",
                    "n": len(mine),
                    "refused": count,
                    "unreadable": sum(r is None for r in mine),
                    "ci_low": round(low, 4),
                    "ci_high": round(high, 4),
                }
            )
    wrong = [i for i, a in enumerate(chosen) if not a.possible]
    only_master = sum(
        journal[f"{ARMS[0]} {i}"] is True and journal[f"{ARMS[1]} {i}"] is not True for i in wrong
    )
    only_none = sum(
        journal[f"{ARMS[1]} {i}"] is True and journal[f"{ARMS[0]} {i}"] is not True for i in wrong
    )
    found: dict[str, Any] = {
        "rows": rows,
        "impossible_only_master": only_master,
        "impossible_only_none": only_none,
        "p": mcnemar_exact(only_master, only_none),
    }
    if players:
        found["observations"] = {
            kind: journal[f"observations batched={batched}"]
            for kind, batched in (("per audience", True), ("per player", False))
        }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="local")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--limit", type=int, default=30, help="attempts of each kind")
    parser.add_argument("--players", type=int, default=PLAYERS, help="0: no count of observations")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--journal", type=Path, help="kept line by line, and taken up again")
    parser.add_argument("--out", type=Path, default=Path("results/society/grounding.json"))
    given = parser.parse_args(arguments)
    settings = {"seed": given.seed, "limit": given.limit, "players": given.players,
                "steps": given.steps}  # fmt: skip
    journal = Journal(given.journal, {"model": given.model, **settings})

    async def run() -> dict[str, Any]:
        model = open_model(given.model, exact=True)
        try:
            return await study(model, journal, **settings)
        finally:
            await model.aclose()

    found = asyncio.run(run())
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    about = {
        "command": f"python -m collegium.bench.scene_grounding --model {given.model} {options}",
        "machine": machine(),
        "model": given.model,
    }
    write_report(given.out, about | settings | found)
    for r in found["rows"]:
        print(f"{r['arm']:12} {r['attempts']:10} refused {r['refused']}/{r['n']}")
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
