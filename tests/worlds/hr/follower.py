"""A model for tests that carries requests out as their programs do, through the form of turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from collegium.agents.routine import Routine, read_library
from collegium.kernel import Generate
from collegium.worlds.hr import case, gold, routines_folder
from tests.kernel.support import Scripted

ROUTINES = {r.id: r for r in read_library(routines_folder())}


def turn(step: str, tool: str, /, **arguments: Any) -> str:
    said = {"call": {"name": tool, "arguments": arguments}}
    return json.dumps({"step": step, **said} if step else said)


def gold_turns(split: str, number: int, *, steps: bool = True) -> list[str]:
    """The turns of a perfect run; a list of people is passed by its key."""
    routine = ROUTINES[case(split, number).job]
    calls = gold(split, number).calls
    numbers = along(routine, [call.tool for call in calls])
    turns = []
    for at, call in zip(numbers, calls, strict=True):
        arguments = {
            k: "VAR_list_employees_1" if isinstance(v, list) else v
            for k, v in call.arguments.items()
        }
        turns.append(turn(at if steps else "", call.tool, **arguments))
    end = routine.steps[-1].number if steps else ""
    return [*turns, turn(end, "finish", answer="Done.")]


def along(routine: Routine, tools: list[str]) -> list[str]:
    """The numbers of the steps with these tools, along one branch."""
    for branch in ("1", "2"):
        way = [
            s
            for s in routine.steps
            if s.tool and ("-" not in s.number or s.number.split("-")[1] == branch)
        ]
        if [s.tool for s in way] == tools:
            return [s.number for s in way]
    raise AssertionError(tools)


def follower(split: str, number: int, change: Callable[[int, str], str] | None = None) -> Scripted:
    """A model that makes the gold turns of a request, each perhaps changed.

    Which turn it is, it sees from the conversation; whether steps are named, from the form.
    """

    def answer(request: Generate, i: int) -> str:
        assert request.schema is not None
        steps = "step" in request.schema["properties"]
        turns = gold_turns(split, number, steps=steps)
        at = sum(m.role == "assistant" for m in request.messages)
        said = turns[min(at, len(turns) - 1)]
        return change(at, said) if change else said

    return Scripted(answer)
