"""From questions as their source has them to a benchmark: selection, scorers, controls."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from collegium.errors import BadInput
from collegium.tasks.answers import normalise_answer
from collegium.tasks.scorers import (
    score_choice,
    score_code,
    score_generated,
    score_latex,
    score_number,
    score_text,
)
from collegium.tasks.task import AnswerKind, Benchmark, Item, Task

VALIDATION_SHARE = 0.2


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question as its source has it: what the task and its scorer are made from.

    Attributes:
        id: Unique and stable within its source.
        prompt: The instruction.
        kind: What kind of answer is wanted, which also chooses the scorer.
        reference: The right answer: a letter for a choice; "" where only tests or a verifier judge.
        choices: The options of a multiple-choice question.
        stratum: Group for break-down.
        entry_point: The function that a code task asks for.
        tests: What judges a code task.
        stub: The beginning of the program, which a code task gives.
        generated: For generated questions: (generator, seed, index).
    """

    id: str
    prompt: str
    kind: AnswerKind
    reference: str = ""
    choices: tuple[str, ...] = ()
    stratum: str = ""
    entry_point: str = ""
    tests: str = ""
    stub: str = ""
    generated: tuple[str, int, int] | None = None


def benchmark(
    questions: Sequence[Question], *, name: str, split: str, description: str, source: str
) -> Benchmark:
    """Make a benchmark of questions, in their order.

    Args:
        questions: What was selected.
        name: As written on the command line.
        split: "test", "validation", "train" or "all".
        description: One line for listings.
        source: Where the questions come from and under which licence.

    Raises:
        BadInput: There are no questions.
    """
    if not questions:
        raise BadInput(f"{name} has no questions in its split {split!r}.")
    return Benchmark(
        name=name,
        split=split,
        items=tuple(map(_item, questions)),
        description=description,
        source=source,
        controls=controls(questions),
        fingerprint=fingerprint(questions),
    )


def shuffled(questions: Iterable[Question], seed: int | None, limit: int | None) -> list[Question]:
    """Choose questions of a fixed set: in the order of a seeded hash, then the first ``limit``.

    A question's place depends on nothing but the seed and its own text, so that with a larger
    limit, or with rows that are left out, the others keep their order.

    Args:
        questions: The whole split.
        seed: The seed; None keeps the order of the file.
        limit: How many to take; None takes all.
    """
    chosen = list(questions)
    if seed is not None:
        chosen.sort(key=lambda question: (hashed(str(seed), question.prompt), question.id))
    return chosen[:limit]


def in_validation(question: Question) -> bool:
    """Say whether a question is in the validation part of a set without an official one.

    A fixed fifth, chosen by a hash of the prompt: the same on every machine, from every source.
    """
    return hashed("validation", question.prompt) < VALIDATION_SHARE * 2**64


def partition(questions: Sequence[Question], split: str) -> list[Question]:
    """Take a part of questions that have no official validation split.

    Args:
        questions: All of them.
        split: "validation" for the fixed fifth, "all" for everything, any other for the rest.
    """
    if split == "all":
        return list(questions)
    return [q for q in questions if in_validation(q) == (split == "validation")]


def controls(questions: Sequence[Question]) -> dict[str, float]:
    """Compute what answers without thought would score, as shares in 0..1.

    "majority": always the most frequent option or text, where the possible answers are few;
    "chance": any option at random; "constant": always the most frequent number or expression, if
    any comes twice. All are fitted to these very questions, so they are upper bounds.

    Args:
        questions: What was selected.

    Returns:
        The controls that mean something for these questions.
    """
    kinds = {question.kind for question in questions}
    answers = [normalise_answer(q.reference, q.kind, q.choices) for q in questions]
    if len(kinds) != 1 or None in answers:
        return {}
    most = Counter(answers).most_common(1)[0][1] / len(questions)
    match kinds.pop():
        case "choice":
            chance = math.fsum(1 / len(question.choices) for question in questions) / len(questions)
            return {"majority": most, "chance": chance}
        case "text":
            few = len(set(answers)) <= min(10, len(questions) / 4)
            return {"majority": most} if few else {}
        case "number" | "latex":
            return {"constant": most} if most * len(questions) >= 2 else {}
        case _:
            return {}


def fingerprint(questions: Sequence[Question]) -> str:
    """Hash the prompts, options, references and tests of questions, in their order."""
    digest = blake2b(digest_size=16)
    for q in questions:
        digest.update(msgspec.json.encode([q.prompt, q.choices, q.reference, q.tests]))
    return digest.hexdigest()


def _item(question: Question) -> Item:
    task = Task(
        id=question.id,
        prompt=question.prompt,
        answer=question.kind,
        choices=question.choices,
        stratum=question.stratum,
        entry_point=question.entry_point,
    )
    reference = question.reference
    if question.generated is not None:
        generator, seed, index = question.generated
        score = functools.partial(
            score_generated,
            kind=question.kind,
            reference=reference,
            generator=generator,
            seed=seed,
            index=index,
        )
        return Item(task, reference, score)
    match question.kind:
        case "number":
            return Item(task, reference, functools.partial(score_number, reference=reference))
        case "latex":
            return Item(task, reference, functools.partial(score_latex, reference=reference))
        case "text":
            return Item(task, reference, functools.partial(score_text, reference=reference))
        case "choice":
            choices = question.choices
            score = functools.partial(score_choice, reference=reference, choices=choices)
            return Item(task, reference, score)
        case "code":
            score = functools.partial(
                score_code,
                tests=question.tests,
                stub=question.stub,
                entry_point=question.entry_point,
            )
            return Item(task, reference, score)


def hashed(salt: str, text: str) -> int:
    """A place for a text, in 0..2**64, that depends on nothing but a salt and the text."""
    data = f"{salt}\0{text}".encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
