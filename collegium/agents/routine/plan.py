"""The planning module: an expert's rough draft becomes a Routine."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from collegium.agents.routine.structs import SOURCES, Routine
from collegium.agents.routine.validate import problems
from collegium.errors import BadInput
from collegium.kernel import Agent, ToolSpec, Unparsed

PROFILE = "You turn rough procedures of a company into exact Routines for an agent with tools."

_FORM = f"""Write the Routine for it. Split the procedure into single steps, numbered from 1. Give
each step the one tool that it needs, and say in words what it needs and gives. "inputs" says for
each argument of the tool where it comes from: {", ".join(f'"{s}"' for s in SOURCES)} (the request,
the standing instructions, or the step's own text), or the name of a value that an earlier step
lists under "outputs", such as employee.id. Make every choice a step of the type "branch" without
hidden conditions: branch i of step 3 begins with step 3-i-1, and a guard says when it is taken.
Every path ends with a step of the type "end". Leave nothing ambiguous."""


async def plan(
    agent: Agent,
    draft: str,
    *,
    tools: Sequence[ToolSpec] | None = None,
    max_tokens: int = 2048,
) -> Routine:
    """Make a Routine of a draft; where it is not valid, the model is told once and tries again.

    Args:
        agent: The planner.
        draft: The procedure, in a few lines of free text.
        tools: What steps may use; None: the planner's own tools.
        max_tokens: Cap on a reply.

    Raises:
        BadInput: The second attempt is not valid either; the message tells the expert why.
        LimitReached: A limit of the run is used up.
    """
    own = [agent.kernel.tools[name].spec for name in agent.tools]
    specs = {spec.name: spec for spec in (own if tools is None else tools)}
    listed = "\n".join(
        f"- {s.name}: {s.description} Parameters: {msgspec.json.encode(s.parameters).decode()}"
        for s in specs.values()
    )
    prompt = f"Procedure:\n{draft}\n\nTools:\n{listed}\n\n{_FORM}"
    wrong: tuple[str, ...] = ()
    for _ in range(2):
        reply = await agent.ask(
            prompt,
            output=Routine,
            keep=True,
            temperature=0.0,
            max_tokens=max_tokens,
            repair=False,
        )
        if isinstance(reply.data, Routine):
            wrong = problems(reply.data, specs)
            if not wrong:
                return reply.data
        else:
            reason = reply.data.reason if isinstance(reply.data, Unparsed) else "it is empty"
            wrong = (f"the reply is no Routine: {reason}.",)
        faults = "\n".join(f"- {fault}" for fault in wrong)
        prompt = f"That is not valid:\n{faults}\n\nWrite the whole Routine again, corrected."
    raise BadInput(f"no valid Routine came of the draft: {' '.join(wrong)}")
