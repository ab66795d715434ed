"""How systems ask for the answer to a task: reasoning first, then an answer of the task's type."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Literal, Protocol

import msgspec

from collegium.agents.voting import Vote, majority
from collegium.kernel import Reply, Unparsed
from collegium.tasks.answers import normalise_answer
from collegium.tasks.task import Task

ANSWER_HINT = {
    "text": "the answer, as short as possible",
    "number": "the answer as a plain number without units",
    "choice": "the letter of the right choice",
    "latex": "the final answer in LaTeX, without any sentence around it",
    "code": "the complete Python code",
}
"""What to put in the answer field, per kind of answer."""


class Worked(Protocol):
    """A reply that states its reasoning before its answer."""

    reasoning: str
    answer: Any


def answer_type(task: Task) -> Any:
    """The Python type of a task's answer: float, str, or a Literal of its letters."""
    if task.answer == "choice" and task.choices:
        return Literal[task.letters]
    return float if task.answer == "number" else str


@lru_cache(maxsize=64)
def _worked(answer: Any) -> type[Any]:
    return msgspec.defstruct("Worked", [("reasoning", str), ("answer", answer)], frozen=True)


def worked_type(task: Task) -> type[Any]:
    """A struct of ``reasoning`` and ``answer`` for a task (chain of thought, then the answer)."""
    return _worked(answer_type(task))


@lru_cache(maxsize=64)
def _bare(answer: Any) -> type[Any]:
    return msgspec.defstruct("Bare", [("answer", answer)], frozen=True)


def bare_type(task: Task) -> type[Any]:
    """A struct of the ``answer`` alone."""
    return _bare(answer_type(task))


def answer_of(reply: Reply[Any]) -> Any:
    """The answer inside a reply; :class:`Unparsed` when there is none."""
    if isinstance(reply.data, Unparsed) or reply.data is None:
        return reply.data or Unparsed(reply.text, "no answer")
    return reply.data.answer


def vote(task: Task, answers: list[Any]) -> Vote:
    """Majority vote over answers to a task, normalised for its kind of answer."""

    def key(answer: Any) -> Hashable | None:
        return normalise_answer(answer, task.answer)

    return majority(answers, key)
