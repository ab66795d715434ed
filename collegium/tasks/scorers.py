"""Judges answers. Every scorer takes whatever a system returned, and never raises for it.

A scorer is a module-level function whose keyword arguments are what only the benchmark knows; a
benchmark binds them with ``functools.partial``, so that an item can be sent to another process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from collegium.tasks.answers import abstained, as_text, choice_letter, folded, normalise_answer
from collegium.tasks.code import build_program
from collegium.tasks.helper import GENERATOR, HelperError
from collegium.tasks.math_equal import math_equal
from collegium.tasks.number import canonical_number, final_number, numbers_equal, parse_number
from collegium.tasks.task import AnswerKind, Score
from collegium.tools import passes_tests

UNPARSED = Score(0.0, False, "unparsed")
"""The judgement of no answer: None, ``Unparsed``, empty, or not of the wanted kind."""

_CORRECT = 0.99
"""A verifier's score from here on counts as correct; some sum up parts in floating point."""


async def score_number(answer: Any, *, reference: str) -> Score:
    """Judge a number: whole numbers exactly, others within a millionth.

    Args:
        answer: A number, or a text that is one or ends in one.
        reference: The right number, as text.
    """
    given = _number(answer)
    if given is None:
        return UNPARSED
    expected = _number(reference)
    if expected is None:
        raise ValueError(f"the reference {reference!r} is not a number")
    percent = isinstance(answer, str) and "%" in answer and "%" not in reference
    equal = numbers_equal(given, expected) or (percent and numbers_equal(given / 100, expected))
    return _judged(equal)


async def score_choice(answer: Any, *, reference: str, choices: Sequence[str]) -> Score:
    """Judge the choice of an option.

    Args:
        answer: The option's letter or its text.
        reference: The right letter.
        choices: The options in order.
    """
    letter = choice_letter(answer, choices)
    return UNPARSED if letter is None else _judged(letter == reference)


async def score_text(answer: Any, *, reference: str) -> Score:
    """Judge a text, without regard to case, spacing and a full stop at the end."""
    if abstained(answer):
        return UNPARSED
    return _judged(folded(as_text(answer)) == folded(reference))


async def score_latex(answer: Any, *, reference: str, seconds: float = 5.0) -> Score:
    """Judge a mathematical expression: right if it is equal to the reference.

    Args:
        answer: LaTeX, plain notation or a number.
        reference: The right answer in LaTeX.
        seconds: How long comparing them may take; longer counts as wrong.
    """
    if normalise_answer(answer, "latex") is None:
        return UNPARSED
    try:
        return _judged(await math_equal(as_text(answer), reference, seconds=seconds))
    except HelperError as problem:
        return Score(0.0, False, f"could not be compared: {problem}")


async def score_code(answer: Any, *, tests: str, stub: str = "", entry_point: str = "") -> Score:
    """Judge a program by running tests on it in the sandbox.

    Args:
        answer: The program, a function, or the rest of the stub; fenced or not.
        tests: Python source that raises an exception if it disagrees.
        stub: The beginning of the program that the task gave.
        entry_point: The function that the program must define.

    Raises:
        SandboxUnavailable: This machine can't confine programs.
    """
    if abstained(answer):
        return UNPARSED
    program = build_program(as_text(answer), stub, entry_point)
    outcome = await passes_tests(program, tests)
    return Score(float(outcome.passed), outcome.passed, outcome.reason)


async def score_generated(
    answer: Any,
    *,
    kind: AnswerKind,
    reference: str,
    generator: str,
    seed: int,
    index: int,
    seconds: float = 10.0,
) -> Score:
    """Judge an answer to a generated question by the generator's own verifier.

    Args:
        answer: The answer; for kind "number" the verifier gets it in its normal form.
        kind: "number" or "text".
        reference: One right answer, "" where the generator names none.
        generator: The name in reasoning-gym.
        seed: The seed of its questions.
        index: Which of its questions.
        seconds: How long verifying may take; longer counts as wrong.
    """
    given = _number(answer) if kind == "number" else None
    if abstained(answer) or (kind == "number" and given is None):
        return UNPARSED
    text = as_text(answer).strip() if given is None else canonical_number(given)
    # The verifier of gsm_symbolic does not see a minus sign and takes -5 for 5.
    if given is not None and (given < 0) != ((_number(reference) or 0) < 0):
        return Score(0.0, False, "wrong sign")
    request = {"do": "verify", "generator": generator, "seed": seed, "index": index, "answer": text}
    try:
        value = await asyncio.to_thread(GENERATOR.ask, request, seconds=seconds)
    except HelperError as problem:
        return Score(0.0, False, f"could not be verified: {problem}")
    return Score(min(max(value, 0.0), 1.0), value >= _CORRECT, "verifier")


def _number(value: Any) -> Fraction | None:
    number = parse_number(value)
    if number is None and not abstained(value) and not isinstance(value, bool):
        number = final_number(as_text(value))
    return number


def _judged(correct: bool) -> Score:
    return Score(1.0, True, "correct") if correct else Score(0.0, False, "wrong")
