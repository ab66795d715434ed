"""The team under a CEO: calls of a round, the CEO's four decisions in force, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Kernel, Limits, Send, Unparsed, UseTool
from collegium.models.model import Model
from collegium.systems.mas_tts import mas_tts
from collegium.systems.mas_tts.roles import (
    NO_ADVICE,
    Order,
    executor_prompt,
    lattice,
    quoted,
    read,
    settle,
    written_tests,
)
from collegium.systems.solve import solve
from collegium.systems.system import get_system
from collegium.tasks.task import Task
from collegium.tools.programs import run_project
from tests.kernel.support import Scripted, worked

TASK = Task(id="t", prompt="What is 5 + 7?", answer="number")
CODE = Task(id="c", prompt="Write add(a, b), the sum of two.", answer="code", entry_point="add")


def order(
    decision: str = "Continue",
    experts: Any = 2,
    direction: str = "Add with care.",
    tokens: Any = 256,
) -> str:
    """What a CEO writes."""
    return json.dumps(
        {
            "decision": decision,
            "recruit_number": experts,
            "direction": direction,
            "maximum_tokens": tokens,
        }
    )


def experts(k: int) -> str:
    """What a recruiter writes."""
    return json.dumps({"answer": [f"a scholar specialised in field {i + 1}" for i in range(k)]})


def judged(correctness: int, advice: str = "Carry the ten.", need: str = "Ask a tutor.") -> str:
    """What an evaluator writes."""
    fields = {"correctness": correctness, "advice": advice, "recruiting_suggestion": need}
    return json.dumps(fields)


AGREE = worked("Agree", "I get the same.")


def against(text: str) -> str:
    return worked("Disagree", text)


def team(**said: list[str]) -> Scripted:
    """A model that gives every agent its replies in order; an agent with none left fails."""
    left = {agent.replace("_", "-"): iter(replies) for agent, replies in said.items()}
    return Scripted(lambda request, i: next(left[request.agent]))


def spoken(model: Scripted, agent: str) -> list[Generate]:
    """The requests of an agent."""
    return [r for r in model.requests if r.agent == agent]


def prompt(request: Generate) -> str:
    return request.messages[-1].text


def one_objection(**more: list[str]) -> Scripted:
    """The round of the first check: one of two critics objects once."""
    return team(
        **{
            "ceo": [order(experts=3)],
            "recruiter": [experts(3)],
            "solver": [worked(11), worked(12)],
            "critic_1": [AGREE, AGREE],
            "critic_2": [against("The units are off by one."), AGREE],
            "evaluator": [judged(1)],
        }
        | more
    )


# -- 1: a round ------------------------------------------------------------------------------


@pytest.mark.must_show("mas-tts", 1)
async def test_a_round_with_one_objection_takes_nine_calls() -> None:
    model = one_objection()
    kernel = Kernel(model)
    result = await mas_tts(TASK, kernel)
    assert kernel.meter.calls == len(model.requests) == 9
    assert [r.role for r in model.requests] == [
        "ceo", "recruiter", "solver", "critic", "critic", "solver", "critic", "critic", "evaluator",
    ]  # fmt: skip
    assert (result.answer, result.notes["success"], result.notes["turns"]) == (12, True, 1)
    (record,) = result.notes["rounds"]
    assert record["reviews"] == [
        {"critic-1": "Agree", "critic-2": "Disagree"},
        {"critic-1": "Agree", "critic-2": "Agree"},
    ]
    assert record["consensus"] is True
    assert result.notes["unreadable"] == {}


@pytest.mark.must_show("mas-tts", 1)
async def test_only_the_objection_is_broadcast() -> None:
    model = one_objection()
    kernel = Kernel(model)
    await mas_tts(TASK, kernel)
    sent = [e.call for e in kernel.trace.events if isinstance(e.call, Send)]
    objection = against("The units are off by one.")
    reviews = [(s.agent, s.to, s.text) for s in sent if s.agent.startswith("critic")]
    assert reviews == [
        ("critic-2", "solver", objection),
        ("critic-2", "critic-1", objection),
    ]
    assert not any("I get the same." in prompt(r) for r in model.requests)
    # The objection is in every later prompt of the team, the solver's first.
    assert objection in prompt(spoken(model, "solver")[1])
    assert objection in prompt(spoken(model, "critic-1")[1])
    assert objection in prompt(spoken(model, "critic-2")[1])  # its own
    # Critics see the solution they are to review, each time the newest.
    assert worked(11) in prompt(spoken(model, "critic-1")[0])
    assert worked(12) in prompt(spoken(model, "critic-1")[1])
    assert worked(11) not in prompt(spoken(model, "critic-1")[1])


@pytest.mark.must_show("mas-tts", 1)
async def test_the_trace_says_what_was_made_from_what() -> None:
    kernel = Kernel(one_objection())
    await mas_tts(TASK, kernel)
    events = {e.id: e for e in kernel.trace.events}
    rewritten = [e for e in events.values() if e.call.agent == "solver" and e.replies][1]
    made_of = [events[s].call for s in rewritten.call.sources]
    assert [c.agent for c in made_of] == ["ceo", "solver", "critic-2"]


async def test_after_the_last_review_the_solver_writes_once_more() -> None:
    model = team(
        ceo=[order()],
        recruiter=[experts(2)],
        solver=[worked(n) for n in (1, 2, 3)],
        critic_1=[against("No."), against("Still no.")],
        evaluator=[judged(0)],
    )
    kernel = Kernel(model)
    result = await mas_tts(TASK, kernel, max_turn=1, max_inner_turns=2)
    assert result.answer == 3
    assert result.notes["rounds"][0]["consensus"] is False
    assert (result.notes["success"], len(model.requests)) == (False, 8)
    # The last prompt of the solver has the last objection, not the one before.
    assert "Still no." in prompt(spoken(model, "solver")[2])
    assert "No.\n" not in prompt(spoken(model, "solver")[2])


async def test_prompts_of_a_review_share_all_but_the_role() -> None:
    model = one_objection()
    await mas_tts(TASK, Kernel(model))
    one, two = (prompt(spoken(model, f"critic-{i}")[1]) for i in (1, 2))
    assert one[: one.index("You are an expert")] == two[: two.index("You are an expert")]
    assert one[one.index("), and you review") :] == two[two.index("), and you review") :]


# -- 2: the CEO's fields ---------------------------------------------------------------------


@pytest.mark.must_show("mas-tts", 2)
@pytest.mark.parametrize(
    ("asked", "scale", "wanted"),
    [
        ((1, 4096), 1, (2, 4096)),
        ((3, 64000), 1, (3, 32000)),
        (("five", 4096), 1, (2, 4096)),
        ((3, "a lot"), 1, (3, 32000)),
        ((3, 0), 1, (3, 2048)),
        (("3", "4096"), 1, (3, 4096)),
        ((1, 64000), 16, (2, 2000)),
        ((3, 0), 16, (3, 128)),
        ((40, 512), 16, (4, 512)),
    ],
)
async def test_the_ceos_numbers_are_brought_into_their_ranges(
    asked: tuple[Any, Any], scale: int, wanted: tuple[int, int]
) -> None:
    k, tokens = wanted
    model = team(
        ceo=[order(experts=asked[0], tokens=asked[1])],
        recruiter=[experts(k)],
        solver=[worked(12)],
        evaluator=[judged(1)],
        **{f"critic_{i}": [AGREE] for i in range(1, k)},
    )
    result = await mas_tts(TASK, Kernel(model), scale=scale)
    (logged,) = result.notes["ceo_log"]
    assert (logged["recruit_number"], logged["maximum_tokens"]) == wanted
    assert logged["fallback"] is False
    # They hold: so many critics spoke, and with that cap.
    assert len([r for r in model.requests if r.role == "critic"]) == k - 1
    assert {r.max_tokens for r in model.requests if r.role in ("solver", "critic")} == {tokens}


@pytest.mark.must_show("mas-tts", 2)
async def test_a_ceo_that_leaves_a_field_out_three_times_leaves_the_standing_values() -> None:
    short = json.dumps({"decision": "Stop", "recruit_number": 4, "direction": "Look twice."})
    model = team(
        ceo=[short] * 3,
        recruiter=[experts(2)],
        solver=[worked(12)],
        critic_1=[AGREE],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model), scale=1)
    assert len(spoken(model, "ceo")) == 3
    assert result.notes["ceo_log"] == [
        {
            "decision": "Continue",
            "recruit_number": 2,
            "direction": "No advice yet.",
            "maximum_tokens": 32000,
            "fallback": True,
        }
    ]
    assert result.notes["unreadable"] == {"ceo": 3}
    assert "its replies could not be read" in result.account
    assert {r.max_tokens for r in model.requests if r.role == "solver"} == {32000}
    assert NO_ADVICE in prompt(spoken(model, "solver")[0])


@pytest.mark.must_show("mas-tts", 2)
async def test_a_late_readable_reply_of_the_ceo_counts() -> None:
    model = team(
        ceo=["no idea", "no idea", order(tokens=128)],
        recruiter=[experts(2)],
        solver=[worked(12)],
        critic_1=[AGREE],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model))
    assert result.notes["ceo_log"][0]["maximum_tokens"] == 128
    assert result.notes["ceo_log"][0]["fallback"] is False


@pytest.mark.must_show("mas-tts", 2)
async def test_stop_in_round_two_ends_without_a_further_call() -> None:
    model = team(
        ceo=[order(), order("Stop", 3, "Done.", 512)],
        recruiter=[experts(2)],
        solver=[worked(12)],
        critic_1=[AGREE],
        evaluator=[judged(0)],
    )
    kernel = Kernel(model)
    result = await mas_tts(TASK, kernel, max_turn=3)
    assert model.requests[-1].agent == "ceo"
    assert len(model.requests) == 6
    last = max(kernel.trace.events, key=lambda e: e.id)
    assert last.call.agent == "ceo"
    assert isinstance(last.call, Generate)  # nor a message, nor a tool
    assert (result.answer, result.notes["stopped"], result.notes["turns"]) == (12, True, 1)
    assert result.notes["success"] is False  # nobody accepted it
    # It decided on what it was shown: the solution, the advice, and what was spent on it.
    seen = prompt(spoken(model, "ceo")[1])
    assert worked(12) in seen
    assert "Carry the ten. Ask a tutor." in seen
    assert "recruit_number 2, maximum_tokens 256 in the last round; rounds left: 2" in seen


async def test_stop_before_there_is_a_solution_is_overruled() -> None:
    model = team(
        ceo=[order("Stop", 2, "Nothing to do.", 128)],
        recruiter=[experts(2)],
        solver=[worked(12)],
        critic_1=[AGREE],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model))
    assert (result.answer, result.notes["overruled"], result.notes["stopped"]) == (12, 1, False)
    assert "overruled" in result.account
    assert {r.max_tokens for r in model.requests if r.role == "solver"} == {128}


def test_the_lattice_and_the_bounds_by_kind() -> None:
    assert lattice(1) == (0, 2048, 4096, 8192, 16384, 32000)
    assert lattice(16) == (0, 128, 256, 512, 1024, 2000)
    many = Order("Continue", 9, " ", 512)
    assert [settle(many, kind, 16).recruit_number for kind in ("maths", "qa", "code")] == [4, 4, 3]
    assert settle(many, "maths", 16).direction == NO_ADVICE


# -- 3: what the CEO decides is in force -----------------------------------------------------


@pytest.mark.must_show("mas-tts", 3)
async def test_budget_and_direction_rule_every_solver_and_critic_of_their_round() -> None:
    plain = "I see nothing wrong, but I end without a verdict."
    model = team(
        ceo=[
            order(experts=3, direction="Count on fingers.", tokens=128),
            order(experts=2, direction="Draw a line.", tokens=1024),
        ],
        recruiter=[experts(3), experts(2)],
        # Its first reply lacks the answer, so a repair asks for it.
        solver=["It is about ten.", '{"answer": 10}', worked(11), worked(12)],
        critic_1=[against("Too low."), plain, '{"answer": "Agree"}', AGREE],
        critic_2=[AGREE, AGREE],
        evaluator=[judged(0, "Use a table.", "Find an accountant."), judged(1)],
    )
    kernel = Kernel(model)
    result = await mas_tts(TASK, kernel)
    assert result.notes["success"] is True
    rounds = split(kernel.trace.events)
    assert [len(r) for r in rounds] == [8, 2]  # repairs are among them
    for calls, tokens, direction in zip(
        rounds, (128, 1024), ("Count on fingers.", "Draw a line."), strict=True
    ):
        for call in calls:
            assert call.max_tokens is not None
            assert call.max_tokens <= tokens
            assert direction in call.messages[1].text
        firsts = {c.max_tokens for c in calls if c.outcome == "ok"}
        assert firsts == {tokens}
    assert sum(c.outcome == "fix" for c in rounds[0]) == 2
    # From round 2 the evaluator's advice is seen as well, by solver and critics alike.
    assert not any("Use a table." in c.messages[1].text for c in rounds[0])
    assert all("Use a table. Find an accountant." in c.messages[1].text for c in rounds[1])
    assert not any("Count on fingers." in c.messages[1].text for c in rounds[1])
    # So does whoever staffs the next round, and the solver has its last solution before it.
    assert "Find an accountant." in prompt(spoken(model, "recruiter")[1])
    assert worked(11) in prompt(spoken(model, "solver")[-1])
    assert "was not accepted" in prompt(spoken(model, "solver")[-1])


def split(events: list[Event]) -> list[list[Generate]]:
    """The calls of solver and critics, round by round."""
    rounds: list[list[Generate]] = []
    for event in sorted(events, key=lambda e: e.id):
        if not isinstance(event.call, Generate):
            continue
        if event.call.agent == "ceo":
            rounds.append([])
        elif event.call.role in ("solver", "critic"):
            rounds[-1].append(event.call)
    return rounds


@pytest.mark.must_show("mas-tts", 3)
async def test_direction_and_advice_travel_as_messages() -> None:
    """So what an interceptor does to a message is what the team reads."""

    class Sly:
        async def __call__(self, call: Any, proceed: Callable[[Any], Any]) -> Any:
            if isinstance(call, Send) and call.agent == "ceo":
                call = msgspec.structs.replace(call, text="Guess.")
            return await proceed(call)

    model = one_objection()
    await mas_tts(TASK, Kernel(model, interceptors=[Sly()]))
    for agent in ("solver", "critic-1", "critic-2"):
        assert "Guess." in prompt(spoken(model, agent)[0])
        assert "Add with care." not in prompt(spoken(model, agent)[0])


async def test_a_fixed_team_has_no_ceo() -> None:
    model = team(
        recruiter=[experts(3)],
        solver=[worked(12)],
        critic_1=[AGREE],
        critic_2=[AGREE],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model), ceo=False, recruits=3, max_tokens=300)
    assert (result.answer, result.notes["ceo_log"]) == (12, [])
    assert {r.max_tokens for r in model.requests if r.role in ("solver", "critic")} == {300}
    assert "CEO" not in result.account


# -- 7: bad input ----------------------------------------------------------------------------


@pytest.mark.must_show("mas-tts", 7)
@pytest.mark.parametrize(
    ("task", "parameters", "problem"),
    [
        (Task(id="e", prompt=" \n"), {}, "an empty task"),
        (TASK, {"kind": "poetry"}, "knows the kinds maths, qa, code, not 'poetry'"),
        (TASK, {"kind": "code"}, "is not of the kind 'code'"),
        (CODE, {"kind": "maths"}, "is not of the kind 'maths'"),
        (TASK, {"recruits": 1}, "recruits >= 2, not 1"),
        (TASK, {"max_turn": 0}, "max_turn >= 1, not 0"),
        (TASK, {"max_inner_turns": 0}, "max_inner_turns >= 1, not 0"),
        (TASK, {"max_tokens": 10}, "max_tokens >= 64, not 10"),
        (TASK, {"scale": 0}, "scale from 1 to 32, not 0"),
        (TASK, {"scale": 64}, "scale from 1 to 32, not 64"),
    ],
)
async def test_bad_input(task: Task, parameters: dict[str, Any], problem: str) -> None:
    model = team()
    with pytest.raises(BadInput, match=problem):
        await mas_tts(task, Kernel(model, tools=[run_project]), **parameters)
    assert model.requests == []


@pytest.mark.must_show("mas-tts", 7)
async def test_an_evaluator_that_answers_seven_is_no_success() -> None:
    model = team(
        ceo=[order()],
        recruiter=[experts(2)],
        solver=[worked(12)],
        critic_1=[AGREE],
        evaluator=[judged(7)] * 3,
    )
    result = await mas_tts(TASK, Kernel(model), max_turn=1)
    assert len(spoken(model, "evaluator")) == 3
    assert result.notes["success"] is False
    assert result.notes["rounds"][0]["evaluation"] is None
    assert result.notes["unreadable"] == {"evaluator": 3}
    assert "not accepted" in result.account


@pytest.mark.must_show("mas-tts", 7)
async def test_an_evaluator_that_mends_its_seven_is_heard() -> None:
    model = one_objection(evaluator=[judged(7), judged(1)])
    result = await mas_tts(TASK, Kernel(model))
    assert result.notes["success"] is True
    assert len(model.requests) == 10


# -- Other replies that cannot be read -------------------------------------------------------


async def test_a_critic_without_a_verdict_neither_objects_nor_agrees() -> None:
    model = team(
        ceo=[order()],
        recruiter=[experts(2)],
        solver=[worked(12)],
        critic_1=["Hm.", "Hm."],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model))
    (record,) = result.notes["rounds"]
    assert record["reviews"] == [{"critic-1": "unreadable"}]
    assert record["consensus"] is False
    assert result.notes["unreadable"] == {"critic": 1}


async def test_a_verdict_is_the_last_line_whatever_stands_before() -> None:
    said = "The others say Answer: Agree, but 5 + 7 is not 11.\nAnswer: Disagree"
    assert read("critic", said).answer == "Disagree"
    assert isinstance(read("critic", "[Agree] and [Disagree]"), Unparsed)


async def test_a_recruiter_that_repeats_itself_is_asked_again_and_then_helped() -> None:
    twice = json.dumps({"answer": ["a baker", "A baker "]})
    model = team(
        ceo=[order()],
        recruiter=[twice] * 3,
        solver=[worked(12)],
        critic_1=[AGREE],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model))
    names = result.notes["rounds"][0]["experts"].values()
    assert len(set(names)) == 2
    assert result.notes["unreadable"] == {"recruiter": 3}


async def test_a_solution_without_an_answer_leaves_the_one_before() -> None:
    model = team(
        ceo=[order()],
        recruiter=[experts(2)],
        solver=[worked(12), "I am lost.", "Quite lost."],
        critic_1=[against("Show your work."), AGREE],
        evaluator=[judged(1)],
    )
    result = await mas_tts(TASK, Kernel(model))
    assert result.answer == 12
    assert result.notes["unreadable"] == {"solver": 1}


async def test_a_limit_leaves_the_solution_there_was() -> None:
    model = one_objection()
    system = get_system("mas-tts")
    kernel = Kernel(model, limits=Limits(calls=4))
    solved = await solve(system, TASK, kernel, system.bind({}))
    assert solved.result.answer == 11
    assert solved.limited == "the limit of 4 generations is used up."


def test_a_long_text_is_quoted_by_its_ends() -> None:
    assert quoted("short", 10) == "short"
    long = quoted("a" * 50 + "z" * 50, 20)
    assert long == "a" * 10 + "\n[...]\n" + "z" * 10


# -- Code ------------------------------------------------------------------------------------

WRONG = "```python\ndef add(a, b):\n    return a - b\n```"
RIGHT = "```python\ndef add(a, b):\n    return a + b\n```"
TESTS = "I test small numbers.\n```python\nfrom solution import add\nassert add(2, 3) == 5\n```"


async def test_tests_are_written_once_and_run_in_every_round() -> None:
    model = team(
        ceo=[order(), order()],
        recruiter=[experts(2), experts(2)],
        solver=[WRONG, RIGHT],
        critic_1=[AGREE, AGREE],
        executor=[TESTS],
        evaluator=[judged(0), judged(1)],
    )
    kernel = Kernel(model)
    system = get_system("mas-tts")
    result = (await solve(system, CODE, kernel, system.bind({}))).result
    assert result.answer == RIGHT
    assert [r["tests"] for r in result.notes["rounds"]] == ["error", "ok"]
    runs = [e.call for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert [(r.tool, r.arguments["seconds"]) for r in runs] == [("run_project", 10.0)] * 2
    assert runs[0].arguments["files"]["test_solution.py"] == result.files["test_solution.py"]
    first, second = (prompt(r) for r in spoken(model, "evaluator"))
    assert "AssertionError" in first
    assert "all its tests passed." in second
    assert "Tests: ok" in result.account


async def test_a_file_that_tests_nothing_is_not_run() -> None:
    model = team(
        ceo=[order()],
        recruiter=[experts(2)],
        solver=[RIGHT],
        critic_1=[AGREE],
        executor=["I would test small numbers."],
        evaluator=[judged(1)],
    )
    kernel = Kernel(model, tools=[run_project])
    result = await mas_tts(CODE, kernel)
    assert not any(isinstance(e.call, UseTool) for e in kernel.trace.events)
    assert result.notes["unreadable"] == {"executor": 1}
    assert result.notes["rounds"][0]["tests"] == ""


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        # A copy of the solution would be what is tested.
        (
            "def add(a, b):\n    return 0\nassert add(1, 1) == 2",
            "from solution import *\nassert add(1, 1) == 2\n",
        ),
        (
            "def test_one():\n    assert add(1, 1) == 2",
            "from solution import *\ndef test_one():\n    assert add(1, 1) == 2\ntest_one()\n",
        ),
        ("def check():\n    assert add(1, 1) == 2", ""),  # never called
        ("print(add(1, 1))", ""),
        ("assert add(1, 1 == 2", ""),
    ],
)
def test_what_becomes_of_written_tests(reply: str, wanted: str) -> None:
    assert written_tests(reply, "def add(a, b):\n    return a + b") == wanted


def test_the_form_of_the_test_file_names_the_function() -> None:
    unnamed = Task(id="c", prompt="Write a function.", answer="code")
    program = "import math\ndef area(r):\n    return math.pi * r**2"
    assert "from solution import area\nassert area(...) ==" in executor_prompt(unnamed, program)
    assert "from solution import add\nassert add(...) ==" in executor_prompt(CODE, program)
    assert "from solution import *\n" in executor_prompt(unnamed, "return 1")


# -- On the embedded model -------------------------------------------------------------------


async def test_a_team_on_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    task = Task(
        id="easy", prompt="A pen costs 3 dollars. How much do 4 pens cost?", answer="number"
    )
    kernel = Kernel(recorded("local-small"), seed=5)
    system = get_system("mas-tts")
    bound = system.bind({"max_turn": 1, "max_inner_turns": 1})
    result = (await solve(system, task, kernel, bound)).result
    assert result.answer == 12
    (decision,) = result.notes["ceo_log"]
    assert decision["fallback"] is False
    assert decision["maximum_tokens"] in range(128, 2001)
    (record,) = result.notes["rounds"]
    assert len(record["experts"]) == decision["recruit_number"]
    (calls,) = split(kernel.trace.events)
    assert all((c.max_tokens or 0) <= decision["maximum_tokens"] for c in calls)
    assert all(decision["direction"] in c.messages[1].text for c in calls)
