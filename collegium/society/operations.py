"""What a person may do to a running society, as data: it can be checked, undone and replayed.

The same operations are written into a file for ``--intervene``, come out of a sentence in plain
language, and are called from code. An operation knows how to undo itself; those that only look
change nothing at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from collegium.errors import BadInput, unknown_name
from collegium.society.network import extended

if TYPE_CHECKING:
    from collegium.society.engine import Society


class Set(msgspec.Struct, frozen=True, tag="set", tag_field="do", forbid_unknown_fields=True):
    """Give a parameter another value."""

    parameter: str
    value: float | tuple[float, ...]


class Close(msgspec.Struct, frozen=True, tag="close", tag_field="do", forbid_unknown_fields=True):
    """Close a place: contacts of that layer no longer count."""

    place: str


class Open(msgspec.Struct, frozen=True, tag="open", tag_field="do", forbid_unknown_fields=True):
    """Open a place: its contacts count again, with this factor."""

    place: str
    factor: float = 1.0


class Edit(msgspec.Struct, frozen=True, tag="edit", tag_field="do", forbid_unknown_fields=True):
    """Change one column of one agent: its profile."""

    agent: int
    column: str
    value: float


class Remember(
    msgspec.Struct, frozen=True, tag="remember", tag_field="do", forbid_unknown_fields=True
):
    """Put a line into an agent's memory, which its later prompts hold."""

    agent: int
    text: str


class Add(msgspec.Struct, frozen=True, tag="add", tag_field="do", forbid_unknown_fields=True):
    """Let agents join; columns that are not given are those of agent 0."""

    count: int
    values: dict[str, float] = {}


class Remove(msgspec.Struct, frozen=True, tag="remove", tag_field="do", forbid_unknown_fields=True):
    """Take an agent out of the society."""

    agent: int


class Inject(msgspec.Struct, frozen=True, tag="inject", tag_field="do", forbid_unknown_fields=True):
    """Let something happen that the model knows by name."""

    event: str
    arguments: dict[str, Any] = {}


class TakeOver(
    msgspec.Struct, frozen=True, tag="take-over", tag_field="do", forbid_unknown_fields=True
):
    """Decide for an agent from now on: values of the columns that hold its actions."""

    agent: int
    actions: dict[str, float]


class HandBack(
    msgspec.Struct, frozen=True, tag="hand-back", tag_field="do", forbid_unknown_fields=True
):
    """Let the model decide for an agent again."""

    agent: int


Operation = Set | Close | Open | Edit | Remember | Add | Remove | Inject | TakeOver | HandBack
"""What changes a society."""


class Undo(msgspec.Struct, frozen=True):
    """How to take an operation back.

    Attributes:
        operations: To carry out, in order.
        whole: The operation can only be taken back by going back to an earlier state.
    """

    operations: tuple[Operation, ...] = ()
    whole: bool = False


class Scheduled(msgspec.Struct, frozen=True):
    """An operation that waits for its step."""

    at: int
    operation: Operation


def schedule(society: Society, at: int, operation: Operation) -> None:
    """Have an operation carried out just before a step.

    Args:
        society: Where.
        at: Number of the step; the first is 0.
        operation: What.

    Raises:
        BadInput: The step is over, or the operation could not be carried out as things stand.
    """
    if at < society.t:
        raise BadInput(f"step {at} is over; the next one is step {society.t}.")
    check(society, operation)
    waiting = society.state.values.setdefault("schedule", [])
    waiting.append(msgspec.to_builtins(Scheduled(at, operation)))


def unschedule(society: Society, operation: Operation) -> bool:
    """Take a waiting operation out of the schedule; says whether it was there."""
    waiting = society.state.values.get("schedule", [])
    wanted = msgspec.to_builtins(operation)
    for i, entry in enumerate(waiting):
        if entry["operation"] == wanted:
            del waiting[i]
            return True
    return False


def carry_out_due(society: Society) -> None:
    """Carry out what is scheduled for the step that comes next, in the order it was scheduled."""
    for operation in due(society):
        society.carried.append((operation, carry_out(society, operation)))


def due(society: Society) -> list[Operation]:
    """Take off the schedule what is to happen before the step that comes next, in order."""
    waiting = society.state.values.get("schedule", [])
    found = []
    for entry in [e for e in waiting if e["at"] == society.t]:
        waiting.remove(entry)
        found.append(msgspec.convert(entry["operation"], Operation))
    return found


