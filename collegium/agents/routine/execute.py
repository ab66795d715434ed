"""The execution module: the model makes one call per turn, and the engine carries it out.

Nothing here decides what to call: the engine parses, checks, puts variables in, calls and tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from collegium.agents.react import describe_tools
from collegium.agents.routine.metric import Used
from collegium.agents.routine.structs import Routine, text_of, walked
from collegium.agents.routine.turn import FINISH, Form, Turn
from collegium.agents.routine.variables import LONG, Variables
from collegium.errors import BadInput, Denied, Stopped, ToolError
from collegium.kernel import Agent, Tool, Unparsed, UseTool

BEGIN, END = "<routine>", "</routine>"
"""What stands around the Routine in a prompt."""

ONE_CALL = "That was not exactly one call in the form asked for; write one."

Ended = Literal["answer", "end", "turns", "failed"]
"""A final answer, an end step, no turns left, or a tool that failed twice."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One turn that was to make a call.

    Attributes:
        step: The step that the model said it is for.
        tool: The tool; "" when the turn could not be read.
        arguments: As the model wrote them.
        values: With variables resolved; equal to ``arguments`` where none could be.
        result_ref: The key of a result that was kept out of the prompt.
        ok: Whether the tool gave a result.
        error: What went wrong.
        attempts: How often the tool was called.
        call: Trace id of the turn.
    """

    step: str = ""
    tool: str = ""
    arguments: dict[str, Any] = {}
    values: dict[str, Any] = {}
    result_ref: str = ""
    ok: bool = False
    error: str = ""
    attempts: int = 0
    call: int = -1


class Executed(msgspec.Struct, frozen=True):
    """What a run came to.

    Attributes:
        answer: The final answer; after an end step with a tool, what that gave. None: no answer.
        made: The turns that were to make a call, in order.
        ended: Why it stopped.
        path: The steps gone through, those without a tool between them included.
        strays: Steps to which the Routine does not lead from the one before.
    """

    answer: str | None
    made: tuple[Made, ...]
    ended: Ended
    path: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()


def instructions(agent: Agent, role: str, routine: Routine | None, *, blank: bool = False) -> str:
    """The system prompt: who the agent is, the Routine if there is one, and the tools.

    Args:
        agent: Whose tools are told of.
        role: Who it is.
        routine: What it is to follow.
        blank: Leave out what the steps say.
    """
    told = [
        "Each turn is one JSON object with exactly one call. The call "
        f'"{FINISH}" states the final answer. A long result is kept under a key such as '
        "VAR_tool_1; give the key, or a part like VAR_tool_1[0].id, as an argument to use it."
    ]
    if routine is not None:
        told.append(
            f"{BEGIN}\nFollow this Routine step by step. Say which step the call is for. At a "
            "branch, look at the last result and take the one branch that fits. At an end step, "
            f'"{FINISH}".\n\n{text_of(routine, blank=blank)}\n{END}'
        )
    return "\n\n".join([role, *told, describe_tools(agent)])


def without_routine(prompt: str) -> str:
    """A system prompt of :func:`instructions` as it is where there is no Routine."""
    before, begin, rest = prompt.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"\n{END}\n\n")
    return before + after if begin and end else prompt


async def execute(
    agent: Agent,
    query: str,
    routine: Routine | None,
    *,
    turns: int,
    long: int = LONG,
    temperature: float = 0.0,
    max_tokens: int = 512,
    on_turn: Callable[[Executed], None] = lambda done: None,
) -> Executed:
    """Let a model carry out a request, one call per turn.

    Wrong arguments, unknown variables and refusals are told to the model. A tool that fails is
    called once more; when that fails too, the run ends there.

    Args:
        agent: Who; :func:`instructions` is its profile.
        query: The request.
        routine: What it follows; None: nothing.
        turns: Turns at most, that of the answer included.
        long: Characters above which a result is kept as a variable.
        temperature: Sampling temperature.
        max_tokens: Cap on a turn.
        on_turn: Told what there is after every turn.

    Raises:
        LimitReached: A limit of the run is used up.
        ModelError: The model could not answer.
    """
    specs = {name: agent.kernel.tools[name].spec for name in agent.tools}
    numbers = [step.number for step in routine.steps] if routine else []
    variables = Variables(long)
    made: list[Made] = []
    said: list[str] = []

    def executed(answer: str | None, ended: Ended) -> Executed:
        path, strays = walked(routine, said) if routine else ((), ())
        return Executed(answer, (*made,), ended, path, strays)

    forms: dict[bool, Any] = {
        known: Form([*specs.values()], numbers, references=known) for known in (False, True)
    }
    prompt = query
    for _ in range(turns):
        reply = await agent.ask(
            prompt,
            output=forms[len(variables) > 0],
            keep=True,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        turn = reply.data
        if not isinstance(turn, Turn):
            reason = turn.reason if isinstance(turn, Unparsed) else "there is no call"
            made.append(Made(error=reason, call=reply.call))
            prompt = ONE_CALL
            on_turn(executed(None, "turns"))
            continue
        said += filter(None, [turn.step])
        if turn.call.name == FINISH:
            answer = turn.call.arguments.get("answer")
            return executed(None if answer is None else str(answer), "answer")
        done, shown = await _carried_out(agent, turn, variables, reply.call)
        made.append(done)
        if done.attempts == 2 and not done.ok:
            return executed(None, "failed")
        if done.ok and routine and routine.step(turn.step).type == "end":
            return executed(shown, "end")
        prompt = f"Result: {shown}" if done.ok else f"Error: {done.error}"
        on_turn(executed(None, "turns"))
    return executed(None, "turns")


async def _carried_out(
    agent: Agent, turn: Turn, variables: Variables, call: int
) -> tuple[Made, str]:
    """Check the tool, put variables in, check the arguments, call."""
    name, arguments = turn.call.name, turn.call.arguments
    made = Made(step=turn.step, tool=name, arguments=arguments, values=arguments, call=call)
    try:
        if name not in agent.tools:
            raise BadInput(f"there is no tool {name!r}; use one of those listed.")
        values = variables.put(arguments)
        made = msgspec.structs.replace(made, values=values)
        check_strictly(agent.kernel.tools[name], values)
    except BadInput as error:
        return msgspec.structs.replace(made, error=str(error)), ""
    use = UseTool(agent=agent.name, tool=name, arguments=values, sources=(call,))
    error = ""
    for attempt in (1, 2):
        try:
            result = await agent.kernel.call(use)
        except ToolError as problem:
            error = str(problem)
            made = msgspec.structs.replace(made, attempts=attempt)
        except Stopped:
            raise
        except (BadInput, Denied) as problem:
            return msgspec.structs.replace(made, error=str(problem), attempts=1), ""
        else:
            shown, key = variables.take(name, result)
            good = msgspec.structs.replace(made, ok=True, result_ref=key, attempts=attempt)
            return good, shown
    return msgspec.structs.replace(made, error=error), ""


def check_strictly(tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Check arguments against the tool's schema, JSON types included: "5" is no number.

    Raises:
        BadInput: One is missing, unknown or of another type.
    """
    if not isinstance(tool.arguments, type):
        tool.arguments(dict(arguments))
        return
    try:
        msgspec.convert(dict(arguments), tool.arguments)
    except msgspec.ValidationError as error:
        raise BadInput(f"tool {tool.spec.name!r}: {error}.") from None


def turns_of(executed: Executed) -> list[list[Used]]:
    """The calls of each turn, as the metric compares them."""
    return [[Used(m.tool, m.values)] if m.tool else [] for m in executed.made]
