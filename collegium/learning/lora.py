"""Low-rank adapters, and training them on a mixture of agent and general data (2403.19962).

Settings are those of the official training script: rank 16, alpha 32, dropout 0.05 on all seven
matrices of a layer, learning rate 5e-5 with a warm-up of 2% and a cosine, weight decay 0.1, one
example at a time and 32 of them to an update, three epochs, prompts and replies of at most 512
tokens. The objective is :func:`collegium.learning.mixture.mixed_loss`, met by drawing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import BadInput, missing_extra
from collegium.learning.capture import Trajectory
from collegium.learning.masking import Encode, conversations, loss_mask, tokenised
from collegium.learning.mixture import LAMBDA, MASKED, example_losses, mixed_draw

if TYPE_CHECKING:
    from torch.nn import Module

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The matrices of a layer of a Llama."""


class Lora(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of an adapter: ``W + alpha / rank · B A`` for every matrix it is put on."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    matrices: tuple[str, ...] = MATRICES


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How an adapter is trained.

    Attributes:
        lam: The share of agent data, λ.
        epochs: How often as many examples are drawn as there are of agent data.
        rate: Learning rate at its highest.
        warm_up: Share of the updates in which it rises.
        decay: Weight decay.
        accumulate: Examples to an update.
        longest: Tokens of an example at most; longer ones are cut at their end.
        seed: Of the draw and of the dropout.
    """

    lam: float = LAMBDA
    epochs: int = 3
    rate: float = 5e-5
    warm_up: float = 0.02
    decay: float = 0.1
    accumulate: int = 32
    longest: int = 1024
    seed: int = 512


class Example(msgspec.Struct, frozen=True):
    """Tokens, and of each what is learnt: itself, or nothing (:data:`MASKED`)."""

    tokens: tuple[int, ...]
    labels: tuple[int, ...]


class Trained(msgspec.Struct, frozen=True):
    """What a training came to.

    Attributes:
        losses: The mean loss of every update.
        agent: Examples of the agent data that were drawn.
        general: Examples of the general data that were drawn.
        cut: Examples that were longer than the longest.
    """

    losses: tuple[float, ...]
    agent: int
    general: int
    cut: int


def adapted(model: Module, lora: Lora = Lora()) -> Any:
    """Put an adapter on a model; all its own weights are frozen.

    Args:
        model: Any torch model that has matrices of these names.
        lora: The adapter.

    Raises:
        BadInput: It has none of them.
        MissingExtra: ``peft`` is not installed.
    """
    try:
        from peft import (  # pyright: ignore[reportMissingImports]
            LoraConfig,
            get_peft_model,
        )
    except ImportError:
        raise missing_extra("tuning", "training an adapter") from None
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.matrices),
    )
    try:
        return get_peft_model(model, config)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        names = ", ".join(lora.matrices)
        raise BadInput(f"the model has no matrix called {names}: {error}.") from None


def added(model: Module) -> int:
    """How many parameters are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def merged(model: Any) -> Any:
    """The model with its adapter worked into the weights."""
    return model.merge_and_unload()


def examples(trajectory: Trajectory, encode: Encode, *, masking: bool = True) -> list[Example]:
    """The conversations of a trajectory as tokens: what the agent wrote is learnt, and no more.

    Args:
        trajectory: The trajectory.
        encode: Tokens of a message, the marks around it included.
        masking: Whether steps that are marked as bad are left out of the loss.
    """
    found: list[Example] = []
    for conversation in conversations(trajectory):
        pieces = tokenised(conversation, encode)
        tokens = tuple(token for piece in pieces for token in piece.tokens)
        learnt = loss_mask(pieces, masking=masking)
        labels = tuple(t if on else MASKED for t, on in zip(tokens, learnt, strict=True))
        if any(learnt):
            found.append(Example(tokens, labels))
    return found


def train(
    model: Module,
    agent: Sequence[Example],
    general: Sequence[Example] = (),
    training: Training = Training(),
    *,
    on_update: Callable[[int, float], None] | None = None,
) -> Trained:
    """Train the parameters of a model that are not frozen.

    Args:
        model: Takes tokens, and gives logits or something that has them as ``logits``.
        agent: The agent data.
        general: The general data; it may be left out where λ is 1.
        training: How.
        on_update: Called with the number and the mean loss of every update.

    Raises:
        BadInput: There is nothing to learn from, or a number is out of range.
        MissingExtra: ``torch`` is not installed.
    """
    try:
        import torch
    except ImportError:
        raise missing_extra("tuning", "training an adapter") from None
    if training.epochs < 1 or training.accumulate < 1 or training.longest < 2:
        raise BadInput("epochs and accumulate must be 1 or more, and longest 2 or more.")
    own = [p for p in model.parameters() if p.requires_grad]
    if not own:
        raise BadInput("the model has no parameter to train; put an adapter on it.")
    count = training.epochs * max(len(agent), 1)
    drawn = [*itertools.islice(mixed_draw(agent, general, training.lam, seed=training.seed), count)]
    cut = sum(len(example.tokens) > training.longest for example, _ in drawn)
    usable = [(one, of) for one, of in drawn if learns(one, training.longest)]
    if not usable:
        raise BadInput(f"no example has a token to learn within {training.longest} tokens.")
    torch.manual_seed(training.seed)
    updates = -(-len(usable) // training.accumulate)
    optimiser = torch.optim.AdamW(own, lr=training.rate, weight_decay=training.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: pace(step, updates, training.warm_up)
    )
    losses: list[float] = []
    model.train()
    for number in range(updates):
        batch = usable[number * training.accumulate : (number + 1) * training.accumulate]
        total = 0.0
        for example, _ in batch:
            loss = loss_of(model, example, training.longest) / len(batch)
            loss.backward()
            total += float(loss.detach())
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(total)
        if on_update is not None:
            on_update(number + 1, total)
    model.eval()
    of_agent = sum(of for _, of in usable)
    return Trained(tuple(losses), of_agent, len(usable) - of_agent, cut)


def loss_of(model: Module, example: Example, longest: int) -> Any:
    """The mean negative log-likelihood of an example's learnt tokens."""
    import torch

    tokens = torch.tensor([example.tokens[:longest]])
    labels = torch.tensor([example.labels[:longest]])
    given = model(tokens)
    return example_losses(getattr(given, "logits", given), labels)[0]


def learns(example: Example, longest: int) -> bool:
    """Whether anything is learnt of an example within so many tokens; the first is never."""
    return any(label != MASKED for label in example.labels[1:longest])


def pace(step: int, updates: int, warm_up: float) -> float:
    """The share of the learning rate at a step: it rises, then falls as a cosine."""
    rising = max(1, round(warm_up * updates))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, updates - rising)))
