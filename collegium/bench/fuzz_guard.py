"""Random policies and calls, decided by the guard and by a slow reference that knows no engine.

The reference follows the words of the language with plain Python alone: rules one by one,
conditions keyword by keyword, patterns by the standard library's ``re`` after a translation. Where
the two disagree, or one of them breaks, there is a mistake.

``python -m collegium.bench.fuzz_guard`` tries 100,000 pairs and exits with 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from time import perf_counter
from typing import Any

import msgspec

from collegium.guard.decide import Compiled
from collegium.guard.policy import Policy, Rule

TOOLS = ("send", "read", "pay")
ARGUMENTS = ("a", "b", "c", "d")
TEXTS = (
    "",
    "a",
    "ab",
    "UK12",
    "SE12",
    "xxUK12zz",
    "a@co.com",
    "b@evil.com",
    "12",
    "é",
    "a\n",
    "𝄞b",
)
NUMBERS = (0, 1, -1, 2, 50, 100, 150, 1.0, 0.5, 0.07, 2.5, 2**53 + 1, 10**20)
PIECES = (
    *("a", "UK", "SE", "12", "@", "é", ".", r"\d", r"\w", r"\s", r"\.", r"\x41", r"\u00e9"),
    *("[a-z]", r"[^a\d]", "(?:a|b)", "(co|evil)"),
)
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")


# -- the reference --------------------------------------------------------------------------------


def reference(policy: Policy, name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a policy lets a call through: the definition, spelled out."""
    rules = policy.tools.get(name)
    if rules is None:
        return policy.default == "allow"
    remaining = [*rules]
    while remaining:
        lowest = min(rule.priority for rule in remaining)
        equals = [rule for rule in remaining if rule.priority == lowest]
        for effect in ("forbid", "allow"):
            if any(r.effect == effect and meets(r, arguments) for r in equals):
                return effect == "allow"
        remaining = [rule for rule in remaining if rule.priority != lowest]
    return False


def meets(rule: Rule, arguments: Mapping[str, Any]) -> bool:
    """Whether all conditions of a rule hold for a call."""
    for argument, schema in rule.when.items():
        if argument in arguments:
            if not valid(schema, arguments[argument]):
                return False
        elif rule.missing == "fails":
            return False
    return True


def valid(schema: Any, value: Any) -> bool:
    """Whether a value meets a condition."""
    if isinstance(schema, bool):
        return schema
    number = isinstance(value, int | float) and not isinstance(value, bool)
    for keyword, said in schema.items():
        good = True
        if keyword == "type":
            good = any(has_type(value, t) for t in (said if isinstance(said, list) else [said]))
        elif keyword == "enum":
            good = any(equal(value, one) for one in said)
        elif keyword == "const":
            good = equal(value, said)
        elif keyword == "pattern" and isinstance(value, str):
            good = re.search(translated(said), value, re.ASCII) is not None
        elif keyword == "minLength" and isinstance(value, str):
            good = len(value) >= said
        elif keyword == "maxLength" and isinstance(value, str):
            good = len(value) <= said
        elif keyword == "minimum" and number:
            good = value >= said
        elif keyword == "maximum" and number:
            good = value <= said
        elif keyword == "exclusiveMinimum" and number:
            good = value > said
        elif keyword == "exclusiveMaximum" and number:
            good = value < said
        elif keyword == "multipleOf" and number:
            good = Decimal(str(value)) % Decimal(str(said)) == 0
        elif keyword == "items" and isinstance(value, list):
            good = all(valid(said, item) for item in value)
        elif keyword == "minItems" and isinstance(value, list):
            good = len(value) >= said
        elif keyword == "maxItems" and isinstance(value, list):
            good = len(value) <= said
        elif keyword == "required" and isinstance(value, dict):
            good = all(name in value for name in said)
        elif keyword == "properties" and isinstance(value, dict):
            good = all(valid(part, value[name]) for name, part in said.items() if name in value)
        elif keyword == "additionalProperties" and isinstance(value, dict):
            known = schema.get("properties", {})
            good = all(valid(said, part) for name, part in value.items() if name not in known)
        elif keyword == "anyOf":
            good = any(valid(part, value) for part in said)
        elif keyword == "allOf":
            good = all(valid(part, value) for part in said)
        elif keyword == "oneOf":
            good = [valid(part, value) for part in said].count(True) == 1
        elif keyword == "not":
            good = not valid(said, value)
        elif keyword == "if":
            branch = schema.get("then" if valid(said, value) else "else", True)
            good = valid(branch, value)
        if not good:
            return False
    return True


