"""What the commands ``guard`` do and print."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from collegium.commands.show import clean, console, print_json, writable_file
from collegium.commands.weights import fetch_weights
from collegium.errors import BadInput, MissingExtra
from collegium.guard import Compiled, Policy, load_policy
from collegium.guard.decide import RuleTried, written
from collegium.guard.generate import Draft, Provenance, draft
from collegium.guard.review import read_call, review
from collegium.kernel import ToolSpec, atomic

NO_ANALYSIS = "Overlaps, dead rules and types were not looked at: that needs the extra 'guard'."

FOLLOWS = {
    "message": "The agent is told why, and goes on.",
    "terminate": "The run ends.",
    "ask": "The user is asked.",
}

SOURCES = {
    "human": "written by a person",
    "request": "named in the request",
    "result": "FROM A RESULT ALONE",
    "model": "INVENTED BY THE MODEL",
}


def check_policy(file: Path, tools: str | None, as_json: bool) -> None:
    """Check a policy file.

    Raises:
        PolicyError: It is not a policy.
    """
    policy = load_policy(file)
    specs = tool_specs(tools) if tools is not None else None
    found = findings(policy, specs)
    rules = sum(len(rules) for rules in policy.tools.values())
    if as_json:
        said = found if found is not None else []
        print_json(
            {"file": str(file), "tools": len(policy.tools), "rules": rules,
             "analysed": found is not None, "findings": said}
        )  # fmt: skip
        return
    out = console()
    about = f" is a policy: {rules} rules for {len(policy.tools)} tools; "
    rest = "the rest is blocked" if policy.default == "block" else "the rest is allowed"
    out.print(Text.assemble((str(file), "bold cyan"), about, rest))
    if found is None:
        out.print(Text(NO_ANALYSIS, style="yellow"))
    for line in found or ():
        out.print(Text(clean(line["message"]), style="yellow"), soft_wrap=True)
    if found == []:
        out.print(Text("Nothing doubtful was found.", style="green"))


def findings(policy: Policy, tools: Sequence[ToolSpec] | None) -> list[dict[str, Any]] | None:
    """What the analysis has against a policy; None where there is no analysis."""
    try:
        return [
            {"kind": one.kind, "message": one.message, "detail": one.detail}
            for one in review(policy, tools)
            if one.doubtful
        ]
    except MissingExtra:
        return None


def explain_call(file: Path, call: str, as_json: bool) -> None:
    """Say what becomes of a call.

    Raises:
        BadInput: It is no call, or the file is no policy.
    """
    compiled = Compiled(load_policy(file))
    name, arguments = read_call(call)
    decision = compiled.decide(name, arguments)
    rules = compiled.tools.get(name)
    tried = rules.explain(arguments) if rules is not None else ()
    if as_json:
        decided = next((t.number for t in tried if t.decides), 0)
        print_json(
            {"call": name, "arguments": arguments, "allowed": decision.allowed,
             "rule": decided, "reason": decision.reason,
             "fallback": None if decision.allowed else decision.fallback, "rules": tried}
        )  # fmt: skip
        return
    out = console()
    style = "bold green" if decision.allowed else "bold red"
    out.print(Text.assemble(("allowed" if decision.allowed else "blocked", style),
                            clean(f"  {decision.reason}")), soft_wrap=True)  # fmt: skip
    for one in tried:
        print_tried(one, out)
    if rules is None:
        out.print(Text(f"There are no rules for {name}; default: {compiled.policy.default}."))
    elif not decision.allowed:
        out.print(Text(FOLLOWS[decision.fallback], style="dim"))


def print_tried(one: RuleTried, out: Any) -> None:
    """How one rule looks at a call."""
    mark = "it decides" if one.decides else "it would match" if one.matches else "does not match"
    head = f"rule {one.number}: {one.rule.effect}, priority {one.rule.priority}: {mark}"
    out.print(Text(head, style="bold" if one.decides else "dim"))
    for argument, verdict in one.conditions.items():
        if verdict == "missing":
            verdict = f"left out, which {one.rule.missing}"
        line = f"    {argument}: {written(one.rule.when[argument])}  {verdict}"
        out.print(Text(clean(line)), soft_wrap=True)


def generate_policy(
    request: str, tools: str, model: str, out: Path | None, yes: bool, as_json: bool
) -> None:
    """Have a policy written, show it, and keep it once a person agreed.

    Raises:
        BadInput: Something is wrong, or nobody agreed.
    """
    request = (sys.stdin.read() if request == "-" else request).strip()
    if not request:
        raise BadInput("the request is empty; write it in quotes, or - for standard input.")
    specs = tool_specs(tools)
    if out is not None:
        writable_file(out)
    fetch_weights([model])
    from collegium.models import open_model

    made = asyncio.run(draft(open_model(model), request, specs))
    doubts = findings(made.policy, specs)
    if as_json:
        print_json(
            {"policy": made.policy, "provenance": made.values, "analysed": doubts is not None,
             "findings": doubts or []}
        )  # fmt: skip
    else:
        print_generated(made.policy, made.values)
        for line in doubts or ():
            console().print(Text(clean(line["message"]), style="yellow"), soft_wrap=True)
    if out is None:
        return
    agreed = yes or (sys.stdin.isatty() and typer.confirm(f"Write {out}?", err=True))
    if not agreed:
        raise BadInput(f"{out} was not written: nobody agreed. Read the policy, then add --yes.")
    try:
        atomic.replace(out, policy_text(made).encode())
    except OSError as error:
        raise BadInput(f"cannot write {out}: {error.strerror or error}.") from None


def print_generated(policy: Policy, values: Sequence[Provenance]) -> None:
    """A written policy, with the source of every value."""
    out = console()
    if not policy.tools:
        out.print("The request needs no tool, so none is allowed.")
    for tool, rules in policy.tools.items():
        out.print(Text(clean(tool), style="bold cyan"))
        for rule in rules:
            out.print(Text(f"  {rule.effect}"))
            for argument, schema in rule.when.items():
                out.print(Text(clean(f"    {argument}: {written(schema)}")), soft_wrap=True)
            if not rule.when:
                out.print(Text("    whatever its arguments", style="yellow"))
    print_values(values, out)


def print_values(values: Sequence[Provenance], out: Console) -> None:
    """Where the values of a policy come from; in red what only a model or a result said."""
    for value in values:
        style = "" if value.source in ("human", "request") else "bold red"
        out.print(Text(clean(_sourced(value)), style=style), soft_wrap=True)


def _sourced(value: Provenance) -> str:
    return f"{value.tool}, {value.argument}: {written(value.value)} is {SOURCES[value.source]}"


def policy_text(made: Draft) -> str:
    """A policy as a file that people go on with; request and sources are its first lines."""
    import yaml

    lines = ["Written by a model for this request; read it before you use it."]
    lines += [f"  {line}" for line in made.request.splitlines()]
    lines += ["Where its values come from:"] if made.values else []
    lines += [f"  {_sourced(value)}" for value in made.values]
    # One line of text is one comment, whatever ends a line in YAML.
    about = "".join(f"# {''.join(c if c.isprintable() else ' ' for c in line)}\n" for line in lines)
    data = msgspec.to_builtins(made.policy)
    return about + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def diff_policies(old: Path, new: Path, as_json: bool) -> None:
    """Compare two policies.

    Raises:
        PolicyError: One is not a policy.
        MissingExtra: The solver is not installed.
    """
    before, after = load_policy(old), load_policy(new)
    from collegium.guard import analysis

    found = analysis.diff(before, after)
    if as_json:
        print_json(found)
    else:
        console().print(Text(clean(analysis.described(found))), soft_wrap=True)


def tool_specs(source: str) -> list[ToolSpec]:
    """The tools of a file, or those that are built in.

    Raises:
        BadInput: The file cannot be read, or holds something else.
    """
    if source == "builtin":
        from collegium.apps.tools import known_tools

        return [tool.spec for tool in known_tools().values()]
    try:
        raw = Path(source).expanduser().read_bytes()
        return msgspec.json.decode(raw, type=list[ToolSpec])
    except OSError as error:
        raise BadInput(f"cannot read the tools {source}: {error.strerror or error}.") from None
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"{source} is no list of tools ({error}); expected JSON such as "
            '[{"name": "read", "description": "Read a file.", "parameters": {"type": "object", '
            '"properties": {"path": {"type": "string"}}}}].'
        ) from None
