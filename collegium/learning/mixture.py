"""Training on agent data mixed with general data (arXiv 2403.19962, and AgentTuning before it).

    L(θ) = −( λ · E_agent[log M(y|x)] + (1 − λ) · E_general[log M(y|x)] )

``log M(y|x)`` of an example is the mean over the tokens that are learnt: the agent's own replies.
Everything else is masked with −100, and no gradient reaches a model through it. A batch is mixed by
drawing every example from the agent data with the probability λ, whose mean is this objective.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from collegium.errors import BadInput, missing_extra

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

MASKED = -100
"""The label of a token that is not learnt."""

LAMBDA = 0.2
"""The share of agent data; AgentTuning's best, since the paper's own is not stated."""


def mixed_loss(agent: Any, general: Any, lam: float = LAMBDA) -> Any:
    """The objective, from the mean negative log-likelihood of agent and of general examples.

    Args:
        agent: Of the agent data: a number or a tensor.
        general: Of the general data.
        lam: λ, the share of agent data.

    Raises:
        BadInput: λ is not between 0 and 1.
    """
    _share(lam)
    return lam * agent + (1.0 - lam) * general


def example_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean negative log-likelihood of each example, over the tokens that are learnt.

    Args:
        logits: (examples, tokens, words); the logits at a token predict the next one.
        labels: (examples, tokens); :data:`MASKED` where a token is not learnt.

    Returns:
        One number per example.

    Raises:
        BadInput: An example has no token that is learnt.
    """
    try:
        from torch.nn.functional import cross_entropy
    except ImportError:
        raise missing_extra("gradients", "training") from None
    following = labels[:, 1:]
    learnt = (following != MASKED).sum(dim=1)
    if bool((learnt == 0).any()):
        raise BadInput("an example has no token that is learnt; leave it out.")
    losses = cross_entropy(
        logits[:, :-1].transpose(1, 2), following, ignore_index=MASKED, reduction="none"
    )
    return losses.sum(dim=1) / learnt


def mixed_draw(
    agent: Sequence[T], general: Sequence[T], lam: float = LAMBDA, *, seed: int = 0
) -> Iterator[tuple[T, bool]]:
    """Draw examples for ever, each from the agent data with the probability λ.

    Every data set is gone through in an order of its own, anew each time it is used up.

    Args:
        agent: The agent data.
        general: The general data.
        lam: λ.
        seed: Of the draw and of the orders.

    Yields:
        An example, and whether it is of the agent data.

    Raises:
        BadInput: λ is not between 0 and 1, or data that is drawn from is empty.
    """
    _share(lam)
    if (lam > 0 and not agent) or (lam < 1 and not general):
        which = "agent" if lam > 0 and not agent else "general"
        raise BadInput(f"there is no {which} data to draw from; with λ = {lam:g} there must be.")
    draw = random.Random(seed)
    orders = {True: _endless(agent, seed + 1), False: _endless(general, seed + 2)}
    while True:
        of_agent = draw.random() < lam
        yield next(orders[of_agent]), of_agent


def _endless(things: Sequence[T], seed: int) -> Iterator[T]:
    draw = random.Random(seed)
    while True:
        yield from draw.sample(things, len(things))


def _share(lam: float) -> None:
    if not 0.0 <= lam <= 1.0:
        raise BadInput(f"λ is a share from 0 to 1, not {lam:g}.")
