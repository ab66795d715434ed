"""Models both ways: Inspect's as ours, so that its logs and limits count every call; ours as its.

A system under Inspect always calls through Inspect's model layer, also where one of our models is
named: ``-S model=local`` is Inspect's ``collegium/local``.
"""

from __future__ import annotations

import uuid
from contextvars import ContextVar
from time import perf_counter
from typing import Any

import msgspec

from collegium.bench.inspect_bridge.wire import (
    our_reply,
    our_request,
    their_config,
    their_messages,
    their_output,
    their_tools,
)
from collegium.errors import BadInput, Transient, missing_extra
from collegium.kernel import Generate, Message, Reply
from collegium.kernel.kernel import gather
from collegium.models import open_model
from collegium.models.model import Model, OnText

try:
    from inspect_ai.model import (
        ChatMessage,
        GenerateConfig,
        ModelAPI,
        ModelOutput,
        StreamTextEvent,
        modelapi,
    )
    from inspect_ai.model import Model as TheirModel
    from inspect_ai.tool import ToolChoice, ToolInfo
    from inspect_ai.util import span
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None

PREFIX = "collegium/"
"""What Inspect puts before the names of our solvers and models."""

_request: ContextVar[Generate | None] = ContextVar("_request", default=None)
"""What an agent asks for, on its way through Inspect to a model of ours: nothing of it is lost."""


class InspectModel:
    """A model of Inspect's as one of ours.

    Every sample is a generation of its own, for few of its providers give several at once: Inspect
    logs each as an event inside a span that has the agent's name, and counts it to all its limits.

    Args:
        model: The model, as Inspect's ``get_model`` gives it.
    """

    def __init__(self, model: TheirModel) -> None:
        self.model = model
        self.name = str(model)
        self.context = 0
        self.fingerprint = f"inspect:{self.name}:{uuid.uuid4().hex}"  # nothing is known of it

    @property
    def ours(self) -> bool:
        """Whether a model of ours is behind it, which obeys whatever an agent asks for."""
        return self.name.startswith(PREFIX)

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Ask for every sample; results come in their order.

        Raises:
            BadInput: The request has a grammar, adapters, beams or an unfinished turn.
            LimitExceededError: A limit of Inspect's is reached; it ends the sample there.
        """
        if not self.ours:
            self._require(request)
        return tuple(await gather(*(self._sample(request, i, on_text) for i in range(request.n))))

    async def aclose(self) -> None:
        """Inspect closes its models itself."""

    async def _sample(self, request: Generate, number: int, on_text: OnText | None) -> Reply[Any]:
        async def heard(event: Any) -> None:
            if isinstance(event, StreamTextEvent) and on_text is not None:
                on_text(number, event.text)

        seed = request.seed + number if request.seed is not None else None
        outside = _request.set(msgspec.structs.replace(request, n=1, seed=seed))
        try:
            async with span(request.agent, type="agent"):
                output = await self.model.generate(
                    their_messages(self._asked(request)),
                    tools=their_tools(request.tools),
                    config=their_config(request, number),
                    on_stream=heard if on_text is not None else None,
                )
        finally:
            _request.reset(outside)
        return our_reply(output)

    def _asked(self, request: Generate) -> tuple[Message, ...]:
        """The conversation; to models that may not be held to a form, it is told in words."""
        if request.schema is None or self.ours:
            return request.messages
        form = msgspec.json.encode(request.schema).decode()
        told = f"Reply with JSON alone, of this JSON schema: {form}"
        *before, last = request.messages
        if last.role != "user":
            return (*request.messages, Message("user", told))
        return (*before, msgspec.structs.replace(last, text=f"{last.text}\n\n{told}"))

    def _require(self, request: Generate) -> None:
        for what, there in (
            ("a grammar", request.grammar is not None),
            ("adapters", bool(request.adapters)),
            ("a search with beams", request.beams > 1),
            ("an unfinished turn", request.prefill),
        ):
            if there:
                raise BadInput(
                    f"{self.name} cannot be given {what} through Inspect; "
                    "name one of our embedded models: -S model=local."
                )


class CollegiumAPI(ModelAPI):
    """A model of ours as one of Inspect's: ``--model collegium/local``.

    Args:
        model_name: Its name without the prefix.
        base_url: Not used; an address is part of a model's name.
        api_key: Not used; keys are read from the environment.
        config: Inspect's configuration.
        options: Passed on to the model (``-M context=8192``).
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        **options: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._model: Model = open_model(model_name, **{"exact": False, **options})

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer a request; one that came from an agent of ours is answered as it was made."""
        request = _request.get() or our_request(input, tools, config)
        if tool_choice == "none":
            request = msgspec.structs.replace(request, tools=())
        begin = perf_counter()
        replies = await self._model.generate(request)
        return their_output(self.model_name, replies, perf_counter() - begin)

    def should_retry(self, ex: Exception) -> bool:
        """Whether a failure may pass."""
        return isinstance(ex, Transient)

    async def aclose(self) -> None:
        """Within a process, everyone who asks for a model shares one: it stays open."""


@modelapi(name="collegium")
def collegium_models() -> type[ModelAPI]:
    """Our models for Inspect."""
    return CollegiumAPI
