"""The hand-made blueprint of the paper's recommended architecture, to be bent by tests."""

from typing import Any

import msgspec

from collegium.agents.umf import Blueprint, read_blueprint

TEAM = """
name: travel desk
llms: [m]
tools:
  - id: calculator
  - id: web
humans: [user]
core_agents:
  - id: P
    kind: active
    modules:
      planning: {process: [task decomposition, plan generation], strategy: single-path,
                 style: one-shot, technique: LM-powered, feedback: sibling core-agent}
      memory: {scope: short-term, location: embedded, format: natural language,
               operations: [read, write]}
      profile: {method: hand-crafted in-context}
      action: {goal: [task completion, communication], production: plan following}
      security: {safeguards: prompt, technique: rule-based, goals: confidentiality}
    commands: [C, S]
    talks_to: [m, user]
  - id: C
    kind: passive
    modules: {action: , security: }
    talks_to: [m, calculator]
  - id: S
    kind: passive
    modules: {action: {space: tools}, security: }
    talks_to: [m, web]
"""


def design(**changes: dict[str, Any]) -> Blueprint:
    """The team, with fields of core-agents changed: ``design(S={"modules": ...})``.

    Modules are given by name alone.
    """
    raw = msgspec.to_builtins(read_blueprint(TEAM))
    for core in raw["core_agents"]:
        core |= changes.get(core["id"], {})
    raw |= changes.get("blueprint", {})
    return read_blueprint(msgspec.json.encode(raw).decode())
