"""Majority voting and the types that answers are asked for as."""

from collections.abc import Hashable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.agents import (
    ANSWER_HINT,
    answer_of,
    answer_type,
    bare_type,
    closing,
    majority,
    vote,
    worked_type,
)
from collegium.kernel import Reply, Unparsed, Worked
from collegium.tasks.task import Task

NUMBER = Task(id="t", prompt="How many?", answer="number")
TEXT = Task(id="t", prompt="Who?")
CODE = Task(id="t", prompt="Write it.", answer="code")
CHOICE = Task(id="t", prompt="Which?", answer="choice", choices=("red", "green", "blue"))


def same(answer: Any) -> Hashable | None:
    return answer


@pytest.mark.must_show("mad", 3)
@pytest.mark.parametrize(
    ("task", "answers", "winner", "votes", "cast"),
    [
        (NUMBER, [12, 12.0, "\\boxed{12}", 7], 12, 3, 4),
        (TEXT, ["a", None, None], "a", 1, 1),
        (NUMBER, [5, 9, 5, 9], 5, 2, 4),
    ],
)
def test_votes_are_counted_on_normal_forms_and_ties_go_to_the_first_seen(
    task: Task, answers: list[Any], winner: Any, votes: int, cast: int
) -> None:
    result = vote(task, answers)
    assert (result.winner, result.votes, result.cast) == (winner, votes, cast)


def test_an_unparsed_answer_is_no_vote() -> None:
    junk = Unparsed("7 7 7", "no JSON")
    result = vote(NUMBER, [junk, junk, 3])
    assert (result.winner, result.votes, result.cast) == (3, 1, 1)
    nobody = vote(NUMBER, [junk, None])
    assert (nobody.winner, nobody.votes, nobody.cast, nobody.groups) == (None, 0, 0, ())


def test_the_winner_is_given_as_it_was_first_written() -> None:
    assert vote(CHOICE, ["b", "B", "A"]).winner == "b"
    assert vote(TEXT, ["Paris.", "paris", "Rome"]).winner == "Paris."


@given(st.lists(st.sampled_from("abc") | st.none(), max_size=12))
def test_a_vote_is_a_plurality(answers: list[str | None]) -> None:
    result = majority(answers, same)
    real = [a for a in answers if a is not None]
    assert result.cast == len(real)
    assert dict(result.groups) == {a: real.count(a) for a in real}
    assert [a for a, _ in result.groups] == list(dict.fromkeys(real))
    if real:
        assert result.votes == max(map(real.count, real))
        first = next(a for a in real if real.count(a) == result.votes)
        assert result.winner == first


def test_the_type_of_an_answer_follows_its_task() -> None:
    assert answer_type(NUMBER) is bare_type(NUMBER) is float
    assert answer_type(TEXT) is str
    assert bare_type(CHOICE) == Literal["A", "B", "C"]
    assert worked_type(NUMBER) == Worked[float]
    assert worked_type(CHOICE) == Worked[Literal["A", "B", "C"]]
    assert worked_type(CODE) is str


def test_a_prompt_says_how_to_end() -> None:
    assert f"\\boxed{{{ANSWER_HINT['number']}}}" in closing(NUMBER)
    assert ANSWER_HINT["number"] in closing(NUMBER)
    assert ANSWER_HINT["choice"] in closing(CHOICE)
    assert "Answer:" not in closing(CODE)


def test_the_answer_inside_a_reply() -> None:
    assert answer_of(Reply("", data=3.0)) == 3.0
    assert answer_of(Reply("", data=Worked("because", 3.0))) == 3.0
    assert answer_of(Reply("", data=0.0)) == 0.0
    assert isinstance(answer_of(Reply("x", data=Unparsed("x", "why"))), Unparsed)
    assert answer_of(Reply("x")) == Unparsed("x", "no answer")


def test_an_abstention_keeps_its_reason() -> None:
    junk = Unparsed("x", "why")
    assert answer_of(Reply("x", data=junk)) == junk
