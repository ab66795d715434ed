"""Search among sequences of actions by making them in the real environment.

Best-first search of Koh et al. (2024, arXiv 2407.01476), section 3 and appendix A.3: a frontier by
value, values from a model that looks at states which were really reached, going back by a reset and
a replay, and a child that waits under its parent's value until it is its turn. Breadth-first and
depth-first search spend the same budget in another order. It knows neither models nor worlds: a
:class:`Place` makes actions, functions propose and judge.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from collegium.errors import BadInput, CollegiumError

Order = Literal["best", "bfs", "dfs"]

ROOT_PRIORITY = 0.5
"""Under which the first actions wait: no state stands behind them that was judged."""

UNREADABLE, SAME = 3, 5
"""Early stop: so many actions in a row that could not be read, or that were the same."""


class NotRepeatable(CollegiumError):
    """The same actions led to something else: the environment cannot be gone back in."""


class Action(msgspec.Struct, frozen=True):
    """An action as it is compared and shown.

    Attributes:
        key: Equal for equal actions.
        value: What the place makes of it; None for one that could not be read.
        text: What was written when it was proposed.
        share: Its share of the proposals that were kept.
        ends: Whether it states an answer, after which nothing follows.
        typing: Whether it types: then equal ones count over the whole history (early stop).
    """

    key: str
    value: Any = None
    text: str = ""
    share: float = 1.0
    ends: bool = False
    typing: bool = False


class Seen(msgspec.Struct, frozen=True):
    """What an action came to.

    Attributes:
        text: The observation.
        over: Whether nothing can follow.
        refused: It was not made, because it could not be taken back.
    """

    text: str
    over: bool = False
    refused: bool = False


class Move(msgspec.Struct, frozen=True):
    """An action and what it came to."""

    action: Action
    seen: Seen


Path = tuple[Move, ...]
Propose = Callable[[Path], Awaitable[Sequence[Action]]]
"""The actions worth trying after a path, the most frequent first."""
Judge = Callable[[Path], Awaitable[float]]
"""What the state after a path is worth, 0 to 1."""


class Place(Protocol):
    """The environment."""

    async def reset(self) -> None:
        """Go back to the state in which all actions that were committed are done."""
        ...

    async def act(self, action: Action) -> Seen:
        """Try an action."""
        ...


class Counts(msgspec.Struct):
    """What a search spent."""

    expansions: int = 0
    resets: int = 0
    env_steps: int = 0
    proposal_calls: int = 0
    value_calls: int = 0


class Node(msgspec.Struct, kw_only=True):
    """One action in the tree.

    Attributes:
        number: In the order in which they were proposed.
        parent: The node before it; -1 for a first action.
        root: Which first action it descends from.
        child: Its place among its siblings.
        depth: 0 for a first action.
        action: The action.
        priority: Its parent's value.
        seen: What it came to, once it was tried.
        value: What that is worth, once it was judged.
        expansion: When it was tried, from 1; 0: not.
    """

    number: int
    parent: int
    root: int
    child: int
    depth: int
    action: Action
    priority: float
    seen: Seen | None = None
    value: float | None = None
    expansion: int = 0


class Found(msgspec.Struct, frozen=True):
    """What a search came to.

    Attributes:
        path: The best sequence of actions, as it was tried.
        value: What it is worth.
        nodes: The tree.
    """

    path: Path
    value: float
    nodes: tuple[Node, ...]


async def search(
    place: Place,
    propose: Propose,
    judge: Judge,
    *,
    history: Path = (),
    budget: int = 20,
    depth: int = 4,
    order: Order = "best",
    threshold: float = 1.0,
    later: bool = False,
    counts: Counts | None = None,
) -> Found:
    """Explore a tree of action sequences, and give the best.

    Args:
        place: Where actions are tried.
        propose: The actions to try after a path (b of them).
        judge: The value of the state after a path.
        history: What was committed before: the beginning of every path proposed for or judged.
        budget: Nodes to try at most (c).
        depth: How deep children are still proposed: first actions have depth 0.
        order: Which node is next.
        threshold: A value from which on the search ends (theta).
        later: Whether of equal values the one found later is the best (the paper's Algorithm 1)
            or the one found first (the released code).
        counts: Where what it spends is added up.

    Raises:
        BadInput: A number is out of range.
        NotRepeatable: A replay showed something else than the first time.
    """
    if budget < 1 or depth < 0:
        raise BadInput(
            "a search needs a budget of 1 or more and a depth of 0 or more, "
            f"not {budget} and {depth}."
        )
    spent = counts if counts is not None else Counts()
    nodes: list[Node] = []
    frontier: list[tuple[Any, int]] = []

    def wait(parent: Node | None, actions: Sequence[Action]) -> None:
        for child, action in enumerate(actions):
            node = Node(
                number=len(nodes),
                parent=parent.number if parent else -1,
                root=parent.root if parent else child,
                child=child,
                depth=parent.depth + 1 if parent else 0,
                action=action,
                priority=parent.value or 0.0 if parent else ROOT_PRIORITY,
            )
            nodes.append(node)
            heapq.heappush(frontier, (_key(node, order), node.number))

    spent.proposal_calls += 1
    wait(None, await propose(history))
    best, best_value = (), -1.0
    while frontier and spent.expansions < budget:
        node = nodes[heapq.heappop(frontier)[1]]
        spent.expansions += 1
        node.expansion = spent.expansions
        before = _lineage(nodes, node)
        await _expand(place, node, before, spent)
        assert node.seen is not None
        path = (*(Move(n.action, n.seen) for n in before if n.seen), Move(node.action, node.seen))
        if node.action.value is None:
            node.value = 0.0
        else:
            spent.value_calls += 1
            node.value = await judge((*history, *path))
        if node.value > best_value or (later and node.value == best_value):
            best, best_value = path, node.value
        if node.value >= threshold:
            break
        whole = [move.action for move in (*history, *path)]
        ended = node.action.ends or node.seen.over or node.seen.refused
        if not ended and node.depth < depth and not early_stop(whole):
            spent.proposal_calls += 1
            wait(node, await propose((*history, *path)))
    return Found(best, max(best_value, 0.0), tuple(nodes))


async def rerank(
    place: Place,
    propose: Propose,
    judge: Judge,
    *,
    trajectories: int = 3,
    length: int,
    counts: Counts | None = None,
) -> Found:
    """Trajectory re-ranking: whole trajectories are sampled, and the value function picks one.

    Args:
        place: Where actions are tried.
        propose: The next actions after a path; the first is taken.
        judge: The value of the state after a path.
        trajectories: How many.
        length: Actions at most.
        counts: Where what it spends is added up.
    """
    spent = counts if counts is not None else Counts()
    nodes: list[Node] = []
    best, best_value = (), -1.0
    for root in range(trajectories):
        path: Path = ()
        await place.reset()
        spent.resets += 1
        while len(path) < length and not early_stop([m.action for m in path]):
            spent.proposal_calls += 1
            action = (await propose(path))[0]
            seen = await _act(place, action, spent)
            node = Node(
                number=len(nodes),
                parent=len(nodes) - 1 if path else -1,
                root=root,
                child=0,
                depth=len(path),
                action=action,
                priority=ROOT_PRIORITY,
                seen=seen,
            )
            nodes.append(node)
            path = (*path, Move(action, seen))
            if action.ends or seen.over or seen.refused:
                break
        spent.value_calls += 1
        value = await judge(path)
        if nodes:
            nodes[-1].value = value
        if value > best_value:
            best, best_value = path, value
    return Found(best, max(best_value, 0.0), tuple(nodes))


def early_stop(actions: Sequence[Action]) -> bool:
    """Whether an agent has lost its way: it cannot be read any more, or repeats itself."""
    last = actions[-UNREADABLE:]
    if len(last) == UNREADABLE and all(a.value is None for a in last):
        return True
    if not actions or actions[-1].value is None:
        return False
    key = actions[-1].key
    if actions[-1].typing:
        return sum(a.key == key for a in actions) >= SAME
    last = actions[-SAME:]
    return len(last) == SAME and all(a.key == key for a in last)


def most_frequent(actions: Sequence[Action | None], b: int) -> list[Action]:
    """The ``b`` most frequent of sampled actions, each with its share of those that are kept.

    Args:
        actions: As they were sampled; None for one that could not be read. Of equally frequent
            ones the one sampled first comes first.
        b: How many are kept.
    """
    counts: dict[str, int] = {}
    first: dict[str, Action] = {}
    for action in actions:
        if action is not None:
            counts[action.key] = counts.get(action.key, 0) + 1
            first.setdefault(action.key, action)
    kept = sorted(counts, key=lambda key: -counts[key])[:b]
    total = sum(counts[key] for key in kept)
    return [msgspec.structs.replace(first[k], share=counts[k] / total) for k in kept]


def _key(node: Node, order: Order) -> tuple[float, ...]:
    """What the frontier is sorted by: ties break by first action, place among siblings, and age."""
    age = (node.root, node.child, node.number)
    if order == "bfs":
        return (node.depth, *age)
    return (-node.depth, *age) if order == "dfs" else (-node.priority, *age)


def _lineage(nodes: Sequence[Node], node: Node) -> list[Node]:
    """The nodes before a node, the first action first."""
    found: list[Node] = []
    while node.parent >= 0:
        node = nodes[node.parent]
        found.append(node)
    return found[::-1]


async def _expand(place: Place, node: Node, before: Sequence[Node], spent: Counts) -> None:
    """Reset, make the actions before a node again, then its own."""
    if node.action.value is None:
        node.seen = Seen("", over=True)
        return
    await place.reset()
    spent.resets += 1
    for earlier in before:
        seen = await _act(place, earlier.action, spent)
        if earlier.seen is not None and seen != earlier.seen:
            raise NotRepeatable(
                f"after going back, {earlier.action.key} showed something else than before; the "
                "environment does not do the same for the same actions, so it cannot be searched."
            )
    node.seen = await _act(place, node.action, spent)


async def _act(place: Place, action: Action, spent: Counts) -> Seen:
    if action.value is None:
        return Seen("", over=True)
    seen = await place.act(action)
    spent.env_steps += not (action.ends or seen.refused)
    return seen
