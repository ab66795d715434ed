"""The command ``studio``: the web interface, until the program is stopped."""

from __future__ import annotations

import asyncio
import sys
import webbrowser
from pathlib import Path

from rich.text import Text

from collegium.api import read_policy
from collegium.commands.show import console, pairs
from collegium.kernel import Limits
from collegium.protocols.clients import Clients, read_clients
from collegium.protocols.serve import address_of, bind, serve
from collegium.studio.state import Studio


def open_studio(
    *,
    host: str,
    port: int,
    token_file: Path | None,
    model: str,
    roles: list[str],
    policy: Path | None,
    policies: Path | None,
    limits: Limits,
    browser: bool,
) -> None:
    """Serve the web interface.

    Raises:
        CollegiumError: Something is wrong, or others could reach the server without a token.
    """
    from collegium.studio.app import studio_app

    clients = read_clients(token_file) if token_file else Clients()
    studio = Studio(
        model=model,
        roles=pairs(roles, "a role's model", "ROLE=MODEL"),
        policy=read_policy(policy),
        limits=limits,
        token=clients,
        policies=policies,
    )
    bound = bind(host, port, clients)
    address = address_of(bound)

    def ready() -> None:
        line = Text.assemble(("studio  ", "bold"), address)
        console(sys.stderr).print(line, soft_wrap=True)
        if browser:
            webbrowser.open(address)

    asyncio.run(serve(studio_app(studio, host=host), bound, on_ready=ready))
