"""Solved questions for the lone clinician of the system "mdagents": few-shot prompting, step 3a."""

from __future__ import annotations

import random

import msgspec

from collegium.errors import BadInput
from collegium.tasks import load
from collegium.tasks.task import Task


class Exemplar(msgspec.Struct, frozen=True):
    """A solved question for the lone clinician."""

    question: str
    answer: str
    options: tuple[str, ...] = ()
    rationale: str = ""


def example_text(exemplar: Exemplar, number: int) -> str:
    """A solved question as the clinician reads it, in the form in which it is to answer."""
    options = [f"{chr(ord('A') + i)}. {text}" for i, text in enumerate(exemplar.options)]
    lines = [f"Example {number}: {exemplar.question}", *options]
    return "\n".join([*lines, *filter(None, [exemplar.rationale]), f"Answer: {exemplar.answer}"])


def mmlu_exemplars(task: Task, shots: int, draw: random.Random) -> tuple[Exemplar, ...]:
    """Draw solved questions from the examples that come with MMLU's medical subjects.

    Args:
        task: The question, which is never among them.
        shots: How many; 0 reads nothing.
        draw: Chooses them.

    Raises:
        BadInput: The task is not multiple choice, the data is not here, or it has too few.
    """
    if not shots:
        return ()
    if task.answer != "choice":
        raise BadInput(
            "the examples of MMLU are multiple-choice questions; for another kind of task give "
            "mdagents exemplars=[...] instead of shots."
        )
    pool = [
        i
        for i in load("mmlu-medical", split="train", seed=None).items
        if i.task.prompt != task.prompt
    ]
    if shots > len(pool):
        raise BadInput(f"there are {len(pool)} examples of MMLU's medical subjects, not {shots}.")
    return tuple(
        Exemplar(i.task.prompt, i.reference, i.task.choices) for i in draw.sample(pool, shots)
    )
