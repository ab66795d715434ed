"""Servers of tools as a user names them: ``mcp:COMMAND ...`` or ``mcp:http://ADDRESS``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from collegium.errors import BadInput
from collegium.kernel.tool import Tool
from collegium.tools.mcp import STDIO, mcp_tools
from collegium.tools.pins import Pins

PREFIX = "mcp:"


def server_of(name: str) -> str:
    """The MCP server that a user means, as :func:`collegium.tools.mcp_tools` takes it.

    Raises:
        BadInput: It has another form.
    """
    rest = name.removeprefix(PREFIX).strip()
    if not name.startswith(PREFIX) or not rest:
        raise BadInput(
            f"{name!r} names no server of tools; write 'mcp:COMMAND ...' or 'mcp:http://ADDRESS'."
        )
    return rest if rest.startswith(("http://", "https://")) else f"{STDIO}{rest}"


@asynccontextmanager
async def tools_of(
    names: Sequence[str], *, pins: Pins | None = None, sampling: bool = False
) -> AsyncIterator[tuple[Tool, ...]]:
    """The tools of several servers, for as long as the block lasts.

    Args:
        names: The servers as a user names them.
        pins: What was approved of them before; None: the user's own approvals.
        sampling: Whether they may ask for a run's model, out of its budget.

    Raises:
        BadInput: A name has another form, or two tools have the same name.
        ToolError: A server could not be reached.
    """
    wanted = [server_of(name) for name in names]
    kept = pins or Pins()
    found: dict[str, Tool] = {}
    async with AsyncExitStack() as stack:
        for server in wanted:
            opened = mcp_tools(server, pins=kept, sampling=sampling)
            for tool in await stack.enter_async_context(opened):
                if tool.spec.name in found:
                    raise BadInput(f"two servers have a tool named {tool.spec.name!r}.")
                found[tool.spec.name] = tool
        yield tuple(found.values())
