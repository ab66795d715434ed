"""Routing: the figures of the specification, the 0/1 program against enumeration, fallbacks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.errors import BadInput, ModelError, UnknownName, Unreachable
from collegium.kernel import Kernel
from collegium.models.routing import (
    Candidate,
    Experience,
    Past,
    Price,
    RoutedModel,
    cheapest,
    cheapest_together,
)
from tests.kernel.support import Scripted
from tests.models.support import ask

BIG = Candidate("big", 0.90, 100, Price(2e-6, 8e-6))
MID = Candidate("mid", 0.75, 200, Price(5e-7, 1.5e-6))
SMALL = Candidate("small", 0.50, 300, Price(1e-7, 4e-7))
ALL = (BIG, MID, SMALL)


@pytest.mark.must_show("aios", 5)
def test_smart_routing_by_hand() -> None:
    costs = [c.cost(400) for c in ALL]
    assert costs == pytest.approx([1.6e-3, 5.0e-4, 1.6e-4])
    assert cheapest(ALL, 400).model == "mid"
    assert cheapest(ALL, 400, 0.95).model == "big"
    assert cheapest(ALL, 400, 0.5).model == "small"


def test_a_batch_may_mix() -> None:
    chosen = cheapest_together([(400, ALL)] * 4, 0.7)
    assert sum(c.p for c in chosen) >= 2.8 - 1e-9
    # one small answer among three better ones is cheaper than four middling ones
    assert sum(c.cost(400) for c in chosen) <= 4 * MID.cost(400)
    assert [c.model for c in cheapest_together([(400, ALL)] * 2, 0.95)] == ["big", "big"]
    assert cheapest_together([], 0.7) == []


@given(
    st.lists(
        st.tuples(st.floats(1, 500), st.lists(st.floats(0, 1), min_size=3, max_size=3)),
        min_size=1,
        max_size=5,
    ),
    st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_the_program_finds_the_cheapest_choice(
    queries: list[tuple[float, list[float]]], required: float
) -> None:
    batch = [
        (
            tokens,
            tuple(Candidate(c.model, p, c.tokens, c.price) for c, p in zip(ALL, ps, strict=True)),
        )
        for tokens, ps in queries
    ]
    chosen = cheapest_together(batch, required)
    every = [
        (sum(c.cost(t) for c, (t, _) in zip(choice, batch, strict=True)), sum(c.p for c in choice))
        for choice in itertools.product(*(candidates for _, candidates in batch))
    ]
    enough = [cost for cost, p in every if p >= required * len(batch) - 1e-9]
    cost = sum(c.cost(t) for c, (t, _) in zip(chosen, batch, strict=True))
    if enough:
        assert cost == pytest.approx(min(enough), rel=1e-5)
    else:
        assert sum(c.p for c in chosen) == pytest.approx(max(p for _, p in every))


class Letters:
    """Vectors of letter counts."""

    async def embed(self, texts: Sequence[str]) -> Any:
        rows = np.array([[t.count(c) for c in "abcxyz"] for t in texts], dtype=float)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


async def test_estimates_come_from_the_nearest_queries() -> None:
    past = [Past("aaab", "m", True, 10), Past("aab", "m", True, 20), Past("xyz", "m", False, 99)]
    experience = Experience(Letters(), past, neighbours=2)
    near = await experience.estimate("aaaab", "m", Price())
    assert near == Candidate("m", 1.0, 15.0)
    assert await experience.estimate("a", "other", Price()) is None
    experience.add(Past("xxyyzz", "m", False, 101))
    assert await experience.estimate("xyzz", "m", Price()) == Candidate("m", 0.0, 100.0)


async def test_easy_questions_go_to_the_cheap_model() -> None:
    past = [
        *(Past("a" * i, "cheap", True, 10) for i in range(1, 5)),
        *(Past("x" * i, "cheap", False, 10) for i in range(1, 5)),
        *(Past("ax" * i, "dear", True, 10) for i in range(1, 9)),
    ]
    models = {"cheap": Scripted("from cheap"), "dear": Scripted("from dear")}
    prices = {"cheap": Price(1e-7, 1e-7), "dear": Price(1e-5, 1e-5)}
    router = RoutedModel(
        models, experience=Experience(Letters(), past, neighbours=4), prices=prices
    )
    agent = Kernel(router).agent("solver")
    assert (await agent.ask("aaa")).text == "from cheap"
    assert (await agent.ask("xxx")).text == "from dear"


async def test_sequential_takes_the_first_that_is_there() -> None:
    gone, here = Scripted(Unreachable("no server")), Scripted("here")
    router = RoutedModel({"gone": gone, "here": here})
    assert (await router.generate(ask()))[0].text == "here"
    with pytest.raises(Unreachable, match=r"none of the models.*no server"):
        await RoutedModel({"gone": gone}).generate(ask())
    broken = RoutedModel({"broken": Scripted(ModelError("refused")), "here": here})
    with pytest.raises(ModelError, match="refused"):
        await broken.generate(ask())


def test_bad_input() -> None:
    with pytest.raises(BadInput, match="at least one"):
        RoutedModel({})
    with pytest.raises(BadInput, match="no model"):
        cheapest((), 1)
    with pytest.raises(BadInput, match="no model"):
        cheapest_together([(1, ())])
    with pytest.raises(UnknownName, match="'here'"):
        RoutedModel({"here": Scripted("x")}, prices={"her": Price()})
