"""Scripts that stand in for a model: a panel that argues, one that is slow, one that attacks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from collegium.kernel import Generate, Reply, ToolCall

ATTACKS = (
    "<script>alert('script')</script>",
    "<img src=x onerror=alert('img')>",
    "<svg onload=alert('svg')><a href=\"javascript:alert('link')\">press</a>",
    "[press](javascript:alert('markdown')) ![](x onerror=alert(1))",
    "{{constructor.constructor('alert(1)')()}} ${alert('template')} `${alert('tick')}`",
    "</script><script>alert('closed')</script><iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert('mutation')>",
    ":onclick=alert(1) \" onmouseover=\"alert('attribute')",
    "user\u202egnp.exe \u2066\u200bhidden\u2069 \x1b[31mred\x07",
)
"""What a page must show as text and never run."""

HOSTILE = " ".join(ATTACKS)


def panel(request: Generate) -> str:
    """ArgMed's generator and verifier on three options; anybody else answers B."""
    asked = request.messages[-1].text
    fields = _fields(request)
    if request.agent == "generator":
        return _argument(fields, asked)
    if request.agent == "verifier":
        first = "doubt a1" in asked
        return json.dumps({f: _verdict(f, first and i in (2, 4)) for i, f in enumerate(fields)})
    if fields:
        return json.dumps({f: _filled(kind, "B") for f, kind in fields.items()})
    return "Colchicine does not open the ulcer.\nAnswer: B"


async def slow(request: Generate) -> str:
    """The same after a second: a run that can be watched and stopped."""
    await asyncio.sleep(1)
    return panel(request)


def hostile(request: Generate) -> str:
    """Attacks in every field, and a line without end."""
    fields = _fields(request)
    text = f"{HOSTILE} {'x' * 30_000}"
    if fields:
        return json.dumps({f: _filled(kind, text) for f, kind in fields.items()})
    return f"{text}\nAnswer: {HOSTILE}"


def acting(request: Generate) -> str | Reply:
    """Uses the first tool it is given with an attack as every argument, then answers with one."""
    if request.tools and request.messages[-1].role != "tool":
        spec = request.tools[0]
        wanted: dict[str, Any] = spec.parameters.get("properties", {})
        call = ToolCall("c1", spec.name, dict.fromkeys(wanted, HOSTILE))
        return Reply("", tool_calls=(call,), finish="tool")
    return hostile(request)


def _fields(request: Generate) -> dict[str, Any]:
    return (request.schema or {}).get("properties", {})


def _filled(kind: dict[str, Any], text: str) -> Any:
    """A value that fits the schema of a field."""
    if "enum" in kind:
        return kind["enum"][0]
    made = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
    return made.get(kind.get("type", ""), text)


def _argument(fields: dict[str, Any], asked: str) -> str:
    if "effect" in fields:
        return json.dumps({"effect": "bleeding", "unwanted": "the ulcer is open"})
    said = dict.fromkeys(fields, "it fits the case")
    if "better option" in asked:
        said |= {"reason": "it spares the stomach", "facts": "an open ulcer", "goal": "relief"}
    else:
        said |= {"reason": "it stops the attack", "facts": "a red toe", "goal": "relief"}
    letters = fields.get("option", {}).get("enum", [])
    if "option" in fields:
        better = "better option" in asked
        said["option"] = (letters[-1] if better else letters[0]) if letters else "colchicine"
    return json.dumps({f: said[f] for f in fields})


def _verdict(field: str, rejected: bool) -> dict[str, str]:
    verdict = "reject" if rejected else "accept"
    return {"verdict": verdict, "reason": f"think of {field.replace('_', ' ')}"}
