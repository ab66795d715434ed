"""CodeCoR: pools and their pruning, the repair loop by lineage, ranking, the sandbox, bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collegium.bench.self_tests import measure, published_suites
from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, Limits, Reply, Unparsed, UseTool
from collegium.models.model import Model
from collegium.systems.codecor.pools import Snippet, rank
from collegium.systems.codecor.team import Marks
from collegium.systems.solve import solve
from collegium.systems.system import Result, get_system
from collegium.tasks.task import Task
from collegium.tools import sandbox_problem
from collegium.tools.programs import Checked
from tests.kernel.support import Scripted

pytestmark = pytest.mark.skipif(sandbox_problem() is not None, reason="no sandbox here")

ADD = Task(id="t", prompt="Write add(a, b): the sum.", answer="code", entry_point="add")
MINUS, PLUS = "def add(a, b):\n    return a - b", "def add(a, b):\n    return a + b"
TWO = ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]
GOOD = '{"clarity": 1, "relevance": 1, "conciseness": 1, "context": 1}'


def kind(request: Generate) -> str:
    """Which step of the method a request belongs to."""
    role, text = request.role, request.messages[-1].text
    if request.schema is not None and "steps" not in request.schema["properties"]:
        return f"judge-{role.removesuffix('-agent')}"
    return "rewrite" if role == "coding-agent" and "This code fails tests" in text else role


class Team(Scripted):
    """Plays all agents: by step a reply, a list of replies in order, or a function of the prompt.

    Judgements that are not scripted are favourable.
    """

    def __init__(self, **replies: Any) -> None:
        self.left = {k: list(v) for k, v in replies.items() if isinstance(v, list)}
        self.fixed = replies
        super().__init__(self.reply)

    def reply(self, request: Generate, i: int) -> str | Reply[Any]:
        step = kind(request).replace("-", "_")
        value = self.left[step].pop(0) if self.left.get(step) else self.fixed.get(step)
        if callable(value):
            value = value(request.messages[-1].text)
        if value is None or isinstance(value, list):
            assert step.startswith("judge"), f"nothing is left to say for {step}"
            return VERDICT_RIGHT if step == "judge_test" else GOOD
        if step == "prompt_agent":
            return json.dumps({"steps": [value]})
        return str(value)

    def made(self, step: str) -> list[Generate]:
        """The requests of one step, in order."""
        return [r for r in self.requests if kind(r) == step]


async def run(team: Team, task: Task = ADD, **parameters: Any) -> tuple[Result, Kernel]:
    """Run CodeCoR; by default with one prompt and one snippet."""
    chosen = get_system("codecor")
    given = {"max_cot_prompts": 1, "max_code_snippets": 1, "code_timeout": 5.0, **parameters}
    kernel = Kernel(team, seed=1)
    return (await solve(chosen, task, kernel, chosen.bind(given))).result, kernel


def block(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])


def pool(result: Result, name: str) -> list[tuple[str, bool, str]]:
    return [(c["text"], c["kept"], c["reason"]) for c in result.notes["pools"][name]]


VERDICT_RIGHT, VERDICT_WRONG = (
    '{"reason": "So.", "right": true}',
    '{"reason": "No.", "right": false}',
)


def verdicts(*wrong: str) -> Callable[[str], str]:
    """A judge of tests who finds some of them wrong."""
    return lambda text: VERDICT_WRONG if any(test in text for test in wrong) else VERDICT_RIGHT


@pytest.mark.must_show("codecor", 1)
async def test_every_pool_is_pruned_with_reasons_and_exact_calls() -> None:
    marks = {
        "Plan P2": '{"clarity": 1, "relevance": 1, "conciseness": 0, "context": 1}',
        "Plan P1": GOOD,
        "Plan P3": GOOD,
    }
    five = [
        "assert add(1, 2) == 3",
        "assert add(1, 2 == 3",
        "assert add(2, 2) == 5",
        "assert add(0, 0) == 0",
        "assert add(-1, 1) == 0",
    ]
    team = Team(
        prompt_agent=["Plan P1", "Plan P2", "Plan P3"],
        judge_prompt=lambda text: next(m for plan, m in marks.items() if plan in text),
        # snippets 1 and 3 are samples of the request with the first plan
        coding_agent=[block(PLUS), block(PLUS), block("def add(a, b)", "    return a + b")],
        test_agent=block(*five),
        judge_test=verdicts("assert add(2, 2) == 5"),
    )
    result, kernel = await run(team, max_cot_prompts=3, max_code_snippets=3)
    assert pool(result, "prompts") == [
        ("1. Plan P1", True, ""),
        ("1. Plan P2", False, "conciseness"),
        ("1. Plan P3", True, ""),
    ]
    assert [(kept, why) for _, kept, why in pool(result, "tests")] == [
        (True, ""),
        (False, "it is not valid Python"),
        (False, "judged wrong: No."),
        (True, ""),
        (True, ""),
    ]
    codes = pool(result, "codes")
    assert [kept for _, kept, _ in codes] == [True, False, True]
    assert "SyntaxError" in codes[1][2]
    assert (result.answer, result.notes["self_tests"]) == (PLUS, {"passed": 3, "total": 3})
    # The exact calls: 3 plans in one request, a judgement each; 3 snippets from the two plans that
    # stayed; one request for tests, a judgement of each of the four that are tests; no repair.
    calls = [(kind(r), r.n, r.temperature) for r in team.requests]
    assert calls == [
        ("prompt-agent", 3, 0.8),
        *[("judge-prompt", 1, 0.0)] * 3,
        ("coding-agent", 2, 0.8),
        ("coding-agent", 1, 0.8),
        ("test-agent", 1, 0.8),
        *[("judge-test", 1, 0.0)] * 4,
    ]
    one, three = (r.messages[-1].text for r in team.made("coding-agent"))
    assert "Plan P1" in one and "Plan P3" in three and "Plan P2" not in one + three
    wrote = team.made("test-agent")[0].messages[-1].text
    assert "Plan P1" in wrote and "Plan P3" in wrote and "Plan P2" not in wrote
    # and two runs in the sandbox, one for each snippet that stayed, with the three tests
    used = [e.call.arguments for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert [u["program"] for u in used] == [PLUS, PLUS]
    assert all(u["tests"] == [five[0], five[3], five[4]] for u in used)
    assert "dropped 2 (conciseness)" in result.account
    assert "dropped 3 (judged wrong: No.): assert add(2, 2) == 5" in result.account


async def test_without_a_good_plan_the_task_is_the_prompt() -> None:
    bad = '{"clarity": 0, "relevance": 1, "conciseness": 1, "context": 0}'
    team = Team(prompt_agent="Hm.", judge_prompt=bad, coding_agent=PLUS, test_agent=block(*TWO))
    result, _ = await run(team)
    assert pool(result, "prompts") == [("1. Hm.", False, "clarity, context")]
    assert team.made("coding-agent")[0].messages[-1].text.startswith(f"{ADD.prompt}\n\nWrite the")
    assert "the task itself was the prompt" in result.account
    assert result.answer == PLUS
    model = Scripted(lambda request, i: "code!" if request.role == "prompt-agent" else PLUS)
    chosen = get_system("codecor")
    bound = chosen.bind({"max_cot_prompts": 1, "max_code_snippets": 1, "max_test_cases": 0})
    answer = (await solve(chosen, ADD, Kernel(model, seed=1), bound)).result
    assert pool(answer, "prompts") == [("code!", False, "it could not be read")]
    assert answer.answer == PLUS
    unreadable = Team(prompt_agent="P", judge_prompt="hm", coding_agent=PLUS, test_agent="")
    result, _ = await run(unreadable)
    assert pool(result, "prompts") == [("1. P", False, "the judgement could not be read")]
    assert result.notes["unreadable"] == 1


@pytest.mark.must_show("codecor", 2)
async def test_a_failing_snippet_is_repaired_with_advice() -> None:
    team = Team(
        prompt_agent="P",
        coding_agent=[block(MINUS), block(PLUS.replace("a + b", "b + a"))],
        test_agent=block(*TWO),
        repair_agent="It subtracts; it must add.",
        rewrite=block(PLUS),
    )
    result, kernel = await run(team, max_code_snippets=2, max_advice=1)
    (repair,) = result.notes["repairs"]
    assert repair["failing"] == ["assert add(1, 2) == 3"]
    assert repair["failing_after"] == []
    (advice,) = repair["advice"]
    assert (advice["text"], advice["kept"]) == ("It subtracts; it must add.", True)
    assert result.notes["ranked"] == [
        {"candidate": 2, "code": PLUS.replace("a + b", "b + a"), "passed": 2, "rounds": 0},
        {"candidate": 1, "code": PLUS, "passed": 2, "rounds": 1},
    ]
    # The snippet that passed at once was never shown to the Repair Agent.
    asked = team.made("repair-agent")
    assert len(asked) == 1 and asked[0].agent == "repair-agent-1"
    assert "add(1, 2) == 3, but it is -1" in asked[0].messages[-1].text
    (rewrite,) = team.made("rewrite")
    assert "It subtracts; it must add." in rewrite.messages[-1].text
    assert "-    return a - b\n+    return a + b\n" in repair["diff"]
    assert result.files["repairs.diff"] == repair["diff"]
    assert result.files["solution.py"] == f"{result.answer}\n"
    assert result.files["tests.py"] == f"from solution import add\n\n{TWO[0]}\n{TWO[1]}\n"
    assert "+    return a + b" in result.account
    # Lineage: the rewrite was made from the failing snippet and the advice.
    events = {e.id: e for e in kernel.trace.events}
    made = next(e for e in events.values() if e.call.agent == "coding-agent-1")
    assert [events[s].call.agent for s in made.call.sources] == ["coding-agent", "repair-agent-1"]


def chain(*results: str) -> list[str]:
    """Functions that return what is listed for the arguments 1, 2, 3: "101" fails the second."""
    return [block("def f(x):", f"    return '{r}'[x - 1] == '1'") for r in results]


THREE = [f"assert f({x}) == True" for x in (1, 2, 3)]
F = Task(id="f", prompt="Write f.", answer="code", entry_point="f")


@pytest.mark.must_show("codecor", 3)
@pytest.mark.parametrize(
    ("first", "rewrites", "repairs", "rounds"),
    [
        ("011", ["011", "111"], 1, 1),  # the same set twice: it leaves after the second check
        ("011", ["101", "111"], 2, 2),  # another set of the same size goes on
        ("011", ["101", "011", "110"], 3, 3),  # back to an older set is a change, too
        ("000", ["001", "001", "111"], 2, 2),  # progress first, then none
        ("011", ["001", "011", "001", "111"], 3, 3),  # no more than three rounds
    ],
)
async def test_a_lineage_without_progress_leaves(
    first: str, rewrites: list[str], repairs: int, rounds: int
) -> None:
    code, *again = chain(first, *rewrites)
    team = Team(
        prompt_agent="P",
        coding_agent=code,
        test_agent=block(*THREE),
        repair_agent="Mend.",
        rewrite=again,
    )
    result, _ = await run(team, F, max_advice=1)
    assert len(team.made("repair-agent")) == len(team.made("rewrite")) == repairs
    (ranked,) = result.notes["ranked"]
    last = rewrites[repairs - 1]
    assert (ranked["rounds"], ranked["passed"]) == (rounds, last.count("1"))
    assert [r["round"] for r in result.notes["repairs"]] == list(range(1, repairs + 1))


async def test_each_lineage_has_its_own_progress() -> None:
    """The same rewritten text in two lineages: stuck in one, progress in the other."""
    one, two, better = chain("011", "000", "011")
    whole = chain("111")[0]
    left = {"coding-agent-1": [better], "coding-agent-2": [better, whole]}
    team = Team(prompt_agent="P", coding_agent=[one, two], test_agent=block(*THREE))
    team.fixed["repair_agent"] = "Mend."
    plain = team.reply

    def reply(request: Generate, i: int) -> Any:
        return left[request.agent].pop(0) if request.agent in left else plain(request, i)

    team._answer = reply
    result, _ = await run(team, F, max_code_snippets=2, max_advice=1)
    assert left == {"coding-agent-1": [], "coding-agent-2": []}
    assert [(r["candidate"], r["rounds"], r["passed"]) for r in result.notes["ranked"]] == [
        (2, 2, 3),
        (1, 1, 2),
    ]


@pytest.mark.must_show("codecor", 4)
async def test_without_advice_the_failing_asserts_take_its_place() -> None:
    poor = '{"clarity": 1, "relevance": 0, "conciseness": 1, "context": 1}'
    team = Team(
        prompt_agent="P",
        coding_agent=block(MINUS),
        test_agent=block("assert add(1, 2) == 3", "assert add(2, 5) == 7", "assert add(0, 0) == 0"),
        repair_agent=["Buy milk.", "Sleep well."],
        judge_repair=poor,
        rewrite=block(PLUS),
    )
    result, _ = await run(team)
    (rewrite,) = team.made("rewrite")
    text = rewrite.messages[-1].text
    assert "that these hold:\nassert add(1, 2) == 3\nassert add(2, 5) == 7\n\n" in text
    assert "Buy milk." not in text and "Sleep well." not in text and "Advice:" not in text
    assert [a["reason"] for a in result.notes["repairs"][0]["advice"]] == ["relevance"] * 2
    assert result.notes["self_tests"] == {"passed": 3, "total": 3}


async def test_all_the_advice_that_stayed_is_handed_on() -> None:
    team = Team(
        prompt_agent="P", coding_agent=block(MINUS), test_agent=block(*TWO),
        repair_agent=["Use plus.", "Not minus."], rewrite=block(PLUS),
    )  # fmt: skip
    await run(team)
    assert "Advice:\nUse plus.\n\nAdvice:\nNot minus." in team.made("rewrite")[0].messages[-1].text


def snippet(lineage: int, passed: int, of: int, rounds: int) -> Snippet:
    checked = tuple(Checked(f"assert f({i})", i < passed, "") for i in range(of))
    return Snippet(lineage, f"code {lineage}", checked, rounds)


@pytest.mark.must_show("codecor", 5)
def test_ranking() -> None:
    a, b, c = snippet(0, 5, 5, 2), snippet(1, 5, 5, 0), snippet(2, 4, 5, 0)
    assert rank([a, b, c]) == rank([c, b, a]) == [b, a, c]
    assert rank([c, b, a])[0].passed == 5
    ties = [snippet(i, 3, 5, 1) for i in range(4)]
    assert rank(ties) == ties
    assert rank([ties[2], a, ties[0]]) == [a, ties[0], ties[2]]


@pytest.mark.must_show("codecor", 6)
@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "while True: print('flood' * 1000)",
        "open('{outside}/escaped', 'w').write('x'); return True",
        "import os\n    while True: os.fork()",
    ],
    ids=["loop", "exit", "leave", "flood", "write", "fork"],
)
async def test_hostile_code_fails_and_leaves_the_host_alone(body: str, tmp_path: Path) -> None:
    code = f"def f(x):\n    {body.format(outside=tmp_path)}"
    team = Team(prompt_agent="P", coding_agent=block(code), test_agent=block(*THREE[:1]))
    result, _ = await run(team, F, max_repair_rounds=0, code_timeout=2.0)
    assert result.notes["self_tests"] == {"passed": 0, "total": 1}
    assert result.notes["ranked"][0]["passed"] == 0
    assert list(tmp_path.iterdir()) == []


RIGHT = [f"assert f({x}) == {x * x}" for x in (1, 2, 3)]
TRAP = "assert f(4) == 5"
SQUARE = block("def f(x):", "    return x * x")
FITTED = block("def f(x):", "    return x * x if x < 3 else x + 1")  # right for 1 and 2, and 4: 5


@pytest.mark.parametrize(
    ("order", "tests", "wrong", "score", "tied", "square_wins"),
    [
        # with the trap both pass 3 of 4: the earlier one wins, and the tie is flagged
        ([SQUARE, FITTED], [*RIGHT, TRAP], [], (3, 4), True, True),
        ([FITTED, SQUARE], [*RIGHT, TRAP], [], (3, 4), True, False),
        # without it the right code wins 3 to 2, wherever it stands
        ([SQUARE, FITTED], [*RIGHT, TRAP], [TRAP], (3, 3), False, True),
        ([FITTED, SQUARE], [*RIGHT, TRAP], [TRAP], (3, 3), False, True),
    ],
)
async def test_the_trap_of_a_wrong_test(
    order: list[str],
    tests: list[str],
    wrong: list[str],
    score: tuple[int, int],
    tied: bool,
    square_wins: bool,
) -> None:
    team = Team(
        prompt_agent="P",
        coding_agent=list(order),
        test_agent=block(*tests),
        judge_test=verdicts(*wrong),
    )
    result, _ = await run(team, F, max_code_snippets=2, max_repair_rounds=0)
    assert ("return x * x if" not in result.answer) == square_wins
    assert result.notes["self_tests"] == {"passed": score[0], "total": score[1]}
    assert result.notes["tied"] is tied
    assert ("the earlier one was taken" in result.account) is tied
    if wrong:
        assert [r["passed"] for r in result.notes["ranked"]] == [3, 2]
        assert f"dropped 4 (judged wrong: No.): {TRAP}" in result.account


async def test_the_share_of_wrong_tests_is_measured_by_the_reference(collegium_data: Path) -> None:
    """Every other test is made wrong, and a judge drops all but one of these."""
    wrote: list[str] = []

    def suite(text: str) -> str:
        name = text.split("begins with: assert ")[1].split("(")[0]
        # The reference equals itself whatever it does, and never equals a new object.
        wrote.append(name)
        call = f"{name}(*args)"
        return block(
            f"assert {name} == {name} or {name}()",
            f"assert {name} is None and {name}()",
            f"assert {name} == 0 and {name}()",
            f"assert {call} == 1",
        )

    team = Team(
        prompt_agent="P",
        test_agent=suite,
        judge_test=lambda text: VERDICT_WRONG if "is None and" in text else VERDICT_RIGHT,
    )
    report = await measure(team, limit=3, published=False)
    found = report["written"]
    assert len(wrote) == found.tasks == 3
    assert (found.before.wrong, found.before.tests) == (6, 9)
    assert (found.after.wrong, found.after.tests) == (3, 6)
    assert (found.before.share, found.after.share) == (0.6667, 0.5)
    assert (found.malformed, found.dropped_right, found.tasks_with_wrong) == (3, 0, 3)


async def test_published_suites_have_wrong_tests_enough_to_mislead(collegium_data: Path) -> None:
    """Tests that gpt-3.5-turbo wrote: the reference solution fails many of them."""
    assert published_suites()["HumanEval/150"][0] == "assert x_or_y(3, 5, 6) == 5"
    team = Team(prompt_agent="P", test_agent="", judge_test=VERDICT_RIGHT)
    found = (await measure(team, limit=14))["published"]
    assert (found.tasks, found.before.tests, found.before.wrong) == (14, 161, 35)
    assert found.after == found.before  # such a judge drops nothing
    by_task = [c for c in found.cases if c.task == "HumanEval/160"]
    assert (sum(not c.right for c in by_task), len(by_task)) == (12, 14)


@pytest.mark.must_show("codecor", 9)
async def test_without_an_entry_point_the_first_valid_code_is_returned_untested() -> None:
    task = Task(id="t", prompt="Print a greeting.", answer="code")
    team = Team(prompt_agent="P", coding_agent=["print('hello'", "print('hello')", "print('ho')"])
    result, _ = await run(team, task, max_code_snippets=3)
    assert (result.answer, result.notes["untested"]) == ("print('hello')", True)
    assert result.notes["self_tests"] == {"passed": 0, "total": 0}
    assert team.made("test-agent") == team.made("repair-agent") == []
    assert "untested" in result.account and "tests.py" not in result.files


@pytest.mark.must_show("codecor", 9)
async def test_a_name_that_the_task_leaves_open_is_the_snippets_own() -> None:
    task = Task(id="t", prompt="Write a function that adds.", answer="code")
    team = Team(prompt_agent="P", coding_agent=block(PLUS), test_agent=block(*TWO))
    result, _ = await run(team, task)
    assert result.notes["entry_point"] == "add"
    assert result.notes["self_tests"] == {"passed": 2, "total": 2}


@pytest.mark.must_show("codecor", 9)
@pytest.mark.parametrize("prune", [True, False])
async def test_without_tests_valid_code_is_kept_and_flagged(prune: bool) -> None:
    team = Team(
        prompt_agent="P",
        coding_agent=["def add(", block(MINUS), block(PLUS)],
        test_agent="No tests today.",
        judge_test=VERDICT_WRONG,
    )
    result, _ = await run(team, max_code_snippets=3, prune=prune)
    assert (result.answer, result.notes["untested"]) == (MINUS, True)
    assert team.made("repair-agent") == []
    if prune:
        team = Team(
            prompt_agent="P", coding_agent=PLUS, test_agent=block(*TWO), judge_test=VERDICT_WRONG
        )
        result, _ = await run(team)
        assert (result.answer, result.notes["untested"], result.notes["tied"]) == (
            PLUS,
            True,
            False,
        )


@pytest.mark.must_show("codecor", 9)
@pytest.mark.parametrize(
    ("task", "parameters", "problem"),
    [
        (Task(id="e", prompt="  ", answer="code"), {}, "this one is empty"),
        (Task(id="n", prompt="2 + 2?", answer="number"), {}, "a task answered with code"),
        (ADD, {"max_code_snippets": 0}, "max_code_snippets >= 1"),
        (ADD, {"max_repair_rounds": -1}, "must be 0 or more"),
        (ADD, {"code_timeout": 0.0}, "code_timeout > 0"),
        (ADD, {"max_advice": 0}, "max_advice >= 1"),
    ],
)
async def test_bad_input(task: Task, parameters: dict[str, Any], problem: str) -> None:
    team = Team()
    with pytest.raises(BadInput, match=problem):
        await run(team, task, **parameters)
    assert team.requests == []


@pytest.mark.must_show("codecor", 9)
async def test_no_snippet_that_is_python_is_a_typed_empty_result() -> None:
    team = Team(prompt_agent="P", coding_agent=["def add(", "", "Sorry, I cannot."])
    result, _ = await run(team, max_code_snippets=3)
    assert isinstance(result.answer, Unparsed)
    assert [why != "" for _, _, why in pool(result, "codes")] == [True] * 3
    assert team.made("test-agent") == [] and result.files == {}
    assert "No program stayed" in result.account


async def test_without_pruning_nobody_judges() -> None:
    bad = "def add(a, b):\n    return (a + b"
    team = Team(
        prompt_agent="P",
        coding_agent=[block(bad), block(MINUS)],
        test_agent=block(*TWO, TWO[0], "assert add(1"),
        repair_agent="Mend.",
        rewrite=block(PLUS),
    )
    result, _ = await run(team, prune=False, max_code_snippets=2, max_repair_rounds=1)
    assert not [r for r in team.requests if kind(r).startswith("judge")]
    assert [kept for _, kept, _ in pool(result, "codes")] == [True, True]
    assert [kept for _, kept, _ in pool(result, "tests")] == [True, True, False, False]
    assert len(team.made("rewrite")) == 2  # what is not Python is repaired like anything else
    assert result.answer == PLUS


async def test_a_rewrite_that_is_not_python_leaves_its_parent() -> None:
    team = Team(
        prompt_agent="P", coding_agent=block(MINUS), test_agent=block(*TWO),
        repair_agent="Mend.", rewrite="def add(a, b:",
    )  # fmt: skip
    result, _ = await run(team)
    assert len(team.made("rewrite")) == 1
    assert (result.answer, result.notes["self_tests"]["passed"]) == (MINUS, 1)
    assert result.notes["repairs"][0]["failing_after"] is None
    assert "the rewrite was not Python" in result.account


async def test_examples_of_the_task_come_first_and_cannot_be_pruned() -> None:
    prompt = 'def add(a, b):\n    """The sum.\n\n    >>> add(1, 2)\n    3\n    """'
    task = Task(id="t", prompt=f"Complete it.\n\n```python\n{prompt}\n```", answer="code")
    wrote = block("assert add(1, 2) == 3", "assert add(0, 0) == 0")
    for wanted in (True, False):
        team = Team(
            prompt_agent="P", coding_agent=block(PLUS), test_agent=wrote, judge_test=VERDICT_WRONG
        )
        result, _ = await run(team, task, docstring_tests=wanted)
        kept = [text for text, kept, _ in pool(result, "tests") if kept]
        assert kept == (["assert add(1, 2) == 3"] if wanted else [])
    assert pool(result, "tests")[0][1] is False


async def test_an_early_stop_saves_repairs_that_cannot_win() -> None:
    for early, repaired in ((True, 0), (False, 1)):
        team = Team(
            prompt_agent="P", coding_agent=[block(MINUS), block(PLUS)], test_agent=block(*TWO),
            repair_agent="Mend.", rewrite=block(PLUS),
        )  # fmt: skip
        result, _ = await run(team, max_code_snippets=2, max_advice=1, early_stop=early)
        assert len(team.made("repair-agent")) == repaired
        assert result.answer == PLUS and result.notes["ranked"][0]["candidate"] == 2


@pytest.mark.parametrize(
    ("calls", "untested", "passed", "rounds"),
    [(3, True, 0, 0), (4, False, 1, 0), (6, False, 1, 0), (7, False, 2, 1)],
)
async def test_a_limit_leaves_the_best_so_far(
    calls: int, untested: bool, passed: int, rounds: int
) -> None:
    # 1 plan, 1 judgement, 1 snippet, 1 request for tests, 1 advice, 1 judgement, 1 rewrite
    team = Team(
        prompt_agent="P", coding_agent=block(MINUS), test_agent=block(*TWO),
        repair_agent="Mend.", rewrite=block(PLUS),
    )  # fmt: skip
    chosen = get_system("codecor")
    team.fixed["judge_test"] = VERDICT_RIGHT
    bound = chosen.bind({"max_cot_prompts": 1, "max_code_snippets": 1, "max_advice": 1})
    kernel = Kernel(team, limits=Limits(calls=calls + 2 * (calls > 3)), seed=1)  # 2 judgements
    solved = await solve(chosen, ADD, kernel, bound)
    notes = solved.result.notes
    assert (notes["untested"], notes["self_tests"]["passed"]) == (untested, passed)
    assert notes["ranked"][0]["rounds"] == rounds
    assert bool(solved.limited) == (calls < 7)


async def test_the_criteria_are_the_papers() -> None:
    assert Marks.__struct_fields__ == ("clarity", "relevance", "conciseness", "context")
    team = Team(prompt_agent="P", coding_agent=PLUS, test_agent=block(*TWO))
    await run(team)
    schema = team.made("judge-prompt")[0].schema
    assert schema is not None
    assert all(p["enum"] == [0, 1] for p in schema["properties"].values())


async def test_the_whole_method_on_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    task = Task(
        id="double",
        prompt="Write a function double_all(numbers) that returns a list with every number "
        "doubled. For example double_all([1, 2]) is [2, 4].",
        answer="code",
    )
    chosen = get_system("codecor")
    given = {"max_cot_prompts": 1, "max_test_cases": 3, "max_code_snippets": 2,
             "max_repair_rounds": 1, "max_advice": 1, "code_timeout": 5.0}  # fmt: skip
    kernel = Kernel(recorded("local-small"), seed=3)
    result = (await solve(chosen, task, kernel, chosen.bind(given))).result
    assert result.notes["entry_point"] == "double_all"
    assert "def double_all" in result.answer
    assert len(result.notes["pools"]["tests"]) >= 1
    assert not result.notes["untested"]
    assert result.notes["self_tests"]["passed"] >= 1
