"""Does a policy fit the tools it is for? Warnings about what its author cannot have meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Literal

import msgspec

from collegium.errors import PolicyError
from collegium.guard.analysis.anchoring import demanded_patterns, unanchored
from collegium.guard.analysis.solve import (
    SECONDS,
    Satisfiable,
    Unknown,
    Unsatisfiable,
    satisfiable,
)
from collegium.guard.conditions import check_schema, compile_schema, engine
from collegium.guard.policy import Policy, Rule, Schema
from collegium.kernel.calls import ToolSpec

Kind = Literal[
    "unknown tool",
    "unknown argument",
    "invalid condition",
    "wrong type",
    "never holds",
    "unchecked type",
    "unanchored identifier",
    "not analysed",
]

_TEXT, _NUMBER, _LIST, _STRUCT = "string", "number", "array", "object"
_FITS = {
    **dict.fromkeys(("pattern", "minLength", "maxLength"), _TEXT),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBER
    ),
    **dict.fromkeys(("items", "minItems", "maxItems"), _LIST),
    **dict.fromkeys(("properties", "required", "additionalProperties"), _STRUCT),
}
"""The type of which a keyword says something."""

_EVERY = frozenset(("null", "boolean", _NUMBER, _TEXT, _LIST, _STRUCT))


class PolicyWarning(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a policy that its author should look at.

    Attributes:
        tool: The tool.
        rule: Number of the rule, as written, from 1; 0: it is about the tool.
        argument: The argument; "": it is about none.
        kind: What is wrong.
        message: The same in a sentence, with what to do.
    """

    tool: str
    rule: int
    argument: str
    kind: Kind
    message: str


def typecheck(
    policy: Policy, tools: Sequence[ToolSpec], *, seconds: float = SECONDS
) -> tuple[PolicyWarning, ...]:
    """Hold a policy against the tools it is for.

    Args:
        policy: The policy; rules that its rules install are looked at too.
        tools: What a model is told of the tools. Names with an ``@`` are no tools.
        seconds: How long the solver may take over each question.

    Returns:
        What looks wrong, rule by rule.
    """
    specs = {spec.name: spec for spec in tools}
    found: list[PolicyWarning] = []
    for tool, rules in policy.tools.items():
        found += _checked_tool(tool, rules, specs, seconds)
    return tuple(found)


def _checked_tool(
    tool: str, rules: Sequence[Rule], specs: dict[str, ToolSpec], seconds: float
) -> list[PolicyWarning]:
    found: list[PolicyWarning] = []
    if tool not in specs and not tool.startswith("@"):
        message = f"there is no tool {tool!r}; {_near(tool, specs)}"
        found.append(
            PolicyWarning(tool=tool, rule=0, argument="", kind="unknown tool", message=message)
        )
    for number, rule in enumerate(rules, 1):
        spec = specs.get(tool)
        for argument, schema in rule.when.items():
            found += [
                PolicyWarning(tool=tool, rule=number, argument=argument, kind=kind, message=message)
                for kind, message in _checked(rule, argument, schema, spec, seconds)
            ]
        for update in rule.update:
            found += _checked_tool(update.tool, update.rules, specs, seconds)
    return found


def _checked(
    rule: Rule, argument: str, schema: Schema, spec: ToolSpec | None, seconds: float
) -> Iterable[tuple[Kind, str]]:
    """What is wrong with one condition."""
    try:
        check_schema(schema)
        engine(schema)
    except PolicyError as error:
        yield "invalid condition", str(error)
        return
    declared: Schema = True
    if spec is not None:
        known = spec.parameters.get("properties", {})
        if argument not in known:
            if spec.parameters.get("additionalProperties", False) is False:
                yield "unknown argument", f"it has no such argument; {_near(argument, known)}"
                return
        else:
            declared = known[argument]
    misfits = list(_misfits(schema, declared))
    for message in misfits:
        yield "wrong type", message
    if not misfits:
        yield from _held_against(rule, schema, declared, seconds)
    if rule.effect == "allow":
        for pattern in dict.fromkeys(demanded_patterns(schema)):
            if trap := unanchored(pattern, seconds=seconds):
                yield (
                    "unanchored identifier",
                    f"unanchored identifier: the pattern {pattern!r} is open at {trap.open}, so it "
                    f"accepts {trap.witness!r}; write {trap.anchored!r} for the whole text.",
                )