def has_type(value: Any, name: str) -> bool:
    """Whether a value is of a JSON type; true and false are no numbers, 1.0 is an integer."""
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, int | float):
        return name == "number" or (name == "integer" and value == int(value))
    kinds = {str: "string", list: "array", dict: "object", type(None): "null"}
    return name == kinds[type(value)]


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same to JSON."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return a == b


_SPACE = r" \t\n\r\f\v\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def translated(pattern: str) -> str:
    """A pattern of the language as one of Python's ``re``, with the same meaning."""

    def replace(token: re.Match[str]) -> str:
        text = token[0]
        if text == "$":
            return r"\Z"
        if text == ".":
            return r"[^\n\r\u2028\u2029]"
        if text == r"\s":
            return f"[{_SPACE}]"
        return text

    return re.sub(r"\[(?:\\.|[^\]\\])*\]|\\.|[$.]", replace, pattern)


# -- random policies and calls --------------------------------------------------------------------


def random_value(r: Random, depth: int = 0) -> Any:
    """An argument."""
    kind = r.randrange(8 if depth < 2 else 5)
    if kind <= 1:
        return r.choice(TEXTS)
    if kind <= 3:
        return r.choice(NUMBERS)
    if kind == 4:
        return r.choice((True, False, None))
    if kind <= 6:
        return [random_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {name: random_value(r, depth + 1) for name in r.sample(ARGUMENTS, r.randrange(3))}


def random_pattern(r: Random) -> str:
    """A pattern, anchored or not; more often than not it is near one of the texts."""
    if r.random() < 0.6:
        text = r.choice(TEXTS)
        begin = r.randrange(len(text) + 1)
        part = text[begin : r.randrange(begin, len(text) + 1)]
        pieces = [_near(r, character) for character in part]
    else:
        pieces = [r.choice(PIECES) + _times(r) for _ in range(r.randrange(1, 4))]
    body = "".join(pieces)
    if r.random() < 0.2:
        body = f"{body}|{r.choice(PIECES)}"
    return r.choice(("", "^")) + body + r.choice(("", "$"))


def _near(r: Random, character: str) -> str:
    """A piece of a pattern that is likely to match a character."""
    plain = character if character.isalnum() else f"\\u{ord(character):04x}"
    return r.choice((plain, plain, ".", f"[{plain}x]", r"[^z]", rf"(?:{plain}|b)", r"\w")) + _times(
        r
    )


def _times(r: Random) -> str:
    return r.choice(("", "", "", "+", "*", "?", "{2}", "{1,3}"))


def random_schema(r: Random, depth: int = 0) -> Any:
    """A condition."""
    kind = r.randrange(16 if depth < 2 else 10)
    some = [random_schema(r, depth + 1) for _ in range(r.randrange(1, 3))] if kind > 9 else []
    match kind:
        case 0:
            return {"type": r.choice((r.choice(TYPES), r.sample(TYPES, 2)))}
        case 1 | 2:
            return {"enum": [random_value(r, 1) for _ in range(r.randrange(1, 4))]}
        case 3:
            return {"const": random_value(r, 1)}
        case 4 | 5:
            return {"pattern": random_pattern(r)}
        case 6:
            return {r.choice(("minLength", "maxLength", "minItems", "maxItems")): r.randrange(4)}
        case 7 | 8:
            bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
            return {name: r.choice(NUMBERS) for name in r.sample(bounds, r.randrange(1, 3))}
        case 9:
            return r.choice(({"multipleOf": r.choice((1, 2, 5, 0.5, 0.01))}, True, False))
        case 10:
            return {"items": some[0]}
        case 11:
            return {
                "properties": dict(zip(ARGUMENTS, some, strict=False)),
                "required": r.sample(ARGUMENTS, r.randrange(2)),
                "additionalProperties": r.choice((True, False, some[0])),
            }
        case 12:
            return {"not": some[0]}
        case 13:
            return {"if": some[0], "then": some[-1], "else": random_schema(r, depth + 1)}
        case _:
            return {r.choice(("anyOf", "allOf", "oneOf")): some}


def random_policy(r: Random) -> Policy:
    """A policy for some of the tools."""
    tools: dict[str, tuple[Rule, ...]] = {}
    for tool in r.sample(TOOLS, r.randrange(1, len(TOOLS) + 1)):
        tools[tool] = tuple(
            Rule(
                effect=r.choice(("allow", "forbid")),
                priority=r.choice((1, 2, 100)),
                missing=r.choice(("fails", "fails", "holds")),
                when={a: random_schema(r) for a in r.sample(ARGUMENTS, r.randrange(3))},
            )
            for _ in range(r.randrange(6))
        )
    return Policy(tools=tools, default=r.choice(("block", "block", "allow")))


def random_call(r: Random) -> tuple[str, dict[str, Any]]:
    """A tool and its arguments."""
    given = r.sample(ARGUMENTS, r.randrange(len(ARGUMENTS) + 1))
    return r.choice(TOOLS), {name: random_value(r) for name in given}


# -- the comparison -------------------------------------------------------------------------------


def disagreement(policy: Policy, compiled: Compiled, name: str, arguments: dict[str, Any]) -> str:
    """How guard and reference differ on a call, "" when they agree."""
    wanted = reference(policy, name, arguments)
    decision = compiled.decide(name, arguments)
    if decision.allowed != wanted:
        return f"the guard says {decision}, the reference {wanted}"
    if decision.reason.startswith("the check failed"):
        return f"the guard broke: {decision.reason}"
    rules = compiled.tools.get(name)
    if rules is not None:
        decides = [t for t in rules.explain(arguments) if t.decides]
        explained = bool(decides) and decides[0].rule.effect == "allow"
        if explained != wanted:
            return f"the explanation says {explained}, the reference {wanted}"
        said = decides[0].number if decides else 0
        if decision.number not in (0, said):
            return f"rule {decision.number} decided, rule {said} is said to"
    return ""


def fuzz(pairs: int, seed: int = 0, calls: int = 10) -> dict[str, Any]:
    """Compare guard and reference on random policies and calls.

    Args:
        pairs: How many pairs of a policy and a call.
        seed: Of all of them.
        calls: How many calls each policy gets.

    Returns:
        How many pairs there were, how many were allowed, and up to ten disagreements.
    """
    began = perf_counter()
    r = Random(seed)
    allowed, done = 0, 0
    found: list[dict[str, Any]] = []
    while done < pairs:
        policy = random_policy(r)
        compiled = Compiled(policy)
        for _ in range(min(calls, pairs - done)):
            name, arguments = random_call(r)
            said = disagreement(policy, compiled, name, arguments)
            if said and len(found) < 10:
                rules = msgspec.to_builtins(policy.tools.get(name, ()))
                found.append({"said": said, "rules": rules, "arguments": arguments})
            allowed += compiled.decide(name, arguments).allowed
            done += 1
    return {
        "pairs": done,
        "seed": seed,
        "allowed": allowed,
        "disagreements": found,
        "seconds": round(perf_counter() - began, 1),
    }


def main() -> None:
    """Run the comparison and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    result = fuzz(chosen.pairs, chosen.seed)
    print(json.dumps(result, indent=1, ensure_ascii=False))
    sys.exit(1 if result["disagreements"] else 0)


if __name__ == "__main__":
    main()
