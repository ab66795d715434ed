"""The comparison with Gymnasium's vectors runs, small, and keeps ratios alone."""

import json
from pathlib import Path

import pytest

from collegium.bench.speed_worlds import GAME, OURS, main, plain_env, scripts
from collegium.worlds.text import kind

pytest.importorskip("gymnasium")


def test_it_runs_small_and_writes_ratios(tmp_path: Path) -> None:
    out = tmp_path / "worlds.json"
    main(["--worlds", "3", "--moves", "4", "--repeats", "1", "--out", str(out)])
    report = json.loads(out.read_text())
    rows = {row["name"]: row for row in report["rows"]}
    assert set(rows) == {
        OURS, "collegium, one by one", "collegium, by its tools", "gymnasium SyncVectorEnv",
        "gymnasium AsyncVectorEnv",
    }  # fmt: skip
    assert all(set(row) == {"name", "worlds", "moves", "ratio"} for row in rows.values())
    assert all(row["ratio"] > 0 and row["moves"] == 12 for row in rows.values())
    assert "--worlds 3" in report["command"]


async def test_all_play_the_same_game() -> None:
    (moves,) = scripts(GAME, 1, 12)
    env = plain_env(GAME, 0)
    world = kind(GAME).world("train", 0)
    assert env.reset()[0] == await world.reset(0)
    for move in moves:
        turn = await world.step(move)
        assert env.step(move)[:3] == (turn.observation, turn.reward, turn.done)
