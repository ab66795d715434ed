"""Decides whether two mathematical answers are equal, by the library math-verify where needed."""

from __future__ import annotations

import asyncio

from collegium.tasks.answers import normalise_answer
from collegium.tasks.helper import MATH
from collegium.tasks.number import boxed, numbers_equal, parse_number

_LONGEST = 2_000


async def math_equal(answer: str, reference: str, *, seconds: float = 5.0) -> bool:
    r"""Decide whether an answer means the same as a reference: ``2(k+1)`` and ``2k+2`` do.

    Equal normal forms and plain numbers are settled at once; for the rest math-verify does the
    algebra in a helper process, which a runaway expression can't outlive.

    Args:
        answer: What was answered, in LaTeX or plain notation; may be inside ``\boxed{}``.
        reference: The right answer.
        seconds: How long the algebra may take.

    Returns:
        Whether they are equal. What can't be read is not.

    Raises:
        HelperTimeoutError: The algebra took too long.
        HelperError: It failed, such as by running out of memory.
        MissingExtra: math-verify is needed and not installed.
    """
    answer, reference = boxed(answer) or answer, boxed(reference) or reference
    forms = [normalise_answer(text, "latex") for text in (answer, reference)]
    if None in forms:
        return False
    if forms[0] == forms[1]:
        return True
    numbers = [parse_number(form) for form in forms]
    if numbers[0] is not None and numbers[1] is not None and "%" not in answer + reference:
        return numbers_equal(numbers[0], numbers[1])
    if len(answer) > _LONGEST:
        return False
    request = {"do": "same", "answer": answer, "reference": reference}
    return await asyncio.to_thread(MATH.ask, request, seconds=seconds)
