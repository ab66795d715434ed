"""Tree search: UCT and backpropagation by hand, one shared tree, which leaf is next, the end."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.agents.mcts import (
    LOSS,
    WIN,
    Found,
    Judgement,
    Node,
    Path,
    Verdict,
    average_with_children,
    backpropagate,
    best_node,
    draw,
    is_open,
    search,
    select,
    uct,
    walk,
)
from collegium.errors import BadInput
from collegium.kernel import Unparsed


def first(choices: Sequence[str]) -> str:
    return choices[0]


class Game:
    """A made-up task: what every path of actions is judged and scored; it notes what was done."""

    def __init__(self, judged: Callable[[str], tuple[Verdict, float]], moves: str = "ab") -> None:
        self.judged, self.moves = judged, moves
        self.done: list[str] = []
        self.root = Node()

    async def actions(self, path: Path) -> Sequence[str]:
        return list(self.moves)

    async def act(self, path: Path, action: str) -> Node:
        self.done.append(name(path) + action)
        return Node(action=action, answer=name(path) + action)

    async def judge(self, path: Path) -> Judgement:
        return Judgement(*self.judged(name(path)))

    async def play(
        self,
        depth: int,
        simulations: int,
        choose: Callable[[Sequence[str]], str] = first,
        report: Callable[[], None] | None = None,
    ) -> Found:
        return await search(
            self.root,
            actions=self.actions,
            act=self.act,
            judge=self.judge,
            choose=choose,
            depth=depth,
            simulations=simulations,
            report=report,
        )


def name(path: Path) -> str:
    """The actions of a path in a row."""
    return "".join(n.action for n in path)


def numbers(root: Node) -> dict[str, tuple[int, float]]:
    """Visits and value of every node by its answer; the root's is ""."""
    return {n.answer or "": (n.n, round(n.v, 4)) for n, _ in walk(root)}


@pytest.mark.must_show("halo", 1)
def test_uct_by_hand() -> None:
    a, b, c = Node("a", v=2.1, n=3), Node("b", v=0.4, n=2), Node("c")
    assert round(uct(a, 5, 1.4), 4) == 1.7254
    assert round(uct(b, 5, 1.4), 4) == 1.4559
    root = Node(n=5, children=[a, b])
    assert select(root, 2, 1.4)[-1] is a
    root.children.append(c)  # never visited, so it comes first whatever its score
    assert select(root, 2, 1.4)[-1] is c


@pytest.mark.must_show("halo", 2)
def test_the_published_rule_of_backpropagation() -> None:
    leaf = Node("leaf", v=0.55)
    average_with_children(leaf, WIN)
    assert (leaf.n, round(leaf.v, 2)) == (1, 1.25)
    average_with_children(leaf, LOSS)
    assert (leaf.n, round(leaf.v, 2)) == (2, 1.10)
    leaf.children = [Node("x", v=0.6), Node("y", v=0.2)]
    average_with_children(leaf, WIN)
    assert (leaf.n, round(leaf.v, 2)) == (3, 0.96)


def test_our_rule_sums_along_the_path() -> None:
    root, above, leaf = Node(), Node("a", v=0.5), Node("b", v=0.25)
    backpropagate([root, above, leaf], WIN)
    backpropagate([root, above], LOSS)
    assert [(n.n, round(n.v, 2)) for n in (root, above, leaf)] == [(2, 0.4), (2, 0.9), (1, 0.95)]


@pytest.mark.must_show("halo", 2)
def test_the_published_rule_reads_children_that_were_updated_first() -> None:
    leaf = Node("leaf", v=0.55)
    root = Node(children=[leaf])
    backpropagate([root, leaf], WIN, average_with_children)
    assert (leaf.v, root.v) == (1.25, (0.7 + 1.25) / 2)


