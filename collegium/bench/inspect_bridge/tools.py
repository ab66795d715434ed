"""Tools of Inspect for our agents: every call is made by Inspect, with its approvals and limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from collegium.errors import ToolError, missing_extra
from collegium.kernel import Tool
from collegium.kernel.calls import ToolSpec

try:
    from inspect_ai.model import ChatMessageAssistant, ChatMessageTool, execute_tools
    from inspect_ai.tool import Tool as TheirTool
    from inspect_ai.tool import ToolCall, ToolDef
except ImportError:
    raise missing_extra("inspect", "the bridge to Inspect AI") from None


def our_tools(tools: Sequence[TheirTool]) -> list[Tool]:
    """Tools that a solver before put up (``use_tools``), as ours.

    Args:
        tools: Those of the sample's state.
    """
    return [_ours(tool) for tool in tools]


def _ours(theirs: TheirTool) -> Tool:
    about = ToolDef(theirs)

    async def call(**arguments: Any) -> str:
        asked = ToolCall(id=uuid4().hex, function=about.name, arguments=arguments)
        message = ChatMessageAssistant(content="", tool_calls=[asked])
        done = await execute_tools([message], [theirs])
        (reply,) = [m for m in done.messages if isinstance(m, ChatMessageTool)]
        if reply.error is not None:
            raise ToolError(reply.error.message)
        return reply.text

    parameters = about.parameters.model_dump(exclude_none=True)
    return Tool(
        spec=ToolSpec(about.name, about.description, parameters),
        function=call,
        arguments=_as_they_are,
    )


def _as_they_are(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments unchecked, for Inspect checks them itself."""
    return arguments
