"""On any valid trace: no error, ids that exist, evidence that is short; and time that is linear."""

import random
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from collegium.bench.diagnosis import candidates, diagnose, mode
from collegium.bench.diagnosis.findings import EVIDENCE
from collegium.bench.diagnosis.text import ALIKE, Sayings, alike, answer_in, around, cosine, said
from collegium.bench.records import Outcome
from collegium.kernel import (
    AskHuman,
    Event,
    Generate,
    Load,
    Message,
    Recall,
    Receive,
    Reply,
    Send,
    Store,
    ToolCall,
    ToolSpec,
    UseTool,
)
from collegium.kernel.calls import OtherCall
from collegium.kernel.trace import decode_event, encode_event

PHRASES = (
    "The task is complete.", "FINISH", "I do not know the access code of the vault 7315.",
    "I ran the tests.", "```python\nprint(1)\n```\n```output\n1\n```", "Answer: 42", "\\boxed{4",
    "- [ ] one\n- [x] two", "I will use search.", "The answer is correct.", "a-1: no", "```", "",
    "The price of it is 1,450.", "Check your last answer.", '{"answer": [1]}', "\ud83d", "\x00",
)  # fmt: skip
text = st.lists(st.sampled_from(PHRASES) | st.text(max_size=30), max_size=4).map(" ".join)
name = st.sampled_from(["a-1", "a-2", "verifier", "", "(["])
ids = st.integers(-1, 12)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
mails = st.lists(
    st.fixed_dictionaries({}, optional={"sender": name, "text": text, "call": ids | st.text()})
    | data,
    max_size=3,
)
common = {"agent": name, "sources": st.lists(ids, max_size=3).map(tuple)}
parent = st.none() | ids
tools = st.sampled_from(["search", "run_tests", "edit", "finish", "move", "(["])
arguments = st.dictionaries(st.text(max_size=5), data, max_size=2)
asked = st.builds(ToolCall, id=st.just("1"), name=tools, arguments=arguments)
spec = st.builds(ToolSpec, name=tools, description=st.just(""), parameters=st.just({}))
messages = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), text=text),
    max_size=5,
)
calls = st.one_of(
    st.builds(
        Generate, role=name, messages=messages.map(tuple), parent=parent,
        n=st.integers(1, 3), tools=st.lists(spec, max_size=2).map(tuple), **common,
    ),
    st.builds(UseTool, tool=tools, arguments=arguments, parent=parent, **common),
    st.builds(Send, to=name, text=text, **common),
    st.builds(Receive, **common),
    st.builds(AskHuman, question=text, **common),
    st.builds(Recall, query=text, **common),
    st.builds(Store, path=text, text=text, **common),
    st.builds(Load, path=text, **common),
    st.builds(OtherCall, kind=st.just("step"), fields=arguments, **common),
)  # fmt: skip
replies = st.lists(
    st.builds(
        Reply,
        text=text,
        tool_calls=st.lists(asked, max_size=2).map(tuple),
        finish=st.sampled_from(["stop", "length", "tool"]),
    ),
    max_size=3,
)
events = st.builds(
    Event,
    id=st.integers(0, 12),
    call=calls,
    outcome=st.sampled_from(["ok", "error", "fix", "observation"]),
    replies=replies.map(tuple),
    value=data | mails | text,
    error=st.just("") | text,
)
outcomes = st.none() | st.builds(
    Outcome,
    system=st.just("s"),
    task=st.just("t"),
    reference=text,
    answer=text,
    correct=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=14), outcomes)
def test_any_trace_can_be_diagnosed(trace, outcome):
    found = diagnose(trace, outcome=outcome)
    known = {e.id for e in trace}
    for finding in found:
        assert finding.calls
        assert set(finding.calls) <= known
        assert len(finding.evidence) <= EVIDENCE + 10
        assert mode(finding.code).means == "rules"
    assert found == diagnose(list(reversed(trace)), outcome=outcome) or len(known) < len(trace)
    for candidate in candidates(trace):
        assert set(candidate.calls) <= known
        assert mode(candidate.code).means == "judge"


@settings(max_examples=100, deadline=None)
@given(st.lists(events.filter(lambda e: "\ud83d" not in repr(e)), max_size=8))
def test_what_is_read_back_is_diagnosed_alike(trace):
    try:
        stored = [decode_event(encode_event(e)) for e in trace]
    except Exception:  # what JSON cannot hold is not stored at all
        return
    assert [(f.code, f.rule) for f in diagnose(stored)] == [
        (f.code, f.rule) for f in diagnose(trace)
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(), st.integers(0, 40))
def test_helpers_on_any_text(anything, start):
    answer_in(anything)
    around(anything, min(start, len(anything)))


words = st.lists(
    st.sampled_from(["a", "b", "c", "d", "e", "f", "1", "2"]), min_size=12, max_size=16
)


@settings(max_examples=200, deadline=None)
@given(st.lists(words.map(" ".join), min_size=2, max_size=12))
def test_the_search_for_texts_that_say_the_same_misses_none(texts):
    prepared = [p for t in texts if (p := said(t)) is not None]
    assert len(prepared) == len(texts)
    sayings = Sayings(prepared)
    for number, this in enumerate(prepared):
        twins = [i for i in range(number) if alike(this, prepared[i])]
        found = sayings.earlier(this)
        assert (found is None) == (not twins)
        assert found is None or found in twins
        sayings.add(number, this)


def test_cosine_by_hand():
    a, b = said("one two three four five six " * 2), said("one two three four five seven " * 2)
    assert a is not None and b is not None
    assert abs(cosine(a, b) - 5 / 6) < 1e-12
    assert cosine(a, a) >= ALIKE > cosine(a, b)
    assert said("too short to tell") is None


def long_run(number):
    """A run of this many events: model calls with histories, messages, tools."""
    rng = random.Random(1)
    vocabulary = [f"w{i}" for i in range(3000)]

    def words(n):
        return " ".join(rng.choices(vocabulary, k=n)) + f". I do not know it. Answer: {n}"

    histories, made = {}, []
    for i in range(number):
        agent, said = f"a-{i % 20}", words(120)
        if i % 3 == 0:
            history = histories.setdefault(agent, [])
            asked = Message("user", words(80))
            call = Generate(agent=agent, role="a", messages=(*history[-10:], asked))
            made.append(Event(id=i, call=call, replies=(Reply(said, call=i),)))
            history += [asked, Message("assistant", said)]
        elif i % 3 == 1:
            made.append(Event(id=i, call=Send(agent=agent, to=f"a-{(i + 1) % 20}", text=said)))
        else:
            call = UseTool(agent=agent, tool="search", arguments={"q": rng.choice(vocabulary)})
            made.append(Event(id=i, call=call, value=words(20)))
    return made


def test_ten_thousand_events_take_seconds():
    trace = long_run(10_000)
    begin = process_time()
    diagnose(trace)
    assert process_time() - begin < 15
