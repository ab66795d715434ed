"""The mixed objective: its value, its masks, its draws."""

from __future__ import annotations

import itertools

import pytest

from collegium.errors import BadInput
from collegium.learning.mixture import MASKED, example_losses, mixed_draw, mixed_loss


@pytest.mark.must_show("low-param", 1)
def test_the_objective_by_hand() -> None:
    assert mixed_loss(1.2, 2.0, 0.2) == pytest.approx(1.84)
    assert mixed_loss(1.2, 2.0, 1.0) == pytest.approx(1.2)
    assert mixed_loss(1.2, 2.0, 0.0) == pytest.approx(2.0)
    with pytest.raises(BadInput, match=r"share from 0 to 1, not 1\.5"):
        mixed_loss(1.2, 2.0, 1.5)


@pytest.mark.must_show("low-param", 1)
def test_no_gradient_reaches_through_masked_tokens() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    words = 11
    tokens = torch.randint(0, words, (2, 7))
    labels = tokens.clone()
    labels[0, :4] = MASKED  # a prompt of four tokens
    labels[1, :2] = MASKED
    labels[1, 5] = MASKED  # what the world said in between
    model = torch.nn.Sequential(torch.nn.Embedding(words, 5), torch.nn.Linear(5, words))
    logits = model(tokens)
    logits.retain_grad()
    losses = example_losses(logits, labels)
    mixed_loss(losses[0], losses[1], 0.2).backward()
    reached = logits.grad.abs().sum(dim=2) > 0
    # a token's logits predict the next one: the first learnt label is that of token 4 and 2
    assert reached.tolist() == [
        [False, False, False, True, True, True, False],
        [False, True, True, True, False, True, False],
    ]
    by_hand = torch.nn.functional.cross_entropy(logits[0, 3:6], tokens[0, 4:7])
    assert float(losses[0]) == pytest.approx(float(by_hand), rel=1e-6)
    with pytest.raises(BadInput, match="no token that is learnt"):
        example_losses(logits, torch.full_like(labels, MASKED))


def test_examples_are_drawn_by_their_share() -> None:
    drawn = [*itertools.islice(mixed_draw(["a", "b"], ["x", "y", "z"], 0.2, seed=5), 4000)]
    share = sum(of_agent for _, of_agent in drawn) / len(drawn)
    assert 0.18 < share < 0.22
    assert {e for e, of_agent in drawn if of_agent} == {"a", "b"}
    general = [e for e, of_agent in drawn if not of_agent]
    assert {*general[:3]} == {"x", "y", "z"}  # all of them before one comes again
    again = [*itertools.islice(mixed_draw(["a", "b"], ["x", "y", "z"], 0.2, seed=5), 4000)]
    assert drawn == again


def test_what_is_not_drawn_from_need_not_be_there() -> None:
    assert next(mixed_draw([], ["x"], 0.0)) == ("x", False)
    assert next(mixed_draw(["a"], [], 1.0)) == ("a", True)
    with pytest.raises(BadInput, match="no general data"):
        next(mixed_draw(["a"], [], 0.2))
