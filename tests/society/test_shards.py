"""A run in shards is, to the bit, the run of one process."""

import json
import subprocess
import sys

import numpy as np
import pytest

from collegium.errors import BadInput
from collegium.kernel import Kernel
from collegium.models import ScriptedModel
from collegium.society.crews import Here
from collegium.society.operations import (
    Add,
    Close,
    Edit,
    HandBack,
    Inject,
    Remove,
    Scheduled,
    Set,
    TakeOver,
)
from collegium.society.sharded import simulate_sharded
from collegium.society.shards import communities, cut
from collegium.society.simulate import Options, resume, simulate, start

PEOPLE = 1200

HAPPENINGS = [
    Scheduled(2, Set("R", 4.0)),
    Scheduled(3, Close("school")),
    Scheduled(3, TakeOver(7, {"isolates": 1})),
    Scheduled(4, Inject("outbreak", {"count": 30})),
    Scheduled(5, Edit(11, "age", 5)),
    Scheduled(6, Add(40)),
    Scheduled(7, HandBack(7)),
    Scheduled(8, Remove(12)),
    Scheduled(9, Inject("vaccinate", {"share": 0.2})),
]


def script(request):
    return "Yes" if len(request.messages[-1].text) % 3 else "No"


def options(**more):
    return Options(simulator="covid", agents=PEOPLE, seed=5, infected=0.02, **more)


def kernel():
    return Kernel(ScriptedModel(script), seed=5)


async def both(chosen, steps, shards, interventions=()):
    asks = chosen.model != ""
    whole = start(chosen, kernel() if asks else None)
    await simulate(whole, steps, interventions=interventions)
    parts = start(chosen, kernel() if asks else None)
    await simulate_sharded(parts, steps, shards, interventions=interventions, crew=Here)
    return whole, parts


@pytest.mark.parametrize("shards", [2, 5])
@pytest.mark.parametrize("behaviour", ["none", "constant", "heuristic"])
async def test_shards_and_one_process_are_equal_to_the_bit(behaviour, shards):
    whole, parts = await both(options(behaviour=behaviour), 15, shards)
    assert whole.curves["cases"] != [0.0] * 15
    assert parts.curves == whole.curves
    assert parts.digest() == whole.digest()


async def test_shards_ask_each_group_once():
    chosen = options(archetypes=("age", "sex"), model="scripted")
    whole, parts = await both(chosen, 15, 2)
    assert parts.digest() == whole.digest()
    asked = [e.call.messages[-1].text for e in parts.kernel.trace.events]
    assert len(asked) == len(set(asked)) == parts.state.values["archetypes"]["prompts"]


async def test_whatever_is_done_to_a_society_is_done_to_its_shards():
    whole, parts = await both(options(), 14, 3, HAPPENINGS)
    assert len(whole.agents) == PEOPLE + 40
    assert parts.digest() == whole.digest()


async def test_a_run_in_shards_is_resumed_with_other_shards_or_none(tmp_path):
    whole = await simulate(start(options()), 12)
    await simulate_sharded(
        start(options()), 7, 4, options=options(), folder=tmp_path, every=3, crew=Here
    )
    for shards in (1, 2):
        made, _ = resume(tmp_path)
        assert made.t == 7
        if shards == 1:
            await simulate(made, 12)
        else:
            await simulate_sharded(made, 12, shards, crew=Here)
        assert made.digest() == whole.digest()


def test_shards_are_made_of_communities_and_know_their_boundaries():
    state = start(options()).state
    shard = communities(state, 2)
    assert np.bincount(shard).tolist() == [600, 600]
    area = state.agents["area"]
    split = [a for a in range(5) if len(np.unique(shard[area == a])) > 1]
    assert len(split) == 1  # five areas, one cut: the others stay whole
    pieces = cut(state, shard, 2)
    for k, piece in enumerate(pieces):
        own = piece.columns["id"]
        everyone = np.concatenate([own, piece.ghosts])
        for name, layer in state.layers.items():
            for i in range(0, len(own), 37):
                local = piece.layers[name].row(i)
                assert everyone[local].tolist() == layer.row(int(own[i])).tolist()
        other = pieces[1 - k]
        sent = other.columns["id"][other.gives[k]]
        assert piece.ghosts[piece.takes[1 - k]].tolist() == sent.tolist()
    household = state.layers["household"].others
    crossing = sum(len(p.ghosts) for p in pieces)
    assert 0 < crossing < 2 * PEOPLE
    assert len(household)


@pytest.mark.parametrize(
    ("chosen", "shards", "says"),
    [
        (options(labour=True), 2, "cannot be shared"),
        (Options(simulator="social", agents=300), 2, "cannot be shared"),
        (options(), 5000, "1 to 1024 shards"),
    ],
)
async def test_what_cannot_be_shared_is_named(chosen, shards, says):
    with pytest.raises(BadInput, match=says):
        await simulate_sharded(start(chosen), 2, shards, crew=Here)


def test_two_shards_over_ray_are_one_process_to_the_bit(tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "plan.toml").write_text(
        '[[intervention]]\nat = 3\ndo = "close"\nplace = "school"\n'
        '[[intervention]]\nat = 4\ndo = "inject"\nevent = "outbreak"\narguments = {count = 30}\n'
    )
    curves = {}
    for shards in (1, 2):
        # A process of its own: Ray does not start twice in one that has made others meanwhile.
        done = subprocess.run(
            [sys.executable, "-m", "collegium.cli", "simulate", "covid",
             "--agents", str(PEOPLE), "--steps", "8", "--infected", "0.02",
             "--intervene", "plan.toml", "--shards", str(shards), "--repeats", "1", "--json",
             "--checkpoint", f"kept-{shards}"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        curves[shards] = json.loads(done.stdout)["curves"]
    assert curves[2] == curves[1]
    one, two = (resume(tmp_path / f"kept-{n}" / "seed-0")[0] for n in (1, 2))
    assert one.digest() == two.digest()
