"""The evaluator: success or not, from the last three observations and the answer (PAE, step 4).

Its reward is 0 or 1. An attempt that ended without an answer is a 0, and nobody is asked. That it
is often wrong is known: :class:`Agreement` says how often, where the true reward is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from collegium.errors import ModelError
from collegium.kernel import Agent

SHOWN = 3
"""Observations that the evaluator sees."""

RETRIES = 2
"""How often an evaluator that failed is asked again; then the reward is 0."""

PROFILE = "You judge whether an agent did what it was asked to do. You are exact."

QUESTIONS = """Check, in this order, and write down what you find:
1. Is every claim of the answer confirmed by what is to be seen? What is not seen is not confirmed.
2. Was exactly that done which was asked for: nothing left out, nothing taken for something similar?
3. Was it done in the right place, and nowhere else?
Then end with one line: SUCCESS if all three hold, else NOT SUCCESS."""


class Verdict(msgspec.Struct, frozen=True):
    """What an evaluator said.

    Attributes:
        reward: 1 or 0.
        text: Its words; "" where it was not asked, or did not answer.
        asked: How often it was asked.
    """

    reward: int
    text: str = ""
    asked: int = 0


class Agreement(msgspec.Struct, frozen=True):
    """An evaluator beside the true reward: how often both, either and neither say success.

    Attributes:
        both: Both.
        evaluator: The evaluator alone: what it would wrongly teach.
        truth: The true reward alone: what it would miss.
        neither: Neither.
    """

    both: int = 0
    evaluator: int = 0
    truth: int = 0
    neither: int = 0

    @property
    def precision(self) -> float | None:
        """Of what the evaluator calls a success, the share that is one; None: it calls none so."""
        called = self.both + self.evaluator
        return self.both / called if called else None

    @property
    def recall(self) -> float | None:
        """Of the successes, the share that the evaluator sees; None: there was none."""
        there = self.both + self.truth
        return self.both / there if there else None

    @property
    def accuracy(self) -> float | None:
        """The share of attempts on which both say the same; None: there was none."""
        total = self.both + self.evaluator + self.truth + self.neither
        return (self.both + self.neither) / total if total else None


def read_verdict(text: str) -> int:
    """The reward that an evaluator's words give: 0 where they say NOT SUCCESS or lack SUCCESS."""
    return int("SUCCESS" in text and "NOT SUCCESS" not in text)


async def evaluate(
    agent: Agent,
    task: str,
    answer: str | None,
    seen: Sequence[str],
    *,
    place: str = "",
    max_tokens: int = 384,
) -> Verdict:
    """Judge an attempt.

    Args:
        agent: The evaluator.
        task: What was to be done.
        answer: What the agent answered in the end; None: it did not come to an end.
        seen: What it saw, in order; the last three are shown.
        place: Where it was to be done.
        max_tokens: Cap on the reply.

    Raises:
        LimitReached: A limit of the run is used up.
    """
    if answer is None:
        return Verdict(0)
    last = [*seen][-SHOWN:]
    shown = "\n\n".join(f"Observation {i} of {len(last)}:\n{s}" for i, s in enumerate(last, 1))
    where = f"The place:\n{place}\n\n" if place else ""
    question = (
        f"{where}The task:\n{task}\n\n{shown}\n\nThe agent's answer:\n{answer}\n\n{QUESTIONS}"
    )
    for attempt in range(1 + RETRIES):
        try:
            reply = await agent.ask(question, temperature=0.0, max_tokens=max_tokens)
        except ModelError:
            continue
        return Verdict(read_verdict(reply.text), reply.text, attempt + 1)
    return Verdict(0, "", 1 + RETRIES)


def agreement(pairs: Iterable[tuple[bool, bool]]) -> Agreement:
    """How often an evaluator was right.

    Args:
        pairs: Of each attempt, whether the evaluator and whether the true reward say success.
    """
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for said, true in pairs:
        counts[bool(said), bool(true)] += 1
    return Agreement(
        counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    )
