"""What a system has, read from its trace: the row of the comparison of frameworks, computed."""

from __future__ import annotations

from collections.abc import Iterable

from collegium.catalog.benchmarks import Framework
from collegium.catalog.entries import paper
from collegium.kernel.calls import AskHuman, Generate, Send, UseTool, call_types
from collegium.kernel.trace import Event
from collegium.systems.system import System

_KEEPS = ("remember", "recall", "store", "load")
"""Kinds of calls that use memory or storage; found by name, for not every kernel has them all."""

_OWN = ("local", "script", "replay", "recording")
"""How the names of models begin that need no server."""


def features(system: System, events: Iterable[Event]) -> Framework:
    """Fill the row of a system from what one or several of its runs show.

    What no run can show, its year, idea and way of planning, is what the catalog says of its paper.

    Args:
        system: The system.
        events: The traces of its runs.
    """
    seen = list(events)
    entry = paper(system.paper) if system.paper else None
    turns = [e for e in seen if isinstance(e.call, Generate)]
    agents = list(dict.fromkeys(e.call.agent for e in turns))
    tools = list(dict.fromkeys(e.call.tool for e in seen if isinstance(e.call, UseTool)))
    messages = sum(isinstance(e.call, Send) for e in seen)
    kinds = {kind for kind in call_types() if any(e.kind == kind for e in seen)}
    kept = [kind for kind in _KEEPS if kind in kinds]
    models = list(dict.fromkeys(e.model for e in turns if e.model))
    human = any(isinstance(e.call, AskHuman) for e in seen)
    turned = any(sum(m.role == "assistant" for m in e.call.messages) > 0
                 for e in turns if isinstance(e.call, Generate))  # fmt: skip
    own = all(m.startswith(_OWN) for m in models)
    return Framework(
        name=system.name,
        year=entry.year if entry else 0,
        idea=entry.summary.split(". ")[0].removesuffix(".") + "." if entry else system.summary,
        planning=", ".join(entry.facets.get("planning", ())) if entry else "",
        memory=", ".join(kept) or ("earlier turns of the conversation" if turned else "no"),
        tools=", ".join(tools) or "no",
        multi_agent=(
            f"{len(agents)} agents" + (f", {messages} messages" if messages else "")
            if len(agents) > 1 else "no"
        ),
        human="asked" if human else "no",
        local=("yes: " if own else "ran with ") + ", ".join(models) if models else "",
    )  # fmt: skip
