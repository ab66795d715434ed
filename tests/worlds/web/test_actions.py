"""The written form of actions, and when a run is stopped."""

import pytest

from collegium.worlds.web.actions import FORMS, Action, early_stop, equivalent, parse, written


@pytest.mark.must_show("webarena", 2)
@pytest.mark.parametrize("mode", ["fixed", "compat"])
def test_the_grammar(mode) -> None:
    table = {
        "type [7] [a b]": Action("type", 7, "a b", enter=True),
        "type [7] [a b] [0]": Action("type", 7, "a b", enter=False),
        "type [7] [a b] [1]": Action("type", 7, "a b", enter=True),
        "scroll down": Action("scroll", text="down"),
        "scroll [up]": Action("scroll", text="up"),
        "stop": Action("stop"),
        "stop []": Action("stop"),
        "stop [it is 6]": Action("stop", text="it is 6"),
        "click [12]": Action("click", 12),
        "hover [12]": Action("hover", 12),
        "press [Ctrl+a]": Action("press", text="Ctrl+a"),
        "goto [http://shop.test/a]": Action("goto", text="http://shop.test/a"),
        "tab_focus [1]": Action("tab_focus", tab=1),
        "new_tab": Action("new_tab"),
        "close_tab": Action("close_tab"),
        "go_back": Action("go_back"),
        "go_forward": Action("go_forward"),
    }
    assert {text: parse(text, mode) for text in table} == table
    for wrong in (
        "click [x]",
        "fly [3]",
        "",
        "click",
        "scroll [left]",
        "tab_focus [a]",
        "press []",
    ):
        assert parse(wrong, mode) == Action("none", text=wrong)
    assert {action.verb for action in table.values()} == set(FORMS)


def test_a_text_to_type_may_hold_brackets_and_be_empty() -> None:
    assert parse("type [3] [see [1]]") == Action("type", 3, "see [1]")
    assert parse("type [3] [see [1]] [0]") == Action("type", 3, "see [1]", enter=False)
    assert parse("type [3] []") == Action("type", 3, "")
    assert parse("type [3] [a\nb]") == Action("type", 3, "a\nb")
    assert parse("type [3] []", "compat").verb == "none"


@pytest.mark.parametrize("form", FORMS.values())
def test_what_is_written_reads_back(form: str) -> None:
    action = parse(form.replace("id", "3").replace("number", "2").replace("up|down", "up"))
    action = parse("type [3] [a] [0]") if form.startswith("type") else action
    assert action.verb != "none"
    assert parse(written(action)) == action


def test_when_two_actions_are_the_same() -> None:
    one, other = parse("type [7] [a]"), parse("type [7] [b]")
    assert equivalent(one, other, "compat") and not equivalent(one, other, "fixed")
    assert equivalent(parse("click [1]"), parse("click [1]"))
    assert not equivalent(parse("click [1]"), parse("hover [1]"))
    assert not equivalent(parse("scroll up"), parse("scroll down"))
    assert not equivalent(parse("tab_focus [1]"), parse("tab_focus [0]"))


def stops_at(actions: list[str], mode="fixed") -> int | None:
    """After how many of the actions a run is stopped."""
    read = [parse(action, mode) for action in actions]
    return next((n for n in range(1, len(read) + 1) if early_stop(read[:n], mode)), None)


@pytest.mark.must_show("webarena", 6)
def test_early_stop() -> None:
    for mode in ("fixed", "compat"):
        assert stops_at(["click [3]"] * 4, mode) == 3
        assert stops_at(["fly"] * 4, mode) == 3
        assert stops_at(["click [3]", "click [4]"] * 14, mode) is None
        mixed = [f"click [{i}]" for i in range(40)]
        assert stops_at(mixed, mode) == 30
    # Typed again with something in between. The original looks at the element alone.
    assert stops_at(["type [7] [a]", "type [7] [b]"] * 2 + ["type [7] [a]"]) == 5
    assert stops_at(["type [7] [a]", "type [8] [b]"] * 2 + ["type [7] [a]"], "compat") == 5
    assert stops_at(["type [7] [a]", "type [7] [b]", "type [7] [c]"], "compat") == 3
    assert stops_at(["type [7] [a]", "click [1]"] * 2 + ["type [7] [a]"]) == 5
