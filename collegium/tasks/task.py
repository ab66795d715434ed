"""A task, and the judgement of an answer to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

AnswerKind = Literal["text", "number", "choice", "latex", "code"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be solved, as a system sees it. The reference answer is not in here.

    Attributes:
        id: Unique and stable within its benchmark.
        prompt: The instruction, complete with context; choices are not part of it.
        rules: Standing instructions for whoever works on the task; systems put them into the
            profile of every agent they make.
        answer: What kind of answer is wanted.
        choices: The options of a multiple-choice task, in order; answered by letter A, B, ...
        stratum: Group for break-down in reports (difficulty level, subject), "" for none.
        entry_point: Name of the function a code task must define, "" when there is none.
    """

    id: str
    prompt: str
    rules: str = ""
    answer: AnswerKind = "text"
    choices: tuple[str, ...] = ()
    stratum: str = ""
    entry_point: str = ""

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the choices: ("A", "B", ...)."""
        return tuple(chr(ord("A") + i) for i in range(len(self.choices)))

    @property
    def text(self) -> str:
        """The prompt with its choices listed by letter."""
        if not self.choices:
            return self.prompt
        options = "\n".join(f"{k}. {v}" for k, v in zip(self.letters, self.choices, strict=True))
        return f"{self.prompt}\n\n{options}"


class Score(msgspec.Struct, frozen=True):
    """A judgement: ``value`` in 0..1, whether it counts as correct, and why."""

    value: float
    correct: bool
    reason: str = ""


class Item(msgspec.Struct, frozen=True):
    """A task with what only the benchmark knows: its reference and its scorer.

    Attributes:
        task: What the system is given.
        reference: The right answer as shown in reports; for a choice its letter. Where a verifier
            judges, one right answer, if it names any; "" where tests judge.
        score: ``await score(answer)`` judges an answer (any value a system may return).
    """

    task: Task
    reference: str
    score: Callable[[Any], Awaitable[Score]]


class Benchmark(msgspec.Struct, frozen=True):
    """A named list of items.

    Attributes:
        name: As written on the command line.
        split: "test", "validation", "train" or, of a set without official splits, "all".
        items: In a fixed order for a given seed.
        description: One line for listings.
        source: Where the questions come from and under which licence.
        controls: What answers without thought score, in 0..1, such as {"majority": 0.25}.
        fingerprint: Hash over prompts and references; a report names what it measured.
    """

    name: str
    split: str
    items: tuple[Item, ...]
    description: str
    source: str
    controls: dict[str, float]
    fingerprint: str
