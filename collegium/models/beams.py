"""Beam search on the embedded engine, one step at a time, with a state that survives a cut.

The logits mode of AIOS (arXiv 2403.16971, section 3.4) keeps, for a search that is interrupted,
its step, its beams and their scores. Here that state is :class:`Beams`: tokens and log-probs alone.
The keys and values of a beam are the engine's cache; what is missing there is read again, so a
search that goes on from its state takes the same steps as one that was never cut.

Paper vs code vs ours
---------------------
* Each step scores every continuation, score(beam) + log p(token | prompt, beam), over all beams at
  once, and keeps the best. Only the likeliest ``width`` tokens of a beam can be among the best
  ``width`` of all, and one more in case one of them ends the text, so no others are asked for.
* The authors' snapshot of 2024 begins again at the step that was already done, which adds a token
  at every switch. Here a step is either whole or not begun.
* Scores are sums of log-probs, as in the paper; there is no penalty for length.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import Generate, Reply, Usage
from collegium.kernel.kernel import gather

if TYPE_CHECKING:
    from collegium.models.local import LocalModel
    from collegium.models.model import OnText

Alternatives = Sequence[tuple[int, float]]
"""The likeliest next tokens with their natural-log probabilities, best first."""


class Beam(msgspec.Struct, frozen=True):
    """One candidate text: its tokens, and the sum of their log-probs."""

    tokens: tuple[int, ...] = ()
    score: float = 0.0


class Beams(msgspec.Struct, frozen=True):
    """The state of a search: all that is needed to go on.

    Attributes:
        step: Steps taken, which is the length of every open beam.
        open: Beams that go on, best first.
        ended: Beams that ended, best first.
    """

    step: int = 0
    open: tuple[Beam, ...] = (Beam(),)
    ended: tuple[Beam, ...] = ()

    @property
    def best(self) -> Beam:
        """The best beam: an ended one unless there is none."""
        return (self.ended or self.open)[0]

    def over(self, width: int) -> bool:
        """Whether no open beam can still be among the best: scores only fall."""
        if not self.open:
            return True
        return len(self.ended) >= width and self.ended[width - 1].score >= self.open[0].score


def step(
    state: Beams, alternatives: Sequence[Alternatives], width: int, ends: Collection[int]
) -> Beams:
    """Take one step of beam search.

    Args:
        state: Where the search stands.
        alternatives: For every open beam its likeliest next tokens.
        width: Beams to keep.
        ends: The tokens that end a text.

    Returns:
        The state after the step; ties keep the order of beams and tokens.
    """
    grown = [
        (Beam((*beam.tokens, token), beam.score + logprob), token)
        for beam, found in zip(state.open, alternatives, strict=True)
        for token, logprob in found
    ]
    grown.sort(key=lambda pair: -pair[0].score)
    ended = [beam for beam, token in grown[: 2 * width] if token in ends]
    kept = [beam for beam, token in grown if token not in ends][:width]
    best = sorted([*state.ended, *ended], key=lambda beam: -beam.score)[:width]
    return Beams(state.step + 1, tuple(kept), tuple(best))


class BeamGeneration:
    """A beam search of the embedded model, written a slice at a time.

    Args:
        model: The model, in its fast form: beams share what they have in common.
        request: What is asked, with ``beams`` > 1.
        prompt: It, as tokens.
        ends: The tokens that end a text.
        state: Where to go on from.
        on_text: Called with the text once it is found: until then another beam may win.
    """

    def __init__(
        self,
        model: LocalModel,
        request: Generate,
        prompt: list[int],
        ends: Collection[int],
        state: Beams = Beams(),
        on_text: OnText | None = None,
    ) -> None:
        self._model, self._request, self._prompt, self._ends = model, request, prompt, ends
        room = model.context - len(prompt)
        self._most = room if request.max_tokens is None else min(request.max_tokens, room)
        self._on_text, self._text = on_text, ""
        self._written = 0
        self.state = state
        self.done = self._most <= 0

    async def advance(self, tokens: int, lane: int) -> int:
        """Take at most so many steps; returns how many it were.

        Raises:
            Transient: The engine died; the step in hand is not taken.
        """
        width, taken = self._request.beams, 0
        while taken < tokens and not self.done:
            alternatives = await gather(
                *(self._next(beam, place) for place, beam in enumerate(self.state.open))
            )
            self._written += len(self.state.open)
            self.state = step(self.state, alternatives, width, self._ends)
            taken += 1
            self.done = self.state.step >= self._most or self.state.over(width)
        if self.done and not self._text:
            best = [token for token in self.state.best.tokens if token not in self._ends]
            answer = await self._model.post("/detokenize", {"tokens": best})
            self._text = answer["content"].removesuffix("\ufffd")
            if self._on_text and self._text:
                self._on_text(0, self._text)
        return taken

    async def save(self, lane: int) -> None:
        """Nothing to do: the state is no part of the engine."""

    async def restore(self, lane: int) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    def reply(self) -> Reply[str]:
        """The best beam; every token of every beam is paid for."""
        usage = Usage(prompt=len(self._prompt), completion=self._written)
        ended = bool(self.state.best.tokens) and self.state.best.tokens[-1] in self._ends
        return Reply(text=self._text, finish="stop" if ended else "length", usage=usage)

    async def _next(self, beam: Beam, place: int) -> Alternatives:
        answer = await self._model.post(
            "/completion",
            {
                "prompt": [*self._prompt, *beam.tokens],
                "n_predict": 1,
                "n_probs": self._request.beams + 1,
                "temperature": 0.0,
                "cache_prompt": True,
                "id_slot": place,
            },
        )
        (found,) = answer["completion_probabilities"]
        return [(entry["id"], entry["logprob"]) for entry in found["top_logprobs"]]


def check_beams(request: Generate, slots: int) -> None:
    """Refuse what does not go with beam search.

    Raises:
        BadInput: The request also samples, or binds or cuts its text.
    """
    bound = request.schema or request.grammar or request.tools or request.stop
    if request.n != 1 or bound or request.logprobs or request.prefill:
        raise BadInput(
            "beam search gives one free text; leave out samples, schema, grammar, tools, stop "
            "sequences, log-probs and prefill, or ask with beams=1."
        )
    if not 1 < request.beams <= slots:
        raise BadInput(f"this engine searches with 2 to {slots} beams, not {request.beams}.")


async def search(generation: BeamGeneration) -> Reply[str]:
    """Carry a search to its end."""
    while not generation.done:
        await generation.advance(64, 0)
    return generation.reply()
