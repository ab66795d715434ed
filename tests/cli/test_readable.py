"""Text as it is streamed: typed replies, line ends, and who has the floor."""

import io
import json

import pytest
from rich.console import Console

from collegium.commands.readable import Lines, Readable, readable
from collegium.commands.stream import Floor
from collegium.kernel import Event, Generate, Reply

CASES = [
    ('{"reasoning": "a \\"b\\"\\nc", "answer": 4.5}', 'reasoning: a "b"\nc\nanswer: 4.5'),
    ('{"a": [1, {"b": "}]"}], "c": null}', 'a: [1, {"b": "}]"}]\nc: null'),
    ('{"a": "\\ud83d\\ude00 \\u00e9 \\t."}', "a: 😀 é \t."),
    ("{}", ""),
    ("plain {text}", "plain {text}"),
    ("{x + 1}", "{x + 1}"),
    (r"\frac{1}{2}", r"\frac{1}{2}"),
    ('{"answer": 4} trailing', "answer: 4\ntrailing"),
    ('{"answer": "cut of', "answer: cut of"),
    ('{"a": "\\', "a:"),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_readable_whole_and_by_character(text, wanted):
    assert readable(text) == wanted
    by_character = Readable()
    assert "".join(by_character.feed(c) for c in text).strip() == wanted


def test_every_json_object_loses_no_text():
    value = {"one": "x\\y/z", "two": '{"k": [1]}', "three": [["a\\"], "b"]}
    text = readable(json.dumps(value))
    assert text == 'one: x\\y/z\ntwo: {"k": [1]}\nthree: [["a\\\\"], "b"]'


def written(width, *pieces):
    file = io.StringIO()
    lines = Lines(Console(file=file, width=width))
    for piece in pieces:
        lines.write(piece)
    lines.close()
    return file.getvalue()


def test_lines_break_between_words_only():
    text = "one two three four five, and a wordlongerthanthelineis\nend"
    wanted = "  one two three\n  four five, and a\n  wordlongerthanthe\n  lineis\n  end\n"
    assert written(19, text) == wanted
    assert written(19, *text) == wanted
    assert written(200_000, text) == "  " + text.replace("\n", "\n  ") + "\n"


def test_lines_keep_blank_lines_and_drop_control_characters():
    assert written(40, "a\n\nb\x1b[2J\x07") == "  a\n\n  b[2J\n"


def said(agent, *texts):
    call = Generate(agent=agent, role=agent, messages=(), n=len(texts))
    return Event(id=0, call=call, replies=tuple(map(Reply, texts)))


def floor():
    file = io.StringIO()
    return Floor(Console(file=file, width=60)), file


def test_parallel_agents_do_not_interleave():
    stage, file = floor()
    for a, b in zip("Hello there", "Good day to", strict=True):
        stage.on_text("ann", 0, a)
        stage.on_text("ben", 0, b)
        stage.on_text("cat", 0, "!")
    stage.on_event(said("ben", "Good day to"))
    assert "Good" not in file.getvalue()
    stage.on_event(said("ann", "Hello there"))
    assert file.getvalue() == "ann\n  Hello there\n\nben\n  Good day to\n\ncat\n"
    stage.on_text("cat", 0, " ?")
    stage.on_event(said("cat", "!!!!!!!!!!! ?"))
    assert file.getvalue().endswith("cat\n  !!!!!!!!!!! ?\n")


def test_samples_are_told_apart():
    stage, file = floor()
    stage.on_text("ann", 0, "one")
    stage.on_text("ann", 1, "two")
    stage.on_event(said("ann", "one", "two", "three"))
    assert file.getvalue() == ("ann\n  one\n\nann (sample 2)\n  two\n\nann (sample 3)\n  three\n")


def test_a_reply_that_was_not_streamed_is_printed_whole():
    stage, file = floor()
    stage.on_event(said("ann", '{"answer": 4}'))
    assert file.getvalue() == "ann\n  answer: 4\n"


def test_a_failed_call_says_why_and_its_text_is_not_mixed_into_the_next():
    stage, file = floor()
    stage.on_text("ann", 0, "half a se")
    call = Generate(agent="ann", role="ann", messages=())
    stage.on_event(Event(id=0, call=call, outcome="error", error="the connection broke."))
    stage.on_text("ann", 0, "Whole.")
    stage.on_event(said("ann", "Whole."))
    assert file.getvalue() == ("ann\n  half a se\nann: the connection broke.\n\nann\n  Whole.\n")
