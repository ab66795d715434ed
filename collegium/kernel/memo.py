"""Answers that need not be paid for again: the response cache, and the journal of a resumed run."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextvars import ContextVar
from typing import Any, Protocol

import msgspec

from collegium.errors import ToolError
from collegium.kernel.calls import AskHuman, Call, Generate, Reply, UseTool
from collegium.kernel.keys import request_key
from collegium.kernel.trace import Event

Fingerprint = Callable[[Generate], str]
"""Names the model (weights, engine, settings) that would answer a call."""


class ReplyStore(Protocol):
    """Where cached replies are kept: the run store, or a dict for a single process."""

    def get_reply(self, key: str, sample: int) -> Reply[Any] | None: ...

    def put_reply(self, key: str, sample: int, reply: Reply[Any]) -> None: ...


class ResponseCache:
    """Interceptor that answers a repeated model call from a store, sample by sample.

    A request for fewer samples than are kept is answered too; one for more is made anew.

    Sampled calls (temperature above 0) without a seed pass through: a cache would turn
    independent samples into copies. A cached reply keeps the usage it once had, so a comparison
    served from the cache still states what its method costs; its origin says that it was free.

    Args:
        store: Where replies are kept.
        fingerprint: Names the model that would answer.
    """

    def __init__(self, store: ReplyStore, fingerprint: Fingerprint) -> None:
        self._store, self._fingerprint = store, fingerprint

    async def __call__(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Answer from the store when it holds every sample."""
        if not isinstance(call, Generate) or (call.temperature > 0 and call.seed is None):
            return await proceed(call)
        key = f"{self._fingerprint(call)}:{request_key(call)}"
        known: list[Reply[Any]] = []
        while len(known) < call.n:
            reply = self._store.get_reply(key, len(known))
            if reply is None:
                break
            known.append(msgspec.structs.replace(reply, origin="cache"))
        if len(known) == call.n:
            return tuple(known)
        # Samples of one request share a reading of its prompt: asking for all of them keeps both
        # their order and the bill of a run without a cache.
        replies = await proceed(call)
        for sample, reply in enumerate(replies):
            self._store.put_reply(key, sample, reply)
        return replies


_NOTHING = object()
_replayed: ContextVar[Any] = ContextVar("_replayed", default=_NOTHING)
"""The recorded answer of the call in hand."""


class Journal:
    """Interceptor that replays the paid calls of an interrupted attempt at the same task.

    Calls are matched by what they ask, not by their order, so concurrent agents may come back in
    any order. Each recorded answer is used once. Usage is kept: it was paid within this run.

    It stands in two places. Right inside the trace it sees calls as the trace recorded them, and
    finds the answer; :meth:`play`, right before the models, gives it. So the interceptors between
    them see every call of the run, replayed or not, and what they rewrite is not paid for twice.

    Args:
        attempts: What each interrupted attempt had recorded. A later attempt replays an earlier
            one before it goes on, so per question the longest list of answers is the full one.
        model: Says the name of the model that would answer; another model's answers don't count.
        outside: Further kinds of calls that change a world outside the run, and so must not be
            made twice (notes in a memory that stays, moves in a live environment).
        anew: Names of tools, and kinds of calls, that act on a world that is made anew for every
            attempt. They are made again: that brings the new world to where the old one was.
    """

    def __init__(
        self,
        attempts: Iterable[Iterable[Event]],
        model: Callable[[Generate], str],
        outside: Collection[type[Call]] = (),
        anew: Collection[str | type[Call]] = (),
    ) -> None:
        self._model, self._anew = model, anew
        self._outside = (UseTool, AskHuman, *(kind for kind in outside if kind not in anew))
        self._answers: dict[str, deque[Any]] = {}
        for events in attempts:
            answers: defaultdict[str, deque[Any]] = defaultdict(deque)
            for event in events:
                key = self._key(event.call, event.model)
                # a tool that failed has been run: it is not run again either
                if key and (not event.error or event.failure == ToolError.__name__):
                    answers[key].append(_answer(event))
            for key, given in answers.items():
                if len(given) > len(self._answers.get(key, ())):
                    self._answers[key] = given

    def _key(self, call: Call, model: str) -> str:
        if isinstance(call, Generate):
            return f"{model}:{call.agent}:{call.n}:{request_key(call)}"
        if isinstance(call, UseTool) and call.tool in self._anew:
            return ""
        if isinstance(call, self._outside):
            bare = msgspec.structs.replace(call, parent=None, sources=())
            return msgspec.json.encode(bare, enc_hook=repr, order="sorted").decode()
        return ""

    async def __call__(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Answer as recorded, once the other interceptors have let the call through."""
        model = self._model(call) if isinstance(call, Generate) else ""
        waiting = self._answers.get(self._key(call, model))
        answer: Any = waiting.popleft() if waiting else _NOTHING
        if answer is not _NOTHING and isinstance(call, Generate):
            answer = tuple(msgspec.structs.replace(r, origin="journal") for r in answer)
        outside = _replayed.set(answer)
        try:
            result = await proceed(call)
        finally:
            _replayed.reset(outside)
        return result if answer is _NOTHING else answer

    async def play(self, call: Call, proceed: Callable[[Call], Awaitable[Any]]) -> Any:
        """Give the recorded answer in place of the driver, where there is one."""
        answer = _replayed.get()
        if answer is _NOTHING:
            return await proceed(call)
        await asyncio.sleep(0)  # as a live call would, let others run
        if isinstance(answer, ToolError):
            raise answer
        return answer


def _answer(event: Event) -> Any:
    """What a call gave, in the type that its caller expects, or the error of a tool."""
    if event.error:
        return ToolError(event.error)
    if isinstance(event.call, Generate):
        return event.replies
    return msgspec.convert(event.value, type(event.call).result)


class MemoryReplies(dict[tuple[str, int], Reply[Any]]):
    """A :class:`ReplyStore` that lives as long as the process."""

    def get_reply(self, key: str, sample: int) -> Reply[Any] | None:
        """The kept reply, or None."""
        return self.get((key, sample))

    def put_reply(self, key: str, sample: int, reply: Reply[Any]) -> None:
        """Keep a reply."""
        self[key, sample] = reply
