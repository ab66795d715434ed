"""What the kernel asks of a language-model driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from collegium.kernel.calls import Generate, Reply

OnText = Callable[[int, str], None]
"""Called with (sample index, piece of text) while a reply is being written."""


@runtime_checkable
class Model(Protocol):
    """A language model. Implementations hold no conversation state.

    Attributes:
        name: As the user wrote it ("local", "openai:gpt-...").
        fingerprint: Changes whenever the same request could give another answer
            (weights, engine build, settings): the response cache's key starts with it.
        context: Size of the context window in tokens, 0 when unknown.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def context(self) -> int: ...

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Answer a request with ``request.n`` replies, in sample order.

        Raises:
            Transient: The failure may pass (429, 5xx, connection reset); the kernel retries.
            ModelError: Any other failure, in one clear sentence.
        """
        ...

    async def aclose(self) -> None:
        """Release connections and processes; safe to call twice."""
        ...
