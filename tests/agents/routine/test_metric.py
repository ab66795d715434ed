"""The comparison of calls with those expected."""

from __future__ import annotations

from typing import Any

import pytest

from collegium.agents.routine.metric import Used, evaluate, judged, same
from collegium.kernel import tool


async def book(room: str, day: int, chairs: int = 4) -> str:
    """Book a room."""
    return f"{room} {day} {chairs}"


async def cancel(room: str) -> str:
    """Cancel a booking."""
    return room


TOOLS = {t.spec.name: t.spec for t in (tool(book), tool(cancel))}


def used(name: str, **arguments: Any) -> Used:
    return Used(name, arguments)


@pytest.mark.must_show("routine", 1)
def test_four_calls_by_hand() -> None:
    gold = [used("book", room="oak", day=d) for d in (1, 2, 3, 4)]
    turns = [
        [used("book", room="oak", day=1)],
        [used("book", room="elm", day=2)],
        [used("cancel", room="oak")],
        [],
    ]
    found = evaluate(turns, gold, TOOLS)
    assert (found.structural.right, found.structural.of) == (3, 4)
    assert (found.tool.right, found.tool.of) == (2, 4)
    assert (found.parameter.right, found.parameter.of) == (1, 4)
    assert (found.overall.right, found.overall.of) == (1, 4)
    assert (found.tool_conditional.right, found.tool_conditional.of) == (2, 3)
    assert (found.parameter_conditional.right, found.parameter_conditional.of) == (1, 2)
    assert found.overall.value == 0.25
    assert found.extra == 0


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ({"room": "oak", "day": 1}, True),
        ({"room": "oak", "day": 1, "chairs": 4}, True),  # the documented default
        ({"room": "oak", "day": 1, "chairs": 5}, False),
        ({"room": "oak", "day": "1"}, False),
        ({"room": "oak", "day": 1.0}, False),
        ({"room": "oak", "day": True}, False),
        ({"room": "oak"}, False),
        ({"room": "oak", "day": 1, "table": "round"}, False),
    ],
)
def test_arguments_are_equal_in_value_and_type(arguments: dict[str, Any], right: bool) -> None:
    verdict = judged([Used("book", arguments)], used("book", room="oak", day=1), TOOLS)
    assert verdict.structural and verdict.tool
    assert verdict.parameter is verdict.overall is right


def test_an_optional_argument_may_be_what_was_expected() -> None:
    gold = used("book", room="oak", day=1, chairs=9)
    for chairs, right in ((9, True), (4, True), (5, False)):
        assert (
            judged([used("book", room="oak", day=1, chairs=chairs)], gold, TOOLS).overall is right
        )
    assert judged([used("book", room="oak", day=1)], gold, TOOLS).overall


def test_two_calls_in_a_turn_are_no_call_and_missing_ones_fail() -> None:
    gold = [used("cancel", room="oak")] * 2
    found = evaluate([[gold[0], gold[0]]], gold, TOOLS)
    assert found.structural.right == found.overall.right == 0
    assert found.overall.of == 2
    assert evaluate([[gold[0]]] * 3, gold, TOOLS).extra == 1


def test_sameness_goes_into_lists_and_objects() -> None:
    assert same({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]})
    assert not same({"a": [1]}, {"a": [1.0]})
    assert not same([1], [1, 2])
    assert not same({"a": 1}, {"b": 1})