def _misfits(schema: Schema, declared: Schema) -> Iterable[str]:
    """Keywords and values that do not fit the declared type."""
    if isinstance(schema, bool):
        return
    kinds = kinds_of(declared)
    for keyword, value in schema.items():
        fits = _FITS.get(keyword)
        if fits is not None and fits not in kinds:
            yield f"{keyword} says nothing of a value of type {_listed(kinds)}."
        elif keyword == "type":
            wanted = [value] if isinstance(value, str) else value
            if not any(_general(kind) in kinds for kind in wanted):
                yield f"the argument is of type {_listed(kinds)}, not {_listed(wanted)}."
        elif keyword in ("enum", "const"):
            accepts = _taker(declared)
            for one in value if keyword == "enum" else [value]:
                if not accepts(one):
                    yield f"{one!r} is no value of type {_listed(kinds)}."
        elif keyword in ("anyOf", "allOf", "oneOf"):
            for part in value:
                yield from _misfits(part, declared)
        elif keyword in ("not", "then", "else"):
            yield from _misfits(value, declared)
    if _LIST in kinds and "items" in schema:
        yield from _misfits(schema["items"], _part(declared, "items"))
    if _STRUCT in kinds:
        for name, part in schema.get("properties", {}).items():
            yield from _misfits(part, _part(_part(declared, "properties"), name))


def _held_against(
    rule: Rule, schema: Schema, declared: Schema, seconds: float
) -> Iterable[tuple[Kind, str]]:
    """What the solver says of a condition together with the declared type."""
    both = satisfiable({"allOf": [declared, schema]}, seconds=seconds)
    if isinstance(both, Unsatisfiable) and schema is not False:
        yield "never holds", "no value that the tool takes meets the condition."
    elif isinstance(both, Unknown):
        yield "not analysed", f"{both.reason}; changes of this rule count as unsafe."
    elif rule.effect == "allow" and isinstance(schema, dict) and "type" not in schema:
        spoken = sorted({_FITS[keyword] for keyword in schema if keyword in _FITS})
        if spoken:
            others: Schema = {"not": {"type": spoken}}
            free = satisfiable({"allOf": [declared, schema, others]}, seconds=seconds)
            if isinstance(free, Satisfiable):
                yield (
                    "unchecked type",
                    f"the condition also accepts {free.witness!r}, of which its keywords say "
                    f"nothing; add type: {_listed(spoken)}.",
                )


def kinds_of(declared: Schema) -> frozenset[str]:
    """The types of JSON that a declared type may have; whole numbers are numbers."""
    if isinstance(declared, bool):
        return _EVERY
    kinds = _EVERY
    if "type" in declared:
        value = declared["type"]
        kinds &= {_general(k) for k in ([value] if isinstance(value, str) else value)}
    for keyword in ("anyOf", "oneOf"):
        if keyword in declared:
            kinds &= frozenset[str]().union(*map(kinds_of, declared[keyword]))
    for part in declared.get("allOf", ()):
        kinds &= kinds_of(part)
    values = declared.get("enum", [declared["const"]] if "const" in declared else None)
    if values is not None:
        kinds &= {k for v in values for k in _EVERY if compile_schema({"type": k})(v)}
    return kinds


def _taker(declared: Schema) -> Any:
    """Says whether a declared type takes a value; one that cannot be used takes all."""
    try:
        return engine(declared)
    except PolicyError:
        return lambda value: True


def _part(declared: Any, key: str) -> Any:
    """What a declared type says of its items, or of one property; True: anything."""
    return declared.get(key, True) if isinstance(declared, dict) else True


def _general(kind: str) -> str:
    return _NUMBER if kind == "integer" else kind


def _listed(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds)) or "nothing"


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names)}." if names else "there are none."
