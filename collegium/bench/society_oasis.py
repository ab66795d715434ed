"""OASIS's platform, driven from outside; run by :mod:`collegium.bench.speed_society`.

It needs camel-oasis and nothing of collegium, so any Python that has that can run it:

    python -P society_oasis.py USERS FOLLOWS

Only the platform is loaded, unchanged: the agents and the embedding models around it are not needed
for scripted actions and the random recommender, and are replaced by empty modules. One JSON object
is written: rates of actions, and the seconds of an update of recommendations and of a refresh.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import random
import sys
import tempfile
import types
from importlib.metadata import version
from time import perf_counter
from typing import Any
from unittest.mock import MagicMock

UNUSED = (
    "camel", "camel.embeddings", "camel.types", "sentence_transformers", "sklearn",
    "sklearn.feature_extraction", "sklearn.feature_extraction.text", "sklearn.metrics",
    "sklearn.metrics.pairwise", "torch", "transformers",
)  # fmt: skip

POSTS_PER_USER = 0.01
REFRESHES = 20


def load() -> Any:
    """The class of the platform."""
    for name in UNUSED:
        sys.modules[name] = MagicMock()
    found = importlib.util.find_spec("oasis")
    assert found is not None
    assert found.submodule_search_locations
    package = types.ModuleType("oasis")  # without what its __init__ brings in
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["oasis"] = package
    return importlib.import_module("oasis.social_platform.platform").Platform


async def measure(users: int, follows: int) -> dict[str, float]:
    """Sign users up, let them post and like, update recommendations, refresh some feeds."""
    platform = load()(
        "oasis.db", recsys_type="random", refresh_rec_post_count=2, max_rec_post_len=2,
        following_post_count=3,
    )  # fmt: skip
    found: dict[str, float] = {}

    async def timed(name: str, count: int, act: Any) -> None:
        begin = perf_counter()
        for i in range(count):
            done = await act(i)
            assert done["success"], done
        found[name] = count / (perf_counter() - begin)

    await timed("sign_up", users, lambda i: platform.sign_up(i, (f"u{i}", f"user {i}", "")))
    lot = random.Random(7)
    pairs = [(i, lot.randrange(users), "0") for i in range(users) for _ in range(follows)]
    platform.db_cursor.executemany(
        "INSERT INTO follow (follower_id, followee_id, created_at) VALUES (?, ?, ?)", pairs
    )
    posts = min(users, max(500, int(users * POSTS_PER_USER)))
    await timed("post", posts, lambda i: platform.create_post(i, f"post number {i}"))
    await timed("like", posts, lambda i: platform.like_post(i, (i + 1) % posts + 1))
    begin = perf_counter()
    await platform.update_rec_table()
    found["recommend seconds"] = perf_counter() - begin
    begin = perf_counter()
    for i in range(REFRESHES):
        await platform.refresh(i * (users // REFRESHES))
    found["refresh seconds"] = (perf_counter() - begin) / REFRESHES
    return found


def main() -> None:
    """Measure one size."""
    users, follows = int(sys.argv[1]), int(sys.argv[2])
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # it prints where its database is
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.mkdir("log")
        found = asyncio.run(measure(users, follows))
        os.chdir("/")
    print(json.dumps({"version": version("camel-oasis"), **found}), file=answer, flush=True)


if __name__ == "__main__":
    main()
