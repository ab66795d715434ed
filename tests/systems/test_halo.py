"""HALO: exact order and number of calls, who reads what, early stop, failures and bad input."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from collegium.errors import BadInput
from collegium.kernel import Generate, Kernel, Limits, Send, Unparsed
from collegium.models.model import Model
from collegium.systems.halo import halo
from collegium.systems.halo.agreement import Agreement, agreement, consensus
from collegium.systems.solve import solve
from collegium.systems.system import get_system
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, worked

TASK = Task(id="t", prompt="What is 5 + 7?", rules="Count in tens.", answer="number")
CHOICE = Task(id="c", prompt="Which?", answer="choice", choices=("w", "x", "y", "z"))
TEXT = Task(id="x", prompt="Who wrote it?", answer="text")
CODE = Task(id="p", prompt="def twice(x):\n    '''Double x.'''", answer="code", entry_point="twice")

REFINEMENT = ["task-parser", "template-generator", "prompt-optimizer", "final-generator"]

Line = Callable[[Generate], Any]


def team(**lines: Any) -> Scripted:
    """A model that plays every role; a line is a value or a function of the request.

    Roles are written with _ for -. By default two roles answer 12, are judged success and scored
    0.5, and the planner stops after the first subtask. Structs are written as JSON.
    """
    default: dict[str, Any] = {
        "task_parser": {"task_type": "sum", "core_intent": "add", "key_details": "5, 7"},
        "template_generator": lambda r: {"template": f"template for {r.agent}"},
        "prompt_optimizer": lambda r: {"better_template": f"better for {r.agent}"},
        "final_generator": lambda r: {"prompt": f"final for {r.agent}"},
        "planner": lambda r: (
            {"decision": "stop"} if "decide stop" in said(r) else {"next_subtask": "Add them."}
        ),
        "role_designer": {"agent_roles": ["adder", "checker"]},
        "worker": worked(12),
        "judge": {"status": "success"},
        "scorer": {"score": 0.5},
    }
    default.update(lines)

    def answer(request: Generate, i: int) -> str:
        line = default[request.role.replace("-", "_")]
        value = line(request) if callable(line) else line
        return value if isinstance(value, str) else json.dumps(value)

    return Scripted(answer)


def said(request: Generate) -> str:
    """The user's turn of a request."""
    return request.messages[-1].text


def who(model: Scripted) -> list[str]:
    """Who asked, in order."""
    return [r.agent for r in model.requests]


def planning(*texts: str) -> Line:
    """A planner that names these subtasks one after the other, and then stops."""
    left = [{"decision": "go on", "next_subtask": t} for t in texts]
    return lambda r: left.pop(0) if left else {"decision": "stop"}


def turns(*answers: Any) -> Line:
    """Workers that answer like this, one after the other."""
    left = list(answers)
    return lambda r: worked(left.pop(0))


@pytest.mark.must_show("halo", 3)
@pytest.mark.parametrize("good", ["1", "2"])
async def test_an_easy_run_call_by_call(good: str) -> None:
    model = team(
        worker=lambda r: worked(12 if r.agent[-1] == good else 11),
        judge=lambda r: {"status": "success" if r.agent[-1] == good else "fail"},
        scorer=lambda r: {"score": 0.6 if r.agent[-1] == good else 0.9},
    )
    kernel = Kernel(model)
    result = await halo(TASK, kernel)
    assert result.answer == 12
    first, second = (
        [f"{n}-1-{i}" for n in ("template-generator", "prompt-optimizer", "final-generator")]
        for i in (1, 2)
    )
    expansion = [f"{n}-1-{i}" for i in (1, 2) for n in ("worker", "judge", "scorer")]
    names = who(model)
    assert names[:6] == [*REFINEMENT, "planner", "role-designer-1"]
    assert sorted(names[6:12]) == sorted(first + second)
    assert [n for n in names[6:12] if n in first] == first
    assert [n for n in names[6:12] if n in second] == second
    assert sorted(names[12:18]) == sorted(expansion)
    for i in (1, 2):
        own = [n for n in names[12:18] if n.endswith(f"-{i}")]
        assert own == [f"worker-1-{i}", f"judge-1-{i}", f"scorer-1-{i}"]
    assert names[18:] == ["planner"]
    assert kernel.meter.calls == 19
    (subtask,) = result.notes["subtasks"]
    assert (subtask["status"], subtask["answer"], subtask["roles"]) == (
        "success",
        12,
        ["adder", "checker"],
    )
    assert [c["judge"] for c in subtask["tree"]["children"]].count("success") == 1
    assert (result.notes["stop_reason"], result.notes["fallbacks"]) == ("stop", {})


