r"""Writes a LaTeX answer in the one way that answers meaning the same usually share.

This is string work, quick and without algebra: ``\boxed{\dfrac12}`` becomes ``\frac{1}{2}``. It
groups answers for a vote; whether two answers are equal is for :mod:`collegium.tasks.math_equal`.
"""

from __future__ import annotations

import re

from collegium.tasks.number import boxed

_LONGEST = 1_000
"""Characters; what is longer is no answer, and is left alone."""

_ANNOUNCED = re.compile(r"\banswer\s*(?:is\b:?|:)", re.IGNORECASE)

_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^\s*(?:\$+|\\[(\[])(.*?)(?:\$+|\\[)\]])\s*$", r"\1"),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])", ""),
        (r"\\[!,;:]|\\q?quad(?![a-zA-Z])|~|(?<!\\)\\ ", " "),
        (r"\{,\}", ","),
        (r"\\([$%])", r"\1"),
        (r"\\[dtc]frac", r"\\frac"),
        (r"\\frac\s*([0-9])\s*([0-9a-zA-Z])(?![0-9])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\{[^{}]*\})\s*([0-9a-zA-Z])", r"\\frac\1{\2}"),
        (r"\\frac\s*([0-9])\s*(\{)", r"\\frac{\1}\2"),
        (r"\\sqrt\s*([0-9a-zA-Z])", r"\\sqrt{\1}"),
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])|°", ""),
        # Text at the end of something is its unit; text alone is the answer.
        (r"(?<=[0-9})\]])\s*\\(?:text|textrm|mbox|mathrm)\s*\{[^{}]*\}\s*$", ""),
        (r"\\(?:text|textrm|textbf|mbox|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1"),
        (r"([_^])\{([0-9a-zA-Z])\}", r"\1\2"),
        (r"^(?:\s*[a-zA-Z]\s*=(?!=)\s*)+(?=\S)", ""),
        (r"\s+", ""),
        (r"[.,;:]+$", ""),
    )
)


def plain_latex(text: str) -> str:
    r"""Write an answer without what does not change its meaning.

    Takes the content of the last ``\boxed{}`` if there is one; drops ``$``, spaces, ``\left`` and
    ``\right``, degree signs, units at the end, a leading ``x =`` and a trailing dot; writes all
    fractions as ``\frac{a}{b}``. A single word loses its capitals.

    Args:
        text: The answer.

    Returns:
        Its plain form, which is its own plain form; a very long text comes back as it is.
    """
    before = None
    # One rule may make room for another. Each only shortens or settles a spelling, so this ends.
    while text != before:
        before = text
        text = _concluding(text)
        if len(text) > _LONGEST:
            continue
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
        if len(text) > 1 and text.isalpha():
            text = text.casefold()
    return text


def _concluding(text: str) -> str:
    """Find the answer in a text that may lead up to it in words."""
    inside = boxed(text)
    if inside is not None and inside.strip():
        return inside
    for announced in _ANNOUNCED.finditer(text):
        if (rest := text[announced.end() :]).strip():
            text_after = rest
            break
    else:
        text_after = text
    ended = text_after.rstrip(" \n.")
    start = ended[:-1].rfind("$")
    if ended.endswith("$") and start > 0 and re.search(r"[a-zA-Z]{2,}", ended[:start]):
        return ended[start + 1 : -1] or text_after
    return text_after
