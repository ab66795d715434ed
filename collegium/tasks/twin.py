"""Perturbed twins of GSM8K: the same stories with other numbers, and answers computed anew.

A system that knows a published question by heart gets its twin wrong, so the difference between
the two is a measure of contamination. The solutions of GSM8K carry calculator annotations
(``<<16-3-4=9>>``). From these a question becomes a template: every number of an annotation is a
number of the question, the result of an earlier annotation, or a constant that a word of the
question stands for ("week", "twice"). New numbers are drawn, the annotations computed again, and
the last result is the new answer.

A question is left out, and counted under its reason, whenever that chain is in doubt. What the
annotations cannot show, such as a rule that holds only above some threshold, is looked for in the
words. So the twins are a selection of the plainer questions, and a drop has to be measured against
the originals of the same selection: ``gsm8k-twin:original``.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import msgspec

from collegium.tasks.annotations import Annotation, annotated, quantities, unannotated
from collegium.tasks.number import canonical_number, parse_number
from collegium.tasks.question import Question, shuffled
from collegium.tasks.sources import Hub, read_rows
from collegium.tasks.twin_words import Number, constants, numbers, threshold, worded, written

TWIN = "gsm8k-twin"
ORIGINAL = "original"
"""What follows the colon for the unchanged questions of the same selection."""

DESCRIPTION = "GSM8K with other numbers; the drop against gsm8k-twin:original shows memory"

TRIES = 1_000
"""Draws of new numbers before a question is given up."""

SMALLEST = 5
"""Smaller numbers stay: too often they count things that the question merely names."""

_ROUND = (1000, 500, 100, 50, 25, 10, 5)

Reason = str

Kind = tuple[bool, bool, bool, int]
"""Of a quantity: above zero, zero, below one in size; and whole (0), whole cents (1) or finer."""


class Unknown(msgspec.Struct, frozen=True):
    """What a number of an annotation stands for.

    Attributes:
        kind: A number of the question, a percentage of it (as a share), the result of an earlier
            annotation, or a constant.
        value: The number, the percentage, or the constant.
        step: Which annotation, for a result.
    """

    kind: Literal["number", "percent", "result", "constant"]
    value: Fraction = Fraction(0)
    step: int = 0


class Template(msgspec.Struct, frozen=True):
    """A question with the numbers that may change.

    Attributes:
        prompt: The question.
        numbers: Every number in it.
        words: Numbers in words, which stay.
        moving: The values that change; equal numbers change together.
        steps: The annotations.
        bound: What each number of each annotation stands for.
        kinds: What kind of quantity everything on the way is.
        answer: The published answer.
    """

    prompt: str
    numbers: tuple[Number, ...]
    words: frozenset[Fraction]
    moving: tuple[Fraction, ...]
    steps: tuple[Annotation, ...]
    bound: tuple[tuple[Unknown, ...], ...]
    kinds: tuple[Kind, ...]
    answer: Fraction


class Twins(msgspec.Struct, frozen=True):
    """The twins of a set of questions.

    Attributes:
        changed: The twins.
        originals: What they are twins of, in the same order.
        left_out: How many questions, of those looked at, have no twin, by reason.
    """

    changed: tuple[Question, ...]
    originals: tuple[Question, ...]
    left_out: dict[Reason, int]

    @property
    def source(self) -> str:
        """How many were looked at, how many were left out and why, in a line."""
        missing = sum(self.left_out.values())
        reasons = ", ".join(f"{reason} {number}" for reason, number in self.left_out.items())
        looked = len(self.changed) + missing
        return f"{missing} of {looked} questions left out" + (f": {reasons}" if reasons else "")


def twins(
    questions: Sequence[Question],
    solutions: Mapping[str, str],
    seed: int | None,
    limit: int | None = None,
) -> Twins:
    """Make the twins of questions.

    Args:
        questions: Questions whose answer is a number.
        solutions: The annotated solution of each, by id.
        seed: Decides the order and the numbers, which depend on nothing but it and the question;
            None keeps the order of the file.
        limit: How many twins; None takes all.
    """
    changed: list[Question] = []
    originals: list[Question] = []
    left_out: Counter[Reason] = Counter()
    for question in shuffled(questions, seed, None):
        if len(changed) == limit:
            break
        made = template(question.prompt, solutions[question.id], question.reference)
        if isinstance(made, Template):
            drawn = draw(made, random.Random(f"{seed or 0}/{question.prompt}"))
            if drawn is not None:
                prompt, answer = drawn
                name = f"{TWIN}/{question.id.partition('/')[2]}"
                twin = msgspec.structs.replace(question, id=name, prompt=prompt, reference=answer)
                changed.append(twin)
                originals.append(question)
                continue
            made = "no other numbers fit"
        left_out[made] += 1
    return Twins(tuple(changed), tuple(originals), dict(left_out.most_common()))


def solutions(split: str) -> dict[str, str]:
    """The annotated solutions of GSM8K, by the ids its questions have.

    Args:
        split: "test", or another one, whose questions are all from the training part.

    Raises:
        BadInput: The data are not here.
    """
    official = "test" if split == "test" else "train"
    hub = Hub("openai/gsm8k", ("main",), official)
    home = "github openai/grade-school-math"
    rows = read_rows("gsm8k", (f"gsm8k/{official}.jsonl",), home, hub=hub)
    return {f"gsm8k/{official}/{i}": row.text("answer") for i, row in enumerate(rows)}


def template(prompt: str, solution: str, reference: str) -> Template | Reason:
    """Find out which numbers of a question may change, or why none may.

    Args:
        prompt: The question.
        solution: Its annotated solution.
        reference: Its answer.

    Returns:
        The template, whose annotations give the published answer; or the reason why there is none.
    """
    steps, answer = annotated(solution), parse_number(reference)
    if not steps:
        return "no annotations, or unreadable ones"
    on_the_way = [quantities(s, s.leaves) for s in steps]
    if any(not q or q[-1] != s.value for q, s in zip(on_the_way, steps, strict=True)):
        return "a rounded result"
    if answer is None or steps[-1].value != answer:
        return "the last annotation is not the answer"
    if unannotated(solution):
        return "a step without annotation"
    if threshold(prompt):
        return "a rule in words"
    found = numbers(prompt)
    tied = _bind(steps, found, constants(prompt))
    if isinstance(tied, Reason):
        return tied
    bound, doubted = tied
    used = {u.value for line in bound for u in line} | doubted
    words = worded(prompt)
    mentioned = {n.value for n in found} | words
    if any(value not in used for value in mentioned if value > 2):
        # It may repeat what the others say, and would then contradict them.
        return "a number that the solution does not use"
    moving = {n.value for n in found if n.value >= SMALLEST} - doubted
    moving -= {n.value for n in found if n.fixed or (n.percent and n.value >= 100)}
    moving -= words
    if not moving:
        return "no number that may change"
    kinds = tuple(_kind(value) for found_values in on_the_way for value in found_values or ())
    return Template(prompt, found, words, tuple(sorted(moving)), steps, bound, kinds, answer)


def draw(made: Template, rng: random.Random) -> tuple[str, str] | None:
    """Draw other numbers for a template.

    The numbers of the question keep their order, and every quantity on the way keeps its sign and
    stays whole, or an amount of whole cents, where it was: the story still makes sense.

    Returns:
        The new question and its answer; None when no draw fits.
    """
    by_value = {n.value: n for n in sorted(made.numbers, key=lambda n: n.percent)}
    values = sorted(by_value.keys() | made.words)
    for _ in range(TRIES):
        new = {v: _other(by_value[v], rng) if v in made.moving else v for v in values}
        line = [new[v] for v in values]
        if any(a >= b for a, b in pairwise(line)):
            continue
        answer = recompute(made, new)
        if answer is not None and answer != made.answer:
            return written(made.prompt, made.numbers, new), canonical_number(answer)
    return None


def recompute(made: Template, new: Mapping[Fraction, Fraction]) -> Fraction | None:
    """Compute the annotations with other numbers.

    Args:
        made: The template.
        new: The new value of every number of the question.

    Returns:
        The last result; None when a quantity on the way changes its sign or its kind.
    """
    results: list[Fraction] = []
    kinds = iter(made.kinds)
    for step, line in zip(made.steps, made.bound, strict=True):
        values = quantities(step, [_look_up(u, new, results) for u in line])
        if values is None or not all(_keeps(next(kinds), _kind(v)) for v in values):
            return None
        results.append(values[-1])
    return results[-1]


def _bind(
    steps: Sequence[Annotation], found: Sequence[Number], known: frozenset[Fraction]
) -> tuple[tuple[tuple[Unknown, ...], ...], set[Fraction]] | Reason:
    """Say what each number of the annotations stands for, or why that is in doubt.

    Returns:
        What they stand for, and the numbers of the question that must stay: where one may be two
        things that do not change, it does not matter which it is.
    """
    plain = {n.value for n in found}
    shares = {n.value / 100: n.value for n in found if n.percent}
    # 50% off leaves 50%: what is left of a percentage may be meant as well as the percentage.
    rests = {rest: n.value for n in found if n.percent
             for rest in (100 - n.value, 1 - n.value / 100)}  # fmt: skip
    bound: list[tuple[Unknown, ...]] = []
    doubted: set[Fraction] = set()
    for place, step in enumerate(steps):
        line: list[Unknown] = []
        for value in step.leaves:
            results = [i for i in range(place) if steps[i].value == value]
            stands = [Unknown("number", value)] * (value in plain)
            stands += [Unknown("percent", shares[value])] if value in shares else []
            stands += [Unknown("constant", value)] * (value in known)
            stands += [Unknown("result", step=i) for i in results]
            if not stands:
                return "a number from nowhere"
            if results and len(stands) > 1:
                return "a number that may be two things"
            if len(stands) > 1 or value in rests:
                doubted |= {u.value for u in stands} | {rests.get(value, value)}
            line.append(stands[0])
        bound.append(tuple(line))
    return tuple(bound), doubted


def _look_up(
    unknown: Unknown, new: Mapping[Fraction, Fraction], results: Sequence[Fraction]
) -> Fraction:
    match unknown.kind:
        case "number":
            return new[unknown.value]
        case "percent":
            return new[unknown.value] / 100
        case "result":
            return results[unknown.step]
        case "constant":
            return unknown.value


def _kind(value: Fraction) -> Kind:
    below = value.denominator
    return value > 0, value == 0, abs(value) < 1, 0 if below == 1 else 1 if 100 % below == 0 else 2


def _keeps(before: Kind, after: Kind) -> bool:
    """Whether a quantity is still of its kind; what was finer than cents may be anything."""
    return before[:3] == after[:3] and (before[3] == 2 or before[3] == after[3])


def _other(number: Number, rng: random.Random) -> Fraction:
    """Another number of about the same size, as round, with as many decimals."""
    unit = Fraction(1, 10**number.decimals)
    size = int(number.value / unit)
    grain = next((g for g in _ROUND if size % g == 0 and size >= 4 * g), 1)
    low = max(1, math.ceil(size * 0.6 / grain), math.ceil(3 / unit / grain))
    high = max(low, math.floor(size * 1.7 / grain))
    if number.percent:
        high = min(high, math.floor(95 / unit / grain))
    return rng.randint(low, max(low, high)) * grain * unit
