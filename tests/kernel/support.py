"""A model that answers from a function, and what tests of the kernel share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from collegium.kernel import Agent, Generate, Message, Reply, Usage

Answer = str | Reply[Any] | BaseException
OnText = Callable[[int, str], None]


class Scripted:
    """A :class:`collegium.models.model.Model` answering from a function of (request, sample).

    The function returns the text, a whole reply, or an exception to raise. Every request is kept
    as it arrived. A prompt costs 10 tokens, a completion 5, unless a whole reply says otherwise.
    """

    def __init__(
        self,
        answer: Callable[[Generate, int], Answer] | Answer,
        *,
        name: str = "scripted",
        fingerprint: str = "scripted-1",
        pause: float | None = None,
    ) -> None:
        self.name, self.fingerprint, self.context = name, fingerprint, 0
        self.requests: list[Generate] = []
        self.cancelled = 0
        self.closed = False
        self._answer, self._pause = answer, pause

    async def generate(
        self, request: Generate, on_text: OnText | None = None
    ) -> tuple[Reply[Any], ...]:
        self.requests.append(request)
        if self._pause is not None:
            try:
                await asyncio.sleep(self._pause)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        replies = tuple(self._sample(request, i) for i in range(request.n))
        if on_text:
            for i, reply in enumerate(replies):
                on_text(i, reply.text)
        return replies

    def _sample(self, request: Generate, i: int) -> Reply[Any]:
        answer = self._answer(request, i) if callable(self._answer) else self._answer
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Reply):
            return answer
        return Reply(answer, usage=Usage(prompt=0 if i else 10, completion=5))

    async def aclose(self) -> None:
        self.closed = True

    @property
    def prompts(self) -> list[str]:
        """The last message of every request."""
        return [r.messages[-1].text for r in self.requests]


async def turns(number: int) -> None:
    """Let all other tasks go on, this many times."""
    for _ in range(number):
        await asyncio.sleep(0)


def inorder(*answers: Answer) -> Callable[[Generate, int], Answer]:
    """Answers given one after the other, whoever asks."""
    left = iter(answers)
    return lambda request, i: next(left)


def ask_for(agent: str | Agent = "a", text: str = "hello", **fields: Any) -> Generate:
    """A bare model call."""
    name = agent if isinstance(agent, str) else agent.name
    return Generate(agent=name, role=name, messages=(Message("user", text),), **fields)


def worked(answer: Any, reasoning: str = "Because.") -> str:
    """A reply of reasoning and answer, as systems ask for it."""
    return f"{reasoning}\nAnswer: {answer}"
