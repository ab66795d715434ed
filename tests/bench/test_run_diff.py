"""The difference of two runs: what changed, where they part, and how their calls are aligned."""

import msgspec
import pytest

from collegium.bench.run_diff import MOST_WORDS, Side, align, diff, words_changed
from collegium.bench.said import said
from collegium.kernel import Event, Generate, Message, Receive, Reply, Send, Usage, UseTool
from collegium.kernel.calls import OtherCall, ToolCall
from collegium.kernel.store import Totals


def ask(number, agent="solver", prompt="What is 6 * 7?", reply="42", **settings):
    call = Generate(agent=agent, role=agent, messages=(Message("user", prompt),), **settings)
    return Event(id=number, call=call, replies=(Reply(reply),), model="local")


def states(steps):
    return [(s.state, s.a, s.b) for s in steps]


def test_a_run_is_the_same_as_itself():
    trace = [ask(0), Event(id=1, call=Send(agent="a", to="b", text="hi")), ask(2, reply="43")]
    found = diff(Side(run="x", spec={}, events=trace), Side(run="y", spec={}, events=trace))
    assert states(found.steps) == [("same", n, n) for n in range(3)]
    assert found.first is None
    assert (found.asked, found.result) == ((), ())
    assert found.verdict == "Both runs made the same 3 calls, with the same answers."


def test_cost_and_time_do_not_make_two_calls_different():
    slow = msgspec.structs.replace(ask(0), seconds=9.0, usage=Usage(5, 0, 2), started=3.0)
    assert states(align([ask(0)], [slow])) == [("same", 0, 0)]


def test_what_of_a_call_changed_is_named():
    def what(**changes):
        (step,) = align([ask(0)], [ask(0, **changes)])
        assert step.state == "changed"
        return step.what

    assert what(prompt="What is 6 + 7?") == ("asked",)
    assert what(reply="41") == ("answered",)
    assert what(temperature=0.1, reply="41") == ("settings", "answered")
    assert what(schema={"type": "object"}) == ("settings",)
    failed = msgspec.structs.replace(ask(0), outcome="error", error="gone", replies=())
    (step,) = align([ask(0)], [failed])
    assert step.what == ("answered",)


def test_calls_of_one_run_alone_stand_between_those_of_both():
    a = [ask(0), ask(1, "critic", reply="fine"), ask(2, "judge", reply="done")]
    b = [ask(0), ask(1, "judge", reply="done"), ask(2, "writer", reply="more")]
    assert states(align(a, b)) == [
        ("same", 0, 0),
        ("only-a", 1, None),
        ("same", 2, 1),
        ("only-b", None, 2),
    ]
    assert states(align([], b)) == [("only-b", None, n) for n in range(3)]
    assert states(align(a, [])) == [("only-a", n, None) for n in range(3)]
    assert align([], []) == ()


def test_another_agent_or_tool_is_another_step():
    tool = UseTool(agent="a", tool="add", arguments={"x": 1})
    other = UseTool(agent="a", tool="divide", arguments={"x": 1})
    again = UseTool(agent="a", tool="add", arguments={"x": 2})
    first, second, third = (Event(id=0, call=c, value=1) for c in (tool, other, again))
    assert [s.state for s in align([first], [second])] == ["only-a", "only-b"]
    (step,) = align([first], [third])
    assert (step.state, step.what) == ("changed", ("asked",))


def test_the_verdict_names_the_first_call_that_differs():
    a = [ask(0), ask(1, reply="x"), ask(2)]
    b = [ask(0), ask(1, reply="y"), ask(2)]
    found = diff(Side(run="a", spec={}, events=a), Side(run="b", spec={}, events=b))
    assert found.first == 1
    assert found.verdict == "The first call is the same. Call 2 differs in what was answered."
    more = diff(Side(run="a", spec={}, events=a), Side(run="b", spec={}, events=[*a, ask(3)]))
    assert more.verdict == "The first 3 calls are the same. Call 4 is made by the second run alone."


