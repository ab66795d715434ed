"""The validator of Routines: what it says names the step."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collegium.agents.routine.structs import SOURCES, Routine, Step, following, place
from collegium.errors import BadInput
from collegium.kernel.calls import ToolSpec


def problems(routine: Routine, tools: Mapping[str, ToolSpec]) -> tuple[str, ...]:
    """All that is wrong with a Routine.

    Numbers are unique and in order; branches lead on to steps that exist; every path comes to an
    end step; every tool exists and takes the inputs; every value is given before it is used, on
    every path.

    Args:
        routine: The Routine.
        tools: The tools there are, by name.

    Returns:
        One sentence for each fault, which begins with the step; none when it is sound.
    """
    if not routine.steps:
        return ("the Routine has no steps.",)
    found = [*_numbers(routine), *_branches(routine)]
    for step in routine.steps:
        found += _tool(step, tools)
    if not found:  # paths make sense only between steps that can be told apart
        found += _paths(routine)
    return tuple(found)


def validated(routine: Routine, tools: Mapping[str, ToolSpec]) -> Routine:
    """A Routine that is sound.

    Raises:
        BadInput: It is not; the message holds every fault.
    """
    if found := problems(routine, tools):
        raise BadInput(f"routine {routine.id!r} is not valid: {' '.join(found)}")
    return routine


def _numbers(routine: Routine) -> list[str]:
    found: list[str] = []
    seen: list[tuple[int, ...]] = []
    kinds = {s.number: s for s in routine.steps}
    for step in routine.steps:
        at = place(step.number)
        if at is None:
            found.append(f"step {step.number!r}: a number is like 3, 3-2 or 3-2-1.")
            continue
        if at in seen:
            found.append(f"step {step.number}: the number is there twice.")
        elif seen and at < max(seen):
            found.append(f"step {step.number}: it comes after a step with a higher number.")
        seen.append(at)
        # 3-2 and 3-2-1 belong to branch 2 of step 3
        cut = len(at) - (2 if len(at) % 2 else 1)
        if cut > 0:
            parent = "-".join(map(str, at[:cut]))
            of = kinds.get(parent)
            if of is None or of.type != "branch":
                found.append(f"step {step.number}: step {parent} is no branch step.")
            elif at[cut] > len(of.branches):
                found.append(f"step {step.number}: step {parent} has no branch {at[cut]}.")
    return found


def _branches(routine: Routine) -> list[str]:
    found: list[str] = []
    numbers = {step.number for step in routine.steps}
    for step in routine.steps:
        if step.type != "branch":
            if step.branches:
                found.append(f"step {step.number}: only a branch step has branches.")
            continue
        if len(step.branches) < 2:
            found.append(f"step {step.number}: a branch step needs two branches or more.")
        for guard in step.branches:
            if not guard.when.strip():
                found.append(f"step {step.number}: the branch to step {guard.to} has no guard.")
            if guard.to not in numbers:
                found.append(
                    f"step {step.number}: a branch leads to step {guard.to}, which is not there."
                )
            elif (place(guard.to) or ()) <= (place(step.number) or ()):
                found.append(f"step {step.number}: a branch leads back to step {guard.to}.")
    return found


def _tool(step: Step, tools: Mapping[str, ToolSpec]) -> list[str]:
    if not step.tool:
        return [f"step {step.number}: it has inputs, but no tool."] if step.inputs else []
    if step.tool not in tools:
        return [f"step {step.number}: there is no tool {step.tool!r}."]
    schema = tools[step.tool].parameters
    takes, needed = schema.get("properties", {}), schema.get("required", [])
    found = [
        f"step {step.number}: the tool {step.tool!r} takes no {name!r}."
        for name in step.inputs
        if name not in takes
    ]
    return found + [
        f"step {step.number}: nothing says where {name!r} of the tool {step.tool!r} comes from."
        for name in needed
        if name not in step.inputs
    ]


def _paths(routine: Routine) -> list[str]:
    """Ends, steps never reached, and values used before they are given."""
    found: list[str] = []
    ways = following(routine)
    first = routine.steps[0].number
    # What is surely given before a step: what all steps that lead to it agree on. Every way leads
    # on to a higher number, so one pass in order will do.
    given: dict[str, set[str]] = {first: set()}
    for step in routine.steps:
        if step.number not in given:
            found.append(f"step {step.number}: no path leads to it.")
            continue
        before = given[step.number]
        for name, source in step.inputs.items():
            value = _value(source)
            if value not in SOURCES and value not in before:
                found.append(_too_early(routine, step, name, value))
        if step.type != "end" and not ways[step.number]:
            found.append(f"step {step.number}: its path stops here, without an end step.")
        after = before | set(step.outputs)
        for number in ways[step.number]:
            given[number] = given[number] & after if number in given else set(after)
    return found


def _too_early(routine: Routine, step: Step, name: str, value: str) -> str:
    """Says what is wrong with an input that is not given yet."""
    giving = [s.number for s in routine.steps if value in s.outputs]
    if not giving:
        return f"step {step.number}: its input {name!r} needs {value!r}, which no step gives."
    if all((place(number) or ()) >= (place(step.number) or ()) for number in giving):
        return (
            f"step {step.number}: its input {name!r} needs {value!r}, which is first given by "
            f"step {giving[0]}."
        )
    return (
        f"step {step.number}: its input {name!r} needs {value!r}, which step {giving[0]} gives, "
        "but not on every path."
    )


def _value(source: str) -> str:
    """The value that a source names, without the path into it."""
    return re.split(r"[.\[]", source, maxsplit=1)[0]
