"""What a Routine is: an ordered, typed list of steps, each with the tool to call (2507.14447)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from collegium.errors import BadInput

SOURCES = ("user", "system", "fixed")
"""Where an input may come from besides an earlier step: the query, the prompt, the step's text."""


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way out of a branch step: when it is taken, and the step it leads to."""

    when: str
    to: str


class Step(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One step.

    Attributes:
        number: "3"; "3-2-1" is the first step of branch 2 of step 3, "3-2" its only one.
        name: A few words.
        description: What to do.
        input_desc: What it needs, in words.
        output_desc: What it gives, in words.
        type: A normal step, a choice between branches, or an end.
        tool: The tool to call, "" for none.
        inputs: Where each argument comes from: "user", "system", "fixed", or the name of a value
            that an earlier step gives, perhaps with a path into it (``employee.id``).
        outputs: Names of the values that it gives.
        branches: The guards of a branch step, in order: guard i leads into branch i.
    """

    number: str
    name: str
    description: str
    input_desc: str = ""
    output_desc: str = ""
    type: Literal["normal", "branch", "end"] = "normal"
    tool: str = ""
    inputs: dict[str, str] = {}
    outputs: tuple[str, ...] = ()
    branches: tuple[Guard, ...] = ()


class Routine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A procedure: what it is for, and its steps in order."""

    id: str
    name: str
    description: str
    steps: tuple[Step, ...]

    def step(self, number: str) -> Step:
        """A step by number.

        Raises:
            BadInput: There is none.
        """
        for step in self.steps:
            if step.number == number:
                return step
        raise BadInput(f"routine {self.id!r} has no step {number!r}.")


def place(number: str) -> tuple[int, ...] | None:
    """A number as numbers to sort by; None when it is not one."""
    parts = number.split("-")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        return None
    return tuple(map(int, parts))


def following(routine: Routine) -> dict[str, tuple[str, ...]]:
    """The steps that may come after each step.

    After the last step of a branch it goes on behind the branch step. Numbers that are none lead
    nowhere.
    """
    places = {p: s.number for s in routine.steps if (p := place(s.number)) is not None}

    def after(at: tuple[int, ...]) -> str | None:
        if len(at) % 2:  # a step of a row: its next sibling
            row = [p for p in places if len(p) == len(at) and p[:-1] == at[:-1] and p > at]
            behind = at[:-2]
        else:  # the one step of a branch, or the first of more
            row = [p for p in places if len(p) == len(at) + 1 and p[:-1] == at]
            behind = at[:-1]
        if row:
            return places[min(row)]
        return after(behind) if behind else None

    found: dict[str, tuple[str, ...]] = {}
    for step in routine.steps:
        at = place(step.number)
        if step.type == "end" or at is None:
            found[step.number] = ()
        elif step.type == "branch":
            found[step.number] = tuple(guard.to for guard in step.branches)
        else:
            found[step.number] = tuple(filter(None, [after(at)]))
    return found


def walked(routine: Routine, said: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The path that a run took, and where it left the Routine.

    Args:
        routine: The Routine.
        said: The steps that its turns named, in order.

    Returns:
        The steps with those without a tool that lie between two others, such as a branch; and
        those that no such way leads to.
    """
    ways, path, strays = following(routine), [], []
    first = routine.steps[0].number
    for number in said:
        if path and number == path[-1]:
            continue  # the same step again
        starts = ways.get(path[-1], ()) if path else (first,)
        between = _way(routine, ways, starts, number)
        if between is None:
            strays.append(number)
            between = [number]
        path += between
    return tuple(path), tuple(strays)


def _way(
    routine: Routine, ways: Mapping[str, tuple[str, ...]], starts: Sequence[str], to: str
) -> list[str] | None:
    """The shortest way to a step through steps without a tool."""
    waiting = [[start] for start in starts]
    while waiting:
        way = waiting.pop(0)
        if way[-1] == to:
            return way
        if not routine.step(way[-1]).tool:
            waiting += [[*way, after] for after in ways[way[-1]]]
    return None


def text_of(routine: Routine, *, blank: bool = False) -> str:
    """A Routine as a prompt holds it.

    Args:
        routine: The Routine.
        blank: Leave out what the steps say; names, types, tools and branches stay.
    """
    lines = [f"Routine: {routine.name}", routine.description]
    for step in routine.steps:
        kind = "" if step.type == "normal" else f" ({step.type})"
        text = "" if blank else f": {step.description}"
        lines.append(f"Step {step.number}. {step.name}{kind}{text}")
        if step.tool:
            lines.append(f"   tool: {step.tool}")
        if step.input_desc and not blank:
            lines.append(f"   input: {step.input_desc}")
        if step.output_desc and not blank:
            lines.append(f"   output: {step.output_desc}")
        lines += [f"   if {guard.when}: go to step {guard.to}" for guard in step.branches]
    return "\n".join(lines)


def read_routine(data: bytes, name: str = "the Routine") -> Routine:
    """Read a Routine from JSON; whether it makes sense is not looked at.

    Args:
        data: The JSON.
        name: What errors call it.

    Raises:
        BadInput: It is no Routine.
    """
    try:
        return msgspec.json.decode(data, type=Routine)
    except msgspec.MsgspecError as error:
        raise BadInput(f"{name} is no Routine: {error}.") from None


def read_library(path: Path) -> tuple[Routine, ...]:
    """Read the Routines of a JSON file, or of all in a folder in the order of their names.

    Raises:
        BadInput: There is none, one cannot be read, or two share an id.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    try:
        routines = tuple(read_routine(file.read_bytes(), str(file)) for file in files)
    except OSError as error:
        raise BadInput(f"cannot read Routines from {path}: {error.strerror or error}.") from None
    if not routines:
        raise BadInput(f"{path} holds no Routine; put one JSON file each into it.")
    ids = [routine.id for routine in routines]
    for one in ids:
        if ids.count(one) > 1:
            raise BadInput(f"{path} holds two Routines with the id {one!r}.")
    return routines
