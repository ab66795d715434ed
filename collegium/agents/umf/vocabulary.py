"""The words of LLM-Agent-UMF: modules, their lines, the allowed values, and the rules by version.

Versions of arXiv 2409.11393 differ, so every rule says which one it is from. "ours" marks a rule
that the paper asks for in words and leaves to its reader.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

Kind = Literal["active", "passive"]
Module = Literal["planning", "memory", "profile", "action", "security"]
Since = Literal["v1", "v3", "ours"]
PaperVersion = Literal["v1", "v3"]

# Planning (paper section 3, planning module).
Process = Literal["task decomposition", "plan generation"]
Strategy = Literal["single-path", "multi-path"]
Style = Literal["iterative", "one-shot"]
PlanTechnique = Literal["rule-based", "LM-powered"]
Feedback = Literal["human", "tool", "sibling core-agent"]
# Memory.
Scope = Literal["short-term", "long-term"]
Location = Literal["embedded", "extension"]
Format = Literal["natural language", "embeddings", "SQL database", "structured lists"]
Operation = Literal["read", "write", "reflect"]
# Profile.
Method = Literal[
    "hand-crafted in-context", "LLM-generated", "dataset-aligned", "fine-tuned pluggable"
]
# Action.
Goal = Literal["task completion", "communication", "exploration"]
Production = Literal["memory recollection", "plan following", "API-call request"]
Space = Literal["tools", "LLM knowledge"]
Impact = Literal["environment change", "internal state change", "new action"]
# Security.
Safeguard = Literal["prompt", "response", "data privacy"]
GuardTechnique = Literal["rule-based", "LM-based"]
SecurityGoal = Literal["confidentiality", "integrity", "availability"]

_TYPES: dict[str, dict[str, Any]] = {
    "planning": {
        "process": Process,
        "strategy": Strategy,
        "style": Style,
        "technique": PlanTechnique,
        "feedback": Feedback,
    },
    "memory": {
        "scope": Scope,
        "location": Location,
        "format": Format,
        "operations": Operation,
    },
    "profile": {"method": Method},
    "action": {"goal": Goal, "production": Production, "space": Space, "impact": Impact},
    "security": {"safeguards": Safeguard, "technique": GuardTechnique, "goals": SecurityGoal},
}

LINES: dict[str, dict[str, tuple[str, ...]]] = {
    module: {line: get_args(kind) for line, kind in lines.items()}
    for module, lines in _TYPES.items()
}
"""Module -> line -> allowed values."""

MODULES: tuple[Module, ...] = get_args(Module)
MIND: tuple[Module, ...] = ("planning", "memory", "profile")
"""The modules that an active core-agent has and a passive one must not have."""


class Rule(msgspec.Struct, frozen=True):
    """A structural rule: what it says and which version of the paper it is from."""

    text: str
    since: Since


RULES: dict[str, Rule] = {
    "active-without-module": Rule(
        "An active core-agent has planning, memory, profile and action modules.", "v1"
    ),
    "passive-without-action": Rule("A passive core-agent has an action module.", "v1"),
    "passive-with-module": Rule(
        "A passive core-agent has no planning, memory or profile module.", "v1"
    ),
    "active-without-security": Rule("An active core-agent has a security module.", "v1"),
    "passive-without-security": Rule("A passive core-agent has a security module.", "v3"),
    "passive-commands": Rule("A passive core-agent never commands another.", "v1"),
    "passive-without-commander": Rule(
        "A passive core-agent is commanded by an LLM or an active core-agent.", "v1"
    ),
    "human-instructs-passive": Rule(
        "A passive core-agent may tell humans something; they cannot instruct it.", "v1"
    ),
    "tool-without-core-agent": Rule("Every tool is used by a core-agent's action module.", "v1"),
    "tool-bypasses-core-agent": Rule(
        "A tool call goes through a core-agent: no LLM, tool or human reaches a tool itself.", "v1"
    ),
    "llm-without-core-agent": Rule("Every LLM works with a core-agent.", "v1"),
    "llm-bypasses-core-agent": Rule(
        "An LLM call is made by a core-agent; humans reach an LLM themselves only where no "
        "core-agent is active.",
        "v1",
    ),
    "boundary": Rule("No tool and no LLM owns a module: modules are the core-agent's.", "v1"),
    "command-cycle": Rule(
        "Active core-agents do not command each other in a circle unless a synchronisation "
        "mechanism is declared.",
        "ours",
    ),
    "no-synchronisation": Rule(
        "Active core-agents of equal rights need a synchronisation mechanism.", "v1"
    ),
    "unguarded-path": Rule(
        "Every way from a command to a tool crosses a security module: the core-agent's own or "
        "that of one above it.",
        "ours",
    ),
}
