"""DyLAN: who speaks, who stops, who is dropped, who reads what, and what each was worth."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from collegium.agents.importance import written_scores
from collegium.bench.team import Team, optimise_team, parser, run, summary
from collegium.errors import BadInput
from collegium.kernel import Event, Generate, Kernel, Limits, Send, Unparsed, UseTool
from collegium.models.model import Model
from collegium.systems import Result, get_system
from collegium.systems.dylan import SEVEN, dylan
from collegium.systems.dylan.code import CODERS, similar
from collegium.systems.solve import solve
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, worked

QUESTION = Task(
    id="q",
    prompt="Which is a fruit?",
    rules="Be brief.",
    answer="choice",
    choices=("stone", "pear", "spoon", "cloud"),
)
SUM = Task(id="s", prompt="What is 5 + 7?", answer="number")
LATEX = Task(id="l", prompt="Halve one.", answer="latex")
PROGRAM = Task(
    id="p",
    prompt="Complete this function.\n\n```python\ndef double(x: int) -> int:\n"
    '    """Twice x."""\n```',
    answer="code",
    entry_point="double",
)


def place(name: str) -> int:
    """The place of a role among the seven, by the name of its agent."""
    return [r.lower() for r in SEVEN].index(name)


def shown(request: Generate) -> list[str]:
    """The texts that a prompt quotes, in order."""
    prompt = next(m.text for m in request.messages if m.role == "user")
    fenced = r"Solution \d+:\n(?:'''|```python)\n(.*?)\n(?:'''|```)"
    return re.findall(fenced, prompt, re.S)


def as_json(answer: Any, scores: Sequence[Any], reasoning: str = "Checked.") -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer, "scores": list(scores)})


class Cast:
    """Answers by layer and agent name; whoever is not listed says ``other``.

    The ranker names the replies that hold the texts of ``favour``, or answers ``ranking``.
    """

    def __init__(
        self,
        *layers: Mapping[str, Any],
        other: Any = None,
        rate: Callable[[str, list[str]], Sequence[Any]] | None = None,
        favour: Sequence[str] = (),
        ranking: str = "",
    ) -> None:
        self.layers, self.other, self.favour, self.ranking = layers, other, favour, ranking
        self.rate = rate or (lambda name, texts: [3] * len(texts))
        self.turns: dict[str, int] = {}

    def __call__(self, request: Generate, i: int) -> str:
        texts = shown(request)
        if request.agent == "ranker":
            best = [n for n, text in enumerate(texts, 1) if any(f in text for f in self.favour)]
            return self.ranking or json.dumps({"reasoning": "The clearest.", "best": best})
        turn = self.turns.get(request.agent, 0) - (request.outcome == "fix")
        self.turns[request.agent] = turn + 1
        said = self.layers[turn].get(request.agent, self.other)
        if not texts:
            return worked(said, f"I am {request.agent}.")
        rating = self.rate(request.agent, texts)
        return as_json(said, rating, f"I am {request.agent}, once more.")


def nodes(events: Sequence[Event]) -> list[str]:
    """Which agents the model was asked for, in order."""
    return [e.call.agent for e in events if isinstance(e.call, Generate)]


# -- choice, numbers, text


@pytest.mark.must_show("dylan", 1)
async def test_the_hand_example_as_a_run() -> None:
    """Ratings reach the nodes they were meant for, whatever order the replies were shown in."""
    ratings = {
        "a": {"a": 5, "b": 1, "c": 3, "d": 1},
        "b": {"a": 2, "b": 2, "c": 2, "d": 2},
        "c": {"a": 5, "b": 5, "c": 0, "d": 0},
        "d": {"a": 1, "b": 1, "c": 1, "d": 5},
    }

    def rate(name: str, texts: list[str]) -> list[int]:
        return [ratings[name][text[len("I am ")]] for text in texts]

    first = {"a": "A", "b": "B", "c": "C", "d": "D"}
    for seed in range(12):
        model = Scripted(Cast(first, {"a": "B", "b": "B", "c": "B", "d": "D"}, rate=rate))
        kernel = Kernel(model, seed=seed)
        result = await dylan(QUESTION, kernel, roles=("a", "b", "c", "d"))
        assert result.answer == "B"
        assert result.notes["stop"]["layer"] == 1
        zero, one, two = result.notes["importance"]
        assert one == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
        assert zero == pytest.approx([0.41667, 0.28333, 0.18333, 0.11667], abs=5e-6)
        assert two == [0, 0, 0, 0]
        assert list(result.notes["scores"].values()) == pytest.approx(
            [0.75, 0.61667, 0.51667, 0.11667], abs=5e-6
        )


@pytest.mark.must_show("dylan", 4)
async def test_five_equal_answers_of_seven_end_the_run() -> None:
    model = Scripted(Cast({}, other="B"))
    kernel = Kernel(model, seed=4)
    result = await dylan(QUESTION, kernel)
    assert result.answer == "B"
    assert len(model.requests) == kernel.meter.calls == result.notes["calls"] == 5
    assert result.notes["stop"] == {
        "layer": 0,
        "reason": "more than two thirds agree: 5 of 7 gave B",
    }
    assert sum(r is None for r in result.notes["replies"][0]) == 2
    quiet = [n for n, r in zip(SEVEN, result.notes["replies"][0], strict=True) if r is None]
    assert f"Not asked any more: {', '.join(quiet)}." in result.account


FOUR_OF_SEVEN = {"lawyer": "A", "doctor": "C", "historian": "D"}


@pytest.mark.must_show("dylan", 4)
async def test_four_of_seven_are_not_enough() -> None:
    model = Scripted(Cast(FOUR_OF_SEVEN, {}, other="B"))
    kernel = Kernel(model, seed=4)
    result = await dylan(QUESTION, kernel)
    assert result.answer == "B"
    assert result.notes["stop"]["layer"] == 1
    assert len(model.requests) == result.notes["calls"] == 7 + 5
    assert result.notes["rankings"] == []


SPLIT = dict(zip([r.lower() for r in SEVEN], "ABCDABC", strict=True))


@pytest.mark.must_show("dylan", 4)
@pytest.mark.parametrize("seed", range(6))
async def test_the_two_that_the_ranker_names_run_and_nobody_else(seed: int) -> None:
    best = '{"reasoning": "Both are sound.", "best": [2, 5]}'
    model = Scripted(Cast(SPLIT, SPLIT, {}, other="D", ranking=best))
    kernel = Kernel(model, seed=seed)
    result = await dylan(QUESTION, kernel)
    (ranker,) = [r for r in model.requests if r.agent == "ranker"]
    named = [re.search(r"I am (\w+)", shown(ranker)[p - 1]) for p in (2, 5)]
    wanted = {m[1] for m in named if m}
    assert len(wanted) == 2
    asked = nodes(kernel.trace.events)
    assert asked[14] == "ranker"
    assert set(asked[15:]) == wanted  # by who wrote them, not by place
    assert len(asked) == result.notes["calls"] == 7 + 7 + 1 + 2
    assert result.answer == "D"
    assert result.notes["stop"] == {
        "layer": 2,
        "reason": "more than two thirds agree: 2 of 2 gave D",
    }
    (ranking,) = result.notes["rankings"]
    assert {r.lower() for r in ranking["kept"]} == wanted
    assert len(ranking["dropped"]) == 5
    assert ranking["drawn"] == 0
    assert "Both are sound." in result.account


@pytest.mark.must_show("dylan", 2)
@pytest.mark.parametrize("seed", range(4))
async def test_importance_is_conserved_in_every_layer(seed: int) -> None:
    def rate(name: str, texts: list[str]) -> list[int]:
        return [(place(name) + len(t)) % 6 for t in texts]

    model = Scripted(Cast(SPLIT, SPLIT, SPLIT, rate=rate, favour=("lawyer", "historian")))
    result = await dylan(QUESTION, Kernel(model, seed=seed))
    assert [sum(layer) for layer in result.notes["importance"]] == pytest.approx([1, 1, 1])
    last = dict(zip(SEVEN, result.notes["importance"][2], strict=True))
    spoke = result.notes["spoke"][2]
    assert result.answer == SPLIT[spoke[0].lower()]  # a tie goes to what was said first
    assert last[spoke[0]] == (0.5 if SPLIT[spoke[1].lower()] == result.answer else 1)
    assert last[spoke[0]] + last[spoke[1]] == 1
    for rows in result.notes["weights"]:
        for row in rows:
            assert row is None or sum(row) == pytest.approx(1)
    assert sum(row is None for row in result.notes["weights"][1]) == 5


async def test_everybody_reads_the_layer_before_in_one_order_and_what_is_shared_comes_first() -> (
    None
):
    model = Scripted(Cast(SPLIT, SPLIT, SPLIT, favour=("doctor", "historian")))
    kernel = Kernel(model, seed=1)
    result = await dylan(QUESTION, kernel)
    prompts = {
        t: [r for r in model.requests if len(shown(r)) == 7 and ("once more" in shown(r)[0]) == t]
        for t in (False, True)
    }
    assert [len(p) for p in prompts.values()] == [7, 3]  # the ranker among the three
    assert len({r.messages[0].text for r in model.requests}) == 1
    assert "Be brief." in model.requests[0].messages[0].text
    for t, requests in enumerate(prompts.values()):
        assert len({tuple(shown(r)) for r in requests}) == 1
        order = [re.search(r"I am (\w+)", text) for text in shown(requests[0])]
        assert [m[1] for m in order if m] == [n.lower() for n in result.notes["shown"][t + 1]]
        start = requests[0].messages[-1].text.rpartition("'''")[0]
        assert start.startswith(QUESTION.text)
        assert all(r.messages[-1].text.startswith(start) for r in requests)  # the ranker's too
    # Nobody reads older layers, and the ratings are not quoted.
    assert not any("scores" in text for r in model.requests for text in shown(r))
    # The trace says the same: replies were sent, and every later one was made from what was heard.
    events = {e.id: e for e in kernel.trace.events}
    second = [e for e in events.values() if e.call.agent == "doctor" and e.replies][1]
    sends = [events[s].call for s in second.call.sources]
    assert {s.agent for s in sends if isinstance(s, Send)} == {r.lower() for r in SEVEN}


@pytest.mark.must_show("dylan", 5)
@pytest.mark.parametrize(
    ("scores", "weights"),
    [
        ([9, -1, 5], [0.5, 0, 0.5]),
        ([5, 5], [1 / 3, 1 / 3, 1 / 3]),
        ([5, "good", 5], [0.5, 0, 0.5]),
    ],
)
async def test_ratings_that_do_not_fit_cost_a_repair_but_no_answer(
    scores: list[Any], weights: list[float]
) -> None:
    first = {"a": "A", "b": "B", "c": "C"}
    model = Scripted(Cast(first, {}, {}, other="B", rate=lambda name, texts: scores))
    result = await dylan(QUESTION, Kernel(model, seed=2), roles=("a", "b", "c"))
    assert result.answer == "B"
    assert result.notes["calls"] == 6
    assert len(model.requests) == 9  # each of the three later ones was asked once more
    order = [["a", "b", "c"].index(n) for n in result.notes["shown"][1]]
    for row in result.notes["weights"][0]:
        assert [row[i] for i in order] == pytest.approx(weights)
    assert result.notes["unrated"] == (3 if len(scores) == 2 else 0)


@pytest.mark.must_show("dylan", 5)
@pytest.mark.must_show("dylan", 7)
async def test_replies_that_cannot_be_read_are_no_consensus() -> None:
    model = Scripted(lambda request, i: "no idea")
    result = await dylan(QUESTION, Kernel(model, seed=0), roles=("a", "b", "c", "d"))
    assert isinstance(result.answer, Unparsed)
    assert result.notes["calls"] == 4 + 4 + 1 + 2  # no early stop
    assert result.notes["abstentions"] == 10
    assert result.notes["unrated"] == 6
    assert result.notes["drawn"] == 2
    assert result.notes["importance"] == [[0.0] * 4] * 3
    assert result.notes["flags"] == ["no reply of layer 2 could be read"]
    assert "no reply of layer 2 could be read" in result.account


async def test_a_readable_minority_wins_over_abstentions() -> None:
    model = Scripted(lambda r, i: worked("C") if r.agent == "b" and not shown(r) else "no idea")
    result = await dylan(QUESTION, Kernel(model, seed=0, limits=Limits()), roles=("a", "b", "c"))
    assert isinstance(result.answer, Unparsed)  # the last layer is what counts
    limited = Kernel(model, seed=0, limits=Limits(calls=7))
    system = get_system("dylan")
    solved = await solve(system, QUESTION, limited, system.bind({"roles": ["a", "b", "c"]}))
    assert solved.limited
    assert solved.result.answer == "C"


@pytest.mark.must_show("dylan", 7)
@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"rounds": 2}, "rounds >= 3"),
        ({"rounds": 0}, "rounds >= 3"),
        ({"roles": ("Poet",)}, "at least 2 roles"),
    ],
)
@pytest.mark.parametrize("task", [QUESTION, PROGRAM], ids=["choice", "code"])
async def test_bad_input(task: Task, parameters: dict[str, Any], problem: str) -> None:
    model = Scripted("no idea")
    with pytest.raises(BadInput, match=problem):
        await dylan(task, Kernel(model), **parameters)
    assert model.requests == []


@pytest.mark.must_show("dylan", 7)
@pytest.mark.parametrize("size", [2, 3])
async def test_from_a_small_team_nobody_is_dropped_and_that_is_said(size: int) -> None:
    roles = ("a", "b", "c")[:size]
    apart: dict[str, Any] = dict(zip(roles, "ABC", strict=False))
    model = Scripted(Cast(apart, apart, apart))
    result = await dylan(QUESTION, Kernel(model, seed=0), roles=roles)
    assert "ranker" not in [r.agent for r in model.requests]
    assert len(model.requests) == 3 * size
    assert result.notes["flags"] == [f"the ranker drops nobody from a team of {size}"]
    assert result.answer in "ABC"


@pytest.mark.must_show("dylan", 7)
@pytest.mark.parametrize(
    ("ranking", "drawn"),
    [
        ('{"reasoning": "One.", "best": [3, 3]}', 1),
        ('{"reasoning": "Far.", "best": [9, 1]}', 0),
        ('{"reasoning": "None.", "best": []}', 2),
        ("I like the second.", 2),
    ],
)
async def test_a_ranker_that_does_not_name_two(ranking: str, drawn: int) -> None:
    apart = dict(zip("abcd", "ABCD", strict=True))
    model = Scripted(Cast(apart, apart, apart, ranking=ranking))
    result = await dylan(QUESTION, Kernel(model, seed=0), roles=tuple("abcd"))
    (found,) = result.notes["rankings"]
    order = result.notes["shown"][2]
    assert found["drawn"] == result.notes["drawn"] == drawn
    assert len(set(found["kept"])) == 2
    if "[3, 3]" in ranking:
        assert order[2] in found["kept"]
    if "[9, 1]" in ranking:
        assert set(found["kept"]) == {order[3], order[0]}
    assert set(result.notes["spoke"][2]) == set(found["kept"])


async def test_with_more_layers_two_are_not_ranked_again() -> None:
    apart = dict(zip("abcd", "ABCD", strict=True))
    model = Scripted(Cast(*[apart] * 5, favour=("I am a", "I am c")))
    result = await dylan(QUESTION, Kernel(model, seed=0), roles=tuple("abcd"), rounds=5)
    assert result.notes["calls"] == len(model.requests) == 4 + 4 + 1 + 2 + 2 + 2
    assert [sorted(s) for s in result.notes["spoke"][2:]] == [["a", "c"]] * 3
    assert [sum(layer) for layer in result.notes["importance"]] == pytest.approx([1] * 5)


async def test_all_active_is_every_agent_in_every_layer() -> None:
    model = Scripted(Cast({}, {}, {}, other="B"))
    result = await dylan(QUESTION, Kernel(model, seed=0), ranker=False, early_stop=False)
    assert len(model.requests) == result.notes["calls"] == 21
    assert result.notes["rankings"] == []
    assert result.notes["stop"]["reason"].startswith("all 3 layers ran")


async def test_answers_agree_by_their_normal_form() -> None:
    first = {"mathematician": "12", "algebraist": "12.0", "geometer": "$12"}
    model = Scripted(Cast(first, other="12"))
    result = await dylan(SUM, Kernel(model, seed=0))
    assert result.answer == 12
    assert len(model.requests) == 3  # four roles for mathematics


async def test_latex_survives_json() -> None:
    apart = dict(zip(["mathematician", "algebraist", "geometer"], "123", strict=True))
    said = '{"reasoning": "Half.", "answer": "\\frac{1}{2}", "scores": [1, 1, 1, 1]}'

    def answer(request: Generate, i: int) -> str:
        return said if shown(request) else worked(apart.get(request.agent, "4"))

    assert json.loads(said)["answer"].startswith("\f")
    result = await dylan(LATEX, Kernel(Scripted(answer), seed=0))
    assert result.answer == r"\frac{1}{2}"


async def test_several_agents_of_one_role() -> None:
    model = Scripted(Cast({}, other="B"))
    result = await dylan(QUESTION, Kernel(model, seed=0), roles=("Poet", "Poet", "Chemist"))
    assert result.notes["roles"] == ["Poet 1", "Poet 2", "Chemist"]
    assert {r.agent for r in model.requests} == {"poet-1", "poet-2", "chemist"}
    assert {r.role for r in model.requests} == {"poet", "chemist"}
    assert "Your role: Poet." in model.prompts[0] + model.prompts[1]


async def test_a_limit_leaves_the_last_whole_layer() -> None:
    kernel = Kernel(Scripted(Cast(SPLIT, {}, other="D")), seed=0, limits=Limits(calls=9))
    system = get_system("dylan")
    solved = await solve(system, QUESTION, kernel, system.bind({}))
    assert solved.limited == "the limit of 9 generations is used up."
    spoke = solved.result.notes["spoke"]
    assert [len(s) for s in spoke] == [7]
    assert solved.result.answer in "ABC"
    early = Kernel(Scripted(Cast(SPLIT, other="D")), seed=0, limits=Limits(calls=2))
    assert (await solve(system, QUESTION, early, system.bind({}))).result.answer in "ABCD"


async def test_the_same_seed_gives_the_same_run() -> None:
    async def once(seed: int) -> tuple[Any, list[str]]:
        model = Scripted(Cast(SPLIT, SPLIT, SPLIT, favour=("lawyer", "doctor")))
        result = await dylan(QUESTION, Kernel(model, seed=seed))
        return result.notes, model.prompts

    assert await once(3) == await once(3)
    assert (await once(3))[0]["spoke"] != (await once(4))[0]["spoke"]


async def test_no_note_claims_to_be_a_whole_debate() -> None:
    result = await dylan(QUESTION, Kernel(Scripted(Cast({}, other="B")), seed=0))
    assert "texts" not in result.notes
    json.dumps(result.notes)


# -- code

GOOD = "def double(x: int) -> int:\n    return x + x"
OTHER = (
    "def double(x: int) -> int:\n    total = 0\n    for step in range(2):\n        total += x\n"
    "    return total"
)
WRONG = "def double(x: int) -> int:\n    result = x * x\n    print(result)\n    return result"
BROKEN = "def double(x: int) -> int:\n    return x +"
TESTS = "assert double(1) == 2\nassert double(0) == 0\nassert double(3) == 6\nassert double(x"
CODING = {"pythonassistant": GOOD, "algorithmdeveloper": WRONG, "computerscientist": BROKEN}


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def coding(
    *layers: Mapping[str, str], other: str = OTHER, ratings: str = "[1, 2, 3]"
) -> Callable[[Generate, int], str]:
    """Coders write as listed by layer; the judges favour programs that add."""
    turns: dict[str, int] = {}

    def answer(request: Generate, i: int) -> str:
        prompt = request.messages[-1].text
        texts = shown(request)
        if request.agent == "tester":
            return TESTS
        if request.agent == "reflector":
            m = len(texts)
            return json.dumps({"reflections": ["Hm."] * m, "scores": [4] * m})
        if request.agent in ("ranker", "top-two"):
            best = [n for n, t in enumerate(texts, 1) if "x + x" in t or "total" in t][:2]
            return json.dumps({"reasoning": "They add.", "best": best})
        turn = turns.get(request.agent, 0)
        turns[request.agent] = turn + 1
        code = fenced(layers[turn].get(request.agent, other) if turn < len(layers) else other)
        return f"{code}\nAnswer: {ratings}" if "Syntax check:" in prompt else code

    return answer


async def run_code(model: Scripted, seed: int = 0, **parameters: Any) -> tuple[Result, Kernel]:
    kernel = Kernel(model, seed=seed)
    system = get_system("dylan")
    solved = await solve(system, PROGRAM, kernel, system.bind(parameters))
    return solved.result, kernel


async def test_coders_and_judges_alternate() -> None:
    later = {"pythonassistant": GOOD, "algorithmdeveloper": WRONG, "programmer": WRONG}
    model = Scripted(coding(CODING, later, {"pythonassistant": GOOD}))
    result, kernel = await run_code(model)
    asked = nodes(kernel.trace.events)
    names = [c.lower() for c in CODERS]
    judges = ["tester", "reflector", "top-two"]
    assert sorted(asked[:4]) == sorted(names)
    assert asked[4:7] == judges
    assert sorted(asked[7:11]) == sorted(names)
    assert asked[11] == "ranker"
    assert asked[12:15] == judges
    assert len(asked) == result.notes["calls"] == 17  # the most there can be; 16.85 in the paper
    kept = {n.lower() for n in result.notes["rankings"][0]["kept"]}
    assert kept == set(asked[15:]) == {"pythonassistant", "computerscientist"}
    assert result.notes["tests"] == [
        "assert double(1) == 2",
        "assert double(0) == 0",
        "assert double(3) == 6",
    ]
    assert result.notes["self_tests"] == {"passed": 3, "total": 3}
    assert result.answer in (GOOD, OTHER)
    # Everything that ran went through the tool, and so through the trace.
    assert any(isinstance(e.call, UseTool) for e in kernel.trace.events)


async def test_what_the_judges_found_reaches_the_coders() -> None:
    model = Scripted(coding(CODING, {}))
    result, _ = await run_code(model)
    asked = [r.messages[-1].text for r in model.requests if "Syntax check:" in r.messages[-1].text]
    assert len(asked) == 3  # and then three of four are alike
    assert len({a.partition("\n\nYou ")[0] for a in asked}) == 1  # all begin alike
    texts = shown(model.requests[-1])
    assert {t.strip() for t in texts} == {GOOD, OTHER}  # what Ranker chose
    for part in ("it runs.", "passed 3 of 3.", "Solution 2: Hm.", "1 (useless) to 5"):
        assert part in asked[0]
    passer, tester, reflector, ranker = result.notes["weights"][0]
    weights = dict(zip(CODERS, zip(passer, tester, reflector, ranker, strict=True), strict=True))
    # WRONG passes one of three: ceil(5/3) = 2; BROKEN none.
    assert weights["PythonAssistant"] == pytest.approx((5 / 15, 5 / 12, 1 / 4, 1 / 2))
    assert weights["AlgorithmDeveloper"] == pytest.approx((5 / 15, 2 / 12, 1 / 4, 0))
    assert weights["ComputerScientist"] == pytest.approx((0, 0, 1 / 4, 0))
    assert weights["Programmer"] == pytest.approx((5 / 15, 5 / 12, 1 / 4, 1 / 2))


async def test_a_failed_test_is_shown_with_what_came_instead() -> None:
    model = Scripted(coding({}, {}, other=WRONG))
    result, _ = await run_code(model)
    assert "double(1) == 2, but it is 1" in result.notes["findings"][0][1]


async def test_coders_rate_three_judges_and_the_fourth_has_three() -> None:
    model = Scripted(coding(CODING, {}))
    result, _ = await run_code(model, early_stop=False)
    by_prompt = {
        r.agent: re.findall(r"^(Syntax check|Tests|Reflections):", r.messages[-1].text, re.M)
        for r in model.requests
    }
    titles = ["Syntax check", "Tests", "Reflections"]
    assert all(sorted(by_prompt[coder.lower()]) == sorted(titles) for coder in CODERS)
    first = next(r for r in model.requests if "Syntax check:" in r.messages[-1].text)
    order = re.findall(r"^(Syntax check|Tests|Reflections):", first.messages[-1].text, re.M)
    given = dict(zip(order, (1, 2, 3), strict=True))
    wanted = [given[t] / 9 for t in titles] + [3 / 9]
    assert result.notes["weights"][1][0] == pytest.approx(wanted)


@pytest.mark.must_show("dylan", 2)
async def test_importance_passes_through_judges() -> None:
    model = Scripted(coding(CODING, CODING, CODING))
    result, _ = await run_code(model, early_stop=False)
    for layer in result.notes["importance"] + result.notes["judge_importance"]:
        assert sum(layer) == pytest.approx(1)
    assert [len(layer) for layer in result.notes["importance"]] == [4, 4, 4]
    assert len(result.notes["judge_importance"]) == 2
    # Credit goes to who wrote like the answer, not to everybody who wrote something that runs.
    last = result.notes["importance"][2]
    assert sorted(last) == [0, 0, 0, 1]
    assert result.answer in (GOOD, OTHER)


async def test_programs_that_do_not_run_agree_on_nothing() -> None:
    model = Scripted(coding({}, {}, {}, other=BROKEN))
    result, _ = await run_code(model)
    assert result.notes["stop"]["layer"] == 2
    alike = Scripted(coding(CODING, {}))
    result, _ = await run_code(alike)
    assert result.notes["stop"]["layer"] == 1
    assert result.notes["stop"]["reason"].startswith("more than two thirds wrote alike")


async def test_the_final_program_is_of_the_last_layer_and_passes_most() -> None:
    model = Scripted(coding({}, {"programmer": OTHER}, {}, other=WRONG))
    result, _ = await run_code(model, ranker=False, early_stop=False)
    assert result.answer == WRONG  # the better one of layer 1 was given up
    model = Scripted(coding({}, {}, {"programmer": OTHER}, other=WRONG))
    result, _ = await run_code(model, ranker=False, early_stop=False)
    assert result.answer == OTHER
    assert result.notes["self_tests"] == {"passed": 3, "total": 3}


@pytest.mark.must_show("dylan", 7)
@pytest.mark.parametrize("said", ["", "I have no idea."])
async def test_code_that_nobody_writes(said: str) -> None:
    model = Scripted(lambda request, i: said)
    result, _ = await run_code(model)
    assert isinstance(result.answer, Unparsed)
    assert result.notes["flags"] == ["no reply of layer 2 holds a program"]
    assert result.notes["tests"] == []
    assert "self_tests" not in result.notes
    assert all(i == 0 for layer in result.notes["importance"] for i in layer)


async def test_coders_that_stop_writing_programs_lose_the_answer_but_not_the_run() -> None:
    """As seen with a small model: the ratings alone, and no program."""
    first = coding({})

    def answer(request: Generate, i: int) -> str:
        later = "Syntax check:" in request.messages[-1].text
        return "Answer: [1, 5, 2]" if later else first(request, i)

    result, kernel = await run_code(Scripted(answer))
    assert isinstance(result.answer, Unparsed)
    assert result.notes["abstentions"] == 6
    assert len(result.notes["tests"]) == 3
    assert "self_tests" not in result.notes
    assert kernel.kept.answer is result.answer


def test_likeness_minds_the_program_and_not_what_is_said_about_it() -> None:
    long = GOOD.replace("\n", '\n    """Twice x, that is x and x."""\n    # add\n', 1)
    assert similar(GOOD, long)
    assert similar("def f(x):\n    return X(x)", "def f(x):\n    return x(x)")
    assert not similar(GOOD, WRONG)
    assert not similar(GOOD, OTHER)


async def test_published_tests_judge_a_published_program(collegium_data: Path) -> None:
    """What Passer and Tester find on a program and tests that the authors' agents wrote."""
    stem = collegium_data / "dylan" / "humaneval" / "llmlp_human_eval_0_3_443"
    replies = json.loads(stem.with_suffix(".json").read_text().splitlines()[0])
    tests = json.loads(stem.with_suffix(".tests").read_text().splitlines()[0])
    first, second = replies[0][0], replies[0][1]
    task = Task(id="p", prompt="Write x_or_y.", answer="code", entry_point="x_or_y")
    assert written_scores(second) == [5, 5, 5]

    def answer(request: Generate, i: int) -> str:
        texts = shown(request)
        if request.agent == "tester":
            return "\n".join(tests)
        if request.agent == "reflector":
            return json.dumps({"reflections": ["ok"] * len(texts), "scores": [5] * len(texts)})
        if request.agent in ("ranker", "top-two"):
            return '{"reasoning": "The first two.", "best": [1, 2]}'
        return (
            first
            if "Syntax check:" not in request.messages[-1].text
            else f"{second}\nAnswer: [5, 5, 5]"
        )

    kernel = Kernel(Scripted(answer), seed=0)
    system = get_system("dylan")
    result = (await solve(system, task, kernel, system.bind({}))).result
    assert len(result.notes["tests"]) == 10
    assert all(t.startswith("assert x_or_y(") for t in result.notes["tests"])
    assert result.notes["self_tests"] == {"passed": 10, "total": 10}
    assert result.notes["stop"]["layer"] == 1
    assert result.notes["calls"] == 4 + 3 + 3


