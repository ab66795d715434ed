"""Tree search in real worlds: going back, what is never tried out, and the plain agent in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.guard import Label, Policy
from collegium.guard.use import Guarding
from collegium.kernel import Generate, Kernel, Toolbox, Unparsed, UseTool, output_of, tool
from collegium.systems.system import Result, get_system
from collegium.systems.tool_calling import tool_calling
from collegium.systems.tree_search import Verdict, mean_value, tree_search
from collegium.tasks.task import Score, Task
from collegium.worlds import drivers
from collegium.worlds.play import Turn
from collegium.worlds.text.kind import TextWorld
from tests.kernel.support import Scripted

TASK = Task(id="t", prompt="Order the lamp.", tools=("act",))


class Till:
    """A shop of two things: put them into a basket, order for good."""

    def __init__(self) -> None:
        self.basket: list[str] = []
        self.orders: list[list[str]] = []

    def begin(self, seed: int | None) -> str:
        self.basket = []
        return "Basket: empty"

    def step(self, action: str) -> Turn:
        if action == "order":
            self.orders.append(list(self.basket))
            return Turn(f"Ordered: {self.basket}", 1.0, True)
        self.basket.append(action)
        return Turn(f"Basket: {self.basket}")

    def actions(self) -> Sequence[str]:
        return ["lamp", "chair", "order"]

    def judge(self, answer: Any) -> Score:
        right = self.orders == [["lamp"]]
        return Score(float(right), right)

    def save(self) -> bytes:
        return json.dumps(self.basket).encode()

    def load(self, data: bytes) -> None:
        self.basket = json.loads(data)


def move(action: str) -> str:
    """A turn of the typed form."""
    told = {"tool": "act", "arguments": {"action": action}}
    return json.dumps({"thought": "so", "action": told})


def verdict(status: str, track: str = "yes") -> str:
    return json.dumps({"thoughts": "so", "status": status, "on_the_right_track": track})


def last_seen(request: Generate) -> str:
    return request.messages[-1].text


def script(judge: Callable[[Generate], str], play: Callable[[Generate], list[str]]) -> Scripted:
    """A judge, and an actor whose samples go through a list of actions."""

    def answer(request: Generate, i: int) -> str:
        if request.agent == "judge":
            return judge(request)
        moves = play(request)
        return move(moves[i % len(moves)])

    return Scripted(answer)


async def run(
    model: Scripted, game: Till, *, policy: Policy | None = None, **params: Any
) -> tuple[Result, Kernel]:
    world = TextWorld(game)
    await world.reset(0)
    box = Toolbox(world.tools)
    guarding = Guarding(policy, tools=box) if policy is not None else None
    kernel = Kernel(
        model,
        tools=box,
        drivers=drivers(world),
        interceptors=guarding.interceptors if guarding else (),
        seed=1,
    )
    small = {"branching": 2, "samples": 4, "judgements": 2}
    result = await tree_search(TASK, kernel, **{**small, **params})
    await kernel.aclose()
    return result, kernel


def moves(kernel: Kernel, *, tentative: bool) -> list[str]:
    return [
        str(e.call.arguments["action"])
        for e in kernel.trace.events
        if isinstance(e.call, UseTool) and e.call.tentative == tentative and not e.error
    ]


def things(request: Generate) -> list[str]:
    """Chair before lamp, and order once something is in the basket."""
    return ["chair", "lamp"] if len(request.messages) == 2 else ["order"]


def only_lamp(request: Generate) -> str:
    """The judge likes a basket with a lamp alone, and an order of it best."""
    seen = last_seen(request)
    if "suppose that it is made" in seen or "Ordered" in seen:
        return verdict("success" if "After action 1: Basket: ['lamp']" in seen else "failure", "no")
    return verdict("failure", "yes" if "Basket: ['lamp']" in seen else "no")


async def test_every_branch_starts_from_where_it_was_left() -> None:
    game = Till()
    result, kernel = await run(script(only_lamp, things), game, budget=4, depth=0, steps=1)
    seen = [n["seen"] for n in result.notes["trees"][0]]
    assert seen == ["Basket: ['chair']", "Basket: ['lamp']"]  # no chair is left in the second
    assert result.notes["committed"] == ['act({"action":"lamp"})']
    assert moves(kernel, tentative=True) == ["chair", "lamp"]
    assert moves(kernel, tentative=False) == ["lamp"]
    assert result.notes["counts"]["resets"] == 2


async def test_the_whole_best_sequence_is_committed_and_success_ends_it() -> None:
    game = Till()
    result, kernel = await run(script(only_lamp, things), game, budget=9, depth=2, steps=3)
    assert moves(kernel, tentative=False) == ["lamp", "order"]
    assert game.orders[-1] == ["lamp"]
    assert result.notes["counts"]["expansions"] == 3  # chair, lamp, lamp and order
    assert len(result.notes["trees"]) == 1
    assert "2 were committed" in result.account


ONCE = Policy(
    tools={},
    default="allow",
    irreversible=(Label(tool="act", when={"action": {"const": "order"}}),),
)


@pytest.mark.must_show("tree-search", 6)
async def test_what_cannot_be_undone_is_never_tried_and_made_once() -> None:
    game = Till()
    result, kernel = await run(
        script(only_lamp, things), game, policy=ONCE, budget=9, depth=2, steps=3
    )
    assert "order" not in moves(kernel, tentative=True)
    assert game.orders == [["lamp"]]
    refused = [n for n in result.notes["trees"][0] if n["refused"]]
    assert {n["action"] for n in refused} == {'act({"action":"order"})'}
    assert moves(kernel, tentative=False) == ["lamp", "order"]


@pytest.mark.must_show("tree-search", 6)
async def test_a_tool_that_is_marked_is_not_tried_either() -> None:
    done: list[str] = []

    @tool(irreversible=True)
    async def pay(amount: int) -> str:
        """Pay."""
        done.append(str(amount))
        return "paid"

    kernel = Kernel(Scripted("x"), tools=[pay], seed=1)
    agent = kernel.agent("actor", tools=("pay",))
    call = UseTool(agent=agent.name, tool="pay", arguments={"amount": 3}, tentative=True)
    with pytest.raises(Exception, match="cannot be undone"):
        await kernel.call(call)
    assert done == []
    await agent.use("pay", amount=3)
    assert done == ["3"]
    await kernel.aclose()


@pytest.mark.must_show("tree-search", 7)
async def test_without_a_budget_it_is_the_plain_agent_call_for_call() -> None:
    def answer(request: Generate, i: int) -> str:
        if len(request.messages) < 5:
            return move("lamp")
        return json.dumps({"thought": "so", "action": {"tool": "finish", "answer": "done"}})

    requests: list[list[Generate]] = []
    for solve, params in (
        (tree_search, {"budget": 0, "steps": 4, "max_tokens": 64}),
        (tool_calling, {"form": "typed", "steps": 4, "max_tokens": 64}),
    ):
        world = TextWorld(Till())
        await world.reset(0)
        model = Scripted(answer)
        kernel = Kernel(model, tools=Toolbox(world.tools), drivers=drivers(world), seed=1)
        result = await solve(TASK, kernel, **params)
        assert result.answer == "done"
        assert [e.call.tool for e in kernel.trace.events if isinstance(e.call, UseTool)] == [
            "act"
        ] * 2
        requests.append(model.requests)
        await kernel.aclose()
    assert requests[0] == requests[1]


@pytest.mark.must_show("tree-search", 7)
async def test_a_world_that_does_not_repeat_itself_is_reported() -> None:
    class Clock(Till):
        ticks = 0

        def step(self, action: str) -> Turn:
            self.ticks += 1
            turn = super().step(action)
            return Turn(f"{turn.observation} at {self.ticks}", turn.reward, turn.done)

    def lost(request: Generate) -> str:
        return verdict("failure", "no")

    result, kernel = await run(script(lost, things), Clock(), budget=9, depth=2, steps=3)
    assert "cannot be searched" in result.notes["not_repeatable"]
    assert "given up" in result.account
    # from then on it is an agent without a search
    assert moves(kernel, tentative=False) == ["chair", "order"]


async def test_where_a_policy_allows_no_going_back_it_acts_without_a_search() -> None:
    policy = Policy(tools={"@restore": ()}, default="allow")
    model = script(only_lamp, things)
    result, kernel = await run(model, Till(), policy=policy, budget=9, depth=2, steps=3)
    assert "blocked @restore" in result.notes["not_repeatable"]
    assert moves(kernel, tentative=True) == []
    assert moves(kernel, tentative=False) == ["chair", "order"]


@pytest.mark.must_show("tree-search", 3)
@pytest.mark.must_show("tree-search", 2)
def test_a_value_is_the_mean_of_verdicts() -> None:
    read = output_of(Verdict)

    def said(text: str) -> Any:
        try:
            return read.decode(text)
        except Exception:
            return Unparsed(text, "")

    verdicts = [
        *[said(verdict("success"))] * 5,
        *[said(verdict("failure", "yes"))] * 8,
        *[said(verdict("failure", "no"))] * 6,
        said("Status: success, I think"),
    ]
    assert mean_value(verdicts) == pytest.approx(0.45)
    assert mean_value([said(verdict("unsuccessful")), said('{"status": "unsuccessful"}')]) == 0.0


async def test_proposals_that_cannot_be_read_are_asked_for_once_more() -> None:
    def answer(request: Generate, i: int) -> str:
        return verdict("failure", "no") if request.agent == "judge" else "no move at all"

    model = Scripted(answer)
    result, kernel = await run(model, Till(), budget=3, steps=1)
    assert [r.n for r in model.requests] == [4, 4]
    assert result.notes["counts"]["value_calls"] == 0
    assert moves(kernel, tentative=True) == []


async def test_trajectories_are_ranked() -> None:
    result, kernel = await run(
        script(only_lamp, things), Till(), order="rerank", steps=2, samples=4
    )
    assert result.notes["counts"]["resets"] == 3
    assert result.notes["counts"]["value_calls"] == 3
    assert moves(kernel, tentative=True) == ["chair", "order"] * 3
    assert moves(kernel, tentative=False) == ["chair", "order"]


def test_it_needs_a_world() -> None:
    with pytest.raises(BadInput, match="a world to act in"):
        get_system("tree-search").require(Task(id="q", prompt="What is 2 + 2?"))


@pytest.mark.parametrize("params", [{"branching": 0}, {"steps": 0}, {"budget": -1}])
async def test_numbers_out_of_range_are_refused(params: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="must be"):
        await run(Scripted("x"), Till(), **params)