async def test_the_stages_read_what_the_stage_before_wrote() -> None:
    model = team()
    kernel = Kernel(model)
    await halo(TASK, kernel)
    prompts = {r.agent: said(r) for r in reversed(model.requests)}  # an agent's first turn
    f = "Task type: sum\nCore intent: add\nKey details: 5, 7"
    for name in ("template-generator", "prompt-optimizer", "final-generator"):
        assert f in prompts[name]
        assert "What is 5 + 7?" in prompts[name]
    assert "Template: template for template-generator" in prompts["prompt-optimizer"]
    assert "Template: better for prompt-optimizer" in prompts["final-generator"]
    for name in ("planner", "worker-1-2"):
        assert "How to go about it: final for final-generator" in prompts[name]
    assert "template for template-generator-1-2" in prompts["prompt-optimizer-1-2"]
    assert "better for prompt-optimizer-1-2" in prompts["final-generator-1-2"]
    (profile,) = {r.messages[0].text for r in model.requests if r.agent == "worker-1-2"}
    assert profile == "final for final-generator-1-2 Count in tens."
    for name in ("role-designer-1", "template-generator-1-1", "worker-1-1", "judge-1-1"):
        assert "Subtask: Add them." in prompts[name]
    assert worked(12) in prompts["judge-1-1"]
    assert "It was judged: success" in prompts["scorer-1-1"]
    # Lineage: what the answer was made from reaches back to the task parser.
    events = {e.id: e for e in kernel.trace.events}

    def origins(number: int) -> set[str]:
        above = events[number].call.sources
        return {events[number].call.agent}.union(*map(origins, above)) if above else set()

    ids = {e.call.agent: n for n, e in events.items()}
    chain = origins(ids["scorer-1-2"])
    assert {"judge-1-2", "worker-1-2", "final-generator-1-2", "role-designer-1"} <= chain
    assert "final-generator" in chain


async def test_the_planner_sees_what_earlier_subtasks_gave() -> None:
    model = team(
        planner=planning("Add 5.", "Stop the clock at 7."),
        worker=turns(5, 5, 12, 12),
        judge=lambda r: {"status": "success" if r.agent.startswith("judge-2") else "fail"},
    )
    result = await halo(TASK, Kernel(model))
    plans = [said(r) for r in model.requests if r.agent == "planner"]
    assert "Subtask 1" not in plans[0]
    assert f"Subtask 1: Add 5.\nIts answer (fail): {worked(5)}" in plans[1]
    # The word "stop" in a subtask stops nothing.
    assert f"Subtask 2: Stop the clock at 7.\nIts answer (success): {worked(12)}" in plans[2]
    assert result.answer == 12  # the last one
    assert [s["status"] for s in result.notes["subtasks"]] == ["fail", "success"]


@pytest.mark.must_show("halo", 4)
@pytest.mark.parametrize(
    ("depth", "simulations", "roles", "steps"),
    # R + .. + R^D of the tree and S * sum R^l (D-l-1) of simulations
    [(1, 1, 2, 2), (2, 2, 2, 6 + 2), (3, 1, 2, 14 + 4), (2, 1, 3, 12 + 1), (3, 2, 1, 3 + 6)],
)
async def test_going_on_for_ever_costs_what_the_formula_says(
    depth: int, simulations: int, roles: int, steps: int
) -> None:
    model = team(
        judge={"status": "continue"}, role_designer={"agent_roles": ["a", "b", "c"][:roles]}
    )
    kernel = Kernel(model, seed=1)
    result = await halo(TASK, kernel, depth=depth, simulations=simulations, roles=roles)
    assert kernel.meter.calls == 4 + 1 + 1 + 3 * roles + 3 * steps + 1
    (subtask,) = result.notes["subtasks"]
    assert subtask["status"] == "fail"
    level = [subtask["tree"]]
    for d in range(1, depth + 1):
        level = [child for node in level for child in node["children"]]
        assert len(level) == roles**d
    assert [node["children"] for node in level] == [[]] * len(level)