def test_parameters_answers_and_bill():
    spec = {"system": "mad", "parameters": {"agents": 3, "rounds": 2}, "seed": None, "model": "m"}
    other = {**spec, "parameters": {"agents": 4, "rounds": 2}, "seed": 7}
    one = Totals("42", "", 6, Usage(100, 20, 30, 0.5), 1.25)
    two = Totals("41", "the limit of 90 tokens is used up.", 7, Usage(60, 0, 30), 2.0)
    found = diff(
        Side(run="a", spec=spec, totals=one), Side(run="b", spec=other, totals=two, status="failed")
    )
    assert [(c.name, c.a, c.b) for c in found.asked] == [
        ("parameters: agents", "3", "4"),
        ("seed", "", "7"),
    ]
    assert [(c.name, c.a, c.b) for c in found.result] == [
        ("status", "done", "failed"),
        ("answer", "42", "41"),
        ("ended by", "", "the limit of 90 tokens is used up."),
    ]
    assert ("prompt tokens", "100", "60") in [(c.name, c.a, c.b) for c in found.bill]
    assert found.verdict == "Both runs made the same 0 calls, with the same answers."


@pytest.mark.parametrize("moved", [0, 1, 7])
def test_long_traces_are_aligned(moved):
    a = [ask(n, f"agent-{n % 3}", reply=f"reply {n}") for n in range(6_000)]
    b = [*a[:2_000], *(ask(0, "extra", reply=str(n)) for n in range(moved)), *a[2_000:]]
    b[4_000 + moved] = ask(4_000, "agent-1", reply="another")
    steps = align(a, b)
    counts = [sum(s.state == state for s in steps) for state in ("same", "changed", "only-b")]
    assert counts == [5_999, 1, moved]
    # Every event of both stands in the alignment, once and in order.
    assert [s.a for s in steps if s.a is not None] == list(range(6_000))
    assert [s.b for s in steps if s.b is not None] == list(range(6_000 + moved))


def test_events_in_words():
    wanted = ToolCall("1", "add", {"x": 1})
    call = Generate(agent="a", role="a", messages=(Message("system", "Be kind."),), n=2)
    event = Event(
        id=4, call=call, model="local", usage=Usage(1200, 30, 7, 0.002), seconds=1.5, outcome="fix",
        replies=(Reply('{"answer": 1}', finish="length"), Reply("", tool_calls=(wanted,))),
    )  # fmt: skip
    words = said(event, tidy=str.upper)
    assert (words.act, words.bill) == ("asks local", "1,200 (30 cached) + 7 tokens, $0.002, 1.50 s")
    assert [(p.label, p.text) for p in words.asked] == [("system", "Be kind.")]
    assert words.answered[0].text == '{"ANSWER": 1}'
    assert words.answered[1].text == 'wants add({"x":1})'
    assert words.notes == ("repairs None", "cut off")
    assert "Be kind." in words.text

    mail = [{"sender": "b", "text": "psst"}, "odd"]
    received = said(Event(id=0, call=Receive(agent="a"), value=mail))
    assert [(p.label, p.text) for p in received.answered] == [
        ("from b", "psst"),
        ("message", "odd"),
    ]
    unknown = said(Event(id=0, call=OtherCall(agent="a", kind="dance", fields={"steps": 3})))
    assert (unknown.act, unknown.asked[0].text) == ("dance", '{"steps":3}')
    stopped = Event(
        id=0, call=call, outcome="error", error="CancelledError", failure="CancelledError"
    )
    assert said(stopped).notes == ("stopped",)
    assert said(stopped).error == ""


def test_what_of_a_text_changed():
    pieces = words_changed("The answer is 42, surely.", "The answer is 43.")
    assert pieces == [
        ("same", "The answer is "), ("del", "42, surely"), ("ins", "43"), ("same", "."),
    ]  # fmt: skip
    assert words_changed("", "") == []
    long = "word " * MOST_WORDS
    assert words_changed(long, "short") == [("del", long), ("ins", "short")]
