"""A sentence is the typed call: same call, same permissions, same record."""

from __future__ import annotations

import msgspec
import pytest

from collegium.apps.sentence import FORMS, Spoken, parse, say
from collegium.errors import BadInput, Denied
from collegium.kernel import (
    Delete,
    Find,
    Forget,
    Kernel,
    ListFiles,
    Load,
    Recall,
    Receive,
    Remember,
    Rollback,
    Send,
    Share,
    Store,
)
from tests.kernel.support import Scripted

CODE = "remember that the door code is 4711 for agent a"


@pytest.mark.parametrize(
    ("sentence", "call"),
    [
        (CODE, Remember(agent="a", text="the door code is 4711")),
        (f"  {CODE.replace(' ', '  ')}. ", Remember(agent="a", text="the door code is 4711")),
        (
            "Remember that this is for agent b too for agent a",
            Remember(agent="a", text="this is for agent b too"),
        ),
        ("recall the door code for agent a", Recall(agent="a", query="the door code")),
        (
            "recall the door code from agent b for agent a",
            Recall(agent="a", query="the door code", bank="b"),
        ),
        ("what does agent a know about doors?", Recall(agent="a", query="doors")),
        ("forget note n1 for agent a", Forget(agent="a", note="n1")),
        (
            "store tea at five in plan.txt for agent a",
            Store(agent="a", path="plan.txt", text="tea at five"),
        ),
        ("load plan.txt for agent a", Load(agent="a", path="plan.txt")),
        ("read plan.txt of agent b for agent a", Load(agent="a", path="plan.txt", owner="b")),
        ("list the files for agent a", ListFiles(agent="a")),
        ("find tea in the files of agent a", Find(agent="a", query="tea")),
        ("roll plan.txt back 2 steps for agent a", Rollback(agent="a", path="plan.txt", steps=2)),
        ("delete plan.txt for agent a", Delete(agent="a", path="plan.txt")),
        ("share with group team for agent a", Share(agent="a", group="team")),
        ("send hello there to agent b from agent a", Send(agent="a", to="b", text="hello there")),
        ("receive the messages for agent a", Receive(agent="a")),
    ],
)  # fmt: skip
def test_the_grammar_reads_the_common_forms(sentence, call):
    assert parse(sentence) == call


def test_every_form_it_names_is_read():
    for form, kind in FORMS.items():
        sentence = form.replace(" N ", " 2 ")
        assert type(parse(sentence)) is kind, form


@pytest.mark.parametrize(
    "sentence",
    ["", "remember", "remember the milk", "please remember that x for agent a", f"{CODE} and b"],
)
def test_anything_else_is_not_guessed(sentence):
    call = parse(sentence)
    assert call is None


@pytest.mark.must_show("aios-ecosystem", 7)
async def test_the_sentence_performs_the_same_write_with_the_same_record():
    typed, spoken = Kernel(Scripted("x"), seed=1), Kernel(Scripted("x"), seed=1)
    await typed.agent("a").remember("the door code is 4711")
    spoken.agent("a")
    await say(spoken, CODE)
    (first,), (second,) = typed.trace.events, spoken.trace.events
    same = ("id", "call", "kind", "outcome", "error", "replies", "model", "usage")
    assert [getattr(first, f) for f in same] == [getattr(second, f) for f in same]
    assert type(first.value) is type(second.value)  # the id of a note
    for kernel in (typed, spoken):
        (note, *_) = await say(kernel, "recall the door code for agent a")
        assert note.text == "the door code is 4711" and note.bank == "a"


async def test_permissions_hold_for_sentences():
    kernel = Kernel(Scripted("x"), seed=1)
    await say(kernel, CODE)
    with pytest.raises(Denied):
        await say(kernel, "recall the door code from agent a for agent b")
    assert kernel.trace.events[-1].outcome == "error"


async def test_other_words_are_read_by_a_model_under_a_schema():
    sentence = "Please keep in mind for a: the door code is 4711!"
    spoken = Spoken("remember", agent="a", text="the door code is 4711")
    model = Scripted(msgspec.json.encode(spoken).decode())
    kernel = Kernel(model, seed=1)
    await say(kernel, sentence, reader=kernel.agent("reader"))
    assert kernel.trace.events[-1].call == Remember(agent="a", text="the door code is 4711")
    schema = model.requests[0].schema or {}
    assert "none" in schema["properties"]["call"]["enum"]
    assert model.requests[0].temperature == 0.0


@pytest.mark.parametrize(
    "spoken",
    [
        Spoken("none"),
        Spoken("remember", agent="a", text="the code is 1234"),  # not what was said
        Spoken("remember", agent="", text="the door code is 4711"),
        Spoken("store", agent="a", text="the door code is 4711"),  # where to?
    ],
)
async def test_what_a_model_adds_or_leaves_out_is_refused(spoken):
    kernel = Kernel(Scripted(msgspec.json.encode(spoken).decode()), seed=1)
    with pytest.raises(BadInput):
        await say(kernel, "keep for a: the door code is 4711", reader=kernel.agent("reader"))
    assert [e.kind for e in kernel.trace.events] == ["generate"]


async def test_without_a_reader_the_forms_are_named():
    with pytest.raises(BadInput, match="remember that FACT for agent A"):
        await say(Kernel(Scripted("x")), "do something")
