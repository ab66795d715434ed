"""The append-only record of what a run did: one event per call."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import Call, Generate, OtherCall, Outcome, Reply, Usage, call_types

current_run: ContextVar[str] = ContextVar("current_run", default="")
"""Id of the run, in the run store, in whose name the code at hand works; "" outside one. A call to
another server carries it along, so that the runs over there can be linked to this one."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One call and how it ended.

    Attributes:
        id: Unique within the trace; numbered as calls begin.
        call: The call as it was made, lineage included (``parent``, ``sources``).
        outcome: How the turn ended, as training data labels it: "ok", "error", "fix" (a repair
            of an earlier turn), "teacher" (a stronger model's turn) or "observation" (came from
            outside: a tool, a message, a person).
        replies: What the model answered (model calls).
        value: What came back (all other calls), as plain data.
        error: One sentence when the outcome is "error".
        failure: The kind of that error: the name of its class.
        model: Name of the model that answered.
        usage: Tokens and money of all replies together.
        started: Seconds from the start of the run to the start of the call.
        seconds: How long the call took.
    """

    id: int
    call: Call
    outcome: Outcome = "ok"
    replies: tuple[Reply[Any], ...] = ()
    value: Any = None
    error: str = ""
    failure: str = ""
    model: str = ""
    usage: Usage = Usage()
    started: float = 0.0
    seconds: float = 0.0

    @property
    def kind(self) -> str:
        """The kind of call: "generate", "use-tool", "send", ..."""
        if isinstance(self.call, OtherCall):
            return self.call.kind
        return str(self.call.__struct_config__.tag)


class _Line(Event, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An event as read: the call is left as it is until its kind is known."""

    call: msgspec.Raw  # type: ignore[assignment]


class _Kind(msgspec.Struct):
    type: str


_encoder = msgspec.json.Encoder(enc_hook=repr)
_decoder = msgspec.json.Decoder(_Line)
_kind_of = msgspec.json.Decoder(_Kind).decode
_call_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def encode_event(event: Event) -> bytes:
    """One event as a line of JSON (without the newline)."""
    if isinstance(event.call, OtherCall):  # as it was read
        call = event.call
        common = {"agent": call.agent, "parent": call.parent, "sources": call.sources}
        written = _encoder.encode({"type": call.kind, **common, **call.fields})
        fields = {name: getattr(event, name) for name in Event.__struct_fields__}
        return _encoder.encode(_Line(**{**fields, "call": msgspec.Raw(written)}))
    return _encoder.encode(event)


def decode_event(line: bytes) -> Event:
    """Read an event back.

    Raises:
        BadInput: The line is not an event.
    """
    try:
        read = _decoder.decode(line)
        fields = {name: getattr(read, name) for name in Event.__struct_fields__}
        return Event(**{**fields, "call": _decode_call(read.call)})  # type: ignore[arg-type]
    except msgspec.MsgspecError as error:
        raise BadInput(f"not a trace event: {error}.") from None


def _decode_call(raw: msgspec.Raw) -> Call:
    """The call of an event, by its tag; one of an unknown kind keeps its fields as data."""
    kind = _kind_of(raw).type
    decoder = _call_decoders.get(kind)
    if decoder is None:
        known = call_types()
        if kind not in known:
            fields = msgspec.json.decode(raw, type=dict[str, Any])
            del fields["type"]
            common = {name: fields.pop(name) for name in ("agent", "parent") if name in fields}
            sources = tuple(fields.pop("sources", ()))
            return OtherCall(**{"agent": "", **common}, sources=sources, kind=kind, fields=fields)
        decoder = _call_decoders[kind] = msgspec.json.Decoder(known[kind])
    return decoder.decode(raw)


class Trace:
    """The events of one run, in the order in which they ended.

    Args:
        sink: Called with every event as it is recorded (the run store, a live display).
    """

    def __init__(self, *sinks: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self.next_id = itertools.count().__next__
        self._sinks = sinks

    def append(self, event: Event) -> None:
        """Record an event."""
        self.events.append(event)
        for sink in self._sinks:
            sink(event)

    def save(self, path: Path) -> None:
        """Write the trace as JSON lines.

        Raises:
            BadInput: The file cannot be written.
        """
        try:
            path.write_bytes(b"".join(encode_event(e) + b"\n" for e in self.events))
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(f"cannot write the trace {path}: {reason}.") from None


def read_trace(path: Path) -> list[Event]:
    """Read a trace file written by :meth:`Trace.save`.

    Raises:
        BadInput: The file cannot be read, or a line is not an event (it is named).
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(f"cannot read the trace {path}: {reason}.") from None
    events: list[Event] = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(decode_event(line))
        except BadInput as error:
            raise BadInput(
                f"{path}, line {number}: {error} Expected the JSON lines that --trace writes."
            ) from None
    if not events:
        raise BadInput(f"{path} holds no trace events.")
    return events


def generations(events: Iterable[Event]) -> int:
    """How many model replies a trace holds (the paper-style count of generations)."""
    return sum(len(e.replies) for e in events if isinstance(e.call, Generate))


def plain(value: object) -> object:
    """A value as it is once written as JSON and read back; what JSON cannot say, as its repr."""
    if value is None or isinstance(value, bool):
        return value
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError):
        return repr(value)
