"""The commands ``guard``: check a policy, explain a decision, compare two, have one written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

guards = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="What agents may do: check a policy, explain a decision, compare two, have one written.",
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A policy: YAML or JSON.")]
Tools = Annotated[
    str | None,
    typer.Option(
        "--tools",
        metavar="FILE|builtin",
        help="The tools: JSON, a list of name, description and parameters; or those built in.",
    ),
]


@guards.command()
def check(file: PolicyFile, tools: Tools = None, as_json: Json = False) -> None:
    """Check a policy: its form; with the solver also overlaps, dead rules, loose patterns, types.

    Exits with 2 when it is not a policy. What is merely doubtful is printed, and exits with 0.
    """
    from collegium.commands.guard_print import check_policy

    check_policy(file, tools, as_json)


@guards.command()
def explain(
    file: PolicyFile,
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="""A call: 'send_money {"amount": 5}'.""")
    ],
    as_json: Json = False,
) -> None:
    """Say which rule decides a call, and what became of every condition."""
    from collegium.commands.guard_print import explain_call

    explain_call(file, call, as_json)


@guards.command()
def generate(
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="What the user wants; - for standard input.")
    ],
    tools: Annotated[
        str,
        typer.Option(
            "--tools", metavar="FILE|builtin", help="The tools there are; as for guard check."
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="As for collegium run.")
    ] = "local",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the policy here, once confirmed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Have the rules for a request written, and see where every value in them came from."""
    from collegium.commands.guard_print import generate_policy

    generate_policy(request, tools, model, out, yes, as_json)


@guards.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The policy in force.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The one to take its place.")],
    as_json: Json = False,
) -> None:
    """Say what a change lets through that was not, and the other way round, with calls to show."""
    from collegium.commands.guard_print import diff_policies

    diff_policies(old, new, as_json)


@guards.command()
def schema(as_json: Json = False) -> None:
    """Print the JSON Schema of policy files, for editors."""
    from collegium.guard.schema import text

    typer.echo(text(), nl=False)
