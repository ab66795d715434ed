"""The engine: random numbers, networks, checkpoints, operations."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.errors import BadInput, UnknownName
from collegium.society import (
    Categories,
    Scheduled,
    Society,
    carry_out,
    city,
    cliques,
    contact_layers,
    fit,
    from_edges,
    group_rings,
    load,
    read_interventions,
    read_population,
    save,
    schedule,
    shuffled_rings,
    synthesise,
    uniforms,
    with_threads,
)
from collegium.society.chance import generator, philox
from collegium.society.covid import Isolation, covid_model, covid_state
from collegium.society.operations import Add, Close, Edit, Open, Remove, Set, TakeOver


def small(seed=0, agents=3000, behaviour="constant", **parameters):
    people = city(agents, seed=seed)
    layers = contact_layers(people, seed=seed)
    state = covid_state(people, layers, seed=seed, infected=0.01)
    return Society(covid_model(Isolation(behaviour)), state, seed=seed, parameters=parameters)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, words):
    made = philox(*(np.uint64(w) for w in (*counter, *key)))
    assert " ".join(f"{int(w):08x}" for w in made) == words


def test_numbers_belong_to_agents_and_not_to_threads():
    with with_threads(1):
        alone = uniforms(5, "x", 3, 50_000)
    with with_threads(4):
        together = uniforms(5, "x", 3, 50_000)
    assert (alone == together).all()
    some = np.array([7, 49_999, 7])
    assert (uniforms(5, "x", 3, some) == alone[some]).all()
    assert abs(alone.mean() - 0.5) < 0.01
    for other in (uniforms(6, "x", 3, 100), uniforms(5, "y", 3, 100), uniforms(5, "x", 4, 100)):
        assert not (other == alone[:100]).any()


@given(
    edges=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=60),
)
def test_a_layer_holds_its_edges_both_ways(edges):
    source = np.array([a for a, _ in edges], np.int64)
    target = np.array([b for _, b in edges], np.int64)
    layer = from_edges(20, source, target)
    found = sorted((i, int(j)) for i in range(20) for j in layer.row(i))
    assert found == sorted([*edges, *((b, a) for a, b in edges)])


def test_an_edge_to_a_missing_agent_is_named():
    with pytest.raises(BadInput, match="edge 1 leads to agent 9, who is missing"):
        from_edges(5, np.array([0, 9]), np.array([1, 2]))


def test_random_layers_are_regular_and_mutual():
    layer = shuffled_rings(500, 6, generator(1, "random"))
    assert (np.diff(layer.starts) == 6).all()
    pairs = {(i, int(j)) for i in range(500) for j in layer.row(i)}
    assert pairs == {(j, i) for i, j in pairs}
    with pytest.raises(BadInput, match="even"):
        shuffled_rings(500, 5, generator(1, "random"))


def test_groups_meet_among_themselves():
    group = np.array([0] * 4 + [1] * 40 + [-1] * 6)
    layer = group_rings(group, 6, generator(1, "groups"))
    assert [len(layer.row(i)) for i in (0, 10, 45)] == [3, 6, 0]
    for i in range(50):
        assert all(group[j] == group[i] and j != i for j in layer.row(i))
    assert sorted(cliques(group).row(2)) == [0, 1, 3]


@given(st.integers(2, 4), st.integers(2, 5), st.integers(0, 10_000))
def test_fitting_meets_marginals_and_keeps_interactions(rows, columns, seed):
    random = np.random.default_rng(seed)
    joint = random.random((rows, columns)) + 0.1
    a, b = random.random(rows) + 0.1, random.random(columns) + 0.1
    a, b = a / a.sum(), b / b.sum()
    table = fit(joint, {(0,): a, (1,): b})
    assert np.allclose(table.sum(1), a)
    assert np.allclose(table.sum(0), b)

    def ratio(t):
        return t[0, 0] * t[1, 1] / (t[0, 1] * t[1, 0])

    assert np.isclose(ratio(table), ratio(joint))


def test_fitting_says_what_cannot_be():
    with pytest.raises(BadInput, match="contradict"):
        fit(np.ones((2, 2)), {(0,): np.array([1, 1]), (1,): np.array([1, 2])})
    with pytest.raises(BadInput, match="zero in the table"):
        fit(np.array([[0.0, 0], [1, 1]]), {(0,): np.array([1, 1])})


def test_people_have_the_marginals_that_were_asked_for():
    marginals = {("age", "sex"): np.array([[30, 10], [20, 40]]), ("area",): np.array([1, 3])}
    people = synthesise(
        1000,
        [Categories("age", ("a", "b")), Categories("sex", ("f", "m")), Categories("area", "xy")],
        marginals,
        seed=3,
    )
    counted = np.zeros((2, 2), int)
    np.add.at(counted, (people["age"], people["sex"]), 1)
    assert (np.abs(counted - [[300, 100], [200, 400]]) <= 1).all()
    assert np.abs(np.bincount(people["area"]) - [250, 750]).max() <= 1


def test_a_household_lies_in_one_area():
    people = city(5000, seed=2)
    sizes = np.bincount(people["household"])
    assert sizes.min() >= 1
    assert sizes.max() <= 6
    pairs = np.unique(np.stack([people["household"], people["area"]]), axis=1)
    assert pairs.shape[1] == len(np.bincount(people["household"]))


async def test_same_seed_same_curves_for_any_number_of_threads():
    runs = []
    for count in (1, 3):
        with with_threads(count):
            runs.append(await small(4, 30_000).run(15))
    assert runs[0].curves == runs[1].curves
    assert runs[0].digest() == runs[1].digest()
    assert (await small(5, 30_000).run(15)).curves != runs[0].curves


async def test_a_checkpoint_goes_on_as_if_nothing_had_been(tmp_path):
    whole = await small(1).run(20)
    half = await small(1).run(8)
    save(half, tmp_path, {})
    saved, state = load(tmp_path)
    again = Society(half.model, state, seed=1, t=saved.t, curves=saved.curves)
    await again.run(12)
    assert again.digest() == whole.digest()


async def test_a_broken_checkpoint_leaves_the_one_before(tmp_path):
    society = await small(1, 500).run(3)
    save(society, tmp_path, {})
    (tmp_path / ".step-000009.part").mkdir()
    (tmp_path / ".step-000009.part" / "agent.npz").write_bytes(b"half of it")
    assert load(tmp_path)[0].t == 3
    with pytest.raises(BadInput, match="no checkpoint"):
        load(tmp_path / "elsewhere")


def test_killed_and_resumed_has_the_same_curves(tmp_path):
    def command(out, *more):
        return [
            sys.executable, "-m", "collegium.cli", "simulate", "covid", "--agents", "20000",
            "--steps", "60", "--seed", "3", "--repeats", "1", "--every", "2",
            "--out", str(out), "--json", *more,
        ]  # fmt: skip

    folder = tmp_path / "kept"
    process = subprocess.Popen(
        command(tmp_path / "a", "--checkpoint", str(folder)), stdout=subprocess.DEVNULL
    )
    current = folder / "seed-3" / "CURRENT"
    end = time.monotonic() + 120
    while not current.is_file() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = int(current.read_text().removeprefix("step-"))
    assert 0 < kept < 60
    resumed = subprocess.run(
        command(tmp_path / "b", "--checkpoint", str(folder), "--resume"),
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    whole = subprocess.run(command(tmp_path / "c"), capture_output=True, check=True, text=True)
    assert json.loads(resumed.stdout)["curves"] == json.loads(whole.stdout)["curves"]


async def test_branches_with_no_change_are_equal_to_the_bit():
    society = await small(2).run(5)
    other = society.branch()
    await society.run(10)
    await other.run(10)
    assert society.digest() == other.digest()


async def test_operations_take_effect_at_their_step_and_can_be_undone():
    society = small(3)
    schedule(society, 4, Close("school"))
    await society.run(4)
    assert society.state.layers["school"].factor == 1.0
    await society.step()
    assert society.state.layers["school"].factor == 0.0
    undo = carry_out(society, Set("R", 2.0))
    assert society.parameters["R"] == 2.0
    for back in undo.operations:
        carry_out(society, back)
    assert society.parameters["R"] == 4.75
    carry_out(society, Open("school", 0.5))
    assert society.state.layers["school"].factor == 0.5


async def test_people_join_and_leave():
    society = await small(3, 800).run(2)
    carry_out(society, Add(10, {"age": 2}))
    carry_out(society, Remove(5))
    await society.run(3)
    assert len(society.agents) == 810
    assert len(society.state.layers["random"].row(805)) > 0
    assert society.agents["stage"][5] == 5
    counted = [society.curves[s][-1] for s in "SEIRM"]
    assert sum(counted) == 809


async def test_a_person_decides_for_an_agent():
    society = small(3, 500, isolation=0.0)
    carry_out(society, TakeOver(7, {"isolates": 1}))
    await society.step()
    assert society.agents["isolates"][7] == 1
    assert society.agents["isolates"].sum() == 1


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (Set("RR", 1.0), "unknown parameter of covid 'RR'"),
        (Set("R", -1.0), "from 0 to 20"),
        (Close("pub"), "unknown place 'pub'"),
        (Edit(99_999, "age", 1), "there is no agent 99999"),
        (Edit(1, "agee", 1), "did you mean 'age'"),
        (Edit(1, "age", 2.5), "whole numbers"),
        (TakeOver(1, {"flies": 1}), "unknown action of covid"),
    ],
)
def test_impossible_operations_say_why(operation, says):
    with pytest.raises(BadInput, match=says):
        carry_out(small(0, 300), operation)


def test_interventions_are_read_from_a_file(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text('[[intervention]]\nat = 3\ndo = "close"\nplace = "school"\n')
    assert read_interventions(file) == [Scheduled(3, Close("school"))]
    file.write_text('[[intervention]]\nat = 3\ndo = "clsoe"\nplace = "school"\n')
    with pytest.raises(UnknownName, match="did you mean 'close'"):
        read_interventions(file)
    file.write_text('[[intervention]]\nat = 3\ndo = "close"\nroom = "school"\n')
    with pytest.raises(BadInput, match="intervention 1"):
        read_interventions(file)


def test_a_population_without_a_column_is_named(tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("years,sex\n3,f\n4,m\n")
    with pytest.raises(BadInput, match="lacks the column age; it has years, sex"):
        read_population(file, ["age"])
    file.write_text("age,sex\nU19,f\n65A,m\n")
    people, names = read_population(file, ["age"])
    assert people["age"].tolist() == [0, 5]
    assert names["sex"] == ("f", "m")
    file.write_text("age,sex\n1,f\n,m\n")
    with pytest.raises(BadInput, match="empty cells"):
        read_population(file, ["age"])
