"""Adapters: how many parameters they add, merging, and training on a mixture."""

from __future__ import annotations

from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Message
from collegium.learning.capture import Step, Trajectory
from collegium.learning.lora import (
    MASKED,
    Example,
    Lora,
    Training,
    adapted,
    added,
    examples,
    learns,
    merged,
    pace,
    train,
)

torch = pytest.importorskip("torch")
WORDS = 12


class Tiny(torch.nn.Module):
    """A model of one matrix between two others, under the names of a Llama."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.embed = torch.nn.Embedding(WORDS, 48)
        self.q_proj = torch.nn.Linear(48, 64, bias=False)
        self.head = torch.nn.Linear(64, WORDS)

    def forward(self, tokens: Any) -> Any:
        return self.head(torch.tanh(self.q_proj(self.embed(tokens))))


def needs_peft() -> None:
    pytest.importorskip("peft")


AGENT = [Example((1, 2, 3, 4), (MASKED, MASKED, 3, 4)), Example((1, 5, 6), (MASKED, 5, 6))]
GENERAL = [Example((7, 8, 9), (MASKED, 8, 9))]


@pytest.mark.must_show("low-param", 2)
def test_an_adapter_adds_its_rank_times_both_sides() -> None:
    needs_peft()
    model = adapted(Tiny(), Lora(rank=16, matrices=("q_proj",)))
    assert added(model) == 16 * (64 + 48) == 1792


@pytest.mark.must_show("low-param", 2)
def test_a_merged_adapter_gives_the_same() -> None:
    needs_peft()
    plain = Tiny()
    tokens = torch.tensor([[1, 2, 3, 4]])
    before = plain(tokens).detach()
    model = adapted(plain, Lora(rank=16, matrices=("q_proj",), dropout=0.0))
    assert torch.equal(model(tokens), before)  # B is zero at first
    train(model, AGENT, GENERAL, Training(lam=0.5, epochs=4, accumulate=2, rate=0.05))
    with_adapter = model(tokens).detach()
    assert (with_adapter - before).abs().max() > 1e-3
    whole = merged(model)
    assert (whole(tokens) - with_adapter).abs().max() < 1e-5
    assert not any("lora" in name for name, _ in whole.named_parameters())


def test_only_the_adapter_is_trained() -> None:
    needs_peft()
    plain = Tiny()
    weights = {name: p.detach().clone() for name, p in plain.named_parameters()}
    model = adapted(plain, Lora(rank=4, matrices=("q_proj",)))
    train(model, AGENT, GENERAL, Training(epochs=3, accumulate=1, rate=0.05))
    whole = {n.replace("base_model.model.", "").replace("base_layer.", ""): p
             for n, p in model.named_parameters() if "lora" not in n}  # fmt: skip
    assert all(torch.equal(whole[name], kept) for name, kept in weights.items())
    with pytest.raises(BadInput, match="no matrix called k_proj"):
        adapted(Tiny(), Lora(matrices=("k_proj",)))


def test_training_brings_the_loss_down_and_is_the_same_again() -> None:
    how = Training(lam=0.5, epochs=40, accumulate=4, rate=0.02)
    done = [train(Tiny(), AGENT, GENERAL, how) for _ in range(2)]
    assert done[0] == done[1]
    assert done[0].losses[-1] < 0.5 * done[0].losses[0]
    assert done[0].agent + done[0].general == 80
    assert len(done[0].losses) == 20


def test_agent_data_alone_and_its_share() -> None:
    alone = train(Tiny(), AGENT, (), Training(lam=1.0, epochs=2, accumulate=2))
    assert (alone.agent, alone.general) == (4, 0)
    mixed = train(Tiny(), AGENT * 50, GENERAL, Training(lam=0.2, epochs=2, accumulate=50))
    assert 20 <= mixed.agent <= 60 and mixed.agent + mixed.general == 200


def test_what_cannot_be_trained() -> None:
    frozen = Tiny().requires_grad_(False)
    with pytest.raises(BadInput, match="no parameter to train"):
        train(frozen, AGENT, GENERAL)
    with pytest.raises(BadInput, match="a token to learn within 2"):
        train(Tiny(), [AGENT[0]], (), Training(lam=1.0, longest=2))
    with pytest.raises(BadInput, match="1 or more"):
        train(Tiny(), AGENT, GENERAL, Training(epochs=0))
    with pytest.raises(BadInput, match="no general data"):
        train(Tiny(), AGENT)


def test_the_pace_rises_and_falls() -> None:
    rates = [pace(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


def test_examples_learn_what_the_agent_wrote() -> None:
    prompt = (Message("system", "a"), Message("user", "bc"))
    step = Step(agent="x", prompt=prompt, reply=Message("assistant", "de"))
    (one,) = examples(Trajectory(name="t", task="t", steps=(step,)), lambda m: m.text.encode())
    assert one.tokens == tuple(b"abcde")
    assert one.labels == (MASKED, MASKED, MASKED, *b"de")
    assert learns(one, 4) and not learns(one, 3)
