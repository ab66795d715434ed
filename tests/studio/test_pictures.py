"""What pictures are made of: talk, frameworks, trees; and the forms of systems."""

from typing import Any

import pytest

pytest.importorskip("nicegui")

from collegium.kernel import Event, Generate, Message, Reply
from collegium.kernel.calls import Send
from collegium.studio.forms import help_of
from collegium.studio.graphs import border, framework_of, talk
from collegium.studio.shapes import trees_of
from collegium.systems.system import systems


def said(number: int, agent: str, *sources: int) -> Event:
    call = Generate(agent=agent, role="", messages=(Message("user", "?"),), sources=sources)
    return Event(id=number, call=call, replies=(Reply("!"),))


def test_who_spoke_to_whom() -> None:
    events = [
        said(0, "a"),
        Event(id=1, call=Send(agent="a", to="b", text="x")),
        Event(id=2, call=Send(agent="a", to="b", text="y")),
        said(3, "b", 0),
        said(4, "c", 0, 3),
        said(5, "c", 4),
    ]
    agents, sent, read = talk(events)
    assert agents == ["a", "b", "c"]
    assert sent == {("a", "b"): 2}
    # what was sent is no second line, and nobody speaks to himself
    assert read == {("a", "c"): 1, ("b", "c"): 1}


def test_a_line_leaves_a_box_at_its_border() -> None:
    assert border((0, 0), (100, 0), (20, 10)) == (10, 0)
    assert border((0, 0), (0, -100), (20, 10)) == (0, -5)
    assert border((0, 0), (0, 0), (20, 10)) == (0, 0)
    assert border((0, 0), (4, 2), (20, 10)) == (4, 2)  # a point inside: no further than it


@pytest.mark.parametrize(
    "notes",
    [
        {},
        {"arguments": "text", "attacks": []},
        {"arguments": [{"id": "a"}], "attacks": [["a", "gone"]]},
        {"arguments": [{"id": "a"}, {"id": "a"}], "attacks": []},
        {"arguments": [{"id": "a"}], "attacks": [["a"]]},
    ],
)
def test_notes_without_a_framework(notes: dict[str, Any]) -> None:
    assert framework_of(notes) is None


def test_trees_in_both_forms() -> None:
    leaf = {"role": "critic", "answer": 3, "judge": "success", "score": 90, "n": 2, "children": []}
    grown = {"role": None, "answer": None, "judge": None, "score": None, "n": 3, "children": [leaf]}
    moves = [
        {"parent": -1, "action": "go(north)", "value": 0.5, "expansion": 1, "seen": "a wall"},
        {"parent": 0, "action": "go(east)", "value": None, "expansion": 0, "seen": None},
    ]
    one, two = trees_of({"subtasks": [{"tree": grown}, {"text": "none"}], "trees": [moves, []]})
    assert (one.label, one.children[0].label, one.children[0].mark) == (
        "question",
        "critic: 3",
        "good",
    )
    assert two.children[0].label == "go(north) 0.50"
    assert two.children[0].children[0].mark == "dim"
    assert trees_of({"trees": "none", "subtasks": None}) == []


def test_every_parameter_has_help_from_its_docstring() -> None:
    told = {name: help_of(s) for name, s in systems().items() if s.paper}
    assert told["mad"]["agents"] == "M, the number of debaters."
    assert "\n" not in " ".join(told["mdagents"].values())
    lacking = {
        f"{name}: {p}" for name, s in systems().items() if s.paper for p in s.parameters
        if p not in told[name]
    }  # fmt: skip
    assert lacking == set()