@pytest.mark.must_show("halo", 4)
async def test_the_dearest_run_by_default() -> None:
    model = team(
        planner=planning("a", "b", "c", "d"),
        worker=lambda r: worked(r.agent.split("-")[1]),
        judge={"status": "continue"},
    )
    result = await halo(TASK, Kernel(model, seed=1))
    assert len(model.requests) == 4 + 3 * (2 + 6 + 24) == 100
    assert result.answer == Unparsed("", "neither stop nor agreement after 3 subtasks")


@pytest.mark.must_show("halo", 5)
async def test_an_agent_reads_its_path_and_not_its_siblings() -> None:
    model = team(
        role_designer={"agent_roles": ["adder", "checker", "writer"]},
        worker=lambda r: worked(12, f"{r.agent} after {said(r).count(' answered:')}"),
        judge={"status": "continue"},
        scorer=lambda r: {"score": 0.9 if r.agent == "scorer-1-2" else 0.1},
    )
    kernel = Kernel(model, seed=2)
    await halo(TASK, kernel, depth=2, simulations=1, roles=3)
    own = worked(12, "worker-1-2 after 0")  # of the checker, who was simulated from first
    others = [worked(12, f"worker-1-{i} after 0") for i in (1, 3)]
    labels = {
        worked(12, f"worker-1-{i} after 0"): role
        for i, role in enumerate(("adder", "checker", "writer"), 1)
    }
    deep = [r for r in model.requests if r.role == "worker" and " answered:" in said(r)]
    assert len(deep) == 9 + 1  # every pair of roles, and the simulation
    for request in deep:
        (heard,) = [t for t in labels if t in said(request)]
        assert f"The {labels[heard]} answered:\n{heard}" in said(request)
    assert own in said(deep[0])
    assert not any(t in said(deep[0]) for t in others)
    sent = [e.call for e in kernel.trace.events if isinstance(e.call, Send)]
    assert Counter((c.agent, c.to) for c in sent).total() == 10
    assert {(c.agent, c.to) for c in sent} == {
        (f"worker-1-{i}", f"worker-1-{j}") for i in (1, 2, 3) for j in (1, 2, 3)
    }


@pytest.mark.must_show("halo", 5)
async def test_a_long_path_is_read_in_its_order() -> None:
    model = team(
        worker=lambda r: worked(12, f"turn {said(r).count(' answered:') + 1}"),
        judge={"status": "continue"},
        role_designer={"agent_roles": ["zoologist", "adder"]},
    )
    await halo(TASK, Kernel(model, seed=3), depth=3, simulations=1)
    deep = [
        said(r) for r in model.requests if r.role == "worker" if said(r).count("answered:") == 2
    ]
    assert len(deep) >= 8
    for prompt in deep:  # whoever they are, in the order in which they spoke
        assert 0 < prompt.index("turn 1") < prompt.index("turn 2")
    assert any("zoologist answered" in p.partition("adder answered")[0] for p in deep)


@pytest.mark.must_show("halo", 6)
@pytest.mark.parametrize(
    ("answers", "stops"),
    [
        (["B", "B"], "B"),
        (["A", "B"], None),
        (["A", "B", "B"], "B"),
        (["A", "B", "C", "B"], None),
        (["B"], None),
        ([], None),
    ],
)
def test_when_answers_agree_enough(answers: list[str], stops: str | None) -> None:
    index = consensus(answers, agreement(CHOICE))
    assert (None if index is None else answers[index]) == stops


@pytest.mark.must_show("halo", 6)
@pytest.mark.parametrize(
    ("answers", "made", "answer"),
    [("BB", 2, "B"), ("ABB", 3, "B"), ("ABCB", 4, None), ("AB", 2, None)],
)
async def test_agreement_ends_the_run(answers: str, made: int, answer: str | None) -> None:
    subtasks = [f"Part {i}." for i in range(1, 9)]
    model = team(
        role_designer={"agent_roles": ["solver"]},
        planner=planning(*subtasks),
        worker=turns(*answers),
    )
    result = await halo(CHOICE, Kernel(model), subtasks=len(answers))
    assert len(result.notes["subtasks"]) == made
    assert who(model).count("planner") == made
    if answer is None:
        assert isinstance(result.answer, Unparsed)
        assert result.notes["stop_reason"] == "no more subtasks"
    else:
        assert (result.answer, result.notes["stop_reason"]) == (answer, "agreement")


