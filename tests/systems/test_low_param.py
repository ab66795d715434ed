"""Plan, judge and other branches: control flow, going back, and what a run says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from collegium.bench.jobs import Entry, run_job
from collegium.errors import BadInput
from collegium.guard import Policy
from collegium.guard.use import Guarding
from collegium.kernel import Event, Generate, Kernel, Toolbox, UseTool
from collegium.systems import parse_system
from collegium.systems.low_param import low_param
from collegium.systems.low_param.play import move_key
from collegium.systems.system import Result, get_system
from collegium.tasks.task import Score, Task
from collegium.tasks.text_worlds import world_item
from collegium.worlds import Restore, drivers
from collegium.worlds.play import Turn
from collegium.worlds.text import kind
from collegium.worlds.text.kind import TextWorld
from tests.kernel.support import Scripted

TASK = Task(id="t", prompt="Open the safe.", tools=("act",))


class Safe:
    """A safe with three wheels: turned once each, in order, it opens; "smash" ends it for good."""

    WHEELS = ("left", "middle", "right")

    def __init__(self) -> None:
        self.turned: list[str] = []

    def begin(self, seed: int | None) -> str:
        self.turned = []
        return "Three wheels."

    def step(self, action: str) -> Turn:
        if action == "smash":
            self.turned = ["smashed"]
            return Turn("It is broken.", 0.0, True)
        if action not in self.WHEELS:
            return Turn("Nothing happens.")
        self.turned.append(action)
        won = self.turned == [*self.WHEELS]
        return Turn(f"Turned: {' '.join(self.turned)}.", float(won), won)

    def actions(self) -> Sequence[str]:
        return [*self.WHEELS, "smash"]

    def judge(self, answer: Any) -> Score:
        right = self.turned == [*self.WHEELS]
        return Score(float(right), right)


def act(action: str) -> str:
    told = {"tool": "act", "arguments": {"action": action}}
    return json.dumps({"thought": "so", "action": told})


def done() -> str:
    return json.dumps({"thought": "so", "action": {"tool": "subtask_done"}})


def finish(answer: str = "done") -> str:
    return json.dumps({"thought": "so", "action": {"tool": "finish", "answer": answer}})


def verdict(yes: bool, way: str = "good", reason: str = "seen") -> str:
    return json.dumps({"reason": reason, "done": "yes" if yes else "no", "way": way})


def plan(*subtasks: str) -> str:
    return json.dumps({"subtasks": subtasks})


def script(
    plans: Sequence[str], verdicts: Sequence[str], turns: Sequence[str] | Callable[[Generate], str]
) -> Scripted:
    """Planner and judge go through their lines; the actor, too, or it looks at the prompt."""
    lines: dict[str, Iterator[str]] = {"planner": iter(plans), "judge": iter(verdicts)}
    if not callable(turns):
        lines["actor"] = iter(turns)

    def answer(request: Generate, i: int) -> str:
        if callable(turns) and request.agent == "actor":
            return turns(request)
        return next(lines[request.agent])

    return Scripted(answer)


async def run(
    model: Scripted, game: Any = None, *, policy: Policy | None = None, **params: Any
) -> tuple[Result, Kernel, TextWorld]:
    world = TextWorld(game or Safe(), 40)
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
    result = await low_param(TASK, kernel, **params)
    await kernel.aclose()
    return result, kernel, world


def moves(events: Sequence[Event]) -> list[str]:
    return [str(e.call.arguments["action"]) for e in events if isinstance(e.call, UseTool)]


def asked(model: Scripted, agent: str) -> list[str]:
    return [r.messages[-1].text for r in model.requests if r.agent == agent]


# -- the plan and the judge ------------------------------------------------------------------------


@pytest.mark.must_show("low-param", 3)
async def test_one_retry_then_one_new_plan_then_success() -> None:
    model = script(
        [plan("turn left", "turn middle", "turn right"), plan("turn it", "turn the last")],
        [verdict(True), verdict(False), verdict(False), verdict(True), verdict(True)],
        [act("left"), done(), done(), done(), act("middle"), done(), act("right")],
    )
    result, kernel, world = await run(model)
    assert result.notes["retries"] == 1
    assert result.notes["replans"] == 1
    assert result.notes["plans"] == [
        ["turn left", "turn middle", "turn right"],
        ["turn it", "turn the last"],
    ]
    assert [v["done"] for v in result.notes["verdicts"]] == ["yes", "no", "no", "yes", "yes"]
    assert result.notes["done"] == ["turn left", "turn it", "turn the last"]
    assert result.notes["ended"] == "done"
    made = [e.call.agent for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert (made.count("planner"), made.count("judge")) == (2, 5)
    assert (await world.judge(None)).correct
    again = asked(model, "planner")[1]
    assert "- turn left" in again and "did not work" in again


@pytest.mark.must_show("low-param", 3)
async def test_a_plan_that_is_too_long_is_cut_and_says_so() -> None:
    model = script(
        [plan("one", "two", "three", "four")],
        [verdict(True)] * 3,
        [done(), done(), finish("all")],
    )
    result, _, _ = await run(model)
    assert result.notes["plans"] == [["one", "two", "three"]]
    assert result.notes["cut"] == ["four"]
    assert "Cut from the plan: four." in result.account
    assert result.answer == "all"


async def test_only_the_last_subtask_ends_with_an_answer() -> None:
    model = script([plan("one", "two")], [verdict(True)] * 2, [done(), finish("5")])
    result, _, _ = await run(model)
    first, last = (json.dumps(r.schema) for r in model.requests if r.agent == "actor")
    assert "subtask_done" in first and "finish" not in first
    assert "finish" in last and "subtask_done" not in last
    assert result.answer == "5"


async def test_after_a_second_no_on_a_second_plan_it_ends() -> None:
    model = script([plan("a"), plan("b")], [verdict(False)] * 4, [finish("1"), finish("2")] * 2)
    result, _, _ = await run(model)
    assert result.notes["ended"].startswith("failed")
    assert (result.notes["retries"], result.notes["replans"]) == (2, 1)


async def test_what_the_judge_says_is_told_to_the_actor() -> None:
    model = script(
        [plan("all")],
        [verdict(False, reason="the right wheel was not turned"), verdict(True)],
        [act("left"), act("middle"), finish(), act("right")],
    )
    result, _, world = await run(model)
    assert "the right wheel was not turned" in asked(model, "actor")[3]
    assert result.notes["backtracks"] == []  # a good way is not undone
    assert (await world.judge(None)).correct


async def test_an_unreadable_plan_is_the_task_itself() -> None:
    model = script(["no", "no"], [verdict(True)], [finish()])
    result, _, _ = await run(model)
    assert result.notes["plans"] == [["Open the safe."]]


async def test_without_plan_and_judge_it_is_an_actor_with_its_own_word() -> None:
    model = script([], [], [act("left"), finish("x")])
    result, kernel, _ = await run(model, plan=False, judge=False)
    assert {r.agent for r in model.requests} == {"actor"}
    assert result.answer == "x"
    assert "Sub-task" not in asked(model, "actor")[0]
    assert moves(kernel.trace.events) == ["left"]


# -- going back ------------------------------------------------------------------------------------


async def test_a_bad_way_is_taken_back_and_the_choice_refused() -> None:
    model = script(
        [plan("all")],
        [verdict(False, "bad", "it broke"), verdict(True)],
        [act("left"), act("smash"), act("smash"), act("middle"), act("right")],
    )
    result, kernel, world = await run(model, menu=True)
    (back,) = result.notes["backtracks"]
    assert back["given_up"] == 'act({"action":"smash"})'
    assert (back["undone"], back["soft"]) == (1, False)
    assert result.notes["rejected"] == 1
    assert moves(kernel.trace.events) == ["left", "smash", "middle", "right"]
    told = asked(model, "actor")
    assert "smash" in told[1].partition("Possible moves:")[2]
    assert "smash" not in told[2].partition("Possible moves:")[2]
    assert "it broke" in told[2] and "was given up here already" in told[3]
    # the conversation is that of the decision point: what was taken back was never said
    assert all("It is broken" not in m.text for m in model.requests[-1].messages)
    assert (await world.judge(None)).correct


async def test_when_a_points_branches_are_used_up_an_earlier_one_is_gone_back_to() -> None:
    # middle, then two bad ways on from there; so middle itself is given up
    tried = [act("middle"), act("left"), act("right"), act("left"), finish()]

    class Fragile(Safe):
        """The first two ways on from the middle wheel end the world."""

        def step(self, action: str) -> Turn:
            turn = super().step(action)
            ends = self.turned[0] == "middle" and len(self.turned) == 2
            return Turn(turn.observation, 0.0, ends)

    model = script([], [verdict(False, "bad"), verdict(False, "bad"), verdict(True)], tried)
    result, _, world = await run(model, Fragile(), plan=False, branches=2, steps=9)
    backs = [(b["given_up"], b["undone"]) for b in result.notes["backtracks"]]
    assert backs == [
        ('act({"action":"left"})', 1),
        ('act({"action":"middle"})', 2),
    ]
    assert world.game.turned == ["left"]  # type: ignore[attr-defined]


async def test_repeating_an_action_sends_the_actor_back() -> None:
    model = script(
        [plan("all")],
        [verdict(True)],
        [act("knock"), act("left"), act("knock"), act("middle"), act("right")],
    )
    result, kernel, world = await run(model)
    (back,) = result.notes["backtracks"]
    assert "done before, with the same result" in back["why"]
    assert result.notes["made"] == 5 and len(result.notes["steps"]) == 4
    assert any(isinstance(e.call, Restore) for e in kernel.trace.events)
    assert (await world.judge(None)).correct


async def test_two_failures_in_a_row_send_the_actor_back() -> None:
    ways = ("left", "knock", "kick", "push", "middle", "right")
    model = script([plan("all")], [verdict(True)], [act(way) for way in ways])
    result, _, world = await run(model)
    (back,) = result.notes["backtracks"]
    assert back["why"] == "two actions in a row failed or changed nothing"
    assert back["given_up"] == 'act({"action":"push"})'
    assert (await world.judge(None)).correct


async def test_a_turn_that_cannot_be_read_is_no_action() -> None:
    model = script([plan("all")], [verdict(True)], [act("left"), "so", "so", finish()])
    result, kernel, _ = await run(model)
    assert result.notes["unreadable"] == 1  # it was asked once more, in vain
    assert (result.notes["made"], len(result.notes["steps"])) == (1, 2)
    assert moves(kernel.trace.events) == ["left"]


@pytest.mark.parametrize("off", [{"backtracks": 0}])
async def test_without_backtracking_nothing_is_kept_or_taken_back(off: dict[str, int]) -> None:
    model = script(
        [plan("all")], [verdict(False, "bad"), verdict(False, "bad")], [act("left"), finish()] * 2
    )
    result, kernel, _ = await run(model, plan=False, **off)
    assert {type(e.call).__name__ for e in kernel.trace.events} == {"Generate", "UseTool"}
    assert result.notes["backtracks"] == []


async def test_at_most_six_times_back() -> None:
    wrong = (f"knock {n}" for n in range(100))

    def turns(request: Generate) -> str:
        return act(next(wrong))

    model = script([plan("all"), plan("all")], [verdict(False, "bad")] * 4, turns)
    result, _, _ = await run(model)
    assert len(result.notes["backtracks"]) == 6


async def test_where_a_policy_allows_no_going_back_the_prompt_alone_says_so() -> None:
    policy = Policy(tools={"@snapshot": ()}, default="allow")
    model = script(
        [plan("all")],
        [verdict(False, "bad", "the wrong one"), verdict(True)],
        [act("middle"), finish(), finish()],
    )
    result, kernel, _ = await run(model, policy=policy)
    (back,) = result.notes["backtracks"]
    assert back["soft"] and back["undone"] == 0
    assert "blocked @snapshot" in result.notes["soft"]
    assert "the wrong one" in asked(model, "actor")[2]
    assert not any(isinstance(e.call, Restore) for e in kernel.trace.events)


async def test_without_a_judge_the_end_of_the_world_is_the_end() -> None:
    model = script([], [], [act("left"), act("middle"), act("right")])
    result, _, world = await run(model, plan=False, judge=False)
    assert (await world.judge(None)).correct
    assert result.notes["backtracks"] == [] and result.notes["ended"] == "done"


async def test_an_answer_that_was_taken_back_is_none() -> None:
    model = script(
        [], [verdict(False, "bad")] * 3, [act("left"), finish("wrong"), act("middle"), act("smash")]
    )
    result, _, _ = await run(model, plan=False, branches=2, backtracks=1, steps=2)
    assert result.answer is None


async def test_if_all_fails_the_best_way_is_kept() -> None:
    model = script(
        [plan("all")],
        [verdict(False, "good"), verdict(False, "bad")],
        [act("left"), act("middle"), finish("half"), act("smash")],
    )
    result, _, world = await run(model, plan=False, branches=1)
    assert result.notes["ended"] == "failed; back at the best way"
    assert world.game.turned == ["left", "middle"]  # type: ignore[attr-defined]
    assert result.answer == "half"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"subtasks": 0}, "subtasks must be 1 or more"),
        ({"branches": 0}, "branches must be 1 or more"),
        ({"backtracks": -1}, "backtracks must be 0 or more"),
    ],
)
async def test_numbers_out_of_range(params: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        await run(script([], [], []), **params)


def test_a_question_without_a_world_is_refused() -> None:
    with pytest.raises(BadInput, match="it needs a task with a world to act in"):
        get_system("low-param").require(Task(id="q", prompt="What is 2 + 2?"))


def test_listed_moves_have_the_keys_of_actions() -> None:
    assert move_key("go east", "act") == 'act({"action":"go east"})'
    assert move_key('move {"number": 2, "name": "a"}') == 'move({"name":"a","number":2})'
    assert move_key("lists") == "lists({})"


# -- real worlds -----------------------------------------------------------------------------------


@pytest.mark.skipif(bool(kind("textworld").missing()), reason="needs textworld")
@pytest.mark.must_show("low-param", 4)
async def test_a_dead_end_in_a_text_game_is_gone_back_from() -> None:
    game: Any = kind("textworld").make("test", 18)
    game.begin(0)
    way = game.expert()
    food = way[-1].removeprefix("put ").removesuffix(" on stove")
    before_and_after: list[tuple[int, str]] = []
    state: dict[str, Any] = {}

    def turns(request: Generate) -> str:
        prompt = request.messages[-1].text
        made = sum(m.role == "assistant" for m in request.messages)
        if made < len(way) - 1:
            return act(way[made])
        before_and_after.append((game.score, game.inventory))
        state.setdefault("first", prompt)
        state["last"] = prompt
        return act(f"eat {food}") if len(before_and_after) == 1 else act(way[-1])

    verdicts = [verdict(False, "bad", "the food is gone"), verdict(True)]
    model = script([plan("cook")], verdicts, turns)
    result, kernel, world = await run(model, game, steps=20, window=40, menu=True)
    assert len(result.notes["backtracks"]) == 1
    assert before_and_after[0] == before_and_after[1]
    assert food in before_and_after[1][1]
    assert f"eat {food}" in state["first"].partition("Possible moves:")[2]
    assert f"eat {food}" not in state["last"].partition("Possible moves:")[2]
    assert moves(kernel.trace.events) == [*way[:-1], f"eat {food}", way[-1]]
    score = await world.judge(None)
    assert (score.correct, score.value) == (True, 1.0)
    await world.close()


@pytest.mark.skipif(bool(kind("dbbench").missing()), reason="needs the tasks of DBBench")
@pytest.mark.must_show("low-param", 8)
@pytest.mark.parametrize("kind_of_task", ["INSERT", "UPDATE", "other"])
async def test_database_tasks_are_judged_by_content_and_bad_statements_are_observations(
    kind_of_task: str,
) -> None:
    of = kind("dbbench")
    number = next(
        n
        for n in range(of.size("test"))
        if (s := of.stratum("test", n)) == kind_of_task
        or (kind_of_task == "other" and s not in ("INSERT", "UPDATE", "DELETE"))
    )
    case = of.make("test", number).case  # type: ignore[union-attr]
    right = (
        [act(f"sql {case.statement}"), act("done")]
        if case.changes
        else [act("answer " + "; ".join(map(str, reversed(case.label))))]
    )
    for turns, correct in ((right, True), ([act("sql SELECT 1"), act("done")], False)):
        lines = [act("sql SELEC nonsense FRM"), *turns]
        model = script([plan("do it"), plan("go on")], [verdict(True)], lines)
        entry = Entry("low-param", *parse_system("low-param"))
        outcome = await run_job(
            entry, world_item(f"dbbench:{number}"), {"": model}, seed=1, budget=None
        )
        assert outcome.correct == correct
        seen = [m.text for m in model.requests[2].messages if m.role == "user"]
        assert any("Error: " in text and "syntax error" in text for text in seen)
