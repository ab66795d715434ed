"""When answers agree: the early stop of HALO, after Byzantine agreement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from collegium.tasks.answers import normalise_answer
from collegium.tasks.task import Task

SUPPORT = 0.66
"""Share of the answers that must agree to stop early (Byzantine agreement: two thirds)."""

BLEU = 70.0
"""Sentence-BLEU, 0 to 100, from which two texts agree."""


class Agreement(msgspec.Struct, frozen=True):
    """The rule by which answers agree, and its name."""

    name: str
    agree: Callable[[Any, Any], bool]


def agreement(task: Task) -> Agreement:
    """Equal normal forms; for text and code also sentence-BLEU >= 70 where sacrebleu is there."""

    def equal(a: Any, b: Any) -> bool:
        one = normalise_answer(a, task.answer, task.choices)
        return one is not None and one == normalise_answer(b, task.answer, task.choices)

    if task.answer not in ("text", "code"):
        return Agreement("equality", equal)
    try:
        from sacrebleu import sentence_bleu
    except ImportError:
        return Agreement("equality", equal)

    def alike(a: Any, b: Any) -> bool:
        return equal(a, b) or sentence_bleu(str(b), [str(a)], lowercase=True).score >= BLEU

    return Agreement(f"equality or sentence-BLEU >= {BLEU:g}", alike)


def consensus(answers: Sequence[Any], rule: Agreement) -> int | None:
    """Step 5: which answer at least 0.66 of two or more answers agree with; None: go on.

    Args:
        answers: Readable answers in order; the later one is compared with the earlier.
        rule: When two of them agree.
    """
    n = len(answers)
    if n < 2:
        return None
    h = [
        1 + sum(rule.agree(answers[min(i, j)], answers[max(i, j)]) for j in range(n) if j != i)
        for i in range(n)
    ]
    best = h.index(max(h))
    return best if h[best] / n >= SUPPORT else None
