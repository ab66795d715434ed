"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="local, local-small, local-tiny, openai:NAME, anthropic:NAME ...",
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE=MODEL", help="The model of one role; repeatable."),
]
Cache = Annotated[
    bool, typer.Option("--cache", metavar="", help="Take repeated requests from the cache.")
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast",
        metavar="",
        help="Let agents share the embedded engine: quicker, not repeatable to the bit.",
    ),
]

Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        metavar="SERVER",
        help="Give agents a server's tools: mcp:COMMAND or mcp:http://...; repeatable.",
    ),
]
Sampling = Annotated[
    bool,
    typer.Option(
        "--allow-sampling",
        metavar="",
        help="Let servers of tools ask the run's model, out of its budget.",
    ),
]

Host = Annotated[
    str, typer.Option(metavar="HOST", help="Where to listen; elsewhere needs a token.")
]
Port = Annotated[int, typer.Option(metavar="N", help="0 takes a free one.")]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Lines of NAME TOKEN [BUDGET]: who may come.")
]
ClientBudget = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="Tokens that each client may spend.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="What agents may do; see collegium guard."),
]
