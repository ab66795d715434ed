"""The command ``serve``: systems for other programs, over the field's protocols."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from rich.text import Text

from collegium.api import read_policy
from collegium.commands.show import console, pairs
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput, unknown_name
from collegium.kernel import Limits, RunStore
from collegium.kernel.store import default_path
from collegium.models import open_model
from collegium.protocols.clients import Clients, read_clients
from collegium.protocols.hub import Hub
from collegium.protocols.serve import PROTOCOLS, Protocol, address_of, application, bind, serve
from collegium.tools.servers import tools_of

SHOWN: dict[Protocol, str] = {
    "openai": "{}/v1",
    "mcp": "{}/mcp",
    "a2a": "{}/.well-known/agent-card.json",
    "acp": "{}/agents",
    "anp": "{}/ad.json",
}
"""Where each protocol begins."""


def serve_systems(
    systems: Sequence[str],
    *,
    relays: Mapping[str, str] | None = None,
    model: str,
    roles: list[str],
    protocols: Sequence[str],
    policy: Path | None,
    host: str,
    port: int,
    token_file: Path | None,
    budget: int | None,
    limits: Limits,
    only: bool,
    servers: Sequence[str],
    sampling: bool,
    stdio: bool,
    allowed: list[str],
    resolved: list[str],
) -> None:
    """Serve systems, and agents elsewhere, until the program is stopped.

    Raises:
        CollegiumError: Something is wrong, or others could reach the server without a token.
    """
    spoken = read_protocols(protocols)
    clients = read_clients(token_file, budget) if token_file else Clients(budget=budget)
    rules = read_policy(policy)
    hosts = pairs(resolved, "a host's address", "HOST=ADDRESS")
    models = pairs(roles, "a role's model", "ROLE=MODEL")
    if stdio and spoken != ("mcp",):
        raise BadInput("only MCP is spoken over standard input: --stdio goes with --protocol mcp.")
    bound = None if stdio else bind(host, port, clients)
    fetch_weights([model, *models.values()] if systems else [])
    for name in (model, *models.values()) if systems else ():
        open_model(name, exact=False)  # a missing key shows now

    async def work() -> None:
        store = RunStore(default_path())
        async with tools_of(servers, sampling=sampling) as tools:
            hub = Hub(
                systems,
                model=model,
                roles=models,
                catalog=not only and bool(systems),
                policy=rules,
                limits=limits,
                tools=tools,
                store=store,
                relays=relays,
            )
            if bound is None:
                from collegium.protocols.mcp_server import over_stdio

                await over_stdio(hub, clients)
                return
            address = address_of(bound)
            app = application(
                hub,
                spoken,
                clients=clients,
                host=host,
                address=address,
                allowed=allowed,
                resolved=hosts,
            )

            def ready() -> None:
                out = console(sys.stderr)
                for name in spoken:
                    line = Text.assemble((f"{name:8}", "bold"), SHOWN[name].format(address))
                    out.print(line, soft_wrap=True)

            await serve(app, bound, on_ready=ready)
        store.close()

    asyncio.run(work())


def read_protocols(names: Sequence[str]) -> tuple[Protocol, ...]:
    """Protocols as the command line names them, in order and once each.

    Raises:
        UnknownName: There is no such protocol.
    """
    wanted = [n for name in names for n in name.split(",") if n]
    for name in wanted:
        if name not in (*PROTOCOLS, "all"):
            raise unknown_name("protocol", name, (*PROTOCOLS, "all"))
    if "all" in wanted or not wanted:
        return PROTOCOLS
    return tuple(p for p in PROTOCOLS if p in cast("list[Protocol]", wanted))
