"""The populations of the agent-torch package, where it is installed."""

import importlib.util
import pickle

import numpy as np
import pytest

from collegium.errors import BadInput
from collegium.society import Society, State, load, save
from collegium.society.covid import Isolation, covid_model
from collegium.society.covid.packaged import astoria, brooklyn, read_pickled, weekly_cases
from collegium.society.simulate import Options, simulate, start

installed = pytest.mark.skipif(
    importlib.util.find_spec("agent_torch") is None, reason="agent-torch is not installed"
)


def society(seed):
    place = astoria()
    people = place.people
    people["stage"] = place.infected.copy()
    for column in ("day", "isolates"):
        people[column] = np.zeros(len(people), np.uint8)
    state = State({"agent": people}, place.layers)
    return Society(
        covid_model(Isolation("constant")), state, seed=seed, parameters={"isolation": 0.2}
    )


@installed
@pytest.mark.must_show("agenttorch", 5)
async def test_astoria_conserves_its_people_and_can_be_resumed(tmp_path):
    whole = await society(1).run(40)
    counts = np.array([whole.curves[stage] for stage in "SEIRM"])
    assert (counts.sum(0) == 37_518).all()
    assert counts.min() >= 0
    assert whole.curves["cases"][-1] > 0
    assert (await society(1).run(40)).digest() == whole.digest()
    assert (await society(2).run(40)).curves != whole.curves
    half = await society(1).run(17)
    save(half, tmp_path, {})
    saved, state = load(tmp_path)
    again = Society(
        half.model, state, seed=1, t=saved.t, curves=saved.curves, parameters=saved.parameters
    )
    assert (await again.run(23)).digest() == whole.digest()


@installed
def test_what_is_packaged_is_read():
    place = astoria()
    assert place.layers["mobility"].edges == 2 * 136_378
    assert place.infected.sum() == 45
    assert place.categories[0].names[0] == "U19"
    assert np.bincount(place.people["age"]).tolist() == [4941, 6723, 11573, 5724, 4647, 3910]
    weeks = weekly_cases()
    assert len(weeks) == 115
    assert weeks[:4] == [3, 10, 10, 15]
    with pytest.raises(BadInput, match="only of Astoria"):
        weekly_cases("Atlantis")


@installed
def test_brooklyn_is_read():
    place = brooklyn()
    assert len(place.people) == 2_712_360
    assert int(place.people["area"].max()) < len(place.categories[3].names)


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


def test_a_pickle_runs_nothing(tmp_path, capsys):
    file = tmp_path / "column.pickle"
    file.write_bytes(pickle.dumps({"a": Harm(), "b": np.arange(5)}, protocol=5))
    with pytest.raises(BadInput):
        read_pickled(tmp_path / "missing.pickle")
    assert read_pickled(file).tolist() == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == ""


@installed
async def test_astoria_is_a_population_of_the_command():
    made = start(Options(simulator="covid", population="astoria", seed=1))
    assert len(made.agents) == 37_518
    assert list(made.state.layers) == ["mobility"]
    assert int((made.agents["stage"] > 0).sum()) == int(astoria().infected.sum())
    assert "household" in made.agents
    await simulate(made, 3)
    assert sum(made.curves[stage][-1] for stage in "SEIRM") == 37_518
    market = start(Options(simulator="market", population="astoria", seed=1))
    assert len(market.agents) == 37_518
