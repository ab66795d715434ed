"""A task, and the judgement of an answer to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collegium.worlds.world import World

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
        tools: Names of the tools by which to act on the task's world; none: it is answered with
            words alone.
    """

    id: str
    prompt: str
    rules: str = ""
    answer: AnswerKind = "text"
    choices: tuple[str, ...] = ()
    stratum: str = ""
    entry_point: str = ""
    tools: tuple[str, ...] = ()

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
    """A judgement.

    Attributes:
        value: In 0..1.
        correct: Whether it counts as correct.
        reason: Why.
        facts: What was judged besides, by name (``attack_success``): yes or no, or a number.
    """

    value: float
    correct: bool
    reason: str = ""
    facts: dict[str, bool | float] = {}


class Item(msgspec.Struct, frozen=True):
    """A task with what only the benchmark knows: its reference and its scorer.

    Attributes:
        task: What the system is given.
        reference: The right answer as shown in reports; for a choice its letter. Where a verifier
            judges, one right answer, if it names any; "" where tests judge.
        score: ``await score(answer)`` judges an answer (any value a system may return).
        world: Makes the world of an acting task, whose end state is judged instead of the answer
            alone. Every run gets one of its own. As a ``functools.partial`` of a function of a
            module it can be sent to another process.

    Raises:
        ValueError: Both or neither of scorer and world are given.
    """

    task: Task
    reference: str
    score: Callable[[Any], Awaitable[Score]] | None = None
    world: Callable[[], World] | None = None

    def __post_init__(self) -> None:
        if (self.score is None) == (self.world is None):
            raise ValueError(f"item {self.task.id!r} needs a scorer or a world, and not both")


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
