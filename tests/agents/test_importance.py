"""Layered importance: the hand example, its laws, and the published runs."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.agents.importance import (
    Agreement,
    Row,
    backward,
    credit,
    edge_weight,
    edge_weights,
    enough,
    mean_totals,
    most_agreed,
    relative,
    role_totals,
    written_choice,
    written_scores,
)

ROLES = (
    "Economist",
    "Doctor",
    "Lawyer",
    "Mathematician",
    "Psychologist",
    "Programmer",
    "Historian",
)
N, LAYERS = 7, 3


@pytest.mark.must_show("dylan", 1)
def test_the_hand_example() -> None:
    """Four agents; the run stops in layer 1, where a, b and c agree."""
    shown = [0, 1, 2, 3]
    ratings = [[5, 1, 3, 1], [2, 2, 2, 2], [5, 5, 0, 0]]
    rows: list[Row | None] = [edge_weights(r, shown, 4) for r in ratings]
    assert rows[0] == pytest.approx((0.5, 0.1, 0.3, 0.1))
    assert rows[1] == pytest.approx((0.25, 0.25, 0.25, 0.25))
    assert rows[2] == pytest.approx((0.5, 0.5, 0, 0))
    first, second = backward([[*rows, None]], credit([True, True, True, False]))
    assert second == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert first == pytest.approx([0.41667, 0.28333, 0.18333, 0.11667], abs=5e-6)
    assert sum(first) == pytest.approx(1)
    assert role_totals([first, second]) == pytest.approx(
        [0.75, 0.61667, 0.51667, 0.11667], abs=5e-6
    )


def test_weights_go_back_to_where_the_texts_came_from() -> None:
    shown = [2, 0, 3]  # nobody was shown node 1
    assert edge_weights([4, 1, 0], shown, 4) == pytest.approx((0.2, 0, 0.8, 0))


@pytest.mark.must_show("dylan", 5)
@pytest.mark.parametrize(
    ("rating", "weight"), [(1, 0.2), (3, 0.6), (5, 1.0), (9, 1.0), (0, 0.0), (-1, 0.0)]
)
def test_ratings_out_of_range_are_cut(rating: int, weight: float) -> None:
    assert edge_weight(rating) == pytest.approx(weight)


@pytest.mark.must_show("dylan", 5)
@pytest.mark.parametrize("ratings", [[], [5], [5, 4, 3, 2], [0, 0, 0], [-1, -3, 0]])
def test_a_wrong_length_and_nothing_but_zeros_give_equal_shares(ratings: list[int]) -> None:
    assert edge_weights(ratings, [0, 2, 3], 4) == pytest.approx((1 / 3, 0, 1 / 3, 1 / 3))


@pytest.mark.must_show("dylan", 5)
@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("First [[1, 2, 3]]. On second thoughts: [[5,4, 3]].", [5, 4, 3]),
        ("[[9, -1, 3]]", [9, -1, 3]),
        ("[[4, N/A, 5, good, ]]", [4, 0, 5, 0, 0]),
        ("[[]]", [0]),
        ("The scores are [5, 4, 3].", []),
        ("", []),
    ],
)
def test_scores_as_the_published_prompts_ask_for_them(text: str, scores: list[int]) -> None:
    assert written_scores(text) == scores


@pytest.mark.must_show("dylan", 5)
@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("It is not (a), it is (c). A) is wrong.", "C"),
        ("Either B) or D) fits.", "D"),
        ("My answer is (E).", None),
        ("I cannot answer.", None),
    ],
)
def test_letters_as_the_published_prompts_ask_for_them(text: str, letter: str | None) -> None:
    assert written_choice(text) == letter


def test_abstentions_agree_with_nothing() -> None:
    same = str.__eq__
    assert most_agreed([None, None, "A", None], same) == Agreement(2, 1)
    assert most_agreed([None] * 5, same) == Agreement(-1, 0)
    assert most_agreed([], same) == Agreement(-1, 0)
    assert most_agreed(["B", "A", "A", "B"], same) == Agreement(0, 2)  # the first seen


@pytest.mark.parametrize(("members", "wanted"), [(4, 3), (7, 5), (2, 2), (3, 3), (1, 1)])
def test_more_than_two_thirds_must_agree(members: int, wanted: int) -> None:
    assert enough(members) == wanted


@pytest.mark.must_show("dylan", 7)
def test_nothing_is_divided_by_zero() -> None:
    assert credit([False, False]) == [0, 0]
    assert backward([[(0.5, 0.5), (1.0, 0.0)]], credit([False, False])) == [[0, 0], [0, 0]]
    assert relative([0.0, 0.0]) == [0, 0]
    assert relative([]) == []
    assert edge_weights([], [], 3) == (0, 0, 0)


def test_scores_beside_their_mean() -> None:
    assert mean_totals([[1.0, 2.0], [3.0, 0.0]]) == [2.0, 1.0]
    assert relative([3.0, 1.0, 2.0]) == pytest.approx([0.5, -0.5, 0.0])


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[list[Row | None]], list[float]]:
    """A network with nodes switched off at random, and the credit in its last layer."""
    width = draw(st.integers(2, 6))
    nodes = range(width)
    active = list(nodes)
    weights: list[list[Row | None]] = []
    for _ in range(draw(st.integers(1, 4))):
        shown = draw(st.permutations(active))
        active = draw(st.lists(st.sampled_from(nodes), min_size=1, unique=True))
        ratings = st.lists(st.integers(-2, 9), min_size=len(shown) - 1, max_size=len(shown))
        weights.append(
            [edge_weights(draw(ratings), shown, width) if j in active else None for j in nodes]
        )
    right = draw(st.lists(st.sampled_from(active), min_size=1, unique=True))
    return weights, credit([j in right for j in nodes])


@pytest.mark.must_show("dylan", 2)
@given(networks())
def test_importance_is_conserved(network: tuple[list[list[Row | None]], list[float]]) -> None:
    weights, last = network
    importance = backward(weights, last)
    assert len(importance) == len(weights) + 1
    for layer in importance:
        assert sum(layer) == pytest.approx(1)
        assert all(i >= 0 for i in layer)
    for rows, layer in zip(weights, importance[1:], strict=True):
        assert all(i == 0 for row, i in zip(rows, layer, strict=True) if row is None)


# -- the published runs: replies by agent and layer, and the vectors their authors' program wrote


class Log:
    """A published run over one MMLU subject: seven roles, three layers."""

    def __init__(self, folder: Path, subject: str) -> None:
        stem = folder / "dylan" / "mmlu_optimal7_7" / f"{subject}_test_73"
        lines = stem.with_suffix(".txt").read_text().splitlines()
        self.calls = int(lines[1].split()[0])
        self.vectors: list[list[float]] = json.loads(lines[2])
        replies = [json.loads(x) for x in stem.with_suffix(".json").read_text().splitlines()]
        # The first line of one file is left from a run that was started before.
        self.replies: list[list[list[str | None]]] = replies[-len(self.vectors) :]

    def layers(self, question: int) -> list[list[str | None]]:
        """The replies to a question by layer and agent."""
        return [[agent[t] for agent in self.replies[question]] for t in range(LAYERS)]


def stopped_in(layers: list[list[str | None]]) -> int:
    """The last layer that anybody was active in."""
    return max(t for t, layer in enumerate(layers) if any(r is not None for r in layer))


def agreement(layer: list[str | None], *, unread_agree: bool) -> Agreement:
    """How many of a layer agree; in the published program unreadable replies agree too."""
    said = [written_choice(r) for r in layer if r is not None]
    return most_agreed([x or "unread" for x in said] if unread_agree else said, str.__eq__)


@pytest.fixture
def algebra(collegium_data: Path) -> Log:
    return Log(collegium_data, "abstract_algebra")


@pytest.mark.must_show("dylan", 2)
def test_published_importance_is_conserved(algebra: Log) -> None:
    assert len(algebra.vectors) == 20
    for question, vector in enumerate(algebra.vectors):
        ran = stopped_in(algebra.layers(question)) + 1
        sums = [sum(vector[t * N : t * N + N]) for t in range(LAYERS)]
        assert sums == pytest.approx([1.0] * ran + [0.0] * (LAYERS - ran))


@pytest.mark.must_show("dylan", 3)
def test_published_stops_and_calls_are_those_of_the_rules(algebra: Log) -> None:
    stops: Counter[int] = Counter()
    calls = 0
    for question in range(20):
        layers = algebra.layers(question)
        nodes = 0
        for t, layer in enumerate(layers):
            active = sum(r is not None for r in layer)
            nodes += active
            calls += active + (t == 2 and active > 0)  # a call more to rank what layer 1 said
            members = N if t < 2 else 2
            if agreement(layer, unread_agree=True).votes >= enough(members):
                assert stopped_in(layers) == t
                break
        else:
            assert stopped_in(layers) == 2
        assert nodes == sum(r is not None for layer in layers for r in layer)
        stops[stopped_in(layers)] += 1
    assert (stops[0], stops[1], stops[2]) == (5, 12, 3)
    assert calls == algebra.calls == 234


@pytest.mark.must_show("dylan", 5)
def test_a_published_run_stopped_on_replies_that_say_nothing(algebra: Log) -> None:
    """Five of seven refused to answer, and the published program took that for agreement."""
    first, second, _ = algebra.layers(13)
    assert agreement(first, unread_agree=True).votes == enough(N)
    assert set(second) == {None}  # it ended there
    assert agreement(first, unread_agree=False).votes == 1


@pytest.mark.must_show("dylan", 3)
def test_published_credit_is_that_of_the_parsed_answers(algebra: Log) -> None:
    for question, vector in enumerate(algebra.vectors):
        layers = algebra.layers(question)
        t = stopped_in(layers)
        said = ["" if r is None else written_choice(r) or "unread" for r in layers[t]]
        final = most_agreed([x or None for x in said], str.__eq__)
        assert credit([x == said[final.index] for x in said]) == pytest.approx(
            vector[t * N : t * N + N]
        )


@pytest.mark.must_show("dylan", 3)
def test_published_vectors_rank_the_roles(algebra: Log) -> None:
    totals = [role_totals([v[t * N : t * N + N] for t in range(LAYERS)]) for v in algebra.vectors]
    scores = mean_totals(totals)
    ranked = sorted(zip(scores, ROLES, strict=True), reverse=True)
    assert [(role, round(score, 4)) for score, role in ranked[:3]] == [
        ("Mathematician", 0.3373),
        ("Programmer", 0.3234),
        ("Historian", 0.2814),
    ]


def drawn_like_the_published_run(
    rng: random.Random, layers: list[list[str | None]]
) -> Iterator[list[Row | None]]:
    """The weights of layers 1 and 2, with every order drawn as the authors' program drew it.

    Each layer activates its agents in a fresh order, and every node is shown the replies before it
    in a fresh order of its own.
    """

    def order() -> list[int]:
        drawn = list(range(N))
        rng.shuffle(drawn)
        return drawn

    for t, layer in enumerate(layers):
        if all(r is None for r in layer):
            return
        if t == 2:
            order()  # the order in which the ranker reads
        speaking = [i for i in order() if layer[i] is not None]
        if t == 0:
            continue
        rows: list[Row | None] = [None] * N
        for node in speaking:
            rows[node] = edge_weights(written_scores(layer[node] or ""), order(), N)
        yield rows


@pytest.mark.must_show("dylan", 3)
def test_published_importance_is_recomputed_from_the_replies(collegium_data: Path) -> None:
    """The first six questions of a run, drawn with its seed, give its vectors number by number.

    In later questions calls were retried, and waiting before a retry drew from the same numbers.
    """
    log = Log(collegium_data, "anatomy")
    rng = random.Random(0)
    rng.shuffle(list(range(N)))  # drawn before the first question
    depths = []
    for question in range(6):
        layers = log.layers(question)
        weights = list(drawn_like_the_published_run(rng, layers))
        t = stopped_in(layers)
        depths.append(t)
        said: list[Any] = [None if r is None else written_choice(r) for r in layers[t]]
        final = said[most_agreed(said, str.__eq__).index]
        importance = backward(weights, credit([s == final for s in said]))
        importance += [[0.0] * N] * (LAYERS - len(importance))
        assert [x for layer in importance for x in layer] == pytest.approx(log.vectors[question])
    assert depths == [1, 0, 1, 0, 1, 2]