@pytest.mark.parametrize("order", ["ab", "ba"])
async def test_a_success_ends_the_search_beside_a_failure(order: str) -> None:
    game = Game(lambda p: ("success", 0.9) if p == "a" else ("fail", 0.95), order)
    found = await game.play(depth=2, simulations=2)
    assert found.best is not None
    assert (found.status, found.best.answer, found.simulations) == ("success", "a", 0)
    assert game.done == list(order)
    assert numbers(game.root) == {"": (1, 0.7), "a": (1, 1.6), "b": (0, 0.95)}


async def test_of_several_successes_the_best_scored_wins() -> None:
    scores = {"a": 0.4, "b": 0.8, "c": 0.8}
    found = await Game(lambda p: ("success", scores[p]), "abc").play(depth=1, simulations=1)
    assert found.best is not None
    assert found.best.answer == "b"


class Enough(Exception):
    """Ends a search that has shown what was asked."""


@pytest.mark.parametrize(("winner", "loser", "third"), [("a", "b", "a"), ("b", "a", "bb")])
async def test_what_simulations_gave_decides_what_is_expanded_third(
    winner: str, loser: str, third: str
) -> None:
    # All scores are the same. Only simulations that begin in the winner's branch succeed.
    def judged(p: str) -> tuple[Verdict, float]:
        return "success" if len(p) == 4 and p[0] == winner else "continue", 0.5

    game = Game(judged)
    seen: list[dict[str, tuple[int, float]]] = []

    def report() -> None:
        seen.append(numbers(game.root))
        if len(seen) == 5:  # rounds 1 and 2, and the expansion of round 3
            raise Enough

    with pytest.raises(Enough):
        await game.play(depth=4, simulations=2, report=report)
    # Round 1 simulated from a; round 2 expanded b, never visited, and simulated from ba. Both now
    # have as many visits, so the values alone decide where round 3 goes on.
    assert seen[3][winner] == (2, 0.5 + 2 * WIN)
    assert seen[3][loser] == (2, pytest.approx(0.5 + 2 * LOSS))
    assert {n.answer or "" for n, _ in walk(game.root) if n.children} == {"", "b", third}


async def test_a_failed_node_is_never_gone_on_with() -> None:
    game = Game(lambda p: ("fail", 0.9) if p[-1] == "a" else ("continue", 0.1))
    found = await game.play(depth=3, simulations=1)
    kept = [n.answer for n, d in walk(game.root) if d]
    assert kept == ["a", "b", "ba", "bb", "bba", "bbb"]
    assert found.status == "fail"
    assert found.best is not None
    assert found.best.answer == "a"  # the best-scored answer, though it was judged a failure


async def test_failures_alone_end_the_search_after_one_expansion() -> None:
    game = Game(lambda p: ("fail", 0.5))
    found = await game.play(depth=5, simulations=3)
    assert (found.status, found.expansions, found.wins) == ("fail", 1, 0)
    assert game.done == ["a", "b"]  # a known loss is backed up without a call
    assert numbers(game.root) == {"": (3, -0.9), "a": (3, -0.4), "b": (0, 0.5)}


