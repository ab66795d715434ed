"""AgentTorch's epidemic: the formulas, archetypes, gradients, calibration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.errors import BadInput, UnknownName
from collegium.kernel import Kernel, Reply, TokenLogprob
from collegium.models import ScriptedModel
from collegium.society import (
    Archetypes,
    Categories,
    Layer,
    Society,
    State,
    Table,
    city,
    contact_layers,
    from_edges,
    load,
    save,
    shuffled_rings,
)
from collegium.society.chance import generator
from collegium.society.covid import (
    Isolation,
    covid_model,
    covid_state,
    disease,
    isolation_archetypes,
)
from collegium.society.labour import Labour, market_model, market_state
from collegium.society.population import AGES, SEXES

AGE, SEX = Categories("age", AGES), Categories("sex", SEXES)


def says(yes, calls=None):
    """A model whose log-probabilities give Yes a probability that depends on the prompt."""

    def script(request):
        text = request.messages[-1].text
        if calls is not None:
            calls.append(text)
        p = yes(text)
        top = {"Yes": float(np.log(p)), "No": float(np.log(1 - p))}
        return Reply("Yes", logprobs=(TokenLogprob("Yes", top["Yes"], top),))

    return ScriptedModel(script)


@pytest.mark.must_show("agenttorch", 1)
async def test_the_rate_of_one_contact_and_the_risk_of_two():
    g = disease.infectivity_by_day()[3]
    assert g == pytest.approx(0.09996, abs=5e-6)
    rate = disease.rate(4.75, 1.03, 0.72, 1.0, g, 3.0)
    assert rate == pytest.approx(0.11738, abs=5e-6)
    assert disease.probability(rate) == pytest.approx(0.11075, abs=5e-6)
    assert disease.probability(2 * rate) == pytest.approx(0.20923, abs=5e-6)


@pytest.mark.must_show("agenttorch", 1)
async def test_the_kernels_draw_with_that_risk():
    # 40,000 adults at risk, each in contact with two who were infected three days ago and are ill
    pairs = 40_000
    ill = np.arange(pairs, 3 * pairs)
    at_risk = np.concatenate([np.arange(pairs), np.arange(pairs)])
    layer = from_edges(3 * pairs, at_risk, ill)
    people = Table(
        {
            "age": np.full(3 * pairs, 2, np.uint8),
            "stage": np.repeat([0, 2], [pairs, 2 * pairs]).astype(np.uint8),
            "day": np.repeat([0, 2], [pairs, 2 * pairs]).astype(np.uint8),
            "isolates": np.zeros(3 * pairs, np.uint8),
        }
    )
    society = Society(
        covid_model(Isolation("none")),
        State({"agent": people}, {"contacts": layer}),
        parameters={"exposed days": 1, "infected days": 20},
    )
    await society.step()
    p = 0.20923
    assert society.curves["cases"][0] / pairs == pytest.approx(
        p, abs=4 * (p * (1 - p) / pairs) ** 0.5
    )


@pytest.mark.must_show("agenttorch", 2)
async def test_archetypes_ask_once_per_group_and_agents_draw_for_themselves():
    calls = []
    chance = {"female": 0.2, "male": 0.7}

    def yes(text):
        return next(p for sex, p in chance.items() if f"sex {sex}" in text)

    people = city(1_000_000, areas=1, seed=1)
    state = covid_state(people, {}, seed=1)
    behaviour = Isolation("archetypes", isolation_archetypes(["age", "sex"], [AGE, SEX]))
    kernel = Kernel(says(yes, calls), seed=1)
    society = Society(
        covid_model(behaviour), state, seed=1, kernel=kernel, parameters={"scale": 1, "shift": 0}
    )
    await society.step()
    assert len(calls) == kernel.meter.calls == 12
    assert len(set(calls)) == 12
    isolates, group = society.agents["isolates"], people["age"] * 2 + people["sex"]
    for g in range(12):
        members = isolates[group == g]
        p = chance[SEXES[g % 2]]
        assert members.mean() == pytest.approx(p, abs=4 * (p * (1 - p) / len(members)) ** 0.5)
        assert 0 < members.sum() < len(members)


@pytest.mark.must_show("agenttorch", 2)
async def test_empty_groups_are_not_asked_and_samples_multiply_calls():
    calls = []
    people = Table({"age": np.array([0, 0, 3], np.uint8), "sex": np.array([0, 1, 1], np.uint8)})
    archetypes = Archetypes("Age {age}, sex {sex}?", [AGE, SEX], samples=5)
    kernel = Kernel(ScriptedModel(lambda r: calls.append(r) or ["Yes", "No", "Yes", "Yes", "hm"]))
    society = Society(covid_model(Isolation("none")), covid_state(people, {}), kernel=kernel)
    table = await archetypes.ask(society, archetypes.group_of(people))
    assert len(calls) == 3
    assert kernel.meter.calls == 3 * 5
    assert table[0].tolist() == [0.75, 0.25]
    assert table.sum() == 3
    assert society.state.values["archetypes"]["dropped"] == 3
    await archetypes.ask(society, archetypes.group_of(people))
    assert len(calls) == 3


def course(seed=0, people=1000, days=42, infected=0.01, degree=8, factor=1.0):
    from collegium.society.covid.gradient import Course

    age = generator(seed, "age").integers(0, 6, people)
    layer = shuffled_rings(people, degree, generator(seed, "layer"), factor=factor)
    first = (generator(seed, "first").random(people) < infected).astype(float)
    return Course(age, {"random": layer}, first, days)


async def test_the_differentiable_epidemic_is_the_engine_s():
    torch = pytest.importorskip("torch")
    made = course(days=30)
    age = generator(0, "age").integers(0, 6, 1000).astype(np.uint8)
    first = (generator(0, "first").random(1000) < 0.01).astype(np.uint8)
    people = Table({"age": age, "stage": first, "day": first * 0, "isolates": first * 0})
    layer = shuffled_rings(1000, 8, generator(0, "layer"))
    society = Society(
        covid_model(Isolation("none")), State({"agent": people}, {"random": layer}), seed=9
    )
    await society.run(30)
    cases = made.cases(torch.tensor(4.75, dtype=torch.float64), [9])[0]
    assert cases.tolist() == society.curves["cases"]
    assert cases.sum() > 300


@pytest.mark.must_show("agenttorch", 3)
def test_the_gradient_agrees_with_finite_differences():
    torch = pytest.importorskip("torch")
    # many weak contacts, and an epidemic that still grows: there a draw acts on the rest linearly
    made = course(days=21, degree=60, factor=0.1)
    seeds, r, h = range(200), 1.8, 0.25
    with torch.no_grad():
        low, high = (made.cases(torch.tensor(x), seeds).sum(1).mean() for x in (r - h, r + h))
    finite = float(high - low) / (2 * h)
    at = torch.tensor(r, dtype=torch.float64, requires_grad=True)
    made.cases(at, seeds).sum(1).mean().backward()
    assert finite > 0
    assert float(at.grad) == pytest.approx(finite, rel=0.2)


@pytest.mark.must_show("agenttorch", 4)
def test_calibration_recovers_a_planted_r():
    torch = pytest.importorskip("torch")
    from collegium.society.covid.calibrate import calibrate

    made = course(days=28)
    with torch.no_grad():
        daily = made.cases(torch.tensor(3.0), [77])[0]
    observed = daily.reshape(4, 7).sum(1).tolist()
    fit = calibrate(made, observed, steps=45, rate=0.06, seeds=(0, 1, 2))
    assert fit.r[0] == pytest.approx(3.0, rel=0.1)
    assert fit.loss[-1] < fit.loss[0]


def test_calibration_fits_every_week_and_gradients_reach_isolation():
    torch = pytest.importorskip("torch")
    from collegium.society.covid.calibrate import calibrate

    made = course(people=300, days=14)
    fit = calibrate(made, [30, 60], by_week=True, steps=3, rate=0.1, seeds=[0])
    assert len(fit.r) == len(fit.weekly) == 2
    assert fit.r[0] != fit.r[1]
    home = torch.full((2, 300), 0.3, dtype=torch.float64, requires_grad=True)
    made.cases(torch.tensor(3.0), range(20), isolate=home).sum().backward()
    assert home.grad is not None
    assert float(home.grad.sum()) < 0  # who stays at home lowers the cases


def test_calibration_says_when_weeks_do_not_match():
    pytest.importorskip("torch")
    from collegium.society.covid.calibrate import calibrate

    with pytest.raises(BadInput, match="3 weeks were observed, but the epidemic runs for 2"):
        calibrate(course(days=14), [1, 2, 3])


def test_averaged_jumps_weigh_by_what_was_drawn():
    torch = pytest.importorskip("torch")
    from collegium.society.covid.gradient import bernoulli

    p = torch.tensor([0.2, 0.2], dtype=torch.float64, requires_grad=True)
    drawn = bernoulli(p, torch.tensor([0.1, 0.9]), "averaged-jump")
    drawn.sum().backward()
    assert drawn.tolist() == [1, 0]
    assert p.grad.tolist() == pytest.approx([1 / 0.4, 1 / 1.6])


async def test_mass_is_conserved_and_nothing_is_negative(tmp_path):
    people = city(4000, seed=5)
    state = covid_state(people, contact_layers(people, seed=5), seed=5, infected=0.02)
    society = await Society(covid_model(), state, seed=5).run(40)
    for day in range(40):
        counts = [society.curves[s][day] for s in "SEIRM"]
        assert sum(counts) == 4000
        assert min(counts) >= 0
    assert society.curves["M"][-1] > 0
    assert sum(society.curves["deaths"]) == society.curves["M"][-1]


@settings(max_examples=15)
@given(r=st.floats(0, 20), m=st.floats(0, 1), seed=st.integers(0, 2**40), isolation=st.floats(0, 1))
def test_mass_is_conserved_for_any_parameters(r, m, seed, isolation):
    import asyncio

    people = city(300, seed=seed)
    state = covid_state(people, contact_layers(people, seed=seed), seed=seed, infected=0.1)
    parameters = {"R": r, "M": m, "isolation": isolation}
    society = asyncio.run(Society(covid_model(), state, seed=seed, parameters=parameters).run(12))
    counts = np.array([society.curves[s] for s in "SEIRM"])
    assert (counts.sum(0) == 300).all()
    assert (counts >= 0).all()
    assert (np.diff(counts[0]) <= 0).all()


async def test_isolating_and_closed_places_hold_the_disease_back():
    totals = {}
    for name, behaviour, isolation in (("free", "none", 0.0), ("home", "constant", 0.9)):
        people = city(3000, seed=1)
        state = covid_state(people, contact_layers(people, seed=1), seed=1, infected=0.01)
        society = Society(
            covid_model(Isolation(behaviour)), state, seed=1, parameters={"isolation": isolation}
        )
        totals[name] = sum((await society.run(30)).curves["cases"])
    assert totals["home"] < totals["free"] / 3


@pytest.mark.must_show("agenttorch", 8)
async def test_what_is_wrong_is_named_or_counted():
    people = Table({"age": np.array([0, 5], np.uint8)})
    society = Society(
        covid_model(Isolation("none")),
        covid_state(people, {}),
        kernel=Kernel(ScriptedModel(lambda r: "perhaps, who knows")),
    )
    with pytest.raises(BadInput, match="no column 'height' to make archetypes of; it has age"):
        isolation_archetypes(["height"], [AGE])
    unknown = Archetypes("Age {age}, height {height}?", [AGE])
    with pytest.raises(UnknownName, match="slot of the prompt 'height'"):
        await unknown.ask(society, unknown.group_of(people))
    asked = Archetypes("Age {age}?", [AGE], fallback=(0.5, 0.5))
    table = await asked.ask(society, asked.group_of(people))
    assert table[0].tolist() == [0.5, 0.5]
    assert table[1].tolist() == [0, 0]
    assert society.state.values["archetypes"]["dropped"] == 2
    assert society.state.values["archetypes"]["empty"] == 4
    with pytest.raises(BadInput, match="leads to agent 7, who is missing"):
        from_edges(2, np.array([0]), np.array([7]))
    with pytest.raises(BadInput, match="is of 3 agents; there are 2"):
        covid_state(people, {"x": Layer(np.zeros(4, np.int32), np.zeros(0, np.int32))})


async def test_the_labour_market_fills_its_jobs():
    society = Society(market_model(), market_state(city(2000, seed=1)), seed=1)
    await society.run(6)
    adults = int((society.agents["age"] > 0).sum())
    economy = society.state.values["economy"]
    willing, employed = society.agents["works"].sum(), society.agents["employed"].sum()
    assert employed == min(economy["jobs"], willing)
    assert (society.agents["employed"] <= society.agents["works"]).all()
    assert economy["participation"] == pytest.approx(willing / adults)
    assert society.curves["unemployment"][-1] == pytest.approx(1 - employed / willing)


async def test_labour_beside_the_epidemic_loses_jobs_to_isolation():
    found = {}
    for isolation in (0.0, 0.9):
        people = city(2000, seed=1)
        state = covid_state(people, contact_layers(people, seed=1), seed=1, labour=True)
        society = Society(
            covid_model(Isolation("constant"), labour=Labour(7)),
            state,
            seed=1,
            parameters={"isolation": isolation},
        )
        found[isolation] = (await society.run(15)).curves["unemployment"][-1]
    assert found[0.9] > found[0.0]


async def test_a_resumed_run_does_not_ask_again(tmp_path):
    calls = []

    def begin():
        people = city(500, areas=1, seed=1)
        state = covid_state(people, {}, seed=1)
        behaviour = Isolation("archetypes", isolation_archetypes(["sex"], [SEX]))
        kernel = Kernel(says(lambda text: 0.4, calls), seed=1)
        return Society(covid_model(behaviour), state, seed=1, kernel=kernel)

    whole = await begin().run(6)
    half = await begin().run(3)
    save(half, tmp_path, {})
    saved, state = load(tmp_path)
    asked = len(calls)
    model = begin().model
    again = Society(model, state, seed=1, t=saved.t, curves=saved.curves)
    await again.run(3)
    assert len(calls) == asked
    assert again.digest() == whole.digest()


async def test_the_heuristic_isolates_in_proportion_to_last_week_s_cases():
    people = city(3000, seed=1)
    state = covid_state(people, contact_layers(people, seed=1), seed=1, infected=0.02)
    society = Society(
        covid_model(Isolation("heuristic")), state, seed=1, parameters={"caution": 20}
    )
    await society.run(21)
    assert society.curves["isolating"][:7] == [0] * 7
    for week in (1, 2):
        cases = sum(society.curves["cases"][7 * (week - 1) : 7 * week])
        wanted = min(1.0, 20 * cases / 3000)
        assert society.curves["isolating"][7 * week] == pytest.approx(wanted, abs=0.04)


async def test_alignment_by_age_and_r_by_week():
    people = city(20_000, areas=1, seed=1)
    behaviour = Isolation("archetypes", isolation_archetypes(["sex"], [SEX]))
    scale = [0.0, 1.0, 1.0, 1.0, 1.0, 0.5]
    society = Society(
        covid_model(behaviour),
        covid_state(people, {}, seed=1),
        seed=1,
        kernel=Kernel(says(lambda text: 0.8), seed=1),
        parameters={"scale": scale, "shift": 0.1, "R": [4, 2]},
    )
    await society.step()
    for age, factor in enumerate(scale):
        share = society.agents["isolates"][people["age"] == age].mean()
        assert share == pytest.approx(factor * 0.8 + 0.1, abs=0.03)
    assert [society.parameter("R", week) for week in range(4)] == [4, 2, 2, 2]
