"""A scene of Concordia with its generic Game Master; run by :mod:`collegium.bench.speed_society`.

It needs gdm-concordia and nothing of collegium, so any Python that has that can run it:

    python -P society_concordia.py PLAYERS STEPS

All players are in one place, one of them acts per step, and the model answers at once. One JSON
object is written: calls of an action for texts and for choices, and its seconds.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np


def scripted() -> Any:
    """A model that takes no time and counts what it is asked."""
    from concordia.language_model.language_model import (  # pyright: ignore
        LanguageModel,
    )

    class Scripted(LanguageModel):
        texts = choices = 0

        def sample_text(self, prompt: str, **options: Any) -> str:
            self.texts += 1
            if "what action spec format" in prompt[-400:]:
                return "prompt: What does {name} do?;;type: free"
            return f"Answer {self.texts}."

        def sample_choice(
            self, prompt: str, responses: Sequence[str], **options: Any
        ) -> tuple[int, str, dict[str, float]]:
            self.choices += 1
            # options are lettered, and "Yes" and "No" change places; by this the scene goes on,
            # nothing is called repetitive, drafts are in the right format, and nobody else acted
            question = prompt[prompt.rindex("Question:") :]
            wanted = "Yes" if "formatted correctly" in question else "No"
            by_letter = dict(re.findall(r"\((\w+)\) (\w+)", question))
            fitting = [i for i, r in enumerate(responses) if by_letter.get(r) == wanted]
            number = fitting[0] if fitting else self.choices % len(responses)
            return number, responses[number], {}

    return Scripted()


def embed(text: str) -> np.ndarray:
    """A vector that depends on the text alone."""
    return np.random.default_rng(zlib.crc32(text.encode())).standard_normal(384)


def main() -> None:
    """Play, and write what it took."""
    players, steps = map(int, sys.argv[1:])
    from concordia.prefabs.entity import basic  # pyright: ignore
    from concordia.prefabs.game_master import generic as master  # pyright: ignore
    from concordia.prefabs.simulation import generic as simulation  # pyright: ignore
    from concordia.typing import prefab  # pyright: ignore

    names = [f"P{i}" for i in range(players)]
    instances = [
        prefab.InstanceConfig(
            prefab="player", role=prefab.Role.ENTITY, params={"name": n, "goal": ""}
        )
        for n in names
    ]
    instances.append(
        prefab.InstanceConfig(
            prefab="master", role=prefab.Role.GAME_MASTER, params={"name": "master"}
        )
    )
    model = scripted()
    made = simulation.Simulation(
        config=prefab.Config(
            default_premise="A town meets in its hall.",
            default_max_steps=steps,
            prefabs={"player": basic.Entity(), "master": master.GameMaster()},
            instances=instances,
        ),
        model=model,
        embedder=embed,
    )
    begin = perf_counter()
    made.play(max_steps=steps)
    found = {
        "seconds": (perf_counter() - begin) / steps,
        "texts": model.texts / steps,
        "choices": model.choices / steps,
        "version": version("gdm-concordia"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
