"""Tool calling as a baseline: one agent that acts with its model's own tool calls, in turn.

The loop is that of ReAct (Yao et al., 2023, arXiv 2210.03629), held to no specification; the system
``react`` is the one that is.

Paper vs code vs ours
---------------------
* The paper prompts with solved examples; here the tools are described and no example is given.
* By default an action is the model's own tool call (``form=native``); ``text`` is the paper's form.
* A turn that names no tool is the answer; after the last step it is asked for.
"""

from __future__ import annotations

import msgspec

from collegium.agents.react import Form, react
from collegium.kernel import Kernel
from collegium.systems.system import Result, system
from collegium.tasks.task import Task

PROFILE = "You are a helpful assistant who acts with tools."


def lacking(task: Task) -> str:
    """What the baseline lacks to solve a task."""
    return "" if task.tools else "a task with tools to act with"


@system("tool-calling", paper=None, needs=lacking)
async def tool_calling(
    task: Task,
    kernel: Kernel,
    *,
    steps: int = 15,
    form: Form = "native",
    temperature: float = 0.0,
    max_tokens: int = 512,
) -> Result:
    """Act with the model's own tool calls, in turn, until there is an answer.

    Args:
        task: What to do, with the names of the tools to do it with.
        kernel: Runs the calls.
        steps: Turns with tools before it must answer.
        form: How a turn is written: "native", "typed" or "text".
        temperature: Sampling temperature.
        max_tokens: Cap on a turn.
    """
    actor = kernel.agent("actor", profile=task.rules or PROFILE, tools=task.tools)
    done = await react(
        actor,
        task.text,
        steps=steps,
        form=form,
        temperature=temperature,
        max_tokens=max_tokens,
    )
    notes = {"steps": msgspec.to_builtins(done.steps), "ended": done.ended}
    return Result(done.answer, notes=notes)
