"""The JSON Schema of policy files, for editors: completion, help and mistakes while typing.

It is made from the structs; ``python -m collegium.guard.schema`` writes it anew.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from collegium.guard.conditions import TYPES
from collegium.guard.policy import Policy

FILE = Path(__file__).with_name("policy.schema.json")


def editor_schema() -> dict[str, Any]:
    """The schema of a policy file."""
    schema: dict[str, Any] = msgspec.json.schema(Policy)
    definitions: dict[str, Any] = schema["$defs"]
    for name in ("Rule", "Label"):
        when = definitions[name]["properties"]["when"]
        when["additionalProperties"] = {"$ref": "#/$defs/Condition"}
    for definition in definitions.values():
        _describe(definition)
    definitions["Condition"] = condition_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A collegium policy",
        **schema,
    }


def _describe(definition: dict[str, Any]) -> None:
    """Put what a docstring says of each attribute where editors show it."""
    # cleaned: newer versions of Python and of msgspec take the indentation off, older ones don't
    about, _, attributes = cleandoc(definition["description"]).partition("Attributes:")
    definition["description"] = " ".join(about.split())
    for name, said in re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", attributes, re.MULTILINE):
        place: dict[str, Any] = definition["properties"][name]
        if "$ref" in place:  # a reference has nothing beside it
            place = definition["properties"][name] = {"allOf": [{**place}]}
        place["description"] = " ".join(said.replace("``", "").split())


def condition_schema() -> dict[str, Any]:
    """The schema of a condition: of the part of JSON Schema that policies are written in."""
    one = {"$ref": "#/$defs/Condition"}
    several = {"type": "array", "items": one, "minItems": 1}
    count = {"type": "integer", "minimum": 0}
    number = {"type": "number"}
    kind = {"enum": [*TYPES]}
    return {
        "title": "Condition",
        "description": "A condition on one argument. A keyword says nothing of other types.",
        "anyOf": [
            {"type": "boolean"},
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "type": {"anyOf": [kind, {"type": "array", "items": kind, "minItems": 1}]},
                    "enum": {"type": "array", "minItems": 1},
                    "const": True,
                    "pattern": {
                        "type": "string",
                        "description": "Searched for; write ^ and $ to match the whole.",
                    },
                    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), count),
                    **dict.fromkeys(
                        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), number
                    ),
                    "multipleOf": {"type": "number", "exclusiveMinimum": 0},
                    "properties": {"type": "object", "additionalProperties": one},
                    "required": {"type": "array", "items": {"type": "string"}},
                    **dict.fromkeys(("items", "additionalProperties", "not"), one),
                    **dict.fromkeys(("if", "then", "else"), one),
                    **dict.fromkeys(("anyOf", "allOf", "oneOf"), several),
                },
            },
        ],
    }


def text() -> str:
    """The schema as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(editor_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
