"""The epidemic in torch: the same draws, and the same course, as the compiled loops."""

import numpy as np
import pytest

from collegium.errors import BadInput
from collegium.society import generator, uniforms
from collegium.society.chance import key_of
from collegium.society.covid import disease
from collegium.society.covid.processor import Threads, processor
from collegium.society.crews import Here
from collegium.society.sharded import simulate_sharded
from collegium.society.simulate import Options, simulate, start

torch = pytest.importorskip("torch")


def devices():
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", devices())
def test_a_device_draws_the_same_numbers(device):
    from collegium.society.covid.device import uniforms_on

    ids = np.concatenate([np.arange(2000), [2**31 - 1, 2**32 + 5, 2**40 + 1]])
    for seed, step, number in ((0, 0, 0), (7, 30, 3), (2**40 + 3, 2**31, 9)):
        mine = uniforms(seed, "infect", step, ids, number)
        key = key_of(seed, "infect")
        there = uniforms_on(device, key, step, torch.from_numpy(ids).to(device), number)
        assert (there.cpu().numpy() == mine).all()


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("behaviour", ["constant", "heuristic", "none"])
async def test_a_device_takes_the_same_course(device, behaviour):
    made = {}
    for where in ("", device):
        options = Options(
            simulator="covid", agents=3000, seed=3, infected=0.02, behaviour=behaviour,
            device=where,
        )  # fmt: skip
        made[where] = await simulate(start(options), 25)
    plain, torched = made[""], made[device]
    assert sum(plain.curves["cases"]) > 100
    # the limit: probabilities agree to 1e-12, and no lot of these populations lies that close
    for column in ("stage", "day", "isolates"):
        assert (plain.agents[column] == torched.agents[column]).all()
    assert torched.curves == plain.curves


@pytest.mark.parametrize("device", devices())
def test_a_device_adds_the_same_pressure_within_the_limit(device):
    options = Options(simulator="covid", agents=3000, seed=4, infected=0.3)
    state = start(options).state
    found = []
    for made in (Threads(), processor(device)):
        agents = state.copy().agents
        agents["day"][:] = generator(1, "days").integers(0, 9, len(agents))
        ids = np.arange(len(agents), dtype=np.int32)
        key = key_of(1, "die")
        counts = made.advance(agents, ids, (5.0, 5.0), 0.12, key, 3, 0)
        for layer in state.layers.values():
            made.gather(agents, layer)
        pressure = torch.as_tensor(made._pressure).cpu().numpy().copy()
        found.append((counts, made.codes(), pressure))
    (counts, codes, plain), (others, there, torched) = found
    assert counts == others
    assert (codes == there).all()
    assert (plain > 0).sum() > 1000
    np.testing.assert_allclose(torched, plain, rtol=2e-7)
    assert set(np.unique(codes)) <= set(range(256))
    assert disease.DAYS == 127


async def test_shards_may_compute_on_a_device():
    options = Options(simulator="covid", agents=900, seed=3, infected=0.02, device="cpu")
    whole = await simulate(start(options), 8)
    parts = start(options)
    await simulate_sharded(parts, 8, 2, crew=Here)
    assert parts.digest() == whole.digest()


def test_a_device_that_there_is_not_is_named():
    with pytest.raises(BadInput, match="cpu, cuda"):
        processor("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="no GPU"):
            processor("cuda")
        assert isinstance(processor("auto"), Threads)
    with pytest.raises(BadInput, match="computes covid"):
        Options(simulator="market", device="cpu").check()
