"""Normal forms of answers: equal answers have equal normal forms, which is what a vote counts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Sequence
from typing import Any

from collegium.kernel.calls import Unparsed
from collegium.tasks.code import extract_code
from collegium.tasks.latex import plain_latex
from collegium.tasks.number import boxed, canonical_number, final_number, parse_number
from collegium.tasks.task import AnswerKind

_LETTER = re.compile(
    r"""
    (?:(?:the\ )?(?:final\ |correct\ |best\ )?(?:answer|option|choice)(?:\ is)?\s*:?\s*)?
    (?: \(\s*(?P<enclosed>[A-Za-z])\s*\) | (?P<bare>[A-Za-z]) )
    (?: [.):,\s]*$ | (?:(?<=\))|[.):])\s*\S.*$ )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def abstained(value: Any) -> bool:
    """Say whether a system gave no answer: None, an ``Unparsed`` reply, or an empty text."""
    return (
        value is None
        or isinstance(value, Unparsed)
        or (isinstance(value, str) and not value.strip())
    )


def normalise_answer(value: Any, kind: AnswerKind, choices: Sequence[str] = ()) -> Hashable | None:
    r"""Bring an answer into its normal form, so that equal answers can be counted.

    ``12``, ``12.0``, ``"$12"``, ``"12.00"`` and ``"\\boxed{12}"`` all become ``"12"``. The normal
    form of a normal form is itself.

    Args:
        value: Whatever a system returned.
        kind: The kind of answer the task wants.
        choices: The options of a multiple-choice task; without them any single letter will do.

    Returns:
        The normal form, or None for an answer that is empty or can't be read as that kind.
    """
    if abstained(value):
        return None
    if kind == "number":
        return _number(value)
    if kind == "latex":
        return _latex(value)
    if kind == "choice":
        return choice_letter(value, choices)
    if kind == "code":
        return _code(as_text(value))
    return folded(as_text(value)) or None


def as_text(value: Any) -> str:
    """Write a value as text; a whole float as the whole number it is."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def folded(text: str) -> str:
    """Write a text without regard to case, spacing, Unicode variants and a final full stop."""
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    # Folding case can leave a sequence that normalises further.
    words = " ".join(unicodedata.normalize("NFKC", words).split())
    return words.rstrip(". ") or words


def choice_letter(value: Any, choices: Sequence[str] = ()) -> str | None:
    """Read an answer to a multiple-choice task as the letter of an option.

    Args:
        value: A letter ("b", "(B)", "B.", "B) Paris", "Answer: B") or the text of an option.
        choices: The options in order; without them any single letter will do.

    Returns:
        The letter in upper case, or None if no option is meant.
    """
    if abstained(value):
        return None
    text = as_text(value).strip()
    text = plain_latex(text) if boxed(text) else text
    bare = _bare(text)
    letters = [chr(ord("A") + index) for index in range(len(choices) or 26)]
    if len(bare) == 1 and bare.upper() in letters:
        return bare.upper()
    # "Bb" and "BB", "6" and "6'" may be different options: the spelling counts before it is
    # smoothed out.
    for spelling in (str.strip, _bare, lambda text: folded(_bare(text))):
        meant = [
            letter
            for letter, choice in zip(letters, choices, strict=False)
            if spelling(choice) == spelling(text)
        ]
        if len(meant) == 1:
            return meant[0]
    match = _LETTER.match(bare)
    letter = (match["enclosed"] or match["bare"]).upper() if match else ""
    return letter if letter in letters else None


def _bare(text: str) -> str:
    return text.strip().strip("*`$\"'").strip()


def _number(value: Any) -> str | None:
    number = parse_number(value)
    if number is None and not isinstance(value, bool):
        number = final_number(as_text(value))
    return None if number is None else canonical_number(number)


def _latex(value: Any) -> str | None:
    number = parse_number(value)
    if number is None:
        text = plain_latex(as_text(value))
        number = parse_number(text)
        if number is None:
            return text or None
    return canonical_number(number)


def _code(text: str) -> str | None:
    lines = [line.rstrip() for line in extract_code(text).splitlines()]
    return "\n".join(lines).strip("\n") or None
