"""The six-field reply: read strictly, mended where models break its JSON."""

import json

import pytest

from collegium.worlds.folder.reply import (
    ATTEMPTS,
    FIELDS,
    History,
    SixFields,
    Unreadable,
    by_names,
    read_input,
    read_reply,
    sanitised,
)

PARTS = {
    "Reflection": "The script ran.",
    "Research Plan and Status": "1. read (done)\n2. **edit**",
    "Fact Check": "Accuracy 0.6 was printed.",
    "Thought": "Look at it.",
    "Action": "read_file",
    "Action Input": '{"file": "train.py"}',
}


def reply(**changed: str | None) -> str:
    parts = {**PARTS, **{k.replace("_", " "): v for k, v in changed.items()}}
    return "\n".join(f"{name}: {text}" for name, text in parts.items() if text is not None)


@pytest.mark.must_show("mlagentbench", 3)
def test_all_six_fields_are_read() -> None:
    read = read_reply(reply())
    assert read == SixFields(
        "The script ran.", "1. read (done)\n2. **edit**", "Accuracy 0.6 was printed.",
        "Look at it.", "read_file", {"file": "train.py"},
    )  # fmt: skip


@pytest.mark.must_show("mlagentbench", 3)
@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_asked_for(field: str) -> None:
    lines = [f"{name}: {text}" for name, text in PARTS.items() if name != field]
    read = read_reply("\n".join(lines))
    assert isinstance(read, Unreadable)
    assert read.retry.startswith(f"Your reply lacks {field}.")
    assert all(f"{name}: ..." in read.retry for name in FIELDS)


@pytest.mark.must_show("mlagentbench", 3)
def test_fields_in_another_order_are_not_read() -> None:
    swapped = {k: PARTS[k] for k in ("Thought", *[f for f in FIELDS if f != "Thought"])}
    read = read_reply("\n".join(f"{name}: {text}" for name, text in swapped.items()))
    assert isinstance(read, Unreadable)
    assert "Thought" in read.retry


@pytest.mark.must_show("mlagentbench", 3)
def test_line_breaks_inside_strings_are_mended() -> None:
    broken = '{"file": "a.py", "content": "x = 1\n\ty = \\"2\\"\nprint(x)"}'
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)
    assert read_input(broken) == {"file": "a.py", "content": 'x = 1\n\ty = "2"\nprint(x)'}
    whole = '{\n  "a": "b",\n  "c": [1]\n}'
    assert sanitised(whole) == whole  # between strings nothing is touched


@pytest.mark.must_show("mlagentbench", 3)
def test_quotes_inside_two_arguments_are_read_by_their_names() -> None:
    broken = '{"file": "a.py", "content": "print("hello", end="")\\nx = 1"}'
    assert read_input(broken) is None
    expected = {"file": "a.py", "content": 'print("hello", end="")\nx = 1'}
    assert read_input(broken, ("file", "content")) == expected
    assert by_names(broken, ("content", "file")) is None
    unreadable = read_reply(reply(Action_Input="{file: a.py}"), ("file",))
    assert unreadable == Unreadable(
        'The Action Input is no JSON object: write {"file": "..."}.', fields=True
    )


@pytest.mark.must_show("mlagentbench", 3)
def test_five_unreadable_replies_stop_the_agent() -> None:
    history = History()
    for number in range(ATTEMPTS):
        assert not history.stopped
        history.add(f"bad {number}", "retry", readable=False)
    assert history.stopped


@pytest.mark.must_show("mlagentbench", 3)
def test_unreadable_turns_are_gone_after_a_readable_one() -> None:
    history = History(kept=3)
    history.add("good 1", "seen 1", readable=True)
    history.add("bad", "retry", readable=False)
    history.add("bad", "retry", readable=False)
    assert ("bad", "retry") in history.shown()
    history.add("good 2", "seen 2", readable=True)
    assert history.shown() == [("good 1", "seen 1"), ("good 2", "seen 2")]
    assert not history.stopped
    for number in range(3, 6):
        history.add(f"good {number}", "", readable=True)
    assert [r for r, _ in history.shown()] == ["good 3", "good 4", "good 5"]
