"""How systems ask for the answer to a task: reasoning first, then an answer of the task's type."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

from collegium.agents.voting import Vote, majority
from collegium.kernel import Reply, Unparsed, Worked
from collegium.tasks.answers import normalise_answer
from collegium.tasks.task import Task

ANSWER_HINT = {
    "text": "the answer in a few words",
    "number": "a plain number without units",
    "choice": "the letter of the right choice",
    "latex": "the final result in LaTeX, nothing else",
    "code": "the complete Python code",
}
"""What to put in the answer field, per kind of answer."""


def answer_type(task: Task) -> Any:
    """The Python type of a task's answer: float, str, or a Literal of its letters."""
    if task.answer == "choice" and task.choices:
        return Literal[task.letters]
    return float if task.answer == "number" else str


def worked_type(task: Task) -> Any:
    """The output type of a worked answer: free reasoning, then an answer of the task's type.

    For code the whole reply is the answer: the scorer takes the code block out of it.
    """
    return str if task.answer == "code" else Worked[answer_type(task)]


def bare_type(task: Task) -> Any:
    """The output type of the answer alone."""
    return answer_type(task)


def closing(task: Task) -> str:
    """How a prompt asks for a worked answer: the steps, and the form of the answer."""
    hint = ANSWER_HINT[task.answer]
    match task.answer:
        case "code":
            return "Write the complete Python code in one code block."
        case "number" | "latex":  # the form that models trained on mathematics know by heart
            return f"Write short steps, one calculation a line. End with \\boxed{{{hint}}}."
        case _:
            return f"Write short steps, then a last line 'Answer: ' and {hint}."


def answer_of(reply: Reply[Any]) -> Any:
    """The answer inside a reply; :class:`Unparsed` when there is none."""
    if reply.data is None:
        return Unparsed(reply.text, "no answer")
    return reply.data.answer if isinstance(reply.data, Worked) else reply.data


def vote(task: Task, answers: list[Any]) -> Vote:
    """Majority vote over answers to a task, normalised for its kind of answer."""

    def key(answer: Any) -> Hashable | None:
        return normalise_answer(answer, task.answer)

    return majority(answers, key)