# -- the team optimiser


async def test_a_team_is_chosen_by_importance_alone() -> None:
    """Trial questions without labels: those whom the others rate best make the team."""

    def rate(name: str, texts: list[str]) -> list[int]:
        return [5 if any(f"I am {n}" in t for n in ("doctor", "lawyer")) else 1 for t in texts]

    tasks = [QUESTION, Task(**{**_fields(QUESTION), "id": "q2"})]

    def cast() -> Cast:
        return Cast(SPLIT, {}, other="B", rate=rate)

    model = Scripted(Resetting(cast))
    team = await optimise_team(tasks, model, k=2, seed=5)
    assert isinstance(team, Team)
    assert set(team.chosen) == {"Doctor", "Lawyer"}
    assert team.trials == 2
    assert [name for name, _, _ in team.ranked][:2] == list(team.chosen)
    scores = [score for _, score, _ in team.ranked]
    assert scores == sorted(scores, reverse=True)
    assert sum(share for _, _, share in team.ranked) == pytest.approx(0)


ALWAYS_A = """
import json

def answer(request):
    if request.schema is None:
        return "Answer: A"
    m = request.schema["properties"]["scores"]["minItems"]
    return json.dumps({"reasoning": "So it is.", "answer": "A", "scores": [5] * m})
"""


