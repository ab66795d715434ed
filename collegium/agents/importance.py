r"""Layered agent networks: rating weights, agreement, and importance propagated backward.

Notation: node (t, i) is agent i at layer t. w(t, j, i) is the weight of the edge from node
(t-1, i) to node (t, j): how well agent j rated what agent i had said. I(t, i) is the importance of
a node. All functions are pure; systems bring the ratings.

1. Ratings of 1 to 5 become edge weights, which add up to 1 over what a node was shown.
2. In the last layer, the nodes that gave the final answer share an importance of 1.
3. Backward, I(t-1, i) = sum over j of w(t, j, i) I(t, j). So every layer that ran adds up to 1.
4. An agent's score is the sum over the layers, averaged over several questions. No labels needed.

(Liu et al., 2023, "Dynamic LLM-Agent Network", section on the Agent Importance Score.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

Row = tuple[float, ...]
"""The weights of one node's incoming edges, by the node of the layer before; they sum to 1."""

Rows = Sequence[Row | None]
"""The rows of a layer by node; None for a node that was not active."""

TOP_RATING = 5
"""The best rating that a node can give."""


def edge_weight(rating: float) -> float:
    """The weight of an edge before normalisation: rating/5, cut to what lies between 0 and 1."""
    return min(max(rating / TOP_RATING, 0.0), 1.0)


def edge_weights(ratings: Sequence[float], shown: Sequence[int], width: int) -> Row:
    """The incoming weights of a node, from the ratings it gave.

    Args:
        ratings: One per text it was shown, in the order in which they were shown.
        shown: Which node each of these texts came from.
        width: How many nodes the layer before has, active or not.

    Returns:
        Weights by node, which sum to 1. A list of ratings of the wrong length counts as all zeros,
        and ratings that are all zero leave every node shown with an equal share. Whoever was shown
        nothing has no weights to give: all are 0.
    """
    given = ratings if len(ratings) == len(shown) else [0] * len(shown)
    raw = [edge_weight(r) for r in given]
    total = sum(raw)
    row = [0.0] * width
    for node, weight in zip(shown, raw, strict=True):
        row[node] = weight / total if total > 0 else 1 / len(shown)
    return tuple(row)


def credit(agrees: Sequence[bool]) -> list[float]:
    """Importance in the last layer: the k nodes that gave the final answer get 1/k each.

    Where nobody did, as when no reply could be read, all get 0: nobody earned anything.
    """
    k = sum(agrees)
    return [1 / k if a else 0.0 for a in agrees]


def backward(weights: Sequence[Rows], last: Sequence[float]) -> list[list[float]]:
    """Propagate importance from the last layer to the first.

    Args:
        weights: For the layers 1, 2, ... up to the last that ran, the rows of their nodes.
        last: Importance of the nodes of that last layer.

    Returns:
        Importance by layer and node, first layer first.
    """
    layers = [list(last)]
    for rows in reversed(weights):
        above = layers[0]
        width = max((len(row) for row in rows if row is not None), default=0)
        below = [
            sum(row[i] * above[j] for j, row in enumerate(rows) if row is not None)
            for i in range(width)
        ]
        layers.insert(0, below)
    return layers


def role_totals(importance: Sequence[Sequence[float]]) -> list[float]:
    """An agent's score on one question: its importance summed over the layers."""
    return [sum(column) for column in zip(*importance, strict=True)]


def mean_totals(totals: Sequence[Sequence[float]]) -> list[float]:
    """An agent's score over several questions: the mean of its scores on each."""
    return [sum(column) / len(totals) for column in zip(*totals, strict=True)]


def relative(scores: Sequence[float]) -> list[float]:
    """Scores as shares above or below their mean: (s - mean) / mean; 0 where the mean is 0."""
    mean = sum(scores) / len(scores) if scores else 0.0
    return [(s - mean) / mean if mean else 0.0 for s in scores]


class Agreement(msgspec.Struct, frozen=True):
    """The answer that most others agree with.

    Attributes:
        index: Where it stands among the answers; -1 when there is none.
        votes: How many agree with it, itself included.
    """

    index: int
    votes: int


def most_agreed(answers: Sequence[Any], same: Callable[[Any, Any], bool]) -> Agreement:
    """Find the answer with which most agree; ties go to the one seen first.

    Args:
        answers: In the order in which they were given; None is an abstention and agrees with
            nothing, not even with another None.
        same: Whether two answers count as equal. It need not be transitive.
    """
    best = Agreement(-1, 0)
    for index, answer in enumerate(answers):
        if answer is None:
            continue
        votes = sum(other is not None and same(answer, other) for other in answers)
        if votes > best.votes:
            best = Agreement(index, votes)
    return best


def enough(members: int) -> int:
    """How many equal answers end a run: more than two thirds of the members, rounded down."""
    return 2 * members // 3 + 1


# The textual form that the published prompts ask for, as it stands in published logs. Systems here
# ask for typed replies instead.

_SCORES = re.compile(r"\[\[(.*?)\]\]")
_CHOICE = re.compile(r"\(([A-Da-d])\)")
_CHOICE_BARE = re.compile(r"([A-Da-d])\)")


def written_scores(text: str) -> list[int]:
    """Read the ratings of a reply as ``[[s1, s2, ...]]``; the last such list counts.

    An entry that is no whole number is 0. Without such a list there are no ratings.
    """
    found = _SCORES.findall(text)
    return [_whole(entry) for entry in found[-1].split(",")] if found else []


def written_choice(text: str) -> str | None:
    """Read the letter of a reply: the last ``(A)`` to ``(D)``, else the last ``A)`` to ``D)``."""
    found = _CHOICE.findall(text) or _CHOICE_BARE.findall(text)
    return found[-1].upper() if found else None


def _whole(entry: str) -> int:
    try:
        return int(entry)
    except ValueError:
        return 0