def test_numbers_and_latex_agree_in_normal_form() -> None:
    assert consensus([12.0, "12"], agreement(TASK)) == 0
    latex = Task(id="l", prompt="?", answer="latex")
    assert consensus(["\\frac12", "3", "\\dfrac{1}{2}"], agreement(latex)) == 0
    assert consensus(["\\frac12", "\\frac13"], agreement(latex)) is None


def test_texts_agree_by_bleu() -> None:
    pytest.importorskip("sacrebleu")
    rule = agreement(TEXT)
    assert rule.name == "equality or sentence-BLEU >= 70"
    # Same six words but for the first: 0.76 by hand with smoothed precisions 5/6, 4/5, 3/4, 2/3.
    assert rule.agree("the cat sat on the mat", "A cat sat on the mat")
    assert not rule.agree("the cat sat on the mat", "the dog lay under the mat")
    assert consensus(["Kim", "a cat sat on the mat", "the cat sat on the mat"], rule) == 1
    double = "def twice(x):\n    result = x * 2\n    return result"
    assert agreement(CODE).agree(f"```python\n{double}\n```", double)


def test_without_sacrebleu_equality_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    rule = agreement(TEXT)
    assert rule.name == "equality"
    assert rule.agree("Jane Austen.", "jane  austen")
    assert not rule.agree("the cat sat on the mat", "a cat sat on the mat")


def test_a_rule_of_ones_own() -> None:
    near = Agreement("near", lambda a, b: abs(a - b) <= 1)
    assert consensus([1, 2, 3, 9], near) == 1  # 2 has the support of 1 and 3


@pytest.mark.parametrize(
    ("switches", "missing"),
    [
        ({"refine_prompt": False}, REFINEMENT),
        ({"planner": False}, ["planner", "planner"]),
        ({"refine_prompt": False, "planner": False}, [*REFINEMENT, "planner", "planner"]),
    ],
)
async def test_a_switch_takes_away_its_calls_and_no_other(
    switches: dict[str, bool], missing: list[str]
) -> None:
    full, cut = team(), team()
    await halo(TASK, Kernel(full))
    result = await halo(TASK, Kernel(cut), **switches)
    assert Counter(who(full)) - Counter(who(cut)) == Counter(missing)
    assert Counter(who(cut)) - Counter(who(full)) == Counter()
    assert result.answer == 12
    (subtask,) = result.notes["subtasks"]
    wanted = "Add them."
    if "planner" in switches:
        wanted = TASK.text if "refine_prompt" in switches else "final for final-generator"
        assert result.notes["stop_reason"] == "no planner"
    assert subtask["text"] == wanted
    if "refine_prompt" in switches:
        assert result.notes["refined"] == {
            "task_type": "",
            "core_intent": "",
            "key_details": "",
            "prompt": TASK.text,
        }
        assert not any("How to go about it" in p or "Task type" in p for p in cut.prompts)


async def test_a_failed_run_without_a_planner_still_answers() -> None:
    model = team(judge={"status": "fail"}, worker=turns(3, 4), scorer={"score": 0.2})
    result = await halo(TASK, Kernel(model), planner=False)
    assert (result.answer, result.notes["subtasks"][0]["status"]) == (3, "fail")


@pytest.mark.must_show("halo", 8)
@pytest.mark.parametrize(
    "listed", [{"agent_roles": []}, {"agent_roles": [" ", ""]}, "Mathematician"]
)
async def test_no_role_means_an_assistant(listed: Any) -> None:
    model = team(role_designer=listed)
    result = await halo(TASK, Kernel(model))
    assert result.notes["subtasks"][0]["roles"] == ["assistant"]
    assert result.answer == 12
    assert result.notes["fallbacks"] == ({"role-designer": 1} if listed == "Mathematician" else {})
    assert who(model).count("worker-1-1") == 1
    assert "worker-1-2" not in who(model)


async def test_roles_are_different_and_as_many_as_wanted() -> None:
    listed = {"agent_roles": ["adder", " adder ", "checker", "writer"]}
    result = await halo(TASK, Kernel(team(role_designer=listed)))
    assert result.notes["subtasks"][0]["roles"] == ["adder", "checker"]
    result = await halo(TASK, Kernel(team(role_designer=listed)), roles=5)
    assert result.notes["subtasks"][0]["roles"] == ["adder", "checker", "writer"]


