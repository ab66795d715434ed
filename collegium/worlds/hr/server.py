"""The HR service over the Model Context Protocol: ``python -m collegium.worlds.hr.server``.

The service speaks on standard input and output, and begins with the company of a split. What a tool
refuses comes back as an error of the protocol.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from collegium.errors import CollegiumError, missing_extra
from collegium.worlds.hr.cases import COUNTS
from collegium.worlds.hr.company import company
from collegium.worlds.hr.service import Service, tools_of

if TYPE_CHECKING:
    from mcp.server import MCPServer


def server(service: Service) -> MCPServer:
    """An MCP server with the tools of a service.

    Args:
        service: What they act on.

    Raises:
        MissingExtra: The ``mcp`` package is not installed.
    """
    try:
        from mcp.server import MCPServer
    except ImportError:
        raise missing_extra("protocols", "serving tools over MCP") from None
    made = MCPServer("hr")
    for tool in tools_of(service):
        made.add_tool(_refusing(tool.function), tool.spec.name, description=tool.spec.description)
    return made


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a tool; what it refuses is told in its own words."""
    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(function)
    async def call(**arguments: Any) -> Any:
        try:
            return await function(**arguments)
        except CollegiumError as error:
            raise ToolError(str(error)) from None

    return call


def main() -> None:
    """Serve until the other side closes."""
    options = argparse.ArgumentParser(prog="python -m collegium.worlds.hr.server")
    options.add_argument("--split", choices=sorted(COUNTS), default="test")
    server(Service(company(options.parse_args().split))).run()


if __name__ == "__main__":
    main()
