"""Grammars for what a JSON schema cannot say: free reasoning before a typed answer line."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from collegium.kernel.outputs import ANSWER_LINE

# A full stop may close the line: models like to end sentences, and the reader drops it.
NUMBER = r'"-"? [0-9]{1,15} ("." [0-9]{1,10})? "."?'
INTEGER = r'"-"? [0-9]{1,15} "."?'


def answer_line_grammar(schema: dict[str, Any]) -> str:
    """A llama.cpp grammar: any lines, then ``Answer: `` and a value of the schema, then the end.

    The model may not end before such a line; what looks like one but does not fit is more prose.
    """
    return _grammar(json.dumps(schema))


@lru_cache(maxsize=64)
def _grammar(encoded: str) -> str:
    schema = json.loads(encoded)
    head = f'root ::= line* "{ANSWER_LINE} " value\nline ::= [^\\n]* "\\n"\n'
    if all(isinstance(v, str) for v in schema.get("enum", (None,))):
        return head + "value ::= " + " | ".join(json.dumps(v) for v in schema["enum"])
    match schema.get("type"):
        case "number":
            return f"{head}value ::= {NUMBER}"
        case "integer":
            return f"{head}value ::= {INTEGER}"
        case "string":
            return head + "value ::= [^\\n]+"
        case "boolean":
            return head + 'value ::= "true" | "false"'
    import xllamacpp as llama

    engine: Any = llama  # made from C++: it has no types to check
    rules = engine.json_schema_to_grammar(encoded)
    return head + rules.replace("root ::=", "value ::=", 1)
