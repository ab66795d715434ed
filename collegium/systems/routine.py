"""Routine: a model follows a procedure, one tool call per turn (2507.14447).

The procedure memory holds Routines, which experts drafted and a planner made exact. The one whose
description is nearest to the request goes into the prompt, if it is near enough. The model makes
one call per turn and chooses the branches; long results travel by reference.

Paper vs code vs ours
---------------------
* No code was released, and of the paper's text not all could be read. Shapes of prompts and of the
  prose in a Routine are ours.
* A turn names the step that it is for, besides the call. So the step of every call is known and not
  guessed, and a run says where it left its Routine. Nothing makes a model follow it.
* Where a Routine's inputs come from is data (``inputs``, ``outputs``) beside the words, so that the
  validator can follow values along every path.
* The length above which a result is a variable (400), the floor of similarity (0.35) and the bound
  of twice the steps are this implementation's; so is the list of sentences that stands for a
  description in the memory, of which the nearest counts.
* Only the nearest Routine is put into the prompt; several with distractors among them are not.
* A path into a variable (``VAR_x_1[0].id``) is an addition.
* Tools come from the task's world; over MCP they come with
  :func:`collegium.tools.mcp.mcp_tools`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.agents.routine import (
    FLOOR,
    LONG,
    Executed,
    Routine,
    execute,
    instructions,
    matches,
    read_library,
    usable,
    validated,
)
from collegium.errors import BadInput
from collegium.kernel import Kernel, ToolSpec
from collegium.models.embeddings import open_embedder
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

PROFILE = "You are a helpful assistant who acts with tools."

HR = "hr"
"""The library that comes with the package."""

WITHOUT = 15
"""Turns where there is no Routine whose steps could be counted."""


def lacking(task: Task) -> str:
    """What the system lacks to solve a task."""
    return "" if task.tools else "a task with tools to act with"


@system("routine", paper="routine", needs=lacking)
async def routine(
    task: Task,
    kernel: Kernel,
    *,
    library: str = HR,
    follow: bool = True,
    blank: bool = False,
    floor: float = FLOOR,
    embedder: str = "minilm",
    turns: int = 0,
    long: int = LONG,
    temperature: float = 0.0,
    max_tokens: int = 512,
) -> Result:
    """Find the Routine for a request and let the model carry it out, one tool call per turn.

    Args:
        task: The request, with tools to carry it out.
        kernel: Runs the calls.
        library: "hr", or the path of a JSON file or a folder with Routines.
        follow: Whether to use a Routine; without, the same model, tools and form of turns.
        blank: Leave the descriptions of the steps out of the prompt (an ablation).
        floor: Similarity below which there is no Routine.
        embedder: Makes the vectors of the procedure memory: "minilm" or "hash".
        turns: Turns at most; 0: twice the steps of the Routine, or 15 without.
        long: Characters above which a result is kept as a variable.
        temperature: Sampling temperature.
        max_tokens: Cap on a turn.

    Returns:
        The final answer. ``notes`` hold the Routine and how similar it was, the turns, the path
        through the steps, and the step at which a tool failed if one did.

    Raises:
        BadInput: A number is out of range, or a Routine of a library of one's own is not valid.
        WeightsMissing: The embedder's weights are not on this machine.
    """
    for name, number, least in (("turns", turns, 0), ("long", long, 1)):
        if number < least:
            raise BadInput(f"{name} must be {least} or more, not {number}.")
    specs = {name: kernel.tools[name].spec for name in task.tools}
    notes: dict[str, Any] = {}
    chosen: Routine | None = None
    if follow:
        routines, notes["left_out"] = open_library(library, specs)
        (ranked,) = await matches([task.text], routines, open_embedder(embedder))
        notes["similarity"] = {m.routine.id: round(m.similarity, 4) for m in ranked}
        if ranked and ranked[0].similarity >= floor:
            chosen = ranked[0].routine
    notes["routine"] = chosen.id if chosen else None
    executor = kernel.agent("executor", tools=task.tools)
    executor.profile = instructions(executor, task.rules or PROFILE, chosen, blank=blank)

    def result(done: Executed) -> Result:
        return Result(done.answer, notes={**notes, **told(done)}, account=account(chosen, done))

    done = await execute(
        executor,
        task.text,
        chosen,
        turns=turns or (2 * len(chosen.steps) if chosen else WITHOUT),
        long=long,
        temperature=temperature,
        max_tokens=max_tokens,
        on_turn=lambda so_far: kernel.keep(result(so_far)),
    )
    return result(done)


def open_library(
    library: str, tools: dict[str, ToolSpec]
) -> tuple[Sequence[Routine], dict[str, str]]:
    """The Routines of a library that can be used with the tools there are.

    Tools change, so Routines are checked when they are loaded. One of the package's library that
    does not fit is left out, and its first fault is given; one of the user's own is an error.

    Raises:
        BadInput: There is no such library, or one of its Routines is not valid.
    """
    if library == HR:
        from collegium.worlds.hr import routines_folder

        return usable(read_library(routines_folder()), tools)
    routines = read_library(Path(library).expanduser())
    return tuple(validated(one, tools) for one in routines), {}


def told(done: Executed) -> dict[str, Any]:
    """A run as plain data."""
    notes: dict[str, Any] = {
        "turns": msgspec.to_builtins(done.made),
        "ended": done.ended,
        "path": list(done.path),
        "strays": list(done.strays),
    }
    if done.ended == "failed":
        last = done.made[-1]
        notes["failed"] = {"step": last.step, "tool": last.tool, "error": last.error}
    return notes


def account(routine: Routine | None, done: Executed) -> str:
    """A run in a few lines, for a reader."""
    if routine is None:
        lines = ["There was no Routine for this request."]
    else:
        lines = [f"Routine: {routine.name}. Steps: {', '.join(done.path) or 'none'}."]
    if done.strays:
        lines.append(f"The Routine does not lead to: {', '.join(done.strays)}.")
    if done.ended == "failed":
        last = done.made[-1]
        at = f"step {last.step}" if last.step else f"turn {len(done.made)}"
        lines.append(f"It stopped at {at}: {last.tool} failed twice: {last.error}")
    if done.ended == "turns":
        lines.append("No turns were left.")
    return "\n".join(lines)
