"""Answering the tool calls of a reply: all of them run, and each gets a result."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from collegium.errors import BadInput, Denied, LimitReached, ModelError, ToolError
from collegium.kernel.agent import Agent
from collegium.kernel.calls import Message, ToolCall
from collegium.kernel.kernel import gather


async def answer_calls(agent: Agent, calls: Sequence[ToolCall]) -> tuple[Message, ...]:
    """Run every tool that a reply asks for, side by side, and put each result into a message.

    A call that fails is answered with what went wrong, so that the model can do better; it takes
    no other call down with it. (In the authors' code of AIOS only the first of several calls ran.)

    Args:
        agent: Whose tools they are.
        calls: What the reply asks for (:attr:`Reply.tool_calls`).

    Returns:
        One message per call, in their order, to be put after the reply.

    Raises:
        LimitReached: A limit of the run is used up.
        ModelError: A tool that asks a model got no answer.
    """
    return tuple(await gather(*(_answer(agent, call) for call in calls)))


async def _answer(agent: Agent, call: ToolCall) -> Message:
    try:
        result = await agent.use(call.name, **call.arguments)
    except (LimitReached, ModelError):  # nothing that other arguments would change
        raise
    except (ToolError, BadInput, Denied) as error:
        text = f"Error: {error}"
    else:
        text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
    return Message("tool", text, tool_call_id=call.id)
