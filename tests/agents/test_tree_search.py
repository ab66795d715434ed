"""The search itself: what is tried in what order, what it costs, and what is committed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from collegium.agents.tree_search import (
    Action,
    Counts,
    Move,
    NotRepeatable,
    Order,
    Path,
    Seen,
    early_stop,
    most_frequent,
    rerank,
    search,
)
from collegium.errors import BadInput

VALUES = {"A": 0.5, "A0": 0.3, "A1": 0.8, "B": 0.6, "B0": 1.0, "B1": 0.4}
CHILDREN = {"": ("A", "B"), "A": ("A0", "A1"), "B": ("B0", "B1")}


def action(key: str) -> Action:
    return Action(key, key)


class Board:
    """A place that shows what was done since it was reset."""

    def __init__(self, noise: bool = False) -> None:
        self.done: list[str] = []
        self.log: list[str] = []
        self._noise, self._calls = noise, 0

    async def reset(self) -> None:
        self.done = []
        self.log.append("reset")

    async def act(self, action: Action) -> Seen:
        self.done.append(action.key)
        self.log.append(action.key)
        self._calls += 1
        return Seen(f"{self.done}{self._calls if self._noise else ''}")


async def propose(path: Path) -> Sequence[Action]:
    return [action(k) for k in CHILDREN.get(path[-1].action.key if path else "", ())]


async def judge(path: Path) -> float:
    return VALUES[path[-1].action.key]


@pytest.mark.must_show("tree-search", 1)
@pytest.mark.parametrize(
    ("budget", "tried", "committed", "value"),
    [
        (5, ["A", "A0", "A1", "B", "B0"], ["B", "B0"], 1.0),
        (4, ["A", "A0", "A1", "B"], ["A", "A1"], 0.8),
        (3, ["A", "A0", "A1"], ["A", "A1"], 0.8),
    ],
)
async def test_the_order_of_best_first_search(
    budget: int, tried: list[str], committed: list[str], value: float
) -> None:
    board, counts = Board(), Counts()
    found = await search(board, propose, judge, budget=budget, depth=1, counts=counts)
    expanded = sorted((n for n in found.nodes if n.expansion), key=lambda n: n.expansion)
    assert [n.action.key for n in expanded] == tried
    assert [m.action.key for m in found.path] == committed
    assert found.value == value
    assert counts.expansions == counts.resets == budget
    assert counts.value_calls == budget
    if budget == 5:
        assert counts == Counts(5, 5, 8, 3, 5)
        assert board.log.count("reset") == 5
        assert board.log == [
            *("reset", "A"), *("reset", "A", "A0"), *("reset", "A", "A1"),
            *("reset", "B"), *("reset", "B", "B0"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "tried"),
    [("bfs", ["A", "B", "A0", "A1", "B0"]), ("dfs", ["A", "A0", "A1", "B", "B0"])],
)
async def test_other_orders_spend_the_same_budget(order: Order, tried: list[str]) -> None:
    counts = Counts()
    found = await search(Board(), propose, judge, budget=5, depth=1, order=order, counts=counts)
    expanded = sorted((n for n in found.nodes if n.expansion), key=lambda n: n.expansion)
    assert [n.action.key for n in expanded] == tried
    assert counts.expansions == 5


async def test_children_wait_under_their_parents_value() -> None:
    found = await search(Board(), propose, judge, budget=5, depth=1)
    waiting = {n.action.key: n.priority for n in found.nodes}
    assert waiting == {"A": 0.5, "B": 0.5, "A0": 0.5, "A1": 0.5, "B0": 0.6, "B1": 0.6}


async def test_of_equal_values_the_first_or_the_last_is_the_best() -> None:
    async def flat(path: Path) -> float:
        return 0.5

    first = await search(Board(), propose, flat, budget=6, depth=1)
    last = await search(Board(), propose, flat, budget=6, depth=1, later=True)
    assert [m.action.key for m in first.path] == ["A"]
    assert [m.action.key for m in last.path] == ["B", "B1"]


async def test_nothing_follows_an_answer_an_end_a_refusal_or_the_depth() -> None:
    async def many(path: Path) -> Sequence[Action]:
        kinds = [Action("stop", "stop", ends=True), action("over"), action("refused"), action("go")]
        return kinds

    class Ends(Board):
        async def act(self, action: Action) -> Seen:
            return Seen("", over=action.key == "over", refused=action.key == "refused")

    async def low(path: Path) -> float:
        return 0.1

    counts = Counts()
    found = await search(Ends(), many, low, budget=50, depth=1, counts=counts)
    parents = {found.nodes[n.parent].action.key for n in found.nodes if n.parent >= 0}
    assert parents == {"go"}
    assert counts.proposal_calls == 2
    assert counts.expansions == 8  # the frontier is empty then


async def test_actions_that_cannot_be_read_score_nothing_and_are_not_tried() -> None:
    async def none(path: Path) -> Sequence[Action]:
        return [Action("none")]

    board, counts = Board(), Counts()
    found = await search(board, none, judge, budget=5, counts=counts)
    assert found.value == 0.0
    assert board.log == []
    assert (counts.value_calls, counts.env_steps) == (0, 0)


@pytest.mark.must_show("tree-search", 7)
async def test_a_place_that_does_not_repeat_itself_is_found_out() -> None:
    with pytest.raises(NotRepeatable, match="A showed something else"):
        await search(Board(noise=True), propose, judge, budget=5, depth=1)


@pytest.mark.must_show("tree-search", 2)
def test_the_most_frequent_proposals_are_kept() -> None:
    click, write, stop = action("click [3]"), action("type"), action("stop")
    sampled = [*[write] * 2, *[click] * 9, None, *[write] * 4, *[stop] * 3, None]
    kept = most_frequent(sampled, 2)
    assert [(a.key, a.share) for a in kept] == [("click [3]", 0.6), ("type", 0.4)]
    assert most_frequent([None, None], 2) == []


def test_an_agent_that_lost_its_way_is_stopped() -> None:
    none, click, write = Action("none"), action("click"), Action("type", "type", typing=True)
    assert not early_stop([])
    assert not early_stop([none, none])
    assert early_stop([click, none, none, none])
    assert not early_stop([none, none, click, none])
    assert not early_stop([click] * 4)
    assert early_stop([click] * 5)
    assert not early_stop([click, click, write, click, click, click])
    assert early_stop([write, click, write, click, write, write, click, write])


async def test_whole_trajectories_are_ranked() -> None:
    rounds = iter(("A", "A0", "B", "B0", "A", "A1"))

    async def sampled(path: Path) -> Sequence[Action]:
        return [action(next(rounds))]

    counts = Counts()
    found = await rerank(Board(), sampled, judge, trajectories=3, length=2, counts=counts)
    assert [m.action.key for m in found.path] == ["B", "B0"]
    assert counts == Counts(0, 3, 6, 6, 3)


async def test_what_was_committed_is_part_of_every_path() -> None:
    paths: list[list[str]] = []

    async def watch(path: Path) -> float:
        paths.append([m.action.key for m in path])
        return VALUES[path[-1].action.key]

    before = (Move(action("Z"), Seen("z")),)

    async def after(path: Path) -> Sequence[Action]:
        assert path[0].action.key == "Z"
        return await propose(path[1:])

    await search(Board(), after, watch, history=before, budget=2, depth=1)
    assert paths == [["Z", "A"], ["Z", "A", "A0"]]


@pytest.mark.parametrize(("budget", "depth"), [(0, 1), (1, -1)])
async def test_numbers_out_of_range_are_refused(budget: int, depth: int) -> None:
    with pytest.raises(BadInput, match="budget of 1 or more"):
        await search(Board(), propose, judge, budget=budget, depth=depth)
