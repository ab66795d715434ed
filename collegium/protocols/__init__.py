"""Other programs: systems served over the field's protocols, and agents elsewhere called.

A system is a model of OpenAI's protocols, a tool of an MCP server, and an agent of A2A, ACP and
ANP. Every request becomes an ordinary run with its trace, whatever it came in by.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collegium.protocols.clients import Client, Clients, read_clients
    from collegium.protocols.hub import Hub, Wish
    from collegium.protocols.messages import Message, Part, said
    from collegium.protocols.running import Running
    from collegium.protocols.serve import application, serve, serving

_HOME = {
    "Client": "clients",
    "Clients": "clients",
    "Hub": "hub",
    "Message": "messages",
    "Part": "messages",
    "Running": "running",
    "Wish": "hub",
    "application": "serve",
    "read_clients": "clients",
    "said": "messages",
    "serve": "serve",
    "serving": "serve",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the room itself stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = [
    "Client",
    "Clients",
    "Hub",
    "Message",
    "Part",
    "Running",
    "Wish",
    "application",
    "read_clients",
    "said",
    "serve",
    "serving",
]