async def test_the_measurement_tries_the_team_on_other_questions(
    collegium_data: Path, tmp_path: Path
) -> None:
    """Everybody always says A, so the teams differ in their calls alone."""
    script = tmp_path / "model.py"
    script.write_text(ALWAYS_A)
    command = "--on mmlu:anatomy --trials 3 --k 2 --held-out 4 --seeds 2 --model"
    options = parser().parse_args([*command.split(), f"script:{script}:answer"])
    said: list[str] = []
    first, second = await run(options, said.append)
    assert (first.seed, second.seed) == (0, 1)
    for trial in (first, second):
        assert trial.team.trials == 3
        assert trial.team.empty == 0
        chosen, drawn, everyone = trial.held
        assert chosen.roles == trial.team.chosen
        assert chosen.correct == drawn.correct == everyone.correct
        assert len(chosen.correct) == 4
        assert (chosen.calls, drawn.calls, everyone.calls) == (4 * 2, 4 * 2, 4 * 5)
    lines = "\n".join(summary([first, second]))
    assert "chosen alone right 0, random alone 0; exact McNemar p = 1.000" in lines
    assert "2.0 calls" in lines and "5.0 calls" in lines
    assert said[0] == "seed 0: trial 1 of 3"
    with pytest.raises(BadInput, match="at least 1"):
        await run(parser().parse_args(["--on", "mmlu:anatomy", "--trials", "0"]), said.append)


