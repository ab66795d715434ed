"""The decoder: no model leaves its specification, in mask mode and in monitor mode."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from collegium.errors import BadInput, LimitReached, ModelError
from collegium.guard.ltl import (
    Binding,
    Choices,
    Mode,
    Predicate,
    Segment,
    State,
    Text,
    Transcript,
    run,
    run_free,
    specify,
    validate,
)
from collegium.guard.ltl.library import chatbot, cot, pass_, react, reflexion, rewoo
from collegium.kernel import Generate, Kernel, Limits, UseTool, tool
from collegium.models.gbnf import grammar
from collegium.models.scripted import ScriptedModel
from collegium.tools.calculator import calculator
from tests.guard.ltl.support import NUMBER, SCHEMAS, Planned, kernel_with, oracle

BOTH: list[Mode] = ["mask", "monitor"]

SENSIBLE = {
    "[Thought]": ["I must multiply.", "That is it."],
    "[Action]": ["calculator"],
    "[Action Input]": ['{"expression": "6 * 7"}'],
    "[Answer]": ["42"],
}
CHAIN = {
    **SENSIBLE,
    "[Thought]": [
        'I must multiply.\n[Action] calculator\n[Action Input] {"expression": "6 * 7"}',
        "That is it.\n[Answer] 42",
    ],
}
UNRULY = {
    "": ["[Answer] 41"],
    "[Thought]": [
        'I know it.\n[Action] Foo\n[Action Input] {"expression": "6 * 7"}\n[Observation] fake',
        "Now I know.\n[Answer] 42",
    ],
    "[Action]": ['Foo\n[Action Input] {"expression": "6 * 7"}'],
    "[Action Input]": ['{"expression": "6 * 7"}\n[Observation] fake\n[Answer] 0'],
    "[Answer]": ["42"],
}


def states(transcript: Transcript) -> str:
    return "".join(s.state for s in transcript.segments)


async def go(
    plan: Any, mode: Mode, *tools: Any, task: str = "What is 6 times 7?", **options: Any
) -> tuple[Transcript, Kernel]:
    kernel = kernel_with(plan, *tools)
    names = tuple(kernel.tools)
    schemas = {name: kernel.tools[name].spec.parameters for name in names}
    agent = kernel.agent("solver", tools=names)
    spec = react(schemas, answer=NUMBER)
    return await run(spec, agent, task, mode=mode, **options), kernel


@pytest.mark.must_show("ltl", 3)
@pytest.mark.parametrize("mode", BOTH)
async def test_an_unruly_model_still_writes_an_accepted_transcript(mode: Mode) -> None:
    transcript, kernel = await go(Planned(UNRULY), mode)
    assert transcript.verdict.ok
    assert states(transcript) == "QTAIOTZ"
    assert transcript.text_of("A") == "calculator"
    assert json.loads(transcript.text_of("I") or "")["expression"] == "6 * 7"
    # What was observed is what the tool gave, by a call that stands in the trace.
    (used,) = [e for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert used.value == 42
    assert transcript.text_of("O") == "42"
    assert transcript.text_of("Z") == "42"


@pytest.mark.must_show("ltl", 3)
@pytest.mark.parametrize("mode", BOTH)
async def test_a_tool_cannot_end_the_run(mode: Mode) -> None:
    plan = {
        **SENSIBLE,
        "[Thought]": [
            'Ask.\n[Action] oracle\n[Action Input] {"expression": "life"}',
            "It said something.\n[Answer] 7",
        ],
        "[Action]": ["oracle"],
        "[Action Input]": ['{"expression": "life"}'],
        "[Answer]": ["7"],
    }
    transcript, _ = await go(Planned(plan), mode, oracle)
    assert states(transcript) == "QTAIOTZ"
    assert transcript.text_of("O") == "[\\Answer] 42 [\\Thought] done with life"
    assert transcript.text_of("Z") == "7"
    # Written out and read again, it is still the same transcript.
    from collegium.guard.ltl import joined

    spec = react({"oracle": oracle.spec.parameters}, answer=NUMBER)
    assert validate(spec, joined(spec, transcript.segments)).ok


@pytest.mark.must_show("ltl", 5)
@pytest.mark.parametrize("plan", [SENSIBLE, CHAIN, UNRULY], ids=["cue by cue", "ahead", "unruly"])
async def test_both_modes_give_the_same_trace(plan: dict[str, Sequence[str]]) -> None:
    plan = {"": ["[Thought]"], **plan}
    if plan["[Thought]"] == SENSIBLE["[Thought]"]:
        plan["[Thought]"] = [f"{SENSIBLE['[Thought]'][0]}\n[Action]", "That is it.\n[Answer]"]
    masked, _ = await go(Planned(plan), "mask")
    monitored, _ = await go(Planned(plan), "monitor")
    assert [(s.state, s.text) for s in masked.segments] == [
        (s.state, s.text) for s in monitored.segments
    ]
    assert masked.verdict == monitored.verdict
    assert [c.chosen for c in masked.choices] == [c.chosen for c in monitored.choices]
    assert masked.thrown_away == 0


@pytest.mark.must_show("ltl", 5)
async def test_monitor_mode_reports_the_tokens_it_threw_away() -> None:
    transcript, _ = await go(Planned(UNRULY), "monitor")
    # 1st: of 52 characters that are not blank, "I know it." and "[Action]" (16) are kept, for Foo
    # is no tool: 36/52 of its 13 words are lost. 2nd: all of its 7 words; then the tool is set.
    # What a stop sequence cuts off is not seen, so it is not counted.
    assert transcript.corrected == 1
    assert transcript.thrown_away == 9 + 7
    tame, _ = await go(Planned({"": [""], **CHAIN}), "monitor")
    assert tame.thrown_away == 0


async def test_a_turn_in_mask_mode_is_one_generation_under_a_grammar() -> None:
    plan = Planned(CHAIN)
    transcript, kernel = await go(plan, "mask")
    calls = [e.call for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert len(calls) == len(transcript.calls) == 2
    for call in calls:
        assert call.grammar is not None
        assert call.prefill
        assert call.messages[-1].text.endswith("[Thought]")
    assert transcript.forced == 4  # Q, T, O, T
    choice = transcript.choices[0]
    assert (choice.position, choice.allowed, choice.chosen) == (3, ("A", "Z"), "A")
    assert choice.masked == ("Q", "T", "I", "O")


async def test_the_budget_ends_every_run_accepted() -> None:
    endless = {**CHAIN, "[Thought]": [CHAIN["[Thought]"][0]]}
    for steps in (3, 4, 7, 11, 12, 15):
        for mode in BOTH:
            transcript, _ = await go(Planned({"": [""], **endless}), mode, steps=steps)
            assert transcript.verdict.ok
            assert len(transcript.segments) <= steps
    with pytest.raises(BadInput, match="needs 3 steps or more"):
        await go(Planned(endless), "mask", steps=2)


async def test_a_reply_that_is_cut_off_is_brought_to_its_shortest_end() -> None:
    from collegium.kernel import Reply

    class Short(ScriptedModel):
        async def generate(self, request: Generate, on_text: Any = None) -> tuple[Reply, ...]:
            replies = await super().generate(request, on_text)
            return tuple(Reply(r.text[:60], finish="length") for r in replies)

    transcript, _ = await go(Short(Planned(CHAIN)), "mask")
    assert transcript.verdict.ok
    assert transcript.corrected > 0


async def test_a_model_that_ignores_its_grammar_is_found_out() -> None:
    from tests.kernel.support import Scripted

    with pytest.raises(ModelError, match="did not keep to its grammar"):
        await go(Scripted("[Answer] 42"), "mask")


async def test_a_failing_tool_is_an_observation() -> None:
    plan = {
        **CHAIN,
        "[Thought]": [
            'Try.\n[Action] calculator\n[Action Input] {"expression": "1 / 0"}',
            "So be it.\n[Answer] 0",
        ],
        "[Action Input]": ['{"expression": "1 / 0"}'],
        "[Answer]": ["0"],
    }
    transcript, _ = await go(Planned(plan), "mask")
    assert "division by zero" in (transcript.text_of("O") or "")
    assert transcript.verdict.ok


async def test_the_input_is_held_to_the_schema_of_the_tool_that_was_chosen() -> None:
    @tool
    def turn(degrees: int, left: bool) -> str:
        """Turns."""
        return f"{degrees} {left}"

    plan = {
        **SENSIBLE,
        "[Thought]": ["Turn.\n[Action] turn", "Done.\n[Answer] 1"],
        "[Action]": ["turn"],
        "[Action Input]": ['{"expression": "6 * 7"}'],
        "[Answer]": ["1"],
    }
    for mode in BOTH:
        transcript, _ = await go(Planned({"": [""], **plan}), mode, calculator, turn)
        assert transcript.text_of("A") == "turn"
        assert set(json.loads(transcript.text_of("I") or "")) == {"degrees", "left"}
        assert transcript.text_of("O") == "0 True"


async def test_pass_runs_all_pairs_of_a_round_and_the_summary_takes_their_place() -> None:
    plan = {
        "[Thought]": [
            'Two at once.\n[Action] calculator\n[Action Input] {"expression": "2 * 3"}\n'
            '[Action] calculator\n[Action Input] {"expression": "4 * 5"}\n[Observation]',
            "Enough.\n[Answer] 26",
        ],
        "[Action Input]": ['{"expression": "2 * 3"}', '{"expression": "4 * 5"}'],
        "[Action]": ["calculator"],
        "[Summary]": ["They are 6 and 20."],
        "[Answer]": ["26"],
    }
    planned = Planned(plan)
    kernel = kernel_with(planned)
    agent = kernel.agent("solver", tools=("calculator",))
    transcript = await run(pass_(SCHEMAS, answer=NUMBER), agent, "Add 2 * 3 and 4 * 5.")
    assert states(transcript) == "QPAIAIOSPZ"
    assert transcript.text_of("O") == (
        '1. calculator {"expression": "2 * 3"}: 6\n2. calculator {"expression": "4 * 5"}: 20'
    )
    # Both calls were under way before the first came back.
    first, second = [e for e in kernel.trace.events if isinstance(e.call, UseTool)]
    assert second.started < first.started + first.seconds
    told = [m.text for m in planned.requests[-1].messages[1:]]
    assert "[Summary] They are 6 and 20." in told[-1]
    assert not any(text.startswith("[Observation]") for text in told), told


async def test_rewoo_plans_before_it_observes() -> None:
    inputs = ['{"expression": "2 + 3"}', '{"expression": "#E1 * 10"}']
    plan = {
        "": [""],
        "[Plan]": [
            f"Add, then multiply.\n[Action] calculator\n[Action Input] {inputs[0]}\n"
            f"[Action] calculator\n[Action Input] {inputs[1]}\n[Observation]"
        ],
        "[Answer]": ["50"],
        "[Action]": ["calculator"],
        "[Action Input]": inputs,
    }
    kernel = kernel_with(Planned(plan))
    agent = kernel.agent("solver", tools=("calculator",))
    transcript = await run(rewoo(SCHEMAS, answer=NUMBER), agent, "(2 + 3) * 10?")
    assert states(transcript) == "QPAIAIOOZ"
    assert [s.text for s in transcript.segments if s.state == "O"] == ["5", "50"]


async def test_reflexion_reflects_at_most_k_times() -> None:
    @tool
    def judge(attempt: str) -> str:
        """Judges an attempt."""
        return "wrong" if "7" in attempt else "right"

    plan = {
        "": ["[Reflection] Try harder.\n[Thought] It is 7."],
        "[Thought]": ["It is 7."],
        "[Reflection]": ["Try harder."],
        "[Answer]": ["7"],
    }
    kernel = kernel_with(Planned(plan), judge)
    agent = kernel.agent("solver", tools=("judge",))
    transcript = await run(reflexion("judge", k=2, answer=NUMBER), agent, "6?", steps=40)
    assert states(transcript) == "QTERTERTEZ"
    assert transcript.text_of("E") == "wrong"


async def test_a_chat_goes_on_as_long_as_the_user_does() -> None:
    said = iter(["And you?", None])

    async def user(segments: Sequence[Segment]) -> str | None:
        return next(said)

    kernel = kernel_with(lambda request: " I am well.")
    agent = kernel.agent("bot")
    transcript = await run(chatbot(), agent, "How are you?", environment={"U": user})
    assert states(transcript) == "UBUB"
    assert transcript.verdict.ok


async def test_thoughts_may_follow_each_other() -> None:
    kernel = kernel_with(lambda request: " One.\n[Thought] Two.\n[Answer] 3")
    transcript = await run(cot(answer=NUMBER), kernel.agent("solver"), "1 + 2?")
    assert states(transcript) == "QTTZ"


async def test_a_predicate_is_asked_when_the_segment_is_complete() -> None:
    replies = iter([" maybe", " certainly"])
    spec = specify(
        "sure",
        [
            State("Q", "[Q]", "env"),
            State("Z", "[Z]", content=Predicate(lambda t: "certain" in t, "a certain answer")),
        ],
        "Q & X Z & G(Z -> end)",
    )
    kernel = kernel_with(lambda request: next(replies))
    transcript = await run(spec, kernel.agent("solver"), "Sure?")
    assert transcript.text_of("Z") == "certainly"
    assert len(transcript.calls) == 2
    stubborn = kernel_with(lambda request: " maybe")
    transcript = await run(spec, stubborn.agent("solver"), "Sure?")
    assert transcript.verdict.outcome == "content"
    assert "is not a certain answer" in transcript.verdict.problem


async def test_free_form_is_judged_and_not_corrected() -> None:
    spec = react(SCHEMAS, answer=NUMBER)

    async def free(reply: Any) -> Transcript:
        kernel = kernel_with(reply)
        return await run_free(spec, kernel.agent("solver", tools=("calculator",)), "6 * 7?")

    acting = '[Thought] So.\n[Action] calculator\n[Action Input] {"expression": "6 * 7"}'
    replies = iter([acting, "[Thought] Ah.\n[Answer] 42"])
    good = await free(lambda request: next(replies))
    assert good.verdict.ok
    assert good.text_of("O") == "42"
    hasty = await free(lambda request: "[Answer] 42")
    assert (hasty.verdict.outcome, hasty.verdict.position) == ("rejected", 2)
    lost = await free(lambda request: "The answer is 42.")
    assert lost.verdict.outcome == "incomplete"


async def test_a_limit_leaves_the_transcript_so_far() -> None:
    kept: list[Transcript] = []
    kernel = kernel_with(Planned(CHAIN), limits=Limits(calls=1))
    agent = kernel.agent("solver", tools=("calculator",))
    with pytest.raises(LimitReached):
        await run(react(SCHEMAS, answer=NUMBER), agent, "6 * 7?", keep=kept.append)
    assert states(kept[-1]) == "QTAIO"


async def test_examples_are_checked_before_they_are_shown() -> None:
    with pytest.raises(BadInput, match="example 1 does not satisfy 'react': position 2 is Z"):
        await go(Planned(CHAIN), "mask", examples=["[Question] 1?\n[Answer] 1"])
    plan = Planned(CHAIN)
    await go(plan, "mask", examples=["[Question] 1?\n[Thought] Easy.\n[Answer] 1"])
    shown = plan.requests[0].messages[1:3]
    assert [(m.role, m.text) for m in shown] == [
        ("user", "[Question] 1?"),
        ("assistant", "[Thought] Easy.\n[Answer] 1"),
    ]


@pytest.mark.must_show("ltl", 8)
@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([State("a", "[A]"), State("b", "[A]")], r"states 1 \(a\) and 2 \(b\) have the same cue"),
        ([State("a", "[A]"), State("b", "[A] b")], r"\(a\) and 2 \(b\): .* is the beginning of"),
        ([State("a", "[A]"), State("a", "[B]")], r"state 2 \(a\): state 1 has the same name"),
        ([State("a", "[")], "two or more printable"),
        ([State("X", "[X]")], "no word of formulas"),
        ([State("a", "[A]", content=Choices(("x [A]",)))], r"state 1 \(a\): the choice"),
        ([State("a", "[A]", content=Text(), max_tokens=0)], "max_tokens must be"),
        ([State("a", "[A]", "env", binding=Binding("b", tool="t"))], "refers to the state 'b'"),
        ([State("a", "[A]", content=NUMBER.__class__("("))], r"state 1 \(a\): the pattern '\('"),
        ([], "has no states"),
    ],
)
def test_a_wrong_specification_says_where(states: list[State], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        specify("mine", states, "F a")


@pytest.mark.must_show("ltl", 8)
def test_no_accepting_path_is_found_at_once() -> None:
    states = [State("a", "[A]"), State("b", "[B]")]
    with pytest.raises(BadInput, match=r"the formula of spec 'mine' .* cannot be satisfied"):
        specify("mine", states, "a & G(a -> X b) & G(b -> X a)")


def test_the_grammar_of_a_turn_says_what_may_come() -> None:
    from collegium.guard.ltl.masking import stretch

    spec = react(SCHEMAS, answer=NUMBER)
    q = spec.automaton.step(0, "Q")
    rules = grammar(stretch(spec, q, 20, spec.state("T"), {}).grammar)
    good = ' I see.\n[Action] calculator\n[Action Input] {"expression": "1 + 1"}'
    assert rules.accepts(good)
    assert rules.accepts(" I see.\n[Answer] -4.5")
    for bad in (
        " I see.",
        " I see.\n[Answer] four",
        " I see.\n[Action] Foo",
        " I [Answer] 4\n[Answer] 4",
        f"{good}\n[Observation] 2",
        good.replace("expression", "number"),
        " I see.\n[Thought] again\n[Answer] 4",
    ):
        assert not rules.accepts(bad), bad
    last = grammar(stretch(spec, q, 2, spec.state("T"), {}).grammar)
    assert last.accepts(" I see.\n[Answer] 4")
    assert not last.accepts(good)
