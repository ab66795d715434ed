"""Monte Carlo tree search over what an agent does next: one shared tree, kept as plain data.

A node is one action and what came of it. The search itself knows no prompt and no model: which
actions there are, carrying one out and judging what came of it are async functions that the caller
gives. One round of the search:

1. *Selection*: from the root down to a leaf by UCT(a) = v/n + eta * sqrt(ln N / n), N the visits of
   the parent. What was never visited comes first; among equals the better scored, then the older.
2. *Expansion*: one child per action, all at once; each is carried out, then judged and scored.
3. *Simulation* from the best child: random actions until one is judged success or fail, or the
   greatest depth is reached. Only success is a win. Simulated steps are paid for and thrown away:
   they say how good the child is, and are no part of the tree.
4. *Backpropagation* along the path: n += 1 and v += r with r = +0.7 for a win, -0.3 for a loss.
   v begins as the score that the node was given, so v/n is the mean reward with the score as a
   prior whose weight fades as 1/n.

The search ends when an expansion yields a success, or when no node is left to expand: a failed node
is terminal, so is every node at the greatest depth, and a node is used up when all its children
are. So it always ends: with R actions and depth D after at most 1 + R + ... + R^(D-1) expansions.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Unparsed, gather

Verdict = Literal["success", "fail", "continue"]
"""What a node was judged: it solved the task, it is a dead end, or somebody must go on from it."""

WIN, LOSS = 0.7, -0.3
ETA = 1.4


class Node(msgspec.Struct):
    """One action in the tree, and what came of it.

    Attributes:
        action: What was done; "" at the root.
        text: What came of it, as text.
        answer: The answer it gave; :class:`Unparsed` where there is none.
        call: Trace id of the call behind it (-1: none).
        verdict: How it was judged.
        score: How good it is, 0 to 1.
        n: Visits.
        v: Sum of the score and of all rewards that came back through it.
        children: By action, in the order of the actions.
    """

    action: str = ""
    text: str = ""
    answer: Any = None
    call: int = -1
    verdict: Verdict = "continue"
    score: float = 0.0
    n: int = 0
    v: float = 0.0
    children: list[Node] = []


class Judgement(msgspec.Struct, frozen=True):
    """The verdict on a node and its score, 0 to 1."""

    verdict: Verdict
    score: float


Path = Sequence[Node]
"""Nodes from the root downwards."""

Actions = Callable[[Path], Awaitable[Sequence[str]]]
"""The actions there are after a path; none makes its last node a dead end."""

Act = Callable[[Path, str], Awaitable[Node]]
"""Carry out an action after a path: a new node, not judged yet."""

Judge = Callable[[Path], Awaitable[Judgement]]
"""Judge the last node of a path."""

Update = Callable[[Node, float], None]
"""What one reward does to one node of the path it comes back through."""


class Found(msgspec.Struct, frozen=True):
    """What a search came to.

    Attributes:
        status: "success", or "fail" when nothing was left to try.
        best: The best-scored success; after a failure the best-scored node that has an answer,
            None when no node was made.
        expansions: How many nodes were expanded.
        simulations: How many simulations were run.
        wins: How many of them were won.
    """

    status: Literal["success", "fail"]
    best: Node | None
    expansions: int
    simulations: int
    wins: int


def uct(node: Node, visits: int, eta: float = ETA) -> float:
    """UCT of a child: what it was worth so far, and how little it was tried.

    Args:
        node: The child.
        visits: N, the visits of its parent.
        eta: Weight of exploration.
    """
    if node.n == 0:
        return math.inf
    return node.v / node.n + eta * math.sqrt(math.log(visits) / node.n)


def add_reward(node: Node, reward: float) -> None:
    """The rule of the search: one visit more, and the reward on top of the value."""
    node.n += 1
    node.v += reward


def average_with_children(node: Node, reward: float) -> None:
    """The rule of HALO's published code: v <- (v*n + r + sum of children's v) / (n + children).

    The n on the right is the new one, so the old value counts once too often, and UCT then divides
    this mean by n once more. It is here for comparison with published runs.
    """
    node.n += 1
    below = sum(c.v for c in node.children)
    node.v = (node.v * node.n + reward + below) / (node.n + len(node.children))


def backpropagate(path: Path, reward: float, update: Update = add_reward) -> None:
    """Take a reward back along a path, from its end up to the root."""
    for node in reversed(path):
        update(node, reward)


def is_open(node: Node, levels: int) -> bool:
    """Say whether something below a node can still be expanded.

    Args:
        node: The node.
        levels: How many levels the tree may still have below it.
    """
    if node.verdict != "continue" or levels < 1:
        return False
    return not node.children or any(is_open(c, levels - 1) for c in node.children)


def select(root: Node, depth: int, eta: float = ETA) -> list[Node]:
    """The path to the leaf that is to be expanded next; empty when there is none."""
    if not is_open(root, depth):
        return []
    path = [root]
    while path[-1].children:
        parent, levels = path[-1], depth - len(path)
        left = [c for c in parent.children if is_open(c, levels)]
        path.append(max(left, key=lambda c: (uct(c, parent.n, eta), c.score)))
    return path


async def search(
    root: Node,
    *,
    actions: Actions,
    act: Act,
    judge: Judge,
    choose: Callable[[Sequence[str]], str],
    depth: int,
    simulations: int,
    eta: float = ETA,
    update: Update = add_reward,
    report: Callable[[], None] | None = None,
) -> Found:
    """Search until an expansion yields a success or nothing is left to expand.

    Args:
        root: Where to begin; the tree grows below it, so the caller can read it at any time.
        actions: The actions after a path.
        act: Carries out an action. The children of an expansion are made side by side.
        judge: Judges the last node of a path.
        choose: Draws an action of a simulation (``kernel.random.choice``).
        depth: D, the greatest depth of a node; simulations end there too.
        simulations: Simulations after each expansion, one after the other.
        eta: Weight of exploration.
        update: The rule of backpropagation.
        report: Called whenever the tree has changed.

    Raises:
        BadInput: Depth or number of simulations is below 1.
    """
    if depth < 1 or simulations < 1:
        raise BadInput(
            f"a search needs depth >= 1 and simulations >= 1, not {depth} and {simulations}."
        )
    expansions = simulated = wins = 0
    while path := select(root, depth, eta):
        leaf = path[-1]
        choices = await actions(path)
        if not choices:
            leaf.verdict = "fail"
            continue
        leaf.children = await gather(*(_step(path, a, act, judge) for a in choices))
        expansions += 1
        solved = [c for c in leaf.children if c.verdict == "success"]
        if solved:
            best = max(solved, key=lambda c: c.score)
            backpropagate([*path, best], WIN, update)
            _tell(report)
            return Found("success", best, expansions, simulated, wins)
        _tell(report)
        going = [c for c in leaf.children if c.verdict == "continue"]
        child = max(going or leaf.children, key=lambda c: c.score)
        for _ in range(simulations):
            won = await _simulate([*path, child], actions, act, judge, choose, depth)
            backpropagate([*path, child], WIN if won else LOSS, update)
            simulated += 1
            wins += won
        _tell(report)
    return Found("fail", best_node(root), expansions, simulated, wins)


async def _step(path: Path, action: str, act: Act, judge: Judge) -> Node:
    """Carry out an action, and judge what came of it; v begins as the score."""
    node = await act(path, action)
    judged = await judge([*path, node])
    node.verdict, node.score, node.v = judged.verdict, judged.score, judged.score
    return node


async def _simulate(
    path: list[Node],
    actions: Actions,
    act: Act,
    judge: Judge,
    choose: Callable[[Sequence[str]], str],
    depth: int,
) -> bool:
    """Go on from the end of a path with random actions; only a success is a win."""
    while path[-1].verdict == "continue" and len(path) - 1 < depth:
        choices = await actions(path)
        if not choices:
            return False
        path = [*path, await _step(path, choose(choices), act, judge)]
    return path[-1].verdict == "success"


def _tell(report: Callable[[], None] | None) -> None:
    if report is not None:
        report()


def best_node(root: Node) -> Node | None:
    """The best node so far: one with an answer, a success before others, then by score.

    The first among equals; None in a tree that has only its root.
    """

    def rank(node: Node) -> tuple[bool, bool, float]:
        return not isinstance(node.answer, Unparsed), node.verdict == "success", node.score

    return max((n for n, depth in walk(root) if depth), key=rank, default=None)


def walk(root: Node, depth: int = 0) -> Iterator[tuple[Node, int]]:
    """All nodes with their depth (the root's is 0), each before its children."""
    yield root, depth
    for child in root.children:
        yield from walk(child, depth + 1)


def describe(node: Node) -> str:
    """A node in one line: action, verdict, score, visits, value and answer."""
    counts = f"n={node.n} v={node.v:.2f}"
    if not node.action:
        return f"(start)  {counts}"
    said = "no answer" if isinstance(node.answer, Unparsed) else " ".join(str(node.answer).split())
    said = said if len(said) <= 48 else f"{said[:45]}..."
    return f"{node.action}  {node.verdict}  score={node.score:.2f} {counts}  -> {said}"


def draw(root: Node, label: Callable[[Node], str] = describe) -> str:
    """Draw a tree as text, one line a node.

    Args:
        root: The tree.
        label: Writes a node in one line.
    """
    lines = [label(root)]

    def below(node: Node, margin: str) -> None:
        for i, child in enumerate(node.children):
            last = i + 1 == len(node.children)
            lines.append(f"{margin}{'└─ ' if last else '├─ '}{label(child)}")
            below(child, margin + ("   " if last else "│  "))

    below(root, "")
    return "\n".join(lines)
