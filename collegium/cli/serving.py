"""The commands that serve systems, show them in a browser, and call agents elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collegium.cli.options import (
    ClientBudget,
    Host,
    Json,
    Model,
    PolicyFile,
    Port,
    Roles,
    Sampling,
    Servers,
    TokenFile,
)


def serve(
    systems: Annotated[
        list[str],
        typer.Argument(metavar="SYSTEM", help="What to serve; the first is the default."),
    ],
    model: Model = "local",
    role: Roles = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="openai, mcp, a2a, acp, anp or all; repeatable."),
    ] = None,
    policy: PolicyFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8400,
    token_file: TokenFile = None,
    budget: ClientBudget = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens that one run may spend.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds that one run may take.")
    ] = None,
    tools: Servers = None,
    allow_sampling: Sampling = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST", help="A host that messages may point to; repeatable. Default: none."
        ),
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST=ADDRESS",
            help="Where the host of a did:wba identifier is reached; repeatable.",
        ),
    ] = None,
    stdio: Annotated[
        bool,
        typer.Option("--stdio", metavar="", help="Speak MCP over standard input and output."),
    ] = False,
    only: Annotated[
        bool,
        typer.Option("--only", metavar="", help="Refuse systems that are not named here."),
    ] = False,
) -> None:
    """Serve systems to other programs: OpenAI's protocols, MCP, A2A, ACP and ANP."""
    from collegium.commands.serve import serve_systems
    from collegium.kernel import Limits

    serve_systems(
        systems,
        model=model,
        roles=role or [],
        protocols=protocol or [],
        policy=policy,
        host=host,
        port=port,
        token_file=token_file,
        budget=budget,
        limits=Limits(tokens=max_tokens, seconds=max_seconds),
        only=only,
        servers=tools or [],
        sampling=allow_sampling,
        stdio=stdio,
        allowed=allow_host or [],
        resolved=resolve or [],
    )


def studio(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    token_file: TokenFile = None,
    model: Model = "local",
    role: Roles = None,
    policy: PolicyFile = None,
    policies: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Open and save policies in this folder.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", metavar="", help="Open a browser.")
    ] = True,
) -> None:
    """Open the web interface: read papers, run them, compare, see what agents did."""
    from collegium.commands.studio import open_studio
    from collegium.kernel import Limits

    open_studio(
        host=host,
        port=port,
        token_file=token_file,
        model=model,
        roles=role or [],
        policy=policy,
        policies=policies,
        limits=Limits(),
        browser=browser,
    )


def call(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="An agent's address; a2a:, acp:, mcp: or anp: before it is quicker."
        ),
    ],
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="What it is to do; without it, say what it is."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Have an agent elsewhere work on a task, whatever protocol it speaks."""
    from collegium.commands.call import call

    call(url, task, as_json=as_json)


def gateway(
    agent: Annotated[
        list[str],
        typer.Argument(metavar="NAME=AGENT", help="Agents elsewhere: helper=a2a:http://host."),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What to speak: openai, mcp, a2a, acp, anp or all."),
    ] = None,
    policy: PolicyFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8401,
    token_file: TokenFile = None,
    budget: ClientBudget = None,
) -> None:
    """Serve agents elsewhere on over other protocols; what cannot be said is listed."""
    from collegium.commands.serve import serve_systems
    from collegium.commands.show import pairs
    from collegium.kernel import Limits

    serve_systems(
        [],
        relays=pairs(agent, "an agent", "NAME=AGENT"),
        model="local",
        roles=[],
        protocols=protocol or [],
        policy=policy,
        host=host,
        port=port,
        token_file=token_file,
        budget=budget,
        limits=Limits(),
        only=True,
        servers=[],
        sampling=False,
        stdio=False,
        allowed=[],
        resolved=[],
    )
