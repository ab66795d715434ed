"""Routing: which of several models answers a request (AIOS, LLM cores).

*Sequential*: the first of the acceptable models that is there. *Smart*: the cheapest model that
past experience with similar questions expects to be right often enough. Both are models like any
other, so a system needs no change to be routed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from collegium.errors import (
    BadInput,
    MissingKey,
    Unreachable,
    WeightsMissing,
    missing_extra,
    unknown_name,
)
from collegium.kernel.calls import Generate, Reply
from collegium.kernel.limits import prompt_estimate
from collegium.models.model import Model, OnText

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 16
"""Past queries that an estimate is made from (AIOS, smart routing)."""

REQUIRED = 0.7
"""Expected share of right answers that is good enough (AIOS, smart routing)."""


class Embed(Protocol):
    """Turns texts into unit vectors, one row each."""

    async def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """The vectors of the texts."""
        ...


class Price(msgspec.Struct, frozen=True):
    """US dollars per token, read and written."""

    prompt: float = 0.0
    completion: float = 0.0


class Candidate(msgspec.Struct, frozen=True):
    """What a model is expected to do with one query.

    Attributes:
        model: Its name.
        p: Probability that it answers right.
        tokens: Tokens it is expected to write.
        price: What its tokens cost.
    """

    model: str
    p: float
    tokens: float
    price: Price = Price()

    def cost(self, tokens_in: float) -> float:
        """Expected cost in dollars of a query with so many prompt tokens."""
        return tokens_in * self.price.prompt + self.tokens * self.price.completion


def cheapest(
    candidates: Sequence[Candidate], tokens_in: float, required: float = REQUIRED
) -> Candidate:
    """The cheapest candidate that is expected to be right often enough, else the best one.

    Raises:
        BadInput: There are no candidates.
    """
    if not candidates:
        raise BadInput("there is no model to choose from.")
    good = [c for c in candidates if c.p >= required]
    if good:
        return min(good, key=lambda c: c.cost(tokens_in))
    return max(candidates, key=lambda c: c.p)


def cheapest_together(
    queries: Sequence[tuple[float, Sequence[Candidate]]], required: float = REQUIRED
) -> list[Candidate]:
    """One model per query so that the whole batch costs least and is right often enough.

    The 0/1 program of AIOS: minimise the sum of costs, subject to one model per query and a sum of
    probabilities of at least ``required`` times the number of queries. When no choice reaches
    that, every query gets its best model.

    Args:
        queries: For each query its prompt tokens and its candidates.
        required: Expected share of right answers over the batch.

    Raises:
        BadInput: A query has no candidates.
        MissingExtra: scipy is not installed.
    """
    if any(not candidates for _, candidates in queries):
        raise BadInput("there is a query with no model to choose from.")
    best = [max(candidates, key=lambda c: (c.p, -c.cost(tokens))) for tokens, candidates in queries]
    least = required * len(queries) - 1e-9  # sums of shares are not exact
    if not queries or sum(c.p for c in best) < least:
        return best
    try:
        import numpy as np
        from scipy.optimize import Bounds, LinearConstraint, milp
    except ImportError:
        raise missing_extra("routing", "routing a batch of requests") from None
    flat = [(q, c) for q, (_, candidates) in enumerate(queries) for c in candidates]
    cost = np.array([c.cost(queries[q][0]) for q, c in flat])
    one_each = np.zeros((len(queries), len(flat)))
    for column, (q, _) in enumerate(flat):
        one_each[q, column] = 1
    right = np.array([[c.p for _, c in flat]])
    # costs are millionths of a dollar: scaled, so that the solver's tolerances mean nothing here
    solved = milp(
        cost / (cost.max() or 1.0),
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(right, least, np.inf),
        ],
    )
    if solved.x is None:
        return best
    chosen = [c for (_, c), x in zip(flat, solved.x, strict=True) if x > 0.5]
    return chosen


class Past(msgspec.Struct, frozen=True):
    """A query that a model once answered.

    Attributes:
        query: Its text.
        model: Who answered.
        correct: Whether it was right.
        tokens: Tokens it wrote.
    """

    query: str
    model: str
    correct: bool
    tokens: int


class Experience:
    """Answered queries, to estimate from what a model will do with a similar one.

    Args:
        embed: Measures similarity.
        past: What is known.
        neighbours: Queries an estimate is made from.
    """

    def __init__(
        self, embed: Embed, past: Sequence[Past] = (), *, neighbours: int = NEIGHBOURS
    ) -> None:
        self._embed, self._neighbours = embed, neighbours
        self._past = list(past)
        self._vectors: dict[str, NDArray[Any]] = {}

    def add(self, past: Past) -> None:
        """Note an answered query."""
        self._past.append(past)

    async def estimate(self, query: str, model: str, price: Price) -> Candidate | None:
        """What a model is expected to do with a query; None when it has no past.

        The nearest queries count alike: p is their share of right answers, and the length the
        mean of theirs.
        """
        mine = [p for p in self._past if p.model == model]
        if not mine:
            return None
        await self._learn([query, *(p.query for p in mine)])
        asked = self._vectors[query]
        near = sorted(mine, key=lambda p: -float(self._vectors[p.query] @ asked))
        near = near[: self._neighbours]
        return Candidate(
            model,
            sum(p.correct for p in near) / len(near),
            sum(p.tokens for p in near) / len(near),
            price,
        )

    async def _learn(self, texts: Sequence[str]) -> None:
        new = [t for t in dict.fromkeys(texts) if t not in self._vectors]
        if new:
            self._vectors.update(zip(new, await self._embed.embed(new), strict=True))


class RoutedModel:
    """A model that hands each request to one of several.

    Args:
        models: The acceptable models by name, in the caller's order of preference.
        experience: For smart routing; None: sequential.
        prices: Of each model; 0 unless stated.
        required: Expected share of right answers that is good enough.

    Raises:
        BadInput: There are no models.
        UnknownName: A price names none of them.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        experience: Experience | None = None,
        prices: Mapping[str, Price] | None = None,
        required: float = REQUIRED,
    ) -> None:
        if not models:
            raise BadInput("routing needs at least one model.")
        for name in prices or {}:
            if name not in models:
                raise unknown_name("routed model", name, models)
        self._models, self._experience = dict(models), experience
        self._prices, self._required = dict(prices or {}), required

    @property
    def name(self) -> str:
        """All names, in order."""
        return "route:" + "|".join(self._models)

    @property
    def fingerprint(self) -> str:
        """Changes with any of the models."""
        return "route:" + "|".join(m.fingerprint for m in self._models.values())

    @property
    def context(self) -> int:
        """The smallest window among them."""
        return min(m.context for m in self._models.values())

    async def choose(self, request: Generate) -> list[str]:
        """The names to try, best first.

        Smart routing puts its choice first; those that have no past, or that fail, follow in the
        caller's order.
        """
        names = list(self._models)
        if self._experience is None:
            return names
        query = next((m.text for m in reversed(request.messages) if m.role == "user"), "")
        known = [
            await self._experience.estimate(query, name, self._prices.get(name, Price()))
            for name in names
        ]
        candidates = [c for c in known if c is not None]
        if not candidates:
            return names
        first = cheapest(candidates, prompt_estimate(request), self._required).model
        return [first, *(n for n in names if n != first)]

    async def generate(
        self, request: Generate, on_text: OnText | None = None
    ) -> tuple[Reply[Any], ...]:
        """Answer with the first chosen model that is there.

        Raises:
            Unreachable: None of them is.
        """
        missing: list[str] = []
        for name in await self.choose(request):
            try:
                return await self._models[name].generate(request, on_text)
            except (Unreachable, MissingKey, WeightsMissing) as error:
                missing.append(f"{name}: {error}")
        raise Unreachable(f"none of the models can be reached ({'; '.join(missing)})")

    async def aclose(self) -> None:
        """Close all of them."""
        for model in self._models.values():
            await model.aclose()