class Resetting:
    """A cast that begins anew with every question."""

    def __init__(self, make: Callable[[], Cast]) -> None:
        self.make = make
        self.cast = make()

    def __call__(self, request: Generate, i: int) -> str:
        if not shown(request) and request.agent in self.cast.turns:
            self.cast = self.make()
        return self.cast(request, i)


def _fields(task: Task) -> dict[str, Any]:
    return {name: getattr(task, name) for name in task.__struct_fields__}


@pytest.mark.parametrize(("k", "tasks"), [(0, [QUESTION]), (8, [QUESTION]), (2, [])])
async def test_a_team_that_cannot_be_chosen(k: int, tasks: list[Task]) -> None:
    with pytest.raises(BadInput):
        await optimise_team(tasks, Scripted("no idea"), k=k)


# -- real replies


async def test_a_small_network_on_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    kernel = Kernel(recorded("local-small"), seed=2)
    system = get_system("dylan")
    roles = ["Economist", "Doctor", "Mathematician", "Historian"]
    task = Task(
        id="bread",
        prompt="A baker sells 24 rolls a day from Monday to Friday. How many in that time?",
        answer="choice",
        choices=("100", "120", "144", "168"),
    )
    bound = system.bind({"roles": roles, "max_tokens": 70, "early_stop": False})
    result = (await solve(system, task, kernel, bound)).result
    assert result.answer in task.letters
    assert result.notes["calls"] == 4 + 4 + 1 + 2
    assert result.notes["unrated"] == 0  # every later reply rates every reply it was shown
    assert result.notes["drawn"] <= 1
    assert [sum(layer) for layer in result.notes["importance"]] == pytest.approx([1, 1, 1])
    weights = [w for row in result.notes["weights"][0] for w in row]
    assert len({round(w, 6) for w in weights}) > 1  # ratings tell replies apart