@pytest.mark.must_show("halo", 4)
@pytest.mark.parametrize(
    ("depth", "simulations", "steps"),
    # R + ... + R^D steps of the tree, S * sum R^l (D-l-1) of simulations, for R = 2
    [(1, 2, 2), (2, 2, 6 + 2), (3, 1, 14 + 2 + 2), (3, 2, 14 + 4 + 4), (4, 5, 30 + 15 + 20 + 20)],
)
async def test_going_on_for_ever_ends_with_the_tree_full(
    depth: int, simulations: int, steps: int
) -> None:
    game = Game(lambda p: ("continue", 0.5))
    found = await game.play(depth, simulations)
    assert found.status == "fail"
    assert len(game.done) == steps
    levels = [d for _, d in walk(game.root)]
    assert [levels.count(d) for d in range(depth + 1)] == [2**d for d in range(depth + 1)]
    assert found.expansions == 2**depth - 1
    assert found.simulations == game.root.n == simulations * found.expansions
    assert not is_open(game.root, depth)


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
async def test_visits_and_ends_hold_whatever_is_judged(
    seed: int, depth: int, simulations: int, moves: int
) -> None:
    chance = random.Random(seed)

    def judged(p: str) -> tuple[Verdict, float]:
        verdicts: list[Verdict] = ["continue", "continue", "fail"]
        success: list[Verdict] = ["success"] if chance.random() < 0.1 else []
        return chance.choice(verdicts + success), chance.random()

    game = Game(judged, "abc"[:moves])
    found = await game.play(depth, simulations, chance.choice)
    for node, level in walk(game.root):
        assert level <= depth
        assert node.n >= sum(c.n for c in node.children)
        if node.verdict != "continue":
            assert node.children == []
    tree = [n for n, d in walk(game.root) if d]
    solved = [n for n in tree if n.verdict == "success"]
    assert (found.status == "success") == bool(solved)
    assert found.best is not None
    assert found.best.score == max(n.score for n in solved or tree)
    assert found.expansions <= sum(moves**level for level in range(depth))
    assert found.wins <= found.simulations


async def test_simulations_draw_their_actions_and_leave_no_nodes() -> None:
    drawn: list[str] = []

    def choose(choices: Sequence[str]) -> str:
        drawn.append(choices[-1])
        return choices[-1]

    game = Game(lambda p: ("success" if p == "abb" else "continue", 0.5))
    found = await game.play(depth=3, simulations=1, choose=choose)
    assert game.done[:4] == ["a", "b", "ab", "abb"]  # two children, then b after a, b after ab
    assert drawn[:2] == ["b", "b"]
    assert found.wins == 1
    # What was won in a simulation is no answer yet: abb is made anew once ab is expanded.
    assert found.status == "success"
    assert game.done.count("abb") == 2
    assert [n.answer for n, d in walk(game.root) if n.verdict == "success"] == ["abb"]


async def test_nothing_to_do_is_a_dead_end() -> None:
    game = Game(lambda p: ("continue", 0.5), "")
    found = await game.play(depth=2, simulations=1)
    assert found == Found("fail", None, 0, 0, 0)


@pytest.mark.parametrize(("depth", "simulations"), [(0, 1), (1, 0), (-1, 2)])
async def test_bad_bounds(depth: int, simulations: int) -> None:
    with pytest.raises(BadInput, match=f"not {depth} and {simulations}"):
        await Game(lambda p: ("continue", 0.5)).play(depth, simulations)


def test_the_best_node_has_an_answer_and_is_a_success_if_there_is_one() -> None:
    mute = Node("a", answer=Unparsed("hm"), score=1.0)
    fair, good = Node("b", answer=1.0, score=0.3), Node("c", answer=0.0, score=0.6)
    assert best_node(Node()) is None
    assert best_node(Node(children=[mute])) is mute
    assert best_node(Node(children=[mute, fair, good])) is good
    fair.verdict = "success"
    assert best_node(Node(children=[mute, fair, good])) is fair


def test_a_drawn_tree() -> None:
    grandchild = Node("critic", answer="x" * 60, verdict="success", score=1, n=1, v=1.7)
    root = Node(
        n=3,
        v=0.1,
        children=[
            Node("maths expert", answer=42, score=0.5, n=2, v=0.9, children=[grandchild]),
            Node("clerk", answer=Unparsed("hm"), verdict="fail"),
        ],
    )
    assert draw(root).splitlines() == [
        "(start)  n=3 v=0.10",
        "├─ maths expert  continue  score=0.50 n=2 v=0.90  -> 42",
        f"│  └─ critic  success  score=1.00 n=1 v=1.70  -> {'x' * 45}...",
        "└─ clerk  fail  score=0.00 n=0 v=0.00  -> no answer",
    ]