@pytest.mark.must_show("halo", 8)
async def test_trailing_prose_is_no_problem() -> None:
    model = team(
        role_designer='{"agent_roles": ["adder", "checker"]} I hope this helps!',
        judge='Sure: {"status": "success"}\nBecause it adds up.',
        scorer='{"score": 0.75} which is good',
    )
    result = await halo(TASK, Kernel(model))
    assert len(model.requests) == 19  # nothing was asked again
    (one, _) = result.notes["subtasks"][0]["tree"]["children"]
    assert (one["judge"], one["score"], result.notes["fallbacks"]) == ("success", 0.75, {})


@pytest.mark.must_show("halo", 8)
@pytest.mark.parametrize("prompt", ["", "  \n"])
async def test_an_empty_question(prompt: str) -> None:
    model = team()
    with pytest.raises(BadInput, match="empty question"):
        await halo(Task(id="e", prompt=prompt), Kernel(model))
    assert model.requests == []


@pytest.mark.must_show("halo", 8)
@pytest.mark.parametrize("limit", ["subtasks", "depth", "simulations", "roles"])
async def test_a_limit_below_one(limit: str) -> None:
    model = team()
    with pytest.raises(BadInput, match=">= 1, not"):
        await halo(TASK, Kernel(model), **{limit: 0})
    assert model.requests == []


async def test_unreadable_replies_have_their_defaults_and_are_counted() -> None:
    model = team(
        **dict.fromkeys(
            ["task_parser", "template_generator", "prompt_optimizer", "final_generator"], "hm"
        ),
        planner=lambda r: "hm" if "decide stop" not in said(r) else {"decision": "stop"},
        role_designer="hm",
        judge="maybe",
        scorer='{"score": 85}',
    )
    result = await halo(TASK, Kernel(model), depth=1)
    assert result.notes["refined"]["prompt"] == TASK.text
    (subtask,) = result.notes["subtasks"]
    assert subtask["text"] == TASK.text
    (only,) = subtask["tree"]["children"]
    assert (only["judge"], only["score"]) == ("continue", 0.5)
    assert result.answer == 12
    assert result.notes["fallbacks"] == {
        "task-parser": 1,
        "template-generator": 2,
        "prompt-optimizer": 2,
        "final-generator": 2,
        "planner": 1,
        "role-designer": 1,
        "judge": 1,
        "scorer": 1,
    }
    profile = next(r for r in model.requests if r.role == "worker").messages[0].text
    assert profile.startswith("You are the assistant of a team.")


async def test_a_turn_without_an_answer_fails_and_is_not_judged() -> None:
    model = team(worker=lambda r: "no idea" if "1-1" in r.agent else worked(12))
    result = await halo(TASK, Kernel(model))
    mute, good = result.notes["subtasks"][0]["tree"]["children"]
    assert (mute["answer"], mute["judge"], mute["score"]) == (None, "fail", 0)
    assert (good["answer"], result.answer, result.notes["unreadable"]) == (12, 12, 1)
    assert "judge-1-1" not in who(model)


@pytest.mark.parametrize("anyway", [False, True])
async def test_five_subtasks_without_an_answer_are_a_typed_failure(anyway: bool) -> None:
    model = team(planner=planning(*"abcdefg"), worker="no idea")
    result = await halo(CHOICE, Kernel(model), subtasks=5, answer_anyway=anyway)
    assert isinstance(result.answer, Unparsed)
    assert [s["answer"] for s in result.notes["subtasks"]] == [None] * 5
    assert [s["status"] for s in result.notes["subtasks"]] == ["fail"] * 5
    assert result.notes["stop_reason"] == "no more subtasks"


async def test_without_stop_or_agreement_the_last_answer_only_if_wanted() -> None:
    lines: dict[str, Any] = {"role_designer": {"agent_roles": ["a"]}}
    strict = team(planner=planning(*"abc"), worker=turns(*"ABC"), **lines)
    result = await halo(CHOICE, Kernel(strict))
    assert result.answer == Unparsed("", "neither stop nor agreement after 3 subtasks")
    lenient = team(planner=planning(*"abc"), worker=turns(*"ABC"), **lines)
    assert (await halo(CHOICE, Kernel(lenient), answer_anyway=True)).answer == "C"


