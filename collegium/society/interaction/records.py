"""Interactions between people and simulations, as records along five questions (arXiv 2502.18145).

Why, when, what, who and how are lists in ``dimensions.toml``; the interactions that this package
offers are in ``records.toml``. A value outside the lists is refused, and so is a record that
contradicts what a role is: these rules are ours, derived from the paper's descriptions of the
roles. The coverage counts what there is and names what nobody offers.

Paper vs code vs ours
---------------------
* There is no code. Six goals and five roles are the paper's. The values of when, what and how are
  ours, and marked so in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from collegium.errors import BadInput, unknown_name

PAPER = "abm-interaction"

DIMENSIONS = ("why", "when", "what", "who", "how")

OBSERVING = ("query", "inspect", "interview", "export")
"""Operations that change nothing."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which a person and a simulation interact.

    Attributes:
        id: Its name.
        systems: The simulators that offer it.
        why: Goals it serves.
        when: Phase.
        what: Component it touches.
        who: Role of the person.
        how: Means.
        reversible: Whether it can be taken back.
        calls: Calls to a language model it costs.
        consent: Whether it rests on data of real people, who have to agree.
        operation: The operation that carries it out on a running society; "" for those that act
            before or after a run.
        example: How to try it.
    """

    id: str
    systems: tuple[str, ...]
    why: tuple[str, ...]
    when: str
    what: str
    who: str
    how: tuple[str, ...]
    reversible: bool
    calls: int = 0
    consent: bool = False
    operation: str = ""
    example: str = ""


class _Dimension(msgspec.Struct, frozen=True):
    source: str
    values: tuple[str, ...]


class _Records(msgspec.Struct, frozen=True):
    record: tuple[Record, ...]


@cache
def dimensions() -> Mapping[str, tuple[str, ...]]:
    """The allowed values of every dimension."""
    data = Path(__file__).with_name("dimensions.toml").read_bytes()
    return {k: d.values for k, d in msgspec.toml.decode(data, type=dict[str, _Dimension]).items()}


def check(record: Record) -> None:
    """Make sure that a record is what it must be.

    Raises:
        UnknownName: A value is not in its list (the allowed ones are named).
        BadInput: It contradicts what its role is.
    """
    for dimension in DIMENSIONS:
        given = getattr(record, dimension)
        allowed = dimensions()[dimension]
        for value in (given,) if isinstance(given, str) else given:
            if value not in allowed:
                error = unknown_name(f"{dimension} of record {record.id!r}", value, allowed)
                raise type(error)(f"{error} Allowed: {', '.join(allowed)}.")
    broken = _broken_rule(record)
    if broken:
        raise BadInput(f"record {record.id!r}: {broken}.")


def _broken_rule(record: Record) -> str:
    """Which rule about roles a record breaks; "" for none."""
    if record.who == "scriptwriter" and record.when != "before":
        return "a scriptwriter works before the run"
    if record.who == "director" and record.when != "during":
        return "a director steers during the run"
    if record.who == "actor":
        if record.when != "during":
            return "an actor plays during the run"
        if not set(record.how) <= {"dialogue", "form", "first-person"}:
            return "an actor plays by dialogue, form or in the first person"
    if record.who == "observer" and record.operation and record.operation not in OBSERVING:
        return "an observer never changes the state"
    if record.who == "prototype" and (record.when == "after" or not record.consent):
        return "data of a prototype comes in before or during the run, with consent noted"
    return ""


def read_records(file: Path) -> tuple[Record, ...]:
    """Read and check a file of records.

    Raises:
        BadInput: The file cannot be read, or a record is not what it must be.
    """
    try:
        found = msgspec.toml.decode(file.read_bytes(), type=_Records).record
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"the records in {file} cannot be read: {error}.") from None
    for record in found:
        check(record)
    return found


@cache
def records() -> tuple[Record, ...]:
    """The interactions that this package offers."""
    return read_records(Path(__file__).with_name("records.toml"))


def find(
    among: Iterable[Record] | None = None,
    *,
    system: str | None = None,
    why: str | None = None,
    when: str | None = None,
    what: str | None = None,
    who: str | None = None,
    how: str | None = None,
) -> list[Record]:
    """The records that fit; a component such as "agent" fits all its parts.

    Args:
        among: Which records; None: those of this package.
        system: Only of this simulator.
        why: Only with this goal.
        when: Only in this phase.
        what: Only on this component.
        who: Only for this role.
        how: Only by this means.
    """
    return [
        record
        for record in (records() if among is None else among)
        if (system is None or system in record.systems)
        and (why is None or why in record.why)
        and (when is None or when == record.when)
        and (what is None or record.what == what or record.what.startswith(f"{what}."))
        and (who is None or who == record.who)
        and (how is None or how in record.how)
    ]


class Cell(msgspec.Struct, frozen=True):
    """One combination of role, goal and phase, and the records that offer it, by simulator."""

    who: str
    why: str
    when: str
    offered: tuple[tuple[str, str], ...]

    @property
    def missing(self) -> bool:
        """Whether nothing offers it."""
        return not self.offered


def coverage(among: Sequence[Record] | None = None) -> list[Cell]:
    """Every combination of role, goal and phase, with what offers it."""
    lists = dimensions()
    chosen = records() if among is None else among
    return [
        Cell(
            who,
            why,
            when,
            tuple((s, r.id) for r in find(chosen, who=who, why=why, when=when) for s in r.systems),
        )
        for who in lists["who"]
        for why in lists["why"]
        for when in lists["when"]
    ]


def counts(among: Sequence[Record] | None = None) -> Counter[tuple[str, str, str]]:
    """How many offers each combination has, without those that have none."""
    return Counter(
        (cell.who, cell.why, cell.when) for cell in coverage(among) for _ in cell.offered
    )
