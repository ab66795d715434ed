"""Generations of the embedded engine that can be cut after any token and continued.

The engine is spoken to in tokens rather than in text, so that what it goes on from is exactly what
it wrote. Its state for a sample (the keys and values of everything read and written) can be kept
in a file and put back. The file is a cache and never the truth: the tokens are sent each time, and
the engine reads again whatever of them it finds missing.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collegium.errors import ModelError
from collegium.kernel.calls import Generate, Reply, Usage
from collegium.models.chat import Finish, wire_message

if TYPE_CHECKING:
    from collegium.models.local import LocalModel
    from collegium.models.model import OnText

_number = itertools.count().__next__
_SEED_STEP = 7919


class LocalGeneration:
    """One sample of an embedded model, written a slice at a time.

    Made by :meth:`LocalModel.start`. Greedy samples are the same however they are cut. Sampled
    ones depend on where they were cut: every slice has a random state of its own, drawn from the
    seed and the place of the cut, so the same cuts give the same text.

    Attributes:
        done: Whether the sample is complete.
        evaluated: Prompt tokens the engine read for it in all, those read again included.
    """

    def __init__(
        self, model: LocalModel, request: Generate, prompt: list[int], on_text: OnText | None
    ) -> None:
        self._model, self._request, self._prompt, self._on_text = model, request, prompt, on_text
        self._tokens: list[int] = []
        self._text = ""
        self._finish: Finish = "length"
        self._cached = 0
        self._kept: Path | None = None
        room = model.context - len(prompt)
        self._most = room if request.max_tokens is None else min(request.max_tokens, room)
        self.evaluated = 0
        self.done = self._most <= 0

    async def advance(self, tokens: int, lane: int) -> int:
        """Write at most so many tokens in a slot of the engine.

        Returns:
            How many were written.

        Raises:
            Transient: The engine died.
            ModelError: It refuses the request.
        """
        request = self._request
        body: dict[str, Any] = {
            "prompt": self._prompt + self._tokens,
            "n_predict": min(tokens, self._most - len(self._tokens)),
            "id_slot": lane,
            "cache_prompt": True,
            "return_tokens": True,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "seed": -1 if request.seed is None else self._seed(request.seed),
            "stop": list(request.stop),
            "lora": self._model.check(request),
        }
        answer = await self._model.post("/completion", body)
        written = answer["tokens"]
        self._tokens += written
        self._text += answer["content"]
        timings = answer["timings"]
        self.evaluated += timings["prompt_n"]
        if len(self._tokens) == len(written):
            self._cached = timings.get("cache_n", 0)
        if self._on_text and answer["content"]:
            self._on_text(0, answer["content"])
        over = any(stop in self._text for stop in request.stop if stop)
        if answer["stop_type"] != "limit" or over:
            self.done, self._finish = True, "stop"
        elif len(self._tokens) >= self._most:
            self.done = True
        if self.done:
            await self._spell(ended=answer["stop_type"] == "eos")
        return len(written)

    async def save(self, lane: int) -> None:
        """Keep the slot's state in a file; a failure only means that it will be read again."""
        engine = await self._model.engine()
        kept = engine.snapshots / f"{_number()}.state"
        with contextlib.suppress(ModelError):
            await self._model.post(f"/slots/{lane}?action=save", {"filename": kept.name})
            await self.close()
            self._kept = kept

    async def restore(self, lane: int) -> None:
        """Put the kept state back, unless the engine is another one by now."""
        engine = await self._model.engine()
        if self._kept is not None and self._kept.parent == engine.snapshots:
            body = {"filename": self._kept.name}
            with contextlib.suppress(ModelError):
                await self._model.post(f"/slots/{lane}?action=restore", body)

    def reply(self) -> Reply[Any]:
        """The sample; its prompt is counted once, however often it was cut."""
        usage = Usage(len(self._prompt), self._cached, len(self._tokens))
        return Reply(text=self._text, finish=self._finish, usage=usage)

    async def close(self) -> None:
        """Remove the kept state."""
        if self._kept is not None:
            self._kept.unlink(missing_ok=True)
            self._kept = None

    def _seed(self, seed: int) -> int:
        return (seed + _SEED_STEP * len(self._tokens)) % (1 << 31)

    async def _spell(self, *, ended: bool) -> None:
        """The text of all tokens at once: a cut may have fallen into a character."""
        tokens = self._tokens[:-1] if ended else self._tokens  # without the token that says so
        answer = await self._model.post("/detokenize", {"tokens": tokens})
        text = answer["content"].removesuffix("\ufffd")  # the cap cut a character in two
        places = [i for stop in self._request.stop if stop and (i := text.find(stop)) >= 0]
        self._text = text[: min(places, default=len(text))]


async def prompt_tokens(model: LocalModel, request: Generate) -> list[int]:
    """A request's conversation as the tokens the engine would read."""
    messages = [wire_message(m) for m in request.messages]
    answer = await model.post("/apply-template", {"messages": messages})
    body = {"content": answer["prompt"], "add_special": True, "parse_special": True}
    return (await model.post("/tokenize", body))["tokens"]