async def test_a_stop_after_an_unreadable_answer_gives_the_last_readable_one() -> None:
    model = team(
        role_designer={"agent_roles": ["a"]},
        planner=planning("a", "b"),
        worker=lambda r: worked(7) if r.agent.startswith("worker-1") else "no idea",
    )
    assert (await halo(TASK, Kernel(model))).answer == 7


@pytest.mark.parametrize(
    ("calls", "answer"),
    [
        (13, 11),  # the first turn, not judged yet
        (18, 12),  # judged: the success counts, though its score is lower
        (27, 12),  # the second subtask has turns, but none was judged a success
    ],
)
async def test_a_limit_costs_no_answer(calls: int, answer: float) -> None:
    model = team(
        planner=planning("a", "b", "c"),
        worker=lambda r: worked(11 if r.agent[-1] == "1" else int(r.agent[7]) + 11),
        judge=lambda r: {"status": "success" if r.agent == "judge-1-2" else "fail"},
        scorer=lambda r: {"score": 0.4 if r.agent == "scorer-1-2" else 0.8},
    )
    system = get_system("halo")
    kernel = Kernel(model, limits=Limits(calls=calls))
    solved = await solve(system, TASK, kernel, system.bind({}))
    assert solved.limited
    assert solved.result.answer == answer
    assert solved.result.account.endswith("Ended by: a limit.")


async def test_a_limit_before_any_turn_is_an_abstention() -> None:
    kernel = Kernel(team(), limits=Limits(calls=10))
    system = get_system("halo")
    solved = await solve(system, TASK, kernel, system.bind({}))
    assert solved.result.answer is None


async def test_code_is_read_from_its_block() -> None:
    reply = "Simple.\n```python\ndef twice(x):\n    return 2 * x\n```\nDone."
    result = await halo(CODE, Kernel(team(worker=reply)))
    assert result.answer == "def twice(x):\n    return 2 * x"
    latex = Task(id="l", prompt="Half of 1?", answer="latex")
    result = await halo(latex, Kernel(team(worker="So \\boxed{\\frac{1}{2}}")))
    assert result.answer == "\\frac{1}{2}"


async def test_the_account_and_the_files() -> None:
    model = team(
        worker=lambda r: worked(12 if r.agent[-1] == "1" else 11),
        judge=lambda r: {"status": "success" if r.agent[-1] == "1" else "fail"},
    )
    result = await halo(TASK, Kernel(model))
    tree = [
        "(start)  n=1 v=0.70",
        "├─ adder  success  score=0.50 n=1 v=1.20  -> 12.0",
        "└─ checker  fail  score=0.50 n=0 v=0.50  -> 11.0",
    ]
    assert result.account.splitlines() == [
        "Refined prompt: final for final-generator",
        "Subtask 1 (success): Add them.",
        "Roles: adder, checker",
        "Answer: 12.0",
        *tree,
        "Ended by: stop.",
    ]
    assert result.files["search-tree.txt"].splitlines() == ["Subtask 1: Add them.", *tree]
    (root,) = json.loads(result.files["search-tree.json"])
    assert [c["role"] for c in root["children"]] == ["adder", "checker"]
    assert root["children"][0]["text"] == worked(12)
    assert json.dumps(result.notes)  # plain data, all of it


async def test_the_same_seed_gives_the_same_run() -> None:
    async def run(seed: int) -> list[Any]:
        model = team(judge={"status": "continue"}, worker=lambda r: worked((r.seed or 0) % 7))
        await halo(TASK, Kernel(model, seed=seed), depth=3)
        return [(r.agent, r.seed, said(r)) for r in model.requests]

    assert await run(5) == await run(5)
    assert await run(5) != await run(6)


async def test_on_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    task = Task(
        id="rolls",
        prompt="A baker bakes 4 trays with 12 rolls each and sells 30 rolls. How many are left?",
        answer="number",
    )
    kernel = Kernel(recorded("local-small"), seed=11, limits=Limits(calls=24))
    system = get_system("halo")
    solved = await solve(system, task, kernel, system.bind({"subtasks": 1, "depth": 1}))
    first = solved.result.notes["subtasks"][0]
    assert 1 <= len(first["roles"]) <= 2
    assert len(first["tree"]["children"]) == len(first["roles"])
    assert isinstance(first["answer"], float)
    judged = {c["judge"] for c in first["tree"]["children"]}
    assert judged <= {"success", "fail", "continue"}
    assert solved.result.notes["fallbacks"].get("judge", 0) == 0
