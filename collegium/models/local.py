"""The embedded model: requests to a llama.cpp engine that all agents of this program share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from collegium.errors import BadInput, ModelError, Transient, unknown_name
from collegium.kernel.calls import Generate, Reply, Usage
from collegium.models.beams import BeamGeneration, check_beams, search
from collegium.models.chat import Draft, chat_body, read_events, read_usage
from collegium.models.engine import (
    Engine,
    EngineSettings,
    available_cores,
    borrow,
    fast_slots,
    give_back,
)
from collegium.models.engine_client import asked, asking, pieces
from collegium.models.model import OnText
from collegium.models.native import choose_engine, wheel_version
from collegium.models.problems import context_too_long
from collegium.models.slices import LocalGeneration, prompt_tokens
from collegium.models.unpacked import unpacked_path
from collegium.models.weights import file_sha256, find_weights

CHAT = "/v1/chat/completions"

SHOWN_SECONDS = 0.03
"""How long written text may wait to be shown, so that tokens that come quickly come together."""

_EXACT_SLOTS = 8
_SETTLE_SECONDS = 0.02
_SETTLE_SECONDS_MOST = 1.3


class LocalModel:
    """A GGUF model on this machine.

    Two policies over the same engine. *Exact*: one request at a time and no reuse of prompts, so
    that the same request with the same seed gives the same text, run after run. *Fast*: requests
    of several agents are computed together and shared beginnings are read once; sums are then
    taken in another order, which changes their last bits and, now and then, the sampled text.

    The ``n`` samples of one request are always computed together; sample i has seed ``seed + i``.
    """

    def __init__(
        self,
        name: str,
        *,
        exact: bool = True,
        context: int = 4096,
        slots: int | None = None,
        threads: int | None = None,
        poll: int = 0,
        cache_mib: int = 256,
        adapters: Mapping[str, str | Path] | None = None,
        engine: str | Path = "auto",
    ) -> None:
        """Describe the model; the engine starts with the first request.

        Args:
            name: An embedded model's name, or ``gguf:`` and the path of a weight file.
            exact: Reproducible rather than fast.
            context: Tokens of context for each sample.
            slots: Samples that are computed at the same time; None: 8 when exact, else as many as
                the machine's memory is good for (see :func:`fast_slots`).
            threads: Compute threads; None: one per physical core.
            poll: How eagerly waiting compute threads spin, 0 to 100.
            cache_mib: Memory for the states of prompts that lost their slot, in MiB.
            adapters: LoRA adapters that requests may ask for: name to GGUF file.
            engine: "wheel", "native", "auto" (native when one is installed), or the path of a
                ``llama-server`` program.

        Raises:
            BadInput: An option has an impossible value.
            UnknownName: There is no such embedded model.
        """
        if slots is None:
            slots = _EXACT_SLOTS if exact else fast_slots()
        if slots < 1 or context < 256 or not 0 <= poll <= 100 or (threads or 1) < 1:
            raise BadInput(
                "an embedded model wants slots >= 1, context >= 256, threads >= 1 and "
                f"0 <= poll <= 100, not slots={slots}, context={context}, "
                f"threads={threads}, poll={poll}."
            )
        self.name = name
        self.context = context
        self.exact = exact
        self._slots = slots
        self._threads = threads or available_cores()
        self._poll, self._cache_mib = poll, cache_mib
        self._adapters = {k: Path(v).expanduser().resolve() for k, v in (adapters or {}).items()}
        for adapter, path in self._adapters.items():
            if not path.is_file():
                raise BadInput(f"adapter {adapter!r}: there is no file {path}.")
        self._native = choose_engine(engine)
        self._file = _gguf_file(name)
        self._fingerprint: str | None = None
        self._settings: EngineSettings | None = None
        self._engine: Engine | None = None

    @property
    def fingerprint(self) -> str:
        """Weights, engine build, and the settings that can change a sum or the policy."""
        if self._fingerprint is None:
            sums = [file_sha256(path)[:12] for path in self._adapters.values()]
            weights = file_sha256(self._file) if self._file else find_weights(self.name).sha256
            self._fingerprint = ":".join(
                (
                    weights[:16],
                    self._native[0] if self._native else f"wheel-{wheel_version()}",
                    f"{self.context}x{self._slots}t{self._threads}",
                    "exact" if self.exact else "fast",
                    *sums,
                )
            )
        return self._fingerprint

    @property
    def engine_kind(self) -> str:
        """Which engine answers: "native" or "wheel"."""
        return "native" if self._native else "wheel"

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Answer a request; see :class:`collegium.models.Model`.

        Raises:
            ContextTooLong: The prompt has more tokens than a slot.
            WeightsMissing: The weights were not fetched yet.
            WeightsDamaged: The weight file is not what it must be.
            Transient: The engine died; the next request starts it again.
            ModelError: The engine refuses the request.
        """
        lora = self.check(request)
        if request.beams > 1:
            return (await search(await self._beams(request, on_text)),)
        engine = await self.engine()
        drafts: list[Draft] = []
        async with engine.gate.enter(alone=self.exact):
            if self.exact:
                await self._settle(engine)
            while len(drafts) < request.n:
                first = len(drafts)
                n = min(self._slots, request.n - first)
                seed = None if request.seed is None else request.seed + first
                # a stream counts every sample's tokens and stops at once when it is dropped, but
                # leaves out log-probs of tokens that end inside a character
                stream = not request.logprobs
                body = chat_body(request, n=n, seed=seed, stream=stream)
                body["cache_prompt"] = not self.exact
                if self.exact:
                    body["id_slot"] = 0
                if self._adapters:
                    body["lora"] = lora
                try:
                    if stream:
                        drafts += await self._stream(engine, request, body, first, on_text)
                    else:
                        drafts += await self._whole(engine, request, body, first, on_text)
                except BaseException:
                    engine.unsettled = True  # the dropped request may occupy its slot for a while
                    raise
        return tuple(draft.reply(request.tools) for draft in drafts)

    def can_slice(self, request: Generate) -> bool:
        """Whether a request's generation can be cut and continued: one sample of free text."""
        form = request.schema or request.grammar or request.tools
        return request.n == 1 and not (form or request.logprobs or request.prefill)

    async def start(
        self, request: Generate, on_text: OnText | None = None
    ) -> LocalGeneration | BeamGeneration:
        """Prepare a sample, or a beam search, that a scheduler writes slice by slice.

        Raises:
            ContextTooLong: The prompt has more tokens than a slot.
        """
        self.check(request)
        if request.beams > 1:
            return await self._beams(request, on_text)
        return LocalGeneration(self, request, await self._prompt(request), on_text)

    async def _beams(self, request: Generate, on_text: OnText | None) -> BeamGeneration:
        if self.exact:
            raise BadInput(
                "beam search computes beams together, which is not bit-identical; ask for it with "
                "--fast (exact=False)."
            )
        prompt, ends = await self._prompt(request), await self._ends()
        return BeamGeneration(self, request, prompt, ends, on_text=on_text)

    async def _prompt(self, request: Generate) -> list[int]:
        prompt = await prompt_tokens(self, request)
        if len(prompt) >= self.context:
            raise context_too_long(self.name, request, len(prompt), self.context)
        return prompt

    async def _ends(self) -> list[int]:
        """The tokens that end a reply."""
        engine = await self.engine()
        props = await self._told(engine, "GET", "/props")
        body = {"content": props["eos_token"], "parse_special": True}
        return (await self.post("/tokenize", body))["tokens"]

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Put a question to the engine's own interface, beside others that use it.

        Raises:
            Transient: The engine died.
            ModelError: It refuses.
        """
        engine = await self.engine()
        async with engine.gate.enter(alone=False):
            return await self._told(engine, "POST", path, body)

    async def count_tokens(self, text: str) -> int:
        """How many tokens a text has, without the tokens of a chat around it."""
        answer = await self._told(await self.engine(), "POST", "/tokenize", {"content": text})
        return len(answer["tokens"])

    async def slots_busy(self) -> int:
        """How many of the engine's slots work at this moment."""
        return await self._busy(await self.engine())

    async def aclose(self) -> None:
        """End the engine unless another model uses it."""
        self._engine = None
        if self._settings is not None:
            await asyncio.to_thread(give_back, self._settings, id(self))

    def check(self, request: Generate) -> list[dict[str, Any]]:
        """Refuse what an embedded model cannot do; returns the LoRA part of the request."""
        if any(message.images for message in request.messages):
            raise ModelError(
                f"{self.name!r} reads text only, but agent {request.agent!r} sent a picture; "
                "use a model that sees, such as openai:gpt-4o."
            )
        if request.prefill and (
            not request.messages or request.messages[-1].role != "assistant" or request.tools
        ):
            raise BadInput("prefill needs an assistant's turn as last message, and no tools.")
        if request.beams > 1:
            check_beams(request, self._slots)
        if request.grammar is not None and (request.schema is not None or request.tools):
            raise BadInput("a request takes a grammar, or a schema or tools, but not both.")
        for adapter, _ in request.adapters:
            if adapter not in self._adapters:
                raise unknown_name("adapter", adapter, self._adapters)
        scales = dict(request.adapters)
        # one that is left out would be applied in full
        return [
            {"id": place, "scale": scales.get(adapter, 0.0)}
            for place, adapter in enumerate(self._adapters)
        ]

    async def engine(self) -> Engine:
        """The running engine; started, or started again, if need be."""
        if self._engine is None or not self._engine.alive:
            self._engine = await asyncio.to_thread(self._borrow)
        return self._engine

    def _borrow(self) -> Engine:
        if self._settings is None:
            path = self._file or unpacked_path(self.name)
            self._settings = EngineSettings(
                weights=str(path),
                context=self.context,
                slots=self._slots,
                threads=self._threads,
                poll=self._poll,
                cache_mib=self._cache_mib,
                adapters=tuple((name, str(path)) for name, path in self._adapters.items()),
                native=self._native[1] if self._native else None,
            )
        return borrow(self._settings, id(self))

    async def _whole(
        self,
        engine: Engine,
        request: Generate,
        body: dict[str, Any],
        first: int,
        on_text: OnText | None,
    ) -> list[Draft]:
        """Send a request and take the whole answer."""
        status, answer = await asked(engine, self.name, "POST", CHAT, body)
        if status != 200:
            self._refused(request, status, answer)
        drafts = [Draft() for _ in range(body["n"])]
        for choice in answer["choices"]:
            draft = drafts[choice["index"]]
            if request.prefill:  # a whole answer repeats the turn it goes on with
                turn = request.messages[-1].text
                content = choice["message"].get("content") or ""
                choice["message"]["content"] = content.removeprefix(turn)
            text = draft.add(choice["message"])
            draft.end(choice)
            # the engine counts the tokens of the first sample only
            draft.usage = Usage(completion=len(draft.logprobs))
            if on_text and text:
                on_text(first + choice["index"], text)
        drafts[0].usage = read_usage(answer["usage"])
        return drafts

    async def _stream(
        self,
        engine: Engine,
        request: Generate,
        body: dict[str, Any],
        first: int,
        on_text: OnText | None,
    ) -> list[Draft]:
        """Send a request and take the answer in pieces."""
        drafts = [Draft() for _ in range(body["n"])]
        ended = 0
        async with asking(engine, self.name, "POST", CHAT, body) as response:
            if response.status != 200:
                self._refused(request, response.status, msgspec.json.decode(await response.read()))
            every = SHOWN_SECONDS if on_text else None
            async for events in read_events(pieces(response, every)):
                texts = [""] * len(drafts)
                for event in events:
                    if "error" in event:
                        self._refused(request, 500, event)
                    for choice in event["choices"]:
                        index = choice["index"]
                        texts[index] += drafts[index].add(choice["delta"])
                        if choice.get("finish_reason"):
                            drafts[index].end(choice)
                            ended = index
                    if event.get("usage"):  # follows the end of the sample it counts
                        usage = read_usage(event["usage"])
                        drafts[ended].usage = (
                            usage if ended == 0 else Usage(completion=usage.completion)
                        )
                for index, text in enumerate(texts):
                    if text and on_text:
                        on_text(first + index, text)
        return drafts

    async def _told(
        self, engine: Engine, method: Literal["GET", "POST"], path: str, body: Any = None
    ) -> Any:
        """The answer of the engine's own interface; raises what it refuses with."""
        status, answer = await asked(engine, self.name, method, path, body)
        if status != 200:
            raise self._problem(status, answer)
        return answer

    def _refused(self, request: Generate, status: int, answer: dict[str, Any]) -> NoReturn:
        """Raise the error that an unsuccessful answer stands for."""
        error = answer.get("error")
        if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":
            sent, fits = int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", self.context))
            raise context_too_long(self.name, request, sent, fits)
        raise self._problem(status, answer)

    def _problem(self, status: int, answer: dict[str, Any]) -> ModelError:
        """The error that an unsuccessful answer of the engine stands for."""
        error = answer.get("error")
        message = error.get("message", "") if isinstance(error, dict) else error
        if status >= 500:
            return Transient(f"the embedded engine of {self.name!r} failed: {message}")
        return ModelError(f"the embedded engine of {self.name!r} refused the request: {message}")

    async def _settle(self, engine: Engine) -> None:
        """Wait until no dropped request is left in a slot, where it would change later sums."""
        pause = _SETTLE_SECONDS
        while engine.unsettled:
            if await self._busy(engine) == 0:
                engine.unsettled = False
            else:
                # the engine looks for dropped requests after a second without questions
                await asyncio.sleep(pause)
                pause = min(2 * pause, _SETTLE_SECONDS_MOST)

    async def _busy(self, engine: Engine) -> int:
        slots = await self._told(engine, "GET", "/slots")
        return sum(1 for slot in slots if slot["is_processing"])


def _gguf_file(name: str) -> Path | None:
    """The user's own weight file of a ``gguf:`` name; None for an embedded model."""
    if not name.startswith("gguf:"):
        find_weights(name)
        return None
    path = Path(name.removeprefix("gguf:")).expanduser().resolve()
    if not path.is_file():
        raise BadInput(f"model {name!r}: there is no file {path}.")
    return path
