"""Models that answer from a recording, and models that make one.

A recording is a trace file (JSON lines, one event per request), so any saved trace can be
replayed and any recording can be read as a trace.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import Generate, Reply, Usage
from collegium.kernel.keys import request_key
from collegium.kernel.trace import Event, encode_event, read_trace
from collegium.models.model import Model, OnText

_PREFIX = "replay:"
_DECISIVE = (
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "seed",
    "schema",
    "grammar",
    "tools",
    "logprobs",
    "adapters",
    "prefill",
    "beams",
)


class ReplayModel:
    """A model that gives recorded replies to exactly the recorded requests.

    A request that was recorded several times gets its answers in the order of recording, then
    from the first one again.
    """

    def __init__(self, recording: Path | str | Iterable[Event], name: str = "replay") -> None:
        """Read a recording.

        Args:
            recording: A trace file, or its events.
            name: What the model is called.

        Raises:
            BadInput: The file is no recording, or holds no model calls.
        """
        if isinstance(recording, Path | str):
            path = Path(recording).expanduser()
            self._source = str(path)
            events = read_trace(path)
        else:
            self._source = "the recording"
            events = list(recording)
        self._calls: list[Generate] = []
        answers: defaultdict[str, list[tuple[Reply, ...]]] = defaultdict(list)
        digest = hashlib.sha256()
        for event in events:
            if isinstance(event.call, Generate) and event.replies:
                self._calls.append(event.call)
                answers[request_key(event.call)].append(event.replies)
                digest.update(encode_event(event))
        if not self._calls:
            raise BadInput(f"{self._source} holds no model calls to replay.")
        self._answers = dict(answers)
        self._given: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
        self.name = name
        self.fingerprint = f"{_PREFIX}{digest.hexdigest()[:16]}"
        self.context = 0

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Answer a recorded request; see :class:`collegium.models.Model`.

        Raises:
            BadInput: The request was not recorded, or with fewer samples; the sentence says in
                what the nearest recorded one differs.
        """
        key = request_key(request)
        enough = [r for r in self._answers.get(key, ()) if len(r) >= request.n]
        if not enough:
            raise BadInput(self._missing(request, known=key in self._answers))
        replies = enough[next(self._given[key]) % len(enough)][: request.n]
        if on_text:
            for i, reply in enumerate(replies):
                on_text(i, reply.text)
        return tuple(msgspec.structs.replace(r, call=-1, origin="live") for r in replies)

    async def aclose(self) -> None:
        """Nothing to release."""

    def _missing(self, request: Generate, known: bool) -> str:
        """Say that a request was not recorded, and what comes nearest."""
        if known:
            return (
                f"{self._source} holds fewer than {request.n} samples for the request of agent "
                f"{request.agent!r}."
            )
        nearest = min(self._calls, key=lambda call: _distance(call, request))
        return (
            f"{self._source} holds no answer to the request of agent {request.agent!r}; the "
            f"nearest recorded one (agent {nearest.agent!r}) has {_difference(nearest, request)}."
        )


def _distance(recorded: Generate, asked: Generate) -> tuple[int, float]:
    """How far apart two requests are: fields that differ, then how unlike their texts are."""
    fields = sum(getattr(recorded, f) != getattr(asked, f) for f in _DECISIVE)
    if recorded.messages == asked.messages:
        return fields, 0.0
    matcher = difflib.SequenceMatcher(None, _text(recorded), _text(asked), autojunk=False)
    return fields, 1.0 - matcher.quick_ratio()


def _text(call: Generate) -> str:
    return "\n".join(f"{m.role}: {m.text}" for m in call.messages)


def _difference(recorded: Generate, asked: Generate) -> str:
    """The first field in which two requests differ, with both values."""
    field = next(f for f in _DECISIVE if getattr(recorded, f) != getattr(asked, f))
    old, new = getattr(recorded, field), getattr(asked, field)
    if field != "messages":
        return f"{field} {_short(old)} instead of {_short(new)}"
    if len(old) != len(new):
        return f"{len(old)} messages instead of {len(new)}"
    place = next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b)
    was, now = old[place], new[place]
    if was.role != now.role:
        return f"{was.role!r} instead of {now.role!r} as role of message {place + 1}"
    if was.text == now.text:
        return f"other pictures or tool calls in message {place + 1}"
    pairs = zip(was.text, now.text, strict=False)
    at = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(0, at - 20)
    return (
        f"{_short(was.text[start:])} instead of {_short(now.text[start:])} "
        f"in message {place + 1}, from character {at}"
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class RecordingModel:
    """A model that asks another one and writes down what it answered."""

    def __init__(self, inner: Model, path: Path | str) -> None:
        """Wrap a model.

        Args:
            inner: Who answers.
            path: The recording; what it already holds is kept.
        """
        self._inner = inner
        self._path = Path(path).expanduser()
        self._ids = itertools.count()

    @property
    def name(self) -> str:
        """The inner model's name."""
        return self._inner.name

    @property
    def fingerprint(self) -> str:
        """The inner model's fingerprint."""
        return self._inner.fingerprint

    @property
    def context(self) -> int:
        """The inner model's context."""
        return self._inner.context

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Ask the inner model, and append request and replies to the recording.

        Raises:
            BadInput: The recording cannot be written.
            ModelError: The inner model failed (nothing is recorded).
        """
        replies = await self._inner.generate(request, on_text)
        event = Event(
            id=next(self._ids),
            call=request,
            replies=replies,
            model=self.name,
            usage=sum((r.usage for r in replies), Usage()),
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(encode_event(event) + b"\n")  # one write: lines never mix
        except OSError as error:
            raise BadInput(
                f"cannot write the recording {self._path}: {error.strerror or error}."
            ) from None
        return replies

    async def aclose(self) -> None:
        """Close the inner model."""
        await self._inner.aclose()


def load_replay(name: str) -> ReplayModel:
    """Make the model of a ``replay:path`` name.

    Raises:
        BadInput: The file is no recording.
    """
    return ReplayModel(Path(name.removeprefix(_PREFIX)).expanduser(), name)
