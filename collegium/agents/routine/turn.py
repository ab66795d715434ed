"""One turn of execution: the step it is for, and exactly one tool call or the final answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from collegium.agents.routine.variables import REFERENCE
from collegium.kernel.calls import ToolSpec

FINISH = "finish"
"""What the call is named that states the answer."""


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool and its arguments as the model wrote them."""

    name: str
    arguments: dict[str, Any]


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A turn as the model wrote it; ``step`` is "" where there is no Routine."""

    call: Call
    step: str = ""


class Form:
    """The form of a turn, as a typed output: the schema is made of the tools' own schemas.

    Args:
        tools: The tools there are.
        steps: Numbers of the Routine's steps; none: turns name no step.
        references: Whether arguments may be references to variables.
    """

    def __init__(
        self, tools: Sequence[ToolSpec], steps: Sequence[str] = (), *, references: bool = False
    ) -> None:
        self._steps = tuple(steps)
        answer = {"type": "object", "properties": {"answer": {"type": "string"}}}
        calls = [_call(FINISH, {**answer, "required": ["answer"], "additionalProperties": False})]
        for spec in tools:
            schema = _with_references(spec.parameters) if references else spec.parameters
            calls.append(_call(spec.name, schema))
        properties: dict[str, Any] = {"call": {"anyOf": calls}}
        if self._steps:
            properties = {"step": {"enum": [*self._steps]}, **properties}
        self._schema = {
            "type": "object",
            "properties": properties,
            "required": [*properties],
            "additionalProperties": False,
        }

    def model_json_schema(self) -> dict[str, Any]:
        """The schema of a turn."""
        return self._schema

    def model_validate_json(self, text: str) -> Turn:
        """Read a turn. The tool may be unknown and its arguments wrong: the engine says so.

        Raises:
            ValueError: It is not one call.
        """
        turn = msgspec.json.decode(text, type=Turn)
        if self._steps and turn.step not in self._steps:
            raise ValueError(f"step is one of {', '.join(self._steps)}, not {turn.step!r}")
        return turn


def _call(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"enum": [name]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _with_references(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of arguments that may each be a reference too."""
    reference = {"type": "string", "pattern": f"^{REFERENCE}$"}
    return {
        **schema,
        "properties": {
            name: of if of.get("type") == "string" and "enum" not in of
            else {"anyOf": [{k: v for k, v in of.items() if k != "default"}, reference]}
            for name, of in schema.get("properties", {}).items()
        },
    }  # fmt: skip
