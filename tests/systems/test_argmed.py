"""ArgMed-Agents: who speaks when, what attacks what, what survives, and what is refused."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from collegium.agents.argumentation import delete_attack, resolve
from collegium.bench.jobs import Entry, run_job
from collegium.errors import BadInput, LimitReached
from collegium.kernel import Generate, Kernel, Limits
from collegium.models.model import Model
from collegium.systems import get_system
from collegium.systems.argmed import BadMove, argmed, foretell
from collegium.systems.argmed.schemes import BELIEF_QUESTIONS, DECISION_QUESTIONS
from collegium.systems.argmed.showing import ArgumentGraph
from collegium.systems.solve import solve
from collegium.tasks.task import Item, Score, Task
from tests.kernel.support import Scripted, inorder, worked

GOUT = Task(
    id="gout",
    prompt="An attack of gout in a man with a bleeding ulcer. What should he get?",
    rules="Think of the kidneys.",
    answer="choice",
    choices=("ibuprofen", "colchicine", "amoxicillin"),
)
FREE = Task(id="free", prompt="An attack of gout. What should be given?", answer="text")


def decision(option: str, reason: str = "It works") -> str:
    said = {"facts": "Red toe", "goal": "Stop the attack", "reason": reason, "option": option}
    return json.dumps(said)


def effect(what: str = "bleeding") -> str:
    return json.dumps({"effect": what, "unwanted": "The ulcer is open"})


def rebuttal(reason: str, option: str = "none") -> str:
    return json.dumps({"reason": reason, "option": option})


def verdicts(*rejected: str, belief: bool = False) -> str:
    """Verdicts on every question, rejecting some by id."""
    return json.dumps(
        {
            q.field: {
                "verdict": "reject" if q.id in rejected else "accept",
                "reason": f"because of {q.topic}",
            }
            for q in (BELIEF_QUESTIONS if belief else DECISION_QUESTIONS)
        }
    )


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def speakers(model: Scripted) -> list[str]:
    return [r.agent for r in model.requests]


def pairs(result: Any, key: str = "attacks") -> set[tuple[str, str]]:
    return {(a, b) for a, b in result.notes[key]}


def rejecting(request: Generate, i: int) -> str:
    """A Verifier that accepts nothing, and a Generator that always has one more thing to say."""
    assert request.schema is not None
    fields = request.schema["properties"]
    if request.agent == "verifier":
        return json.dumps({f: {"verdict": "reject", "reason": "I doubt it"} for f in fields})
    said = {f: f"some {f}" for f in fields}
    if "option" in fields:
        free = "none" if set(fields) == {"reason", "option"} else "a cast"
        said["option"] = fields["option"].get("enum", [free])[-1]
    return json.dumps(said)


@pytest.mark.must_show("argmed", 4)
async def test_a_side_effect_and_then_a_better_option() -> None:
    model = Scripted(
        inorder(
            *(decision("A"), verdicts("CQ3", "CQ5")),
            *(effect(), verdicts(belief=True)),
            *(decision("B"), verdicts()),
        )
    )
    kernel = Kernel(model)
    result = await argmed(GOUT, kernel)
    assert speakers(model) == ["generator", "verifier"] * 3
    assert kernel.meter.calls == 6  # and no further call: one optional decision needs no choice
    assert pairs(result) == {("a2", "a1"), ("a3", "a1"), ("a1", "a3")}
    assert result.answer == "B"
    notes = result.notes
    assert (notes["bound"], notes["exchanges"], notes["left"]) == ("no open argument", 3, 0)
    assert [(a["id"], a["kind"], a["scheme"], a.get("via_cq")) for a in notes["arguments"]] == [
        ("a1", "decision", "ASDM", None),
        ("a2", "belief", "ASSE", "CQ3"),
        ("a3", "decision", "ASDM", "CQ5"),
    ]
    assert notes["optional"] == ["B"]
    assert notes["explanation_sets"] == [["a2", "a3"]]
    assert notes["why_not"] == {"A": ["a2", "a3"]}
    assert notes["labels"] == {"a1": "out", "a2": "in", "a3": "in"}
    assert not notes["abstained"]


async def test_each_role_reads_what_it_is_sent_and_asks_every_question() -> None:
    model = Scripted(
        inorder(decision("A"), verdicts("CQ4"), rebuttal("x"), rebuttal("x"), decision("B"))
    )
    kernel = Kernel(model)
    with pytest.raises(BadMove):  # the answer to CQ4 needs other fields than these
        await argmed(GOUT, kernel)
    opening, check, answer, repair = model.requests
    assert all(r.messages[0].text.endswith("Think of the kidneys.") for r in model.requests)
    assert all(r.messages[1].text.startswith(GOUT.text) for r in model.requests)
    assert all(r.temperature == 0.0 for r in model.requests)
    asked = check.messages[1].text
    assert "a1: A (ibuprofen): It works. Facts: Red toe. Goal: Stop the attack." in asked
    assert [q.id for q in DECISION_QUESTIONS] == ["CQ1", "CQ2", "CQ3", "CQ4", "CQ5"]
    for q in DECISION_QUESTIONS:
        assert q.text.format(id="a1", option="A (ibuprofen)") in asked
    assert "because of other_goal" in answer.messages[1].text
    assert "goal" in answer.messages[1].text and "danger" in answer.messages[1].text
    sent = {e.id: e.call for e in kernel.trace.events if e.kind == "send"}
    assert [(c.agent, c.to) for c in sent.values()] == [  # pyright: ignore
        ("generator", "verifier"),
        ("verifier", "generator"),
    ]
    assert all(set(r.sources) <= set(sent) and r.sources for r in (check, answer))
    assert not opening.sources
    assert repair.outcome == "fix"


@pytest.mark.must_show("argmed", 5)
@pytest.mark.parametrize("task", [GOUT, FREE], ids=["options", "free"])
async def test_a_verifier_that_rejects_everything_stops_at_the_limit(task: Task) -> None:
    model = Scripted(rejecting)
    result = await argmed(task, Kernel(model))
    talk = [r for r in model.requests if r.agent != "decider"]
    assert [r.agent for r in talk] == ["generator", "verifier"] * 8
    assert (result.notes["exchanges"], result.notes["bound"]) == (8, "exchanges")
    assert result.notes["left"] > 0
    graph = msgspec.json.decode(result.files["argument-graph.json"], type=ArgumentGraph)
    assert len({a.option for a in graph.framework.arguments if a.option}) <= 4
    assert plain(resolve(graph.framework)).items() <= result.notes.items()


@pytest.mark.must_show("argmed", 5)
async def test_four_decisions_are_enough() -> None:
    """Every decision finds a better one; the other questions are accepted."""
    task = msgspec.structs.replace(GOUT, choices=("a", "b", "c", "d", "e", "f"))
    asked: list[str] = []

    def answer(request: Generate, i: int) -> str:
        if request.agent == "verifier":
            return verdicts("CQ5")
        if request.agent == "decider":
            return worked("C")
        asked.append("ABCDEF"[len(asked)])
        return decision(asked[-1])

    model = Scripted(answer)
    result = await argmed(task, Kernel(model))
    assert asked == ["A", "B", "C", "D"]
    assert result.notes["bound"] == "decisions"
    assert result.notes["optional"] == ["A", "B", "C", "D"]
    assert result.answer == "C"


async def test_a_dialogue_that_is_settled_ends_as_settled_at_a_limit_too() -> None:
    talk = [decision("A"), verdicts("CQ5"), decision("B"), verdicts(), worked("A")]
    result = await argmed(GOUT, Kernel(Scripted(inorder(*talk))), decisions=2, exchanges=2)
    assert result.notes["bound"] == "no open argument"


@pytest.mark.must_show("argmed", 5)
async def test_an_attack_of_a_decision_on_a_belief_is_deleted_and_logged() -> None:
    model = Scripted(
        inorder(
            *(decision("A"), verdicts("CQ3")),
            *(effect(), verdicts("CQ1", belief=True)),
            *(rebuttal("B is gentler", "B"), verdicts("CQ3")),
            *(effect("diarrhoea"), verdicts("CQ2", belief=True)),
            rebuttal("A is needed", "A"),  # supports a1: nothing new to verify
        )
    )
    result = await argmed(GOUT, Kernel(model))
    assert pairs(result, "dropped") == {("a3", "a2"), ("a1", "a4")}
    assert pairs(result) == {("a2", "a1"), ("a4", "a3"), ("a1", "a3"), ("a3", "a1")}
    assert [s["id"] for _, s in result.notes["supports"]] == ["a5"]
    assert "Deleted attacks by decisions: a3 -> a2, a1 -> a4" in result.account
    assert result.answer is None
    assert result.notes["abstained"]


@pytest.mark.must_show("argmed", 2)
async def test_nothing_is_answered_when_no_decision_survives() -> None:
    model = Scripted(
        inorder(decision("A"), verdicts("CQ3"), effect(), verdicts(belief=True), "never asked")
    )
    kernel = Kernel(model)
    result = await argmed(GOUT, kernel)
    assert result.answer is None
    assert result.notes["abstained"]
    assert result.notes["why_not"] == {"A": ["a2"]}
    assert kernel.meter.calls == 4
    assert "No decision survives, so there is no answer." in result.account
    assert "Why not A: a2" in result.account


@pytest.mark.must_show("argmed", 3)
async def test_a_rebutted_belief_leaves_the_decision_standing() -> None:
    model = Scripted(
        inorder(
            *(decision("A"), verdicts("CQ1")),
            *(json.dumps({"fault": "The ulcer is left out"}), verdicts("CQ2", belief=True)),
            *(rebuttal("It healed long ago"), verdicts(belief=True)),
        )
    )
    result = await argmed(GOUT, Kernel(model))
    assert pairs(result) == {("a2", "a1"), ("a3", "a2")}
    assert result.answer == "A"
    assert result.notes["explanation_sets"] == [["a1", "a3"]]
    assert [a["scheme"] for a in result.notes["arguments"]] == ["ASDM", "ASDM", "ASDM"]


async def test_a_tie_is_broken_among_the_tied_alone() -> None:
    talk = [decision("A"), verdicts("CQ5"), decision("C"), verdicts()]
    model = Scripted(inorder(*talk, worked("C")))
    result = await argmed(GOUT, Kernel(model))
    assert (result.answer, result.notes["tie"]) == ("C", "model")
    assert result.notes["optional"] == ["A", "C"]
    assert speakers(model)[4:] == ["decider"]
    assert "Which of A, C is best?" in model.prompts[4]
    with pytest.raises(BadMove, match="decider"):  # B was never argued for
        await argmed(GOUT, Kernel(Scripted(inorder(*talk, worked("B"), '{"answer": "B"}'))))


async def test_a_free_decision_takes_the_earliest_of_several() -> None:
    model = Scripted(
        inorder(
            *(decision("Colchicine"), verdicts("CQ5")),
            *(decision("ice"), verdicts("CQ5")),
            decision(" colchicine."),  # the same, said otherwise
        )
    )
    result = await argmed(FREE, Kernel(model))
    assert result.notes["optional"] == ["Colchicine", "ice"]
    assert (result.answer, result.notes["tie"]) == ("Colchicine", "earliest")
    assert len(result.notes["supports"]) == 1
    assert speakers(model)[-1] == "generator"


@pytest.mark.must_show("argmed", 6)
async def test_the_reasoner_calls_no_model_and_a_user_may_contest_its_graph() -> None:
    model = Scripted(
        inorder(decision("A"), verdicts("CQ3"), effect(), verdicts(belief=True), "never asked")
    )
    kernel = Kernel(model)
    result = await argmed(GOUT, kernel)
    assert {e.call.agent for e in kernel.trace.events} == {"generator", "verifier"}
    graph = msgspec.json.decode(result.files["argument-graph.json"], type=ArgumentGraph)
    made = kernel.meter.calls
    again = resolve(graph.framework)
    assert again == resolve(graph.framework)
    assert again.labels == graph.labels
    contested = resolve(delete_attack(graph.framework, "a2", "a1"))
    assert contested.optional == ("A",)
    assert kernel.meter.calls == len(model.requests) == made
    assert result.files["argument-graph.svg"].startswith("<svg")
    assert graph.dialogue and graph.arguments[1].via_cq == "CQ3"


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.must_show("argmed", 8)
@pytest.mark.parametrize(
    ("said", "role", "move"),
    [
        (["well", "well"], "generator", "opening"),
        ([decision("Z"), decision("D")], "generator", "opening"),
        ([decision("A"), "{}", verdicts()[:-40]], "verifier", "verdicts on a1"),
        ([decision("A"), verdicts("CQ3"), "no", "no"], "generator", "answer to a1 CQ3"),
        # another option than A was asked for
        ([decision("A"), verdicts("CQ5"), *[decision("A")] * 2], "generator", "answer to a1 CQ5"),
    ],
)
async def test_a_move_that_cannot_be_used_is_named(said: list[str], role: str, move: str) -> None:
    model = Scripted(inorder(*said))
    with pytest.raises(BadMove) as caught:
        await argmed(GOUT, Kernel(model))
    assert (caught.value.role, caught.value.move) == (role, move)
    assert f"the {role}'s move ({move})" in str(caught.value)
    assert len(model.requests) == len(said)


@pytest.mark.must_show("argmed", 8)
async def test_an_unreadable_move_is_mended_once() -> None:
    model = Scripted(inorder("well", decision("A"), verdicts()))
    assert (await argmed(GOUT, Kernel(model))).answer == "A"


@pytest.mark.must_show("argmed", 8)
async def test_a_free_decision_must_decide() -> None:
    with pytest.raises(BadMove, match="decides for nothing"):
        await argmed(FREE, Kernel(Scripted(decision("  "))))


@pytest.mark.must_show("argmed", 8)
@pytest.mark.parametrize(
    "task",
    [
        Task(id="code", prompt="Write f.", answer="code"),
        Task(id="number", prompt="What dose?", answer="number"),
        Task(id="bare", prompt="Which one?", answer="choice"),
    ],
    ids=lambda t: t.id,
)
async def test_a_task_without_options_or_words_is_refused(task: Task) -> None:
    model = Scripted("never asked")
    system = get_system("argmed")
    with pytest.raises(BadInput, match="it needs a question with options, or one"):
        await solve(system, task, Kernel(model), system.bind({}))
    assert not model.requests


@pytest.mark.parametrize("limits", [{"exchanges": 0}, {"decisions": 0}])
async def test_limits_must_allow_something(limits: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="exchanges >= 1 and decisions >= 1"):
        await argmed(GOUT, Kernel(Scripted("")), **limits)


@pytest.mark.must_show("argmed", 8)
async def test_a_comparison_records_a_bad_move_and_goes_on() -> None:
    async def score(answer: Any) -> Score:
        return Score(float(answer == "B"), answer == "B")

    system = get_system("argmed")
    entry = Entry("argmed", system, system.bind({}))
    outcome = await run_job(
        entry, Item(GOUT, "B", score), {"": Scripted("well")}, seed=1, budget=None
    )
    assert "the generator's move (opening)" in outcome.error
    assert not outcome.correct


async def test_a_limit_leaves_what_was_argued_so_far() -> None:
    system = get_system("argmed")
    said = [decision("A"), verdicts("CQ3", "CQ5"), effect(), verdicts(belief=True)]
    for calls, wanted in [(1, "A"), (3, "A"), (4, None)]:
        kernel = Kernel(Scripted(inorder(*said)), limits=Limits(calls=calls))
        solved = await solve(system, GOUT, kernel, system.bind({}))
        assert solved.result.answer == wanted
        assert solved.limited
        assert "it was cut short" in solved.result.account
    # A reply that a limit keeps from being mended is a limit, not a bad move.
    with pytest.raises(LimitReached, match="no room to ask the generator again"):
        await argmed(GOUT, Kernel(Scripted("well"), limits=Limits(calls=1)))


# -- the record ----------------------------------------------------------------------------------


async def test_a_reader_foretells_from_the_record_alone() -> None:
    talk = [decision("A"), verdicts("CQ3", "CQ5"), effect(), verdicts(belief=True)]
    result = await argmed(GOUT, Kernel(Scripted(inorder(*talk, decision("B"), verdicts()))))
    record = result.notes["record"]
    assert "a2 ASSE against a1: Side effect of A (ibuprofen): bleeding." in record
    assert "a1 CQ3 reject: because of side_effect" in record
    assert not any(label in record for label in ("[in]", "[out]", "undec", "Optional"))
    model = Scripted('{"answer": "B"}')
    assert await foretell(GOUT, Kernel(model), record) == "B"
    (prompt,) = model.prompts
    assert record in prompt
    assert "B. colchicine" in prompt
    assert GOUT.prompt not in prompt


# -- real text -----------------------------------------------------------------------------------


async def test_argmed_on_the_embedded_model(recorded: Callable[[str], Model]) -> None:
    kernel = Kernel(recorded("local-small"), seed=11)
    system = get_system("argmed")
    parameters = system.bind({"exchanges": 3})
    result = (await solve(system, GOUT, kernel, parameters)).result
    notes = result.notes
    moves = [e for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert {e.call.agent for e in moves} <= {"generator", "verifier", "decider"}
    assert notes["bound"] and notes["exchanges"] <= 3
    if notes["abstained"]:
        assert result.answer is None
    else:
        assert result.answer in notes["optional"]
    graph = msgspec.json.decode(result.files["argument-graph.json"], type=ArgumentGraph)
    assert plain(resolve(graph.framework)).items() <= notes.items()
    for argument in graph.framework.arguments:
        assert argument.text in result.account