def check(society: Society, operation: Operation) -> None:
    """Make sure that an operation can be carried out.

    Raises:
        BadInput: A value is out of range, or the model cannot do this.
        UnknownName: A parameter, place, column or event does not exist.
    """
    model, agents = society.model, society.agents
    agent = getattr(operation, "agent", None)
    if agent is not None and not 0 <= agent < len(agents):
        raise BadInput(f"there is no agent {agent}: they are numbered 0 to {len(agents) - 1}.")
    match operation:
        case Set(parameter, value):
            if parameter not in model.parameters:
                raise unknown_name(f"parameter of {model.name}", parameter, model.parameters)
            model.parameters[parameter].check(parameter, value)
        case Close(place) | Open(place):
            if place not in society.state.layers:
                raise unknown_name("place", place, society.state.layers)
            if isinstance(operation, Open) and not 0 < operation.factor <= 100:
                raise BadInput(f"a place opens with a factor in (0, 100], not {operation.factor}.")
        case Edit(_, column, value):
            if column not in agents:
                raise unknown_name("column of agents", column, agents)
            kind = agents[column].dtype
            if kind.kind in "iu" and (value != int(value) or int(value) != _held(kind, value)):
                raise BadInput(f"column {column!r} holds whole numbers ({kind}), not {value!r}.")
        case Add(count, values):
            if model.newcomers is None:
                raise BadInput(f"nobody can join the {model.name} model while it runs.")
            if not 1 <= count <= 1_000_000:
                raise BadInput(f"between 1 and 1,000,000 agents can join at once, not {count}.")
            for column in values:
                if column not in agents:
                    raise unknown_name("column of agents", column, agents)
        case Remove():
            if model.leave is None:
                raise BadInput(f"nobody can leave the {model.name} model while it runs.")
        case Inject(event, arguments):
            if event not in model.happenings:
                raise unknown_name(f"event of {model.name}", event, model.happenings)
            try:
                inspect.signature(model.happenings[event]).bind(society, **arguments)
            except TypeError as error:
                raise BadInput(f"event {event!r}: {error}.") from None
        case TakeOver(_, actions):
            for action in actions:
                if action not in model.actions:
                    raise unknown_name(f"action of {model.name}", action, model.actions)
        case Remember() | HandBack():
            pass


def _held(kind: Any, value: float) -> int:
    """What a column of this type makes of a number; another number where it does not fit."""
    info = np.iinfo(kind)
    return int(value) if info.min <= value <= info.max else -1 - int(value)


def carry_out(society: Society, operation: Operation) -> Undo:
    """Carry out an operation now.

    Returns:
        How to take it back.

    Raises:
        BadInput: It cannot be carried out; nothing was changed.
        UnknownName: A name in it does not exist.
    """
    check(society, operation)
    state, model = society.state, society.model
    match operation:
        case Set(parameter, value):
            before = society.parameters[parameter]
            society.set(parameter, value)
            return Undo((Set(parameter, before),))
        case Close(place) | Open(place):
            layer = state.layers[place]
            factor = operation.factor if isinstance(operation, Open) else 0.0
            state.layers[place] = layer.with_factor(factor)
            return Undo((Open(place, layer.factor),) if layer.factor else (Close(place),))
        case Edit(agent, column, value):
            before = float(state.agents[column][agent])
            state.agents[column][agent] = value
            return Undo((Edit(agent, column, before),))
        case Remember(agent, text):
            state.values.setdefault("memory", {}).setdefault(str(agent), []).append(text)
            return Undo(whole=True)
        case Add(count, values):
            assert model.newcomers is not None
            first = {name: state.agents[name][0] for name in state.agents}
            rows = state.agents.append(count, **{**first, **values})
            model.newcomers(society, rows)
            none = np.zeros(0, np.int64)
            for name, layer in state.layers.items():
                if layer.agents < len(state.agents):  # nobody new is in contact there
                    state.layers[name] = extended(layer, len(state.agents), none, none)
            return Undo(whole=True)
        case Remove(agent):
            assert model.leave is not None
            model.leave(society, agent)
            return Undo(whole=True)
        case Inject(event, arguments):
            try:
                model.happenings[event](society, **arguments)
            except TypeError as error:
                raise BadInput(f"event {event!r}: {error}.") from None
            return Undo(whole=True)
        case TakeOver(agent, actions):
            held = state.values.setdefault("held", {})
            before = held.get(str(agent))
            held[str(agent)] = dict(actions)
            back = HandBack(agent) if before is None else TakeOver(agent, before)
            return Undo((back,))
        case HandBack(agent):
            before = state.values.get("held", {}).pop(str(agent), None)
            return Undo(() if before is None else (TakeOver(agent, before),))


def read_interventions(file: Path) -> list[Scheduled]:
    """Read what is to happen, and when, from a TOML or JSON file.

    In TOML an entry is ``[[intervention]]`` with ``at = 10``, ``do = "close"``, ``place =
    "school"``; in JSON a list of such objects.

    Raises:
        BadInput: The file cannot be read, or an entry is not what it must be.
        UnknownName: There is no such operation.
    """
    try:
        data = file.read_bytes()
        if file.suffix == ".json":
            entries = msgspec.json.decode(data)
        else:
            entries = msgspec.toml.decode(data).get("intervention", [])
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"{file} is not what it must be: {error}.") from None
    if not isinstance(entries, list) or not entries:
        raise BadInput(f"{file} holds no intervention; write [[intervention]] with at and do.")
    return [_entry(file, i, entry) for i, entry in enumerate(entries)]


def _entry(file: Path, number: int, entry: Any) -> Scheduled:
    where = f"{file}, intervention {number + 1}"
    if not isinstance(entry, dict) or not isinstance(entry.get("at"), int):
        raise BadInput(f"{where}: it needs a whole number 'at', the step before which it happens.")
    rest = {k: v for k, v in entry.items() if k != "at"}
    names = operation_names()
    if rest.get("do") not in names:
        raise unknown_name(f"intervention in {where}", str(rest.get("do")), names)
    try:
        return Scheduled(entry["at"], msgspec.convert(rest, Operation))
    except msgspec.ValidationError as error:
        raise BadInput(f"{where}: {error}.") from None


def operation_names() -> Sequence[str]:
    """What operations are called where they are written down."""
    return [str(kind.__struct_config__.tag) for kind in Operation.__args__]
