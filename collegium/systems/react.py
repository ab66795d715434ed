"""ReAct as a baseline (arXiv 2210.03629): one agent that thinks, acts and observes in turn.

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
    """What ReAct lacks to solve a task."""
    return "" if task.tools else "a task with tools to act with"


@system("react", paper=None, needs=lacking)
async def react_agent(
    task: Task,
    kernel: Kernel,
    *,
    steps: int = 15,
    form: Form = "native",
    temperature: float = 0.0,
    max_tokens: int = 512,
) -> Result:
    """Think, act and observe in turn, until there is an answer (Yao et al., 2023).

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
