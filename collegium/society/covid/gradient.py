"""The epidemic as a differentiable function of its parameters (AgentTorch, section 3), in torch.

Everything follows from one array of draws: x_i(s) = 1 if agent i caught the disease on day s. Who
can still catch it is S_i(t) = prod_{s<t} (1 - x_i(s)); what i infects with on day t is
a_i(t) = sum_d x_i(t - d) A(d) G(d), where A(d) is the infectivity of the stage that day d falls
into. So the whole course is a polynomial in the draws, and the gradient of a draw says how the
rest of the epidemic would have gone had it come out otherwise.

A draw is discrete; its gradient with respect to its probability p is set by an estimator:

* ``straight-through``: dx/dp = 1. With f the rest of the epidemic, E f(x) has the derivative
  f(1) - f(0), which f'(x) equals as long as f is linear in x. It is not quite: what i catches from
  j over all days is 1 - exp(-sum lambda_ij), and most have caught it in the end. So the estimate
  is good where contacts are many and weak and the epidemic still grows, and too large elsewhere.
* ``averaged-jump``: dx/dp = 1/(2p) for a drawn 1 and 1/(2(1-p)) for a drawn 0: the mean of the
  jumps to the other value, each weighted by how often it would be made.

Paper vs code vs ours
---------------------
* The released code keeps stages and times of infection as floating-point columns and cuts the
  gradient where they are compared. Here no comparison lies on the path.
* Deaths are their expectation, M times those who leave stage I.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from collegium.errors import BadInput, missing_extra
from collegium.society.chance import uniforms
from collegium.society.covid.disease import A_STAGE, I_MEAN, S_AGE, E, I, infectivity_by_day
from collegium.society.network import Layer
from collegium.society.state import Array

if TYPE_CHECKING:
    from torch import Tensor

Estimator = Literal["straight-through", "averaged-jump"]


def torch() -> Any:
    """The library.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import torch
    except ImportError:
        raise missing_extra("gradients", "the differentiable epidemic") from None
    return torch


def bernoulli(p: Tensor, lot: Tensor, estimator: Estimator = "straight-through") -> Tensor:
    """A draw per probability, with a gradient.

    Args:
        p: Probabilities.
        lot: Numbers in [0, 1); a draw is 1 where the lot is below p.
        estimator: What the gradient of a draw is.
    """
    drawn = (lot < p).to(p.dtype)
    if estimator == "straight-through":
        return drawn + (p - p.detach())
    there = p.detach().clamp(1e-6, 1 - 1e-6)
    weight = drawn / (2 * there) + (1 - drawn) / (2 * (1 - there))
    return drawn + weight * (p - p.detach())


class Course:
    """What is fixed in a differentiable epidemic: people, contacts, first cases, length.

    Args:
        age: Age group of everyone.
        layers: The contact networks.
        first: Who is infected before the first day, as 0 and 1.
        days: How many days.
        exposed_days: Days in stage E.
        infected_days: Days in stage I.

    Raises:
        BadInput: The networks are of other people.
        MissingExtra: torch is not installed.
    """

    def __init__(
        self,
        age: Array,
        layers: Mapping[str, Layer],
        first: Array,
        days: int,
        *,
        exposed_days: int = 5,
        infected_days: int = 5,
    ) -> None:
        t = torch()
        self.people, self.days = len(age), days
        self.infectious_days = exposed_days + infected_days
        if any(layer.agents != self.people for layer in layers.values()):
            raise BadInput("the contact networks are of other people than the population.")
        by_day = infectivity_by_day()[: self.infectious_days]
        stage = np.where(np.arange(self.infectious_days) < exposed_days, A_STAGE[E], A_STAGE[I])
        self.kernel = t.tensor(by_day * stage, dtype=t.float64)
        self.risk = t.tensor((np.array(S_AGE) / np.array(I_MEAN))[age], dtype=t.float64)
        self.first = t.tensor(first, dtype=t.float64)
        starts = np.concatenate([np.diff(layer.starts) for layer in layers.values()])
        rows = np.concatenate([np.arange(self.people) for _ in layers])
        weights = np.concatenate([np.full(v.edges, v.factor) for v in layers.values()])
        columns = np.concatenate([layer.others for layer in layers.values()]).astype(np.int64)
        index = np.stack([np.repeat(rows, starts), columns])
        shape = (self.people, self.people)
        matrix = t.sparse_coo_tensor(
            t.from_numpy(index), t.from_numpy(weights), shape, check_invariants=False
        )
        self.contacts = matrix.coalesce()

    def cases(
        self,
        r: Tensor,
        seeds: Sequence[int],
        *,
        isolate: Tensor | None = None,
        estimator: Estimator = "straight-through",
    ) -> Tensor:
        """New cases by day, for several seeds at once.

        Args:
            r: R of every week (the last goes on), or one R.
            seeds: Fix the draws; the same seed draws the same numbers for any R.
            isolate: Probability of isolating by week and agent, or none.
            estimator: What the gradient of a draw is.

        Returns:
            One row per seed, one number per day; its gradient reaches ``r`` and ``isolate``.
        """
        t = torch()
        r = r.reshape(-1)
        drawn = [self.first[:, None].expand(-1, len(seeds))]
        healthy = 1 - drawn[0]
        for day in range(self.days):
            # the draws of the last days, newest first: ``first`` was drawn on the day before day 0
            window = t.stack(drawn[-1 : -self.infectious_days : -1])
            infectivity = t.tensordot(self.kernel[1 : len(window) + 1], window, dims=1)
            pressure = t.sparse.mm(self.contacts, infectivity)
            week = min(day // 7, len(r) - 1)
            p = healthy * (1 - t.exp(-r[week] * self.risk[:, None] * pressure))
            if isolate is not None:
                home = isolate[min(day // 7, len(isolate) - 1)]
                p = p * (1 - bernoulli(home[:, None], self._lots(seeds, "isolate", day), estimator))
            x = bernoulli(p, self._lots(seeds, "infect", day), estimator)
            healthy = healthy * (1 - x)
            drawn.append(x)
        return t.stack([x.sum(0) for x in drawn[1:]], dim=1)

    def _lots(self, seeds: Sequence[int], purpose: str, day: int) -> Tensor:
        """The numbers that the engine draws for every agent on a day, one column per seed."""
        drawn = [uniforms(seed, purpose, day, self.people) for seed in seeds]
        return torch().from_numpy(np.stack(drawn, axis=1))
