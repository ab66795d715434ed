"""A policy looked over: everything doubtful about it, one finding after the other.

Findings come as they are found, the quick ones first, so whoever shows them need not wait for the
solver to be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.guard.decide import written
from collegium.guard.policy import Policy
from collegium.kernel.calls import ToolSpec


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a policy.

    Attributes:
        kind: What it is: "overlap", "unreachable", or a kind of the type check.
        message: The same in a sentence.
        tool: The tool it is about.
        rules: Numbers of the rules it is about, as written, from 1; none: it is about the tool.
        doubtful: Whether the author should look at it; else it is worth knowing.
        call: Arguments of a call that shows it; None where there is none, or it is not known.
        detail: What the analysis found.
    """

    kind: str
    message: str
    tool: str
    rules: tuple[int, ...] = ()
    doubtful: bool = True
    call: dict[str, Any] | None = None
    detail: Any = None


def review(
    policy: Policy, tools: Sequence[ToolSpec] | None = None, *, seconds: float | None = None
) -> Iterator[Remark]:
    """Look a policy over.

    Args:
        policy: The policy.
        tools: The tools it is for; None: only what can be said without them.
        seconds: How long the solver may take over each question; None: as long as it does.

    Raises:
        MissingExtra: The solver is not installed.
    """
    from collegium.guard import analysis

    limit = {} if seconds is None else {"seconds": seconds}
    for one in analysis.typecheck(policy, tools or (), **limit):
        if tools is None and one.kind in ("unknown tool", "unknown argument"):
            continue
        rules = (one.rule,) if one.rule else ()
        yield Remark(
            kind=one.kind,
            message=f"{_where(one.tool, one.rule, one.argument)}: {one.message}",
            tool=one.tool,
            rules=rules,
            detail=one,
        )
    # tool by tool, so that what is found comes at once
    alone = [msgspec.structs.replace(policy, tools={t: r}) for t, r in policy.tools.items()]
    for one in (found for part in alone for found in analysis.overlaps(part, **limit)):
        shown = f"not decided: {one.reason}" if one.reason else written(one.witness)
        yield Remark(
            kind="overlap",
            message=f"{one.tool}, rules {one.first} ({one.effects[0]}) and {one.second} "
            f"({one.effects[1]}): both meet {one.argument}, e.g. {shown}",
            tool=one.tool,
            rules=(one.first, one.second),
            # two rules that do the same may well meet
            doubtful=one.conflict or bool(one.reason),
            call=one.call,
            detail=one,
        )
    for one in (found for part in alone for found in analysis.unreachable(part, **limit)):
        why = "no call meets it" if one.contradictory else "rules before it decide its calls"
        yield Remark(
            kind="unreachable",
            message=f"{one.tool}, rule {one.number} never decides: {why}.",
            tool=one.tool,
            rules=(one.number,),
            detail=one,
        )


def read_call(text: str) -> tuple[str, dict[str, Any]]:
    """A call as users write it: the tool, and its arguments as JSON.

    Raises:
        BadInput: It is not that.
    """
    name, _, rest = text.strip().partition(" ")
    try:
        arguments = msgspec.json.decode(rest or "{}")
    except msgspec.MsgspecError as error:
        raise BadInput(f"the arguments of {text!r} are not JSON: {error}.") from None
    if not name or not isinstance(arguments, dict):
        raise BadInput("""a call is a tool and a JSON object: 'send_money {"amount": 5}'.""")
    return name, arguments


def _where(tool: str, rule: int, argument: str) -> str:
    return ", ".join([tool, *([f"rule {rule}"] if rule else []), *([argument] if argument else [])])
